"""`rewards restate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rewards.cli.asking import endpoints
from rewards.cli.console import answer, json_option, note
from rewards.errors import Finding, InvalidInput
from rewards.files.published import PublishedEpoch
from rewards.files.season import Season

if TYPE_CHECKING:
    from rewards.settling.onchain import Contract
    from rewards.settling.restate import Restated


@click.command()
@click.option(
    "--season",
    "season_folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The season's folder; by default the working directory.",
)
@click.option("--from", "first", type=click.IntRange(min=1), help="The first epoch looked at.")
@click.option("--reason", help="Why; published with the epoch whose inputs changed.")
@click.option("--rpc", "urls", multiple=True, help="Ask the chain what is settled; repeatable.")
@json_option
def command(
    season_folder: Path, first: int | None, reason: str | None, urls: tuple[str, ...], as_json: bool
) -> None:
    """Compute published epochs anew whose inputs changed, and every later one.

    Correct the files in inputs/ first. Each new version names the one that it supersedes, and why;
    the old ones are kept in epochs/superseded. What was activated cannot be restated (adjustments
    in the next epoch correct it), nor what is proposed and not vetoed: --rpc asks the chain. A kill
    at any moment leaves the old epochs or the new ones; run it again to finish.

    \b
    Examples:
      rewards restate --season my-season --from 122 --reason "scores of n07 were wrong" --rpc URL
    """
    from rewards.settling.restate import finish, last_settled, restate

    season = Season.open(season_folder, restating=True)
    finished = finish(season)
    restated: list[Restated] = []
    if first is not None:
        contract = _contract(season, urls) if urls else None
        if contract is None:
            note("  the chain was not asked (--rpc): receipts alone tell what is settled")
        restated = restate(season, first, reason, last_settled(season), contract)
    elif not finished:
        raise InvalidInput(
            Finding("--from", "is missing, and nothing was interrupted", "name the first epoch")
        )
    _answer(season, finished, restated, as_json=as_json)


def _contract(season: Season, urls: tuple[str, ...]) -> Contract:
    from rewards.chain.agreement import Sight
    from rewards.settling.onchain import read_contract

    published = season.published()
    if not published:
        raise InvalidInput(
            Finding(str(season.root), "has no published epoch", "there is nothing to restate")
        )
    manifest = PublishedEpoch(season.epoch(published[-1])).manifest
    with endpoints(urls) as opened:
        # The latest block: what was just proposed or activated must be seen.
        sight = Sight.at_latest_block(opened, manifest.chain_id)
        return read_contract(sight, manifest.distributor)


def _answer(
    season: Season, finished: list[Restated], restated: list[Restated], *, as_json: bool
) -> None:
    document = {
        "ok": True,
        "finished": [str(one.epoch) for one in finished],
        "restated": [
            {
                "epoch": str(one.epoch),
                "manifest_hash": one.new_hash,
                "supersedes": one.old_hash,
                "kept": str(season.superseded(one.epoch, one.old_hash)),
            }
            for one in restated
        ],
    }

    def show() -> None:
        for one in finished:
            click.echo(f"epoch {one.epoch}: an interrupted restatement was finished")
        for one in restated:
            click.echo(f"epoch {one.epoch}: {one.old_hash} is superseded by {one.new_hash}")
        if not restated and not finished:
            click.echo("every input is as it was published: nothing to restate")

    answer(document, as_json=as_json, text=show)
