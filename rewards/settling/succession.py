"""A new contract: the first epoch of a new season, which takes over what the old one still owes.

Amounts are cumulative per contract, so a new contract given the old amounts would pay them all
again. It starts instead from cumulative minus claimed, and only once the old one is retired: then
`claimed` is final, nobody can claim there any more, and what was unclaimed went back to the
treasury, which funds the new contract.

What is carried, by account: what it has not claimed, less what is still to be recovered from it;
and for a node's debt the payout address owes it. All of it goes through `adjustments.csv`, so it is
published, approved and recomputed like any other amount. What a first epoch cannot carry is told:
the end of a confinement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rewards.chain.distributor import Distributor
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.inputs import check_inputs, read_inputs
from rewards.rules.records import Adjustment, Status
from rewards.settling.history import base_findings, trace, within
from rewards.settling.onchain import read_contract

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rewards.chain.agreement import Sight
    from rewards.files.published import PublishedEpoch
    from rewards.files.season import Season
    from rewards.rules.records import Inputs, Node, Opening, Settlement
    from rewards.settling.onchain import Contract


@dataclass(frozen=True, slots=True)
class Retired:
    """The old contract's final word.

    Attributes:
        address: Where it lies.
        claimed: What each account of the old history was paid, in base units.
    """

    address: str
    claimed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Succession:
    """The first epoch on the new contract, and what whoever settles it must know.

    Attributes:
        inputs: Its inputs, ready to be written.
        taken_over: What the old contract still owed to accounts, in base units.
        recovered: What they still owed, and nodes' debts, in base units.
        notes: What could not be carried over as it was.
    """

    inputs: Inputs
    taken_over: int
    recovered: int
    notes: tuple[str, ...]


def read_retired(sight: Sight, season: Season, last: PublishedEpoch) -> Retired:
    """Return what the old contract has paid, once that can never change again.

    Raises:
        CheckFailed: It is not retired, was not settled from this history, or has paid accounts
            that the history does not know.
    """
    contract = read_contract(sight, last.manifest.distributor)
    if not contract.settings.retired:
        raise CheckFailed(
            Finding(
                contract.address,
                "is not retired: what is claimed there could still rise, and be paid twice",
                "schedule `retire`, make it after the delay, and wait until it is final",
            )
        )
    _require_its_history(season, last, contract)
    accounts = [row.account for row in last.allocations if row.cumulative]
    paid = sight.read(
        "claimed amounts",
        lambda endpoint, at: Distributor(endpoint, contract.address).claimed(
            accounts, at, sight.reporter("claimed amounts")
        ),
    )
    if sum(paid) != contract.active.claimed_total:
        raise CheckFailed(
            Finding(
                contract.address,
                f"has paid {contract.active.claimed_total} base units, this history's accounts "
                f"{sum(paid)}",
                "find the history that was settled; nothing can be taken over from this one",
            )
        )
    return Retired(contract.address, dict(zip(accounts, paid, strict=True)))


def _require_its_history(season: Season, last: PublishedEpoch, contract: Contract) -> None:
    active = contract.active
    if (last.manifest.epoch, last.manifest.hash) == (
        active.epoch,
        "0x" + active.manifest_hash.hex(),
    ):
        return
    history = trace(last, active.epoch, within(season))
    findings = base_findings(history, active, contract.initial_epoch)
    if findings:
        raise CheckFailed(findings)


def succeed(
    folder: Path,
    last: PublishedEpoch,
    retired: Retired,
    target: Settlement,
    approved_by: str,
) -> Succession:
    """Return the first epoch on the new contract.

    Args:
        folder: The inputs of the next epoch, written as if the old contract went on: so its
            windows, nodes and policy are held against the last epoch like any other.
        last: The last published epoch of the old season, activated or not.
        retired: What the old contract has paid.
        target: The new contract.
        approved_by: Who approves taking over, for `adjustments.csv`.

    Raises:
        InvalidInput: The inputs are not those of the next epoch; or the target is the old one.
        CheckFailed: An account was paid more than it ever had.
    """
    old = (last.manifest.chain_id, last.manifest.distributor)
    if (target.chain_id, target.distributor) == old:
        raise InvalidInput(
            Finding(
                "settlement.toml",
                "names the old contract",
                "name the new one, as `rewards deploy` wrote it",
                column="distributor",
                value=target.distributor,
            )
        )
    opening = last.opening_for_successor()
    inputs = check_inputs(read_inputs(folder), opening)
    accounts = list(_of_accounts(opening, retired, approved_by))
    debts = list(_of_nodes(opening, inputs, retired, approved_by))
    carried = [*accounts, *debts]
    nodes, notes = _nodes_with_status(inputs.nodes, opening)
    first = replace(
        inputs,
        header=replace(inputs.header, genesis=True, supersedes=None, reason=None),
        settlement=target,
        nodes=nodes,
        adjustments=tuple(sorted([*(inputs.adjustments or ()), *carried], key=_order)),
    )
    return Succession(
        first,
        sum(row.amount for row in carried if row.amount > 0),
        -sum(row.amount for row in carried if row.amount < 0),
        (*notes, *_lost_nodes(inputs.nodes, opening)),
    )


def _order(row: Adjustment) -> tuple[str, int, str]:
    return row.payout_address, row.amount, row.reason


def _of_accounts(opening: Opening, retired: Retired, approved_by: str) -> Iterator[Adjustment]:
    for account, held in sorted(opening.ledger.items()):
        paid = retired.claimed.get(account, 0)
        if paid > held.cumulative:
            raise CheckFailed(
                Finding(
                    retired.address,
                    f"has paid {account} more than its cumulative amount {held.cumulative}",
                    "find out why before anything is taken over",
                    value=str(paid),
                )
            )
        unclaimed = held.cumulative - paid
        origin = f"taken over from {retired.address} after epoch {opening.state.epoch}"
        if unclaimed:
            reason = f"{origin}: cumulative {held.cumulative} less claimed {paid}"
            yield Adjustment(account, unclaimed, reason, approved_by)
        if held.recovery:
            yield Adjustment(account, -held.recovery, f"{origin}: to be recovered", approved_by)


def _of_nodes(
    opening: Opening, inputs: Inputs, retired: Retired, approved_by: str
) -> Iterator[Adjustment]:
    """Yield the nodes' debts, which their payout addresses owe from now on."""
    payout = {node.node_id: node.payout_address for node in inputs.nodes or ()}
    for node_id, state in sorted(opening.state.nodes.items()):
        if state.debt and node_id in payout:
            reason = f"taken over from {retired.address}: debt of node {node_id}"
            yield Adjustment(payout[node_id], -state.debt, reason, approved_by)


def _nodes_with_status(
    nodes: Sequence[Node] | None, opening: Opening
) -> tuple[tuple[Node, ...] | None, list[str]]:
    """Return the nodes with the status that they close with: a first epoch has nobody to ask."""
    if nodes is None:
        return None, []
    notes, given = [], []
    for node in nodes:
        state = opening.state.nodes.get(node.node_id)
        status = state.status if state else Status.STANDBY
        if state and status is Status.CONFINED:
            status = Status.STANDBY
            notes.append(
                f"node {node.node_id} was confined; a first epoch knows no confinement: standby"
            )
        given.append(replace(node, status=status))
    return tuple(given), notes


def _lost_nodes(nodes: Sequence[Node] | None, opening: Opening) -> Iterator[str]:
    listed = {node.node_id for node in nodes or ()}
    for node_id, state in sorted(opening.state.nodes.items()):
        if node_id not in listed:
            debt = f" and a debt of {state.debt} base units" if state.debt else ""
            yield f"node {node_id} ({state.status}{debt}) is not listed: it is not carried over"
