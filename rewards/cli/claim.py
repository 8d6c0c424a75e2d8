"""`rewards claim`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rewards.cli.active_epoch import active_epoch, place_of_epoch
from rewards.cli.asking import ADDRESS
from rewards.cli.console import answer, json_option, note
from rewards.cli.epochs import season_option
from rewards.cli.sending import (
    account_source,
    caps_now,
    env_file_option,
    journal_option,
    keystore_option,
    machine_for,
    reading_machine,
    rpc_option,
    wait_option,
    yes_option,
)
from rewards.cli.sending_words import confirm, show_steps, step_document, words_of
from rewards.cli.words import epoch_and_subject
from rewards.errors import Finding, InvalidInput
from rewards.files.outputs import format_wct

if TYPE_CHECKING:
    from rewards.chain.distributor import Claim
    from rewards.chain.sending.machine import Machine
    from rewards.chain.steps import Step
    from rewards.cli.active_epoch import ActiveEpoch
    from rewards.cli.places import Place

GAS = 200_000
ACCOUNT_PLACE = "ACCOUNT"


@click.command()
@click.argument("words", nargs=-1, metavar="[OUT] ACCOUNT")
@rpc_option
@keystore_option
@env_file_option
@season_option
@journal_option
@wait_option
@yes_option
@json_option
def command(words: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401 - one per option above
    """Show what ACCOUNT can claim, and claim it with a key, or print the calldata for a wallet.

    Anybody may send the claim; the contract pays the account. Without a key nothing is sent: send
    the calldata printed to the contract printed, with no value, from any wallet.

    \b
    Examples:
      rewards claim 124 0x… --rpc URL --rpc URL
      rewards claim 124 0x… --rpc URL --rpc URL --keystore key.json
    """
    from rewards.chain.distributor import Claim, Distributor
    from rewards.chain.sending.push import dues

    out, subject = epoch_and_subject(words)
    account = ADDRESS.convert(subject, None, None)
    place, published = place_of_epoch(out, options["season_folder"], options["journal_path"])
    sends = options["keystore"] is not None or options["env_file"] is not None
    chain_id = published.manifest.chain_id
    opened = (
        machine_for(place, options["urls"], chain_id, options["minutes"])
        if sends
        else reading_machine(place, options["urls"], chain_id)
    )
    with opened as machine:
        epoch = active_epoch(machine, published)
        if account not in epoch.distribution or account == epoch.distributor:
            raise InvalidInput(
                Finding(ACCOUNT_PLACE, "has no leaf in this epoch", "check it", value=account)
            )
        at = epoch.block.number
        found = machine.patiently(
            lambda: dues(epoch.distribution, epoch.distributor, machine.quorum, at)
        )
        due = next(one for one in found if one.account == account)
        claim = Claim(account, due.cumulative, tuple(epoch.distribution.proof(account)))
        call = Distributor(machine.quorum.nodes[0], epoch.distributor).claim(epoch.number, claim)
        steps: list[Step] = []
        if sends and due.open:
            steps = _send(machine, place, epoch, claim, due.open, options)
    document = {
        "ok": True,
        "epoch": str(epoch.number),
        "account": account,
        "cumulative": str(due.cumulative),
        "claimed": str(due.claimed),
        "open": str(due.open),
        "to": epoch.distributor,
        "data": "0x" + call.data.hex(),
        "value": "0",
        "steps": [step_document(step) for step in steps],
    }

    def show() -> None:
        click.echo(
            f"{account}: {format_wct(due.cumulative)} WCT up to epoch {epoch.number}, "
            f"{format_wct(due.claimed)} WCT claimed, {format_wct(due.open)} WCT open"
        )
        if steps:
            show_steps(steps)
        elif due.open:
            click.echo(f"to:   {epoch.distributor}\ndata: 0x{call.data.hex()}")

    answer(document, as_json=options["as_json"], text=show)


def _send(
    machine: Machine,
    place: Place,
    epoch: ActiveEpoch,
    claim: Claim,
    amount: int,
    options: dict[str, Any],
) -> list[Step]:
    from rewards.chain.contract import DISTRIBUTOR, interface
    from rewards.chain.plan import PlannedCall
    from rewards.chain.sending.submitting import Submission

    entry = interface(DISTRIBUTOR).entry("claimMany")
    fields = [(claim.account, claim.cumulative, claim.proof)]
    call = PlannedCall.of(epoch.distributor, entry, (epoch.number, fields))
    caps = caps_now(machine, GAS, None, None)
    plan = epoch.plan("claim_many", (call,), {"claimed": amount}, caps)
    # Each account has a step of its own in the journal: a claim is no batch of `push`.
    step = f"claim {claim.account}"
    submission = Submission(plan, machine, place.folder_of, place.receipts, None, step)
    if submission.begin(again=False):
        for line in words_of(plan):
            note(line)
        confirm(plan, yes=options["yes"])
    return submission.run(account_source(options["keystore"], options["env_file"]))
