"""The arithmetic of the rulebook: non-negative integers, floor division, integer roots."""

from __future__ import annotations

from functools import partial
from math import isqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

WAD = 10**18
"""The scale of every ratio: a ratio x is stored as x * WAD."""

WCT = 10**18
"""Base units in one WCT."""

UINT256_LIMIT = 2**256
"""Amounts and totals stay below this."""


def iroot(q: int, x: Any) -> Any:  # noqa: ANN401 - int to int, column to column
    """Return the largest integer r with r**q <= x (rulebook, section 5).

    An even root is taken as a root of the square root: both round down, so the result is the same.
    Newton's method from a start at or above the root falls strictly until it reaches the floor.
    A column of integers gives a column, row by row.

    Raises:
        ValueError: q < 1 or x < 0.
    """
    if q < 1 or (isinstance(x, int) and x < 0):
        raise ValueError(f"iroot({q}, {x}) is not defined")
    while q % 2 == 0:
        q, x = q // 2, isqrt(x) if isinstance(x, int) else _each(isqrt, x)
    if q == 1:
        return x
    return _odd_root(q, x) if isinstance(x, int) else _each(partial(_odd_root, q), x)


def _each(function: Callable[[int], int], column: Any) -> Any:  # noqa: ANN401
    results = column.copy()
    results[:] = list(map(function, column.tolist()))
    return results


def _odd_root(q: int, x: int) -> int:
    if x == 0:
        return x
    root = 1 << -(-x.bit_length() // q)
    while True:
        following = ((q - 1) * root + x // root ** (q - 1)) // q
        if following >= root:
            return root
        root = following


def above_zero(x: Any) -> Any:  # noqa: ANN401 - int to int, column to column
    """Return max(x, 0), also of every row of a column."""
    return max(x, 0) if isinstance(x, int) else x.clip(0)


def format_decimal(value: int, places: int = 18) -> str:
    """Return the shortest decimal text of an integer of 10^-places, exactly."""
    whole, fraction = divmod(value, 10**places)
    digits = f"{fraction:0{places}d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
