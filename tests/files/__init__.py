"""Files: grammar, bad input, canonical bytes, publication."""
