"""What an epoch was published with: its limits, findings and waivers, and the checks run again."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from rewards.audit.checks.catalogue import BY_NAME
from rewards.audit.checks.earlier import earlier_folders, find_earlier, read_earlier
from rewards.audit.checks.limits import Limits, default_limits, limits_document, limits_from
from rewards.audit.checks.model import CheckFinding, Evidence, Severity
from rewards.audit.checks.review import (
    CHECKS_FORMAT,
    FINDINGS_FORMAT,
    CheckReport,
    report_of_hits,
    review,
    say,
)
from rewards.audit.checks.waivers import Waiver, waivers_from
from rewards.errors import Finding, FindingsError, InvalidInput
from rewards.files.grammar import GrammarError, parse_hash, parse_integer
from rewards.files.inputs import check_inputs, read_inputs
from rewards.files.outputs import FINDINGS, INPUTS_FOLDER, MANIFEST
from rewards.files.published import TAKE_AGAIN
from rewards.rules import RULESETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from rewards.files.epoch import ComputedEpoch
    from rewards.files.outputs import ReviewDocuments
    from rewards.files.published import PublishedEpoch
    from rewards.rules.records import EpochResult, Inputs, Opening

FINDINGS_LIMIT = 1 << 28
MALFORMED = (GrammarError, FindingsError, KeyError, TypeError, ValueError, AttributeError)


def is_recorded(published: PublishedEpoch) -> bool:
    """Return whether checks were published with an epoch."""
    return "checks" in published.manifest.document


def recorded_reviewer(
    published: PublishedEpoch, previous: Path | None
) -> Callable[[Inputs, Opening | None], Callable[[EpochResult], ReviewDocuments | None]] | None:
    """Return what makes the published documents anew, from the folder's own limits and waivers.

    The checks that look at earlier epochs run where `previous` leads to those epochs; otherwise
    their findings are taken as they are recorded. None when no checks were published.

    Raises:
        InvalidInput: What is recorded is not of the published form.
    """
    if not is_recorded(published):
        return None
    try:
        document = published.manifest.document
        if document["checks"]["format"] != CHECKS_FORMAT:
            raise GrammarError(f"is not of format {CHECKS_FORMAT}", "take a newer version")
        limits = limits_from(document["checks"]["limits"])
        waivers = waivers_from(document["waivers"])
        recorded = read_recorded(published)
    except MALFORMED as error:
        raise InvalidInput(
            Finding(MANIFEST, f"has no usable record of its checks: {error}", TAKE_AGAIN)
        ) from error

    def reviewed(
        inputs: Inputs, opening: Opening | None, result: EpochResult
    ) -> ReviewDocuments | None:
        if opening is None or not not_at_hand(published, previous):
            named = opening.manifest_hash if opening else None
            earlier = read_earlier(earlier_folders(previous), named)
            evidence = Evidence(inputs, opening, result, earlier)
            return review(evidence, limits, waivers, recorded=True).documents()
        evidence = Evidence(inputs, opening, result)
        own = review(evidence, limits).findings
        hits = [*own, *_trusted(recorded.findings, limits)]
        report = report_of_hits(evidence, limits, hits, waivers, recorded=True)
        return replace(report, references=recorded.references).documents()

    return lambda inputs, opening: partial(reviewed, inputs, opening)


def _trusted(recorded: Iterable[CheckFinding], limits: Limits) -> list[CheckFinding]:
    """Return the recorded findings against earlier epochs, as loud as the limits make them."""
    texts = limits_document(limits)
    return [
        replace(
            finding,
            severity=limits[finding.check].severity,
            limit=texts[finding.check].get("limit"),
        )
        for finding in recorded
        if BY_NAME[finding.check].needs_earlier
        and finding.check in limits
        and limits[finding.check].severity is not Severity.OFF
    ]


def not_at_hand(published: PublishedEpoch, previous: Path | None) -> list[str]:
    """Return the earlier epochs that the checks looked at and that `previous` does not lead to.

    What was found against these is taken on trust.
    """
    if not is_recorded(published):
        return []
    found = find_earlier(earlier_folders(previous), published.manifest.previous_hash)
    recorded = read_recorded(published).references
    return sorted(
        {
            f"epoch {given['epoch']} ({given['manifest_hash']})"
            for program, given in recorded.items()
            if given and not found[program]
        }
    )


@dataclass(frozen=True, slots=True)
class RecordedFindings:
    """`findings.json`."""

    findings: tuple[CheckFinding, ...]
    references: Mapping[str, Mapping[str, str] | None]


def read_recorded(published: PublishedEpoch) -> RecordedFindings:
    """Return the published findings of an epoch.

    Raises:
        CheckFailed: The file was altered.
        InvalidInput, GrammarError, KeyError, TypeError, ValueError: It is not of the published
            form.
    """
    document = published.read_json(FINDINGS, FINDINGS_LIMIT)
    if document["format"] != FINDINGS_FORMAT:
        raise GrammarError(f"is not of format {FINDINGS_FORMAT}", "take a newer version")
    references = {}
    for program in ("nodes", "wallets"):
        given = document["earlier"][program]
        references[program] = given and {
            "epoch": str(parse_integer(given["epoch"])),
            "manifest_hash": parse_hash(given["manifest_hash"]),
        }
    return RecordedFindings(
        tuple(_finding_from(given) for given in document["findings"]), references
    )


_SUBJECT = re.compile(r"[A-Za-z0-9_.:-]{1,80}", re.ASCII)
_VALUE = re.compile(r"[A-Za-z0-9_.:/ -]{0,100000}", re.ASCII)


def _finding_from(given: Mapping[str, Any]) -> CheckFinding:
    if given["check"] not in BY_NAME:
        raise GrammarError(f"{given['check']!r} is no check", "take a newer version")
    values = dict(given["values"])
    if not _SUBJECT.fullmatch(given["subject"]) or not all(map(_VALUE.fullmatch, values.values())):
        raise GrammarError("a finding's subject or value is not plain text", TAKE_AGAIN)
    finding = CheckFinding(
        given["check"],
        Severity(given["severity"]),
        given["subject"],
        values,
        given["limit"],
        given["waived"],
    )
    say(finding)  # every value that the words need is there
    return finding


def review_published(
    published: PublishedEpoch,
    previous: Path | None = None,
    *,
    limits: Limits | None = None,
    waivers: Sequence[Waiver] = (),
    against: PublishedEpoch | None = None,
    recomputed: ComputedEpoch | None = None,
) -> CheckReport:
    """Return the checks' report on a published epoch, for `plan`, `diff` and a look.

    Args:
        published: The epoch; what it records is reported, unless `limits` are given.
        previous: The predecessor's folder, from which the earlier tables are found.
        limits: Check anew under these.
        waivers: Used with `limits`.
        against: Look at this epoch's tables in place of the predecessor's, under the limits that
            the epoch records (or the defaults).
        recomputed: The epoch as `verify` has just computed it, where no file was altered.

    Raises:
        CheckFailed: A file was altered.
        InvalidInput: What is recorded is not of the published form.
    """
    if recomputed is None:
        published.require_unaltered()
    if limits is None and is_recorded(published):
        recorded = _recorded_report(published)
        if against is None:
            return recorded
        limits, waivers = recorded.limits, recorded.waivers
    if recomputed is not None:
        inputs, opening, result = recomputed.inputs, recomputed.opening, recomputed.result
    else:
        opening = published.own_opening()
        inputs = check_inputs(read_inputs(published.folder / INPUTS_FOLDER), opening)
        result = RULESETS[inputs.policy.ruleset].compute_epoch(inputs, opening)
    earlier = read_earlier(
        earlier_folders(against.folder if against else previous),
        against.manifest.hash if against else published.manifest.previous_hash,
    )
    evidence = Evidence(inputs, opening, result, earlier)
    return review(evidence, limits or default_limits(), waivers)


def _recorded_report(published: PublishedEpoch) -> CheckReport:
    document = published.manifest.document
    try:
        recorded = read_recorded(published)
        return CheckReport(
            published.manifest.epoch,
            limits_from(document["checks"]["limits"]),
            recorded.findings,
            waivers_from(document["waivers"]),
            references=recorded.references,
            recorded=True,
        )
    except MALFORMED as error:
        raise InvalidInput(
            Finding(MANIFEST, f"has no usable record of its checks: {error}", TAKE_AGAIN)
        ) from error
