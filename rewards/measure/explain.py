"""A measured score step by step: from `node_scores.csv` back to its slots and its operators.

Works from a measured folder alone. Every step is evaluated again from the evidence, and what does
not give the published number is an error, so an explanation never tells another story than the
file.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from rewards.errors import CheckFailed, Finding, printable
from rewards.files.documents import parse_json
from rewards.files.folder import decode, read_bytes
from rewards.files.grammar import counted, parse_time
from rewards.files.manifest import INPUTS_FOLDER
from rewards.measure.outputs import (
    MANIFEST,
    MANIFEST_FORMAT,
    NODE_EVIDENCE,
    OPERATOR_EVIDENCE,
    OPERATOR_EVIDENCE_HEADER,
    SLOT_EVIDENCE,
)
from rewards.measure.records import DOWN, ORACLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from rewards.files.manifest import PublishedFolder

SCORES = "node_scores.csv"
PAID_SCORES = INPUTS_FOLDER + SCORES
"""The scores that an epoch was computed from, in its published folder."""
OPERATOR_NUMBERS = OPERATOR_EVIDENCE_HEADER[2:-1]
FILE_LIMIT = 1 << 28
"""Bytes of the largest file that is read here."""

SECTIONS = {"window": dict, "config": dict, "voters": dict, "inputs": dict, "overrides": list}
"""What is read of a manifest."""

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class EvidenceStep:
    """One sentence of the rules with its numbers; `formula` is Python over `inputs`."""

    section: str
    symbol: str
    formula: str
    inputs: Mapping[str, int]
    value: int
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the step as JSON, integers as decimal strings."""
        return {
            "section": self.section,
            "symbol": self.symbol,
            "formula": self.formula,
            "inputs": {name: str(value) for name, value in self.inputs.items()},
            "value": str(self.value),
            **({"note": self.note} if self.note else {}),
        }


@dataclass(frozen=True, slots=True)
class NodeEvidence:
    """Where a node's score comes from.

    Attributes:
        node_id: The node.
        folder: The measured folder.
        window: Start and end as RFC 3339, mode, quorum and coverage as configured.
        score: The published row; None where the data were insufficient.
        steps: How the measured values follow.
        operators: What each operator said about the node.
        lost: The stretches of slots that were not up.
        override: The override's record, if the row is one.
        telemetry: Name and SHA-256 of each telemetry file.
    """

    node_id: str
    folder: str
    window: Mapping[str, str]
    score: Row | None
    steps: Sequence[EvidenceStep]
    operators: Sequence[Row]
    lost: Sequence[Row]
    override: Mapping[str, Any] | None
    telemetry: Sequence[Mapping[str, str]]

    def as_json(self) -> dict[str, Any]:
        """Return it as one JSON document."""
        return {
            "node_id": self.node_id,
            "folder": self.folder,
            "window": dict(self.window),
            "score": self.score,
            "steps": [step.as_json() for step in self.steps],
            "operators": list(self.operators),
            "lost_slots": list(self.lost),
            "override": self.override,
            "telemetry": list(self.telemetry),
        }

    def lines(self) -> list[str]:
        """Return it as lines for a person."""
        window = self.window
        shown = [
            f"measured {window['start']} to {window['end']}, mode {window['mode']}",
            *(line for step in self.steps for line in _step_lines(step)),
            "what each operator said",
            *(f"    {_operator_line(row)}" for row in self.operators),
        ]
        if self.lost:
            shown.append("slots that were not up")
        shown += [
            f"    {row['state']:10} {row['start']} to {row['end']}"
            f" ({counted(int(row['slots']), 'slot')})"
            for row in self.lost
        ]
        if self.override:
            shown += override_lines(self.override)
        return [printable(line) for line in shown]


def override_lines(override: Mapping[str, Any]) -> list[str]:
    """Return the record of an override as lines for a person."""
    return [
        printable(line)
        for line in (
            "not the measurement but an override was published",
            f"    by {override['approved_by']}: {override['reason']}",
            f"    published {_score_text(override['published'])}",
            f"    measured  {_score_text(override['measured'])}",
        )
    ]


def node_evidence(folder: Path, node_id: str) -> NodeEvidence:
    """Return where a node's score in a measured folder comes from.

    Raises:
        CheckFailed: The folder does not know the node, or its files contradict each other.
        InvalidInput: It is no folder of `measure nodes`.
    """
    manifest = read_manifest(folder)
    try:
        return _node_evidence(folder, node_id, manifest)
    except (LookupError, ValueError, ArithmeticError, TypeError, csv.Error) as error:
        raise CheckFailed(
            Finding(
                str(folder),
                f"has evidence that cannot be read: {type(error).__name__}: {error}",
                "the folder was altered; measure again",
            )
        ) from error


def _node_evidence(folder: Path, node_id: str, manifest: dict[str, Any]) -> NodeEvidence:
    row = next((r for r in _read(folder, NODE_EVIDENCE) if r["node_id"] == node_id), None)
    if row is None:
        raise CheckFailed(
            Finding(
                str(folder / NODE_EVIDENCE),
                "knows no such node",
                "ids are case-sensitive",
                value=node_id,
            )
        )
    operators, lost, scores = (
        [r for r in _read(folder, name) if r["node_id"] == node_id]
        for name in (OPERATOR_EVIDENCE, SLOT_EVIDENCE, SCORES)
    )
    _require_numbers(operators, OPERATOR_NUMBERS)
    score = scores[0] if scores else None
    override = next((o for o in manifest["overrides"] if o["node_id"] == node_id), None)
    steps = _steps(row, operators, lost, manifest)
    _require_agreement(folder, node_id, steps, override["measured"] if override else score)
    if override and override["published"] != {
        n: v for n, v in (score or {}).items() if n != "node_id"
    }:
        raise ValueError(f"the override of {node_id} is not the score")
    return NodeEvidence(
        node_id,
        str(folder),
        {**manifest["window"], **manifest["config"]},
        score,
        steps,
        operators,
        lost,
        override,
        manifest["inputs"]["probes"],
    )


def paid_evidence(
    folder: Path, published: PublishedFolder, node_ids: Iterable[str]
) -> list[NodeEvidence]:
    """Return where the scores come from that an epoch was computed from.

    Args:
        folder: The measured folder.
        published: The epoch.
        node_ids: Nodes of it; those without a score row are passed over.

    Raises:
        CheckFailed: The epoch has another score, or another window, than was measured; or as in
            `node_evidence`.
        InvalidInput: It is no folder of `measure nodes`.
    """
    _require_window(folder, read_manifest(folder)["window"], published)
    if PAID_SCORES not in published.manifest.files:
        return []
    scores = _rows(published.read(PAID_SCORES, FILE_LIMIT), PAID_SCORES)
    paid = {row["node_id"]: row for row in scores}
    found = [node_evidence(folder, node_id) for node_id in node_ids if node_id in paid]
    findings = [
        Finding(
            str(published.folder / PAID_SCORES),
            f"differs from {folder / SCORES} in the row of {evidence.node_id}",
            "compute from what was measured; a score that somebody answers for is an override",
            column=name,
            value=value,
        )
        for evidence in found
        for name, value in paid[evidence.node_id].items()
        if evidence.score is None or evidence.score[name] != value
    ]
    if findings:
        raise CheckFailed(findings)
    return found


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a measured folder says of an epoch's scores.

    Attributes:
        folder: The measured folder.
        is_paid: Whether the epoch was computed from exactly these scores.
        overrides: The scores among them that somebody answers for: who, why, what was measured.
    """

    folder: str
    is_paid: bool
    overrides: Sequence[Mapping[str, Any]]


def measurement_of(folder: Path, published: PublishedFolder) -> Measurement:
    """Return what a measured folder says of an epoch's scores.

    Raises:
        CheckFailed: It is no folder of `measure nodes`, or the epoch's scores are altered.
    """
    manifest = read_manifest(folder)
    is_paid = PAID_SCORES in published.manifest.files and _is_window(manifest["window"], published)
    if is_paid:
        scores = read_bytes(folder / SCORES, str(folder / SCORES), FILE_LIMIT)
        is_paid = scores == published.read(PAID_SCORES, FILE_LIMIT)
    return Measurement(str(folder), is_paid, manifest["overrides"] if is_paid else ())


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder of `measure nodes`.

    Raises:
        InvalidInput: It has none, or one of another kind.
    """
    name = str(folder / MANIFEST)
    manifest = parse_json(read_bytes(folder / MANIFEST, name, FILE_LIMIT), name)
    is_ours = (manifest.get("format"), manifest.get("kind")) == (MANIFEST_FORMAT, "nodes")
    if not is_ours or any(not isinstance(manifest.get(n), kind) for n, kind in SECTIONS.items()):
        raise CheckFailed(
            Finding(name, "is not of `measure nodes`", "name the folder that it published")
        )
    return manifest


def _require_numbers(rows: Iterable[Row], names: Iterable[str]) -> None:
    """Read the numbers that are only shown, so that a damaged row is found before."""
    for row in rows:
        for name in names:
            int(row[name])


def _is_window(measured: Mapping[str, str], published: PublishedFolder) -> bool:
    document = published.manifest.document
    return (measured.get("start"), measured.get("end")) == (document["start"], document["end"])


def _require_window(folder: Path, measured: Mapping[str, str], published: PublishedFolder) -> None:
    if not _is_window(measured, published):
        raise CheckFailed(
            Finding(
                str(folder / MANIFEST),
                f"is of another window than epoch {published.manifest.epoch}",
                "name the folder that its scores come from",
                column="window",
                value=f"{measured.get('start')} to {measured.get('end')}",
            )
        )


def _read(folder: Path, name: str) -> list[Row]:
    path = str(folder / name)
    return _rows(read_bytes(folder / name, path, FILE_LIMIT), path)


def _rows(content: bytes, name: str) -> list[Row]:
    return list(csv.DictReader(io.StringIO(decode(content, name))))


def _steps(
    row: Row, operators: Sequence[Row], lost: Sequence[Row], manifest: Mapping[str, Any]
) -> list[EvidenceStep]:
    """Return the rules' steps 3 to 6 with this node's numbers."""
    config, voters = manifest["config"], manifest["voters"][row["node_id"]]
    seconds = int(config["slot_seconds"])
    window = manifest["window"]
    length = parse_time(window["end"]) - parse_time(window["start"])
    slots, observed, up = (int(row[name]) for name in ("slots", "observed", "up"))
    down = sum(int(stretch["slots"]) for stretch in lost if stretch["state"] == DOWN)
    steps = [
        EvidenceStep(
            "1.3",
            "quorum",
            "needed",
            {"needed": int(voters["quorum"]), "operators": int(voters["operators"])},
            int(voters["quorum"]),
            f"at least {config['quorum']} of the"
            f" {counted(int(voters['operators']), 'operator')} that may vote",
        ),
        EvidenceStep("1.4", "slots", "E // s", {"E": length, "s": seconds}, slots),
        EvidenceStep("1.3", "observed", "up + down", {"up": up, "down": down}, observed),
    ]
    if not Fraction(observed, slots) >= Fraction(config["min_coverage"]):
        return steps
    steps.append(
        EvidenceStep(
            "1.5",
            "uptime_seconds",
            "E * up // observed",
            {"E": length, "up": up, "observed": observed},
            length * up // observed,
        )
    )
    return [*steps, *_latency_steps(operators, config["mode"])]


def _latency_steps(operators: Sequence[Row], mode: str) -> list[EvidenceStep]:
    if mode == ORACLES:
        chosen = list(operators)
        note = "the sum over all operators"
    else:
        chosen = [row for row in operators if row["median"] == "true"]
        note = f"the lower median: {chosen[0]['operator_id']}" if chosen else "nobody got an answer"
    steps = []
    for symbol, column in (("response_time_us", "sum_us"), ("requests", "count")):
        inputs = {f"{column}_{n}": int(row[column]) for n, row in enumerate(chosen, start=1)}
        value = sum(inputs.values())
        steps.append(EvidenceStep("1.6", symbol, " + ".join(inputs) or "0", inputs, value, note))
    return steps


def _require_agreement(
    folder: Path, node_id: str, steps: Sequence[EvidenceStep], measured: Mapping[str, str] | None
) -> None:
    """Refuse a folder whose numbers do not follow from each other."""
    derived = {step.symbol: step.value for step in steps}
    findings: list[tuple[str, int | str]] = []
    for step in steps:
        names = {"__builtins__": {}, **step.inputs}
        # The formulas are constants of this module; only the numbers come from the folder.
        if eval(step.formula, names) != step.value:  # noqa: S307
            findings.append((step.symbol, step.value))
    if measured:
        findings += [
            (name, value)
            for name, value in measured.items()
            if name != "node_id" and derived.get(name) != int(value)
        ]
    elif "uptime_seconds" in derived:
        findings.append(("uptime_seconds", derived["uptime_seconds"]))
    if findings:
        raise CheckFailed(
            [
                Finding(
                    str(folder),
                    f"does not follow from the evidence of {node_id}",
                    "the folder was altered; measure again",
                    column=symbol,
                    value=str(value),
                )
                for symbol, value in findings
            ]
        )


def _step_lines(step: EvidenceStep) -> list[str]:
    """Return a step with its numbers in place of their names; a long sum only as what it is."""
    formula = re.sub(r"[A-Za-z_]\w*", lambda name: str(step.inputs[name[0]]), step.formula)
    if len(step.inputs) > SHOWN_TERMS:
        formula = f"the sum of {len(step.inputs)} numbers"
    value = f" = {step.value}" if formula != str(step.value) else ""
    lines = [f"§{step.section}  {step.symbol} = {formula}{value}"]
    return [*lines, f"      ({step.note})"] if step.note else lines


SHOWN_TERMS = 4


def _operator_line(row: Row) -> str:
    count = int(row["count"])
    mean = (
        f"mean {int(row['sum_us']) // count} us of {counted(count, 'answer')}"
        if count
        else "no answer"
    )
    chosen = ", the median" if row["median"] == "true" else ""
    return f"{row['operator_id']}: up in {row['slots_up']} of {row['slots_voted']}, {mean}{chosen}"


def _score_text(score: Mapping[str, str] | None) -> str:
    if score is None:
        return "insufficient data"
    names = ("uptime_seconds", "response_time_us", "requests")
    return ", ".join(f"{name} {score[name]}" for name in names)
