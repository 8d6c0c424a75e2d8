"""What is wrong with telemetry as findings: counted, and the first few listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from rewards.errors import Finding
from rewards.files.grammar import counted, format_time
from rewards.measure.inputs import LATEST
from rewards.measure.records import MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from rewards.measure.engines import Engine
    from rewards.measure.records import MeasuredWindow

LISTED = 20
UNITS = ("seconds", "milliseconds", "nanoseconds")


def broken_rows(engine: Engine, label: str, table: ir.Table, count: int) -> list[Finding]:
    """Return findings about rows whose cells cannot be read."""
    if not count:
        return []
    rows = table.filter(table.broken.notnull()).select(shown=table.broken)
    return listed(
        engine,
        label,
        rows,
        count,
        "has a blank cell or one of another type",
        "times and latencies are integers of microseconds, ok is true or false, no cell but a"
        " failed probe's latency is blank",
    )


def listed(
    engine: Engine, label: str, rows: ir.Table, count: int, problem: str, remedy: str
) -> list[Finding]:
    """Return a finding for each of the first rows (by their text), and one that counts them all."""
    shown = engine.fetch(rows.order_by(ibis.asc("shown")).limit(LISTED))
    findings = [Finding(label, problem, remedy, value=str(row[0])) for row in shown]
    return [*findings, *_total(label, count, len(shown), problem, remedy)]


def listed_ids(
    engine: Engine, label: str, ids: ir.Table, column: str, problem: str, remedy: str
) -> list[Finding]:
    """Return a finding for each of the first distinct ids, with the number of its rows."""
    by_id = ids.group_by("id").aggregate(n=ids.count())
    shown = engine.fetch(by_id.order_by(ibis.asc("id")).limit(LISTED))
    total = engine.fetch(by_id.aggregate(n=by_id.count(), rows=by_id.n.sum().fill_null(0)))
    findings = [
        Finding(
            label,
            f"{problem} ({counted(n, 'row')})",
            remedy,
            column=column,
            value=str(name),
        )
        for name, n in shown
    ]
    return [*findings, *_total(label, int(total[0][0]), len(shown), problem, remedy)]


def _total(label: str, count: int, shown: int, problem: str, remedy: str) -> list[Finding]:
    if count <= shown:
        return []
    return [Finding(label, f"{problem}: {count} in all, the first {shown} are listed", remedy)]


def time_findings(
    label: str, counts: Mapping[str, int], window: MeasuredWindow, what: str
) -> list[Finding]:
    """Return findings about times in another unit, or of which none lies in the window."""
    for unit in UNITS:
        if rows := counts.get(f"as_{unit}", 0):
            return [
                Finding(
                    label,
                    f"holds {unit} where microseconds belong, in {counted(rows, 'row')}",
                    "write microseconds since 1970, e.g. 1782259200000000",
                    column="ts_us",
                    value=str(counts["first"]),
                )
            ]
    if counts["inside"]:
        return []
    return [
        Finding(
            label,
            f"holds no {what} in the window {_shown(window.start)} to {_shown(window.end)}: "
            + _whereabouts(counts),
            "check --start and --end, and that ts_us is microseconds since 1970",
            column="ts_us",
        )
    ]


def _whereabouts(counts: Mapping[str, int]) -> str:
    if not counts["read"]:
        return "there is no row at all"
    first, last = (counts[name] // MICROSECONDS for name in ("first", "last"))
    return f"its times run from {_shown(first)} to {_shown(last)}"


def _shown(seconds: int) -> str:
    return format_time(seconds) if 0 <= seconds <= LATEST else f"{seconds} seconds since 1970"
