"""A statement as data: one JSON document, and the same as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewards.audit.statement.books import POOLS
from rewards.files.grammar import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rewards.audit.statement.books import EpochBooks, PoolRow
    from rewards.audit.statement.model import Statement
    from rewards.audit.statement.receipts import Receipt

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""(header, rows), all text."""


def document_of(statement: Statement) -> dict[str, Any]:
    """Return the statement as one JSON document, amounts as decimal strings of base units."""
    position = statement.position
    return {
        "ok": not statement.findings,
        "from": {
            "epoch": str(statement.first.number),
            "start": format_time(statement.first.window[0]),
        },
        "to": {"epoch": str(statement.last.number), "end": format_time(statement.last.window[1])},
        "programs": {
            **{name: _pool_json(statement.pool(name)) for name in POOLS},
            "total": _pool_json(statement.pools),
        },
        "ledger": {
            "paid": str(statement.pools.paid),
            "adjustments": str(statement.adjustments),
            "deferred_recoveries": str(statement.deferred),
            "allotted": str(statement.allotted),
            "cumulative_before": str(statement.first.total("previous_cumulative")),
            "cumulative": str(statement.cumulative_total),
        },
        "settlement": _settlement_json(statement, position),
        "epochs": [
            {
                "epoch": str(books.number),
                "start": format_time(books.window[0]),
                "end": format_time(books.window[1]),
                "manifest_hash": books.published.manifest.hash,
                "programs": {name: _pool_json(pool) for name, pool in books.pools.items()},
                **_ledger_json(books),
            }
            for books in statement.epochs
        ],
        "payees": [
            {
                "account": payee.account,
                "ids": list(payee.ids),
                "cumulative_before": str(payee.opening_cumulative),
                **{pool: str(amount) for pool, amount in payee.pays.items()},
                "adjustments": str(payee.adjustments),
                "recovery_before": str(payee.opening_recovery),
                "recovery": str(payee.closing_recovery),
                "allotted": str(payee.allotted),
                "cumulative": str(payee.cumulative),
                "claimed": _optional(payee.claimed),
                "open": _optional(payee.open),
            }
            for payee in statement.payees
        ],
        "identities": {
            "checked": str(len(statement.identities)),
            "broken": [
                {"identity": i.name, "left": str(i.left), "right": str(i.right)}
                for i in statement.identities
                if not i.holds
            ],
        },
        "findings": [finding.as_json() for finding in statement.findings],
        "unreadable_receipts": [
            {"file": name, "problem": problem} for name, problem in statement.unreadable
        ],
    }


def _settlement_json(
    statement: Statement, position: Receipt | None
) -> dict[str, str | None] | None:
    if position is None:
        return None
    before = statement.opening_position
    return {
        "receipt": position.name,
        "settled_epoch": str(position.epoch),
        "settled": str(position.settled),
        "not_yet_settled": str(statement.cumulative_total - position.settled),
        "funded": _optional(position.funded),
        "claimed": _optional(position.claimed),
        "open": _optional(_less(statement.cumulative_total, position.claimed)),
        "balance": _optional(position.balance),
        "settled_in_range": str(position.settled - (before.settled if before else 0)),
        "claimed_in_range": _optional(_less(position.claimed, before.claimed if before else 0)),
    }


def _less(amount: int | None, part: int | None) -> int | None:
    return None if amount is None or part is None else amount - part


def _pool_json(pool: PoolRow) -> dict[str, str]:
    names = ("approved", "paid", "withheld", "unallocated")
    return {name: str(amount) for name, amount in zip(names, pool.amounts, strict=True)}


def _ledger_json(books: EpochBooks) -> dict[str, str]:
    return {
        "adjustments": str(books.total("adjustment")),
        "recovery_in": str(books.total("recovery_in")),
        "recovery_out": str(books.total("recovery_out")),
        "epoch_amount": str(books.total("epoch_amount")),
        "cumulative_total": str(books.total("cumulative")),
    }


def _optional(amount: int | None) -> str | None:
    return None if amount is None else str(amount)


def tables(statement: Statement) -> dict[str, Table]:
    """Return the statement's tables by file name, amounts as base units."""
    document = document_of(statement)
    return {
        "programs.csv": (
            ("epoch", "start", "end", "program", "approved", "paid", "withheld", "unallocated"),
            [
                (entry["epoch"], entry["start"], entry["end"], name, *pool.values())
                for entry in document["epochs"]
                for name, pool in entry["programs"].items()
            ],
        ),
        "ledger.csv": _flat(
            [
                {key: value for key, value in entry.items() if isinstance(value, str)}
                for entry in document["epochs"]
            ]
        ),
        "payees.csv": _flat(
            [{**entry, "ids": " ".join(entry["ids"])} for entry in document["payees"]]
        ),
        "identities.csv": (
            ("identity", "left", "right", "holds"),
            [
                (i.name, str(i.left), str(i.right), "true" if i.holds else "false")
                for i in statement.identities
            ],
        ),
        "settlement.csv": (
            ("figure", "amount"),
            [
                (name, text or "")
                for name, text in (document["settlement"] or {"status": "not settled"}).items()
            ],
        ),
    }


def _flat(entries: Sequence[Mapping[str, str | None]]) -> Table:
    """Return documents with the same keys as a table; what is not known is empty."""
    header = tuple(entries[0]) if entries else ()
    return header, [tuple(entry[name] or "" for name in header) for entry in entries]
