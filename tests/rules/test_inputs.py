from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rewards.rules.records import (
    Address,
    Inputs,
    NodeState,
    Pools,
    Status,
    Wallet,
    Window,
)
from rewards.rules.wct1 import input_problems
from tests.builders import (
    DAY,
    DISTRIBUTOR,
    END,
    START,
    TOKEN,
    address,
    adjustment,
    header,
    inputs,
    node,
    opening,
    policy,
    score,
    second,
    settlement,
    wad,
    wallet,
)

if TYPE_CHECKING:
    from rewards.rules.records import Opening

ACTIVE, RESERVED, STANDBY = Status.ACTIVE, Status.RESERVED, Status.STANDBY
CONFINED, DEACTIVATED = Status.CONFINED, Status.DEACTIVATED

Found = list[tuple[str, str, str, str]]


def found(given: Inputs, before: Opening | None = None) -> Found:
    """Return file, record, column and value of every problem."""
    problems = list(input_problems(given, before))
    assert all(problem.problem and problem.remedy for problem in problems)
    return [(p.file, p.key, p.column, p.value) for p in problems]


def test_input_problems__empty_first_epoch__finds_nothing() -> None:
    assert found(inputs()) == []


def test_input_problems__full_first_epoch__finds_nothing() -> None:
    assert (
        found(
            inputs(
                head=header(pools=Pools(1, 2, 3)),
                nodes=(
                    node("a", status=ACTIVE),
                    node("d", status=DEACTIVATED),
                    node("r", status=RESERVED),
                    node("s", status=STANDBY),
                ),
                node_scores=(score("a"), score("r", uptime=0, requests=0), score("s")),
                wallets=(wallet("w"),),
                adjustments=(adjustment(address(1), -1),),
            )
        )
        == []
    )


# --- settlement target -----------------------------------------------------------------------


@pytest.mark.parametrize("decimals", [0, 6, 17, 19])
def test_settlement__decimals_other_than_18__is_found(decimals: int) -> None:
    expected = [("settlement.toml", "", "decimals", str(decimals))]
    assert found(inputs(target=settlement(decimals=decimals))) == expected


@pytest.mark.parametrize("column", ["distributor", "token"])
def test_settlement__zero_address__is_found(column: str) -> None:
    zero = Address("0x" + "0" * 40)
    assert found(inputs(target=settlement(**{column: zero}))) == [
        ("settlement.toml", "", column, zero)
    ]


def test_settlement__distributor_is_the_token__is_found() -> None:
    assert found(inputs(target=settlement(token=DISTRIBUTOR))) == [
        ("settlement.toml", "", "distributor", DISTRIBUTOR)
    ]


@pytest.mark.parametrize(
    ("column", "value"),
    [("chain_id", 11), ("distributor", address(7)), ("token", address(8))],
)
def test_settlement__changed_after_the_predecessor__is_found(
    column: str, value: int | Address
) -> None:
    given = inputs(head=second(), target=settlement(**{column: value}))
    assert found(given, opening()) == [("settlement.toml", "", column, str(value))]


# --- windows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [START, START - 1])
def test_windows__empty_or_reversed_epoch__is_found(end: int) -> None:
    assert found(inputs(head=header(window=Window(START, end)))) == [
        ("epoch.toml", "", "end", str(end))
    ]


def test_windows__own_activity_window_within_the_epochs_end__is_fine() -> None:
    month = Window(START - 30 * DAY, END)
    assert found(inputs(head=header(wallet_window=month), wallets=())) == []


def test_windows__empty_activity_window__is_found() -> None:
    assert found(inputs(head=header(wallet_window=Window(END, END)))) == [
        ("epoch.toml", "", "wallets.end", str(END))
    ]


def test_windows__activity_after_the_epochs_end__is_found() -> None:
    assert found(inputs(head=header(wallet_window=Window(START, END + 1)))) == [
        ("epoch.toml", "", "wallets.end", str(END + 1))
    ]


@pytest.mark.parametrize(("start", "is_found"), [(END, False), (END - 1, True)])
def test_windows__activity_before_the_last_paid_window_ended__is_found(
    start: int, is_found: bool
) -> None:
    given = inputs(head=second(wallet_window=Window(start, END + 5)), wallets=(wallet("w"),))
    expected = [("epoch.toml", "", "wallets.start", str(start))] if is_found else []
    assert found(given, opening(wallets_end=END)) == expected


# --- predecessor -----------------------------------------------------------------------------


def test_predecessor__forgotten__is_found() -> None:
    assert found(inputs(head=header(genesis=False))) == [("epoch.toml", "", "genesis", "")]


def test_predecessor__given_to_a_first_epoch__is_found() -> None:
    given = inputs(head=replace(second(), genesis=True))
    assert found(given, opening()) == [("epoch.toml", "", "genesis", "true")]


@pytest.mark.parametrize("epoch", [1, 3])
def test_predecessor__another_number__is_found(epoch: int) -> None:
    given = inputs(head=replace(second(), epoch=epoch))
    assert found(given, opening()) == [("epoch.toml", "", "epoch", str(epoch))]


@pytest.mark.parametrize("start", [END - 1, END + 1])
def test_predecessor__gap_or_overlap__is_found(start: int) -> None:
    window = Window(start, END + DAY)
    given = inputs(head=replace(second(), window=window, wallet_window=window))
    assert ("epoch.toml", "", "start", str(start)) in found(given, opening())


@pytest.mark.parametrize(
    ("start", "words"), [(END - 1, "overlaps the predecessor"), (END + 1, "leaves a gap after")]
)
def test_predecessor__gap_and_overlap__are_called_so(start: int, words: str) -> None:
    head = replace(second(), window=Window(start, END + DAY), wallet_window=Window(END, END + DAY))
    (problem,) = input_problems(inputs(head=head), opening())
    assert problem.problem.startswith(words)
    assert problem.value == str(start)


def test_predecessor__another_number__names_the_one_that_comes_next() -> None:
    (problem,) = input_problems(inputs(head=replace(second(), epoch=9)), opening())
    assert problem.remedy.startswith("epoch 2 comes next")


def test_predecessor__first_epoch_with_a_late_number__is_fine() -> None:
    assert found(inputs(head=header(epoch=77))) == []


# --- pools of programs that do not run -------------------------------------------------------


def test_pools__no_wallet_file__must_be_zero() -> None:
    assert found(inputs(head=header(pools=Pools(0, 5, 6)))) == [
        ("epoch.toml", "", "pools.wallets_eligible", "5"),
        ("epoch.toml", "", "pools.wallets_certified", "6"),
    ]


def test_pools__empty_wallet_file__may_have_pools() -> None:
    assert found(inputs(head=header(pools=Pools(0, 5, 6)), wallets=())) == []


def test_pools__no_node_files__must_be_zero() -> None:
    assert found(inputs(head=header(pools=Pools(4, 0, 0)))) == [
        ("epoch.toml", "", "pools.nodes", "4")
    ]


def test_pools__one_node_file_without_the_other__is_found() -> None:
    assert found(inputs(nodes=())) == [("node_scores.csv", "", "", "")]
    assert found(inputs(node_scores=())) == [("nodes.csv", "", "", "")]


# --- policy ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("first_epoch", "is_found"), [(1, False), (5, False), (6, True)])
def test_policy__first_epoch_after_a_genesis__is_found(first_epoch: int, is_found: bool) -> None:
    given = inputs(head=header(epoch=5), rules=policy(first_epoch=first_epoch))
    expected = [("policy.toml", "", "first_epoch", str(first_epoch))] if is_found else []
    assert found(given) == expected


def test_policy__changed_without_first_epoch__names_every_key() -> None:
    changed = policy({"nodes.tau": wad("0.7"), "nodes.share_cap": wad("0.5")})
    assert [
        column for _, _, column, _ in found(inputs(head=second(), rules=changed), opening())
    ] == [
        "nodes.share_cap",
        "nodes.tau",
    ]


def test_policy__parameter_left_out_again__is_found() -> None:
    before = opening(rules=policy({"nodes.share_cap": wad("0.5")}))
    assert found(inputs(head=second()), before) == [("policy.toml", "", "nodes.share_cap", "")]


def test_policy__only_first_epoch_differs__is_found() -> None:
    given = inputs(head=second(), rules=policy(first_epoch=3))
    assert found(given, opening()) == [("policy.toml", "", "first_epoch", "3")]


def test_policy__changed_with_this_epoch_as_its_first__is_fine() -> None:
    changed = policy({"nodes.tau": wad("0.7")}, first_epoch=2)
    assert found(inputs(head=second(), rules=changed), opening()) == []


# --- payees ----------------------------------------------------------------------------------

UNPAYABLE = [
    Address("0x" + "0" * 40),
    Address(f"0x{1:040x}"),
    Address(f"0x{0xFFFF:040x}"),
    DISTRIBUTOR,
    TOKEN,
]


@pytest.mark.parametrize("payee", UNPAYABLE)
def test_payees__not_payable__is_found_in_every_table(payee: Address) -> None:
    given = inputs(
        nodes=(node("n", status=STANDBY, payout=payee),),
        node_scores=(),
        wallets=(wallet("w", payout=payee),),
        adjustments=(adjustment(payee, 1),),
    )
    assert found(given) == [
        ("nodes.csv", "n", "payout_address", payee),
        ("wallet_scores.csv", "w", "payout_address", payee),
        ("adjustments.csv", payee, "payout_address", payee),
    ]


# --- nodes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [None, CONFINED])
def test_nodes__first_epoch_without_a_usable_status__is_found(status: Status | None) -> None:
    given = inputs(nodes=(node("n", status=status),), node_scores=())
    assert found(given) == [("nodes.csv", "n", "status", status or "")]


@pytest.mark.parametrize("status", [None, STANDBY])
def test_nodes__new_after_the_first_epoch__is_on_standby(status: Status | None) -> None:
    given = inputs(head=second(), nodes=(node("n", status=status),), node_scores=())
    assert found(given, opening()) == []


@pytest.mark.parametrize("status", [ACTIVE, RESERVED, CONFINED, DEACTIVATED])
def test_nodes__new_with_another_status__is_found(status: Status) -> None:
    given = inputs(head=second(), nodes=(node("n", status=status),), node_scores=(score("n"),))
    assert found(given, opening()) == [("nodes.csv", "n", "status", status)]


@pytest.mark.parametrize("before", list(Status))
@pytest.mark.parametrize("status", [None, *Status])
def test_nodes__status_column_after_a_predecessor__must_agree_or_be_empty(
    before: Status, status: Status | None
) -> None:
    given = inputs(head=second(), nodes=(node("n", status=status),), node_scores=(score("n"),))
    expected = [] if status in (None, before) else [("nodes.csv", "n", "status", status)]
    assert found(given, opening(nodes={"n": NodeState(before, END)})) == expected


@pytest.mark.parametrize("before", list(Status))
def test_nodes__known_node_left_out__is_found_unless_deactivated(before: Status) -> None:
    given = inputs(head=second(), nodes=(), node_scores=())
    expected = [] if before is DEACTIVATED else [("nodes.csv", "", "node_id", "n")]
    assert found(given, opening(nodes={"n": NodeState(before)})) == expected


def test_nodes__node_program_does_not_run__may_leave_everybody_out() -> None:
    assert found(inputs(head=second()), opening(nodes={"n": NodeState(ACTIVE)})) == []


# --- node scores -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [ACTIVE, RESERVED])
def test_node_scores__paid_node_without_a_row__is_found(status: Status) -> None:
    given = inputs(nodes=(node("n", status=status),), node_scores=())
    assert found(given) == [("node_scores.csv", "", "node_id", "n")]
    given = inputs(head=second(), nodes=(node("n"),), node_scores=())
    before = opening(nodes={"n": NodeState(status)})
    assert found(given, before) == [("node_scores.csv", "", "node_id", "n")]


def test_node_scores__unknown_id__is_found() -> None:
    given = inputs(nodes=(), node_scores=(score("x"),))
    assert found(given) == [("node_scores.csv", "x", "node_id", "x")]


def test_node_scores__deactivated_node_left_out_of_the_registry__is_unknown() -> None:
    given = inputs(head=second(), nodes=(), node_scores=(score("n"),))
    before = opening(nodes={"n": NodeState(DEACTIVATED)})
    assert found(given, before) == [("node_scores.csv", "n", "node_id", "n")]


@pytest.mark.parametrize(("uptime", "is_found"), [(DAY, False), (DAY + 1, True)])
def test_node_scores__uptime_beyond_the_epoch__is_found(uptime: int, is_found: bool) -> None:
    given = inputs(nodes=(node("n", status=ACTIVE),), node_scores=(score("n", uptime=uptime),))
    expected = [("node_scores.csv", "n", "uptime_seconds", str(uptime))] if is_found else []
    assert found(given) == expected


def test_node_scores__uptime_in_the_shortest_epoch__is_held_against_it() -> None:
    head = header(window=Window(START, START + 1))
    given = inputs(
        head=head, nodes=(node("n", status=ACTIVE),), node_scores=(score("n", uptime=2),)
    )
    assert found(given) == [("node_scores.csv", "n", "uptime_seconds", "2")]


def test_node_scores__uptime_in_an_empty_epoch__is_not_a_second_problem() -> None:
    head = header(window=Window(START, START))
    given = inputs(head=head, nodes=(node("n", status=ACTIVE),), node_scores=(score("n"),))
    assert [column for _, _, column, _ in found(given)] == ["end"]


def test_problems__that_a_missing_record_causes__say_so() -> None:
    """So that they stay silent where the record is there but could not be read."""
    given = inputs(head=second(), nodes=(node("new"),), node_scores=(score("x"),))
    before = opening(nodes={"gone": NodeState(STANDBY), "new": NodeState(ACTIVE)})
    problems = list(input_problems(given, before))
    assert [p.value for p in problems] == ["gone", "x", "new"]
    assert all(p.by_absence for p in problems)


def test_problems__in_words__tell_what_the_predecessor_said() -> None:
    capped = policy({"nodes.share_cap": wad("0.5")})
    given = inputs(
        head=second(),
        rules=capped,
        nodes=(node("known", status=ACTIVE), node("new", status=ACTIVE)),
        node_scores=(score("known"), score("new")),
    )
    before = opening(nodes={"known": NodeState(STANDBY)})
    assert [p.problem for p in input_problems(given, before)] == [
        "differs from the predecessor's absence",
        "contradicts the status standby with which the predecessor closed",
        "contradicts the status standby with which a new node starts",
    ]
    (problem,) = input_problems(inputs(head=second()), opening(rules=capped))
    assert problem.problem == "differs from the predecessor's 0.5"


def test_node_scores__response_time_without_requests__is_found() -> None:
    row = score("n", response_time_us=1, requests=0)
    given = inputs(nodes=(node("n", status=ACTIVE),), node_scores=(row,))
    assert found(given) == [("node_scores.csv", "n", "response_time_us", "1")]


# --- everything together ---------------------------------------------------------------------


def test_input_problems__many_mistakes__are_all_found() -> None:
    zero = Address("0x" + "0" * 40)
    given = inputs(
        head=header(genesis=False, window=Window(END, START), pools=Pools(0, 1, 0)),
        rules=policy(first_epoch=9),
        target=settlement(decimals=6, token=zero),
        nodes=(node("n", payout=zero),),
        node_scores=(score("x", uptime=1, response_time_us=1, requests=0),),
    )
    assert [(file, column) for file, _, column, _ in found(given)] == [
        ("settlement.toml", "decimals"),
        ("settlement.toml", "token"),
        ("epoch.toml", "end"),
        ("epoch.toml", "genesis"),
        ("epoch.toml", "pools.wallets_eligible"),
        ("policy.toml", "first_epoch"),
        # No finding on the status: without a predecessor or genesis nobody can say which is right.
        ("nodes.csv", "payout_address"),
        ("node_scores.csv", "node_id"),
        ("node_scores.csv", "response_time_us"),
    ]


def test_input_problems__two_hundred_wallets_of_the_token__are_all_found() -> None:
    wallets: tuple[Wallet, ...] = tuple(wallet(f"w{i:03}", payout=TOKEN) for i in range(200))
    assert len(found(inputs(wallets=wallets))) == 200
