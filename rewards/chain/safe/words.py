"""What is signed, in words: from the plan's calls, which were held against the signed bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewards.chain.plan import DEPLOY, EPOCH_DISTRIBUTOR, PROXY
from rewards.chain.plan_file import constructor_arguments
from rewards.chain.safe.calldata import Argument
from rewards.files.grammar import counted
from rewards.merkle.keccak import to_checksum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rewards.chain.plan import Plan, PlannedCall

AMOUNTS = {
    "amount",
    "burst",
    "capBurst",
    "capPerDay",
    "claimable",
    "cumulative",
    "cumulativeTotal",
    "perDay",
    "reward",
    "value",
}
"""Names of arguments that are amounts of the token, in base units."""
SHOWN_ELEMENTS = 4
"""Elements of a list that are shown; the rest is counted."""


def describe(plan: Plan) -> list[str]:
    """Return what the plan does, a line an argument."""
    epochs = f", {plan.epochs}" if plan.epochs else ""
    lines = [f"{plan.action} ({plan.target}), chain {plan.chain_id}{epochs}"]
    for number, call in enumerate(plan.calls):
        lines.append(f"call {number}: {_heading(plan, call)}")
        for argument in _arguments(plan, call):
            shown = _lines(plan, argument.name, argument.type, argument.value)
            lines += [f"    {line}" for line in shown]
    return lines


def _arguments(plan: Plan, call: PlannedCall) -> tuple[Argument, ...]:
    """Return what is said to a function or, in a deployment, to the new contract."""
    deploys = (plan.target, plan.action) == (EPOCH_DISTRIBUTOR, DEPLOY)
    return constructor_arguments(call) if deploys else call.arguments


def _heading(plan: Plan, call: PlannedCall) -> str:
    name = (
        call.function.partition("(")[0]
        if call.function
        else f"{counted(len(call.data), 'byte')} of data"
    )
    value = f", sending {call.value} wei" if call.value else ""
    return f"{_callee(plan, call.to)}: {name}{value}"


def _callee(plan: Plan, address: str | None) -> str:
    if address is None:
        return "a new contract"
    shown = to_checksum(address)
    if address == PROXY:
        return f"the deployment proxy, to create {to_checksum(plan.contract.address)}"
    if address == plan.contract.address:
        return f"the {plan.target} {shown}"
    if plan.token and address == plan.token.address:
        return f"the token {plan.token.symbol} {shown}"
    return f"ANOTHER CONTRACT {shown}"


def _lines(plan: Plan, name: str, kind: str, value: Any) -> Iterator[str]:  # noqa: ANN401
    if not isinstance(value, tuple):
        yield f"{name} = {_shown(plan, name, kind, value)}"
    elif value and isinstance(value[0], Argument):
        for part in value:
            yield from _lines(plan, f"{name}.{part.name}", part.type, part.value)
    else:
        inner = kind[: kind.rindex("[")]
        for number, element in enumerate(value[:SHOWN_ELEMENTS]):
            yield from _lines(plan, f"{name}[{number}]", inner, element)
        if len(value) > SHOWN_ELEMENTS or not value:
            yield f"{name}: {counted(len(value), 'element')}"


def _shown(plan: Plan, name: str, kind: str, text: str) -> str:
    if kind == "address":
        return to_checksum(text)
    if kind == "string":
        return ascii(text)
    amount = name.rpartition(".")[2].partition("[")[0] in AMOUNTS
    if amount and kind.startswith("uint") and plan.token:
        return f"{text} ({whole_tokens(int(text), plan.token.decimals)} {plan.token.symbol})"
    return text


def whole_tokens(amount: int, decimals: int) -> str:
    """Return base units as whole tokens, exactly: `1,234.5`."""
    whole, rest = divmod(amount, 10**decimals)
    fraction = str(rest).rjust(decimals, "0").rstrip("0") if rest else ""
    return f"{whole:,}" + (f".{fraction}" if fraction else "")
