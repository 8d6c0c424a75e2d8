"""What a measurement publishes, as canonical bytes: scores, evidence, the record (section 4)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rewards.errors import Finding
from rewards.files.csv_tables import canonical_csv
from rewards.files.documents import canonical_json
from rewards.files.grammar import counted, format_time
from rewards.files.inputs import NODE_SCORES, WALLET_SCORES
from rewards.measure.inputs import window_json
from rewards.measure.percentiles import PERCENTILES
from rewards.measure.records import RULES
from rewards.measure.scores import lost_ranges
from rewards.rules.integers import format_decimal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rewards.measure.nodes import NodeMeasurement
    from rewards.measure.records import Score
    from rewards.measure.scores import NodeResult
    from rewards.measure.sources import TelemetryFile
    from rewards.measure.wallets import WalletMeasurement

MANIFEST = "measure_manifest.json"
MANIFEST_FORMAT = "wct-measure-1"
NODE_EVIDENCE = "node_evidence.csv"
OPERATOR_EVIDENCE = "operator_evidence.csv"
SLOT_EVIDENCE = "slot_evidence.csv"
NODE_EVIDENCE_HEADER = (
    *("node_id", "slots", "observed", "up", "operators", "sum_us", "count"),
    *(f"p{p}_us" for p in PERCENTILES),
    "flag",
)
OPERATOR_EVIDENCE_HEADER = (
    *("node_id", "operator_id", "probes", "slots_voted", "slots_up", "sum_us", "count", "median"),
)
SLOT_EVIDENCE_HEADER = ("node_id", "state", "start", "end", "slots")


def node_files(measurement: NodeMeasurement) -> dict[str, bytes]:
    """Return the files that `measure nodes` publishes."""
    results = measurement.results
    return {
        NODE_SCORES.name: canonical_csv(
            NODE_SCORES.header,
            (_score_row(result.score) for result in results if result.score),
        ),
        NODE_EVIDENCE: canonical_csv(NODE_EVIDENCE_HEADER, map(_node_row, results)),
        OPERATOR_EVIDENCE: canonical_csv(OPERATOR_EVIDENCE_HEADER, _operator_rows(results)),
        SLOT_EVIDENCE: canonical_csv(SLOT_EVIDENCE_HEADER, _slot_rows(measurement)),
        MANIFEST: canonical_json(_node_manifest(measurement)),
    }


def insufficient_findings(results: Iterable[NodeResult], minimum: str) -> list[Finding]:
    """Return a finding for every node without a score (step 4)."""
    return [
        Finding(
            NODE_SCORES.name,
            f"has insufficient data: {result.observed} of {counted(result.slots, 'slot')} observed,"
            f" coverage below {minimum} (a slot needs {result.needed} of"
            f" {counted(result.voters, 'operator')}; {len(result.tally.reports)} sent a probe)",
            "find the missing probes, or give the row with --overrides",
            column="node_id",
            value=result.node_id,
        )
        for result in results
        if result.score is None
    ]


def wallet_files(measurement: WalletMeasurement) -> dict[str, bytes]:
    """Return the files that `measure wallets` publishes."""
    rows = (
        (
            wallet.wallet_id,
            wallet.payout_address,
            str(activity.connections),
            str(activity.signatures),
            "true" if wallet.certified else "false",
            format_decimal(wallet.ux_score),
            str(wallet.stake_weight),
        )
        for wallet, activity in measurement.rows
    )
    return {
        WALLET_SCORES.name: canonical_csv(WALLET_SCORES.header, rows),
        MANIFEST: canonical_json(_wallet_manifest(measurement)),
    }


def files_json(files: Iterable[TelemetryFile]) -> list[dict[str, str]]:
    """Return input files as the manifest holds them."""
    return [{"name": f.name, "sha256": f.sha256, "size": str(f.size)} for f in files]


def _score_row(score: Score) -> tuple[str, ...]:
    return (
        score.node_id,
        str(score.uptime_seconds),
        str(score.response_time_us),
        str(score.requests),
    )


def _node_row(result: NodeResult) -> tuple[str, ...]:
    reports = result.tally.reports.values()
    found = result.tally.percentiles
    return (
        result.node_id,
        str(result.slots),
        str(result.observed),
        str(result.up),
        str(len(reports)),
        str(sum(report.sum_us for report in reports)),
        str(sum(report.count for report in reports)),
        *(str(found[p]) if found else "" for p in PERCENTILES),
        result.flag,
    )


def _operator_rows(results: Iterable[NodeResult]) -> Iterator[tuple[str, ...]]:
    for result in results:
        for operator_id, report in sorted(result.tally.reports.items()):
            numbers = (report.probes, report.voted, report.up, report.sum_us, report.count)
            yield (
                result.node_id,
                operator_id,
                *map(str, numbers),
                "true" if operator_id == result.median else "false",
            )


def _slot_rows(measurement: NodeMeasurement) -> Iterator[tuple[str, ...]]:
    seconds = measurement.inputs.config.slot_seconds
    start = measurement.inputs.window.start
    for result in measurement.results:
        for lost in lost_ranges(result.tally.slots, result.slots):
            yield (
                result.node_id,
                lost.state,
                format_time(start + lost.first * seconds),
                format_time(start + lost.end * seconds),
                str(lost.end - lost.first),
            )


def _node_manifest(measurement: NodeMeasurement) -> dict[str, Any]:
    inputs = measurement.inputs
    config = inputs.config
    found = insufficient_findings(measurement.results, config.min_coverage.text)
    return {
        **_head("nodes", measurement.engine),
        "window": window_json(inputs.window),
        "config": {
            "mode": config.mode,
            "slot_seconds": str(config.slot_seconds),
            "quorum": config.quorum.text,
            "min_coverage": config.min_coverage.text,
            "repeats": "trusted_unique" if config.unique else "merged",
        },
        "inputs": {
            "probes": files_json(measurement.telemetry),
            **{name: files_json([file])[0] for name, file in inputs.files.items()},
        },
        "rows": measurement.rows.as_json(),
        "voters": {
            result.node_id: {"operators": str(result.voters), "quorum": str(result.needed)}
            for result in measurement.results
        },
        "findings": [finding.as_json() for finding in found],
        "overrides": list(map(_override_json, _overridden(measurement.results))),
    }


def _overridden(results: Sequence[NodeResult]) -> list[NodeResult]:
    return [result for result in results if result.override]


def _override_json(result: NodeResult) -> dict[str, Any]:
    override, measured, score = result.override, result.measured, result.score
    if override is None or score is None:
        return {}
    return {
        "node_id": result.node_id,
        "reason": override.reason,
        "approved_by": override.approved_by,
        "published": _score_json(score),
        "measured": _score_json(measured) if measured else None,
    }


def _score_json(score: Score) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(score).items() if name != "node_id"}


def _wallet_manifest(measurement: WalletMeasurement) -> dict[str, Any]:
    return {
        **_head("wallets", measurement.engine),
        "window": window_json(measurement.window),
        "inputs": {
            "events": files_json(measurement.telemetry),
            "wallets.csv": files_json([measurement.wallets_file])[0],
        },
        "rows": measurement.counts.as_json(),
        "findings": [finding.as_json() for finding in measurement.findings],
    }


def _head(kind: str, engine: tuple[str, str]) -> dict[str, Any]:
    return {
        "format": MANIFEST_FORMAT,
        "rules": RULES,
        "kind": kind,
        # For whoever looks for a cause; no result depends on it.
        "engine": {"name": engine[0], "version": engine[1]},
    }
