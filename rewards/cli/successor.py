"""`rewards successor`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.cli.asking import Reporter, endpoints
from rewards.cli.console import answer, json_option, note
from rewards.errors import Finding, InvalidInput
from rewards.files.outputs import format_wct
from rewards.files.published import PublishedEpoch
from rewards.files.season import Season

if TYPE_CHECKING:
    from rewards.settling.succession import Succession


@click.command()
@click.argument("inputs", type=click.Path(path_type=Path))
@click.option(
    "--season",
    "season_folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The new season, with the settlement.toml that `rewards deploy` wrote.",
)
@click.option(
    "--after",
    "old_folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The old season, whose contract is retired.",
)
@click.option("--rpc", "urls", multiple=True, required=True, help="An endpoint; repeatable.")
@click.option("--approved-by", required=True, help="Who approves taking over.")
@json_option
def command(
    inputs: Path,
    season_folder: Path,
    old_folder: Path,
    urls: tuple[str, ...],
    approved_by: str,
    as_json: bool,
) -> None:
    """Write the first epoch on a new contract, which takes over what a retired one still owes.

    INPUTS are those of the next epoch, as if the old contract went on. From them the first epoch of
    the new season is written: everybody's cumulative amount less what was claimed there becomes an
    adjustment, so that nobody is paid twice and nobody loses anything; recoveries and nodes' debts
    too. The old contract must be retired at a final block: only then is `claimed` final.

    \b
    Example:
      rewards successor next-inputs --season new --after old --rpc URL --approved-by "council 42"
    """
    from rewards.chain.agreement import Sight
    from rewards.files.inputs import canonical_inputs
    from rewards.files.publish import publish
    from rewards.settling.succession import read_retired, succeed

    season, old = Season.open(season_folder), Season.open(old_folder)
    published = old.published()
    if not published:
        raise InvalidInput(
            Finding(str(old.root), "has no published epoch", "there is nothing to take over")
        )
    last = PublishedEpoch(old.epoch(published[-1]))
    with endpoints(urls) as opened:
        report = Reporter(quiet=as_json)
        sight = Sight.at_final_block(opened, last.manifest.chain_id, report)
        retired = read_retired(sight, old, last)
    made = succeed(inputs, last, retired, season.settlement(), approved_by)
    out = season.inputs(made.inputs.header.epoch)
    publish(out, canonical_inputs(made.inputs))
    _answer(made, out, last.manifest.epoch, as_json=as_json)


def _answer(made: Succession, out: Path, last: int, *, as_json: bool) -> None:
    document: dict[str, Any] = {
        "ok": True,
        "inputs": str(out),
        "epoch": str(made.inputs.header.epoch),
        "taken_over": str(made.taken_over),
        "recovered": str(made.recovered),
        "initial_epoch": str(last),
        "notes": list(made.notes),
    }

    def show() -> None:
        for said in made.notes:
            note(f"  {said}")
        click.echo(
            f"taken over   {format_wct(made.taken_over)} WCT, not claimed on the old contract"
        )
        click.echo(
            f"recovered    {format_wct(made.recovered)} WCT, still owed by accounts and nodes"
        )
        click.echo(f"written      {out}: read adjustments.csv, then `rewards compute`")
        click.echo(
            f"the new contract's initial_epoch must be {last}, its cap_burst at least all that"
        )

    answer(document, as_json=as_json, text=show)
