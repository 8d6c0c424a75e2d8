"""The epochs to be settled, recomputed, and looked at under the limits that hold when they are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rewards.audit.checks.recorded import review_published
from rewards.audit.checks.review import as_error, counts_text
from rewards.audit.checks.waivers import WAIVERS_TOML
from rewards.audit.measurement import recorded_of
from rewards.audit.verify import verification

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rewards.audit.checks.review import CheckReport
    from rewards.audit.checks.reviewer import Reviewer
    from rewards.errors import Finding
    from rewards.files.published import PublishedEpoch
    from rewards.settling.history import History
    from rewards.settling.verdict import Verdict

REMEDY = (
    "correct the inputs and run `rewards restate`, or have each waived: a [[waiver]] in "
    f"{WAIVERS_TOML} with this check, subject and epoch, reason and approver"
)


@dataclass(slots=True)
class Recomputed:
    """What came of the epochs that are settled.

    Attributes:
        findings: In what an epoch is not what its inputs make of it.
        reports: What the checks find in each epoch that is.
        alone: Epochs whose predecessor is not at hand: nothing of them is held against it.
        overrides: The scores that somebody answers for in place of a measurement, in words.
    """

    findings: list[Finding] = field(default_factory=list)
    reports: list[CheckReport] = field(default_factory=list)
    alone: list[int] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)

    @property
    def blocking(self) -> list[Finding]:
        """The findings that block an epoch, as errors."""
        return [
            replace(as_error(finding, one.epoch), remedy=REMEDY)
            for one in self.reports
            for finding in one.blocking
        ]


def recompute(
    history: History, reviewer: Reviewer | None, report: Callable[[int], None] = lambda _: None
) -> Recomputed:
    """Recompute every epoch and review it.

    Args:
        history: The epochs.
        reviewer: The limits and waivers that hold; where nobody asked for any, each epoch is
            reported as it was published.
        report: Is called with 1 for each epoch.

    Raises:
        CheckFailed: A table that an epoch is held against was altered.
    """
    made = Recomputed()
    for epoch, before in history.with_predecessors:
        findings, reviewed = _recompute(epoch, before.folder if before else None, reviewer)
        made.findings += findings
        if reviewed:
            made.reports.append(reviewed)
            recorded = recorded_of(epoch.manifest)
            lines = recorded.lines()[1:] if recorded else ()
            made.overrides += [f"epoch {epoch.manifest.epoch}: score of {line}" for line in lines]
        if before is None and epoch.manifest.previous_hash:
            made.alone.append(epoch.manifest.epoch)
        report(1)
    return made


def _recompute(
    epoch: PublishedEpoch, previous: Path | None, reviewer: Reviewer | None
) -> tuple[list[Finding], CheckReport | None]:
    outcome = verification(epoch.folder, previous)
    if outcome.findings:
        return outcome.findings, None
    asked = reviewer if reviewer and reviewer.recorded else None
    reviewed = review_published(
        epoch,
        previous,
        limits=asked.limits if asked else None,
        waivers=asked.waivers if asked else (),
        recomputed=outcome.recomputed,
    )
    return [], reviewed


def expect_unblocked(verdict: Verdict, name: str, made: Recomputed) -> None:
    """Record that no finding blocks an epoch, and tell whoever signs by which waivers."""
    blocking = made.blocking
    verdict.found(name, blocking, counts_text(*made.reports), shown=len(blocking))
    verdict.notes += [
        f"epoch {one.epoch}: {waiver.check} of {waiver.subject} is waived by {waiver.approver}: "
        f"{waiver.reason}"
        for one in made.reports
        for waiver in one.waivers
    ]
    verdict.notes += made.overrides
    verdict.notes += [
        f"epoch {number}: its predecessor is not at hand, nothing was held against it; "
        "give it with --previous"
        for number in made.alone
    ]
