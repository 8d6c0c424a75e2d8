"""A derivation: steps that anybody can evaluate again.

A step's `formula` (and its `when`, the condition under which it is the one that applies) is an
expression in Python's syntax over integers, the step's own `inputs`, and the functions of
FUNCTIONS. An input is a decimal string, a word, a boolean, a list of these, or a column of a
published table: `{"file": "nodes.csv", "column": "pay_factor"}`, its rows in file order.
"""

from __future__ import annotations

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

    def as_json(self) -> dict[str, Any]:
        """Return the derivation as a JSON document."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "payout_address": self.payout_address,
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


def format_value(value: int | str, unit: Unit) -> str:
    """Return a value for a person: exact, in the unit that a person thinks in."""
    if isinstance(value, str) or unit == "count":
        return str(value)
    whole, fraction = divmod(abs(value), WAD)
    digits = f"{fraction:018d}".rstrip("0")
    text = f"{'-' if value < 0 else ''}{whole}{'.' + digits if digits else ''}"
    return f"{text} WCT" if unit == "wct" else text
