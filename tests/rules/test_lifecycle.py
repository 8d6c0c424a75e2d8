from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rewards.rules.integers import WAD
from rewards.rules.records import Node, NodeState, Status
from rewards.rules.wct1.lifecycle import Lifecycle, opening_states
from rewards.rules.wct1.scores import Performance
from tests.builders import END, node, parameters, wad

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTIVE, RESERVED, STANDBY = Status.ACTIVE, Status.RESERVED, Status.STANDBY
CONFINED, DEACTIVATED = Status.CONFINED, Status.DEACTIVATED
TAU = wad("0.8")


def closed(
    *roster: tuple[Node, Status | NodeState, int | None],
    active: int = 15,
    total: int = 21,
    **changes: Any,
) -> Lifecycle:
    """Close an epoch over (node, opening state, score or None)."""
    values = {"nodes.active_target": active, "nodes.total_target": total}
    values |= {f"nodes.{name}": value for name, value in changes.items()}
    lifecycle = Lifecycle(
        tuple(sorted((n for n, _, _ in roster), key=lambda n: n.node_id)),
        {n.node_id: s if isinstance(s, NodeState) else NodeState(s) for n, s, _ in roster},
        {n.node_id: Performance(p, p, p) for n, _, p in roster if p is not None},
        parameters(values).nodes,
        END,
    )
    lifecycle.close()
    return lifecycle


def statuses(lifecycle: Lifecycle) -> dict[str, Status]:
    return {node_id: state.status for node_id, state in lifecycle.states.items()}


def steps(lifecycle: Lifecycle) -> list[tuple[str, str, Status, Status]]:
    return [(m.node_id, m.step, m.before, m.after) for m in lifecycle.transitions]


# --- opening states --------------------------------------------------------------------------


def test_opening_states__first_epoch__takes_the_status_column() -> None:
    nodes = (node("a", status=ACTIVE), node("b", status=DEACTIVATED))
    assert opening_states(nodes, None) == {"a": NodeState(ACTIVE), "b": NodeState(DEACTIVATED)}


def test_opening_states__with_a_predecessor__takes_its_closing_state() -> None:
    before: Mapping[str, NodeState] = {"a": NodeState(CONFINED, END, debt=7)}
    nodes = (node("a"), node("new"))
    assert opening_states(nodes, before) == {
        "a": NodeState(CONFINED, END, debt=7),
        "new": NodeState(STANDBY),
    }


# --- step 1: exit and re-entry -------------------------------------------------------------


@pytest.mark.parametrize("status", [ACTIVE, RESERVED, STANDBY, CONFINED])
def test_exit__requested__deactivates_from_every_status(status: Status) -> None:
    done = closed((node("a", leaves=True), NodeState(status, END, debt=3), WAD))
    assert steps(done) == [("a", "exit", status, DEACTIVATED)]
    assert done.states["a"] == NodeState(DEACTIVATED, 0, debt=3)


@pytest.mark.parametrize("ready", [True, False])
def test_exit__already_deactivated__changes_nothing(ready: bool) -> None:
    assert steps(closed((node("a", leaves=True, ready=ready), DEACTIVATED, None))) == []


def test_reentry__machine_ready__goes_to_standby_and_is_not_called_up_in_the_same_epoch() -> None:
    done = closed((node("a"), DEACTIVATED, None))
    assert steps(done) == [("a", "reentry", DEACTIVATED, STANDBY)]


def test_reentry__machine_not_ready__stays_deactivated() -> None:
    assert steps(closed((node("a", ready=False), DEACTIVATED, None))) == []


def test_reentry__heavier_than_a_waiting_node__does_not_push_in() -> None:
    done = closed(
        (node("back", stake=100), DEACTIVATED, None),
        (node("waits", stake=1), STANDBY, None),
        active=1,
        total=2,
    )
    assert statuses(done) == {"back": STANDBY, "waits": ACTIVE}


# --- step 2: release and unready -------------------------------------------------------------


def test_release__confined_until_exactly_the_end__goes_to_reserved() -> None:
    done = closed((node("a"), NodeState(CONFINED, END), TAU - 1))
    assert steps(done) == [("a", "release", CONFINED, RESERVED)]
    assert done.states["a"] == NodeState(RESERVED, 0)


def test_release__one_second_left__stays_confined() -> None:
    done = closed((node("a"), NodeState(CONFINED, END + 1), WAD))
    assert steps(done) == []
    assert done.states["a"] == NodeState(CONFINED, END + 1)


def test_release__machine_not_ready__is_reserved_but_not_promoted() -> None:
    # "Unready" asks for opening and still reserved; the released node opened confined.
    done = closed((node("a", ready=False), NodeState(CONFINED, END), None))
    assert steps(done) == [("a", "release", CONFINED, RESERVED)]


def test_release__into_a_free_active_place__is_ranked_anew() -> None:
    done = closed(
        (node("free", stake=5), NodeState(CONFINED, END), WAD),
        (node("waits", stake=4), RESERVED, WAD),
        active=1,
        total=2,
    )
    assert statuses(done) == {"free": ACTIVE, "waits": RESERVED}
    assert steps(done) == [
        ("free", "release", CONFINED, RESERVED),
        ("free", "promote", RESERVED, ACTIVE),
    ]


def test_unready__reserved_without_a_machine__goes_to_standby_and_is_not_called_up() -> None:
    done = closed((node("a", ready=False), RESERVED, WAD))
    assert steps(done) == [("a", "unready", RESERVED, STANDBY)]


def test_unready__active_without_a_machine__stays_active() -> None:
    assert steps(closed((node("a", ready=False), ACTIVE, TAU))) == []


# --- step 3: confine -------------------------------------------------------------------------


def test_confine__score_one_below_tau__confines_until_a_day_after_the_end() -> None:
    done = closed((node("a"), NodeState(ACTIVE, 0, debt=9), TAU - 1))
    assert steps(done) == [("a", "confine", ACTIVE, CONFINED)]
    assert done.states["a"] == NodeState(CONFINED, END + 86_400, debt=9)
    # The numbers that decided it: the score and tau, as decimals or as WADs.
    reason = done.transitions[0].reason
    assert "0.799999999999999999" in reason or str(TAU - 1) in reason


def test_confine__score_equal_to_tau__passes() -> None:
    assert steps(closed((node("a"), ACTIVE, TAU))) == []


def test_confine__own_confinement_seconds__are_used() -> None:
    done = closed((node("a"), ACTIVE, 0), confinement_seconds=5)
    assert done.states["a"].confined_until == END + 5


def test_confine__reserved_node_below_tau__is_not_confined() -> None:
    assert steps(closed((node("a"), RESERVED, 0))) == []


def test_confine__active_node_that_leaves__exits_instead() -> None:
    done = closed((node("a", leaves=True), ACTIVE, 0))
    assert steps(done) == [("a", "exit", ACTIVE, DEACTIVATED)]


# --- step 4: call up -------------------------------------------------------------------------


def test_call_up__places_free__takes_the_heaviest_then_the_first_id() -> None:
    done = closed(
        (node("c", stake=5), STANDBY, None),
        (node("b", stake=5), STANDBY, None),
        (node("d", stake=6), STANDBY, None),
        (node("a", stake=4), STANDBY, None),
        (node("x"), ACTIVE, WAD),
        active=1,
        total=4,
    )
    assert [move[0] for move in steps(done)] == ["d", "b", "c"]
    assert statuses(done)["a"] == STANDBY


def test_call_up__ids_that_differ_in_case__rank_by_bytes() -> None:
    # "B" (0x42) stands before "a" (0x61), "-" before digits, digits before letters.
    done = closed(
        (node("a"), STANDBY, None),
        (node("B"), STANDBY, None),
        (node("x"), ACTIVE, WAD),
        active=1,
        total=2,
    )
    assert statuses(done) == {"a": STANDBY, "B": RESERVED, "x": ACTIVE}


def test_call_up__machine_not_ready__deactivates_and_looks_further() -> None:
    done = closed(
        (node("big", stake=9, ready=False), STANDBY, None),
        (node("small", stake=1), STANDBY, None),
        (node("x"), ACTIVE, WAD),
        active=1,
        total=2,
    )
    assert steps(done) == [
        ("big", "call_up", STANDBY, DEACTIVATED),
        ("small", "call_up", STANDBY, RESERVED),
    ]


def test_call_up__no_place_free__leaves_an_unready_standby_node_alone() -> None:
    done = closed(
        (node("a", ready=False), STANDBY, None), (node("x"), ACTIVE, WAD), total=1, active=1
    )
    assert steps(done) == []


def test_call_up__confined_nodes__do_not_fill_places() -> None:
    done = closed((node("a"), ACTIVE, 0), (node("b"), STANDBY, None), active=1, total=1)
    assert statuses(done) == {"a": CONFINED, "b": ACTIVE}


# --- step 5: promote -------------------------------------------------------------------------


def test_promote__best_ranked_unfit__is_passed_over() -> None:
    done = closed(
        (node("low", stake=9), RESERVED, TAU - 1),
        (node("fit", stake=1), RESERVED, TAU),
        active=1,
        total=2,
    )
    assert steps(done) == [("fit", "promote", RESERVED, ACTIVE)]


def test_promote__called_up_without_a_score_row__is_fit() -> None:
    done = closed((node("a"), STANDBY, None), active=1, total=1)
    assert steps(done) == [
        ("a", "call_up", STANDBY, RESERVED),
        ("a", "promote", RESERVED, ACTIVE),
    ]


def test_promote__called_up_with_a_score_below_tau__stays_reserved() -> None:
    done = closed((node("a"), STANDBY, TAU - 1), active=1, total=1)
    assert statuses(done) == {"a": RESERVED}


def test_promote__no_place_free__keeps_the_lighter_active_node() -> None:
    done = closed(
        (node("light", stake=1), ACTIVE, TAU),
        (node("heavy", stake=9), RESERVED, WAD),
        active=1,
        total=2,
    )
    assert steps(done) == []


def test_promote__several_places__fills_by_rank() -> None:
    done = closed(
        *((node(f"n{i}", stake=i % 3), RESERVED, WAD) for i in range(6)), active=4, total=6
    )
    assert [move[0] for move in steps(done)] == ["n2", "n5", "n1", "n4"]


# --- step 6: surplus -------------------------------------------------------------------------


def test_surplus__release_over_the_total__sends_the_lowest_ranked_to_standby() -> None:
    done = closed(
        (node("a"), ACTIVE, WAD),
        (node("r1", stake=2), RESERVED, WAD),
        (node("r2", stake=2), RESERVED, WAD),
        (node("back", stake=5), NodeState(CONFINED, END), WAD),
        active=1,
        total=3,
    )
    # Same stake: the later id ranks lower.
    assert steps(done) == [
        ("back", "release", CONFINED, RESERVED),
        ("r2", "surplus", RESERVED, STANDBY),
    ]


def test_surplus__only_active_nodes_above_the_total__demotes_nobody() -> None:
    done = closed(*((node(f"a{i}"), ACTIVE, TAU) for i in range(4)), active=1, total=2)
    assert steps(done) == []


def test_surplus__active_above_total_and_reserved__empties_the_reserve() -> None:
    done = closed(
        *((node(f"a{i}"), ACTIVE, TAU) for i in range(3)),
        (node("r1", stake=3), RESERVED, WAD),
        (node("r2", stake=1), RESERVED, WAD),
        active=1,
        total=2,
    )
    assert [(m[0], m[1]) for m in steps(done)] == [("r2", "surplus"), ("r1", "surplus")]


def test_surplus__released_node_of_lowest_rank__goes_to_standby_itself() -> None:
    done = closed(
        (node("a"), ACTIVE, WAD),
        (node("r", stake=2), RESERVED, WAD),
        (node("back", stake=1), NodeState(CONFINED, END), WAD),
        active=1,
        total=2,
    )
    assert [(m[0], m[1]) for m in steps(done)] == [("back", "release"), ("back", "surplus")]


# --- together --------------------------------------------------------------------------------


def test_close__everything_at_once__keeps_the_order_of_the_steps() -> None:
    done = closed(
        (node("leaves", leaves=True), ACTIVE, WAD),
        (node("drops"), ACTIVE, 0),
        (node("free"), NodeState(CONFINED, END), WAD),
        (node("no-machine", ready=False), RESERVED, WAD),
        (node("waits", stake=3), STANDBY, None),
        (node("waits-unready", stake=4, ready=False), STANDBY, None),
        (node("returns", stake=9), DEACTIVATED, None),
        active=2,
        total=2,
    )
    assert steps(done) == [
        ("leaves", "exit", ACTIVE, DEACTIVATED),
        ("returns", "reentry", DEACTIVATED, STANDBY),
        ("free", "release", CONFINED, RESERVED),
        ("no-machine", "unready", RESERVED, STANDBY),
        ("drops", "confine", ACTIVE, CONFINED),
        ("waits-unready", "call_up", STANDBY, DEACTIVATED),
        ("waits", "call_up", STANDBY, RESERVED),
        ("waits", "promote", RESERVED, ACTIVE),
        ("free", "promote", RESERVED, ACTIVE),
    ]
    assert all(move.reason for move in done.transitions)
