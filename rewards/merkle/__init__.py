"""Leaves, tree and proofs, byte for byte as OpenZeppelin's StandardMerkleTree makes them."""
