from __future__ import annotations

from fractions import Fraction
from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.rules.integers import UINT256_LIMIT, WAD, iroot


@pytest.mark.parametrize("q", range(1, 9))
@pytest.mark.parametrize("x", [*range(300), 2**64 - 1, 2**64, 2**64 + 1])
def test_iroot__small_numbers__is_bracketed(q: int, x: int) -> None:
    root = iroot(q, x)
    assert root**q <= x < (root + 1) ** q


@pytest.mark.parametrize("q", range(1, 9))
@pytest.mark.parametrize(
    "base", [1, 2, 3, WAD - 1, WAD, WAD + 1, UINT256_LIMIT - 1, UINT256_LIMIT * WAD, 7**500]
)
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_iroot__around_a_perfect_power__is_exact(q: int, base: int, offset: int) -> None:
    x = base**q + offset
    root = iroot(q, x)
    assert root**q <= x < (root + 1) ** q
    if offset == 0:
        assert root == base
    if offset == -1:
        assert root == base - 1


@given(st.integers(1, 8), st.integers(0, 2**8192))
def test_iroot__huge_numbers__is_bracketed(q: int, x: int) -> None:
    root = iroot(q, x)
    assert root**q <= x < (root + 1) ** q


@given(st.integers(0, 2**4096))
def test_iroot__second_root__is_isqrt(x: int) -> None:
    assert iroot(2, x) == isqrt(x)


@given(st.integers(1, 8), st.integers(0, 2**600), st.integers(1, 2**300))
def test_iroot__of_a_floored_quotient__is_the_floor_of_the_exact_root(
    q: int, x: int, y: int
) -> None:
    # The rulebook takes the root of an already floored quotient; nothing is lost by that.
    root = iroot(q, x // y)
    assert Fraction(root) ** q <= Fraction(x, y) < Fraction(root + 1) ** q


@pytest.mark.parametrize(("q", "x"), [(0, 1), (-1, 1), (2, -1), (1, -1)])
def test_iroot__outside_its_domain__raises(q: int, x: int) -> None:
    with pytest.raises(ValueError, match="is not defined"):
        iroot(q, x)
