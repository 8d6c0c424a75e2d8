"""Columns of integers of any width, in limbs of eighteen decimal digits.

Money in base units fits into no machine number, and as Python's integers a column of it takes three
times the memory and is worked on by one thread alone. Here row r of a column is the sum of all
limbs[i][r] * 10^(18 i): every limb but the last lies between 0 and 10^18 - 1, the last one bears
the sign. The base is a power of ten because columns are read and written more often than they are
computed with: the digits of a limb are a stretch of the decimal text.

Sums, differences, comparisons, products and quotients by one number are made limb by limb and are
exact at any width. Whatever else a formula does (roots) it does with Python's integers.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Limbs = NDArray[np.int64]

LIMB_DIGITS = 18
LIMB = 10**LIMB_DIGITS
LIMB_BITS = 60
HALF = 10**9
"""The square root of LIMB: sums and products of halves of limbs stay within 63 bits."""

PRODUCTS_AT_A_TIME = 8
"""Products of two halves that add up, with what is carried, within 63 bits."""

TOP_LIMIT = 1 << 62
"""What the last limb stays below, up and down: two of them are added without wrapping."""

WORD_BITS = 32


class Wide(NDArrayOperatorsMixin):
    """A column of integers of any width.

    Attributes:
        limbs: A row per limb, the lowest first, and a column per integer.
    """

    def __init__(self, limbs: Limbs) -> None:
        self.limbs = limbs

    @classmethod
    def of(cls, column: Any) -> Wide:  # noqa: ANN401 - an array, a number, or wide already
        """Return integers, be they machine numbers or Python's, as a wide column."""
        if isinstance(column, Wide):
            return column
        held = np.atleast_1d(np.asarray(column))
        if held.dtype.kind not in "iubO":
            raise TypeError(f"{held.dtype} holds no integers")
        if held.dtype.kind in "uO":
            return cls(_split(held.astype(object)))
        return cls(_topped(held.astype(np.int64, copy=False)[np.newaxis]))

    @classmethod
    def zeros(cls, count: int) -> Wide:
        """Return a column of zeros."""
        return cls(np.zeros((1, count), np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Any]) -> Wide:
        """Return several columns below one another."""
        columns = [Wide.of(part) for part in parts]
        width = max(len(column.limbs) for column in columns)
        return cls(np.concatenate([column.widened(width) for column in columns], axis=1))

    def widened(self, width: int) -> Limbs:
        """Return at least so many limbs, all but the last below LIMB."""
        if len(self.limbs) >= width:
            return self.limbs
        added = np.zeros((width - len(self.limbs), len(self)), np.int64)
        return _carried(np.concatenate([self.limbs, added]))

    def __array_ufunc__(
        self,
        function: np.ufunc,
        method: str,
        *inputs: Any,  # noqa: ANN401 - numbers, arrays, wide columns
        **options: Any,  # noqa: ANN401 - whatever numpy takes
    ) -> Any:  # noqa: ANN401
        """Return what a numpy function gives for the integers, row by row."""
        if "out" in options:
            return NotImplemented  # a sum may need a limb more than there are
        if method == "__call__" and not options and len(inputs) == 2:
            a, b = inputs
            if function is np.add or function is np.subtract:
                return Wide(_topped(_carried(function(*_alike(a, b)))))
            if function in _COMPARISONS:
                return function(_signs(*_alike(a, b)), 0)
            if function is np.multiply:
                return Wide.of(a).times(Wide.of(b))
            if function in _QUOTIENTS and isinstance(b, int) and b > 0:
                return _QUOTIENTS[function](a.divided(b))
        exact = (given.exact() if isinstance(given, Wide) else given for given in inputs)
        return getattr(function, method)(*exact, **options)

    def __pow__(self, exponent: int) -> Wide:
        """Return a power, row by row; the exponent is 1 or above."""
        return self if exponent == 1 else self * self ** (exponent - 1)

    def times(self, other: Wide) -> Wide:
        """Return the products, row by row."""
        return _from_halves(_product(_halves(self), _halves(other)))

    def divided(self, divisor: int) -> tuple[Wide, Wide]:
        """Return quotients, rounded down, and remainders by a number above 0.

        Barrett's method: the quotient is a product with the divisor's reciprocal, which is rounded
        down at a scale above every dividend. Of what is cut off so, no quotient loses more than
        one, and its remainder tells.
        """
        if self.any_below_zero():
            exact = self.exact()
            return Wide.of(exact // divisor), Wide.of(exact % divisor)
        dividend = _halves(self)
        scale = len(dividend)
        reciprocal = _halves(Wide.of(HALF**scale // divisor))
        quotient = _from_halves(_product(dividend, reciprocal)[scale:])
        remainder = self - quotient.times(Wide.of(divisor))
        short = remainder >= divisor
        if short.any():
            quotient = quotient + short
            remainder = remainder - Wide.of(short) * divisor
        return quotient, remainder

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: ANN401, FBT001
        """Return Python's integers."""
        return self.exact() if dtype is None else self.exact().astype(dtype)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.limbs[0])

    def __getitem__(self, rows: Any) -> Any:  # noqa: ANN401
        """Return some of the rows, or the integer of one."""
        if isinstance(rows, int):
            return int(self.take(np.array([rows])).exact()[0])
        if isinstance(rows, slice):
            return Wide(self.limbs[:, rows])
        return self.take(np.flatnonzero(rows) if rows.dtype == np.bool_ else rows)

    def __setitem__(self, rows: Any, values: Any) -> None:  # noqa: ANN401
        """Set some of the rows."""
        given = Wide.of(values)
        width = max(len(given.limbs), len(self.limbs))
        self.limbs = self.widened(width)
        for limb, other in zip(self.limbs, given.widened(width), strict=True):
            limb[rows] = other

    def take(self, rows: NDArray[np.int64]) -> Wide:
        """Return some of the rows, in any order."""
        return Wide(np.take(self.limbs, rows, axis=1))

    def clip(self, low: int) -> Wide:
        """Return 0 for every row below it.

        Raises:
            ValueError: `low` is not 0.
        """
        if low:
            raise ValueError("a wide column is cut off at 0 only")
        return Wide(self.limbs * (self.limbs[-1] >= 0)) if self.any_below_zero() else self

    def any_below_zero(self) -> bool:
        """Return whether a row is negative: then so is its last limb."""
        return bool(len(self) and self.limbs[-1].min() < 0)

    def compact(self) -> Limbs | Wide:
        """Return the column in as few limbs as hold it: as machine numbers where it is one."""
        used = len(self.limbs)
        while used > 1 and not self.limbs[used - 1].any():
            used -= 1
        if used > 1:
            return Wide(np.ascontiguousarray(self.limbs[:used]))
        return np.ascontiguousarray(self.limbs[0])

    def exact(self) -> NDArray[Any]:
        """Return Python's integers."""
        column: NDArray[Any] = self.limbs[-1].astype(object)
        for limb in self.limbs[-2::-1]:
            column = column * LIMB + limb.astype(object)
        return column

    def tolist(self) -> list[int]:
        """Return Python's integers."""
        integers: list[int] = self.exact().tolist()
        return integers

    def sum(self) -> int:
        """Return the exact sum."""
        return sum(exact_sum(limb) * LIMB**i for i, limb in enumerate(self.limbs))

    def sums_from(self, starts: NDArray[np.int64]) -> Wide:
        """Return the sum of the rows from each start up to the next one."""
        summed = []
        for limb in self.limbs:
            high, low = limb // HALF, limb % HALF
            summed += [np.add.reduceat(half, starts) for half in (low, high)]
        summed.append(np.zeros_like(summed[-1]))  # a sum may be too much for the last limb
        halves = _carried(np.array(summed), HALF)
        limbs = [low + high * HALF for low, high in zip(halves[:-1:2], halves[1::2], strict=True)]
        return Wide(_topped(np.array([*limbs, halves[-1]])))

    def order(self) -> NDArray[np.int64]:
        """Return the rows in ascending order; equal ones keep the order in which they stand."""
        return np.lexsort([*self.limbs]) if len(self.limbs) > 1 else _ascending(self.limbs[0])

    def leading(self, limit: int) -> NDArray[np.int64]:
        """Return the leading bits of integers from 0 up to below `limit`.

        Of two integers, of whatever columns, the larger one never has the smaller number.
        """
        width = -(-len(str(limit)) // LIMB_DIGITS)
        limbs = self.widened(width)[:width]
        spare = 62 - (limit // LIMB ** (width - 1)).bit_length()
        leading: NDArray[np.int64] = limbs[-1]
        if width > 1:
            leading = (leading << min(spare, LIMB_BITS)) + (limbs[-2] >> max(LIMB_BITS - spare, 0))
        return leading

    def ascending(self) -> Wide:
        """Return the integers in ascending order.

        Leading bits in one machine number nearly always decide, and are quickly sorted by.
        """
        if not len(self) or self.any_below_zero():
            return self.take(self.order())
        limit = (int(self.limbs[-1].max()) + 1) * LIMB ** (len(self.limbs) - 1)
        column = self.take(_ascending(self.leading(limit)))
        return column if (column[1:] >= column[:-1]).all() else column.take(column.order())

    def ranked_sum(self) -> int:
        """Return the sum of every integer times its rank, the first row's being 1."""
        total, ranks = 0, np.arange(1, len(self) + 1)
        # A half is below 2^33: so many of its products with a rank add up within 63 bits.
        starts = np.arange(0, len(self), max((1 << 30) // max(len(self), 1), 1))
        for i, limb in enumerate(self.limbs if len(self) else ()):
            for half, weight in ((limb // HALF, HALF), (limb % HALF, 1)):
                parts = np.add.reduceat(half * ranks, starts)
                total += exact_sum(parts) * weight * LIMB**i
        return total

    def octets(self, width: int) -> NDArray[np.uint8]:
        """Return each integer in so many bytes, big-endian.

        Raises:
            OverflowError: One does not fit, or is negative.
        """
        if self.any_below_zero():
            raise OverflowError("no unsigned integer is negative")
        words = [np.zeros(len(self), np.uint64)]
        for limb in self.limbs[::-1]:
            for half in (limb // HALF, limb % HALF):
                carry = half.astype(np.uint64)
                for i, word in enumerate(words):
                    product = word * np.uint64(HALF) + carry
                    words[i] = product & np.uint64(0xFFFFFFFF)
                    carry = product >> np.uint64(WORD_BITS)
                if carry.any():
                    words.append(carry)
        count = width * 8 // WORD_BITS
        if any(word.any() for word in words[count:]):
            raise OverflowError(f"an integer does not fit into {width} bytes")
        packed = np.zeros((len(self), count), ">u4")
        for i, word in enumerate(words[:count]):
            packed[:, count - 1 - i] = word
        return packed.view(np.uint8)


def _halves(column: Wide) -> Limbs:
    """Return the halves of the limbs, the lowest first, without those that are 0 in every row."""
    limbs = column.limbs
    if len(column) and (limbs[-1].max() >= LIMB or limbs[-1].min() < -LIMB):
        limbs = column.widened(len(limbs) + 1)
    halves = np.empty((2 * len(limbs), len(column)), np.int64)
    halves[1::2] = limbs // HALF
    halves[::2] = limbs - halves[1::2] * HALF
    used = len(halves)
    while used > 1 and not halves[used - 1].any():
        used -= 1
    return halves[:used]


def _from_halves(halves: Limbs) -> Wide:
    if len(halves) % 2:
        halves = np.concatenate([halves, np.zeros_like(halves[:1])])
    elif not len(halves):
        halves = np.zeros((2, halves.shape[1]), np.int64)
    return Wide(halves[::2] + halves[1::2] * HALF)


def _product(a: Limbs, b: Limbs) -> Limbs:
    """Return the halves of the products of two columns given by halves."""
    rows = np.broadcast_shapes(a[0].shape, b[0].shape)
    total = np.zeros((len(a) + len(b), *rows), np.int64)
    a, b = (a, b) if len(a) > len(b) else (b, a)
    for i, digit in enumerate(b):
        total[i : i + len(a)] += a * digit
        if i % PRODUCTS_AT_A_TIME == PRODUCTS_AT_A_TIME - 1:
            _carried(total, HALF)
    return _carried(total, HALF)


def column_from(integers: Sequence[int]) -> Wide:
    """Return a column of Python's integers."""
    column = np.zeros(len(integers), object)
    column[:] = integers
    return Wide.of(column)


_COMPARISONS = frozenset(
    (np.less, np.less_equal, np.equal, np.not_equal, np.greater_equal, np.greater)
)


_QUOTIENTS: dict[np.ufunc, Any] = {
    np.floor_divide: itemgetter(0),
    np.remainder: itemgetter(1),
    np.divmod: tuple,
}


def exact_sum(numbers: Any) -> int:  # noqa: ANN401 - an array of machine numbers
    """Return the sum of machine numbers, which cannot wrap."""
    if numbers.itemsize < 8:
        return int(numbers.sum(dtype=np.int64))
    # So many halves of machine numbers have a sum within 63 bits.
    return (int((numbers >> 32).sum()) << 32) + int((numbers & 0xFFFFFFFF).sum())


def same_integers(a: Any, b: Any) -> bool:  # noqa: ANN401 - two columns of integers
    """Return whether two columns hold the same integers."""
    if len(a) != len(b):
        return False
    left, right = _alike(a, b)
    return np.array_equal(left, right)


def _split(column: NDArray[Any]) -> Limbs:
    """Return the limbs of Python's integers."""
    limbs: list[NDArray[Any]] = []
    while len(column) and max(column.max(), -column.min()) >= TOP_LIMIT:
        limbs.append((column % LIMB).astype(np.int64))
        column = column // LIMB
    return np.array([*limbs, column.astype(np.int64)])


def _carried(limbs: Limbs, base: int = LIMB) -> Limbs:
    """Return the limbs with each but the last one brought between 0 and the base, in place."""
    for i in range(len(limbs) - 1):
        over = limbs[i] // base
        if over.any():
            limbs[i] -= over * base
            limbs[i + 1] += over
    return limbs


def _topped(limbs: Limbs) -> Limbs:
    """Return the limbs, with one more where the last one is above its limit."""
    top = limbs[-1]
    if not len(top) or (top.max() < TOP_LIMIT and top.min() > -TOP_LIMIT):
        return limbs
    over = top // LIMB
    return np.concatenate([limbs[:-1], [top - over * LIMB, over]])


def _alike(*columns: Any) -> list[Limbs]:  # noqa: ANN401
    """Return the limbs of several columns, as many of each."""
    wide = [Wide.of(column) for column in columns]
    width = max(len(column.limbs) for column in wide)
    return [column.widened(width) for column in wide]


def _signs(a: Limbs, b: Limbs) -> NDArray[np.int8]:
    """Return 1, 0 or -1 for each row of `a` above, equal to or below that of `b`."""
    signs = np.zeros(np.broadcast_shapes(a[0].shape, b[0].shape), np.int8)
    for high, low in zip(a[::-1], b[::-1], strict=True):
        signs += (signs == 0) * ((high > low).view(np.int8) - (high < low).view(np.int8))
    return signs


def _ascending(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.argsort(numbers, kind="stable")
