"""Mutation testing of what money and proofs rest on; `make mutants` runs it."""
