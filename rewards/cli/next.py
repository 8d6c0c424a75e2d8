"""`rewards next`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rewards.cli.console import answer, json_option
from rewards.cli.epochs import require_season, season_option
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.carried import require_carried
from rewards.files.epoch import load_epoch
from rewards.files.grammar import format_time
from rewards.files.published import PublishedEpoch

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.files.season import Season


@click.command()
@season_option
@json_option
def command(season_folder: Path | None, as_json: bool) -> None:
    """Say where the season stands and what is to do next."""
    season = require_season(season_folder)
    document = _status(season)

    def show() -> None:
        click.echo(f"{season.name} ({season.root})")
        if document["last_published"]:
            click.echo(f"last published  epoch {document['last_published']}")
        click.echo(f"next            {document['next']}")

    answer(document, as_json=as_json, text=show)


def _status(season: Season) -> dict[str, str | None]:
    published, waiting = season.published(), season.next()
    document = {
        "season": season.name,
        "last_published": str(published[-1]) if published else None,
        "epoch": str(waiting) if waiting else None,
    }
    if waiting is None:
        step = f"write {season.inputs(1)}: the files of the first epoch (README, file formats)"
    elif waiting not in season.with_inputs():
        end = format_time(PublishedEpoch(season.epoch(published[-1])).manifest.end)
        step = f"write {season.inputs(waiting)}: epoch {waiting} starts {end}"
    else:
        step = _about_inputs(season, waiting)
    return {**document, "next": step}


def _about_inputs(season: Season, epoch: int) -> str:
    try:
        inputs, _ = load_epoch(season.inputs(epoch), season.previous(epoch))
        require_carried(season, inputs)
    except (InvalidInput, CheckFailed) as error:
        return f"correct the inputs of epoch {epoch}: {error}"
    return f"the inputs of epoch {epoch} are acceptable: run `rewards compute`"
