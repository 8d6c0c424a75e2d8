"""Keccak-256 of many messages of one length, and what rests on it: leaves, tree, EIP-55.

Everything here is an array of bytes with a row per message. Two ways lead to the same digests: the
hash library, message by message, and with the extra `fast` a compiled kernel that works on many
states at once (`merkle.kernels`). `keccak256` and `build_tree` are the reference for both.
"""

from __future__ import annotations

import os
from binascii import hexlify
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sha3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    from rewards.merkle.distribution import Domain

    Octets = NDArray[np.uint8]

RATE = 136
"""Bytes that Keccak-256 takes up per permutation."""

KERNEL_FROM = 20_000
"""Messages from which the kernel is loaded: that takes as long as hashing so many."""

BLOCK = 1 << 14
"""Messages that are padded and hashed at a time."""

THREADS = min(os.cpu_count() or 1, 8)


@cache
def kernels() -> ModuleType | None:
    """Return the compiled kernels; None without the extra `fast`."""
    try:
        from rewards.merkle import kernels as compiled  # noqa: PLC0415 - numba is optional
    except (ImportError, OSError):  # not installed, or its library does not load
        return None
    return compiled


def keccak256_batch(messages: Octets, *, kernel: bool | None = None) -> Octets:
    """Return the digest of each row.

    Args:
        messages: A row per message.
        kernel: Whether to use the compiled kernel; by default where it is loaded already, or is
            installed and pays.
    """
    compiled = _kernels_for(len(messages), kernel=kernel)
    if compiled is None:
        return _one_by_one(messages)
    digests = np.empty((len(messages), 4), "<u8")

    def hash_block(rows: slice) -> None:
        compiled.digest(_padded(messages[rows]), compiled.ROUND_CONSTANTS, digests[rows])

    in_threads(hash_block, blocks(len(messages)))
    return digests.view(np.uint8)


def _kernels_for(count: int, *, kernel: bool | None) -> Any:  # noqa: ANN401
    if kernel is None:
        kernel = count >= KERNEL_FROM or kernels.cache_info().currsize > 0
    return kernels() if kernel else None


def blocks(count: int, size: int = BLOCK) -> list[slice]:
    """Return the slices that cover so many rows."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def in_threads(work: Any, items: Sequence[Any]) -> None:  # noqa: ANN401
    """Call `work` for each item, in threads where there is more than one."""
    if len(items) < 2:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, items))


def _padded(messages: Octets) -> NDArray[np.uint64]:
    """Return the messages with Keccak's padding, as the words that are absorbed."""
    count, length = messages.shape
    padded = np.zeros((count, (length // RATE + 1) * RATE), np.uint8)
    padded[:, :length] = messages
    padded[:, length] ^= 0x01
    padded[:, -1] ^= 0x80
    return padded.view("<u8")


def _one_by_one(messages: Octets) -> Octets:
    count, length = messages.shape
    content, keccak = memoryview(messages.tobytes()), sha3.keccak_256
    ends = range(length, count * length + 1, length) if length else [0] * count
    digests = b"".join([keccak(content[end - length : end]).digest() for end in ends])
    return np.frombuffer(digests, np.uint8).reshape(count, 32)


def is_above(a: Octets, b: Octets) -> NDArray[np.bool_]:
    """Return whether each row of `a` is above that of `b`, as the bytes are ordered.

    Eight bytes at a time, the later ones only for the rows that are still equal.
    """
    above = np.zeros(len(a), np.bool_)
    rows = np.arange(len(a))
    for at in range(0, a.shape[1], 8):
        left, right = (_word(x[rows, at : at + 8]) for x in (a, b))
        above[rows] = left > right
        rows = rows[left == right]
        if not len(rows):
            break
    return above


def _word(octets: Octets) -> NDArray[np.uint64]:
    return np.ascontiguousarray(octets).view(">u8").ravel()


def order_of_hashes(hashes: Octets) -> NDArray[np.int64]:
    """Return the rows in ascending order; equal ones keep the order in which they stand.

    Eight bytes are compared as one number. The first eight nearly always decide.
    """
    head = _word(hashes[:, :8]).astype(np.uint64)
    order = np.argsort(head, kind="stable")
    ordered = head[order]
    if (ordered[1:] == ordered[:-1]).any():
        rest = [_word(hashes[:, at : at + 8]) for at in (24, 16, 8)]
        order = np.lexsort([*rest, head])
    return order


def build_tree_array(
    leaf_hashes: Octets, *, kernel: bool | None = None
) -> tuple[Octets, NDArray[np.int32]]:
    """Return the node array and each leaf's index in it, as `tree.build_tree` does.

    Raises:
        ValueError: There is no leaf.
    """
    count = len(leaf_hashes)
    if not count:
        raise ValueError("a tree needs at least one leaf")
    order = order_of_hashes(leaf_hashes)
    tree = np.empty((2 * count - 1, 32), np.uint8)
    np.take(leaf_hashes, order[::-1], axis=0, out=tree[count - 1 :], mode="clip")  # no copy between
    del leaf_hashes  # as large as half the tree
    for start, end in levels(count):
        hash_pairs(tree[2 * start + 1 : 2 * end + 1], tree[start:end], kernel=kernel)
    indices = np.empty(count, np.int32)
    indices[order] = np.arange(2 * count - 2, count - 2, -1, dtype=np.int32)
    return tree, indices


def levels(count: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of inner nodes, last first, whose children are all known by then."""
    end = count - 1
    while end > 0:
        start = end // 2
        yield start, end
        end = start


def hash_pairs(children: Octets, parents: Octets, *, kernel: bool | None = None) -> None:
    """Write the parents of neighbouring nodes; each hashes its children in ascending order."""
    compiled = _kernels_for(len(parents), kernel=kernel)
    pairs = children.reshape(-1, 64)

    def hash_block(rows: slice) -> None:
        if compiled is not None:
            words, digests = pairs[rows].view("<u8"), parents[rows].view("<u8")
            compiled.hash_pairs(words, compiled.ROUND_CONSTANTS, digests)
        else:
            both = pairs[rows].reshape(-1, 2, 32).copy()
            swapped = np.flatnonzero(is_above(both[:, 0], both[:, 1]))
            both[swapped] = both[swapped, ::-1]
            parents[rows] = _one_by_one(both.reshape(-1, 64))

    _each_block(hash_block, len(parents), beside=compiled is not None)


def _each_block(work: Callable[[slice], None], count: int, *, beside: bool) -> None:
    """Call `work` for each block, side by side where the work does not hold the global lock."""
    if beside:
        in_threads(work, blocks(count))
    else:
        for rows in blocks(count):
            work(rows)


def leaf_hashes(
    domain: Domain, accounts: Octets, cumulatives: Octets, *, kernel: bool | None = None
) -> Octets:
    """Return the hash of each leaf, as `Domain.leaf_hash` does.

    Args:
        domain: What the leaves are bound to.
        accounts: 20 bytes a row.
        cumulatives: 32 bytes a row, big-endian.
        kernel: As for `keccak256_batch`.
    """
    compiled = _kernels_for(len(accounts), kernel=kernel)
    template = np.frombuffer(domain.encode("0x" + "00" * 20, 0), np.uint8)
    hashes = np.empty((len(accounts), 32), np.uint8)

    def hash_block(rows: slice) -> None:
        # Of the 160 bytes, a leaf's own are its account's 20 and its amount's 32 at the end.
        own = np.zeros((len(accounts[rows]), 56), np.uint8)
        own[:, 4:24] = accounts[rows]
        own[:, 24:] = cumulatives[rows]
        if compiled is not None:
            compiled.hash_leaves(
                _padded(template[np.newaxis])[0],
                own.view("<u8"),
                104 // 8,
                compiled.ROUND_CONSTANTS,
                hashes[rows].view("<u8"),
            )
        else:
            words = np.repeat(template[np.newaxis], len(own), axis=0)
            words[:, 104:] = own
            hashes[rows] = _one_by_one(_one_by_one(words))

    _each_block(hash_block, len(accounts), beside=compiled is not None)
    return hashes


def is_checksummed(digits: Octets, *, kernel: bool | None = None) -> NDArray[np.bool_]:
    """Return whether each row of 40 hex digits (ASCII) is spelt as EIP-55 says."""
    lower = digits | np.uint8(0x20)
    hashes = np.ascontiguousarray(keccak256_batch(lower, kernel=kernel)[:, :20])
    nibbles = np.frombuffer(hexlify(hashes.data), np.uint8).reshape(-1, 40)
    # A letter is a capital where its nibble is 8 or more; the digits have no capitals.
    capital = (nibbles >= ord("8")) & (lower >= ord("a"))
    differing = digits ^ lower ^ (capital.view(np.uint8) << 5)
    return ~np.asarray(differing.view(np.uint64).any(axis=1))
