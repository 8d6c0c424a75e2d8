"""A derivation: steps that anybody can evaluate again.

A step's `formula` (and its `when`, the condition under which it is the one that applies) is an
expression in Python's syntax over integers, the step's own `inputs`, and the functions of
FUNCTIONS. An input is a decimal string, a word, a boolean, a list of these, or a column of a
published table: `{"file": "nodes.csv", "column": "pay_factor"}`, its rows in file order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from rewards.errors import InvariantBroken
from rewards.rules.integers import WAD, iroot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Unit = Literal["ratio", "wct", "count", "weight", "hash"]

FUNCTIONS: dict[str, Any] = {
    "iroot": iroot,
    "max": max,
    "min": min,
    "sum": sum,
    "len": len,
    "sorted": sorted,
    "zip": zip,
    "enumerate": enumerate,
}
"""`iroot(q, x)` is the largest r with r**q <= x; the others are Python's."""


_PLACE = re.compile(r"\{([^|}]+)\|([a-z]+)\}")


@dataclass(frozen=True, slots=True)
class PublishedColumn:
    """A column of a published table as an input of a step."""

    file: str
    column: str
    values: Sequence[int] = field(repr=False)


Input = int | str | bool | PublishedColumn | list[int]


@dataclass(frozen=True, slots=True)
class Step:
    """One formula of the rulebook with its numbers."""

    section: str
    symbol: str
    formula: str
    inputs: Mapping[str, Input]
    value: int | str
    unit: Unit
    when: str | None = None
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the step as JSON, integers as decimal strings."""
        document = {
            "section": self.section,
            "symbol": self.symbol,
            "formula": self.formula,
            "inputs": {name: _input_json(value) for name, value in self.inputs.items()},
            "value": str(self.value),
            "unit": self.unit,
        }
        if self.when:
            document["when"] = self.when
        if self.note:
            document["note"] = self.note
        return document


class Derivation:
    """The steps of one node, wallet or account, built in order."""

    def __init__(self, kind: str, subject: str) -> None:
        self.kind = kind
        self.subject = subject
        self.facts: dict[str, str] = {}
        self.steps: list[Step] = []
        self.sentences: list[str] = []
        self.amount = 0
        self.payout_address = ""

    def step(
        self,
        section: str,
        symbol: str,
        formula: str,
        unit: Unit,
        *,
        expect: int | None = None,
        when: str | None = None,
        note: str = "",
        **inputs: Input,
    ) -> int:
        """Evaluate a formula, record the step and return its value.

        Raises:
            InvariantBroken: The value is not the one that the rules computed (`expect`), or the
                step does not apply.
        """
        numbers = {
            name: value.values if isinstance(value, PublishedColumn) else value
            for name, value in inputs.items()
        }
        # The expressions are constants of this package; only the numbers come from outside.
        names = {"__builtins__": {}, **FUNCTIONS, **numbers}
        if when is not None and not eval(when, names):  # noqa: S307
            raise InvariantBroken(f"{self.subject}: {symbol} = {formula} without {when}")
        value: int = eval(formula, names)  # noqa: S307
        if expect is not None and value != expect:
            raise InvariantBroken(f"{self.subject}: {symbol} = {formula} is {value}, not {expect}")
        self.steps.append(Step(section, symbol, formula, inputs, value, unit, when, note))
        return value

    def say(self, *sentences: str) -> None:
        """Add sentences of the summary; `{base|wct}` stands for the value of the step `base`."""
        self.sentences += sentences

    @property
    def summary(self) -> list[str]:
        """What came about, in a few sentences for a person; the steps are exact."""
        values = {step.symbol: step.value for step in self.steps}
        return [
            _PLACE.sub(lambda found: in_short(int(values[found[1]]), found[2]), sentence)
            for sentence in self.sentences
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the derivation as a JSON document."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "payout_address": self.payout_address,
            "summary": self.summary,
            "facts": self.facts,
            "steps": [step.as_json() for step in self.steps],
            "amount": str(self.amount),
        }


def _input_json(value: Input) -> Any:  # noqa: ANN401
    if isinstance(value, PublishedColumn):
        return {"file": value.file, "column": value.column}
    if isinstance(value, list):
        return [str(item) for item in value]
    return value if isinstance(value, bool) else str(value)


def in_short(value: int, form: str) -> str:
    """Return a value for a sentence: cut off, not rounded.

    Args:
        value: A non-negative integer.
        form: `count`, `wct` (base units), `score` (a WAD) or `percent` (a WAD).
    """
    if form == "count":
        return f"{value:,}"
    if form == "percent":
        return f"{value * 100 // WAD}.{value * 10_000 // WAD % 100:02d} %"
    whole, fraction = divmod(value, WAD)
    digits = f"{whole:,}.{fraction // 10**14:04d}"
    return f"{digits} WCT" if form == "wct" else digits


def format_value(value: int | str, unit: Unit) -> str:
    """Return a value for a person: exact, in the unit that a person thinks in."""
    if isinstance(value, str) or unit == "count":
        return str(value)
    whole, fraction = divmod(abs(value), WAD)
    digits = f"{fraction:018d}".rstrip("0")
    text = f"{'-' if value < 0 else ''}{whole}{'.' + digits if digits else ''}"
    return f"{text} WCT" if unit == "wct" else text
