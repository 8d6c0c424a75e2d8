"""`rewards submit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.chain.safe.deployments import DEFAULT_VERSION, VERSIONS
from rewards.cli.asking import ADDRESS, COINS, NUMBER, write_new
from rewards.cli.console import answer, json_option, note
from rewards.cli.epochs import season_option
from rewards.cli.places import Place
from rewards.cli.sending import (
    account_source,
    env_file_option,
    journal_option,
    keystore_option,
    machine_for,
    repeat_of,
    rpc_option,
    wait_option,
    yes_option,
)
from rewards.cli.sending_words import confirm, show_steps, step_document, words_of

if TYPE_CHECKING:
    from rewards.chain.plan import Plan
    from rewards.chain.sending.submitting import Submission
    from rewards.chain.steps import Step


@click.command()
@click.argument("plan_path", metavar="PLAN", type=click.Path(path_type=Path))
@rpc_option
@keystore_option
@env_file_option
@season_option
@click.option(
    "--out",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Outside of a season: the published folder of an epoch; repeatable.",
)
@journal_option
@wait_option
@yes_option
@click.option("--bump", is_flag=True, help="Sign what waits once more, at a higher price.")
@click.option("--cancel", is_flag=True, help="Put nothing in the place of what waits.")
@click.option("--fee-cap", type=COINS, help="--bump, --cancel: coins that it may cost at most.")
@click.option("--again", is_flag=True, help="Begin anew what has ended for good.")
@click.option("--safe", type=ADDRESS, help="Hand it to this Safe instead of signing.")
@click.option("--nonce", type=NUMBER, help="--safe: the Safe's nonce for it.")
@click.option(
    "--safe-version",
    type=click.Choice(VERSIONS),
    default=DEFAULT_VERSION,
    show_default=True,
    help="--safe: its version; it decides which MultiSendCallOnly is called.",
)
@json_option
def command(plan_path: Path, **options: Any) -> None:  # noqa: ANN401 - one per option above
    """Send PLAN to its chain, and watch until every endpoint shows the outcome as final.

    Every bound file, the contract's code, the chain and what is settled are held against the plan
    first. Then it says in words what is going to happen and wants the total typed, or --yes. The
    signed bytes lie in the journal before anything is sent. Interrupted at any moment, the same
    command goes on where it stands, without the key once it is signed.

    On the OP stack a block is final after 20 to 30 minutes. With --safe the SafeTx is written
    beside the plan, and the Safe is watched: executed, failed, or superseded at that nonce. A
    transfer (`fund`, `sweep`) goes to a Safe as its next transaction only.

    \b
    Examples:
      rewards submit propose-124.json --rpc URL --rpc URL --keystore key.json
      rewards submit propose-124.json --rpc URL --rpc URL --keystore key.json --bump
      rewards submit propose-124.json --rpc URL --rpc URL --safe 0x… --nonce 17
    """
    _require_sensible(options)
    from rewards.chain.plan_file import read_plan
    from rewards.chain.sending.submitting import Submission

    plan = read_plan(plan_path)
    place = Place.of(
        plan_path.absolute().parent,
        options["season_folder"],
        options["journal_path"],
        options["folders"],
    )
    with machine_for(place, options["urls"], plan.chain_id, options["minutes"]) as machine:
        attempt = repeat_of(plan, machine.journal, again=options["again"])
        submission = Submission(plan, machine, place.folder_of, place.receipts, attempt)
        if options["bump"] or options["cancel"]:
            steps = _replace(submission, options)
        elif options["safe"]:
            steps = _through_safe(submission, plan_path, options)
        else:
            steps = _send(submission, options)
        receipt = submission.write_receipt()
    document = {
        "ok": True,
        "plan": plan.digest,
        "steps": [step_document(step) for step in steps],
        "receipt": str(receipt),
    }

    def show() -> None:
        show_steps(steps)
        click.echo(f"receipt: {receipt}")

    answer(document, as_json=options["as_json"], text=show)


def _require_sensible(options: dict[str, Any]) -> None:
    if options["bump"] and options["cancel"]:
        raise click.UsageError("--bump or --cancel, not both")
    if options["fee_cap"] is not None and not (options["bump"] or options["cancel"]):
        raise click.UsageError("--fee-cap goes with --bump or --cancel; else the plan's caps hold")
    if options["safe"] and options["nonce"] is None:
        raise click.UsageError("--safe needs --nonce: which of the Safe's transactions it is")
    if options["safe"] and (options["bump"] or options["cancel"] or options["keystore"]):
        raise click.UsageError("--safe goes without key, --bump and --cancel: its owners sign")
    if options["nonce"] is not None and not options["safe"]:
        raise click.UsageError("--nonce goes with --safe; the nonce of a key is the chain's matter")


def _send(submission: Submission, options: dict[str, Any]) -> list[Step]:
    account = account_source(options["keystore"], options["env_file"])
    if submission.begin(again=options["again"]):
        _say(submission.plan)
        confirm(submission.plan, yes=options["yes"])
    return submission.run(account)


def _replace(submission: Submission, options: dict[str, Any]) -> list[Step]:
    machine, cancel = submission.machine, options["cancel"]
    account = account_source(options["keystore"], options["env_file"])
    waiting = [i for i in submission.intents() if machine.journal.step(i.key).live]
    if not waiting:
        from rewards.chain.sending.reasons import Reason, Stopped

        raise Stopped(Reason.NOTHING_TO_REPLACE, "nothing of this plan waits")
    _say(submission.plan)
    note(f"  {'cancel' if cancel else 'raise the price of'} {waiting[0].words}")
    confirm(submission.plan, yes=options["yes"])
    machine.patiently(machine.quorum.require_chain)
    machine.replace(waiting[0], account(), cancel=cancel, cap=options["fee_cap"])
    return submission.run(account)


def _through_safe(submission: Submission, plan_path: Path, options: dict[str, Any]) -> list[Step]:
    from rewards.chain.safe.export import safe_tx_file, safe_tx_of
    from rewards.chain.safe.hashes import hashes_of
    from rewards.chain.sending.safe_watch import SafeWatch

    plan, safe, nonce, version = (
        submission.plan,
        options["safe"],
        options["nonce"],
        options["safe_version"],
    )
    tx = safe_tx_of(plan, safe, version, nonce)
    mark = hashes_of(plan.chain_id, safe, tx).safe_tx_hash
    watch = SafeWatch(submission.machine, submission.whole(), safe, tx, mark, plan.calls)
    if submission.begin_whole(again=options["again"]):
        _say(plan)
        confirm(plan, yes=options["yes"])
    if not submission.is_done_as_a_whole():
        watch.hand_over()
        file = plan_path.with_suffix(f".safe-{nonce}.json")
        write_new(file, safe_tx_file(plan, safe, version, nonce))
        note(f"  {file}: safeTxHash {mark}; check it with `rewards safe verify` before you sign")
    return [watch.watch()]


def _say(plan: Plan) -> None:
    for line in words_of(plan):
        note(line)
