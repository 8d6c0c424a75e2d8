"""From a source's columns to the canonical ones, strictly: a cell of another type is never guessed.

Parquet columns must have the type of the rules. CSV cells are text and must be spelled as in every
other file of this program: ASCII digits, `true` or `false`. What cannot be read becomes null, and
the column `broken` then holds the row as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from rewards.errors import Finding, InvalidInput
from rewards.measure.sources import CSV

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from rewards.measure.sources import Source

TEXT, INTEGER, BOOLEAN = "text", "an integer (int64)", "a boolean"
PROBES = {
    "reporter_id": TEXT,
    "node_id": TEXT,
    "ts_us": INTEGER,
    "ok": BOOLEAN,
    "latency_us": INTEGER,
}
EVENTS = {"event_id": TEXT, "wallet_id": TEXT, "kind": TEXT, "ts_us": INTEGER, "ok": BOOLEAN}
OPTIONAL = ("latency_us",)
"""Columns that may be null: a latency is read only where `ok`."""

_INTEGER_TEXT = r"^(0|-?[1-9][0-9]{0,18})\z"


def canonical(table: ir.Table, source: Source, columns: Mapping[str, str]) -> ir.Table:
    """Return the columns that are measured, in their types, and `broken`.

    Raises:
        InvalidInput: A column is missing or of another type.
    """
    findings = [
        finding
        for name, kind in columns.items()
        if (finding := _column_finding(table, source, name, kind))
    ]
    if findings:
        raise InvalidInput(findings)
    cells = {name: _cell(table[name], kind) for name, kind in columns.items()}
    missing = [
        cell.isnull() if name not in OPTIONAL else _is_garbled(table[name], cell)
        for name, cell in cells.items()
    ]
    broken = missing[0]
    for condition in missing[1:]:
        broken |= condition
    row = row_text({name: table[name] for name in columns})
    return table.select(**cells, broken=ibis.ifelse(broken, row, ibis.null(str)))


def row_text(cells: Mapping[str, ir.Value]) -> ir.StringValue:
    """Return a row as one text, its cells separated by commas; null is empty."""
    texts = [cell.cast("string").fill_null("") for cell in cells.values()]
    joined: ir.StringValue = ibis.literal(",").join(texts)
    return joined


def _column_finding(table: ir.Table, source: Source, name: str, kind: str) -> Finding | None:
    if name not in table.columns:
        has = ", ".join(sorted(table.columns)[:20])
        return Finding(
            source.label, "lacks a column", f"it has {has}", column=name, value=source.paths[0]
        )
    given = table.schema()[name]
    if source.format == CSV:
        return None
    fits = {
        TEXT: given.is_string(),
        INTEGER: given.is_integer(),
        BOOLEAN: given.is_boolean(),
    }[kind]
    if fits or (given.is_null() and name in OPTIONAL):
        return None
    return Finding(
        source.label, f"is of type {given}", f"write it as {kind}", column=name, value=""
    )


def _cell(cell: ir.Value, kind: str) -> ir.Value:
    if kind == TEXT:
        # A blank id is no id, and the engines differ on whether a blank CSV cell is null.
        return cell.cast("string").nullif("")
    if not cell.type().is_string():
        return cell.try_cast("int64") if kind == INTEGER else cell.cast("boolean")
    if kind == INTEGER:
        spelled = ibis.ifelse(cell.re_search(_INTEGER_TEXT), cell, ibis.null(str))
        return spelled.try_cast("int64")
    return ibis.cases((cell == "true", True), (cell == "false", False), else_=ibis.null(bool))


def _is_garbled(cell: ir.Value, parsed: ir.Value) -> ir.BooleanValue:
    """Whether an optional cell holds something that is no value."""
    return parsed.isnull() & (cell.cast("string").fill_null("") != "")
