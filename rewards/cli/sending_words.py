"""What the commands that send say: what is going to happen, and what became of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from rewards.cli.console import note
from rewards.files.grammar import counted
from rewards.files.outputs import format_wct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rewards.chain.plan import Plan
    from rewards.chain.steps import Step

MONEY = ("rise", "amount", "claimed", "epoch_amount", "total", "cumulative_total")
"""The totals by which a person knows what a plan moves, the most telling first."""


TOLD_IN_FULL = (
    *("cancel", "configure", "fund", "pause", "schedule"),
    *("sweep", "unpause", "veto"),
)
"""Actions whose arguments are told: few, and by nothing else that is shown."""


def total_of(plan: Plan) -> str | None:
    """Return what a plan moves, in whole WCT; None where it moves nothing.

    A sweep of another token moves base units: how many make a whole one, no plan says.
    """
    total = next((plan.totals[name] for name in MONEY if name in plan.totals), None)
    if total is None:
        return None
    return str(total) if is_foreign(plan) else format_wct(total)


def is_foreign(plan: Plan) -> bool:
    """Return whether a plan sweeps another token than the one paid out."""
    if plan.action != "sweep" or plan.token is None:
        return False
    return any(argument.value != plan.token.address for argument in plan.calls[0].arguments)


def confirm(plan: Plan, *, yes: bool) -> None:
    """Have the total typed again, or the action where no money moves.

    Raises:
        Abort: Something else was typed.
    """
    if yes:
        return
    total = total_of(plan)
    expected = plan.action if total is None else total
    unit = "base units" if is_foreign(plan) else "whole WCT"
    what = "the action" if total is None else f"the total in {unit}"
    if not sys.stdin.isatty():
        raise click.UsageError(f"nobody is there to ask: say --yes to send {plan.action}")
    typed = click.prompt(f"Type {what} ({expected}) to go ahead", err=True)
    if typed.strip().replace(",", "") != expected.replace(",", ""):
        note("that is something else; nothing was signed")
        raise click.Abort


def words_of(plan: Plan) -> list[str]:
    """Return in words what is going to happen."""
    from rewards.chain.network import TEST_NETWORKS
    from rewards.chain.sending.fees import coins
    from rewards.merkle.keccak import to_checksum

    total, unit = total_of(plan), "base units" if is_foreign(plan) else "WCT"
    chain = TEST_NETWORKS.get(plan.chain_id, MAIN_NETWORKS.get(plan.chain_id, "an unknown chain"))
    epochs = plan.epochs
    lines = [
        ("action", f"{plan.action} ({plan.target}), {counted(len(plan.calls), 'transaction')}"),
        ("settles", str(epochs) if epochs else None),
        ("token", f"{plan.token.symbol} {to_checksum(plan.token.address)}" if plan.token else None),
        ("total", None if total is None else f"{total} {unit}"),
        ("root", plan.merkle_root),
        ("manifest", plan.manifest_hash),
        ("contract", to_checksum(plan.contract.address)),
        ("sender", to_checksum(plan.sender) if plan.sender else None),
        ("chain", f"{chain} ({plan.chain_id})"),
        ("at worst", f"{coins(plan.caps.total_fee * len(plan.calls))} of the chain's coin in fees"),
        ("plan", plan.digest),
    ]
    told = [f"  {name:9} {text}" for name, text in lines if text is not None]
    return told + [f"  {line}" for line in _calls_of(plan)]


def _calls_of(plan: Plan) -> Iterator[str]:
    """Yield a line an argument, where nothing else tells what a call is about."""
    from rewards.chain.contract import DISTRIBUTOR, interface
    from rewards.chain.safe.words import describe

    if plan.action not in TOLD_IN_FULL:
        return
    yield from describe(plan)[1:]
    for argument in plan.calls[0].arguments:
        if plan.action == "schedule" and isinstance(argument.value, str):
            change = bytes.fromhex(argument.value.removeprefix("0x"))
            yield f"    which is {interface(DISTRIBUTOR).in_words(change)}"


MAIN_NETWORKS = {1: "Ethereum", 10: "OP Mainnet", 8453: "Base"}


def step_document(step: Step) -> dict[str, Any]:
    """Return a step for `--json`."""
    from rewards.chain.sending.receipts import action_document

    return {
        **action_document(step),
        "epoch": str(step.key.epoch),
        "contract": step.key.contract,
        "chain_id": str(step.key.chain_id),
        "halt": step.halt or None,
        "detail": step.detail or None,
        "closed": step.closed,
    }


def show_steps(steps: Sequence[Step]) -> None:
    """Print what became of steps."""
    for step in steps:
        found = step.outcome
        place = f" in block {found['block']}" if "block" in found else ""
        by = f" by {found['transaction']}" if "transaction" in found else ""
        remark = f" ({found['note']})" if found.get("note") else ""
        click.echo(f"{step.key}: {step.shown_state}{by}{place}{remark}")
