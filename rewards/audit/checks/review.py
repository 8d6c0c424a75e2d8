"""Run the checks, let the waivers pass what they name, and say it as published documents."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rewards.audit.checks.catalogue import BY_NAME, CHECKS
from rewards.audit.checks.limits import Limits, limits_document
from rewards.audit.checks.model import CheckFinding, Evidence, Severity
from rewards.audit.checks.waivers import WAIVERS_TOML, Waiver, in_order, of_epoch
from rewards.errors import CheckFailed, Finding
from rewards.files.documents import canonical_json
from rewards.files.grammar import counted
from rewards.files.outputs import ReviewDocuments, sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CHECKS_FORMAT = "wct-checks-1"
FINDINGS_FORMAT = "wct-findings-1"

LOUDEST_FIRST = (Severity.BLOCKING, Severity.WARNING, Severity.INFO)


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


def counts_text(*reports: CheckReport) -> str:
    """Return how many findings there are of each severity, in words."""
    counts = Counter[str]()
    for report in reports:
        counts.update({kind: int(count) for kind, count in report.counts.items()})
    words = [
        counted(count, *WORDS.get(kind, (kind, kind))) for kind, count in counts.items() if count
    ]
    return ", ".join(words) or "nothing found"


WORDS = {"info": ("note", "notes"), "warning": ("warning", "warnings")}
"""One and several findings of a kind; the other kinds are no nouns, and read alike."""


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
    return report_of_hits(evidence, limits, hits, waivers, recorded=recorded)


def report_of_hits(
    evidence: Evidence,
    limits: Limits,
    hits: Iterable[CheckFinding],
    waivers: Iterable[Waiver],
    *,
    recorded: bool,
) -> CheckReport:
    """Return the report of what was found, in order, with the waivers applied."""
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
