from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.rules.integers import WAD
from rewards.rules.wct1.apportion import apportion
from tests.builders import wad


@pytest.mark.parametrize(
    ("pool", "weights", "cap", "expected"),
    [
        pytest.param(100, [], None, [], id="nobody"),
        pytest.param(100, [0, 0], None, [0, 0], id="nobody with a weight"),
        pytest.param(0, [1, 2], None, [0, 0], id="empty pool"),
        pytest.param(0, [1, 2], "0.1", [0, 0], id="empty pool with a cap"),
        pytest.param(100, [7], None, [100], id="alone"),
        # 33 each, one unit left: three equal remainders, the first in id order gets it.
        pytest.param(100, [1, 1, 1], None, [34, 33, 33], id="tie of three"),
        pytest.param(101, [1, 1, 1], None, [34, 34, 33], id="tie of three, two units left"),
        pytest.param(100, [0, 1, 0, 1, 1], None, [0, 34, 0, 33, 33], id="zeros do not take part"),
        # Quotas 5, 3 1/3, 1 2/3: floors 5, 3, 1, the unit left goes to the largest remainder.
        pytest.param(10, [3, 2, 1], None, [5, 3, 2], id="largest remainder"),
        pytest.param(1, [1, 10**30], None, [0, 1], id="one unit for the heavier"),
        pytest.param(2, [1, 1, 1, 1, 1], None, [1, 1, 0, 0, 0], id="fewer units than members"),
        # K = 40: 70 > 40 leaves with 40. Then 60 over 20:10 is 40 and 20; 40 is not above 40.
        pytest.param(100, [70, 20, 10], "0.4", [40, 40, 20], id="one round of the cap"),
        # K = 40: 60 leaves; then 60 * 30/40 = 45 > 40 leaves too; 20 are left for the last.
        pytest.param(100, [60, 30, 10], "0.4", [40, 40, 20], id="two rounds of the cap"),
        # K = 30: 60 leaves (30 of 100 is just at the cap and stays); 70 * 30/40 > 30 leaves;
        # 40 > 30 leaves; nobody is left for the last 10.
        pytest.param(100, [60, 30, 10], "0.3", [30, 30, 30], id="everybody at the cap"),
        pytest.param(100, [1, 1], "0.5", [50, 50], id="exactly at the cap"),
        # K = 50: 101 * 1/2 = 50.5 > 50 for both; the odd unit is unallocated.
        pytest.param(101, [1, 1], "0.5", [50, 50], id="half a unit above the cap"),
        pytest.param(1, [5, 5], "0.5", [0, 0], id="cap of nothing"),
        pytest.param(9, [1, 2, 3], "0.1", [0, 0, 0], id="cap rounds down to nothing"),
        pytest.param(7, [1, 2], "1", [2, 5], id="cap of everything"),
        # K = 33 of 100: 98 leaves with 33; 67 over 1:1 is 33.5 > 33 for both.
        pytest.param(100, [98, 1, 1], "0.33", [33, 33, 33], id="cascade through rounding"),
    ],
)
def test_apportion__worked_cases__match(
    pool: int, weights: list[int], cap: str | None, expected: list[int]
) -> None:
    divided = apportion(pool, weights, None if cap is None else wad(cap))
    assert list(divided.amounts) == expected
    assert divided.total == sum(expected)


def test_apportion__cap__tells_the_numbers_behind() -> None:
    divided = apportion(1_000, [700, 200, 101, 0], wad("0.4"))
    # K = 400; 700 leaves; 600 over 301: 398 202/301 and 201 99/301, one unit to the first.
    assert divided.amounts == (400, 399, 201, 0)
    assert divided.rounds == ((0,),)
    assert divided.cap_amount == 400
    assert (divided.rest_pool, divided.rest_weight) == (600, 301)
    assert (divided.units, divided.last_unit) == (1, (202, 1))


def test_apportion__two_rounds__tells_who_left_when() -> None:
    divided = apportion(100, [60, 30, 10], wad("0.4"))
    assert divided.rounds == ((0,), (1,))
    assert (divided.rest_pool, divided.rest_weight, divided.units) == (20, 10, 0)


def test_apportion__no_unit_left__names_none() -> None:
    divided = apportion(10, [1, 1], None)
    assert (divided.units, divided.last_unit, divided.cap_amount) == (0, None, None)


def by_fractions(pool: int, weights: list[int], cap: int | None) -> list[int]:
    """Apportion as the rulebook says, with exact fractions and without its integer forms."""
    amounts: dict[int, int] = {}
    members = [i for i, weight in enumerate(weights) if weight > 0]
    rest = pool
    if cap is not None:
        most = int(Fraction(pool) * Fraction(cap, WAD))
        while over := [
            i
            for i in members
            if Fraction(rest * weights[i], sum(weights[j] for j in members)) > most
        ]:
            for i in over:
                amounts[i] = most
                members.remove(i)
            rest -= most * len(over)
    quotas = {i: Fraction(rest * weights[i], sum(weights[j] for j in members)) for i in members}
    floors = {i: int(quota) for i, quota in quotas.items()}
    left = rest - sum(floors.values()) if members else 0
    lucky = sorted(members, key=lambda i: (floors[i] - quotas[i], i))[:left]
    amounts |= {i: floors[i] + (i in lucky) for i in members}
    return [amounts.get(i, 0) for i in range(len(weights))]


WEIGHTS = st.lists(st.one_of(st.integers(0, 5), st.integers(0, 10**24)), max_size=12)
CAPS = st.none() | st.integers(1, WAD) | st.sampled_from([WAD // 2, WAD // 3, WAD // 10])


@given(st.integers(0, 60) | st.integers(0, 10**27), WEIGHTS, CAPS)
def test_apportion__any_weights__agrees_with_fractions(
    pool: int, weights: list[int], cap: int | None
) -> None:
    assert list(apportion(pool, weights, cap).amounts) == by_fractions(pool, weights, cap)


@given(st.integers(0, 10**27), WEIGHTS, CAPS)
def test_apportion__any_weights__keeps_its_promises(
    pool: int, weights: list[int], cap: int | None
) -> None:
    divided = apportion(pool, weights, cap)
    assert divided.total <= pool
    assert all(a == 0 for a, w in zip(divided.amounts, weights, strict=True) if w == 0)
    if cap is not None:
        assert all(amount <= pool * cap // WAD for amount in divided.amounts)
    capped = {i for leaving in divided.rounds for i in leaving}
    takers = [i for i, w in enumerate(weights) if w > 0 and i not in capped]
    assert divided.total == pool or not takers


@given(st.integers(0, 1_000), WEIGHTS, st.data())
def test_apportion__own_weight_rises__own_amount_never_falls(
    pool: int, weights: list[int], data: st.DataObject
) -> None:
    if not weights:
        return
    i = data.draw(st.integers(0, len(weights) - 1))
    heavier = list(weights)
    heavier[i] += data.draw(st.integers(0, 10) | st.integers(0, 10**24))
    assert apportion(pool, heavier, None).amounts[i] >= apportion(pool, weights, None).amounts[i]
