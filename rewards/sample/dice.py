"""Numbers that look drawn and are not: each is a hash of the seed and of what it is for.

A number depends on nothing else, neither on the order in which numbers are asked for nor on the
machine or the Python version, so a change in one place of the sample leaves every other as it was.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.merkle.keccak import keccak256, to_checksum

if TYPE_CHECKING:
    from collections.abc import Sequence

_RESOLUTION = 2**64


@dataclass(frozen=True, slots=True)
class Dice:
    """The source of every number that the story leaves open."""

    seed: int

    def below(self, limit: int, *purpose: str | int) -> int:
        """Return an integer in [0, limit); 256 bits are reduced, so the bias is negligible."""
        text = "/".join(str(part) for part in (self.seed, *purpose))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()) % limit

    def between(self, low: int, high: int, *purpose: str | int) -> int:
        """Return an integer in [low, high]."""
        return low + self.below(high - low + 1, *purpose)

    def heavy_tailed(self, low: int, high: int, *purpose: str | int) -> int:
        """Return an integer in [low, high], twice as large half as often (Pareto, index 1).

        The inverse of the distribution, low * high / (high - u * (high - low)) for u in [0, 1),
        in integers.
        """
        u = self.below(_RESOLUTION, *purpose)
        return low * high * _RESOLUTION // (high * _RESOLUTION - u * (high - low))

    def shuffled(self, items: Sequence[str], *purpose: str | int) -> list[str]:
        """Return distinct items in an order that the seed decides."""
        return sorted(items, key=lambda item: self.below(_RESOLUTION, *purpose, item))


def sample_address(name: str) -> str:
    """Return an address of which nobody has the key: 20 bytes of keccak-256 of the name, EIP-55."""
    digest = keccak256(f"wct-rewards sample: {name}".encode())
    return to_checksum("0x" + digest[-20:].hex())
