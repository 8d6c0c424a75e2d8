"""`rewards report`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.audit.measurement import recorded_of
from rewards.audit.report import report_of
from rewards.audit.report.settlement import read_receipts
from rewards.audit.report.source import read_source
from rewards.cli.console import EXIT_FOUND, answer, json_option, show_findings
from rewards.cli.epochs import locate, season_option
from rewards.cli.ranges import folders_of
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.manifest import MANIFEST
from rewards.files.publish import write_file
from rewards.files.published import PublishedEpoch
from rewards.files.season import Season
from rewards.measure.explain import Measurement, measurement_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.audit.report.settlement import Receipt

RANGE = 31
"""Epochs that the statement spans by default, this one included: a month of daily ones."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lies around a published folder: predecessor, receipts, and where its report goes."""

    target: Path
    previous: Path | None = None
    receipts: Sequence[Receipt] = ()
    season: str | None = None
    measured: Path | None = None
    before: Sequence[Path] | None = None


@click.command()
@click.argument("out", required=False)
@click.option(
    "--previous",
    type=click.Path(path_type=Path),
    help="The predecessor's published folder, for what changed.",
)
@click.option(
    "--measured",
    type=click.Path(path_type=Path),
    help="The folder of `measure nodes`, for scores by override; in a season it is found.",
)
@click.option(
    "--from",
    "first",
    metavar="N|DATE",
    help="Where the statement begins, in a season; by default up to 31 epochs back.",
)
@click.option("--out", "target", type=click.Path(path_type=Path), help="The file to write.")
@season_option
@json_option
def command(
    out: str | None,
    previous: Path | None,
    measured: Path | None,
    first: str | None,
    target: Path | None,
    season_folder: Path | None,
    as_json: bool,
) -> None:
    """Write report.html for the published epoch OUT: one file, no network.

    OUT is a folder, or inside a season an epoch's number (by default the last). The report shows
    pools, nodes, wallets, concentration, what changed, and a statement for the books up to this
    epoch; it derives any amount and verifies any proof in the browser. It lies beside the epoch,
    never in it: OUT.report.html, or in a season reports/NNNNNN.html. The same files give the same
    bytes. Exit code 1 if the statement does not tie (the report is written and says where).

    \b
    Examples:
      rewards report out
      rewards report 7 --season my-season
    """
    located = locate(out, season_folder)
    published = PublishedEpoch(located.folder)
    around = _surroundings(published, previous or located.previous, first)
    path = target or around.target
    _require_outside(path, published.folder)
    source = read_source(
        published,
        PublishedEpoch(around.previous) if around.previous else None,
        around.receipts,
        around.before,
    )
    measurement = _measurement(published, measured, around.measured)
    content = report_of(source, around.season, measurement)
    try:
        write_file(path, content)
    except OSError as error:
        raise InvalidInput(
            Finding(
                str(path),
                f"cannot be written: {error.strerror or error}",
                "name another file with --out",
            )
        ) from error
    document = {
        "ok": not source.statement.findings,
        "epoch": str(published.manifest.epoch),
        "report": str(path),
        "bytes": str(len(content)),
        "manifest_hash": published.manifest.hash,
        "merkle_root": published.manifest.root,
        "compared_with": str(around.previous) if around.previous else None,
        "statement": {
            "from": str(source.statement.first.number),
            "to": str(source.statement.last.number),
            "identities": str(len(source.statement.identities)),
        },
        "receipts": [receipt.name for receipt in around.receipts],
        "measurement": _measurement_json(measurement),
        "findings": [finding.as_json() for finding in source.statement.findings],
    }
    answer(document, as_json=as_json, text=lambda: _show(document))
    if not as_json:
        show_findings(source.statement.findings)
    sys.exit(EXIT_FOUND if source.statement.findings else 0)


def _surroundings(
    published: PublishedEpoch, previous: Path | None, first: str | None
) -> Surroundings:
    """Return what lies around the epoch; a folder inside a season counts as the season's."""
    folder = published.folder.absolute()
    number = published.manifest.epoch
    season = Season.around(folder)
    if season is None or season.epoch(number).absolute() != folder:
        if first:
            raise click.UsageError("--from goes with an epoch of a season")
        return Surroundings(folder.with_name(f"{folder.name}.report.html"), previous)
    before = previous or season.previous(number)
    return Surroundings(
        season.root / "reports" / f"{number:06d}.html",
        before if before and before.is_dir() else None,
        read_receipts(season.root / "settlements", number),
        season.name,
        season.measured_nodes(number),
        _range_before(season, number, first),
    )


def _measurement(
    published: PublishedEpoch, named: Path | None, found: Path | None
) -> Measurement | None:
    """Return what is known of how the epoch's scores were measured.

    Raises:
        CheckFailed: The folder that was named did not measure them.
    """
    recorded = recorded_of(published.manifest)
    if recorded and not named:
        return Measurement(MANIFEST, is_paid=True, overrides=recorded.overrides)
    folder = named or (found if found and found.is_dir() else None)
    measurement = measurement_of(folder, published) if folder else None
    if named and measurement and not measurement.is_paid:
        raise CheckFailed(
            Finding(
                str(named),
                f"did not measure the scores of epoch {published.manifest.epoch}",
                "name the folder of `measure nodes` that they come from",
            )
        )
    return measurement


def _measurement_json(measurement: Measurement | None) -> dict[str, Any] | None:
    if measurement is None:
        return None
    return {
        "folder": measurement.folder,
        "is_paid": measurement.is_paid,
        "overrides": list(measurement.overrides),
    }


def _range_before(season: Season, number: int, first: str | None) -> list[Path]:
    """Return the epochs of the statement before this one: those asked for, or a month of days."""
    if first is not None:
        return folders_of((), first, str(number), season.root)[:-1]
    published, low = set(season.published()), number
    while low - 1 in published and number - low < RANGE - 1:
        low -= 1
    return [season.epoch(n) for n in range(low, number)]


def _require_outside(path: Path, folder: Path) -> None:
    """Refuse a target in the published folder, which never changes."""
    if path.resolve().is_relative_to(folder.resolve()):
        raise InvalidInput(
            Finding(
                str(path),
                "lies in the published folder, which never changes",
                "write the report beside it: leave --out out, or name another file",
            )
        )


def _show(document: dict[str, Any]) -> None:
    click.echo(f"epoch {document['epoch']}: recomputed and equal, every byte")
    if document["compared_with"] is None:
        click.echo("without a predecessor: give --previous to show what changed")
    if measurement := document["measurement"]:
        if not measurement["is_paid"]:
            click.echo(f"the scores are not those of {measurement['folder']}")
        for override in measurement["overrides"]:
            click.echo(f"score by override, not as measured: {override['node_id']}")
    click.echo(f"report  {document['report']}  ({int(str(document['bytes'])):,} bytes)")
    click.echo("next: open it in a browser; nothing else is needed")
