"""The tree: an array of 2n-1 hashes, leaves at the end, as OpenZeppelin lays it out.

The children of node i are 2i+1 and 2i+2; a parent hashes its children in ascending order. Leaves
are sorted by hash and stand in reverse order from the end of the array. Source: the layout of
`@openzeppelin/merkle-tree` (`standard-v1`) and OpenZeppelin Contracts' MerkleProof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


Node = TypeVar("Node")


def hash_pair(a: bytes, b: bytes) -> bytes:
    """Return the hash of two nodes, independent of their order."""
    return keccak256(a + b if a < b else b + a)


def build_tree(leaf_hashes: Sequence[bytes]) -> tuple[list[bytes], list[int]]:
    """Return the node array and, for each given leaf, its index in that array.

    Equal leaves keep the order in which they are given, as OpenZeppelin's stable sort does.

    Raises:
        ValueError: There is no leaf; a tree needs at least one.
    """
    if not leaf_hashes:
        raise ValueError("a tree needs at least one leaf")
    count = len(leaf_hashes)
    order = sorted(range(count), key=leaf_hashes.__getitem__)
    tree = [b""] * (count - 1) + [leaf_hashes[i] for i in reversed(order)]
    for node in range(count - 2, -1, -1):
        tree[node] = hash_pair(tree[2 * node + 1], tree[2 * node + 2])
    indices = [0] * count
    for rank, leaf in enumerate(order):
        indices[leaf] = 2 * count - 2 - rank
    return tree, indices


def proof_of(tree: Sequence[Node], index: int) -> list[Node]:
    """Return the siblings from the node at `index` up to the root."""
    proof = []
    while index > 0:
        proof.append(tree[index + 1 if index % 2 else index - 1])
        index = (index - 1) // 2
    return proof


def root_from_proof(leaf_hash: bytes, proof: Iterable[bytes]) -> bytes:
    """Return the root that a proof leads to; it is valid when that is the tree's."""
    node = leaf_hash
    for sibling in proof:
        node = hash_pair(node, sibling)
    return node
