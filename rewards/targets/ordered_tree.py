"""The tree of WalletConnect's Airdrop: leaves in index order, a node without a sibling promoted.

Each level pairs its nodes from the left, every pair hashed in ascending order; an odd last node
goes up unchanged. So it differs from OpenZeppelin's layout (`rewards.merkle.tree`), which sorts
leaves, and from trees that pair an odd node with itself or with zero. `MerkleProof.verify` takes
its proofs all the same: they are shorter where a node was promoted. Source: the claims file of the
contract's own tests, with 1,000 leaves, rebuilt to its root and to every proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.merkle.tree import hash_pair

if TYPE_CHECKING:
    from collections.abc import Sequence


def build_levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return the levels of the tree: the leaves first, the root alone last.

    Raises:
        ValueError: There is no leaf.
    """
    if not leaves:
        raise ValueError("a tree needs at least one leaf")
    levels = [list(leaves)]
    while len(level := levels[-1]) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        promoted = level[-1:] if len(level) % 2 else []
        levels.append([hash_pair(*pair) for pair in pairs] + promoted)
    return levels


def proof_in(levels: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """Return the siblings from the leaf at `index` up to the root."""
    proof = []
    for level in levels[:-1]:
        sibling = index ^ 1
        if sibling < len(level):  # a promoted node has none
            proof.append(level[sibling])
        index >>= 1
    return proof
