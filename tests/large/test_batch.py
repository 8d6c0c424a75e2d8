"""Hashing in batches: both ways against the scalar functions."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest

from rewards.merkle.batch import (
    build_tree_array,
    is_checksummed,
    keccak256_batch,
    kernels,
    leaf_hashes,
    levels,
)
from rewards.merkle.distribution import Distribution, Domain
from rewards.merkle.keccak import keccak256, to_checksum
from rewards.merkle.large import LargeDistribution
from rewards.merkle.tree import build_tree
from rewards.rules.wide import column_from

DOMAIN = Domain(10, "0x" + "1d" * 20, 7)
COUNTS = [*range(1, 301), *(2**k + d for k in range(9, 13) for d in (-1, 0, 1))]

pytestmark = pytest.mark.parametrize("kernel", [True, False], ids=["kernel", "library"])


def octets(count: int, width: int, seed: int = 0) -> np.ndarray:
    content = random.Random(f"{count} {width} {seed}").randbytes(count * width)
    return np.frombuffer(content, np.uint8).reshape(count, width)


def test_kernels__are_installed_for_the_tests(kernel: bool) -> None:
    assert not kernel or kernels() is not None


class BrokenLibrary:
    """A package whose shared library cannot be loaded."""

    def __getattr__(self, name: str) -> None:
        raise OSError(name)


def test_kernels__whose_library_does_not_load__are_done_without(
    kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    del kernel
    monkeypatch.delitem(sys.modules, "rewards.merkle.kernels", raising=False)
    monkeypatch.delattr("rewards.merkle.kernels", raising=False)
    monkeypatch.setitem(sys.modules, "numba", BrokenLibrary())
    assert kernels.__wrapped__() is None


def test_keccak__every_length_to_three_blocks__equals_the_library(kernel: bool) -> None:
    for length in range(3 * 136 + 1):
        # Not a multiple of the lanes, so that some stay empty.
        messages = octets(41, length)
        digests = keccak256_batch(messages, kernel=kernel)
        assert [row.tobytes() for row in digests] == [keccak256(m.tobytes()) for m in messages]


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 16_383, 16_384, 16_385])
def test_keccak__any_count__equals_the_library(kernel: bool, count: int) -> None:
    messages = octets(count, 64)
    expected = b"".join(keccak256(m.tobytes()) for m in messages)
    assert keccak256_batch(messages, kernel=kernel).tobytes() == expected


def test_tree__every_count__equals_the_reference(kernel: bool) -> None:
    for count in COUNTS:
        hashes = octets(count, 32).copy()
        if count > 8:
            hashes[5] = hashes[1]  # equal leaves keep their order
            hashes[6, :31] = hashes[2, :31]  # the last byte decides
            hashes[7, :8] = hashes[3, :8]
        tree, indices = build_tree_array(hashes, kernel=kernel)
        expected_tree, expected_indices = build_tree([row.tobytes() for row in hashes])
        assert tree.tobytes() == b"".join(expected_tree), count
        assert indices.tolist() == expected_indices, count


def test_tree__of_equal_leaves__keeps_their_order(kernel: bool) -> None:
    hashes = np.repeat(octets(3, 32), 5, axis=0)
    tree, indices = build_tree_array(hashes, kernel=kernel)
    assert (b"".join(build_tree([h.tobytes() for h in hashes])[0]), indices.tolist()) == (
        tree.tobytes(),
        build_tree([h.tobytes() for h in hashes])[1],
    )


def test_tree__without_a_leaf__is_refused(kernel: bool) -> None:
    with pytest.raises(ValueError, match="at least one leaf"):
        build_tree_array(octets(0, 32), kernel=kernel)


def test_levels__cover_every_inner_node_after_its_children(kernel: bool) -> None:
    del kernel
    for count in COUNTS:
        done = set(range(count - 1, 2 * count - 1))
        for start, end in levels(count):
            assert all({2 * node + 1, 2 * node + 2} <= done for node in range(start, end))
            done |= set(range(start, end))
        assert done == set(range(2 * count - 1))


def test_leaves__equal_the_scalar_ones(kernel: bool) -> None:
    accounts, amounts = octets(100, 20), octets(100, 32)
    hashes = leaf_hashes(DOMAIN, accounts, amounts, kernel=kernel)
    for account, amount, leaf in zip(accounts, amounts, hashes, strict=True):
        number = int.from_bytes(amount.tobytes(), "big")
        assert leaf.tobytes() == DOMAIN.leaf_hash("0x" + account.tobytes().hex(), number)


def test_checksums__equal_eip_55(kernel: bool) -> None:
    right = [to_checksum("0x" + row.tobytes().hex())[2:] for row in octets(500, 20)]
    wrong = [text.swapcase() for text in right]
    for texts, expected in ((right, True), (wrong, False)):
        digits = np.frombuffer("".join(texts).encode(), np.uint8).reshape(-1, 40)
        answers = is_checksummed(digits, kernel=kernel).tolist()
        assert answers == [expected or text == text.swapcase() for text in texts]
    one = right[0]
    for place, letter in enumerate(one):
        if letter.isalpha():
            spoilt = one[:place] + letter.swapcase() + one[place + 1 :]
            digits = np.frombuffer(spoilt.encode(), np.uint8).reshape(1, 40)
            assert not is_checksummed(digits, kernel=kernel).any()


@pytest.mark.parametrize("count", [1, 2, 3, 64, 301])
def test_large_distribution__equals_the_small_one(
    kernel: bool, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rewards.merkle.batch.KERNEL_FROM", 0 if kernel else 1 << 60)
    source = random.Random(count)
    accounts = sorted({f"0x{source.randrange(2**17, 2**160):040x}" for _ in range(count)})
    amounts = [source.choice([0, 1, source.randrange(10**27), 2**240]) for _ in accounts]
    amounts[0] = 5
    small = Distribution.of(DOMAIN, zip(accounts, amounts, strict=True))
    octet_rows = np.frombuffer(bytes.fromhex("".join(a[2:] for a in accounts)), np.uint8)
    large = LargeDistribution.of(DOMAIN, octet_rows.reshape(-1, 20), column_from(amounts))
    assert small
    assert large
    assert (large.leaves, large.root, large.tree, large.tree_indices) == (
        small.leaves,
        small.root,
        small.tree,
        small.tree_indices,
    )
    assert (large.cumulative_total, large.leaf_count) == (small.cumulative_total, small.leaf_count)
    assert b"".join(large.tree_blocks()) == b"".join(small.tree_blocks())
    for account, amount in small.leaves:
        assert account in large
        assert large.amount_of(account) == amount
        assert large.proof(account) == small.proof(account)
    with pytest.raises(KeyError):
        large.proof("0x" + "ff" * 20)


def test_large_distribution__of_zeros__is_none(kernel: bool) -> None:
    del kernel
    assert LargeDistribution.of(DOMAIN, octets(3, 20), column_from([0, 0, 0])) is None
