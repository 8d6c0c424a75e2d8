"""A statement as data: one JSON document, and the same as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewards.audit.pools import PoolRow
from rewards.audit.statement.attribution import EARLIER, LINES, RULE
from rewards.audit.statement.books import POOLS
from rewards.files.grammar import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rewards.audit.statement.attribution import Lines, Standing
    from rewards.audit.statement.books import EpochBooks
    from rewards.audit.statement.model import Statement
    from rewards.audit.statement.receipts import Receipt

PARTS = ("approved", "paid", "withheld", "unallocated")
PROGRESS = ("funded", "claimed", "open")
TOTAL = "total"

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
        "programs": _programs_json({n: statement.pool(n) for n in POOLS}, statement.of_range),
        "positions": _positions_json(statement),
        "attribution": {
            "rule": RULE,
            "first_epoch": str(statement.history.start),
            "claims_within_an_epoch": str(statement.closing.divided),
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
                "programs": _programs_json(books.pools, statement.closing.by_epoch[books.number]),
                **_ledger_json(books, statement.closing.by_epoch[books.number]),
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
                "funded": _optional(payee.funded),
                "claimed": _optional(payee.claimed),
                "claimed_in_range": _optional(payee.claimed_in_range),
                "open": _optional(payee.open),
                "positions": _figures(payee.standing),
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
            {"file": name, "problem": problem} for name, problem in statement.settlements.unreadable
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
        "beyond_what_is_open": _optional(statement.closing.surplus),
        "before_range": statement.before_range,
        "receipt_before": before.name if before and statement.before_range == "settled" else None,
        "settled_in_range": _optional(_less(position.settled, before.settled if before else None)),
        "claimed_in_range": _optional(_less(position.claimed, before.claimed if before else None)),
    }


def _less(amount: int | None, part: int | None) -> int | None:
    return None if amount is None or part is None else amount - part


def _programs_json(
    pools: Mapping[str, PoolRow], standing: Standing
) -> dict[str, dict[str, str | None]]:
    """Return each pool, and how far what it paid is funded and claimed at the end of the range."""
    parts: list[dict[str, str | None]] = [
        {name: _optional(amount) for name, amount in zip(PARTS, pool.amounts, strict=True)}
        for pool in (*pools.values(), sum(pools.values(), PoolRow()))
    ]
    for name, lines in _progress(standing):
        amounts = None if lines is None else lines[: len(pools)]
        for part, amount in zip(parts, _with_total(amounts, len(pools)), strict=True):
            part[name] = _optional(amount)
    return dict(zip((*pools, TOTAL), parts, strict=True))


def _progress(standing: Standing) -> tuple[tuple[str, Lines | None], ...]:
    return (
        ("funded", standing.funded),
        ("claimed", standing.claimed),
        ("open", standing.open),
    )


def _with_total(amounts: Lines | None, length: int) -> list[int | None]:
    return [None] * (length + 1) if amounts is None else [*amounts, sum(amounts)]


def _figures(standing: Standing) -> dict[str, dict[str, str | None]]:
    """Return a standing by line, those lines left out of which every figure is zero."""
    figures = (("cumulative", standing.allotted), *_progress(standing))
    return {
        line: {name: None if lines is None else str(lines[i]) for name, lines in figures}
        for i, line in enumerate(LINES)
        # What was put off and is recovered since comes to zero, but may be claimed and open.
        if any(lines and lines[i] for _, lines in figures)
    }


def _positions_json(statement: Statement) -> dict[str, dict[str, str | None]]:
    """Return what is open of each line before and after the range, over all epochs."""
    columns = {
        "open_before": statement.opening.total.open,
        "allotted": statement.added,
        "claimed_in_range": statement.claimed,
        "cumulative": statement.closing.total.allotted,
        **dict(_progress(statement.closing.total)),
    }
    rows = {name: _with_total(lines, len(LINES)) for name, lines in columns.items()}
    return {
        line: {name: _optional(amounts[i]) for name, amounts in rows.items()}
        for i, line in enumerate((*LINES, TOTAL))
        if line != EARLIER or statement.earlier is not None
    }


def _ledger_json(books: EpochBooks, standing: Standing) -> dict[str, str | None]:
    return {
        "adjustments": str(books.total("adjustment")),
        "recovery_in": str(books.total("recovery_in")),
        "recovery_out": str(books.total("recovery_out")),
        "epoch_amount": str(books.total("epoch_amount")),
        **{name: None if lines is None else str(sum(lines)) for name, lines in _progress(standing)},
        "cumulative_total": str(books.total("cumulative")),
    }


def _optional(amount: int | None) -> str | None:
    return None if amount is None else str(amount)


def tables(statement: Statement) -> dict[str, Table]:
    """Return the statement's tables by file name, amounts as base units."""
    document = document_of(statement)
    return {
        "programs.csv": (
            ("epoch", "start", "end", "program", *PARTS, *PROGRESS),
            [
                (entry["epoch"], entry["start"], entry["end"], name, *_cells(pool.values()))
                for entry in document["epochs"]
                for name, pool in entry["programs"].items()
                if name != TOTAL
            ],
        ),
        "positions.csv": _flat(
            [{"line": line, **figures} for line, figures in document["positions"].items()]
        ),
        "ledger.csv": _flat(
            [
                {key: value for key, value in entry.items() if key != "programs"}
                for entry in document["epochs"]
            ]
        ),
        "payees.csv": _flat(
            [
                {key: value for key, value in entry.items() if key != "positions"}
                | {"ids": " ".join(entry["ids"])}
                for entry in document["payees"]
            ]
        ),
        "payee_positions.csv": (
            ("account", "line", "cumulative", *PROGRESS),
            [
                (account, line, *_cells(figures.values()))
                for account, standing in sorted(statement.closing.by_account.items())
                for line, figures in _figures(standing).items()
            ],
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


def _cells(values: Iterable[str | None]) -> tuple[str, ...]:
    """Return the cells of a row; what is not known is empty."""
    return tuple(value or "" for value in values)


def _flat(entries: Sequence[Mapping[str, str | None]]) -> Table:
    """Return documents with the same keys as a table; what is not known is empty."""
    header = tuple(entries[0]) if entries else ()
    return header, [_cells(entry[name] for name in header) for entry in entries]
