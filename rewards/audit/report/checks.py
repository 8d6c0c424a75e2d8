"""The findings, the waivers and the limits that an epoch was published with.

A season with limits publishes `findings.json` with each epoch, and the limits and waivers in its
manifest. Each finding is data: check, severity, subject, values, limit. Fields that are not known
here are shown as they are; an epoch that records nothing says so in the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.audit.checks.catalogue import BY_NAME
from rewards.audit.report.settlement import flatten
from rewards.files.outputs import FINDINGS

if TYPE_CHECKING:
    from rewards.audit.checks.review import CheckReport
    from rewards.files.published import PublishedEpoch

FINDINGS_LIMIT = 1 << 28
FIRST_COLUMNS = (
    "check",
    "severity",
    "subject",
    "found",
    "values",
    "limit",
    "waived",
    "reason",
    "approver",
)
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Records:
    """Findings or waivers as a table; `rows` is None where the epoch records none at all."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] | None
    left_out: int = 0

    @property
    def count(self) -> int:
        """How many there are, shown or not."""
        return len(self.rows or ()) + self.left_out


@dataclass(frozen=True, slots=True)
class Review:
    """What the checks said."""

    findings: Records
    waivers: Records
    limits: tuple[tuple[str, str], ...]
    published: bool = True


def read_review(published: PublishedEpoch, looked: CheckReport | None = None) -> Review:
    """Return what an epoch's checks said.

    Args:
        published: The epoch.
        looked: What the checks find under the default limits, where it was published without any.

    Raises:
        CheckFailed: `findings.json` is altered.
    """
    if looked is not None:
        entries = [
            {name: value for name, value in finding.as_json().items() if name != "waived"}
            for finding in looked.findings
        ]
        return Review(_records(entries), _records(None), (), published=False)
    document = published.manifest.document
    checks = document.get("checks")
    found = checks.get("findings") if isinstance(checks, dict) else checks
    if FINDINGS in published.manifest.files:
        found = published.read_json(FINDINGS, FINDINGS_LIMIT).get("findings")
    limits = checks.get("limits", {}) if isinstance(checks, dict) else {}
    return Review(
        _records(found), _records(document.get("waivers")), tuple(flatten(limits))[: 2 * SHOWN]
    )


def _records(entries: Any) -> Records:  # noqa: ANN401 - JSON
    if not isinstance(entries, list):
        return Records((), None)
    rows = [_fields(entry) for entry in entries[:SHOWN]]
    names = {name for row in rows for name in row}
    columns = (
        *(name for name in FIRST_COLUMNS if name in names),
        *sorted(names.difference(FIRST_COLUMNS)),
    )
    shown = tuple(tuple(row.get(column, "") for column in columns) for row in rows)
    return Records(columns, shown, len(entries[SHOWN:]))


def _fields(entry: Any) -> dict[str, str]:  # noqa: ANN401 - JSON
    """Return a record's fields as text; what is nested becomes `name value, name value`."""
    if not isinstance(entry, dict):
        return {"check": str(entry)}
    fields = {name: _text(value) for name, value in entry.items()}
    words = _in_words(entry)
    if words:
        # The check's own words hold its values and its limit.
        fields = {"found": words} | {
            name: text for name, text in fields.items() if name not in {"values", "limit"}
        }
    return fields


def _in_words(entry: dict[str, Any]) -> str:
    """Return what a check says of its finding; nothing for a check of another version."""
    check = BY_NAME.get(str(entry.get("check")))
    if check is None or "values" not in entry:
        return ""
    try:
        return check.say(entry["values"], entry.get("limit"))
    except (LookupError, ValueError, TypeError, AttributeError):
        return ""


def subject_of(text: str) -> str | None:
    """Return what the look-up knows a finding's subject by: an id or an address; None otherwise."""
    kind, _, name = text.partition(":")
    if kind in {"node", "wallet"}:
        return name
    return text if text.startswith("0x") else None


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, (dict, list)):
        return ", ".join(f"{name} {text}" for name, text in flatten(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
