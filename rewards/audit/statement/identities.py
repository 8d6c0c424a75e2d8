"""The identities of a statement: two numbers that are equal, or the books are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

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
    for receipt in statement.receipts:
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
