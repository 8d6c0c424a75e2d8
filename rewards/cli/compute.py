"""`rewards compute`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.audit.checks.reviewer import reviewer_for
from rewards.audit.measurement import recorded_of, recorder, season_recorder
from rewards.cli.checks import checks_options, show_report
from rewards.cli.console import answer, json_option, print_table, short_wct
from rewards.cli.epochs import require_season, season_option
from rewards.errors import Finding, InvalidInput, printable
from rewards.files.carried import require_carried
from rewards.files.documents import parse_json
from rewards.files.epoch import ComputedEpoch, compute_folder, publish_epoch
from rewards.files.manifest import Manifest
from rewards.files.outputs import MANIFEST, format_wct, manifest_hash
from rewards.files.season import Season
from rewards.rules.records import sum_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rewards.audit.checks.review import CheckReport
    from rewards.audit.measurement import Recorded
    from rewards.files.epoch import Recorder

SHOWN_PER_CHECK = 3


@click.command()
@click.argument("inputs", required=False, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The folder to publish.")
@click.option(
    "--previous",
    type=click.Path(path_type=Path),
    help="The predecessor's published folder; without it the epoch must be a genesis.",
)
@season_option
@click.option("--epoch", type=click.IntRange(min=1), help="Which epoch of the season.")
@checks_options
@click.option(
    "--measured",
    type=click.Path(path_type=Path),
    help="The folder of `measure nodes`; in a season measured/NNNNNN/nodes, if it is there.",
)
@json_option
def command(
    inputs: Path | None,
    out: Path | None,
    previous: Path | None,
    season_folder: Path | None,
    epoch: int | None,
    checks_file: Path | None,
    waivers_file: Path | None,
    measured: Path | None,
    as_json: bool,
) -> None:
    """Compute one epoch from INPUTS and publish it as the folder OUT.

    Inside a season nothing needs to be named: the next epoch is computed from inputs/NNNNNN on top
    of the last published one. OUT appears whole or not at all and is never overwritten; if it is
    there with the same bytes, all is well. A check that blocks (limits in the season's checks.toml)
    keeps it from being published, unless the season's waivers.toml lets the finding pass. Folders
    that are named and lie in a season are held against its files too, and its carried/. With the
    measurement at hand, the manifest records how the scores were measured and which are overrides.

    \b
    Examples:
      rewards compute inputs --out out --previous ../000122/out
      rewards compute --season my-season
    """
    season: Season | None
    if inputs is None:
        if out or previous:
            raise click.UsageError("name INPUTS too, or leave the folders to the season")
        season = require_season(season_folder)
        number = epoch or season.next()
        if number is None:
            raise InvalidInput(
                Finding(str(season.root), "has no inputs yet", "write inputs/000001 first")
            )
        inputs, out, previous = season.inputs(number), season.epoch(number), season.previous(number)
        if previous and not previous.exists():
            remedy = f"compute epoch {number - 1} first"
            raise InvalidInput(Finding(str(previous), "is not published yet", remedy))
    elif out is None:
        raise click.UsageError("say where to publish: --out OUT")
    elif season_folder or epoch:
        raise click.UsageError("--season and --epoch go without INPUTS")
    else:
        season = _season_of(inputs, out)
    reviewer = reviewer_for(
        previous, season=season.root if season else None, checks=checks_file, waivers=waivers_file
    )
    computed = compute_folder(inputs, previous, reviewer, _recorder(measured, season))
    if season:
        require_carried(season, computed.inputs)
    report = reviewer.last_report
    report.require_unblocked()
    fresh = publish_epoch(computed, out)
    summary = _summary(computed, out, fresh=fresh)
    answer(
        {**summary, "checks": report.as_json()} if as_json else None,
        as_json=as_json,
        text=lambda: _show(computed, report, summary),
    )


def _season_of(inputs: Path, out: Path) -> Season | None:
    """Return the season that folders named by hand lie in: what it asks for holds all the same.

    Raises:
        InvalidInput: They lie in two, which may ask for different things.
    """
    there, here = Season.around(inputs), Season.around(out)
    if there and here and there.root.resolve() != here.root.resolve():
        raise InvalidInput(
            Finding(
                str(out),
                f"lies in the season {here.root}, the inputs in {there.root}",
                "publish it in the season of its inputs, or outside of both",
            )
        )
    return there or here


def _recorder(measured: Path | None, season: Season | None) -> Recorder | None:
    """Return what tells how the scores were measured: by the folder named, else by the season."""
    if measured:
        return recorder(lambda _: measured)
    return season_recorder(season) if season else None


def _summary(epoch: ComputedEpoch, out: Path, *, fresh: bool) -> dict[str, Any]:
    distribution = epoch.distribution
    return {
        "ok": True,
        "epoch": str(epoch.inputs.header.epoch),
        "out": str(out),
        "published": fresh,
        "manifest_hash": manifest_hash(epoch.files[MANIFEST]),
        "merkle_root": "0x" + distribution.root.hex() if distribution else None,
        "leaf_count": str(distribution.leaf_count if distribution else 0),
        "epoch_amount": str(sum_of(epoch.result.allocations, "epoch_amount")),
        "cumulative_total": str(distribution.cumulative_total if distribution else 0),
        "measurement": recorded.as_json() if (recorded := _recorded(epoch)) else None,
    }


def _recorded(epoch: ComputedEpoch) -> Recorded | None:
    content = epoch.files[MANIFEST]
    return recorded_of(Manifest(content, parse_json(content, MANIFEST)))


def _show(epoch: ComputedEpoch, report: CheckReport, summary: Mapping[str, Any]) -> None:
    rows = [
        (
            identity.name.replace("_", " "),
            *(short_wct(amount) for amount in (identity.whole[1], *identity.plus.values())),
        )
        for identity in epoch.result.identities
        if identity.whole[0] == "pool"
    ]
    header = epoch.inputs.header
    print_table(
        f"Epoch {header.epoch}, WCT",
        ("pool", "approved", "paid", "withheld", "unallocated"),
        rows,
        right=(1, 2, 3, 4),
    )
    if epoch.result.transitions:
        click.echo("Status changes\n")
        for move in epoch.result.transitions:
            click.echo(f" {move.step:<8} {move.node_id}: {move.before} to {move.after}")
            click.echo(f"          {move.reason}")
        click.echo()
    out = summary["out"]
    show_report(report, per_check=SHOWN_PER_CHECK, more=f"rewards checks {out}")
    if recorded := _recorded(epoch):
        for line in recorded.lines():
            click.echo(f"scores         {printable(line)}")
    click.echo(f"epoch amount   {format_wct(int(summary['epoch_amount']))} WCT")
    click.echo(f"cumulative     {format_wct(int(str(summary['cumulative_total'])))} WCT")
    click.echo(f"leaves         {summary['leaf_count']}")
    click.echo(f"root           {summary['merkle_root'] or 'none: nobody has an amount'}")
    click.echo(f"manifest hash  {summary['manifest_hash']}")
    click.echo(f"{'published as' if summary['published'] else 'already there:'}   {out}")
    click.echo(f"next: rewards verify {out}")
