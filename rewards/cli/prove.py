"""`rewards prove`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rewards.audit.prove import prove
from rewards.cli.console import answer, json_option
from rewards.cli.epochs import locate, season_option
from rewards.cli.words import epoch_and_subject
from rewards.files.manifest import PublishedFolder

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[OUT] ACCOUNT")
@season_option
@json_option
def command(words: tuple[str, ...], season_folder: Path | None, as_json: bool) -> None:
    """Print the Merkle proof of ACCOUNT, checked against the root before it is printed.

    OUT is a published folder, or inside a season an epoch's number (by default the last). The proof
    is what `EpochDistributor.claim(epoch, account, cumulative, proof)` takes.
    """
    out, account = epoch_and_subject(words)
    located = locate(out, season_folder)
    document = prove(PublishedFolder(located.folder), account)

    def show() -> None:
        for name in ("chain_id", "distributor", "epoch", "account", "cumulative", "root"):
            click.echo(f"{name:<12} {document[name]}")
        click.echo("proof")
        for node in document["proof"]:
            click.echo(f"  {node}")

    answer(document, as_json=as_json, text=show)
