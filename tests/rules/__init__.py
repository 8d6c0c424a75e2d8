"""The rulebook, formula by formula, with numbers worked by hand, and its laws."""
