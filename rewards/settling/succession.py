"""A new contract: the first epoch of a new season, which takes over what the old one still owes.

Amounts are cumulative per contract, so a new contract given the old amounts would pay them all
again. It starts instead from cumulative minus claimed, and only once the old one is retired: then
`claimed` is final, nobody can claim there any more, and what was unclaimed went back to the
treasury, which funds the new contract.

Nobody gets more or less for the change of contract. The first epoch is computed as if the old one
went on, and adjustments make the new one come to the same:

    cumulative on the new contract = cumulative - claimed + epoch amount, had the old one gone on

So what is unclaimed is owed in full, and what is to be recovered from an account, or of a node's
debt, is taken from what this epoch pays and from nothing else. What that leaves open must be in the
adjustments of the epoch after it: in this one it would be taken from what is unclaimed. It is
written to the season's `carried/`, and no command computes that epoch without it.

All of it goes through `adjustments.csv`, so it is published, approved and recomputed like any other
amount. What a first epoch cannot carry is told: the end of a confinement, and that the rest of a
node's debt is owed by its payout address.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rewards.chain.distributor import Distributor
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.inputs import check_inputs, read_inputs
from rewards.rules import RULESETS
from rewards.rules.records import Address, Adjustment, Status
from rewards.settling.history import base_findings, trace, within
from rewards.settling.onchain import read_contract

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rewards.chain.agreement import Sight
    from rewards.files.published import PublishedEpoch
    from rewards.files.season import Season
    from rewards.rules.records import EpochResult, Inputs, Node, Opening, Settlement
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
        recovered: What this epoch recovers from accounts and of nodes' debts, in base units.
        left: What is still to be recovered after it, in base units.
        carried: Of that, what the next epoch's adjustments must hold; the ledger has the rest.
        notes: What could not be carried over as it was.
    """

    inputs: Inputs
    taken_over: int
    recovered: int
    left: int
    carried: tuple[Adjustment, ...]
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
    inputs = check_inputs(read_inputs(folder, by_column=False), opening)
    nodes, notes = _nodes_with_status(inputs.nodes, opening)
    first = replace(
        inputs,
        header=replace(inputs.header, genesis=True, supersedes=None, reason=None),
        settlement=target,
        nodes=nodes,
    )
    compute_epoch = RULESETS[inputs.policy.ruleset].compute_epoch
    books = _Books(opening, retired, compute_epoch(inputs, opening), compute_epoch(first, None))
    rows = [
        Adjustment(account, amount, f"{books.origin}: {why}", approved_by)
        for account in books.accounts
        for amount, why in books.rows(account)
    ]
    carried = [
        Adjustment(account, -amount, f"{books.origin}: {why}", approved_by)
        for account in books.accounts
        for amount, why in books.carried(account)
    ]
    return Succession(
        replace(first, adjustments=tuple(sorted([*(inputs.adjustments or ()), *rows], key=_order))),
        sum(map(books.unclaimed, books.accounts)),
        sum(max(-books.difference(account), 0) for account in books.accounts),
        sum(map(books.left, books.accounts)),
        tuple(sorted(carried, key=_order)),
        (*notes, *_lost_nodes(inputs.nodes, opening)),
    )


def _order(row: Adjustment) -> tuple[str, int, str]:
    return row.payout_address, row.amount, row.reason


class _Books:
    """The first epoch twice: as the old contract would have gone on, and by itself on the new one.

    Amounts are base units.
    """

    def __init__(
        self, opening: Opening, retired: Retired, went_on: EpochResult, alone: EpochResult
    ) -> None:
        self._epoch = opening.state.epoch + 1
        self.origin = f"taken over from {retired.address} after epoch {opening.state.epoch}"
        self._held, self._paid = dict(opening.ledger.items()), retired.claimed
        self._went_on = {row.account: row for row in went_on.allocations}
        self._alone = {row.account: row for row in alone.allocations}
        own_debts = {node.node_id: node.debt_out for node in alone.nodes}
        self._debts: dict[Address, list[tuple[int, str]]] = {}
        for node in went_on.nodes:
            debt = node.debt_out - own_debts[node.node_id]
            if debt:
                why = f"debt of node {node.node_id}, still to be recovered"
                self._debts.setdefault(node.payout_address, []).append((debt, why))
        self.accounts = sorted({*self._held, *self._went_on, *self._alone, *self._debts})
        for account in self.accounts:
            self._require_covered(account, retired.address)

    def _require_covered(self, account: Address, contract: str) -> None:
        cumulative, paid = self._cumulative(account), self._paid.get(account, 0)
        if paid > cumulative:
            raise CheckFailed(
                Finding(
                    contract,
                    f"has paid {account} more than its cumulative amount {cumulative}",
                    "find out why before anything is taken over",
                    value=str(paid),
                )
            )

    def _cumulative(self, account: Address) -> int:
        held = self._held.get(account)
        return held.cumulative if held else 0

    def unclaimed(self, account: Address) -> int:
        """Return what the old contract owes to the account."""
        return self._cumulative(account) - self._paid.get(account, 0)

    def difference(self, account: Address) -> int:
        """Return what leads from the epoch by itself to what it would have paid: mostly negative.

        It is positive where the epoch's own negative adjustments exceed what it pays: the old
        contract would have recovered the rest later, never from what is unclaimed.
        """
        went_on, alone = self._went_on.get(account), self._alone.get(account)
        due = went_on.epoch_amount if went_on else 0
        return due - (alone.node_amount + alone.wallet_amount + alone.adjustment if alone else 0)

    def _open(self, account: Address) -> list[tuple[int, str]]:
        """Return what is still to be recovered after this epoch."""
        went_on = self._went_on.get(account)
        recovery = went_on.recovery_out if went_on else 0
        own = [(recovery, "still to be recovered")] if recovery else []
        return own + self._debts.get(account, [])

    def left(self, account: Address) -> int:
        """Return how much that is."""
        return sum(amount for amount, _ in self._open(account))

    def _is_paid(self, account: Address) -> bool:
        went_on = self._went_on.get(account)
        return self.unclaimed(account) + (went_on.epoch_amount if went_on else 0) > 0

    def carried(self, account: Address) -> list[tuple[int, str]]:
        """Return what must wait for the next epoch, as here it would take what is to be paid."""
        return self._open(account) if self._is_paid(account) else []

    def rows(self, account: Address) -> Iterator[tuple[int, str]]:
        """Yield the adjustments of this epoch."""
        unclaimed, difference = self.unclaimed(account), self.difference(account)
        if unclaimed:
            cumulative, paid = self._cumulative(account), self._paid.get(account, 0)
            why = f"cumulative {cumulative} less claimed {paid}"
            if left := self.left(account):
                why += f"; {left} to be recovered from epoch {self._epoch + 1} on"
            yield unclaimed, why
        if not self._is_paid(account):
            difference -= self.left(account)
        if difference < 0:
            yield difference, "to be recovered"
        elif difference > 0:
            yield difference, "put off, as this epoch pays less than is owed"


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
