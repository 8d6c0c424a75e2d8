"""The identities of a statement: two numbers that are equal, or the books are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from rewards.audit.statement.attribution import LINES, together
from rewards.audit.statement.books import POOLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rewards.audit.statement.model import Statement


@dataclass(frozen=True, slots=True)
class Identity:
    """Two numbers that are equal, or the statement is wrong."""

    name: str
    left: int
    right: int

    @property
    def holds(self) -> bool:
        """Whether they are equal, to the wei."""
        return self.left == self.right


def identities_of(statement: Statement) -> list[Identity]:
    """Return everything that must be equal."""
    return [
        *_within_epochs(statement),
        *_between_epochs(statement),
        *_over_range(statement),
        *_settled(statement),
        *_attributed(statement),
        *_by_payee(statement),
    ]


def _within_epochs(statement: Statement) -> Iterator[Identity]:
    for books in statement.epochs:
        manifest = books.published.manifest
        where = f"epoch {books.number}"
        for name, pool in books.pools.items():
            parts = pool.paid + pool.withheld + pool.unallocated
            yield Identity(
                f"{where}, {name}: approved = paid + withheld + unallocated", pool.approved, parts
            )
            yield Identity(
                f"{where}, {name}: paid = what its table pays",
                pool.paid,
                sum(books.by_payee[name].values()),
            )
        yield Identity(
            f"{where}: node and wallet amounts of allocations.csv = what the tables pay",
            books.total("node_amount") + books.total("wallet_amount"),
            sum(sum(amounts.values()) for amounts in books.by_payee.values()),
        )
        yield Identity(
            f"{where}: epoch_amount = paid + adjustments + recovery_out - recovery_in",
            manifest.epoch_amount,
            sum(pool.paid for pool in books.pools.values())
            + books.total("adjustment")
            + books.total("recovery_out")
            - books.total("recovery_in"),
        )
        yield Identity(
            f"{where}: cumulative_total = the sum of the cumulative amounts",
            manifest.cumulative_total,
            books.total("cumulative"),
        )


def _between_epochs(statement: Statement) -> Iterator[Identity]:
    for before, after in pairwise(statement.epochs):
        where = f"epochs {before.number} and {after.number}"
        yield Identity(
            f"{where}: cumulative amounts are handed over",
            before.total("cumulative"),
            after.total("previous_cumulative"),
        )
        yield Identity(
            f"{where}: recoveries are handed over",
            before.total("recovery_out"),
            after.total("recovery_in"),
        )


def _over_range(statement: Statement) -> Iterator[Identity]:
    yield Identity(
        "range: paid + adjustments + deferred recoveries = allotted",
        statement.pools.paid + statement.adjustments + statement.deferred,
        statement.allotted,
    )
    yield Identity(
        "range: cumulative before + allotted = cumulative at the end",
        statement.first.total("previous_cumulative") + statement.allotted,
        statement.cumulative_total,
    )
    yield Identity(
        "range: the payees' allotments = allotted",
        sum(payee.allotted for payee in statement.payees),
        statement.allotted,
    )
    for pool in POOLS:
        yield Identity(
            f"range, {pool}: what the payees got = paid",
            sum(payee.pays[pool] for payee in statement.payees),
            statement.pool(pool).paid,
        )
    for payee in statement.payees:
        yield Identity(
            f"payee {payee.account}: pays + adjustments + deferred recovery = allotted",
            sum(payee.pays.values())
            + payee.adjustments
            + payee.closing_recovery
            - payee.opening_recovery,
            payee.allotted,
        )
        yield Identity(
            f"payee {payee.account}: cumulative before + allotted = cumulative",
            payee.opening_cumulative + payee.allotted,
            payee.cumulative,
        )


def _settled(statement: Statement) -> Iterator[Identity]:
    totals = {books.number: books.published.manifest.cumulative_total for books in statement.epochs}
    for receipt in statement.settlements.known:
        if receipt.epoch in totals:
            yield Identity(
                f"receipt {receipt.name}: settled = the epoch's cumulative total",
                receipt.settled,
                totals[receipt.epoch],
            )
    position = statement.position
    if position is None:
        return
    yield Identity(
        f"receipt {position.name}: nothing is claimed beyond what is settled",
        max((position.claimed or 0) - position.settled, 0),
        0,
    )
    if position.claimed is not None and all(p.claimed is not None for p in statement.payees):
        yield Identity(
            f"receipt {position.name}: the payees' claims = claimed",
            sum(payee.claimed or 0 for payee in statement.payees),
            position.claimed,
        )
    if position.claimed is not None and position.claims is not None:
        yield Identity(
            f"receipt {position.name}: what each account claimed adds up to claimed",
            sum(position.claims.values()),
            position.claimed,
        )


def _attributed(statement: Statement) -> Iterator[Identity]:
    """Yield what the lines of all payees must come to: the manifests', and the contract's."""
    closing, opening = statement.closing.total, statement.opening.total
    added = statement.added
    by_epoch = together(statement.closing.by_epoch.values())
    for i, line in enumerate(LINES):
        yield Identity(
            f"all epochs, {line}: what the payees got = what the epochs added",
            closing.allotted[i],
            statement.history.stated[i],
        )
        for name, by_payee, over_epochs in (
            ("funded", closing.funded, by_epoch.funded),
            ("claimed", closing.claimed, by_epoch.claimed),
        ):
            if by_payee is not None and over_epochs is not None:
                yield Identity(
                    f"all epochs, {line}: {name} by payee = {name} by epoch",
                    by_payee[i],
                    over_epochs[i],
                )
        if closing.open is not None and opening.open is not None and statement.claimed is not None:
            yield Identity(
                f"range, {line}: open before + added - claimed = open",
                opening.open[i] + added[i] - statement.claimed[i],
                closing.open[i],
            )
    yield Identity(
        "all epochs: the lines add up to what is allotted in all",
        sum(closing.allotted),
        statement.cumulative_total,
    )
    for books in statement.epochs:
        standing = statement.closing.by_epoch[books.number]
        if standing.open is None or standing.claimed is None:
            continue
        for i, pool in enumerate(POOLS):
            yield Identity(
                f"epoch {books.number}, {pool}: paid = claimed + open",
                books.pools[pool].paid,
                standing.claimed[i] + standing.open[i],
            )
        yield Identity(
            f"epoch {books.number}: epoch_amount = claimed + open, line by line",
            books.published.manifest.epoch_amount,
            sum(standing.claimed) + sum(standing.open),
        )
    position = statement.position
    if position is None or position.claimed is None or closing.claimed is None:
        return
    where = f"receipt {position.name}"
    yield Identity(f"{where}: claimed, line by line", sum(closing.claimed), position.claimed)
    if closing.open is not None:
        yield Identity(
            f"{where}: open, line by line",
            sum(closing.open),
            statement.cumulative_total - position.claimed,
        )
    if closing.funded is not None and position.funded is not None:
        yield Identity(
            f"{where}: funded, line by line, and held beyond that",
            sum(closing.funded) + (statement.closing.surplus or 0),
            position.funded,
        )


def _by_payee(statement: Statement) -> Iterator[Identity]:
    """Yield what the lines of one payee must come to."""
    for payee in statement.payees:
        where, standing = f"payee {payee.account}", payee.standing
        for name, lines, amount in (
            ("allotted", standing.allotted, payee.cumulative),
            ("funded", standing.funded, payee.funded),
            ("claimed", standing.claimed, payee.claimed),
            ("open", standing.open, payee.open),
        ):
            if lines is not None and amount is not None:
                yield Identity(f"{where}: {name}, line by line", sum(lines), amount)
        if payee.claimed_in_range is not None:
            yield Identity(
                f"{where}: what is claimed never falls", min(payee.claimed_in_range, 0), 0
            )
