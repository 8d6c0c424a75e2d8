"""`rewards checks`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.audit.checks.catalogue import CHECKS
from rewards.audit.checks.limits import default_limits, limits_document, template
from rewards.audit.checks.recorded import is_recorded, review_published
from rewards.audit.checks.review import WORDS, counts_text, say
from rewards.audit.checks.reviewer import reviewer_for
from rewards.audit.verify import require_verified
from rewards.cli.console import EXIT_FOUND, answer, json_option, note, print_table
from rewards.cli.epochs import locate, season_option
from rewards.files.season import Season

if TYPE_CHECKING:
    from collections.abc import Callable

    from rewards.audit.checks.model import CheckFinding
    from rewards.audit.checks.review import CheckReport
    from rewards.files.epoch import ComputedEpoch
    from rewards.files.published import PublishedEpoch


def checks_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --checks and --waivers."""
    command = click.option(
        "--waivers",
        "waivers_file",
        type=click.Path(path_type=Path),
        help="Waivers; by default the season's waivers.toml.",
    )(command)
    return click.option(
        "--checks",
        "checks_file",
        type=click.Path(path_type=Path),
        help="Limits of the checks; by default the season's checks.toml.",
    )(command)


@click.command()
@click.argument("out", required=False)
@click.option(
    "--previous",
    type=click.Path(path_type=Path),
    help="The predecessor's published folder; a season finds it.",
)
@checks_options
@click.option(
    "--list", "listed", is_flag=True, help="List the checks, their limits, what they find."
)
@click.option("--template", "as_template", is_flag=True, help="Print a checks.toml to start from.")
@season_option
@json_option
def command(
    out: str | None,
    previous: Path | None,
    checks_file: Path | None,
    waivers_file: Path | None,
    listed: bool,
    as_template: bool,
    season_folder: Path | None,
    as_json: bool,
) -> None:
    """Show what the checks find in the published epoch OUT.

    OUT is a folder, or inside a season an epoch's number (by default the last). An epoch that was
    published with its checks is reported as recorded, unless --checks names other limits. Exit code
    1 if a finding blocks and is not waived.

    \b
    Examples:
      rewards checks --season my-season
      rewards checks --template > my-season/checks.toml
    """
    if as_template:
        click.echo(template(), nl=False)
        return
    if listed:
        answer(_catalogue(), as_json=as_json, text=_show_catalogue)
        return
    located = locate(out, season_folder)
    before = previous or located.previous
    published = require_verified(located.folder, before)
    report = report_on(published, before, checks_file, waivers_file)
    answer(
        {"ok": not report.blocking, "epoch": str(report.epoch), **report.as_json()},
        as_json=as_json,
        text=lambda: show_report(report),
    )
    sys.exit(EXIT_FOUND if report.blocking else 0)


def report_on(
    published: PublishedEpoch,
    previous: Path | None,
    checks_file: Path | None,
    waivers_file: Path | None,
    *,
    against: PublishedEpoch | None = None,
    recomputed: ComputedEpoch | None = None,
) -> CheckReport:
    """Return the report on a published epoch: as recorded, or under the limits that hold now.

    With `against` its tables are looked at in place of the predecessor's. An epoch that was just
    `recomputed` is not computed again.
    """
    if not (checks_file or waivers_file) and is_recorded(published):
        return review_published(published, against=against, recomputed=recomputed)
    season = Season.around(published.folder)
    asked = reviewer_for(
        previous, season=season.root if season else None, checks=checks_file, waivers=waivers_file
    )
    return review_published(
        published,
        previous,
        limits=asked.limits,
        waivers=asked.waivers,
        against=against,
        recomputed=recomputed,
    )


def show_report(report: CheckReport, *, per_check: int | None = None, more: str = "") -> None:
    """Print findings, the loudest first, a few lines each; at most `per_check` of one check."""
    click.echo(f"Checks: {counts_text(report)}")
    shown = Counter[str]()
    for finding in report.findings:
        shown[finding.check] += 1
        if per_check is None or shown[finding.check] <= per_check:
            _show_finding(finding)
    hidden = {check: count - per_check for check, count in shown.items() if per_check}
    left_out = [f"{count} {check}" for check, count in hidden.items() if count > 0]
    if left_out:
        for line in _wrapped(f"and {', '.join(left_out)}: {more}", 78):
            click.echo(f" {line}")
    for waiver in report.waivers:
        click.echo(f" waiver   {waiver.check}: {waiver.subject}")
        for line in _wrapped(f"{waiver.approver}: {waiver.reason}", 70):
            click.echo(f"          {line}")
    for waiver in report.unused:
        note(f"waiver without a blocking finding: {waiver.check} {waiver.subject}; remove it")
    click.echo()


def _show_finding(finding: CheckFinding) -> None:
    label = "waived" if finding.waived else WORDS.get(finding.severity, (finding.severity,))[0]
    click.echo(f" {label:<8} {finding.check}: {finding.subject}")
    for line in _wrapped(say(finding), 70):
        click.echo(f"          {line}")


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    # A folder from outside may hold anything; nothing of it moves the cursor.
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return textwrap.wrap(printable, width, break_long_words=True, break_on_hyphens=False)


def _catalogue() -> list[dict[str, Any]]:
    limits = limits_document(default_limits())
    return [
        {
            "check": check.name,
            "meaning": check.meaning,
            "default_severity": limits[check.name].pop("severity"),
            "default_limits": limits[check.name],
            "keys": [parameter.key for parameter in check.parameters],
            "needs_earlier_epoch": check.needs_earlier,
        }
        for check in CHECKS
    ]


def _show_catalogue() -> None:
    print_table(
        "Checks, with the severity and limit that hold by default",
        ("check", "severity", "limit", "finds"),
        [
            (
                entry["check"],
                entry["default_severity"],
                entry["default_limits"].get("limit", "-"),
                entry["meaning"],
            )
            for entry in _catalogue()
        ],
        right=(2,),
    )
