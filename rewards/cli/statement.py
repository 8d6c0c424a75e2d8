"""`rewards statement`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rewards.audit.statement import (
    EARLIER,
    LINES,
    POOLS,
    Receipt,
    document_of,
    earlier_folders,
    statement_of,
    tables,
)
from rewards.cli.console import (
    EXIT_FOUND,
    answer,
    json_option,
    note,
    print_table,
    short_address,
    short_wct,
    show_findings,
)
from rewards.cli.epochs import season_option
from rewards.cli.ranges import folders_of, range_options
from rewards.cli.writing import write_tables
from rewards.errors import CheckFailed, printable
from rewards.files.grammar import counted, format_epochs, format_time
from rewards.files.published import PublishedEpoch
from rewards.rules.integers import WCT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rewards.audit.statement import Lines, PayeeRow, PoolRow, Statement

UNKNOWN = "-"


@click.command()
@click.argument("outs", nargs=-1, metavar="[OUT]…")
@range_options
@click.option(
    "--rpc", "urls", multiple=True, help="Ask the chain what is claimed and held; repeatable."
)
@click.option("--top", default=20, show_default=True, help="How many payees to show.")
@click.option("--csv", "csv_folder", type=click.Path(path_type=Path), help="Write tables there.")
@season_option
@json_option
def command(
    outs: tuple[str, ...],
    first: str | None,
    last: str | None,
    urls: tuple[str, ...],
    top: int,
    csv_folder: Path | None,
    season_folder: Path | None,
    as_json: bool,
) -> None:
    """State for the books where the money of a range of epochs went.

    Pools against what was approved, paid, withheld, unallocated, funded, claimed and open, per
    program and per payee, tied to the wei; exit code 1 if anything does not tie. The range is
    --from and --to (an epoch's number or a day, both inclusive), or the folders OUT, or the whole
    season. What was funded and claimed comes from the season's settlements/, or with --rpc from the
    contract itself, at one final block.

    The contract pays accounts, not programs, but always up to an epoch: so what is claimed of a
    program is what the epochs up to there paid for it. For that the season's epochs before the
    range are recomputed too. What the contract still holds covers the oldest open epoch first.

    \b
    Examples:
      rewards statement --from 2026-06-01 --to 2026-06-30 --csv june
      rewards statement --from 120 --to 150 --rpc URL --rpc URL2 --json
    """
    folders = folders_of(outs, first, last, season_folder)
    chain = _on_chain(folders[-1], urls) if urls else None
    earlier = earlier_folders(folders[0])
    if earlier:
        note(f"recomputing the epochs before the range too: {len(earlier)}")
    statement = statement_of(folders, chain, earlier)
    if csv_folder:
        write_tables(csv_folder, tables(statement))
    answer(document_of(statement), as_json=as_json, text=lambda: _show(statement, top))
    if not as_json:
        show_findings(statement.findings)
    sys.exit(EXIT_FOUND if statement.findings else 0)


def _on_chain(folder: Path, urls: tuple[str, ...]) -> Receipt:
    """Return what the contract says of the epochs up to the last of the range.

    Raises:
        CheckFailed: The endpoints do not agree, or the contract is past the range.
    """
    from rewards.chain.settlement_check import read_position

    published = PublishedEpoch(folder)
    published.require_unaltered()
    position, findings = read_position(published, urls)
    if position is None:
        raise CheckFailed(findings)
    return Receipt(
        f"the chain at final block {position.block}",
        position.active.epoch,
        position.active.cumulative_total,
        position.active.claimed_total,
        position.balance,
        position.claims,
    )


def _show(statement: Statement, top: int) -> None:
    start, end = (format_time(t) for t in (statement.first.window[0], statement.last.window[1]))
    click.echo(f"{_range_words(statement).capitalize()}, {start} to {end}\n")
    print_table(
        "Programs, WCT",
        ("pool", "approved", "paid", "withheld", "unallocated"),
        [
            *(_pool_row(name.replace("_", " "), statement.pool(name)) for name in POOLS),
            _pool_row("total", statement.pools),
        ],
        right=(1, 2, 3, 4),
    )
    _show_ledger(statement)
    _show_settlement(statement)
    _show_positions(statement)
    _show_payees(statement, top)
    for name, problem in statement.settlements.unreadable:
        note(printable(f"{name}: {problem}"))
    held = sum(identity.holds for identity in statement.identities)
    hold = counted(len(statement.identities), "identity holds", "identities hold")
    click.echo(f"{held} of {hold}, to the wei")


def _range_words(statement: Statement) -> str:
    return format_epochs(statement.first.number, statement.last.number)


def _show_ledger(statement: Statement) -> None:
    deferred = statement.deferred
    _lines(
        ("paid by the pools", statement.pools.paid),
        ("adjustments", statement.adjustments),
        ("recovered of what was owed" if deferred < 0 else "left to be recovered later", deferred),
        ("= allotted to payees", statement.allotted),
        ("allotted before", statement.first.total("previous_cumulative")),
        ("= allotted in all", statement.cumulative_total),
    )


def _show_settlement(statement: Statement) -> None:
    position = statement.position
    if position is None:
        click.echo("Settlement: not settled, as far as settlements/ tells; --rpc asks the chain\n")
        return
    click.echo(f"Settlement, up to epoch {position.epoch} ({printable(position.name)})")
    lines = [
        ("settled", position.settled),
        ("not yet settled", statement.cumulative_total - position.settled),
    ]
    if position.claimed is not None and position.funded is not None:
        lines += [
            ("funded", position.funded),
            ("claimed", position.claimed),
            ("open: allotted, not claimed", statement.cumulative_total - position.claimed),
        ]
    _lines(*lines)
    if position.claimed is None:
        click.echo("What is funded and claimed no receipt tells: give --rpc to ask the chain.\n")


def _show_positions(statement: Statement) -> None:
    """Show how far each program is funded and claimed; where that is not known, why."""
    position, closing = statement.position, statement.closing.total
    if position is None or position.claimed is None:
        return
    if closing.claimed is None:
        click.echo(
            "By program nothing can be told, as the receipt does not tell who has claimed:\n"
            "give --rpc to ask the chain.\n"
        )
        return
    last = statement.last.number
    beyond = statement.closing.surplus or 0
    _print_lines(
        statement,
        f"By program, all epochs up to {last}, WCT",
        {
            "allotted": closing.allotted,
            "funded": closing.funded,
            "claimed": closing.claimed,
            "open": closing.open,
        },
        beyond,
    )
    before = statement.opening.total
    if any(before.allotted):
        _print_lines(
            statement,
            f"By program, over {_range_words(statement)}, WCT",
            {
                "open before": before.open,
                "+ allotted": statement.added,
                "- claimed": statement.claimed,
                "= open": closing.open,
            },
        )
    _show_rule(statement)


def _print_lines(
    statement: Statement, title: str, columns: Mapping[str, Lines | None], beyond: int = 0
) -> None:
    """Print amounts line by line, and what is funded beyond all of them."""
    several = list(columns.values())
    rows = [
        (_line_name(statement, line), *(_known(None if a is None else a[i]) for a in several))
        for i, line in enumerate(LINES)
        if line != EARLIER or statement.earlier is not None
    ]
    totals = [None if lines is None else sum(lines) for lines in several]
    if beyond:
        rows.append(("held beyond", "", short_wct(beyond), "", ""))
        totals[1] = (totals[1] or 0) + beyond
    print_table(title, ("", *columns), [*rows, ("total", *map(_known, totals))], right=(1, 2, 3, 4))


def _known(amount: int | None) -> str:
    return UNKNOWN if amount is None else short_wct(amount)


def _line_name(statement: Statement, line: str) -> str:
    return f"before epoch {statement.history.start}" if line == EARLIER else line.replace("_", " ")


def _show_rule(statement: Statement) -> None:
    """Say what of the attribution is knowledge and what a convention."""
    divided = statement.closing.divided
    if divided:
        claims = "1 claim ends" if divided == 1 else f"{divided} claims end"
        click.echo(
            f"{claims} within an epoch, as no distribution of it pays: divided in proportion."
        )
    else:
        click.echo("Claimed is exact: a claim takes every epoch up to the one that it names.")
    click.echo("Funded is claimed and what is held, which by convention covers the oldest first.")
    if any(statement.opening.total.allotted):
        _show_before_range(statement)
    if statement.earlier is not None:
        click.echo(
            f"Epochs before {statement.earlier} are not at hand: what they allotted is one line."
        )
    click.echo()


def _show_before_range(statement: Statement) -> None:
    if statement.before_range == "nothing_settled":
        click.echo("Nothing was settled before the range.")
    elif statement.before_range == "nothing_settled_as_far_as_receipts_tell":
        click.echo("Nothing was claimed before the range, as far as settlements/ tells.")
    elif statement.claimed is None:
        click.echo("No receipt tells who had claimed before the range, so - stands for it.")


def _show_payees(statement: Statement, top: int) -> None:
    shown = statement.payees[:top]
    print_table(
        f"Payees, WCT in the range: {len(shown)} of {len(statement.payees)}",
        ("payee", "nodes", "wallets", "other", "allotted", "open"),
        [_payee_row(payee) for payee in shown],
        right=(1, 2, 3, 4, 5),
    )


def _payee_row(payee: PayeeRow) -> tuple[str, ...]:
    nodes = payee.pays["nodes"]
    wallets = sum(payee.pays.values()) - nodes
    return (
        short_address(payee.account),
        short_wct(nodes)[:-2],
        short_wct(wallets)[:-2],
        # Adjustments, and recoveries put off or taken.
        short_wct(payee.allotted - nodes - wallets)[:-2],
        short_wct(payee.allotted)[:-2],
        UNKNOWN if payee.open is None else short_wct(payee.open)[:-2],
    )


def _pool_row(name: str, pool: PoolRow) -> tuple[str, ...]:
    return name, *(short_wct(amount) for amount in pool.amounts)


def _lines(*pairs: tuple[str, int]) -> None:
    for words, amount in pairs:
        click.echo(f"  {words:<28} {_exact(amount):>38} WCT")
    click.echo()


def _exact(amount: int) -> str:
    """Return base units as WCT with all eighteen places, so that columns of them line up."""
    whole, fraction = divmod(abs(amount), WCT)
    return f"{'-' if amount < 0 else ''}{whole:,}.{fraction:018d}"
