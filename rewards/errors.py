"""What can go wrong, as a tree; the command line maps each branch to an exit code.

RewardsError
├── InvalidInput      wrong usage or wrong input: findings, all together      exit 2
├── CheckFailed       a check found something: mismatch, finding, refusal     exit 1
├── Refused           a contract on the chain refuses                         exit 1
├── ChainError        the chain or its endpoint                               exit 3
└── InvariantBroken   our own fault; never caught, never excused              traceback
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN_VALUE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found wrong, as data: where, what value, what is wrong, what to do.

    `row` is the line of the file on which the record starts (the header is line 1), so that an
    editor can jump there; 0 where the finding concerns the whole file.
    """

    file: str
    problem: str
    remedy: str
    row: int = 0
    column: str = ""
    value: str = ""

    def __str__(self) -> str:
        """Return the finding as one line for a person."""
        place = self.file
        if self.row:
            place += f", row {self.row}"
        if self.column:
            place += f", {self.column}"
        shown = f" {shorten(self.value)}" if self.value else ""
        return printable(f"{place}:{shown} {self.problem}; {self.remedy}")

    def as_json(self) -> dict[str, str | int]:
        """Return the finding as a JSON object, the value cut to a printable length."""
        found = {
            name: printable(text) if isinstance(text, str) else text
            for name, text in asdict(self).items()
            if name != "value"
        }
        return {**found, "value": shorten(self.value) if self.value else ""}


def printable(text: str) -> str:
    """Return the text with every character escaped that could move or hide what is around it."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shorten(value: str) -> str:
    """Return the value quoted, printable, and at most SHOWN_VALUE_LENGTH characters of it."""
    shown = ascii(value[:SHOWN_VALUE_LENGTH])
    return shown if len(value) <= SHOWN_VALUE_LENGTH else f"{shown}… ({len(value)} characters)"


class RewardsError(Exception):
    """Everything that the program expects to go wrong in normal operation."""


class FindingsError(RewardsError):
    """An error that is a list of findings."""

    def __init__(self, findings: Iterable[Finding] | Finding) -> None:
        self.findings = (findings,) if isinstance(findings, Finding) else tuple(findings)
        super().__init__("\n".join(map(str, self.findings)))


class InvalidInput(FindingsError):  # noqa: N818 - reads as what it says
    """The input cannot be used; `findings` holds everything that was found, together."""


class CheckFailed(FindingsError):  # noqa: N818
    """A check came to a negative result; `findings` says where."""


class Refused(RewardsError):  # noqa: N818
    """A contract on the chain refuses what it is asked; the endpoint did its part."""


class ChainError(RewardsError):
    """The chain or its endpoint does not do what is needed."""


class InvariantBroken(Exception):  # noqa: N818
    """A law of the rulebook does not hold in a result: a defect of this program."""
