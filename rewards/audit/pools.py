"""Where the money of a pool went. Amounts are base units."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PoolRow:
    """One or more pools, in one epoch or over a range: approved = paid + withheld + unallocated."""

    approved: int = 0
    paid: int = 0
    withheld: int = 0
    unallocated: int = 0

    def __add__(self, other: PoolRow) -> PoolRow:
        """Return both together."""
        return PoolRow(*(a + b for a, b in zip(self.amounts, other.amounts, strict=True)))

    @property
    def amounts(self) -> tuple[int, int, int, int]:
        """approved, paid, withheld, unallocated."""
        return self.approved, self.paid, self.withheld, self.unallocated
