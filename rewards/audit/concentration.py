"""How unequally amounts are spread, as exact fractions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from operator import mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Spread:
    """How amounts are spread; all of it from one pass over them in ascending order."""

    ascending: Sequence[int]

    @cached_property
    def total(self) -> int:
        """Their sum."""
        return sum(self.ascending)

    def gini(self) -> Fraction:
        """Return the Gini coefficient: 0 when all are equal, (n - 1)/n when one has all.

        With x_1 <= … <= x_n it is (2 Σ i x_i) / (n Σ x_i) - (n + 1)/n; 0 when there is nothing.
        """
        count = len(self.ascending)
        if not self.total:
            return Fraction(0)
        ranked = sum(map(mul, self.ascending, range(1, count + 1)))
        return Fraction(2 * ranked, count * self.total) - Fraction(count + 1, count)

    def top_share(self, count: int) -> Fraction:
        """Return the share of the sum that the `count` largest amounts hold; 0 of nothing."""
        return Fraction(sum(self.ascending[-count:]), self.total) if self.total else Fraction(0)


def gini(amounts: Iterable[int]) -> Fraction:
    """Return the Gini coefficient of amounts in any order."""
    return Spread(sorted(amounts)).gini()


def top_share(amounts: Iterable[int], count: int) -> Fraction:
    """Return the share of the sum that the `count` largest of amounts in any order hold."""
    return Spread(sorted(amounts)).top_share(count)


def lorenz(amounts: Iterable[int]) -> list[tuple[Fraction, Fraction]]:
    """Return the Lorenz curve: the poorest share of recipients against what they hold."""
    ascending = sorted(amounts)
    count, total = len(ascending), sum(ascending)
    if not total:
        return [(Fraction(0), Fraction(0)), (Fraction(1), Fraction(1))]
    held = accumulate(ascending, initial=0)
    return [(Fraction(i, count), Fraction(sum_, total)) for i, sum_ in enumerate(held)]
