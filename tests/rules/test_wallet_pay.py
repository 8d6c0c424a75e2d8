from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.rules.integers import WAD
from rewards.rules.records import Pools, Tier
from rewards.rules.wct1.wallet_pay import (
    activity,
    curve,
    is_over,
    measure,
    pay_wallets,
    tier,
    weights,
)
from tests.builders import parameters, wad, wallet

if TYPE_CHECKING:
    from rewards.rules.wct1.policy import WalletPolicy

CERTIFIED, ELIGIBLE, INELIGIBLE = Tier.CERTIFIED, Tier.ELIGIBLE, Tier.INELIGIBLE
TWO_TO_FIVE_QUARTERS = wad("2.378414230005442133")
"""2 to the power 5/4 is 2.37841423000544213343… (twice the fourth root of 2)."""


def rules(**changes: Any) -> WalletPolicy:
    return parameters({f"wallets.{name}": value for name, value in changes.items()}).wallets


@pytest.mark.parametrize(("kind", "expected"), [("signatures", 7), ("connections", 4), ("sum", 11)])
def test_activity__by_policy__counts(kind: str, expected: int) -> None:
    assert activity(wallet("w", 7, connections=4), rules(activity=kind)) == expected


@pytest.mark.parametrize(
    ("rule", "active", "expected"),
    [
        ("over", 99_999, False),
        ("over", 100_000, False),
        ("over", 100_001, True),
        ("at_least", 99_999, False),
        ("at_least", 100_000, True),
        ("at_least", 100_001, True),
    ],
)
def test_is_over__around_the_threshold__follows_the_rule(
    rule: str, active: int, expected: bool
) -> None:
    assert is_over(active, rules(threshold_rule=rule)) is expected


@pytest.mark.parametrize(
    ("active", "certified", "stake", "expected"),
    [
        # Minima: 5,000 for eligible, 12,500 for certified.
        (100_000, True, 10**30, (INELIGIBLE, "below_threshold")),
        (100_001, True, 12_500, (CERTIFIED, "")),
        (100_001, True, 12_499, (ELIGIBLE, "")),
        (100_001, True, 5_000, (ELIGIBLE, "")),
        (100_001, True, 4_999, (INELIGIBLE, "insufficient_stake")),
        (100_001, False, 10**30, (ELIGIBLE, "")),
        (100_001, False, 4_999, (INELIGIBLE, "insufficient_stake")),
        (0, False, 0, (INELIGIBLE, "below_threshold")),
    ],
)
def test_tier__activity_certificate_and_stake__match_the_table(
    active: int, certified: bool, stake: int, expected: tuple[Tier, str]
) -> None:
    minima = rules(min_stake_eligible=5_000, min_stake_certified=12_500)
    assert tier(wallet("w", active, certified=certified, stake=stake), active, minima) == expected


def test_tier__certified_minimum_below_the_eligible_one__certifies_first() -> None:
    minima = rules(min_stake_eligible=10, min_stake_certified=5)
    assert tier(wallet("w", certified=True, stake=5), 200_000, minima) == (CERTIFIED, "")
    assert tier(wallet("w", stake=5), 200_000, minima) == (INELIGIBLE, "insufficient_stake")


def test_measure__total_or_excess__times_the_ux_score() -> None:
    assert measure(200_000, WAD, rules()) == 200_000 * WAD
    assert measure(200_000, wad("0.25"), rules()) == 50_000 * WAD
    assert measure(200_001, WAD, rules(measure="excess")) == 100_001 * WAD
    assert measure(100_000, WAD, rules(measure="excess", threshold_rule="at_least")) == 0


@pytest.mark.parametrize(
    ("m", "exponent", "expected"),
    [
        pytest.param(0, (1, 1), 0, id="nothing"),
        pytest.param(0, (5, 4), 0, id="nothing, by a root"),
        pytest.param(100_000 * WAD, (1, 1), WAD, id="at the threshold"),
        pytest.param(100_000 * WAD, (5, 4), WAD, id="at the threshold, by a root"),
        pytest.param(200_000 * WAD, (1, 1), 2 * WAD, id="twice"),
        pytest.param(200_000 * WAD, (5, 4), TWO_TO_FIVE_QUARTERS, id="twice, 5/4"),
        pytest.param(200_000 * WAD, (3, 1), 8 * WAD, id="twice, cubed"),
        pytest.param(1_600_000 * WAD, (5, 4), 32 * WAD, id="sixteen times, 5/4"),
        pytest.param(900_000 * WAD, (1, 2), 3 * WAD, id="nine times, square root"),
        pytest.param(25_600_000 * WAD, (8, 8), 256 * WAD, id="8/8 is linear"),
        pytest.param(1, (1, 1), 0, id="less than a unit of weight"),
    ],
)
def test_curve__known_powers__are_exact(m: int, exponent: tuple[int, int], expected: int) -> None:
    assert curve(m, exponent, rules()) == expected


def test_curve__threshold_zero__measures_in_units() -> None:
    assert curve(7 * WAD, (1, 1), rules(threshold=0)) == 7 * WAD
    assert curve(4 * WAD, (1, 2), rules(threshold=0)) == 2 * WAD


@given(
    st.integers(0, 10**12),
    st.integers(0, WAD),
    st.integers(1, 8),
    st.integers(1, 8),
    st.integers(0, 10**9),
)
def test_curve__any_exponent__is_bracketed_by_exact_fractions(
    active: int, ux: int, p: int, q: int, threshold: int
) -> None:
    m = active * ux
    t = threshold * WAD or WAD
    w = curve(m, (p, q), rules(threshold=threshold))
    # w is the largest integer with (w / WAD)^q <= (m / t)^p.
    exact = Fraction(m, t) ** p
    assert Fraction(w, WAD) ** q <= exact < Fraction(w + 1, WAD) ** q


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 8), st.integers(1, 8))
def test_curve__more_activity__never_weighs_less(a: int, b: int, p: int, q: int) -> None:
    low, high = sorted((a, b))
    assert curve(low * WAD, (p, q), rules()) <= curve(high * WAD, (p, q), rules())


def test_weights__by_tier__go_to_the_pools() -> None:
    m = 200_000 * WAD
    assert weights(INELIGIBLE, m, rules()) == (0, 0)
    assert weights(ELIGIBLE, m, rules()) == (2 * WAD, 0)
    assert weights(CERTIFIED, m, rules()) == (2 * WAD, TWO_TO_FIVE_QUARTERS)
    one_pool = rules(certified_in_eligible_pool=False)
    assert weights(CERTIFIED, m, one_pool) == (0, TWO_TO_FIVE_QUARTERS)
    assert weights(ELIGIBLE, m, one_pool) == (2 * WAD, 0)


FOUR = (
    wallet("a", 100_000, certified=True),
    wallet("b", 200_000, certified=True),
    wallet("c", 1_600_000, certified=True),
    wallet("d", 400_000),
)


def test_pay_wallets__defaults__match_the_worked_numbers() -> None:
    paid = pay_wallets(Pools(0, 2_200, 1_000), FOUR, rules())
    # Eligible pool: 2 + 16 + 4 = 22 parts of 100.
    assert [row.amount_eligible for row in paid.rows] == [0, 200, 1_600, 400]
    # Certified pool: 2.3784… and 32 of 34.3784…: 69.18 and 930.81; the unit left goes to c.
    assert [row.amount_certified for row in paid.rows] == [0, 69, 931, 0]
    assert [row.amount for row in paid.rows] == [0, 269, 2_531, 400]
    assert [row.tier for row in paid.rows] == [INELIGIBLE, CERTIFIED, CERTIFIED, ELIGIBLE]
    assert [row.reason for row in paid.rows] == ["below_threshold", "", "", ""]
    assert paid.rows[2].weight_certified == 32 * WAD


def test_pay_wallets__cap__holds_in_each_pool_by_itself() -> None:
    paid = pay_wallets(Pools(0, 2_200, 1_000), FOUR, rules(share_cap=wad("0.5")))
    # Eligible: K = 1,100 cuts c; 1,100 over 2:4 is 366 2/3 and 733 1/3.
    assert [row.amount_eligible for row in paid.rows] == [0, 367, 1_100, 733]
    # Certified: K = 500 cuts c, then the other 500 go to b, which is just at the cap.
    assert [row.amount_certified for row in paid.rows] == [0, 500, 500, 0]


def test_pay_wallets__own_pool_for_the_certified__takes_them_out_of_the_other() -> None:
    paid = pay_wallets(Pools(0, 1_000, 0), FOUR, rules(certified_in_eligible_pool=False))
    assert [row.amount_eligible for row in paid.rows] == [0, 0, 0, 1_000]


def test_pay_wallets__nobody_certified__leaves_that_pool_unallocated() -> None:
    paid = pay_wallets(Pools(0, 10, 1_000), (wallet("d", 400_000),), rules())
    assert (paid.eligible.total, paid.certified.total) == (10, 0)


def test_pay_wallets__ux_score_zero__is_eligible_but_earns_nothing() -> None:
    paid = pay_wallets(Pools(0, 10, 10), (wallet("w", certified=True, ux_score=0),), rules())
    (row,) = paid.rows
    assert (row.tier, row.weight_eligible, row.weight_certified, row.amount) == (CERTIFIED, 0, 0, 0)


def test_pay_wallets__activity_near_2_to_256__stays_exact() -> None:
    huge = 2**256 - 1
    paid = pay_wallets(
        Pools(0, 10**27, 10**27),
        (wallet("a", huge, connections=huge, certified=True), wallet("b", 100_001, certified=True)),
        rules(activity="sum", certified_exponent=(8, 7), eligible_exponent=(8, 1)),
    )
    assert paid.eligible.total == paid.certified.total == 10**27
    assert paid.rows[0].activity == 2 * huge


def test_pay_wallets__no_wallets__pays_nothing() -> None:
    paid = pay_wallets(Pools(0, 5, 6), (), rules())
    assert (paid.rows, paid.eligible.total, paid.certified.total) == ((), 0, 0)
