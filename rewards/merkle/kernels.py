"""The Keccak permutation for many messages at once, compiled by numba (the extra `fast`).

LANES states lie beside one another, word by word, so that the compiler puts one word of several
states into each vector register. Written out rather than in loops over the 25 words: the states
then stay in registers for a whole round. Reference: FIPS 202, section 3.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

LANES = 32
RATE_WORDS = 17

ROUND_CONSTANTS = np.array(
    [
        0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000,
        0x000000000000808B, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
        0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A,
        0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003,
        0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
        0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
    ],
    np.uint64,
)  # fmt: skip


def _compiled(function: Callable[..., Any], *, inline: bool = False) -> Any:
    """Compile without the global lock; keep the result on disk where some folder allows it."""
    options: dict[str, Any] = {"nogil": True, "inline": "always" if inline else "never"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no writable cache folder: compiled anew in every process
        return numba.njit(**options)(function)


def _rotate(word: Any, by: int) -> Any:
    return (word << np.uint64(by)) | (word >> np.uint64(64 - by))


_rol = _compiled(_rotate, inline=True)


def _permute(s: NDArray[np.uint64], constants: NDArray[np.uint64]) -> None:
    """Permute LANES states: word w of state l is s[w * LANES + l]."""
    n = np.uint64(LANES)
    for constant in constants:
        for i in range(LANES):
            l = np.uint64(i)  # noqa: E741 - unsigned: numba then looks for no negative index
            # Theta: the parity of each column into its neighbours.
            c0 = s[l] ^ s[l + 5 * n] ^ s[l + 10 * n] ^ s[l + 15 * n] ^ s[l + 20 * n]
            c1 = s[l + 1 * n] ^ s[l + 6 * n] ^ s[l + 11 * n] ^ s[l + 16 * n] ^ s[l + 21 * n]
            c2 = s[l + 2 * n] ^ s[l + 7 * n] ^ s[l + 12 * n] ^ s[l + 17 * n] ^ s[l + 22 * n]
            c3 = s[l + 3 * n] ^ s[l + 8 * n] ^ s[l + 13 * n] ^ s[l + 18 * n] ^ s[l + 23 * n]
            c4 = s[l + 4 * n] ^ s[l + 9 * n] ^ s[l + 14 * n] ^ s[l + 19 * n] ^ s[l + 24 * n]
            d0 = c4 ^ _rol(c1, 1)
            d1 = c0 ^ _rol(c2, 1)
            d2 = c1 ^ _rol(c3, 1)
            d3 = c2 ^ _rol(c4, 1)
            d4 = c3 ^ _rol(c0, 1)
            # Rho and pi: rotate each word, put it in its new place.
            b0 = s[l] ^ d0
            b1 = _rol(s[l + 6 * n] ^ d1, 44)
            b2 = _rol(s[l + 12 * n] ^ d2, 43)
            b3 = _rol(s[l + 18 * n] ^ d3, 21)
            b4 = _rol(s[l + 24 * n] ^ d4, 14)
            b5 = _rol(s[l + 3 * n] ^ d3, 28)
            b6 = _rol(s[l + 9 * n] ^ d4, 20)
            b7 = _rol(s[l + 10 * n] ^ d0, 3)
            b8 = _rol(s[l + 16 * n] ^ d1, 45)
            b9 = _rol(s[l + 22 * n] ^ d2, 61)
            b10 = _rol(s[l + 1 * n] ^ d1, 1)
            b11 = _rol(s[l + 7 * n] ^ d2, 6)
            b12 = _rol(s[l + 13 * n] ^ d3, 25)
            b13 = _rol(s[l + 19 * n] ^ d4, 8)
            b14 = _rol(s[l + 20 * n] ^ d0, 18)
            b15 = _rol(s[l + 4 * n] ^ d4, 27)
            b16 = _rol(s[l + 5 * n] ^ d0, 36)
            b17 = _rol(s[l + 11 * n] ^ d1, 10)
            b18 = _rol(s[l + 17 * n] ^ d2, 15)
            b19 = _rol(s[l + 23 * n] ^ d3, 56)
            b20 = _rol(s[l + 2 * n] ^ d2, 62)
            b21 = _rol(s[l + 8 * n] ^ d3, 55)
            b22 = _rol(s[l + 14 * n] ^ d4, 39)
            b23 = _rol(s[l + 15 * n] ^ d0, 41)
            b24 = _rol(s[l + 21 * n] ^ d1, 2)
            # Chi, and iota on the first word.
            s[l] = b0 ^ (~b1 & b2) ^ constant
            s[l + 1 * n] = b1 ^ (~b2 & b3)
            s[l + 2 * n] = b2 ^ (~b3 & b4)
            s[l + 3 * n] = b3 ^ (~b4 & b0)
            s[l + 4 * n] = b4 ^ (~b0 & b1)
            s[l + 5 * n] = b5 ^ (~b6 & b7)
            s[l + 6 * n] = b6 ^ (~b7 & b8)
            s[l + 7 * n] = b7 ^ (~b8 & b9)
            s[l + 8 * n] = b8 ^ (~b9 & b5)
            s[l + 9 * n] = b9 ^ (~b5 & b6)
            s[l + 10 * n] = b10 ^ (~b11 & b12)
            s[l + 11 * n] = b11 ^ (~b12 & b13)
            s[l + 12 * n] = b12 ^ (~b13 & b14)
            s[l + 13 * n] = b13 ^ (~b14 & b10)
            s[l + 14 * n] = b14 ^ (~b10 & b11)
            s[l + 15 * n] = b15 ^ (~b16 & b17)
            s[l + 16 * n] = b16 ^ (~b17 & b18)
            s[l + 17 * n] = b17 ^ (~b18 & b19)
            s[l + 18 * n] = b18 ^ (~b19 & b15)
            s[l + 19 * n] = b19 ^ (~b15 & b16)
            s[l + 20 * n] = b20 ^ (~b21 & b22)
            s[l + 21 * n] = b21 ^ (~b22 & b23)
            s[l + 22 * n] = b22 ^ (~b23 & b24)
            s[l + 23 * n] = b23 ^ (~b24 & b20)
            s[l + 24 * n] = b24 ^ (~b20 & b21)


_permute_lanes = _compiled(_permute)


def _write(state: NDArray[np.uint64], digests: NDArray[np.uint64], start: int, lanes: int) -> None:
    for i in range(lanes):
        for w in range(4):
            digests[start + i, w] = state[w * LANES + i]


_write_digests = _compiled(_write)


def _digest(
    blocks: NDArray[np.uint64], constants: NDArray[np.uint64], digests: NDArray[np.uint64]
) -> None:
    """Absorb padded messages (a row of whole blocks each) and write four words of each."""
    count, words = blocks.shape
    state = np.empty(25 * LANES, np.uint64)
    for start in range(0, count, LANES):
        lanes = min(LANES, count - start)
        state[:] = 0
        for offset in range(0, words, RATE_WORDS):
            for i in range(lanes):
                for w in range(RATE_WORDS):
                    state[w * LANES + i] ^= blocks[start + i, offset + w]
            _permute_lanes(state, constants)
        _write_digests(state, digests, start, lanes)


def _hash_leaves(
    template: NDArray[np.uint64],
    own: NDArray[np.uint64],
    first: int,
    constants: NDArray[np.uint64],
    hashes: NDArray[np.uint64],
) -> None:
    """Hash twice messages that are a padded template but for their `own` words from `first` on."""
    state = np.empty(25 * LANES, np.uint64)
    for start in range(0, len(own), LANES):
        lanes = min(LANES, len(own) - start)
        state[:] = 0
        for offset in range(0, len(template), RATE_WORDS):
            for w in range(RATE_WORDS):
                mine = offset + w - first
                if 0 <= mine < own.shape[1]:
                    for i in range(lanes):
                        state[w * LANES + i] ^= own[start + i, mine]
                else:
                    for i in range(LANES):
                        state[w * LANES + i] ^= template[offset + w]
            _permute_lanes(state, constants)
        state[4 * LANES :] = 0
        for i in range(LANES):
            state[4 * LANES + i] = np.uint64(0x01)
            state[16 * LANES + i] = np.uint64(0x80 << 56)
        _permute_lanes(state, constants)
        _write_digests(state, hashes, start, lanes)


def _big_endian(word: Any) -> Any:
    word = ((word & np.uint64(0x00FF00FF00FF00FF)) << np.uint64(8)) | (
        (word >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    )
    word = ((word & np.uint64(0x0000FFFF0000FFFF)) << np.uint64(16)) | (
        (word >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    )
    return (word << np.uint64(32)) | (word >> np.uint64(32))


_ordered = _compiled(_big_endian, inline=True)


def _hash_pairs(
    pairs: NDArray[np.uint64], constants: NDArray[np.uint64], hashes: NDArray[np.uint64]
) -> None:
    """Hash pairs of nodes (a row of eight words), the one whose bytes are lower first."""
    state = np.empty(25 * LANES, np.uint64)
    for start in range(0, len(pairs), LANES):
        lanes = min(LANES, len(pairs) - start)
        state[:] = 0
        for i in range(lanes):
            swap = 0
            for w in range(4):
                left, right = _ordered(pairs[start + i, w]), _ordered(pairs[start + i, w + 4])
                if left != right:
                    swap = 4 if left > right else 0
                    break
            for w in range(8):
                state[w * LANES + i] = pairs[start + i, w ^ swap]
            state[8 * LANES + i] = np.uint64(0x01)
            state[16 * LANES + i] = np.uint64(0x80 << 56)
        _permute_lanes(state, constants)
        _write_digests(state, hashes, start, lanes)


# None of them holds the global lock, so threads can share the work.
digest = _compiled(_digest)
hash_leaves = _compiled(_hash_leaves)
hash_pairs = _compiled(_hash_pairs)
