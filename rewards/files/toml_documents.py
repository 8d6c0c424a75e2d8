"""TOML in and out: bounded, typed, every key known; written canonically."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from rewards.errors import Finding, InvalidInput
from rewards.files.folder import DOCUMENT_LIMIT, decode, read_bytes
from rewards.files.grammar import GrammarError, counted, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from rewards.rules.parameters import Kind


POINTS_LIMIT = 100
"""Points in a line: a key has at most one, a text or a list of versions a few."""

FINDINGS_LIMIT = 100
"""Unknown keys that are named one by one."""


_TABLE = re.compile(r"\s*\[([\w-]+)\]\s*(?:#.*)?", re.ASCII)
_TEXT_OR_COMMENT = re.compile(
    r'''"""(?:\\.|[^\\])*?"""|\'{3}.*?\'{3}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|\#[^\n]*''', re.DOTALL
)
_BARE_NUMBER = re.compile(r"[=,\[{]\s*([+-]?[0-9][\w.:+-]*)", re.ASCII)
_ODD_INTEGER = re.compile(r"\+.*|-0+|0[xob].*|.*_.*", re.ASCII)


class FloatText(str):
    """A TOML float, kept as its text: no float is ever made of it."""

    __slots__ = ()


def read_toml(path: Path, name: str) -> dict[str, Any]:
    """Return a document as flat `table.key` names.

    Raises:
        InvalidInput: Too large, not UTF-8, not TOML, or nested deeper than one table.
    """
    text = _read_text(path, name)
    for number, line in enumerate(text.split("\n"), 1):
        # The parser's time grows with the square of the parts of a dotted key.
        if line.count(".") > POINTS_LIMIT:
            raise InvalidInput(
                Finding(name, f"has over {POINTS_LIMIT} points in a line", "shorten it", row=number)
            )
    try:
        document = tomllib.loads(text, parse_float=FloatText)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(Finding(name, f"is not TOML: {error}", "correct the syntax")) from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            Finding(name, "is nested too deeply or holds a number of thousands of digits", "check")
        ) from error
    flat: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            flat.update((f"{_bare(key)}.{_bare(inner)}", below) for inner, below in value.items())
            flat.setdefault(f"{_bare(key)}.", None)  # an empty table is still one that was named
        else:
            flat[_bare(key)] = value
    return flat


def odd_integers(path: Path, name: str) -> Iterator[Finding]:
    """Yield the integers in TOML's own other spellings (`1_000`, `+1`, `-0`, `0x10`).

    The parser turns them into plain integers and tells nobody; here only digits are digits.
    """
    text = _read_text(path, name)
    lines = text.split("\n")
    # Texts and comments may hold anything; their line ends are kept, so that rows still count.
    bare = _TEXT_OR_COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)
    for match in _BARE_NUMBER.finditer(bare):
        if _ODD_INTEGER.fullmatch(match[1]):
            row = bare.count("\n", 0, match.start(1)) + 1
            remedy = "write digits only: no sign, separator or base"
            column = _table_of(lines[:row]) + lines[row - 1].partition("=")[0].strip()
            yield Finding(name, "is no plain integer", remedy, row, column, match[1])


def _table_of(lines: list[str]) -> str:
    opened = [match[1] for line in lines if (match := _TABLE.fullmatch(line))]
    return f"{opened[-1]}." if opened else ""


def _read_text(path: Path, name: str) -> str:
    return decode(read_bytes(path, name, DOCUMENT_LIMIT), name).replace("\r\n", "\n")


def _bare(key: str) -> str:
    """Return the key, quoted if it is empty or holds a point: `"a.b"` cannot pass for a.b."""
    return json.dumps(key) if not key or "." in key else key


class Document:
    """A TOML file being taken apart: every key that is asked for is checked, the rest is unknown.

    Findings are collected; `take` returns None for what is absent or wrong.
    """

    def __init__(self, path: Path, name: str, findings: list[Finding]) -> None:
        self.name = name
        self.findings = findings
        self.values: dict[str, Any] = {}
        self.known: set[str] = set()
        self.readable = True
        try:
            self.values = read_toml(path, name)
            self.findings.extend(odd_integers(path, name))
        except InvalidInput as error:
            self.findings.extend(error.findings)
            self.readable = False

    def find(self, key: str, value: object, problem: str, remedy: str) -> None:
        """Record a finding about a key."""
        try:
            shown = "" if value is None else str(value)
        except (ValueError, RecursionError):  # an integer of thousands of digits, deep tables
            shown = "(too long to show)"
        self.findings.append(Finding(self.name, problem, remedy, column=key, value=shown))

    def take(self, key: str, kind: type, *, required: bool = True) -> Any:  # noqa: ANN401
        """Return the value of a key of exactly that TOML type; None if absent or wrong."""
        self.known.add(key)
        if key not in self.values:
            if required and self.readable:
                self.find(key, None, "is missing", "add it")
            return None
        value = self.values[key]
        if type(value) is not kind:
            self.find(
                key,
                value,
                f"is {_TYPE_NAMES.get(type(value), 'of a type')} where {_TYPE_NAMES[kind]} belongs",
                _REMEDIES[kind],
            )
            return None
        return value

    def parse(self, key: str, parser: Callable[[str], Any], *, required: bool = True) -> Any:  # noqa: ANN401
        """Return the parsed value of a key that holds text."""
        text = self.take(key, str, required=required)
        return None if text is None else self._parsed(key, text, parser)

    def integer(self, key: str, *, low: int, high: int) -> int | None:
        """Return an integer within its bounds."""
        value: int | None = self.take(key, int)
        if value is not None and not low <= value <= high:
            self.find(key, value, f"is not within {low} and {high}", "correct it")
            return None
        return value

    def time(self, key: str, *, required: bool = True) -> int | None:
        """Return UTC seconds of a TOML offset date-time or of RFC 3339 text."""
        self.known.add(key)
        value = self.values.get(key)
        if isinstance(value, datetime):
            if value.tzinfo is None or value.utcoffset() != timedelta(0):
                self.find(key, value, "is not in UTC", "end it with Z")
                return None
            value = value.isoformat()
            return self._parsed(key, value, parse_time)  # type: ignore[no-any-return]
        return self.parse(key, parse_time, required=required)  # type: ignore[no-any-return]

    def refuse_unknown(self) -> None:
        """Record every key that nobody asked for."""
        tables = {key.split(".")[0] + "." for key in self.known if "." in key}
        unknown = sorted(set(self.values) - self.known - tables)
        for key in unknown[:FINDINGS_LIMIT]:
            shown = key.removesuffix(".")
            self.find(shown, shown, "is an unknown key", "check the spelling, or remove it")
        if len(unknown) > FINDINGS_LIMIT:
            more = len(unknown) - FINDINGS_LIMIT
            self.find("", None, f"has {counted(more, 'more unknown key')}", "correct these first")

    def _parsed(self, key: str, text: str, parser: Callable[[str], Any]) -> Any:  # noqa: ANN401
        try:
            return parser(text)
        except GrammarError as error:
            self.find(key, text, error.problem, error.remedy)
            return None


TOML_TYPES: dict[Kind, type] = {
    "decimal": str,
    "fraction": str,
    "choice": str,
    "integer": int,
    "boolean": bool,
}

_TYPE_NAMES: dict[type, str] = {
    str: "text",
    int: "an integer",
    bool: "a boolean",
    FloatText: "a number with a point",
    list: "an array",
    dict: "a table",
    datetime: "a date and time",
    date: "a date",
    time: "a time",
}
_REMEDIES: dict[type, str] = {
    str: 'write it in quotes, e.g. "0.8"',
    int: "write digits without quotes or point",
    bool: "write true or false, without quotes",
}


def canonical_toml(values: Mapping[str, str | int | bool]) -> bytes:
    """Return the canonical bytes of flat `table.key` values: sorted keys, sorted tables."""
    tables: dict[str, dict[str, str | int | bool]] = {"": {}}
    for key, value in values.items():
        table, _, name = key.rpartition(".")
        tables.setdefault(table, {})[name] = value
    parts = []
    for table in sorted(tables):
        lines = [f"[{table}]"] if table else []
        lines += [f"{name} = {_toml_value(value)}" for name, value in sorted(tables[table].items())]
        if lines:
            parts.append("\n".join(lines) + "\n")
    return "\n".join(parts).encode()


def _toml_value(value: str | int | bool) -> str:  # noqa: FBT001
    if isinstance(value, bool):
        return "true" if value else "false"
    # JSON's escapes are a subset of a TOML basic string's.
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False)
