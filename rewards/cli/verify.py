"""`rewards verify`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.audit.checks.recorded import not_at_hand
from rewards.audit.checks.review import counts_text
from rewards.audit.measurement import findings_against, measured_beside, recorded_of
from rewards.audit.verify import Verification, verification
from rewards.cli.attestations import AttestationsAsked, attestation_options
from rewards.cli.checks import report_on
from rewards.cli.console import EXIT_FOUND, answer, json_option, note, show_findings
from rewards.cli.epochs import Located, locate, require_season, season_option
from rewards.errors import FindingsError, printable
from rewards.files.grammar import counted
from rewards.files.published import PublishedEpoch

if TYPE_CHECKING:
    from rewards.errors import Finding


@click.command()
@click.argument("out", required=False)
@click.option(
    "--previous",
    type=click.Path(path_type=Path),
    help="Hold it against the predecessor's published folder too.",
)
@click.option("--inputs", type=click.Path(path_type=Path), help="Check that these were the inputs.")
@click.option("--rpc", "urls", multiple=True, help="Hold it against the chain too; repeatable.")
@attestation_options
@season_option
@json_option
def command(
    out: str | None,
    previous: Path | None,
    inputs: Path | None,
    urls: tuple[str, ...],
    attestation_files: tuple[Path, ...],
    attesters: tuple[str, ...],
    threshold: int | None,
    season_folder: Path | None,
    as_json: bool,
) -> None:
    """Recompute the published epoch OUT and compare every byte, proof and identity.

    OUT is a folder, or inside a season an epoch's number. Without OUT the whole season is verified,
    each epoch against its predecessor. Nothing but the folder is needed; exit code 1 and the file's
    name if anything differs. With --attestations, at least M of the attesters must have signed it:
    those that are named, or with --rpc the contract's.
    """
    asked = AttestationsAsked(attestation_files, attesters, threshold)
    asked.require_sensible(one_epoch=out is not None, on_chain=bool(urls))
    if out is None:
        if previous or inputs:
            raise click.UsageError("--previous and --inputs go with one epoch: name OUT")
        season = require_season(season_folder)
        epochs = [
            Located(season.epoch(number), season.previous(number), number)
            # A gap in the numbers is an epoch that is missing, and is found as such.
            for number in range(season.first() or 1, max(season.published(), default=0) + 1)
        ]
        if not epochs:
            raise click.UsageError(f"{season.root} has no published epoch yet")
    else:
        located = locate(out, season_folder)
        epochs = [Located(located.folder, previous or located.previous, located.number)]
    results = [
        _verify(epoch, inputs, urls if epoch is epochs[-1] else (), asked, quiet=as_json)
        for epoch in epochs
    ]
    good = all(result["ok"] for result in results)
    answer(
        results[0] if out is not None else {"ok": good, "epochs": results},
        as_json=as_json,
        text=lambda: click.echo(
            f"verified: {counted(len(epochs), 'epoch')}, every byte" if good else "NOT verified"
        ),
    )
    sys.exit(0 if good else EXIT_FOUND)


def _verify(
    epoch: Located,
    inputs: Path | None,
    urls: tuple[str, ...],
    asked: AttestationsAsked,
    *,
    quiet: bool,
) -> dict[str, Any]:
    outcome = _recomputed(epoch, inputs)
    findings = outcome.findings
    result: dict[str, Any] = {"out": str(epoch.folder)}
    if not findings:
        published = PublishedEpoch(epoch.folder)
        manifest = published.manifest
        against = "its predecessor" if epoch.previous else "itself"
        if manifest.previous_hash and not epoch.previous:
            result["trusted"] = "what the predecessor handed over: give --previous to check it"
        result |= {
            "epoch": str(manifest.epoch),
            "manifest_hash": manifest.hash,
            "merkle_root": manifest.root,
            "previous_manifest_hash": manifest.previous_hash,
        }
        unseen = not_at_hand(published, epoch.previous)
        if unseen:
            result["trusted_checks"] = unseen
        recorded = recorded_of(manifest)
        result["measurement"] = recorded.as_json() if recorded else None
        measured = measured_beside(epoch.folder, manifest.epoch)
        if recorded:
            result["measurement_held_against"] = str(measured) if measured else None
            if measured and outcome.recomputed:
                findings = findings_against(recorded, measured, outcome.recomputed.inputs)
        report = report_on(published, epoch.previous, None, None, recomputed=outcome.recomputed)
        result["checks"] = {"recorded": report.recorded, "counts": report.counts}
        if not quiet:
            note(f"epoch {manifest.epoch}: recomputed, held against {against}: equal")
            if "trusted" in result:
                note(f"  taken on trust: {result['trusted']}")
            if unseen:
                note(f"  taken on trust: what its checks found against {', '.join(unseen)}")
            note(f"  checks{'' if report.recorded else ' (not published)'}: {counts_text(report)}")
            for line in (
                recorded.lines() if recorded else ["how they were measured is not recorded"]
            ):
                note(f"  scores: {printable(line)}")
            if recorded and not measured:
                note("  taken on trust: that they were measured so")
            elif recorded and not findings:
                note(f"  scores: held against {printable(str(measured))}")
            elif measured:
                note(f"  scores: although {printable(str(measured))} is there")
        if urls and not findings:
            findings = _verify_on_chain(published, urls, result, quiet=quiet)
        if asked.files and not findings:
            attested = asked.count(published, urls)
            result["attestations"] = attested.as_json()
            findings = list(attested.findings)
            if not quiet:
                note(f"  attested by {', '.join(attested.good) or 'nobody'}")
    result |= {"ok": not findings, "findings": [finding.as_json() for finding in findings]}
    if not quiet and findings:
        note(f"{epoch.folder}: NOT verified")
        show_findings(findings)
    return result


def _recomputed(epoch: Located, inputs: Path | None) -> Verification:
    """Verify one epoch; inside a season even one that cannot be read is only that one's finding."""
    try:
        return verification(epoch.folder, epoch.previous, inputs)
    except FindingsError as error:
        if epoch.number is None:
            raise
        return Verification(list(error.findings))


def _verify_on_chain(
    published: PublishedEpoch, urls: tuple[str, ...], result: dict[str, Any], *, quiet: bool
) -> list[Finding]:
    from rewards.chain.settlement_check import check_settlement

    report, findings = check_settlement(published, urls)
    result["chain"] = report
    if not quiet:
        for name, value in report.items():
            note(f"  {name.replace('_', ' ')}: {value}")
    return findings
