"""`rewards push`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rewards.cli.active_epoch import active_epoch, place_of_epoch
from rewards.cli.asking import COINS, GWEI, write_new
from rewards.cli.console import EXIT_FOUND, answer, json_option, note
from rewards.cli.epochs import season_option
from rewards.cli.sending import (
    account_source,
    caps_now,
    env_file_option,
    journal_option,
    keystore_option,
    machine_for,
    rpc_option,
    wait_option,
    yes_option,
)
from rewards.cli.sending_words import confirm, show_steps, step_document, words_of
from rewards.files.grammar import counted
from rewards.files.outputs import format_wct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from eth_account.signers.local import LocalAccount

    from rewards.chain.distributor import Claim
    from rewards.chain.plan import Plan
    from rewards.chain.sending.machine import Machine
    from rewards.chain.sending.push import Blocked
    from rewards.chain.steps import Step
    from rewards.cli.active_epoch import ActiveEpoch
    from rewards.cli.places import Place

GAS_PER_CLAIM = 130_000
GAS_BESIDE = 100_000
PUSH = "push"
"""The action in the journal: a plan of claims made elsewhere is another step."""


@click.command()
@click.argument("out", required=False)
@rpc_option
@keystore_option
@env_file_option
@season_option
@journal_option
@wait_option
@yes_option
@click.option("--max-fee", type=GWEI, help="Gwei per gas, at most; by default twice the current.")
@click.option("--max-total-fee", type=COINS, help="Coins that one batch may cost, at most.")
@json_option
def command(out: str | None, **options: Any) -> None:  # noqa: ANN401 - one per option above
    """Claim for every recipient of the active epoch who has something open, in batches.

    OUT is the published folder of the active epoch, or inside a season its number. The contract
    pays each account itself, whoever sends the claims; a claim made twice pays nothing. Each batch
    of at most 150 is simulated first; a payee that blocks its batch is left out and named (exit 1).
    What is sent lies in the journal: interrupted, the same command goes on.

    \b
    Example:
      rewards push 124 --rpc URL --rpc URL --keystore key.json
    """
    place, published = place_of_epoch(out, options["season_folder"], options["journal_path"])
    account = account_source(options["keystore"], options["env_file"])
    chain_id = published.manifest.chain_id
    with machine_for(place, options["urls"], chain_id, options["minutes"]) as machine:
        epoch = active_epoch(machine, published)
        plan = _begun(machine, place, epoch)
        blocked: list[Blocked] = []
        if plan is None:
            sender = str(account().address).lower()
            plan, blocked = _made(machine, place, epoch, sender, options)
        steps = [] if plan is None else _run(machine, place, plan, account, yes=options["yes"])
    document = {
        "ok": not blocked,
        "epoch": str(published.manifest.epoch),
        "steps": [step_document(step) for step in steps],
        "blocked": [{"account": b.claim.account, "reason": b.reason} for b in blocked],
    }

    def show() -> None:
        show_steps(steps)
        if not steps:
            click.echo("nobody has anything open that could be claimed")

    answer(document, as_json=options["as_json"], text=show)
    for one in blocked:
        note(f"error: {one.claim.account}: left out: {one.reason}")
    if blocked:
        raise SystemExit(EXIT_FOUND)


def _plan_path(place: Place, epoch: int, attempt: int) -> Path:
    return place.receipts / f"push-{epoch:06d}-{attempt}.plan.json"


def _begun(machine: Machine, place: Place, epoch: ActiveEpoch) -> Plan | None:
    """Return the last push of the epoch when it is not at its end.

    One of which nothing was ever signed gives way to a fresh one: the chain may have moved on.
    """
    from rewards.chain.plan_file import read_plan
    from rewards.chain.sending.intents import intents_of
    from rewards.chain.sending.reasons import Reason
    from rewards.chain.steps import State

    attempt = _last_attempt(place, epoch.number)
    if attempt == 0:
        return None
    plan = read_plan(_plan_path(place, epoch.number, attempt))
    steps = [machine.journal.step(intent.key) for intent in intents_of(plan, attempt, PUSH)]
    if any(step.variants for step in steps):
        ended = all(step.state is State.FINAL or step.closed for step in steps)
        return None if ended else plan
    for step in steps:
        machine.journal.halt(step.key, Reason.REPLANNED, "nothing of it was signed", closed=True)
    return None


def _last_attempt(place: Place, epoch: int) -> int:
    attempt = 0
    while _plan_path(place, epoch, attempt + 1).exists():
        attempt += 1
    return attempt


def _made(
    machine: Machine, place: Place, epoch: ActiveEpoch, sender: str, options: dict[str, Any]
) -> tuple[Plan | None, list[Blocked]]:
    from rewards.chain.distributor import CLAIMS_PER_CALL
    from rewards.chain.endpoint import LATEST
    from rewards.chain.plan_file import plan_bytes
    from rewards.chain.sending.push import claims_for, dues, planned_claims

    address = epoch.distributor
    owed = machine.patiently(lambda: dues(epoch.distribution, address, machine.quorum, LATEST))
    claims = claims_for(epoch.distribution, owed)
    accounts = counted(len(claims), "account has", "accounts have")
    note(f"  {accounts} {format_wct(sum(d.open for d in owed))} WCT open")
    good, blocked = [], []
    for start in range(0, len(claims), CLAIMS_PER_CALL):
        batch = claims[start : start + CLAIMS_PER_CALL]
        passed, refused = _sifted(machine, epoch, batch, sender)
        good += passed
        blocked += refused
        note(f"  simulated {start + len(batch)} of {counted(len(claims), 'claim')}")
    if not good:
        return None, blocked
    open_of = {due.account: due.open for due in owed}
    total = sum(open_of[claim.account] for claim in good)
    calls = planned_claims(address, epoch.number, good)
    gas = GAS_BESIDE + GAS_PER_CLAIM * min(len(good), CLAIMS_PER_CALL)
    plan = epoch.plan(
        "claim_many",
        calls,
        {"claimed": total},
        caps_now(machine, gas, options["max_fee"], options["max_total_fee"]),
    )
    attempt = _last_attempt(place, epoch.number) + 1
    write_new(_plan_path(place, epoch.number, attempt), plan_bytes(plan))
    return plan, blocked


def _sifted(
    machine: Machine, epoch: ActiveEpoch, batch: Sequence[Claim], sender: str
) -> tuple[list[Claim], list[Blocked]]:
    from rewards.chain.sending.push import sift

    return machine.patiently(
        lambda: sift(machine.quorum, epoch.distributor, epoch.number, batch, sender)
    )


def _run(
    machine: Machine, place: Place, plan: Plan, account: Callable[[], LocalAccount], *, yes: bool
) -> list[Step]:
    from rewards.chain.sending.push import run_batches
    from rewards.chain.sending.submitting import Submission

    last = _last_attempt(place, plan.epochs.last if plan.epochs else 0)
    submission = Submission(plan, machine, place.folder_of, place.receipts, last, PUSH)
    if submission.begin(again=False):
        for line in words_of(plan):
            note(line)
        confirm(plan, yes=yes)
    return run_batches(submission, account)
