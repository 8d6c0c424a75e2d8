"""A rehearsal as a person sees it: progress on stderr, at the end the tables on stdout."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from rewards.cli.console import note, print_table
from rewards.files.grammar import counted
from rewards.rehearsal.folder import REHEARSAL
from rewards.rehearsal.report import TOP_PAYEES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from rewards.rehearsal.progress import Progress
    from rewards.rehearsal.report import Outcome
    from rewards.rehearsal.stage import Settled

CENT = 10**16
"""Base units in a hundredth of a WCT, to which tables are cut; what is exact says so."""
IDS_WIDTH = 20
LABEL_WIDTH, AMOUNT_WIDTH = 34, 38


@contextmanager
def progress_on_stderr() -> Iterator[Progress]:
    """Show a bar in a terminal and plain lines anywhere else."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Bar(bar)


class _Lines:
    def stage(self, name: str, steps: int = 1) -> None:  # noqa: ARG002 - as every progress
        note(name)

    def step(self, count: int = 1) -> None:
        """Nothing: a line per stage is enough."""


class _Bar:
    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task: TaskID = bar.add_task("")

    def stage(self, name: str, steps: int = 1) -> None:
        self._bar.reset(self._task, total=steps, description=name, start=True)

    def step(self, count: int = 1) -> None:
        self._bar.advance(self._task, count)


def wct(amount: int) -> str:
    """Return base units as WCT with two decimals, cut off, not rounded: `-1,234.56`."""
    whole, cents = divmod(abs(amount) // CENT, 100)
    return f"{'-' if amount < 0 else ''}{whole:,}.{cents:02d}"


def exact_wct(amount: int) -> str:
    """Return base units as WCT with all 18 decimals: `-1,234.567000000000000000`."""
    whole, rest = divmod(abs(amount), 100 * CENT)
    return f"{'-' if amount < 0 else ''}{whole:,}.{rest:018d}"


def show_outcome(outcome: Outcome, out: Path | None) -> None:
    """Print who got what, what stays, what it cost, how it reconciled and where the files lie."""
    title = f"Rehearsed on {outcome.chain}: {outcome.subject.name}"
    click.echo(click.wrap_text(title, 80) + "\n")
    _show_epochs(outcome)
    _show_money(outcome)
    _show_payees(outcome)
    _show_settlements(outcome)
    _show_gas(outcome)
    _show_reconciliation(outcome)
    _show_place(outcome, out)


def _show_epochs(outcome: Outcome) -> None:
    print_table(
        "Epochs, WCT, cut to two decimals",
        ("epoch", "approved", "nodes", "wallets", "adjusted", "stays", "paid out"),
        [
            (
                str(e.epoch),
                wct(e.approved),
                wct(e.node_pay),
                wct(e.wallet_pay),
                wct(e.adjustments + e.recovery),
                wct(e.stays),
                wct(e.paid_out),
            )
            for e in outcome.epochs
        ],
        right=range(1, 7),
    )


def _show_money(outcome: Outcome) -> None:
    click.echo("Where the money goes, WCT, exact")
    for label, amount in (
        ("  approved by the treasury", outcome.total("approved")),
        ("- withheld: penalties and debts", -outcome.total("withheld")),
        ("- unallocated: nobody earned it", -outcome.total("unallocated")),
        ("+ adjustments", outcome.total("adjustments")),
        ("+ owed back, left to later epochs", outcome.total("recovery")),
        ("= paid out, all of it claimed", outcome.paid_out),
        ("  stays in the treasury", outcome.total("stays")),
    ):
        click.echo(f"  {label:<{LABEL_WIDTH}}{exact_wct(amount):>{AMOUNT_WIDTH}}")
    click.echo()


def _show_payees(outcome: Outcome) -> None:
    print_table(
        "Who got what",
        ("program", "paid", "WCT"),
        [(p.name, str(p.ids), wct(p.amount)) for p in outcome.programs],
        right=(1, 2),
    )
    shown = outcome.payees[:TOP_PAYEES]
    if shown:
        print_table(
            f"Largest of {counted(len(outcome.payees), 'payee')}",
            ("account", "WCT", "for"),
            [(p.account, wct(p.amount), _short(", ".join(p.ids))) for p in shown],
            right=(1,),
        )


def _show_settlements(outcome: Outcome) -> None:
    if not outcome.settled:
        click.echo("Nobody has a cumulative amount: there is nothing to settle\n")
        return
    print_table(
        "Settlements: one proposal each",
        ("settles", "leaves", "paid", "WCT", "propose", "activate", "gas per claim"),
        [
            (
                _epochs(settled),
                str(settled.leaves),
                str(settled.paid_accounts),
                wct(settled.settling.total),
                f"{_gas(settled, 'propose'):,}",
                f"{_gas(settled, 'activate'):,}",
                f"{_gas(settled, 'claim') // settled.leaves:,}",
            )
            for settled in outcome.settled
        ],
        right=range(1, 7),
    )
    print_table(
        "Roots, bound to the rehearsal's contract",
        ("epoch", "root"),
        [
            (str(s.settling.epoch), f"0x{s.settling.distribution.root.hex()}")
            for s in outcome.settled
        ],
    )


def _epochs(settled: Settled) -> str:
    epochs = settled.settling.epochs
    span = str(epochs[0]) if len(epochs) == 1 else f"{epochs[0]}-{epochs[-1]}"
    return f"{span} (before)" if settled.settling.is_opening else span


def _gas(settled: Settled, name: str) -> int:
    return sum(action.gas for action in settled.actions if action.name == name)


def _show_gas(outcome: Outcome) -> None:
    print_table(
        "Gas",
        ("action", "transactions", "gas"),
        [(use.action, str(use.transactions), f"{use.gas:,}") for use in outcome.gas],
        right=(1, 2),
    )


def _show_reconciliation(outcome: Outcome) -> None:
    if not outcome.settled:
        return
    last = outcome.settled[-1].reconciliation
    click.echo("Reconciled to zero, after each settlement")
    click.echo("  every balance rose by the account's amount; its cumulative amount is claimed")
    click.echo(f"  claiming {counted(outcome.leaves_claimed, 'leaf', 'leaves')} again would pay 0")
    click.echo(
        f"  refused: the sentinel leaf ({last.sentinel_claim}), "
        f"one base unit too many ({last.altered_claim})"
    )
    click.echo(
        f"  in the end the distributor owes {last.outstanding} and holds {last.distributor_balance}"
        f"; it has paid\n  {exact_wct(last.claimed_total)} WCT\n"
    )


def _show_place(outcome: Outcome, out: Path | None) -> None:
    own, here = outcome.subject.target, outcome.target
    click.echo("The amounts are, to the base unit, those that `rewards compute` gives for")
    click.echo(f"  chain {own.chain_id}, distributor {own.distributor}")
    click.echo("The roots differ, as a leaf is bound to its contract; here a worthless token's:")
    click.echo(f"  chain {here.chain_id}, distributor {here.distributor}\n")
    if out is None:
        click.echo("No file was written; --out DIR keeps the epochs and receipts")
        return
    click.echo(f"Files: a season of its own, in\n  {out}")
    click.echo("  epochs/         published for the rehearsal's contract, each verified")
    click.echo("  settlements/    receipts: transactions, gas, reconciliation")
    click.echo(f"  {REHEARSAL}  all of this as JSON")


def _short(text: str) -> str:
    return text if len(text) <= IDS_WIDTH else text[: IDS_WIDTH - 1] + "…"
