"""Derivations as programs: the steps that `explain` makes, with places for somebody's numbers.

A hundred thousand wallets have a hundred thousand derivations, but only a handful of kinds of them.
The page holds one program per kind, in the words of `explain`, and each wallet's few numbers; it
puts the two together and evaluates every formula itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewards.audit.explain.derivation import Derivation
from rewards.errors import InvariantBroken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rewards.audit.explain.derivation import Input, Step

Own = dict[str, Any]
"""A subject's own numbers by the names that the formulas use."""
Program = dict[str, Any]


def program_of(
    derivation: Derivation,
    bind: Callable[[Step, str], Mapping[str, str] | None],
    facts: Mapping[str, str],
    amount: str,
) -> Program:
    """Return the program that a derivation is an instance of.

    Args:
        derivation: That of any member of the kind.
        bind: What an input of a step stands for: `{"own": name}`, `{"step": symbol}`, or None for
            a constant of the epoch.
        facts: The subject's own numbers among the derivation's facts, by the fact's name.
        amount: The symbol of the step whose value is the amount.
    """
    return {
        "kind": derivation.kind,
        "amount": amount,
        "facts": [
            [name, {"own": facts[name]} if name in facts else text]
            for name, text in derivation.facts.items()
        ],
        "sentences": derivation.sentences,
        "steps": [_template(step, bind) for step in derivation.steps],
    }


def _template(step: Step, bind: Callable[[Step, str], Mapping[str, str] | None]) -> dict[str, Any]:
    document = step.as_json()
    document["inputs"] = {
        name: bind(step, name) or _constant(document["inputs"][name]) for name in step.inputs
    }
    del document["value"]  # the page evaluates it
    return document


def _constant(value: Any) -> Any:  # noqa: ANN401 - JSON
    return value if isinstance(value, dict) else {"is": value}


def replay(program: Program, model: Derivation, subject: str, own: Own) -> Derivation:
    """Return the derivation that a program makes of own numbers, evaluated as `explain` does.

    This is what the page does, done here once per kind to hold a program against `explain`.
    """
    made = Derivation(program["kind"], subject)
    values: dict[str, Any] = {}
    for template, origin in zip(program["steps"], model.steps, strict=True):
        inputs = {
            name: _bound(binding, origin.inputs[name], own, values)
            for name, binding in template["inputs"].items()
        }
        note = template.get("note", "")
        values[template["symbol"]] = made.step(
            template["section"],
            template["symbol"],
            template["formula"],
            template["unit"],
            when=template.get("when"),
            note=own[note["own"]] if isinstance(note, dict) else note,
            **inputs,
        )
    for name, fact in program["facts"]:
        made.facts[name] = _text(own[fact["own"]]) if isinstance(fact, dict) else fact
    made.say(*program["sentences"])
    made.amount = values[program["amount"]]
    return made


def _bound(binding: Mapping[str, Any], constant: Input, own: Own, values: Mapping[str, Any]) -> Any:  # noqa: ANN401
    if "own" in binding:
        return own[binding["own"]]
    return values[binding["step"]] if "step" in binding else constant


def _text(value: Any) -> str:  # noqa: ANN401
    return str(value).lower() if isinstance(value, bool) else str(value)


def require_same(made: Derivation, explained: Derivation) -> None:
    """Hold what a program makes against what `explain` says.

    Raises:
        InvariantBroken: They differ; the page would show what `explain` does not.
    """
    here, there = made.as_json(), explained.as_json()
    here.pop("payout_address"), there.pop("payout_address")
    if here != there:
        raise InvariantBroken(f"the report's program for {explained.subject} misses explain's")
