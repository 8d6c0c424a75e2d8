"""Axes: from amounts to places on a drawing, in integers and decimals of fixed precision.

No float: two machines must draw the same bytes. Lengths are tenths of an SVG unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_CONTEXT = Context(prec=12)


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear axis from `low` to `high` over `length` tenths, from `start`; may run backwards."""

    low: int
    high: int
    start: int
    length: int

    def place(self, value: int) -> int:
        """Return where a value lies."""
        return self.start + (value - self.low) * self.length // (self.high - self.low)

    def ticks(self, about: int) -> list[int]:
        """Return round values within the axis, about so many."""
        step = _round_step(self.high - self.low, about)
        first = -(-self.low // step) * step
        return list(range(first, self.high + 1, step))


@dataclass(frozen=True, slots=True)
class Logarithmic:
    """A decimal logarithmic axis; values below `low` lie at its start."""

    low: int
    high: int
    start: int
    length: int

    def place(self, value: int) -> int:
        """Return where a value lies."""
        low, high = _log(self.low), _log(self.high)
        share = (_log(max(value, self.low)) - low) / (high - low)
        return self.start + int(_CONTEXT.multiply(share, Decimal(self.length)))

    def ticks(self) -> list[int]:
        """Return the powers of ten within the axis."""
        powers = (10**exponent for exponent in range(100))
        return [power for power in powers if self.low <= power <= self.high]


@dataclass(frozen=True, slots=True)
class Nines:
    """An axis of ratios below `whole`, stretched towards it: 0.9, 0.99 and 0.999 at even steps.

    `nearest` is the smallest distance from `whole` that is told apart, a part in a power of ten of
    it; what is nearer lies at the end, where the whole itself does.
    """

    whole: int
    nearest: int
    start: int
    length: int

    def place(self, value: int) -> int:
        """Return where a value lies."""
        # The whole, infinitely far away, stands half a decade after the last value told apart.
        end = self.nearest // 3
        distance = self.whole - value
        along = self._stretched(distance if distance >= self.nearest else end)
        share = _CONTEXT.divide(along, self._stretched(end))
        return self.start + int(_CONTEXT.multiply(share, Decimal(self.length)))

    def ticks(self) -> list[int]:
        """Return 0, 0.5, 0.9, 0.99 and so on, and the whole."""
        nines, distance = [], self.whole // 10
        while distance >= self.nearest:
            nines.append(self.whole - distance)
            distance //= 10
        return [0, self.whole // 2, *nines, self.whole]

    def _stretched(self, distance: int) -> Decimal:
        return _CONTEXT.subtract(_log(self.whole), _log(distance))


def nines(whole: int, values: Iterable[int], start: int, length: int) -> Nines:
    """Return an axis that tells the values apart, down to a hundred-thousandth from the whole."""
    closest = min((whole - value for value in values if value < whole), default=whole // 100)
    nearest = whole // 100
    while nearest > closest and nearest > whole // 100_000:
        nearest //= 10
    return Nines(whole, nearest, start, length)


def linear_from_zero(highest: int, start: int, length: int) -> Linear:
    """Return a linear axis from 0 to a round value at or above `highest`."""
    step = _round_step(max(highest, 1), 5)
    return Linear(0, -(-max(highest, 1) // step) * step, start, length)


def decades(lowest: int, highest: int, start: int, length: int) -> Logarithmic:
    """Return a logarithmic axis from a power of ten to a power of ten around the values."""
    low = 10 ** (len(str(max(lowest, 1))) - 1)
    high = 10 ** len(str(max(highest - 1, 1)))
    return Logarithmic(low, max(high, 10 * low), start, length)


@lru_cache(maxsize=4096)
def _log(value: int) -> Decimal:
    return _CONTEXT.log10(Decimal(value))


def _round_step(span: int, about: int) -> int:
    """Return 1, 2 or 5 times a power of ten, so that `span` holds at most `about` such steps."""
    least = max(-(-span // about), 1)
    power: int = 10 ** (len(str(least)) - 1)
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)
