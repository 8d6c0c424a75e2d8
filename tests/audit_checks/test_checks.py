"""Every check on numbers that can be checked by hand: just within its limit, and just beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rewards.audit.checks.catalogue import BY_NAME, CHECKS
from rewards.audit.checks.limits import default_limits
from rewards.audit.checks.model import Earlier, EarlierRow, EarlierTable, Evidence, Severity
from rewards.files.grammar import parse_decimal
from rewards.rules import RULESETS
from rewards.rules.integers import WAD, WCT
from rewards.rules.records import Account, NodeState, Pools, Status
from tests import builders as b

if TYPE_CHECKING:
    from rewards.audit.checks.model import Hit
    from rewards.rules.records import Address, Inputs, Opening

ACTIVE = NodeState(Status.ACTIVE)


def evidence(
    inputs: Inputs, opening: Opening | None = None, earlier: Earlier | None = None
) -> Evidence:
    result = RULESETS["wct-1"].compute_epoch(inputs, opening)
    return Evidence(inputs, opening, result, earlier or Earlier())


def found(name: str, given: Evidence, **limits: Any) -> list[Hit]:
    values = {**default_limits()[name].values, **limits}
    return list(BY_NAME[name].find(given, values))


def said(name: str, hit: Hit) -> str:
    return BY_NAME[name].say(hit.values, hit.limit)


def table(**rows: tuple[int, Address] | tuple[int, Address, int]) -> EarlierTable:
    """Return an earlier table of (amount, address) or (amount, address, score)."""
    return EarlierTable(
        1,
        "0x" + "ab" * 32,
        {
            name: EarlierRow(row[1], row[0], row[2] if len(row) > 2 else None)
            for name, row in rows.items()
        },
    )


def two_nodes(score_a: int = b.DAY, **changes: Any) -> Evidence:
    """Nodes a and b, both active, share a pool of 100 WCT as base: 50 each."""
    return evidence(
        b.inputs(
            head=b.second(Pools(100 * WCT, 0, 0)),
            rules=b.policy(changes.pop("rules", {"nodes.alpha": WAD})),
            nodes=(b.node("a", payout=b.address(1)), b.node("b", payout=b.address(2))),
            node_scores=(b.score("a", uptime=score_a), b.score("b")),
        ),
        b.opening(nodes={"a": ACTIVE, "b": ACTIVE}, **changes.pop("opening", {})),
        Earlier(nodes=changes.pop("nodes", None)),
    )


def wallets(
    *rows: Any, pools: Pools | None = None, rules: dict[str, Any] | None = None
) -> Evidence:
    return evidence(
        b.inputs(
            head=b.header(pools=pools or Pools(0, 100 * WCT, 0)),
            rules=b.policy(rules),
            wallets=tuple(rows),
        )
    )


# --- payees ----------------------------------------------------------------------------------


def test_share_jump__from_60_to_50_percent__passes_a_limit_of_a_tenth() -> None:
    before = table(a=(60, b.address(1)), b=(40, b.address(2)))
    assert not found("share_jump", two_nodes(nodes=before), limit=parse_decimal("0.1"))


def test_share_jump__beyond_the_limit__tells_both_shares() -> None:
    before = table(a=(60, b.address(1)), b=(40, b.address(2)))
    hits = found("share_jump", two_nodes(nodes=before), limit=parse_decimal("0.1") - 1)
    assert [hit.subject for hit in hits] == ["node:a", "node:b"]
    assert hits[0].values == {"share_before": "0.6", "share_after": "0.5", "earlier_epoch": "1"}
    assert "from 60.00% in epoch 1 to 50.00%; limit 9.99%" in said("share_jump", hits[0])


def test_share_jump__an_id_that_was_not_there__is_none() -> None:
    before = table(a=(100, b.address(1)))
    hits = found("share_jump", two_nodes(nodes=before), limit=0)
    assert [hit.subject for hit in hits] == ["node:a"]


def test_share_jump__without_an_earlier_epoch__is_silent() -> None:
    assert not found("share_jump", two_nodes(), limit=0)


@pytest.mark.parametrize(("limit", "hits"), [(50 * WCT, 0), (50 * WCT - 1, 1)])
def test_new_payee__above_the_amount_only(limit: int, hits: int) -> None:
    known = {b.address(2): Account(cumulative=1)}
    given = two_nodes(opening={"ledger": known})
    listed = found("new_payee", given, limit=limit)
    assert [hit.subject for hit in listed] == [b.address(1)][:hits]
    for hit in listed:
        assert hit.values == {"epoch_amount": str(50 * WCT), "ids": "node:a"}


def test_new_payee__in_a_first_epoch__everybody_is_new_and_nobody_named() -> None:
    given = wallets(b.wallet("w"))
    assert given.opening is None
    assert not found("new_payee", given, limit=0)


def test_payout_change__of_a_known_id__is_told_with_both_addresses() -> None:
    before = table(a=(1, b.address(9)), b=(1, b.address(2)))
    (hit,) = found("payout_change", two_nodes(nodes=before))
    assert hit.subject == "node:a"
    assert (hit.values["before"], hit.values["after"]) == (b.address(9), b.address(1))


def test_payout_change__to_the_same_address_or_of_a_new_id__is_none() -> None:
    before = table(a=(1, b.address(1)), gone=(1, b.address(9)))
    assert not found("payout_change", two_nodes(nodes=before))
    assert not found("payout_change", two_nodes())


def test_payout_change_owing__only_while_the_old_address_owes() -> None:
    before = table(a=(1, b.address(9)), b=(1, b.address(2)))
    owing = {"ledger": {b.address(9): Account(cumulative=10, recovery=7)}}
    given = two_nodes(nodes=before, opening=owing)
    (hit,) = found("payout_change_owing", given, limit=6)
    assert hit.subject == "node:a"
    assert hit.values["recovery_out"] == "7"
    assert not found("payout_change_owing", given, limit=7)
    assert not found("payout_change_owing", two_nodes(nodes=before), limit=0)


def test_concentration__adds_up_what_shares_an_address() -> None:
    # Linear: 200,000, 200,000 and 400,000 signatures take a quarter, a quarter and a half.
    given = wallets(
        b.wallet("a", 200_000, payout=b.address(1)),
        b.wallet("b", 200_000, payout=b.address(1)),
        b.wallet("c", 400_000, payout=b.address(2)),
    )
    assert not found("concentration", given, limit=WAD // 2)
    (hit,) = found("concentration", given, limit=WAD // 2 - 1)
    assert hit.subject == "program:wallets"
    assert hit.values == {"largest_share": "0.5", "payees": "2"}


def test_concentration_gini__of_one_and_three__is_a_quarter() -> None:
    given = wallets(
        b.wallet("a", 200_000, payout=b.address(1)), b.wallet("b", 600_000, payout=b.address(2))
    )
    (hit,) = found("concentration_gini", given, limit=WAD // 4 - 1)
    assert hit.values["gini"] == "0.25"
    assert not found("concentration_gini", given, limit=WAD // 4)


def test_concentration_top10__of_ten_payees__says_nothing() -> None:
    ten = [b.wallet(f"w{i:02d}", 200_000, payout=b.address(i + 1)) for i in range(10)]
    assert not found("concentration_top10", wallets(*ten), limit=0)
    more = wallets(*ten, b.wallet("w10", 200_000, payout=b.address(11)))
    (hit,) = found("concentration_top10", more, limit=0)
    assert hit.values == {"top10_share": "0.90909090909090909", "payees": "11"}


def test_shared_address__counts_wallets_and_nodes_apart() -> None:
    given = wallets(
        b.wallet("a", payout=b.address(1)),
        b.wallet("b", payout=b.address(1)),
        b.wallet("c", payout=b.address(2)),
    )
    (hit,) = found("shared_address", given, limit=1)
    assert hit.subject == b.address(1)
    assert hit.values == {"wallets_count": "2", "wallets": "a b"}
    assert not found("shared_address", given, limit=2)


# --- scores ----------------------------------------------------------------------------------


def test_score_drift__half_a_day_down__is_half_a_score() -> None:
    before = table(a=(1, b.address(1), WAD), b=(1, b.address(2), WAD))
    given = two_nodes(score_a=b.DAY // 2, nodes=before)
    (hit,) = found("score_drift", given, limit=WAD // 2 - 1)
    assert hit.values == {"score_before": "1", "score_after": "0.5", "earlier_epoch": "1"}
    assert not found("score_drift", given, limit=WAD // 2)


def test_score_drift__of_a_node_without_a_score__is_none() -> None:
    before = table(a=(1, b.address(1)), b=(1, b.address(2), WAD))
    assert not found("score_drift", two_nodes(score_a=0, nodes=before), limit=0)


@pytest.mark.parametrize(
    ("signatures", "is_found"),
    [(99_999, False), (100_000, True), (100_001, True), (100_100, True), (100_101, False)],
)
def test_at_threshold__exactly_or_just_above(signatures: int, is_found: bool) -> None:
    given = wallets(b.wallet("w", signatures))
    assert bool(found("at_threshold", given, limit=parse_decimal("0.001"))) is is_found


def test_at_threshold__tells_whether_it_pays() -> None:
    (exactly,) = found("at_threshold", wallets(b.wallet("w", 100_000)))
    (over,) = found("at_threshold", wallets(b.wallet("w", 100_001)))
    assert said("at_threshold", exactly) == (
        "activity 100000, exactly at the threshold; gets 0.00 WCT"
    )
    assert said("at_threshold", over) == "activity 100001, 1 above the threshold; gets 100.00 WCT"


def test_certified_without_stake__up_to_the_limit() -> None:
    given = wallets(
        b.wallet("none", certified=True),
        b.wallet("some", certified=True, stake=5 * WCT),
        b.wallet("below", 10, certified=True),
        b.wallet("plain"),
        pools=Pools(0, 0, WCT),
    )
    assert [h.subject for h in found("certified_without_stake", given)] == ["wallet:none"]
    at_five = found("certified_without_stake", given, limit=5 * WCT)
    assert [h.subject for h in at_five] == ["wallet:none", "wallet:some"]


def test_signatures_per_connection__beyond_the_limit_and_without_connections() -> None:
    given = wallets(
        b.wallet("even", 200_000, connections=20_000),
        b.wallet("over", 200_000, connections=19_999),
        b.wallet("none", 200_000, connections=0),
        b.wallet("unpaid", 1_000, connections=1),
    )
    hits = found("signatures_per_connection", given, limit=10 * WAD)
    assert [hit.subject for hit in hits] == ["wallet:over", "wallet:none"]


# --- money -----------------------------------------------------------------------------------


def test_pool_plan__away_from_the_plan_either_way() -> None:
    given = two_nodes()
    assert not found("pool_plan", given)
    assert not found("pool_plan", given, nodes=100 * WCT)
    for plan in (99 * WCT, 101 * WCT):
        (hit,) = found("pool_plan", given, nodes=plan)
        assert hit.subject == "pool:nodes"
        assert (hit.values["approved"], hit.values["plan"]) == (str(100 * WCT), str(plan))
    assert not found("pool_plan", given, nodes=99 * WCT, limit=parse_decimal("0.02"))


def test_pool_plan__of_a_program_that_does_not_run__is_none() -> None:
    assert not found("pool_plan", two_nodes(), wallets_eligible=WCT)


def test_pool_plan__total__against_everything_allotted() -> None:
    assert not found("pool_plan", two_nodes(), total=100 * WCT)
    (hit,) = found("pool_plan", two_nodes(), total=100 * WCT - 1)
    assert hit.subject == "pool:total"
    assert hit.values["cumulative_total"] == str(100 * WCT)


def test_untakeable__three_members_of_a_quarter__leave_a_quarter() -> None:
    three = [b.wallet(name, payout=b.address(i)) for i, name in enumerate("abc", start=1)]
    capped = {"wallets.share_cap": WAD // 4}
    (hit,) = found("untakeable", wallets(*three, rules=capped))
    assert hit.subject == "pool:wallets_eligible"
    assert hit.values == {
        "pool": str(100 * WCT),
        "members": "3",
        "cap": "0.25",
        "untakeable": str(25 * WCT),
    }
    four = [*three, b.wallet("d", payout=b.address(4))]
    assert not found("untakeable", wallets(*four, rules=capped))


def test_untakeable__a_pool_without_members() -> None:
    (hit,) = found("untakeable", wallets(b.wallet("w", 10)))
    assert hit.values["untakeable"] == str(100 * WCT)


def test_policy_change__names_the_parameter_but_not_its_approval() -> None:
    given = two_nodes(rules={"nodes.alpha": WAD // 4})
    (hit,) = found("policy_change", given)
    assert hit.subject == "policy:nodes.alpha"
    assert hit.values == {"before": "0.5", "after": "0.25"}


def test_policy_change__of_the_same_policy__is_none() -> None:
    assert not found("policy_change", two_nodes(rules={}))
    assert not found("policy_change", wallets(b.wallet("w")))


# --- the catalogue ---------------------------------------------------------------------------


def test_defaults__never_block() -> None:
    assert {check.severity for check in CHECKS} <= {Severity.INFO, Severity.WARNING}


def test_names__are_unique_and_limits_are_called_limit() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        assert not check.parameters or check.parameters[0].key == "limit"
