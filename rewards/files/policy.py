"""`policy.toml`: read by its ruleset's table of parameters, written canonically."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewards import rules
from rewards.files.grammar import choice_of, parse_decimal, parse_fraction, parse_text
from rewards.files.toml_documents import TOML_TYPES
from rewards.rules.integers import UINT256_LIMIT, format_decimal
from rewards.rules.records import Policy

if TYPE_CHECKING:
    from rewards.files.toml_documents import Document
    from rewards.rules.parameters import Parameter

UINT256_MAX = UINT256_LIMIT - 1


def read_policy(source: Document) -> Policy | None:
    """Return the policy of a document; None, with findings, where anything in it is wrong."""
    ruleset_name = source.take("ruleset", str)
    first_epoch = source.integer("first_epoch", low=1, high=UINT256_MAX)
    approval = source.parse("approval", parse_text)
    if ruleset_name is not None and ruleset_name not in rules.RULESETS:
        source.find(
            "ruleset", ruleset_name, "is an unknown ruleset", "known: " + ", ".join(rules.RULESETS)
        )
    ruleset = rules.RULESETS.get(ruleset_name)
    if ruleset is None:
        # Without the ruleset nobody can say which keys are unknown.
        source.known.update(source.values)
        return None
    values = {}
    for parameter in ruleset.PARAMETERS:
        given = parameter.key in source.values
        if given:
            value = _read_parameter(source, parameter)
            if value is None:
                continue
        else:
            value = _default(parameter)
        values[parameter.key] = value
    for problem in ruleset.policy_problems(values):
        source.find(problem.column, problem.value, problem.problem, problem.remedy)
    complete = len(values) == len(ruleset.PARAMETERS)
    if not complete or first_epoch is None or approval is None:
        return None
    canonical = {
        "ruleset": ruleset_name,
        "first_epoch": str(first_epoch),
        "approval": approval,
        **{
            parameter.key: _parameter_text(parameter, values[parameter.key])
            for parameter in ruleset.PARAMETERS
            if values[parameter.key] is not None
        },
    }
    return Policy(ruleset_name, first_epoch, approval, ruleset.policy_from(values), canonical)


def _default(parameter: Parameter) -> Any:  # noqa: ANN401
    default = parameter.default
    if isinstance(default, str) and parameter.kind == "decimal":
        return parse_decimal(default)
    if isinstance(default, str) and parameter.kind == "fraction":
        return parse_fraction(default)
    return default


def _read_parameter(source: Document, parameter: Parameter) -> Any:  # noqa: ANN401
    """Return the value of a parameter within its bounds; None when it is wrong."""
    key = parameter.key
    if parameter.kind == "boolean":
        return source.take(key, bool)
    if parameter.kind == "integer":
        return source.integer(key, low=parameter.low, high=parameter.high)
    if parameter.kind == "choice":
        return source.parse(key, choice_of(*parameter.choices))
    if parameter.kind == "fraction":
        pair: tuple[int, int] | None = source.parse(key, parse_fraction)
        if pair and not all(parameter.low <= n <= parameter.high for n in pair):
            bounds = f"both numbers lie within {parameter.low} and {parameter.high}"
            source.find(key, source.values[key], "is out of bounds", bounds)
            return None
        return pair
    value: int | None = source.parse(key, parse_decimal)
    if value is not None and not parameter.low <= value <= parameter.high:
        low, high = format_decimal(parameter.low), format_decimal(parameter.high)
        source.find(
            key, source.values[key], "is out of bounds", f"choose a value from {low} to {high}"
        )
        return None
    return value


def _parameter_text(parameter: Parameter, value: Any) -> str:  # noqa: ANN401
    if parameter.kind == "decimal":
        return format_decimal(value)
    if parameter.kind == "fraction":
        return f"{value[0]}/{value[1]}"
    if parameter.kind == "boolean":
        return "true" if value else "false"
    return str(value)


def default_policy(epoch: int) -> Policy:
    """Return the first ruleset's defaults, to judge an epoch's other files by."""
    name, ruleset = next(iter(rules.RULESETS.items()))
    values = {parameter.key: _default(parameter) for parameter in ruleset.PARAMETERS}
    return Policy(name, epoch, "", ruleset.policy_from(values), {})


def policy_values(policy: Policy) -> dict[str, str | int | bool]:
    """Return every key of a policy as the TOML value of its canonical file."""
    ruleset = rules.RULESETS[policy.ruleset]
    kinds = {parameter.key: parameter.kind for parameter in ruleset.PARAMETERS}
    values: dict[str, str | int | bool] = {}
    for key, text in policy.canonical.items():
        toml_type = int if key == "first_epoch" else TOML_TYPES[kinds.get(key, "choice")]
        if toml_type is bool:
            values[key] = text == "true"
        else:
            values[key] = int(text) if toml_type is int else text
    return values
