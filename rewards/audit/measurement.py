"""How the node scores of an epoch were measured, as its manifest records it.

Where an epoch is computed beside the folder that measured its scores, the manifest says so: by
which rules, the digest of the measurement's own manifest, and every score that somebody answers for
in place of what was measured. So whoever has the published folder alone sees it too. What was
measured is taken on trust from there; the scores that are named must be those that were paid.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.errors import CheckFailed, Finding, FindingsError, InvalidInput
from rewards.files.csv_tables import read_table
from rewards.files.documents import canonical_json
from rewards.files.folder import read_bytes
from rewards.files.grammar import (
    GrammarError,
    counted,
    format_time,
    parse_identifier,
    parse_integer,
    parse_text,
)
from rewards.files.inputs import NODE_SCORES
from rewards.files.manifest import MANIFEST, TAKE_AGAIN
from rewards.files.season import Season
from rewards.measure.explain import FILE_LIMIT, read_manifest
from rewards.measure.outputs import MANIFEST as MEASURE_MANIFEST
from rewards.measure.records import RULES
from rewards.rules.records import NodeScore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from rewards.files.manifest import Manifest
    from rewards.rules.records import Inputs

RECORD = "measurement"
"""The manifest's key."""
RECORD_LIMIT = 1 << 19
"""Bytes of a record: half of what a manifest may have."""
NUMBERS = ("uptime_seconds", "response_time_us", "requests")
OTHER_SCORES = (
    "compute from what was measured, with `measure nodes --overrides` for a score that somebody "
    "answers for; or take the measured folder away"
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a manifest records of its scores.

    Attributes:
        rules: By which rules they were measured.
        manifest_sha256: SHA-256 of the measurement's own manifest.
        overrides: The scores that somebody answers for: who, why, what is paid, what was measured.
    """

    rules: str
    manifest_sha256: str
    overrides: Sequence[Mapping[str, Any]]

    def lines(self) -> list[str]:
        """Return it in words, a line an override."""
        by_override = counted(len(self.overrides), "score") if self.overrides else "none"
        return [f"measured by {self.rules}, {by_override} by override"] + [
            f"{given['node_id']} by override, approved by {given['approved_by']}: {given['reason']}"
            for given in self.overrides
        ]

    def as_json(self) -> dict[str, Any]:
        """Return it as the manifest holds it."""
        return {
            "rules": self.rules,
            "manifest_sha256": self.manifest_sha256,
            "overrides": list(self.overrides),
        }


def recorder(
    folder_of: Callable[[int], Path | None],
) -> Callable[[Inputs], Mapping[str, Any] | None]:
    """Return what gives an epoch's record while it is computed.

    Args:
        folder_of: Where the scores of an epoch were measured; None where nobody knows.
    """

    def record(inputs: Inputs) -> Mapping[str, Any] | None:
        folder = folder_of(inputs.header.epoch)
        return record_of(folder, inputs).as_json() if folder else None

    return record


def season_recorder(season: Season) -> Callable[[Inputs], Mapping[str, Any] | None]:
    """Return what gives an epoch's record from where its season keeps what was measured."""

    def folder_of(epoch: int) -> Path | None:
        folder = season.measured_nodes(epoch)
        return folder if folder.is_dir() else None

    return recorder(folder_of)


def record_of(folder: Path, inputs: Inputs) -> Recorded:
    """Return the record of a folder that `measure nodes` published.

    Raises:
        InvalidInput: It did not measure the scores that are paid.
        CheckFailed: It is no folder of `measure nodes`.
    """
    manifest = read_manifest(folder)
    content = read_bytes(folder / MEASURE_MANIFEST, str(folder / MEASURE_MANIFEST), FILE_LIMIT)
    window = inputs.header.window
    there = (manifest["window"].get("start"), manifest["window"].get("end"))
    if there != (format_time(window.start), format_time(window.end)):
        raise InvalidInput(
            Finding(
                str(folder / MEASURE_MANIFEST),
                f"is of another window than epoch {inputs.header.epoch}",
                OTHER_SCORES,
                column="window",
                value=" to ".join(map(str, there)),
            )
        )
    _require_paid(folder, inputs)
    record = Recorded(
        str(manifest.get("rules")), hashlib.sha256(content).hexdigest(), manifest["overrides"]
    )
    try:
        return parse_record(record.as_json(), inputs)
    except MALFORMED as error:
        problem = f"has overrides that cannot be recorded: {error}"
        raise InvalidInput(
            Finding(str(folder / MEASURE_MANIFEST), problem, "measure again")
        ) from error


def _require_paid(folder: Path, inputs: Inputs) -> None:
    findings: list[Finding] = []
    rows = [
        NodeScore(*row.values)
        for row in read_table(folder / NODE_SCORES.name, NODE_SCORES, findings)
    ]
    if findings:
        raise InvalidInput(findings)
    measured, paid = _by_node(rows), _by_node(inputs.node_scores or ())
    different = [
        Finding(
            NODE_SCORES.name,
            f"differs from {folder / NODE_SCORES.name} in this node's row",
            OTHER_SCORES,
            column="node_id",
            value=node_id,
        )
        for node_id in sorted({*measured, *paid})
        if measured.get(node_id) != paid.get(node_id)
    ]
    if different:
        raise InvalidInput(different)


def _by_node(scores: Iterable[NodeScore]) -> dict[str, dict[str, str]]:
    return {
        score.node_id: {name: str(getattr(score, name)) for name in NUMBERS} for score in scores
    }


# --- what a published folder records -------------------------------------------------------------

MALFORMED = (GrammarError, KeyError, TypeError, ValueError, AttributeError)


def parse_record(document: Mapping[str, Any], inputs: Inputs) -> Recorded:
    """Return a manifest's record, held against the scores that were paid.

    Raises:
        GrammarError, KeyError, TypeError, ValueError, AttributeError: It is not of that form.
    """
    paid = _by_node(inputs.node_scores or ())
    rules, digest, overrides = (
        document[name] for name in ("rules", "manifest_sha256", "overrides")
    )
    if len(document) != 3 or rules != RULES:
        raise GrammarError(f"is not by {RULES}", "take a newer version")
    if len(digest) != 64 or bytes.fromhex(digest).hex() != digest:
        raise GrammarError("has no SHA-256 of the measurement", TAKE_AGAIN)
    if len(canonical_json(dict(document))) > RECORD_LIMIT:
        raise GrammarError("is too long", "shorten the reasons")
    named = [parse_identifier(given["node_id"]) for given in overrides]
    if named != sorted(set(named)):
        raise GrammarError("names a node twice, or out of order", TAKE_AGAIN)
    for given in overrides:
        if set(given) != {"node_id", "reason", "approved_by", "published", "measured"}:
            raise GrammarError("has an override of another form", TAKE_AGAIN)
        for name in ("reason", "approved_by"):
            parse_text(given[name])
        if given["published"] != paid[given["node_id"]]:
            raise GrammarError(f"has another score of {given['node_id']}", TAKE_AGAIN)
        measured = given["measured"]
        if measured is not None:
            for name in NUMBERS:
                parse_integer(measured[name])
            if len(measured) != len(NUMBERS):
                raise GrammarError("has an override of another form", TAKE_AGAIN)
    return Recorded(rules, digest, tuple(overrides))


def recorded_again(
    manifest: Manifest,
) -> Callable[[Inputs], Mapping[str, Any] | None] | None:
    """Return what gives a published epoch's own record while it is recomputed; None without one."""
    if RECORD not in manifest.document:
        return None

    def record(inputs: Inputs) -> Mapping[str, Any]:
        try:
            return parse_record(manifest.document[RECORD], inputs).as_json()
        except MALFORMED as error:
            raise CheckFailed(
                Finding(MANIFEST, f"has no usable record of its measurement: {error}", TAKE_AGAIN)
            ) from error

    return record


def recorded_of(manifest: Manifest) -> Recorded | None:
    """Return the record of an epoch that is verified; None where it has none."""
    document = manifest.document.get(RECORD)
    return Recorded(**document) if document else None


# --- where what was measured is at hand ----------------------------------------------------------


def measured_beside(folder: Path, epoch: int) -> Path | None:
    """Return where the season of a published folder keeps what was measured; None: not at hand."""
    season = Season.around(folder)
    if season is None or season.epoch(epoch).resolve() != folder.resolve():
        return None
    measured = season.measured_nodes(epoch)
    return measured if measured.is_dir() else None


def findings_against(recorded: Recorded, measured: Path, inputs: Inputs) -> list[Finding]:
    """Return in what an epoch's record is not that of the folder that measured its scores."""
    try:
        there = record_of(measured, inputs).as_json()
    except FindingsError as error:
        return list(error.findings)
    return [
        Finding(
            MANIFEST,
            f"records another measurement than {measured / MEASURE_MANIFEST} is",
            "compare the manifest hash with the one on chain: that one was published",
            column=f"{RECORD}.{name}",
            value=value if isinstance(value, str) else "",
        )
        for name, value in recorded.as_json().items()
        if value != there[name]
    ]
