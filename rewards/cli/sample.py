"""`rewards sample`."""

from __future__ import annotations

from pathlib import Path

import click

from rewards.cli.console import answer, json_option, note
from rewards.sample import copy_season


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--telemetry",
    is_flag=True,
    help="Make telemetry/NNNNNN too: what `rewards measure` comes to the scores from (10 MB).",
)
@json_option
def command(target: Path, telemetry: bool, as_json: bool) -> None:
    """Write the sample season to the folder TARGET: seven daily epochs to try everything on."""
    copy_season(target)
    made = []
    if telemetry:
        from rewards.sample.telemetry import write_telemetry

        for epoch in write_telemetry(target):
            note(f"made the telemetry of epoch {epoch.header.epoch}")
            made.append(str(epoch.folder))
    answer(
        {"ok": True, "season": str(target), "telemetry": made},
        as_json=as_json,
        text=lambda: click.echo(f"season in {target}; next: rewards next --season {target}"),
    )
