"""Recompute a published epoch from its own inputs and compare every byte."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rewards.audit.checks.recorded import is_recorded, recorded_reviewer, review_published
from rewards.audit.checks.review import as_error
from rewards.audit.measurement import recorded_again
from rewards.errors import CheckFailed, Finding, InvalidInput, InvariantBroken
from rewards.files.epoch import compute
from rewards.files.folder import open_regular, walk_files
from rewards.files.inputs import canonical_inputs, check_inputs, read_inputs
from rewards.files.outputs import (
    ALLOCATIONS_CSV,
    FINDINGS,
    INPUTS_FOLDER,
    MANIFEST,
    STATE,
    TREE,
)
from rewards.files.published import TAKE_AGAIN, PublishedEpoch
from rewards.files.streams import begun, bytes_of, is_same
from rewards.files.tree_file import NODE_BYTES
from rewards.merkle.distribution import Distribution
from rewards.merkle.tree import root_from_proof

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rewards.files.epoch import ComputedEpoch
    from rewards.files.streams import Content
    from rewards.rules.records import Opening

SHOWN_BYTES = 200


@dataclass(frozen=True, slots=True)
class Verification:
    """What a recomputation came to.

    Attributes:
        findings: The altered files first; none when every byte, proof and identity is right.
        recomputed: The epoch; None where it could not be computed.
    """

    findings: list[Finding]
    recomputed: ComputedEpoch | None = None


def verify_epoch(
    folder: Path, previous: Path | None = None, inputs: Path | None = None
) -> list[Finding]:
    """Return the findings of a `verification`."""
    return verification(folder, previous, inputs).findings


def verification(
    folder: Path, previous: Path | None = None, inputs: Path | None = None
) -> Verification:
    """Find everything in which a published epoch is not what its inputs make of it.

    The folder alone is enough: what the predecessor handed over is recorded in it. With `previous`
    that record is held against the predecessor itself, with `inputs` the inputs are held against
    those files.

    Raises:
        InvalidInput: There is no published folder, or `previous` or `inputs` cannot be read.
    """
    try:
        published = PublishedEpoch(folder)
    except CheckFailed as error:
        return Verification(list(error.findings))
    except InvalidInput as error:
        if _was_published(folder):  # all there but a readable manifest
            return Verification(list(error.findings))
        raise
    altered = published.altered_files()
    predecessor = PublishedEpoch(previous) if previous else None
    findings = _predecessor_findings(published, predecessor) if predecessor else []
    findings += _input_findings(published, inputs) if inputs else []
    if any(_is_source(finding.file) for finding in altered):
        # What would be computed from altered sources says nothing more.
        return Verification(altered + findings)
    try:
        reviewer = recorded_reviewer(published, previous)
    except InvalidInput as error:
        return Verification([*altered, *findings, *error.findings])
    try:
        opening = published.own_opening()
        checked = check_inputs(read_inputs(folder / INPUTS_FOLDER), opening)
        closing = begun(predecessor.closing) if predecessor and not findings else None
        recorder = recorded_again(published.manifest)
        expected = compute(checked, opening, reviewer, recorder)
    except CheckFailed as error:
        return Verification([*altered, *findings, *error.findings])
    except (InvalidInput, InvariantBroken) as error:
        return Verification([*altered, *findings, *_as_findings(error)])
    different = _byte_findings(published, expected.files)
    if isinstance(expected.distribution, Distribution):
        # Of a large tree every byte was compared: equal children of equal parents, up to the root.
        different += _proof_findings(expected.distribution)
    # What comes after looks at the result alone; the tree and the bytes are large.
    expected = replace(expected, files={}, distribution=None)
    if is_recorded(published) and not different:
        report = review_published(published)
        findings += [as_error(finding, report.epoch) for finding in report.blocking]
    if closing and not (findings or different):
        findings += _handover_findings(opening, closing())
    # An altered file that equals its recomputation byte for byte is a link, or the like.
    named = {finding.file for finding in different}
    different += [finding for finding in altered if finding.file not in named]
    return Verification(different + findings, expected)


def require_verified(folder: Path, previous: Path | None = None) -> PublishedEpoch:
    """Return a published epoch that came out as published; whoever reads one starts here.

    A folder whose digests agree may still be forged: only its recomputation tells.

    Raises:
        CheckFailed: It differs from what its inputs make of it, with every difference.
        InvalidInput: There is no published folder.
    """
    findings = verify_epoch(folder, previous)
    if findings:
        raise CheckFailed([replace(found, file=f"{folder}/{found.file}") for found in findings])
    return PublishedEpoch(folder)


def _was_published(folder: Path) -> bool:
    return (folder / STATE).is_file() and (folder / ALLOCATIONS_CSV).is_file()


def _is_source(name: str) -> bool:
    """Return whether a recomputation starts from the file."""
    return name.startswith(INPUTS_FOLDER) or name in (STATE, ALLOCATIONS_CSV, FINDINGS)


def _as_findings(error: Exception) -> list[Finding]:
    if isinstance(error, InvalidInput):
        return [
            # The opening is read from the published files themselves.
            f if _is_source(f.file) else replace(f, file=f"{INPUTS_FOLDER}{f.file}")
            for f in error.findings
        ]
    return [Finding(MANIFEST, f"has no recomputation: {error}", "report this as a defect")]


def _byte_findings(published: PublishedEpoch, expected: Mapping[str, Content]) -> list[Finding]:
    """Compare the folder with the recomputed bytes; name the first difference of each file."""
    findings = []
    present = set(walk_files(published.folder))
    for name in sorted(present | set(expected), key=lambda name: (name == MANIFEST, name)):
        if name not in expected:
            findings.append(Finding(name, "is not part of the epoch", "remove it"))
        elif name not in present:
            findings.append(Finding(name, "is missing", TAKE_AGAIN))
        else:
            findings += _compared(published.folder / name, name, expected[name])
    return findings


def _compared(path: Path, name: str, expected: Content) -> list[Finding]:
    """Compare a file with what it should hold; links, pipes and garbage are never read in."""
    try:
        with open_regular(path, name) as handle:
            if is_same(path, expected):
                return []
            recomputed = bytes_of(expected)
            actual = handle.read(len(recomputed) + 1)
    except InvalidInput as error:
        return list(error.findings)
    return [_first_difference(name, actual, recomputed)]


def _first_difference(name: str, actual: bytes, expected: bytes) -> Finding:
    """Return the first line in which a file differs from its recomputation."""
    if name == TREE:
        length = min(len(actual), len(expected))
        place = next((i for i in range(length) if actual[i] != expected[i]), length)
        problem = f"differs from the recomputation in node {place // NODE_BYTES}"
        return Finding(name, problem, "do not settle this epoch; ask its publisher")
    pairs = zip(actual.split(b"\n"), expected.split(b"\n"), strict=False)
    for row, (here, there) in enumerate(pairs, start=1):
        if here != there:
            return Finding(
                name,
                f"differs from the recomputation, which gives {_shown(there)!r}",
                "do not settle this epoch; ask its publisher",
                row=row,
                value=_shown(here),
            )
    return Finding(name, "differs from the recomputation in length", TAKE_AGAIN)


def _shown(line: bytes) -> str:
    return line[:SHOWN_BYTES].decode(errors="replace")


def _proof_findings(distribution: Distribution) -> list[Finding]:
    """Fold every leaf's proof, the sentinel's too, up to the root."""
    return [
        Finding("distribution.json", "has a proof that misses the root", "report this", value=leaf)
        for leaf, amount in distribution.leaves
        if root_from_proof(distribution.domain.leaf_hash(leaf, amount), distribution.proof(leaf))
        != distribution.root
    ]


def _predecessor_findings(published: PublishedEpoch, predecessor: PublishedEpoch) -> list[Finding]:
    named = published.manifest.previous_hash
    if named is None:
        return [
            Finding(
                MANIFEST,
                f"is of a first epoch, which has no predecessor; {predecessor} was given as one",
                "verify it without --previous; if it should follow on that epoch, do not settle it "
                "and ask its publisher",
                column="previous_manifest_hash",
            )
        ]
    if named != predecessor.manifest.hash:
        return [
            Finding(
                MANIFEST,
                f"names another predecessor than {predecessor}, whose manifest hash is "
                f"{predecessor.manifest.hash}",
                "give the folder of the predecessor that it names, if that is the right one",
                column="previous_manifest_hash",
                value=named,
            )
        ]
    return [
        Finding(f"{predecessor}/{f.file}", f.problem, f.remedy, value=f.value)
        for f in predecessor.altered_files()
    ]


def _handover_findings(opening: Opening | None, closed: Opening) -> list[Finding]:
    """Hold what the folder says it took over against what the predecessor closed with."""
    if opening is None:
        return [Finding(STATE, "takes nothing over from the predecessor", TAKE_AGAIN)]
    findings = []
    if opening.state != closed.state:
        findings.append(
            Finding(STATE, "opens on another state than the predecessor closed with", TAKE_AGAIN)
        )
    if opening.ledger == closed.ledger:
        return findings
    for account in sorted({*opening.ledger, *closed.ledger}):
        here, there = opening.ledger.get(account), closed.ledger.get(account)
        if here != there:
            findings.append(
                Finding(
                    "allocations.csv",
                    f"opens on {here}, the predecessor closed with {there}",
                    "do not settle this epoch; ask its publisher",
                    column="previous_cumulative",
                    value=account,
                )
            )
    return findings


def _input_findings(published: PublishedEpoch, inputs: Path) -> list[Finding]:
    """Hold the published inputs against a folder of input files."""
    read = read_inputs(inputs)
    if read.findings or read.inputs is None:
        raise InvalidInput(read.findings)
    given = canonical_inputs(read.inputs)
    names = {
        name.removeprefix(INPUTS_FOLDER)
        for name in published.manifest.files
        if name.startswith(INPUTS_FOLDER)
    }
    findings = []
    for name in sorted(names | set(given)):
        if name not in given or name not in names:
            where = "published" if name in names else "given"
            findings.append(
                Finding(f"{INPUTS_FOLDER}{name}", f"is only among the {where} inputs", "compare")
            )
            continue
        path = published.folder / INPUTS_FOLDER / name
        if path.exists():
            findings += _compared(path, f"{INPUTS_FOLDER}{name}", given[name])
    return findings
