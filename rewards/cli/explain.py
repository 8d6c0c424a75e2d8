"""`rewards explain`."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.audit.explain import derive, document_of
from rewards.audit.explain.derivation import Derivation, PublishedColumn, Step, format_value
from rewards.audit.measurement import recorded_of
from rewards.cli.console import answer, json_option
from rewards.cli.epochs import locate, season_option
from rewards.cli.words import epoch_and_subject
from rewards.files.grammar import counted
from rewards.files.published import PublishedEpoch
from rewards.files.season import Season
from rewards.measure.explain import override_lines, paid_evidence
from rewards.merkle.keccak import to_checksum
from rewards.rules.integers import WAD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rewards.measure.explain import NodeEvidence

WIDTH = 78
LISTED = 8
"""Values that are printed one by one."""
TIED = "\N{NO-BREAK SPACE}"
"""Between a name and its number, which belong on one line."""


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[OUT] ID_OR_ACCOUNT")
@click.option(
    "--measured",
    type=click.Path(path_type=Path),
    help="The folder of `measure nodes`; in a season measured/NNNNNN/nodes, if it is there.",
)
@season_option
@json_option
def command(
    words: tuple[str, ...], measured: Path | None, season_folder: Path | None, as_json: bool
) -> None:
    """Derive the amount of a node, a wallet or an account, step by step, to the base unit.

    OUT is a published folder, or inside a season an epoch's number (by default the last). Each step
    names its rule section, formula and numbers; with --json an outside program can evaluate them.
    With the measurement at hand, a node's score is followed back to its slots and its operators;
    exit code 1 if the epoch was computed from another score than was measured.
    """
    out, subject = epoch_and_subject(words)
    published = PublishedEpoch(locate(out, season_folder).folder)
    derivations = derive(published, subject)
    folder = measured or measured_beside(published)
    nodes = [derivation.subject for derivation in derivations if derivation.kind == "node"]
    evidence = paid_evidence(folder, published, nodes) if folder and nodes else []

    told = {score.node_id for score in evidence}
    recorded = recorded_of(published.manifest)
    overrides = [
        given
        for given in (recorded.overrides if recorded else ())
        if given["node_id"] in nodes and given["node_id"] not in told
    ]

    def show() -> None:
        click.echo(f"Epoch {published.manifest.epoch}, ruleset {published.manifest.ruleset}")
        for derivation in derivations:
            _show(derivation)
            for score in evidence:
                if derivation.kind == "node" and score.node_id == derivation.subject:
                    _show_evidence(score)
            for override in overrides:
                if derivation.kind == "node" and override["node_id"] == derivation.subject:
                    _show_override(override)

    document = document_of(published, subject, derivations)
    if evidence:
        document["measured"] = [score.as_json() for score in evidence]
    if overrides:
        document["overrides"] = overrides
    answer(document, as_json=as_json, text=show)


def measured_beside(published: PublishedEpoch) -> Path | None:
    """Return where the season that an epoch lies in keeps its measured scores, if it does."""
    folder, number = published.folder.absolute(), published.manifest.epoch
    season = Season.around(folder)
    if season is None or season.epoch(number).absolute() != folder:
        return None
    measured, here = season.measured_nodes(number), Path.cwd()
    if not measured.is_dir():
        return None
    return measured.relative_to(here) if measured.is_relative_to(here) else measured


def _show_override(override: Mapping[str, Any]) -> None:
    click.echo("\n  The score, by the record of its measurement in manifest.json")
    for line in override_lines(override):
        click.echo(f"  {line}")


def _show_evidence(score: NodeEvidence) -> None:
    click.echo(f"\n  The score, by measure-1 from {score.folder}")
    for line in score.lines():
        click.echo(f"  {line}")


def _show(derivation: Derivation) -> None:
    click.echo(f"\n{derivation.kind} {derivation.subject}\n")
    _paragraph(" ".join(derivation.summary), "  ", "  ")
    click.echo()
    if derivation.kind != "account":
        click.echo(f"  paid to: {to_checksum(derivation.payout_address)}")
    for name, value in derivation.facts.items():
        _paragraph(f"{name}: {value}", "  ", "    ")
    for step in derivation.steps:
        _show_step(step)
    click.echo(f"\n  {derivation.subject} in this epoch: {format_value(derivation.amount, 'wct')}")
    click.echo(f"  = {derivation.amount} base units")


def _show_step(step: Step) -> None:
    click.echo()
    _paragraph(f"§{step.section}  {step.symbol} = {step.formula}", "  ", "         ")
    if step.note:
        _paragraph(step.note, "      ", "      ")
    if step.when:
        _paragraph(f"because {step.when}", "      ", "        ")
    numbers = _in_numbers(step)
    if numbers:
        _paragraph(", ".join(numbers), "      with ", "           ")
    click.echo(f"      = {step.value}" + _in_unit(step))


def _paragraph(text: str, first: str, then: str) -> None:
    """Print a text as wide as WIDTH; no word is cut, so that a hash can be copied."""
    wrapped = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in wrapped:
        click.echo(line.replace(TIED, " "))


def _in_unit(step: Step) -> str:
    if step.unit == "count" or step.value == 0:
        return ""
    return f"   ({format_value(step.value, step.unit)})"


def _in_numbers(step: Step) -> list[str]:
    """Return the inputs that the formula or its condition names."""
    used = set(re.findall(r"[A-Za-z_]\w*", f"{step.formula} {step.when or ''}"))
    lines = []
    for name, value in step.inputs.items():
        if name not in used or value == name:
            continue
        if isinstance(value, PublishedColumn):
            shown = f"the {counted(len(value.values), 'value')} of {value.column} in {value.file}"
        elif isinstance(value, list) and len(value) > LISTED:
            shown = f"the {counted(len(value), 'value')} of --json"
        elif isinstance(value, list):
            shown = ", ".join(map(str, value)) or "none"
        elif value == WAD and not isinstance(value, bool):
            shown = "10^18"
        else:
            shown = str(value).lower() if isinstance(value, bool) else str(value)
        lines.append(f"{name} = {shown}".replace(" ", TIED))
    return lines
