"""How unequally amounts are spread, as exact fractions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from operator import mul
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Spread:
    """How amounts are spread; all of it from one pass over them in ascending order.

    Attributes:
        ascending: The amounts as a sequence of integers, or as a column of very many.
    """

    ascending: Any

    @cached_property
    def total(self) -> int:
        """Their sum."""
        amounts = self.ascending
        return amounts.sum() if hasattr(amounts, "sum") else sum(amounts)

    def gini(self) -> Fraction:
        """Return the Gini coefficient: 0 when all are equal, (n - 1)/n when one has all.

        With x_1 <= … <= x_n it is (2 Σ i x_i) / (n Σ x_i) - (n + 1)/n; 0 when there is nothing.
        """
        count = len(self.ascending)
        if not self.total:
            return Fraction(0)
        ranked = _ranked_sum(self.ascending)
        return Fraction(2 * ranked, count * self.total) - Fraction(count + 1, count)

    def top_share(self, count: int) -> Fraction:
        """Return the share of the sum that the `count` largest amounts hold; 0 of nothing."""
        largest = self.ascending[max(len(self.ascending) - count, 0) :]
        return Fraction(Spread(largest).total, self.total) if self.total else Fraction(0)


def _ranked_sum(amounts: Any) -> int:  # noqa: ANN401 - a sequence, or a column
    """Return the sum of every amount times its rank, the first one's being 1."""
    if hasattr(amounts, "ranked_sum"):
        return int(amounts.ranked_sum())
    return sum(map(mul, amounts, range(1, len(amounts) + 1)))


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
