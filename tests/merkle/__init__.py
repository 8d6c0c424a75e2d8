"""Leaves, tree and proofs against independent implementations."""
