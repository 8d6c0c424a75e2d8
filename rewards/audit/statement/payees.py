"""Every address of a range: what it was paid for, what it has, what it has claimed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.audit.statement.books import POOLS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rewards.audit.statement.model import Statement
    from rewards.rules.records import Allocation


@dataclass(frozen=True, slots=True)
class PayeeRow:
    """An address over the range; `claimed` is None where no receipt tells."""

    account: str
    ids: tuple[str, ...]
    opening_cumulative: int
    pays: Mapping[str, int]
    adjustments: int
    opening_recovery: int
    closing_recovery: int
    allotted: int
    cumulative: int
    claimed: int | None

    @property
    def other(self) -> int:
        """Adjustments, and recoveries put off (positive) or taken."""
        return self.allotted - sum(self.pays.values())

    @property
    def open(self) -> int | None:
        """What is allotted in all and not claimed."""
        return None if self.claimed is None else self.cumulative - self.claimed


def payees_of(statement: Statement) -> list[PayeeRow]:
    """Return every address of the range, the largest allotment first."""
    rows: dict[int, dict[str, Allocation]] = {
        books.number: {row.account: row for row in books.rows} for books in statement.epochs
    }
    accounts = sorted({account for epoch in rows.values() for account in epoch})
    claims = _claims(statement)
    payees = [_payee(account, statement, rows, claims) for account in accounts]
    return sorted(payees, key=lambda payee: (-payee.allotted, payee.account))


def _payee(
    account: str,
    statement: Statement,
    rows: Mapping[int, Mapping[str, Allocation]],
    claims: Mapping[str, int] | None,
) -> PayeeRow:
    own = [epoch[account] for epoch in rows.values() if account in epoch]
    ids = {name for books in statement.epochs for name in books.ids.get(account, ())}
    last = rows[statement.last.number].get(account)
    first = rows[statement.first.number].get(account)
    return PayeeRow(
        account,
        tuple(sorted(ids)),
        own[0].previous_cumulative,
        {
            pool: sum(books.by_payee[pool].get(account, 0) for books in statement.epochs)
            for pool in POOLS
        },
        sum(row.adjustment for row in own),
        first.recovery_in if first else 0,
        last.recovery_out if last else 0,
        sum(row.epoch_amount for row in own),
        own[-1].cumulative,
        None if claims is None else claims.get(account, 0),
    )


def _claims(statement: Statement) -> dict[str, int] | None:
    """Return what each account has claimed, where the last receipt tells or leaves no doubt."""
    position = statement.position
    if position is None:
        return None
    if position.claims is not None:
        return dict(position.claims)
    if position.claimed != position.settled:
        return None
    # Everything settled was claimed, so everybody has what was settled.
    for books in statement.epochs:
        if books.number == position.epoch:
            return {row.account: row.cumulative for row in books.rows}
    if position.epoch == statement.first.number - 1:
        return {row.account: row.previous_cumulative for row in statement.first.rows}
    return None
