from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.merkle.keccak import keccak256
from rewards.merkle.tree import build_tree, hash_pair, proof_of, root_from_proof

COUNTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 100]


def hashes(count: int) -> list[bytes]:
    return [hashlib.sha256(bytes([i])).digest() for i in range(count)]


def test_hash_pair__either_order__is_the_same() -> None:
    a, b = hashes(2)
    assert hash_pair(a, b) == hash_pair(b, a) == keccak256(min(a, b) + max(a, b))


def test_build_tree__no_leaf__raises() -> None:
    with pytest.raises(ValueError, match="at least one leaf"):
        build_tree([])


def test_build_tree__one_leaf__is_its_own_root() -> None:
    (leaf,) = hashes(1)
    assert build_tree([leaf]) == ([leaf], [0])
    assert proof_of([leaf], 0) == []


def test_build_tree__three_leaves__match_the_layout_by_hand() -> None:
    low, middle, high = sorted(hashes(3))
    tree, indices = build_tree([high, low, middle])
    # Leaves from the end in ascending order: 4, 3, 2. Node 1 joins 3 and 4, the root 1 and 2.
    inner = keccak256(low + middle)
    assert tree == [keccak256(min(inner, high) + max(inner, high)), inner, high, middle, low]
    assert indices == [2, 4, 3]


@pytest.mark.parametrize("count", COUNTS)
def test_build_tree__any_count__has_two_n_minus_one_nodes_that_hash_up(count: int) -> None:
    tree, indices = build_tree(hashes(count))
    assert len(tree) == 2 * count - 1
    assert sorted(indices) == list(range(count - 1, 2 * count - 1))
    for i in range(count - 1):
        assert tree[i] == hash_pair(tree[2 * i + 1], tree[2 * i + 2])


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40))
def test_proof_of__every_leaf__leads_to_the_root(leaves: list[bytes]) -> None:
    tree, indices = build_tree(leaves)
    for leaf, index in zip(leaves, indices, strict=True):
        assert tree[index] == leaf
        assert root_from_proof(leaf, proof_of(tree, index)) == tree[0]


def test_build_tree__equal_leaves__keep_their_order() -> None:
    # OpenZeppelin sorts stably and fills the array from its end.
    leaf = hashes(1)[0]
    _, indices = build_tree([leaf, leaf, leaf])
    assert indices == [4, 3, 2]


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=2, max_size=20, unique=True))
def test_build_tree__order_of_the_leaves__does_not_change_the_root(leaves: list[bytes]) -> None:
    assert build_tree(leaves)[0] == build_tree(leaves[::-1])[0]


@pytest.mark.parametrize("count", [2, 3, 5, 8, 33])
def test_root_from_proof__any_other_hash_with_any_proof__misses_the_root(count: int) -> None:
    leaves = hashes(count)
    tree, indices = build_tree(leaves)
    proofs = [proof_of(tree, index) for index in indices]
    stranger = keccak256(b"stranger")
    for i, proof in enumerate(proofs):
        assert root_from_proof(stranger, proof) != tree[0]
        for j, leaf in enumerate(leaves):
            assert (root_from_proof(leaf, proof) == tree[0]) is (i == j)
        for position in range(len(proof)):
            broken = list(proof)
            broken[position] = stranger
            assert root_from_proof(leaves[i], broken) != tree[0]
        assert root_from_proof(leaves[i], proof[:-1]) != tree[0]
        assert root_from_proof(leaves[i], [*proof, stranger]) != tree[0]
