"""Waivers: who let which blocking finding of which epoch pass, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.audit.checks.catalogue import BY_NAME
from rewards.errors import InvalidInput
from rewards.files.grammar import GrammarError, parse_integer, parse_text
from rewards.files.toml_documents import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from rewards.errors import Finding

WAIVERS_TOML = "waivers.toml"
KEYS = ("check", "subject", "epoch", "reason", "approver")


@dataclass(frozen=True, slots=True)
class Waiver:
    """One finding of one epoch that is known, and by whose decision it does not block."""

    check: str
    subject: str
    epoch: int
    reason: str
    approver: str

    @property
    def covers(self) -> tuple[str, str]:
        """The check and subject that it lets pass in its epoch."""
        return self.check, self.subject

    def as_json(self) -> dict[str, str]:
        """Return the waiver as a manifest records it."""
        return {
            "check": self.check,
            "subject": self.subject,
            "epoch": str(self.epoch),
            "reason": self.reason,
            "approver": self.approver,
        }


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """Return the `[[waiver]]` tables of a `waivers.toml`, in the order of check and subject.

    Raises:
        InvalidInput: With every unknown key, wrong type, blank text and second waiver for one
            finding.
    """
    findings: list[Finding] = []
    document = Document(path, path.name, findings)
    document.known.add("waiver")
    tables = document.values.get("waiver", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        document.find("waiver", None, "is no list of tables", "write [[waiver]] above each waiver")
        tables = []
    read = [_read_waiver(document, f"waiver {i}", table) for i, table in enumerate(tables, start=1)]
    waivers = [waiver for waiver in read if waiver is not None]
    for number, waiver in enumerate(waivers):
        if any(
            other.covers == waiver.covers and other.epoch == waiver.epoch
            for other in waivers[:number]
        ):
            document.find(
                "waiver", f"{waiver.check} {waiver.subject}", "is waived twice", "keep one"
            )
    if document.readable:
        document.refuse_unknown()
    if findings:
        raise InvalidInput(findings)
    return in_order(waivers)


def waivers_from(documents: Iterable[Mapping[str, Any]]) -> tuple[Waiver, ...]:
    """Return the waivers that a manifest records.

    Raises:
        GrammarError, KeyError, TypeError: They are not of the published form.
    """
    return tuple(
        Waiver(
            _known_check(given["check"]),
            parse_text(given["subject"]),
            parse_integer(given["epoch"]),
            parse_text(given["reason"]),
            parse_text(given["approver"]),
        )
        for given in documents
    )


def in_order(waivers: Iterable[Waiver]) -> tuple[Waiver, ...]:
    """Return waivers in the one order in which they are published."""
    return tuple(sorted(waivers, key=lambda w: (w.epoch, w.check, w.subject)))


def of_epoch(waivers: Iterable[Waiver], epoch: int) -> Iterator[Waiver]:
    """Yield the waivers that name an epoch."""
    return (waiver for waiver in waivers if waiver.epoch == epoch)


def _known_check(name: str) -> str:
    if name not in BY_NAME:
        raise GrammarError("is no check", "the checks are " + ", ".join(BY_NAME))
    return name


def _read_waiver(document: Document, place: str, table: Mapping[str, Any]) -> Waiver | None:
    for key in sorted(set(table) - set(KEYS)):
        document.find(f"{place}.{key}", key, "is an unknown key", "the keys are " + ", ".join(KEYS))
    values: dict[str, Any] = {}
    for key in KEYS:
        value = table.get(key)
        wanted, word = (int, "an integer") if key == "epoch" else (str, "text")
        if type(value) is not wanted:
            problem = "is missing" if value is None else f"is not {word}"
            document.find(f"{place}.{key}", value, problem, f"every waiver has {key} as {word}")
            continue
        try:
            parse = _known_check if key == "check" else parse_text
            values[key] = value if key == "epoch" else parse(str(value))
        except GrammarError as error:
            document.find(f"{place}.{key}", value, error.problem, error.remedy)
    return Waiver(**values) if len(values) == len(KEYS) else None
