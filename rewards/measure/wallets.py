"""`rewards measure wallets`: events to `wallet_scores.csv` (section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.errors import Finding, InvalidInput
from rewards.files.grammar import counted
from rewards.measure import events as expressions
from rewards.measure.columns import EVENTS, canonical, row_text
from rewards.measure.complaints import LISTED, broken_rows, listed, time_findings
from rewards.measure.inputs import WALLETS, hash_small, read_wallets
from rewards.measure.probes import in_other_units, is_far, is_inside
from rewards.measure.sources import hash_files, locate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import ibis.expr.types as ir

    from rewards.measure.engines import Engine
    from rewards.measure.inputs import WalletEntry
    from rewards.measure.records import MeasuredWindow
    from rewards.measure.sources import TelemetryFile

LABEL = "--events"


@dataclass(frozen=True, slots=True)
class Activity:
    """What a wallet did in the window."""

    connections: int = 0
    signatures: int = 0


@dataclass(frozen=True, slots=True)
class EventCounts:
    """What became of the events read; they add up to `read` (section 4).

    Attributes:
        read: All rows.
        outside: Outside the window.
        failed: Inside, not `ok`.
        repeats: Further copies of an event_id.
        unknown_wallet: Distinct events of wallets that `wallets.csv` lacks.
        kept: The rest, which is counted.
    """

    read: int
    outside: int
    failed: int
    repeats: int
    unknown_wallet: int
    kept: int

    def as_json(self) -> Mapping[str, str]:
        """Return the counts as the manifest holds them."""
        return {
            "read": str(self.read),
            "outside_window": str(self.outside),
            "failed": str(self.failed),
            "repeats": str(self.repeats),
            "unknown_wallet": str(self.unknown_wallet),
            "kept": str(self.kept),
        }


@dataclass(frozen=True, slots=True)
class WalletMeasurement:
    """The outcome: every wallet's activity in id order, findings, and what was read."""

    window: MeasuredWindow
    rows: Sequence[tuple[WalletEntry, Activity]]
    counts: EventCounts
    findings: Sequence[Finding]
    telemetry: Sequence[TelemetryFile]
    wallets_file: TelemetryFile
    engine: tuple[str, str]


def measure_wallets(
    window: MeasuredWindow,
    wallets_path: Path,
    location: str,
    engine: Engine,
    progress: Callable[[str], None],
) -> WalletMeasurement:
    """Count every wallet's successful events.

    Args:
        window: The window, in UTC.
        wallets_path: `wallets.csv`.
        location: Where the events lie.
        engine: What aggregates them.
        progress: Gets a line per step.

    Raises:
        InvalidInput: The events cannot be measured; nothing has been written.
    """
    problems: list[Finding] = []
    wallets = read_wallets(wallets_path, problems)
    if problems:
        raise InvalidInput(problems)
    source = locate(LABEL, location)
    progress(f"hashing {counted(len(source.paths), 'file')} of events")
    telemetry = hash_files(source, progress)
    events = canonical(engine.scan(source), source, EVENTS)
    progress(f"counting the events with {engine.name} {engine.version}")
    counts = _census(engine, events, window)
    progress("counting each event once")
    succeeded = expressions.successful(events, _lookup(engine, wallets), window)
    found, unknown = _activity(engine, succeeded, len(wallets))
    strangers = _strangers(engine, succeeded) if unknown else {}
    source.require_unchanged()
    distinct = unknown + sum(did.connections + did.signatures for did in found)
    return WalletMeasurement(
        window,
        list(zip(wallets, found, strict=True)),
        EventCounts(
            read=counts["read"],
            outside=counts["read"] - counts["inside"],
            failed=counts["failed"],
            repeats=counts["inside"] - counts["failed"] - distinct,
            unknown_wallet=unknown,
            kept=distinct - unknown,
        ),
        _unknown_findings(strangers),
        telemetry,
        hash_small(wallets_path, WALLETS.name),
        (engine.name, engine.version),
    )


def _census(engine: Engine, events: ir.Table, window: MeasuredWindow) -> dict[str, int]:
    counts = engine.fetch_one(expressions.census(events, window))
    if is_far(counts, window):
        counts |= engine.fetch_one(in_other_units(events, window))
    findings = broken_rows(engine, LABEL, events, counts["broken"])
    findings += time_findings(LABEL, counts, window, "event")
    if not findings and counts["bad_kind"]:
        bad = events.filter(is_inside(events, window) & ~expressions.is_kind(events))
        findings = listed(
            engine,
            LABEL,
            bad.select(shown=row_text({name: bad[name] for name in EVENTS})),
            counts["bad_kind"],
            "is of neither kind",
            "write connection or signature",
        )
    if findings:
        raise InvalidInput(findings)
    return counts


def _lookup(engine: Engine, wallets: Sequence[WalletEntry]) -> ir.Table:
    """Hand `wallets.csv` to the engine: a number in place of each id."""
    # The blank id, which no event has, is there so that the table is never empty.
    ids = [*(wallet.wallet_id for wallet in wallets), ""]
    numbers = [*range(len(wallets)), expressions.UNKNOWN]
    return engine.lookup("wallets", {"wallet_id": ids, "number": numbers})


def _activity(engine: Engine, succeeded: ir.Table, wallets: int) -> tuple[list[Activity], int]:
    """Return what each wallet did, by its number, and how many events are of unknown ones.

    Raises:
        InvalidInput: An event_id stands for two wallets or two kinds.
    """
    counted = engine.fetch(expressions.activity(succeeded))
    if any(conflicts for _, _, conflicts in counted):
        raise InvalidInput(_conflicts(engine, succeeded))
    events = {source: n for source, n, _ in counted}
    unknown = sum(n for source, n in events.items() if source < 0)
    found = [
        Activity(events.get(2 * number, 0), events.get(2 * number + 1, 0))
        for number in range(wallets)
    ]
    return found, unknown


def _strangers(engine: Engine, succeeded: ir.Table) -> dict[str, int]:
    """Return unknown wallet id → its events.

    Raises:
        InvalidInput: An event_id stands for two of them.
    """
    strange = succeeded.filter(succeeded.number == expressions.UNKNOWN)
    if findings := _conflicts(engine, strange):
        raise InvalidInput(findings)
    distinct = expressions.distinct_events(strange)
    sizes = distinct.group_by("wallet_id").aggregate(n=distinct.count())
    return dict(engine.fetch(sizes))


def _conflicts(engine: Engine, succeeded: ir.Table) -> list[Finding]:
    """Return findings about every event_id of two wallets or of two kinds."""
    distinct = expressions.distinct_events(succeeded)
    rows = distinct.filter(expressions.is_conflict(distinct)).select(shown=distinct.event_id)
    return listed(
        engine,
        LABEL,
        rows,
        int(engine.fetch(rows.aggregate(n=rows.count()))[0][0]),
        "is the event_id of two wallets or of two kinds",
        "an event has one id, one wallet and one kind",
    )


def _unknown_findings(sizes: Mapping[str, int]) -> list[Finding]:
    """Return a finding for each of the first unknown wallets, and one that counts them all."""
    remedy = "add the wallet and measure again, or leave it"
    findings = [
        Finding(
            LABEL,
            f"is in no row of wallets.csv ({counted(sizes[name], 'event')}); it is not paid",
            remedy,
            column="wallet_id",
            value=name,
        )
        for name in sorted(sizes)[:LISTED]
    ]
    if len(sizes) > LISTED:
        problem = (
            f"names {len(sizes)} wallets that wallets.csv lacks, the first {LISTED} are listed"
        )
        findings.append(Finding(LABEL, problem, remedy))
    return findings
