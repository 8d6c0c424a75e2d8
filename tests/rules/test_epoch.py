from __future__ import annotations

from rewards.rules.integers import WAD
from rewards.rules.records import (
    Account,
    Allocation,
    Node,
    NodeScore,
    NodeState,
    Opening,
    Pools,
    Status,
    Window,
)
from rewards.rules.wct1 import compute_epoch
from rewards.rules.wct1.columns import ledger_columns
from tests.builders import (
    DAY,
    END,
    START,
    address,
    adjustment,
    header,
    inputs,
    node,
    opening,
    policy,
    score,
    second,
    wad,
    wallet,
)

ACTIVE, RESERVED, STANDBY = Status.ACTIVE, Status.RESERVED, Status.STANDBY
CONFINED, DEACTIVATED = Status.CONFINED, Status.DEACTIVATED
SMALL = policy({"nodes.active_target": 1, "nodes.total_target": 2})


def test_compute_epoch__first_epoch__fills_every_column() -> None:
    given = inputs(
        head=header(pools=Pools(1_000, 0, 0)),
        rules=SMALL,
        nodes=(
            node("a", stake=2, status=ACTIVE, payout=address(1)),
            node("r", stake=4, status=RESERVED, payout=address(2)),
            node("s", stake=1, status=STANDBY, payout=address(3)),
        ),
        node_scores=(score("a", uptime=DAY * 3 // 4), score("r")),
    )
    result = compute_epoch(given, None)
    a, r, s = result.nodes
    # Base 500: f is 1 and 1/2, so 333 and 166. Bonus 500 over 2 * 1 + 4 * 1/2 = 4 parts:
    # a is below tau, r gets 250. The penalty of a: 333 * (0.8 - 0.75) / 0.8 = 20.8.
    assert (a.uptime, a.latency_score, a.score) == (wad("0.75"), WAD, wad("0.75"))
    assert (a.base, a.bonus, a.penalty, a.paid, a.withheld) == (333, 0, 20, 313, 20)
    assert (r.base, r.bonus, r.penalty, r.paid, r.withheld) == (166, 250, 0, 416, 0)
    assert (s.uptime, s.latency_score, s.score, s.pay_factor) == (None, None, None, 0)
    # a is confined, r takes its place, s is called up.
    assert (a.opening_status, a.closing_status, a.confined_until) == (ACTIVE, CONFINED, END + DAY)
    assert (r.opening_status, r.closing_status, r.confined_until) == (RESERVED, ACTIVE, None)
    assert (s.opening_status, s.closing_status) == (STANDBY, RESERVED)
    assert [(t.node_id, t.step) for t in result.transitions] == [
        ("a", "confine"),
        ("r", "promote"),
        ("s", "call_up"),
    ]
    # 1,000 = 729 paid + 20 withheld + 251 unallocated.
    (identity,) = (i for i in result.identities if i.name == "nodes")
    assert dict(identity.plus) == {"paid": 729, "withheld": 20, "unallocated": 251}
    assert identity.holds
    assert result.closing.nodes["a"] == NodeState(CONFINED, END + DAY, 0)


def test_compute_epoch__opening_status__decides_the_pay_of_this_epoch() -> None:
    # The node that is released and promoted in this epoch opened confined: it is not paid.
    before = opening(nodes={"n": NodeState(CONFINED, END + DAY, debt=5)})
    given = inputs(
        head=second(Pools(100, 0, 0)), nodes=(node("n"),), node_scores=(score("n"),), rules=SMALL
    )
    (row,) = compute_epoch(given, before).nodes
    assert (row.opening_status, row.closing_status) == (CONFINED, ACTIVE)
    assert (row.pay_factor, row.paid, row.debt_in, row.debt_out) == (0, 0, 5, 5)


def test_compute_epoch__transitions__stand_in_id_order_then_in_time() -> None:
    before = opening(
        nodes={"b": NodeState(CONFINED, END), "a": NodeState(CONFINED, END), "c": NodeState(ACTIVE)}
    )
    given = inputs(
        head=second(),
        nodes=(node("a"), node("b"), node("c")),
        node_scores=(score("c", uptime=0, requests=0),),
        rules=SMALL,
    )
    moves = [(t.node_id, t.step) for t in compute_epoch(given, before).transitions]
    assert moves == [("a", "release"), ("a", "promote"), ("b", "release"), ("c", "confine")]


def test_compute_epoch__node_program_does_not_run__carries_every_state() -> None:
    states = {
        "a": NodeState(ACTIVE, 0, 3),
        "c": NodeState(CONFINED, END, 4),
        "d": NodeState(DEACTIVATED, 0, 5),
    }
    result = compute_epoch(inputs(head=second()), opening(nodes=states))
    assert result.closing.nodes == states
    assert (result.nodes, result.transitions) == ((), ())


def test_compute_epoch__deactivated_node_left_out__is_carried_without_a_row() -> None:
    before = opening(nodes={"gone": NodeState(DEACTIVATED, 0, 9)})
    result = compute_epoch(inputs(head=second(), nodes=(), node_scores=()), before)
    assert result.nodes == ()
    assert result.closing.nodes == {"gone": NodeState(DEACTIVATED, 0, 9)}


def test_compute_epoch__wallet_program_does_not_run__keeps_the_end_of_the_last_window() -> None:
    assert compute_epoch(inputs(head=second()), opening(wallets_end=77)).closing.wallets_end == 77
    assert compute_epoch(inputs(), None).closing.wallets_end == 0


def test_compute_epoch__wallet_program_runs__records_the_end_of_its_window() -> None:
    window = Window(START, END + 5)
    given = inputs(head=second(wallet_window=window), wallets=())
    assert compute_epoch(given, opening()).closing.wallets_end == END + 5


def test_compute_epoch__two_ids_and_a_correction_share_an_address__make_one_allocation() -> None:
    shared = address(9)
    given = inputs(
        head=second(Pools(1_000, 500, 0)),
        rules=SMALL,
        nodes=(node("n", payout=shared),),
        node_scores=(score("n"),),
        wallets=(wallet("w", payout=shared),),
        adjustments=(adjustment(shared, -300), adjustment(shared, 50)),
    )
    before = opening(nodes={"n": NodeState(ACTIVE)}, ledger={shared: Account(10, 200)})
    # Earned 1,000 + 500 + 50, owed 200 + 300.
    assert compute_epoch(given, before).allocations == (
        Allocation(shared, 10, 1_000, 500, -250, 200, 0, 1_050, 1_060),
    )


def chain(days: list[dict[str, int]], recovery: int = 0) -> list[tuple[int, int, int]]:
    """Run one node by its uptime per day; return (paid, debt_out, cumulative) per day."""
    rules = policy({"nodes.penalty_rate": 2 * WAD, "nodes.total_target": 15})
    before: Opening | None = None
    seen = []
    for number, day in enumerate(days):
        window = Window(START + number * DAY, START + (number + 1) * DAY)
        head = header(
            epoch=number + 1,
            genesis=number == 0,
            window=window,
            pools=Pools(1_000, 0, 0),
        )
        nodes: tuple[Node, ...] = (node("n", status=None if number else ACTIVE),)
        scores: tuple[NodeScore, ...] = (score("n", uptime=day["uptime"]),)
        corrections = (adjustment(address(1), -recovery),) if recovery and not number else None
        result = compute_epoch(
            inputs(
                head=head, rules=rules, nodes=nodes, node_scores=scores, adjustments=corrections
            ),
            before,
        )
        (row,), ledger = (
            result.nodes,
            {a.account: Account(a.cumulative, a.recovery_out) for a in result.allocations},
        )
        seen.append((row.paid, row.debt_out, ledger.get(address(1), Account()).cumulative))
        before = Opening(result.closing, ledger, "0x" + "00" * 32)
    return seen


def test_compute_epoch__season_of_one_node__carries_debt_until_it_is_paid() -> None:
    # Day 1: base 500, penalty 2 * 500 = 1,000, so 500 are owed; confined until the end of day 2.
    # Day 2: not paid, debt kept; released and promoted at its end.
    # Day 3: 500 + 500, less 500. Day 4: 1,000.
    full, none = {"uptime": DAY}, {"uptime": 0}
    assert chain([none, full, full, full]) == [
        (0, 500, 0),
        (0, 500, 0),
        (500, 0, 500),
        (1_000, 0, 1_500),
    ]


def test_compute_epoch__season_with_a_correction__recovers_it_from_later_pay() -> None:
    # 1,300 are to be recovered: 1,000 on day 1, 300 on day 2.
    full = {"uptime": DAY}
    assert [cumulative for *_, cumulative in chain([full, full, full], recovery=1_300)] == [
        0,
        700,
        1_700,
    ]


def test_compute_epoch__few_wallets_on_a_ledger_by_column__are_paid_as_on_one_by_row() -> None:
    ledger = {address(3): Account(10), address(5): Account(7, recovery=30), address(9): Account(1)}
    wallets = (
        wallet("owl", 300_000, certified=True, payout=address(5)),
        wallet("pig", 200_000, payout=address(3)),
        wallet("rat", 1, payout=address(8)),
    )
    given = inputs(
        head=second(Pools(0, 1_000, 77)), wallets=wallets, adjustments=(adjustment(address(9), -5),)
    )
    by_row = compute_epoch(given, opening(ledger=ledger))
    by_column = compute_epoch(given, opening(ledger=ledger_columns(ledger)))
    assert tuple(by_column.wallets) == by_row.wallets
    assert tuple(by_column.allocations) == by_row.allocations
    assert by_column.identities == by_row.identities
