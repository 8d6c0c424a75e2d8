"""`rewards next`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from rewards.audit.checks.reviewer import reviewer_for
from rewards.audit.measurement import season_recorder
from rewards.cli.console import answer, exit_code, json_option, show_findings
from rewards.cli.epochs import require_season, season_option
from rewards.errors import CheckFailed, FindingsError, InvalidInput
from rewards.files.carried import require_carried
from rewards.files.epoch import compute_folder
from rewards.files.grammar import format_time
from rewards.files.published import PublishedEpoch

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.files.season import Season


@click.command()
@season_option
@json_option
def command(season_folder: Path | None, as_json: bool) -> None:
    """Say where the season stands and what is to do next.

    The inputs that wait are judged as `rewards compute` will: exit code 2 with everything that is
    wrong with them, 1 where a check would keep the epoch from being published.
    """
    season = require_season(season_folder)
    published, waiting = season.published(), season.next()
    step, error = _step(season, waiting)
    findings = error.findings if error else ()
    document = {
        "ok": error is None,
        "season": season.name,
        "last_published": str(published[-1]) if published else None,
        "epoch": str(waiting) if waiting else None,
        "next": step,
        "findings": [finding.as_json() for finding in findings],
    }

    def show() -> None:
        click.echo(f"{season.name} ({season.root})")
        if published:
            click.echo(f"last published  epoch {published[-1]}")
        click.echo(f"next            {step}")
        show_findings(findings)

    answer(document, as_json=as_json, text=show)
    sys.exit(exit_code(error) if error else 0)


def _step(season: Season, epoch: int | None) -> tuple[str, FindingsError | None]:
    """Return what is to do, and what stands in the way of computing the epoch."""
    if epoch is None:
        first = season.inputs(1)
        return f"write {first}: the files of the first epoch (README, file formats)", None
    inputs = season.inputs(epoch)
    if epoch not in season.with_inputs():
        last = PublishedEpoch(season.epoch(epoch - 1)).manifest
        return f"write {inputs}: epoch {epoch} starts {format_time(last.end)}", None
    previous = season.previous(epoch)
    try:
        reviewer = reviewer_for(previous, season=season.root)
        computed = compute_folder(inputs, previous, reviewer, season_recorder(season))
        require_carried(season, computed.inputs)
        reviewer.last_report.require_unblocked()
    except InvalidInput as error:
        return f"correct what is found, for epoch {epoch} in {inputs}", error
    except CheckFailed as error:
        return f"a check keeps epoch {epoch} back: correct {inputs}, or waive the finding", error
    return f"the inputs of epoch {epoch} are acceptable: run `rewards compute`", None
