"""`rewards sample`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rewards.cli.console import answer, json_option, note
from rewards.files.grammar import format_time
from rewards.sample import copy_season

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.sample.telemetry import Telemetry


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
    made: list[Telemetry] = []
    if telemetry:
        from rewards.sample.telemetry import write_telemetry

        for epoch in write_telemetry(target):
            note(f"made the telemetry of epoch {epoch.header.epoch}")
            made.append(epoch)
    answer(
        {"ok": True, "season": str(target), "telemetry": [str(epoch.folder) for epoch in made]},
        as_json=as_json,
        text=lambda: _show(target, made),
    )


def _show(target: Path, made: Sequence[Telemetry]) -> None:
    click.echo(f"season in {target}; next: rewards next --season {target}")
    if not made:
        return
    from rewards.sample.telemetry import NODE_FILES

    first = made[0]
    click.echo("its scores are what this telemetry measures to, epoch after epoch:")
    click.echo("  rewards measure nodes \\")
    for option, name in NODE_FILES.items():
        click.echo(f"    {option} {first.folder / name} \\")
    window = first.header.window
    click.echo(f"    --start {format_time(window.start)} --end {format_time(window.end)} \\")
    click.echo(f"    --out {target / 'measured' / first.folder.name / 'nodes'}")
