"""`rewards sample`."""

from __future__ import annotations

from pathlib import Path

import click

from rewards.cli.console import answer, json_option
from rewards.sample import copy_season


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@json_option
def command(target: Path, as_json: bool) -> None:
    """Write the sample season to the folder TARGET: seven daily epochs to try everything on."""
    copy_season(target)
    answer(
        {"ok": True, "season": str(target)},
        as_json=as_json,
        text=lambda: click.echo(f"season in {target}; next: rewards next --season {target}"),
    )
