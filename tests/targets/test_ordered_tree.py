"""The Airdrop's tree: index order, odd nodes promoted; no other layout gives its root."""

from __future__ import annotations

import pytest

from rewards.merkle.keccak import keccak256
from rewards.merkle.tree import build_tree, root_from_proof
from rewards.targets.ordered_tree import build_levels, proof_in
from tests.targets.independent import ordered_root, pair


def leaves(count: int) -> list[bytes]:
    return [keccak256(bytes([number])) for number in range(count)]


@pytest.mark.parametrize("count", range(1, 70))
def test_root_and_every_proof__equal_an_independent_tree(count: int) -> None:
    given = leaves(count)
    levels = build_levels(given)
    assert levels[-1] == [ordered_root(given)]
    for index, leaf in enumerate(given):
        assert root_from_proof(leaf, proof_in(levels, index)) == levels[-1][0]


def test_three_leaves__the_odd_one_goes_up_unchanged() -> None:
    a, b, c = leaves(3)
    levels = build_levels([a, b, c])
    assert levels == [[a, b, c], [pair(a, b), c], [pair(pair(a, b), c)]]
    assert [len(proof_in(levels, index)) for index in range(3)] == [2, 2, 1]


def test_other_layouts__give_other_roots() -> None:
    given = leaves(5)
    root = build_levels(given)[-1][0]
    doubled = build_levels([*given, given[4], given[4], given[4]])[-1][0]
    assert root != doubled
    assert root != build_levels(sorted(given))[-1][0]
    assert root != build_levels(given[::-1])[-1][0]
    assert root != build_tree(given)[0][0]


def test_one_leaf__is_the_root_with_an_empty_proof() -> None:
    (leaf,) = leaves(1)
    assert build_levels([leaf]) == [[leaf]]
    assert proof_in([[leaf]], 0) == []


def test_no_leaf__is_refused() -> None:
    with pytest.raises(ValueError, match="at least one leaf"):
        build_levels([])
