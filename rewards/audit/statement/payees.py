"""Every address of a range: what it was paid for, what it has, what it has claimed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.audit.statement.books import POOLS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rewards.audit.statement.attribution import Standing, Standings
    from rewards.audit.statement.books import EpochBooks
    from rewards.rules.records import Allocation


@dataclass(frozen=True, slots=True)
class PayeeRow:
    """An address over the range.

    Attributes:
        claimed: In all, at the end of the range; None where no receipt tells.
        claimed_before: In all, before the range; None likewise.
        covered: What of its open amount the contract holds; None likewise.
        standing: What it was allotted, is funded and has claimed in all, line by line.
    """

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
    claimed_before: int | None
    covered: int | None
    standing: Standing

    @property
    def other(self) -> int:
        """Adjustments, and recoveries put off (positive) or taken."""
        return self.allotted - sum(self.pays.values())

    @property
    def open(self) -> int | None:
        """What is allotted in all and not claimed."""
        return None if self.claimed is None else self.cumulative - self.claimed

    @property
    def funded(self) -> int | None:
        """What it has claimed, and what the contract holds for it."""
        if self.claimed is None or self.covered is None:
            return None
        return self.claimed + self.covered

    @property
    def claimed_in_range(self) -> int | None:
        """What it has claimed since the range began."""
        if self.claimed is None or self.claimed_before is None:
            return None
        return self.claimed - self.claimed_before


def payees_of(
    epochs: Sequence[EpochBooks], closing: Standings, opening: Standings
) -> list[PayeeRow]:
    """Return every address of the range, the largest allotment first.

    Args:
        epochs: The range.
        closing: How far everything is funded and claimed at its end.
        opening: The same before it.
    """
    rows: list[dict[str, Allocation]] = [
        {row.account: row for row in books.rows} for books in epochs
    ]
    accounts = sorted({account for epoch in rows for account in epoch})
    payees = [_payee(account, epochs, rows, closing, opening) for account in accounts]
    return sorted(payees, key=lambda payee: (-payee.allotted, payee.account))


def _payee(
    account: str,
    epochs: Sequence[EpochBooks],
    rows: Sequence[Mapping[str, Allocation]],
    closing: Standings,
    opening: Standings,
) -> PayeeRow:
    own = [epoch[account] for epoch in rows if account in epoch]
    ids = {name for books in epochs for name in books.ids.get(account, ())}
    first, last = rows[0].get(account), rows[-1].get(account)
    return PayeeRow(
        account,
        tuple(sorted(ids)),
        own[0].previous_cumulative,
        {pool: sum(books.by_payee[pool].get(account, 0) for books in epochs) for pool in POOLS},
        sum(row.adjustment for row in own),
        first.recovery_in if first else 0,
        last.recovery_out if last else 0,
        sum(row.epoch_amount for row in own),
        own[-1].cumulative,
        _amount(closing.claims, account),
        _amount(opening.claims, account),
        _amount(closing.covers, account),
        closing.standing(account),
    )


def _amount(amounts: Mapping[str, int] | None, account: str) -> int | None:
    return None if amounts is None else amounts.get(account, 0)
