"""`rewards diff`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rewards.audit.diff import Change, EpochDiff, compare, plot_moves
from rewards.audit.verify import require_verified
from rewards.cli.checks import checks_options, report_on, show_report
from rewards.cli.console import (
    EXIT_FOUND,
    answer,
    json_option,
    print_table,
    short_address,
    short_wct,
    show_findings,
)
from rewards.cli.epochs import locate, season_option
from rewards.cli.writing import write_files
from rewards.files.grammar import counted

NOTHING = "-"


@click.command()
@click.argument("first", metavar="OUT_A")
@click.argument("second", metavar="OUT_B")
@click.option("--top", default=20, show_default=True, help="How many accounts to show.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the moves as FILE.svg.")
@checks_options
@season_option
@json_option
def command(
    first: str,
    second: str,
    top: int,
    plot: Path | None,
    checks_file: Path | None,
    waivers_file: Path | None,
    season_folder: Path | None,
    as_json: bool,
) -> None:
    """Show what changed from the published epoch OUT_A to OUT_B.

    Both are folders, or inside a season epochs' numbers. New, vanished and changed payees (the
    largest moves first), status changes, payout addresses, parameters and pools, and what the
    checks find in OUT_B against OUT_A. Exit code 1 if a cumulative amount falls or a check blocks.
    """
    before = require_verified(locate(first, season_folder).folder)
    after = require_verified(locate(second, season_folder).folder)
    later = after.manifest.epoch > before.manifest.epoch
    report = report_on(after, None, checks_file, waivers_file, against=before) if later else None
    difference = compare(before, after, report)
    if plot:
        write_files(plot.parent, {plot.name: plot_moves(difference, top)})
    answer(difference.as_json(), as_json=as_json, text=lambda: _show(difference, top))
    if not as_json:
        show_findings(difference.findings)
    sys.exit(0 if difference.ok else EXIT_FOUND)


def _show(difference: EpochDiff, top: int) -> None:
    header = ("", f"epoch {difference.before}", f"epoch {difference.after}")
    if difference.pools:
        print_table(
            "Pools, WCT",
            (*header, "change"),
            [_pool_row(change) for change in difference.pools],
            right=(1, 2, 3),
        )
    for title, changes in (
        ("Parameters", difference.parameters),
        ("Closing status of nodes", difference.statuses),
        ("Payout addresses", difference.payout_addresses),
    ):
        if changes:
            print_table(title, header, [_texts(change) for change in changes])
    kinds = [row.kind for row in difference.accounts]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
    shown = difference.accounts[:top]
    if shown:
        print_table(
            f"Payees, WCT: {counts}; the {counted(len(shown), 'largest move')}",
            ("payee", "", header[1], header[2], "change"),
            [
                (
                    short_address(row.account),
                    row.kind,
                    _amount(row.amount_before, row.kind in ("new", "returned")),
                    _amount(row.amount_after, row.kind == "vanished"),
                    _signed(row.delta),
                )
                for row in shown
            ],
            right=(2, 3, 4),
        )
        if len(shown) < len(difference.accounts):
            left_out = len(difference.accounts) - len(shown)
            click.echo(f"and {left_out:,} more: give --top, or --json for all, in full\n")
    else:
        click.echo("no payee's amount changed\n")
    if difference.checks:
        show_report(difference.checks, per_check=top, more="give --top")


def _texts(change: Change) -> tuple[str, str, str]:
    return change.name, change.before or NOTHING, change.after or NOTHING


def _pool_row(change: Change) -> tuple[str, ...]:
    before, after = int(change.before or 0), int(change.after or 0)
    return (
        change.name.replace("_", " "),
        short_wct(before),
        short_wct(after),
        _signed(after - before),
    )


def _signed(amount: int) -> str:
    return ("+" if amount > 0 else "") + short_wct(amount)


def _amount(amount: int, absent: bool) -> str:
    return NOTHING if absent else short_wct(amount)
