"""The limits of the checks: `checks.toml`, their defaults, and as a manifest records them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.audit.checks.catalogue import BY_NAME, CHECKS
from rewards.audit.checks.model import Severity
from rewards.errors import InvalidInput
from rewards.files.grammar import GrammarError, choice_of, parse_decimal, parse_integer
from rewards.files.toml_documents import Document
from rewards.rules.integers import format_decimal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rewards.audit.checks.model import Check
    from rewards.errors import Finding
    from rewards.rules.parameters import Parameter

CHECKS_TOML = "checks.toml"


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """How loud one check is and what it allows, typed, by parameter key (None: not set)."""

    severity: Severity
    values: Mapping[str, Any]


Limits = dict[str, CheckLimits]
"""The limits of every check that runs, by name, in the order of the catalogue."""


def default_limits() -> Limits:
    """Return the limits that hold where `checks.toml` says nothing."""
    return {
        check.name: CheckLimits(check.severity, {p.key: _default(p) for p in check.parameters})
        for check in CHECKS
    }


def read_limits(path: Path) -> Limits:
    """Return the limits that a `checks.toml` gives; what it leaves out has its default.

    Raises:
        InvalidInput: With every unknown check or key, wrong type and value out of bounds.
    """
    findings: list[Finding] = []
    document = Document(path, path.name, findings)
    limits = {check.name: _read_check(document, check) for check in CHECKS}
    if document.readable:
        document.refuse_unknown()
    if findings:
        raise InvalidInput(findings)
    return limits


def limits_document(limits: Limits) -> dict[str, dict[str, str]]:
    """Return the limits as a manifest records them, every default written out."""
    return {
        name: {
            "severity": str(given.severity),
            **{
                parameter.key: _text(parameter, given.values[parameter.key])
                for parameter in BY_NAME[name].parameters
                if given.values[parameter.key] is not None
            },
        }
        for name, given in limits.items()
    }


def limits_from(document: Mapping[str, Mapping[str, str]]) -> Limits:
    """Return the limits that a manifest records.

    Raises:
        GrammarError, KeyError, TypeError, AttributeError: It is not of the published form.
    """
    limits: Limits = {}
    for name in (check.name for check in CHECKS if check.name in document):
        given = document[name]
        limits[name] = CheckLimits(
            Severity(choice_of(*Severity)(given["severity"])),
            {
                parameter.key: _parse(parameter, given[parameter.key])
                if parameter.key in given or parameter.default is not None
                else None
                for parameter in BY_NAME[name].parameters
            },
        )
    if limits_document(limits) != document:
        raise GrammarError("names a check or a limit that is not known", "take a newer version")
    return limits


def template() -> str:
    """Return a `checks.toml` that says what holds anyway, to be changed."""
    lines = [
        "# Limits of the checks. A finding that blocks keeps the epoch from being published,",
        "# unless waivers.toml names check, subject, epoch, reason and approver.",
        '# severity: "off", "info", "warning" or "blocking".',
    ]
    for check in CHECKS:
        lines += ["", f"[{check.name}]", f"# {check.meaning}", f'severity = "{check.severity}"']
        for parameter in check.parameters:
            given = parameter.default
            if given is None:
                lines.append(f'# {parameter.key} = "…"')
            else:
                lines.append(
                    f"{parameter.key} = " + (f'"{given}"' if isinstance(given, str) else str(given))
                )
    return "\n".join(lines) + "\n"


def _read_check(document: Document, check: Check) -> CheckLimits:
    word = document.parse(f"{check.name}.severity", choice_of(*Severity), required=False)
    values = {}
    for parameter in check.parameters:
        key = f"{check.name}.{parameter.key}"
        if key in document.values:
            values[parameter.key] = _read(document, key, parameter)
        else:
            values[parameter.key] = _default(parameter)
    return CheckLimits(Severity(word) if word else check.severity, values)


def _read(document: Document, key: str, parameter: Parameter) -> int | None:
    if parameter.kind == "integer":
        return document.integer(key, low=parameter.low, high=parameter.high)
    value: int | None = document.parse(key, parse_decimal)
    if value is not None and not parameter.low <= value <= parameter.high:
        bounds = f"{format_decimal(parameter.low)} to {format_decimal(parameter.high)}"
        document.find(
            key, document.values[key], "is out of bounds", f"choose a value from {bounds}"
        )
        return None
    return value


def _default(parameter: Parameter) -> int | None:
    default = parameter.default
    return parse_decimal(default) if isinstance(default, str) else default


def _parse(parameter: Parameter, text: str) -> int:
    return parse_integer(text) if parameter.kind == "integer" else parse_decimal(text)


def _text(parameter: Parameter, value: int) -> str:
    return str(value) if parameter.kind == "integer" else format_decimal(value)
