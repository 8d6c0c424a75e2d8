from __future__ import annotations

from typing import Any

import pytest

from rewards.rules.integers import WAD
from rewards.rules.records import NodeState, Status
from rewards.rules.wct1.node_pay import NodePay, NodePool, net, pay_factor, pay_nodes, penalty
from rewards.rules.wct1.scores import Performance
from tests.builders import node, parameters, wad

ACTIVE, RESERVED, STANDBY = Status.ACTIVE, Status.RESERVED, Status.STANDBY

# Who the worked cases are about: (id, stake weight, opening status, score, debt).
THREE = (
    ("n1", 3, ACTIVE, "1", 0),
    ("n2", 1, ACTIVE, "0.9", 0),
    ("n3", 2, RESERVED, "0.5", 0),
)


def pool_of(
    roster: tuple[tuple[str, int, Status, str | None, int], ...],
    pool: int = 1_000,
    **changes: Any,
) -> NodePool:
    return pay_nodes(
        pool,
        tuple(node(node_id, stake=stake) for node_id, stake, *_ in roster),
        {node_id: NodeState(status, 0, debt) for node_id, _, status, _, debt in roster},
        {
            node_id: Performance(wad(p), wad(p), wad(p))
            for node_id, _, _, p, _ in roster
            if p is not None
        },
        parameters({f"nodes.{name}": value for name, value in changes.items()}).nodes,
    )


def column(pool: NodePool, name: str) -> list[int]:
    return [getattr(pay, name) for pay in pool.pays]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (ACTIVE, WAD),
        (RESERVED, wad("0.5")),
        (STANDBY, 0),
        (Status.CONFINED, 0),
        (Status.DEACTIVATED, 0),
    ],
)
def test_pay_factor__by_opening_status__is_f(status: Status, expected: int) -> None:
    assert pay_factor(status, parameters().nodes) == expected


def test_pay_nodes__defaults__match_the_worked_numbers() -> None:
    pool = pool_of(THREE)
    # Half of 1,000 is base: f is 1, 1 and 1/2, so 200, 200, 100.
    assert (pool.base_pool, pool.bonus_pool) == (500, 500)
    assert column(pool, "base") == [200, 200, 100]
    # Bonus by stake * f of 3 + 1 + 1 = 5: 500 * 3/5 * 1 = 300, 500 * 1/5 * 0.9 = 90; n3 is
    # below tau.
    assert pool.full_bonus_weight == 5 * WAD
    assert column(pool, "bonus") == [300, 90, 0]
    # 100 * (0.8 - 0.5) / 0.8 = 37.5, rounded down.
    assert column(pool, "penalty") == [0, 0, 37]
    assert column(pool, "paid") == [500, 290, 63]
    assert column(pool, "withheld") == [0, 0, 37]
    assert column(pool, "debt_out") == [0, 0, 0]
    # 1,000 - 853 - 37.
    assert pool.unallocated == 110


def test_pay_nodes__pro_rata__divides_the_whole_bonus_pool() -> None:
    pool = pool_of(THREE, bonus_split="pro_rata")
    # Weights 3 and 0.9: 384.6… and 115.3…; the odd unit goes to the larger remainder.
    assert column(pool, "bonus") == [385, 115, 0]
    # What is withheld of n3 is all that is not paid.
    assert column(pool, "paid") == [585, 315, 63]
    assert pool.unallocated == 0


@pytest.mark.parametrize(
    ("cap", "bonus"),
    [
        # K = 300: n1 is cut to it, the other 200 fit n2.
        ("0.6", [300, 200, 0]),
        # K = 200: both are cut; 100 stay unallocated.
        ("0.4", [200, 200, 0]),
    ],
)
def test_pay_nodes__pro_rata_with_a_cap__cuts_the_bonus(cap: str, bonus: list[int]) -> None:
    pool = pool_of(THREE, bonus_split="pro_rata", share_cap=wad(cap))
    assert column(pool, "bonus") == bonus
    assert pool.unallocated == 500 - sum(bonus)


def test_pay_nodes__absolute_with_a_cap__ignores_it() -> None:
    assert pool_of(THREE, share_cap=wad("0.1")).pays == pool_of(THREE).pays


def test_pay_nodes__equal_weighting__counts_every_node_alike() -> None:
    # f adds up to 2.5: 500/2.5 = 200 and 200 * 0.9 = 180.
    assert column(pool_of(THREE, weighting="equal"), "bonus") == [200, 180, 0]


def test_pay_nodes__base_by_stake__uses_f_times_stake() -> None:
    # 3, 1 and 2 * 1/2: fifths of 500.
    pool = pool_of(THREE, base_weighting="stake")
    assert column(pool, "base") == [300, 100, 100]


def test_pay_nodes__alpha_at_its_ends__gives_all_base_or_all_bonus() -> None:
    assert pool_of(THREE, alpha=WAD).bonus_pool == 0
    assert column(pool_of(THREE, alpha=WAD), "base") == [400, 400, 200]
    assert pool_of(THREE, alpha=0).base_pool == 0
    assert column(pool_of(THREE, alpha=0), "penalty") == [0, 0, 0]


def test_pay_nodes__alpha_of_an_odd_pool__rounds_the_base_down() -> None:
    pool = pool_of(THREE, pool=3)
    assert (pool.base_pool, pool.bonus_pool) == (1, 2)
    # 1 over 2.5 is 0 for everybody; 2 * 3/5 = 1.2 and 2 * 0.18 = 0.36.
    assert column(pool, "base") == [0, 0, 0]
    assert column(pool, "bonus") == [1, 0, 0]
    assert pool.unallocated == 2


def test_pay_nodes__score_equal_to_tau__earns_a_bonus_and_no_penalty() -> None:
    pool = pool_of((("n", 1, ACTIVE, "0.8", 0),))
    # 500 base and 500 * 0.8.
    assert pool.pays == (NodePay(WAD, 500, 400, 0, 0, 0, 0, 900),)


def test_pay_nodes__score_just_below_tau__loses_the_bonus() -> None:
    (pay,) = pool_of((("n", 1, ACTIVE, "0.799999999999999999", 0),)).pays
    # The penalty of 500 * 1e-18 / 0.8 is less than a base unit.
    assert (pay.base, pay.bonus, pay.penalty, pay.paid) == (500, 0, 0, 500)


def test_pay_nodes__score_zero__loses_the_whole_base_at_rate_one() -> None:
    (pay,) = pool_of((("n", 1, ACTIVE, "0", 0),)).pays
    assert (pay.penalty, pay.paid, pay.withheld, pay.debt_out) == (500, 0, 500, 0)


@pytest.mark.parametrize(("carry", "debt_out"), [(True, 4_500), (False, 0)])
def test_pay_nodes__penalty_above_the_pay__is_owed_if_debts_are_carried(
    carry: bool, debt_out: int
) -> None:
    (pay,) = pool_of((("n", 1, ACTIVE, "0", 0),), penalty_rate=10 * WAD, carry_debt=carry).pays
    assert (pay.penalty, pay.paid, pay.withheld, pay.debt_out) == (5_000, 0, 500, debt_out)


def test_pay_nodes__debt_below_the_pay__is_withheld_at_once() -> None:
    # Base 500, bonus 500, debt 300.
    (pay,) = pool_of((("n", 1, ACTIVE, "1", 300),)).pays
    assert (pay.paid, pay.withheld, pay.debt_in, pay.debt_out) == (700, 300, 300, 0)


def test_pay_nodes__debt_equal_to_the_pay__leaves_nothing_either_way() -> None:
    (pay,) = pool_of((("n", 1, ACTIVE, "1", 1_000),)).pays
    assert (pay.paid, pay.withheld, pay.debt_out) == (0, 1_000, 0)


@pytest.mark.parametrize(("carry", "debt_out"), [(True, 500), (False, 0)])
def test_pay_nodes__debt_above_the_pay__carries_the_rest_if_debts_are_carried(
    carry: bool, debt_out: int
) -> None:
    (pay,) = pool_of((("n", 1, ACTIVE, "1", 1_500),), carry_debt=carry).pays
    assert (pay.paid, pay.withheld, pay.debt_out) == (0, 1_000, debt_out)


@pytest.mark.parametrize("carry", [True, False])
@pytest.mark.parametrize("status", [STANDBY, Status.CONFINED, Status.DEACTIVATED])
def test_pay_nodes__unpaid_node__keeps_its_debt_in_any_case(status: Status, carry: bool) -> None:
    (pay,) = pool_of((("n", 1, status, "0", 77),), carry_debt=carry).pays
    assert pay == NodePay(0, 0, 0, 0, 77, 77, 0, 0)


def test_pay_nodes__reserved_factor_zero__pays_and_fines_no_reserved_node() -> None:
    pool = pool_of(
        (("a", 1, ACTIVE, "1", 0), ("r", 1, RESERVED, "0", 5)), reserved_factor=0, carry_debt=False
    )
    assert column(pool, "paid") == [1_000, 0]
    assert pool.pays[1] == NodePay(0, 0, 0, 0, 5, 5, 0, 0)


@pytest.mark.parametrize(("score", "earns"), [("1", True), ("0", False)])
def test_pay_nodes__smallest_pay_factor__still_earns_and_is_fined(score: str, earns: bool) -> None:
    roster = (("a", 1, ACTIVE, "1", 0), ("r", 1, RESERVED, score, 0))
    pay = pool_of(roster, pool=10**40, reserved_factor=1).pays[1]
    assert pay.base > 0
    assert pay.bonus == (pay.base if earns else 0)
    assert pay.penalty == (0 if earns else pay.base)


def test_pay_nodes__equal_weighting__weighs_one_for_every_whole_node() -> None:
    pool = pool_of(THREE, weighting="equal")
    assert pool.full_bonus_weight == wad("2.5")
    assert pool.bonus_weights == (WAD * WAD, WAD * wad("0.9"), 0)


def test_pay_nodes__nobody_is_paid__leaves_the_pool_unallocated() -> None:
    assert pool_of((("s", 1, STANDBY, None, 0),)).unallocated == 1_000
    assert pool_of(()).unallocated == 1_000


@pytest.mark.parametrize("split", ["absolute", "pro_rata"])
def test_pay_nodes__no_stake_at_all__pays_no_weighted_part(split: str) -> None:
    pool = pool_of(
        (("a", 0, ACTIVE, "1", 0),), base_weighting="stake", weighting="stake", bonus_split=split
    )
    assert column(pool, "paid") == [0]
    assert pool.unallocated == 1_000


def test_penalty__every_factor__is_floored_once() -> None:
    rules = parameters({"nodes.tau": wad("0.7"), "nodes.penalty_rate": wad("0.3")}).nodes
    # 1,001 * 0.3 * (0.7 - 0.1) / 0.7 = 257.4.
    assert penalty(1_001, wad("0.1"), rules) == 257
    assert penalty(1_001, wad("0.7"), rules) == 0
    assert penalty(1_001, WAD, rules) == 0
    assert penalty(0, 0, rules) == 0


def test_net__pay_and_due__are_netted_once() -> None:
    assert net(WAD, 10, 5, 4, 3, carry_debt=True) == NodePay(WAD, 10, 5, 4, 3, 0, 7, 8)
    assert net(WAD, 10, 5, 14, 3, carry_debt=True) == NodePay(WAD, 10, 5, 14, 3, 2, 15, 0)
    assert net(WAD, 10, 5, 14, 3, carry_debt=False) == NodePay(WAD, 10, 5, 14, 3, 0, 15, 0)
    assert net(0, 0, 0, 0, 3, carry_debt=False) == NodePay(0, 0, 0, 0, 3, 3, 0, 0)
