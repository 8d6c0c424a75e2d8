"""Run the checks, let the waivers pass what they name, and say it as published documents."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rewards.audit.checks.catalogue import BY_NAME, CHECKS
from rewards.audit.checks.earlier import earlier_folders, find_earlier, read_earlier
from rewards.audit.checks.limits import (
    CHECKS_TOML,
    Limits,
    default_limits,
    limits_document,
    limits_from,
    read_limits,
)
from rewards.audit.checks.model import CheckFinding, Evidence, Severity
from rewards.audit.checks.waivers import (
    WAIVERS_TOML,
    Waiver,
    in_order,
    of_epoch,
    read_waivers,
    waivers_from,
)
from rewards.errors import CheckFailed, Finding, FindingsError, InvalidInput, InvariantBroken
from rewards.files.documents import canonical_json
from rewards.files.grammar import GrammarError, parse_hash, parse_integer
from rewards.files.inputs import check_inputs, read_inputs
from rewards.files.outputs import FINDINGS, INPUTS_FOLDER, MANIFEST, ReviewDocuments, sha256
from rewards.files.published import TAKE_AGAIN
from rewards.rules import RULESETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from rewards.files.epoch import ComputedEpoch
    from rewards.files.published import PublishedEpoch
    from rewards.rules.records import EpochResult, Inputs, Opening

CHECKS_FORMAT = "wct-checks-1"
FINDINGS_FORMAT = "wct-findings-1"
FINDINGS_LIMIT = 1 << 28

LOUDEST_FIRST = (Severity.BLOCKING, Severity.WARNING, Severity.INFO)
MALFORMED = (GrammarError, FindingsError, KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True)
class CheckReport:
    """What the checks found in one epoch.

    Attributes:
        epoch: Its number.
        limits: Under which limits.
        findings: The loudest first, then in the order of the catalogue and of the subjects.
        waivers: Those that let a blocking finding pass.
        unused: Those that name the epoch but no blocking finding of it.
        references: The earlier epochs looked at, per program.
        recorded: Whether limits, findings and waivers are published with the epoch.
    """

    epoch: int
    limits: Limits
    findings: tuple[CheckFinding, ...]
    waivers: tuple[Waiver, ...] = ()
    unused: tuple[Waiver, ...] = ()
    references: Mapping[str, Mapping[str, str] | None] = field(default_factory=dict)
    recorded: bool = False

    @property
    def blocking(self) -> tuple[CheckFinding, ...]:
        """The findings because of which nothing may be published."""
        return tuple(finding for finding in self.findings if finding.blocks)

    @cached_property
    def counts(self) -> dict[str, str]:
        """How many findings there are of each severity; the waived ones counted apart."""
        kinds = Counter(
            "waived" if finding.waived else str(finding.severity) for finding in self.findings
        )
        return {kind: str(kinds[kind]) for kind in ("blocking", "warning", "info", "waived")}

    def documents(self) -> ReviewDocuments | None:
        """Return what is published of it; None when it is not."""
        if not self.recorded:
            return None
        findings = canonical_json(
            {
                "format": FINDINGS_FORMAT,
                "epoch": str(self.epoch),
                "earlier": {name: given and dict(given) for name, given in self.references.items()},
                "findings": [finding.as_json() for finding in self.findings],
            }
        )
        return ReviewDocuments(
            findings,
            {
                "format": CHECKS_FORMAT,
                "limits": limits_document(self.limits),
                "findings_digest": sha256(findings),
                "counts": self.counts,
            },
            [waiver.as_json() for waiver in self.waivers],
        )

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON document for a command's answer."""
        return {
            "recorded": self.recorded,
            "counts": self.counts,
            "findings": [
                {**finding.as_json(), "message": say(finding)} for finding in self.findings
            ],
            "waivers": [waiver.as_json() for waiver in self.waivers],
            "unused_waivers": [waiver.as_json() for waiver in self.unused],
        }

    def require_unblocked(self) -> None:
        """Stop where a blocking finding is not waived.

        Raises:
            CheckFailed: With each such finding and the waiver that would let it pass.
        """
        if self.blocking:
            raise CheckFailed([as_error(finding, self.epoch) for finding in self.blocking])


def say(finding: CheckFinding) -> str:
    """Return a finding in words, without its subject."""
    return BY_NAME[finding.check].say(finding.values, finding.limit)


def as_error(finding: CheckFinding, epoch: int) -> Finding:
    """Return a blocking finding as an error that says what to do."""
    return Finding(
        f"check {finding.check}",
        f"blocks epoch {epoch}: {say(finding)}",
        f"correct the input, or have it waived: a [[waiver]] in {WAIVERS_TOML} with this check and "
        f"subject, epoch = {epoch}, reason and approver",
        value=finding.subject,
    )


def review(
    evidence: Evidence,
    limits: Limits,
    waivers: Iterable[Waiver] = (),
    *,
    recorded: bool = False,
) -> CheckReport:
    """Return what the checks find under the limits, with the waivers applied."""
    hits = [
        CheckFinding(check.name, limits[check.name].severity, hit.subject, hit.values, hit.limit)
        for check in CHECKS
        if check.name in limits and limits[check.name].severity is not Severity.OFF
        for hit in check.find(evidence, limits[check.name].values)
    ]
    return _report(evidence, limits, hits, waivers, recorded=recorded)


def _report(
    evidence: Evidence,
    limits: Limits,
    hits: Iterable[CheckFinding],
    waivers: Iterable[Waiver],
    *,
    recorded: bool,
) -> CheckReport:
    epoch = evidence.inputs.header.epoch
    named = list(of_epoch(waivers, epoch))
    covered = {waiver.covers for waiver in named}
    findings = sorted(
        (
            replace(hit, waived=(hit.check, hit.subject) in covered)
            if hit.severity is Severity.BLOCKING
            else hit
            for hit in hits
        ),
        key=_in_order,
    )
    used = {(finding.check, finding.subject) for finding in findings if finding.waived}
    return CheckReport(
        epoch,
        limits,
        tuple(findings),
        waivers=in_order(waiver for waiver in named if waiver.covers in used),
        unused=in_order(waiver for waiver in named if waiver.covers not in used),
        references=evidence.earlier.references(),
        recorded=recorded,
    )


_ORDER = {name: i for i, name in enumerate(BY_NAME)}


def _in_order(finding: CheckFinding) -> tuple[int, int, str]:
    return (
        LOUDEST_FIRST.index(finding.severity),
        _ORDER[finding.check],
        finding.subject,
    )


# --- in compute ------------------------------------------------------------------------------


@dataclass
class Reviewer:
    """The checks of a season, ready for an epoch; keeps the last report.

    Attributes:
        limits: What holds.
        waivers: What is waived, of all epochs.
        previous: The predecessor's published folder.
        recorded: Whether the season asked for checks, so that they are published.
    """

    limits: Limits
    waivers: Sequence[Waiver]
    previous: Path | None
    recorded: bool
    report: CheckReport | None = None

    @property
    def last_report(self) -> CheckReport:
        """The report on the epoch that was computed with this reviewer.

        Raises:
            InvariantBroken: None was.
        """
        if self.report is None:
            raise InvariantBroken("an epoch was computed without its checks")
        return self.report

    def __call__(
        self, inputs: Inputs, opening: Opening | None, result: EpochResult
    ) -> ReviewDocuments | None:
        """Check an epoch; return what is to be published of it."""
        named = opening.manifest_hash if opening else None
        earlier = read_earlier(earlier_folders(self.previous), named)
        evidence = Evidence(inputs, opening, result, earlier)
        self.report = review(evidence, self.limits, self.waivers, recorded=self.recorded)
        return self.report.documents()


def reviewer_for(
    previous: Path | None,
    *,
    season: Path | None = None,
    checks: Path | None = None,
    waivers: Path | None = None,
) -> Reviewer:
    """Return the reviewer that the files of a season, or those named, ask for.

    Without a `checks.toml` and without a `waivers.toml` the defaults are looked at, nothing blocks
    and nothing is published of it.

    Raises:
        InvalidInput: A file is wrong.
    """
    if season is not None:
        checks = checks or _if_there(season / CHECKS_TOML)
        waivers = waivers or _if_there(season / WAIVERS_TOML)
    return Reviewer(
        read_limits(checks) if checks else default_limits(),
        read_waivers(waivers) if waivers else (),
        previous,
        recorded=bool(checks or waivers),
    )


def _if_there(path: Path) -> Path | None:
    # A broken link is there too, and is then refused with its name.
    return path if path.exists() or path.is_symlink() else None


# --- from a published folder -----------------------------------------------------------------


def is_recorded(published: PublishedEpoch) -> bool:
    """Return whether checks were published with an epoch."""
    return "checks" in published.manifest.document


def recorded_reviewer(
    published: PublishedEpoch, previous: Path | None
) -> Callable[[Inputs, Opening | None, EpochResult], ReviewDocuments | None] | None:
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
        report = _report(evidence, limits, hits, waivers, recorded=True)
        return replace(report, references=recorded.references).documents()

    return reviewed


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
