"""Hypothesis strategies of the domain: policies, rosters, wallets, whole seasons.

Everything drawn is valid input. Ids and addresses come from small sets, so that payees are shared,
ranks tie and nodes come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from rewards.rules.integers import WAD
from rewards.rules.records import (
    Account,
    Adjustment,
    EpochHeader,
    EpochResult,
    Inputs,
    Node,
    NodeScore,
    NodeState,
    Opening,
    Policy,
    Pools,
    Status,
    Wallet,
    Window,
)
from rewards.rules.wct1 import compute_epoch
from tests.builders import DAY, START, address, policy, settlement

if TYPE_CHECKING:
    from collections.abc import Callable

ratios = st.integers(0, WAD) | st.sampled_from([0, WAD // 2, WAD * 4 // 5, WAD])
caps = st.none() | st.integers(1, WAD) | st.sampled_from([WAD // 3, WAD // 10])
pools = st.integers(0, 1_000) | st.integers(0, 10**27)
stakes = st.integers(0, 3) | st.integers(0, 10**25)
identifiers = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,5}", fullmatch=True)
payees = st.integers(1, 5).map(address)
statuses = st.sampled_from([s for s in Status if s is not Status.CONFINED])


@st.composite
def policies(
    draw: st.DrawFn, *, uncapped: bool = False, split: str | None = None, first_epoch: int = 1
) -> Policy:
    """A policy within the bounds of section 7; small targets, so that small rosters move."""
    choice = st.sampled_from
    tau = draw(st.integers(1, WAD - 1) | st.just(WAD * 4 // 5))
    combine = draw(choice(["product", "weighted_mean"]))
    if combine == "product":
        # tau <= w / 1 <= 1, in either order.
        weights = [WAD, draw(st.integers(tau, WAD))]
        uptime, latency = draw(st.permutations(weights))
    else:
        uptime, latency = draw(st.integers(0, 3 * WAD)), draw(st.integers(1, 3 * WAD))
    target = draw(st.integers(0, 300_000))
    active = draw(st.integers(1, 4))
    changes: dict[str, Any] = {
        "performance.uptime_weight": uptime,
        "performance.latency_weight": latency,
        "performance.latency_target_us": target,
        "performance.latency_ceiling_us": target + draw(st.integers(1, 2_000_000)),
        "performance.combine": combine,
        "nodes.tau": tau,
        "nodes.active_target": active,
        "nodes.total_target": active + draw(st.integers(0, 3)),
        "nodes.confinement_seconds": draw(st.sampled_from([1, DAY, DAY + 1, 3 * DAY])),
        "nodes.alpha": draw(ratios),
        "nodes.reserved_factor": draw(ratios),
        "nodes.base_weighting": draw(choice(["equal", "stake"])),
        "nodes.weighting": draw(choice(["stake", "equal"])),
        "nodes.bonus_split": split or draw(choice(["absolute", "pro_rata"])),
        "nodes.penalty_rate": draw(st.integers(0, 10 * WAD) | choice([WAD, 10 * WAD])),
        "nodes.carry_debt": draw(st.booleans()),
        "nodes.share_cap": None if uncapped else draw(caps),
        "wallets.threshold": draw(choice([0, 1, 100, 100_000])),
        "wallets.threshold_rule": draw(choice(["over", "at_least"])),
        "wallets.activity": draw(choice(["signatures", "connections", "sum"])),
        "wallets.measure": draw(choice(["total", "excess"])),
        "wallets.min_stake_eligible": draw(st.integers(0, 2)),
        "wallets.min_stake_certified": draw(st.integers(0, 2)),
        "wallets.certified_in_eligible_pool": draw(st.booleans()),
        "wallets.eligible_exponent": (draw(st.integers(1, 8)), draw(st.integers(1, 8))),
        "wallets.certified_exponent": (draw(st.integers(1, 8)), draw(st.integers(1, 8))),
        "wallets.share_cap": None if uncapped else draw(caps),
    }
    return policy(changes, first_epoch=first_epoch)


@st.composite
def score_rows(draw: st.DrawFn, node_id: str, rules: Policy) -> NodeScore:
    """A row of `node_scores.csv`, often perfect, sometimes empty, else anywhere."""
    performance = rules.parameters.performance
    requests = draw(st.sampled_from([0, 1, 7]) | st.integers(1, 10**9))
    mean = draw(
        st.sampled_from([0, performance.latency_target_us, performance.latency_ceiling_us])
        | st.integers(0, performance.latency_ceiling_us)
    )
    uptime = draw(st.sampled_from([0, DAY, DAY * 4 // 5]) | st.integers(0, DAY))
    return NodeScore(node_id, uptime, mean * requests, requests)


@st.composite
def wallets(draw: st.DrawFn, wallet_id: str, rules: Policy) -> Wallet:
    """A row of `wallet_scores.csv`, often near the threshold."""
    threshold = rules.parameters.wallets.threshold
    activity = st.integers(max(threshold - 2, 0), threshold + 2) | st.integers(0, 10**7)
    return Wallet(
        wallet_id,
        draw(payees),
        draw(activity),
        draw(activity),
        draw(st.booleans()),
        draw(ratios),
        draw(st.integers(0, 3)),
    )


adjustments = st.builds(
    Adjustment,
    payees,
    st.integers(-(10**6), 10**6) | st.integers(-(10**27), 10**27),
    st.just("a correction"),
    st.sampled_from(["the council", "a vote"]),
)


@dataclass(frozen=True)
class Step:
    """One epoch of a season: what came in and what came out."""

    inputs: Inputs
    opening: Opening | None
    result: EpochResult


def opening_after(step: Step) -> Opening:
    """Return the step's result as its successor opens on it."""
    ledger = {
        row.account: Account(row.cumulative, row.recovery_out) for row in step.result.allocations
    }
    return Opening(step.result.closing, ledger, "0x" + "00" * 32)


@st.composite
def epochs(
    draw: st.DrawFn,
    before: Opening | None = None,
    policies_of: Callable[..., st.SearchStrategy[Policy]] = policies,
) -> Inputs:
    """The valid inputs of an epoch that follows `before`."""
    number = before.state.epoch + 1 if before else draw(st.integers(1, 3))
    start = before.state.end if before else START
    window = Window(start, start + DAY)
    rules = draw(policies_of(first_epoch=number))
    known: dict[str, NodeState] = dict(before.state.nodes) if before else {}

    nodes: tuple[Node, ...] | None = None
    scores: tuple[NodeScore, ...] | None = None
    if draw(st.sampled_from([True, True, True, False])):
        ids = set(draw(st.lists(identifiers, max_size=7)))
        ids |= {
            k for k, s in known.items() if s.status is not Status.DEACTIVATED or draw(st.booleans())
        }
        rows, score_list = [], []
        for node_id in sorted(ids):
            status = draw(statuses) if before is None else None
            row = Node(
                node_id,
                draw(payees),
                draw(stakes),
                draw(st.sampled_from([True, True, False])),
                draw(st.sampled_from([False, False, False, True])),
                status,
            )
            opens = status or (known[node_id].status if node_id in known else Status.STANDBY)
            rows.append(row)
            if opens in (Status.ACTIVE, Status.RESERVED) or draw(st.booleans()):
                score_list.append(draw(score_rows(node_id, rules)))
        nodes, scores = tuple(rows), tuple(score_list)

    wallet_rows: tuple[Wallet, ...] | None = None
    if draw(st.booleans()):
        wallet_ids = sorted(set(draw(st.lists(identifiers, max_size=7))))
        wallet_rows = tuple(draw(wallets(wallet_id, rules)) for wallet_id in wallet_ids)
    corrections = draw(st.none() | st.lists(adjustments, max_size=4))
    return Inputs(
        EpochHeader(
            number,
            before is None,
            window,
            Pools(
                draw(pools) if nodes is not None else 0,
                draw(pools) if wallet_rows is not None else 0,
                draw(pools) if wallet_rows is not None else 0,
            ),
            window,
        ),
        rules,
        settlement(),
        nodes,
        scores,
        wallet_rows,
        None
        if corrections is None
        else tuple(
            sorted(corrections, key=lambda a: (a.payout_address, a.amount, a.reason, a.approved_by))
        ),
    )


@st.composite
def seasons(
    draw: st.DrawFn,
    length: int = 3,
    policies_of: Callable[..., st.SearchStrategy[Policy]] = policies,
) -> list[Step]:
    """One to `length` consecutive epochs, each computed on the one before."""
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, length))):
        before = opening_after(steps[-1]) if steps else None
        inputs = draw(epochs(before, policies_of))
        steps.append(Step(inputs, before, compute_epoch(inputs, before)))
    return steps
