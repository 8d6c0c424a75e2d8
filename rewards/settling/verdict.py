"""What a gate came to: named checks, each passed or not, with what was found and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rewards.errors import CheckFailed, Finding, FindingsError, RewardsError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHOWN = 5
"""Findings of one check that are spelled out; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check's result; `remedy` is empty where it passed."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""

    def as_json(self) -> dict[str, str | bool]:
        """Return it as a plan and a verdict hold it: printable text, no numbers."""
        return {
            "name": self.name,
            "ok": self.ok,
            "detail": printable(self.detail),
            "remedy": printable(self.remedy),
        }


@dataclass(slots=True)
class Verdict:
    """The checks in the order in which they were made.

    Attributes:
        facts: Where and when was looked, as text.
        told: What another target's contract said there, by name, as text.
        checks: The checks.
        notes: What whoever signs should know, though nothing is wrong.
    """

    facts: dict[str, str] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)

    def passed(self, name: str, detail: str) -> None:
        """Record a check that passed."""
        self.checks.append(Check(name, ok=True, detail=detail))

    def failed(self, name: str, detail: str, remedy: str) -> None:
        """Record a check that failed."""
        self.checks.append(Check(name, ok=False, detail=detail, remedy=remedy))

    def expect(self, name: str, holds: bool, detail: str, remedy: str) -> None:  # noqa: FBT001
        """Record a check; the remedy is only for the case that it does not hold."""
        if holds:
            self.passed(name, detail)
        else:
            self.failed(name, detail, remedy)

    def found(
        self, name: str, findings: Sequence[Finding], good: str, *, shown: int = SHOWN
    ) -> None:
        """Record a check that passes where nothing was found; `shown` are spelled out."""
        if not findings:
            self.passed(name, good)
            return
        lines = [str(finding) for finding in findings[:shown]]
        remedy = findings[0].remedy
        if all(finding.remedy == remedy for finding in findings):  # said once, as what to do
            lines = [line.removesuffix(f"; {remedy}") for line in lines]
        if len(findings) > shown:
            lines.append(f"and {len(findings) - shown} more")
        self.failed(name, " | ".join(lines), remedy)

    def refused(self, name: str, error: RewardsError) -> None:
        """Record a check that could not be made, or failed as a whole."""
        if isinstance(error, FindingsError):
            self.found(name, error.findings, "")
        else:
            self.failed(name, str(error), "see the message")

    def has_failed(self, *names: str) -> bool:
        """Return whether one of these checks failed."""
        return any(not check.ok and check.name in names for check in self.checks)

    def as_json(self) -> dict[str, object]:
        """Return the verdict as a document."""
        return {
            "ok": self.ok,
            **self.facts,
            "checks": [check.as_json() for check in self.checks],
            **({"facts": dict(self.told)} if self.told else {}),
            **({"notes": [printable(said) for said in self.notes]} if self.notes else {}),
        }

    def findings(self) -> Iterator[Finding]:
        """Yield the failed checks as findings."""
        for check in self.checks:
            if not check.ok:
                yield Finding(f"gate: {check.name}", check.detail, check.remedy)

    def require_ok(self) -> None:
        """Stop where a check failed.

        Raises:
            CheckFailed: With every failed check.
        """
        if not self.ok:
            raise CheckFailed(self.findings())
