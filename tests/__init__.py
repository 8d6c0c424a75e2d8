"""Tests of the rules, the tree, the files, the chain and the command."""
