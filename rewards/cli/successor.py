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
    the new season is written: everybody is owed what was not claimed there, in full, and from this
    epoch exactly what the old contract would have added. Recoveries and nodes' debts are taken from
    what the epoch pays; what is left of them goes to carried/ in the season, and the epoch after it
    is not computed without those rows. The old contract must be retired at a final block: only then
    is `claimed` final. Where INPUTS change afterwards, remove what was written and run this again.

    \b
    Example:
      rewards successor next-inputs --season new --after old --rpc URL --approved-by "council 42"
    """
    from rewards.chain.agreement import Sight
    from rewards.settling.succession import read_retired, succeed

    season, old = Season.open(season_folder), Season.open(old_folder)
    published = old.published()
    if not published:
        raise InvalidInput(
            Finding(str(old.root), "has no published epoch", "there is nothing to take over")
        )
    last = PublishedEpoch(old.epoch(published[-1]), by_column=False)
    with endpoints(urls) as opened:
        report = Reporter(quiet=as_json)
        sight = Sight.at_final_block(opened, last.manifest.chain_id, report)
        retired = read_retired(sight, old, last)
    made = succeed(inputs, last, retired, season.settlement(), approved_by)
    _write(season, made)
    _answer(made, season, last.manifest.epoch, as_json=as_json)


def _write(season: Season, made: Succession) -> None:
    """Write the first epoch's inputs and, before them, what the next epoch must recover.

    Raises:
        InvalidInput: Either is there with other content.
    """
    from rewards.files.carried import carried_csv
    from rewards.files.inputs import canonical_inputs
    from rewards.files.publish import publish, write_file

    epoch = made.inputs.header.epoch
    inputs, carried = season.inputs(epoch), season.carried(epoch + 1)
    content = carried_csv(made.carried) if made.carried else None
    there = carried.read_bytes() if carried.is_file() else None
    if there not in (None, content):
        remedy = f"remove it and {inputs} to take over anew"
        raise InvalidInput(Finding(str(carried), "is of another first epoch", remedy))
    if content is not None and there is None:
        write_file(carried, content)
    try:
        publish(inputs, canonical_inputs(made.inputs))
    except InvalidInput:
        if there is None:
            carried.unlink(missing_ok=True)
        raise


def _answer(made: Succession, season: Season, last: int, *, as_json: bool) -> None:
    epoch = made.inputs.header.epoch
    out, carried = season.inputs(epoch), season.carried(epoch + 1)
    later = -sum(row.amount for row in made.carried)
    document: dict[str, Any] = {
        "ok": True,
        "inputs": str(out),
        "epoch": str(made.inputs.header.epoch),
        "taken_over": str(made.taken_over),
        "recovered": str(made.recovered),
        "left": str(made.left),
        "carried": str(later),
        "carried_to": str(carried) if made.carried else None,
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
            f"recovered    {format_wct(made.recovered)} WCT, from what this epoch pays; "
            f"{format_wct(made.left)} WCT are left"
        )
        if made.carried:
            click.echo(f"carried      {format_wct(later)} WCT of that: copy the rows of {carried}")
            click.echo(f"             into the adjustments.csv of epoch {epoch + 1}")
        click.echo(f"written      {out}: read adjustments.csv, then `rewards compute`")
        click.echo(
            f"the new contract's initial_epoch must be {last}, its cap_burst at least all that"
        )

    answer(document, as_json=as_json, text=show)
