"""`rewards status`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.cli.console import answer, json_option, note, print_table
from rewards.cli.epochs import season_option
from rewards.cli.places import Place
from rewards.cli.sending import journal_option, machine_for, reading_machine
from rewards.cli.sending_words import step_document
from rewards.errors import Finding, InvalidInput
from rewards.files.grammar import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.chain.sending.standing import OnChain, Standing
    from rewards.chain.steps import Step
    from rewards.files.manifest import Manifest

EPOCHS_SHOWN = 14
ENDED_SHOWN = 12


@click.command()
@click.argument("plans", nargs=-1, type=click.Path(path_type=Path))
@click.option("--rpc", "urls", multiple=True, metavar="URL", help="Also ask the chain; repeatable.")
@season_option
@journal_option
@click.option(
    "--backup",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a consistent copy of the journal to a new file, even while it is in use.",
)
@click.option(
    "--recover", is_flag=True, help="Make a lost journal anew from PLANS and the chain (--rpc)."
)
@json_option
def command(plans: tuple[Path, ...], **options: Any) -> None:  # noqa: ANN401 - one per option above
    """Show where every epoch and every transaction stands, and what to do next.

    Without --rpc it tells what the journal knows; with it, what a finalized block shows.

    \b
    Examples:
      rewards status --rpc URL --rpc URL
      rewards status --backup /elsewhere/journal.sqlite3
      rewards status --recover --rpc URL --rpc URL propose-124.json activate-124.json
    """
    if plans and not options["recover"]:
        raise click.UsageError("plans are named with --recover only")
    if options["recover"] and not (plans and options["urls"]):
        raise click.UsageError("--recover needs the plans and --rpc")
    place = Place.of(Path.cwd(), options["season_folder"], options["journal_path"])
    if options["recover"]:
        _recover(place, plans, options)
    if options["backup"]:
        _backup(place, options["backup"])
    steps = _steps(place)
    manifests = _manifests(place)
    chain = _ask(place, manifests, options["urls"]) if options["urls"] else {}
    standings = _standings(manifests, steps, chain)
    document = {
        "ok": True,
        "journal": str(place.journal) if place.journal.exists() else None,
        "epochs": [
            {
                "epoch": str(standing.epoch),
                "status": standing.status,
                "meaning": standing.meaning,
                "next": standing.next_step,
            }
            for standing in standings
        ],
        "steps": [step_document(step) for step in steps],
    }
    answer(document, as_json=options["as_json"], text=lambda: _show(place, standings, steps))


def _steps(place: Place) -> list[Step]:
    from rewards.chain.journal import read_journal

    with read_journal(place.journal) as journal:
        return [] if journal is None else journal.steps()


def _manifests(place: Place) -> list[Manifest]:
    from rewards.files.published import PublishedEpoch

    if place.epochs is None or not place.epochs.is_dir():
        return []
    folders = sorted(entry for entry in place.epochs.iterdir() if entry.name.isdigit())
    return [PublishedEpoch(folder).manifest for folder in folders[-EPOCHS_SHOWN:]]


def _ask(
    place: Place, manifests: Sequence[Manifest], urls: Sequence[str]
) -> dict[tuple[int, str], OnChain]:
    from rewards.chain.sending.standing import read_contract

    contracts = sorted({(manifest.chain_id, manifest.distributor) for manifest in manifests})
    found = {}
    for chain_id, address in contracts:
        with reading_machine(place, urls, chain_id) as machine:
            machine.patiently(machine.quorum.require_chain)
            block = machine.patiently(machine.finalized)
            found[chain_id, address] = machine.patiently(
                lambda m=machine, a=address, b=block: read_contract(m.quorum, a, b)  # type: ignore[misc]
            )
    return found


def _standings(
    manifests: Sequence[Manifest], steps: Sequence[Step], chain: dict[tuple[int, str], OnChain]
) -> list[Standing]:
    from rewards.chain.sending.standing import settled_together

    of_contract: dict[tuple[int, str], list[Standing]] = {}
    for manifest in manifests:
        where = (manifest.chain_id, manifest.distributor)
        of_contract.setdefault(where, []).append(_standing(manifest, steps, chain))
    found = [one for standings in of_contract.values() for one in settled_together(standings)]
    return sorted(found, key=lambda standing: standing.epoch)


def _standing(
    manifest: Manifest, steps: Sequence[Step], chain: dict[tuple[int, str], OnChain]
) -> Standing:
    from rewards.chain.sending.standing import epoch_standing

    where = (manifest.chain_id, manifest.distributor)
    own = [
        step
        for step in steps
        if (step.key.chain_id, step.key.contract) == where and step.key.epoch == manifest.epoch
    ]
    return epoch_standing(manifest, own, chain.get(where), int(time.time()))


def _show(place: Place, standings: Sequence[Standing], steps: Sequence[Step]) -> None:
    from rewards.chain.sending.standing import is_moving

    if standings:
        rows = [(str(s.epoch), s.status, f"{s.meaning}. Next: {s.next_step}") for s in standings]
        print_table("Epochs", ("epoch", "status", "meaning"), rows, right=(0,))
    ended = [step for step in steps if not is_moving(step)]
    shown = [step for step in steps if is_moving(step) or step in ended[-ENDED_SHOWN:]]
    if shown:
        click.echo(f"Transactions, by {place.journal}")
    if len(shown) < len(steps):
        left_out = counted(len(steps) - len(shown), "earlier one is", "earlier ones are")
        click.echo(f"  {left_out} final; --json holds them all")
    for step in shown:
        _show_step(step)
    if not standings and not steps:
        click.echo("nothing is published here, and nothing was sent from here")


def _show_step(step: Step) -> None:
    from rewards.chain.sending.receipts import safe_tx_hash_of, transaction_of
    from rewards.chain.sending.standing import is_moving, step_advice

    place = f", in block {step.outcome['block']}" if "block" in step.outcome else ""
    click.echo(f"  {step.key}: {step.shown_state}{place}")
    if transaction := transaction_of(step):
        click.echo(f"    {transaction}")
    elif handed := safe_tx_hash_of(step):
        click.echo(f"    safeTxHash {handed}")
    if is_moving(step):
        if step.detail:
            click.echo(f"    {step.detail}")
        click.echo(f"    next: {step_advice(step)}")


def _backup(place: Place, target: Path) -> None:
    from rewards.chain.journal import read_journal

    with read_journal(place.journal) as journal:
        if journal is None:
            raise InvalidInput(
                Finding(str(place.journal), "is not there", "nothing was sent from here yet")
            )
        journal.backup(target)
    note(f"journal copied to {target}")


def _recover(place: Place, plans: Sequence[Path], options: dict[str, Any]) -> None:
    from rewards.chain.plan_file import read_plan
    from rewards.chain.sending.recovery import recover
    from rewards.chain.sending.submitting import Submission
    from rewards.cli.sending import repeat_of

    for path in plans:
        plan = read_plan(path)
        with machine_for(place, options["urls"], plan.chain_id, 60) as machine:
            attempt = repeat_of(plan, machine.journal, again=False)
            submission = Submission(plan, machine, place.folder_of, place.receipts, attempt)
            for step in recover(submission):
                note(f"  {path.name}: {step.key}: {step.shown_state}")
            submission.write_receipt()
