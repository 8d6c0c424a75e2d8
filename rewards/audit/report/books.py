"""The statement of a range of epochs, as the report shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewards.audit.report.figures import POOL_LABELS, Identity, Term
from rewards.audit.report.words import MINUS
from rewards.audit.statement import EARLIER, LINES, POOLS
from rewards.files.grammar import format_time

if TYPE_CHECKING:
    from rewards.audit.statement import Lines, Statement

LINE_LABELS = {
    **POOL_LABELS,
    "adjustments": "Adjustments",
    "recoveries": "Recoveries put off or taken",
}
PAYEES_SHOWN = 25
EPOCHS_SHOWN = 400
BROKEN_SHOWN = 50


def books_of(statement: Statement) -> dict[str, Any]:
    """Return what the template shows of a statement."""
    position = statement.position
    epochs = statement.epochs[-EPOCHS_SHOWN:]
    return {
        "first": statement.first.number,
        "last": statement.last.number,
        "start": format_time(statement.first.window[0]),
        "end": format_time(statement.last.window[1]),
        "pools": [
            *((POOL_LABELS[name], statement.pool(name)) for name in POOLS),
            ("All pools", statement.pools),
        ],
        "positions": _positions(statement),
        "ledgers": _ledgers(statement),
        "epochs": [
            {
                "number": books.number,
                "start": format_time(books.window[0]),
                "end": format_time(books.window[1]),
                "pools": sum((books.pools[name] for name in POOLS[1:]), books.pools[POOLS[0]]),
                "allotted": books.total("epoch_amount"),
            }
            for books in epochs
        ],
        "payees": statement.payees[:PAYEES_SHOWN],
        "payees_left_out": len(statement.payees[PAYEES_SHOWN:]),
        "claims_known": all(payee.claimed is not None for payee in statement.payees),
        "checked": len(statement.identities),
        "broken": statement.broken[:BROKEN_SHOWN],
        "held": len(statement.identities) - len(statement.broken),
        "receipts_wrong": [f for f in statement.findings if f not in statement.broken],
        "before_range": statement.before_range if any(statement.opening.total.allotted) else None,
        "receipt": position.name if position else None,
        "lines_known": statement.closing.total.claimed is not None,
        "divided": statement.closing.divided,
        "surplus": statement.closing.surplus or 0,
        "earlier": statement.earlier,
        "claimed_known": position is not None and position.claimed is not None,
        "unreadable": statement.settlements.unreadable,
    }


def _positions(statement: Statement) -> dict[str, Any]:
    """Return the columns and rows of what is allotted, funded, claimed and open, line by line."""
    opening, closing = statement.opening.total, statement.closing.total
    columns: dict[str, Lines | None] = {}
    if any(opening.allotted):
        columns |= {
            "Open before": opening.open,
            "Allotted in the range": statement.added,
            "Claimed in the range": statement.claimed,
            "Open": closing.open,
        }
    columns |= {
        "Allotted in all": closing.allotted,
        "Funded": closing.funded,
        "Claimed": closing.claimed,
    }
    columns.setdefault("Open", closing.open)  # what is left ends the row, or its sum before
    labels = {**LINE_LABELS, EARLIER: f"Before epoch {statement.history.start}"}
    rows = [
        (labels[line], [None if lines is None else lines[i] for lines in columns.values()])
        for i, line in enumerate(LINES)
        if line != EARLIER or statement.earlier is not None
    ]
    total = [None if lines is None else sum(lines) for lines in columns.values()]
    return {"columns": list(columns), "rows": [*rows, ("All lines", total)]}


def _ledgers(statement: Statement) -> list[Identity]:
    """Return the sums over the range, and against the contract where a receipt tells."""
    pools, total = statement.pools, statement.cumulative_total
    before = statement.first.total("previous_cumulative")
    deferred = statement.deferred
    put_off = (
        Term(MINUS, "recovered of what was owed", -deferred)
        if deferred < 0
        else Term("+", "left to be recovered later", deferred)
    )
    ledgers = [
        Identity(
            "What was approved",
            Term("", "approved", pools.approved),
            (
                Term("+", "paid", pools.paid),
                Term("+", "withheld", pools.withheld),
                Term("+", "unallocated", pools.unallocated),
            ),
        ),
        Identity(
            "What payees were allotted",
            Term("", "allotted in the range", statement.allotted),
            (
                Term("+", "paid by the pools", pools.paid),
                _signed("adjustments", statement.adjustments),
                put_off,
            ),
        ),
        Identity(
            "From the first epoch on",
            Term("", "allotted in all", total),
            (
                Term("+", "allotted before the range", before),
                Term("+", "allotted in the range", statement.allotted),
            ),
        ),
    ]
    position = statement.position
    if position is None:
        return ledgers
    ledgers.append(
        Identity(
            f"Settled, up to epoch {position.epoch}",
            Term("", "allotted in all", total),
            (
                Term("+", "settled", position.settled),
                _signed("not yet settled", total - position.settled),
            ),
        )
    )
    if position.claimed is None or position.balance is None:
        return ledgers
    return [
        *ledgers,
        Identity(
            "Claimed",
            Term("", "allotted in all", total),
            (Term("+", "claimed", position.claimed), _signed("open", total - position.claimed)),
        ),
        Identity(
            "Funded",
            Term("", "paid into the contract", position.claimed + position.balance),
            (
                Term("+", "claimed", position.claimed),
                Term("+", "held by the contract", position.balance),
            ),
        ),
    ]


def _signed(label: str, amount: int) -> Term:
    return Term(MINUS if amount < 0 else "+", label, abs(amount))
