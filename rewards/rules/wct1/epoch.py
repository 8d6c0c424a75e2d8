"""One epoch, section by section: scores, status, node pay, wallet pay, ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.rules.records import (
    Allocation,
    EpochResult,
    Identity,
    Inputs,
    NodeResult,
    NodeState,
    Opening,
    State,
    Status,
    Transition,
    sum_of,
)
from rewards.rules.wct1.ledger import allocate, sums
from rewards.rules.wct1.lifecycle import Lifecycle, opening_states
from rewards.rules.wct1.node_pay import NodePool, pay_nodes
from rewards.rules.wct1.scores import Performance, performance
from rewards.rules.wct1.wallet_pay import WalletPools, pay_wallets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rewards.rules.wct1.policy import Parameters


@dataclass(frozen=True, slots=True)
class Stages:
    """Everything on the way to an epoch's result; `explain` reads the numbers in between here."""

    performances: Mapping[str, Performance]
    opening_states: Mapping[str, NodeState]
    closing_states: Mapping[str, NodeState]
    transitions: tuple[Transition, ...]
    node_pool: NodePool
    wallet_pools: WalletPools
    allocations: Sequence[Allocation]


def compute_stages(inputs: Inputs, opening: Opening | None) -> Stages:
    """Compute the stages of an epoch; a program that does not run has no rows."""
    header = inputs.header
    parameters: Parameters = inputs.policy.parameters
    nodes = inputs.nodes or ()

    performances = {
        row.node_id: performance(row, header.window.seconds, parameters.performance)
        for row in inputs.node_scores or ()
    }
    carried = opening.state.nodes if opening else None
    at_opening = opening_states(nodes, carried)
    lifecycle = Lifecycle(nodes, at_opening, performances, parameters.nodes, header.window.end)
    if inputs.nodes is not None:
        lifecycle.close()
    node_pool = pay_nodes(header.pools.nodes, nodes, at_opening, performances, parameters.nodes)
    wallets, ledger = inputs.wallets or (), opening.ledger if opening else {}
    adjustments = inputs.adjustments or ()
    node_amounts = sums(
        (node.payout_address, pay.paid) for node, pay in zip(nodes, node_pool.pays, strict=True)
    )
    allocations: Sequence[Allocation]
    if isinstance(wallets, tuple) and isinstance(ledger, dict):
        wallet_pools = pay_wallets(header.pools, wallets, parameters.wallets)
        wallet_amounts = sums((row.payout_address, row.amount) for row in wallet_pools.rows)
        allocations = allocate(node_amounts, wallet_amounts, adjustments, ledger)
    else:
        from rewards.rules.wct1 import columns  # noqa: PLC0415 - a small epoch needs no numpy

        pay = pay_wallets if isinstance(wallets, tuple) else columns.pay_wallets
        wallet_pools = pay(header.pools, wallets, parameters.wallets)
        allocations = columns.allocate(node_amounts, wallet_pools.rows, adjustments, ledger)
    return Stages(
        performances,
        at_opening,
        lifecycle.states,
        # A stable sort: one node's changes stay in the order in which they happened.
        tuple(sorted(lifecycle.transitions, key=lambda move: move.node_id)),
        node_pool,
        wallet_pools,
        allocations,
    )


def compute_epoch(inputs: Inputs, opening: Opening | None) -> EpochResult:
    """Return every published stage of an epoch and the state for the next one."""
    stages = compute_stages(inputs, opening)
    return EpochResult(
        nodes=tuple(_node_results(inputs, stages)),
        transitions=stages.transitions,
        wallets=stages.wallet_pools.rows,
        allocations=stages.allocations,
        identities=tuple(_identities(inputs, stages)),
        closing=_closing_state(inputs, opening, stages),
    )


def _node_results(inputs: Inputs, stages: Stages) -> Iterator[NodeResult]:
    for node, pay in zip(inputs.nodes or (), stages.node_pool.pays, strict=True):
        closing = stages.closing_states[node.node_id]
        scored = stages.performances.get(node.node_id)
        yield NodeResult(
            node_id=node.node_id,
            payout_address=node.payout_address,
            opening_status=stages.opening_states[node.node_id].status,
            closing_status=closing.status,
            confined_until=closing.confined_until if closing.status is Status.CONFINED else None,
            uptime=scored.uptime if scored else None,
            latency_score=scored.latency_score if scored else None,
            score=scored.score if scored else None,
            pay_factor=pay.pay_factor,
            base=pay.base,
            bonus=pay.bonus,
            penalty=pay.penalty,
            debt_in=pay.debt_in,
            debt_out=pay.debt_out,
            withheld=pay.withheld,
            paid=pay.paid,
        )


def _closing_state(inputs: Inputs, opening: Opening | None, stages: Stages) -> State:
    carried = dict(opening.state.nodes) if opening else {}
    for node, pay in zip(inputs.nodes or (), stages.node_pool.pays, strict=True):
        state = stages.closing_states[node.node_id]
        carried[node.node_id] = NodeState(state.status, state.confined_until, pay.debt_out)
    wallets_end = opening.state.wallets_end if opening else 0
    if inputs.wallets is not None:
        wallets_end = inputs.header.wallet_window.end
    return State(
        epoch=inputs.header.epoch,
        end=inputs.header.window.end,
        wallets_end=wallets_end,
        settlement=inputs.settlement,
        policy=inputs.policy.canonical,
        nodes=dict(sorted(carried.items())),
    )


def _identities(inputs: Inputs, stages: Stages) -> Iterator[Identity]:
    pools, pays = inputs.header.pools, stages.node_pool.pays
    yield Identity(
        "nodes",
        ("pool", pools.nodes),
        {
            "paid": sum(pay.paid for pay in pays),
            "withheld": sum(pay.withheld for pay in pays),
            "unallocated": stages.node_pool.unallocated,
        },
    )
    for name, pool, divided in (
        ("wallets_eligible", pools.wallets_eligible, stages.wallet_pools.eligible),
        ("wallets_certified", pools.wallets_certified, stages.wallet_pools.certified),
    ):
        yield Identity(
            name,
            ("pool", pool),
            {"paid": divided.total, "withheld": 0, "unallocated": pool - divided.total},
        )
    rows = stages.allocations
    yield Identity(
        "ledger",
        ("epoch_amount", sum_of(rows, "epoch_amount")),
        {
            "node_paid": sum(pay.paid for pay in pays),
            "wallet_amount": sum_of(stages.wallet_pools.rows, "amount"),
            "adjustments": sum(a.amount for a in inputs.adjustments or ()),
            "recovery_out": sum_of(rows, "recovery_out"),
        },
        {"recovery_in": sum_of(rows, "recovery_in")},
    )
    yield Identity(
        "cumulative",
        ("cumulative_total", sum_of(rows, "cumulative")),
        {
            "previous_cumulative_total": sum_of(rows, "previous_cumulative"),
            "epoch_amount": sum_of(rows, "epoch_amount"),
        },
    )
