"""What the commands that send share: journal, endpoints, key, and the word to go ahead."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rewards.cli.asking import unlock_keystore
from rewards.cli.console import note
from rewards.errors import Finding, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from eth_account.signers.local import LocalAccount

    from rewards.chain.journal import Journal
    from rewards.chain.plan import Caps, Plan
    from rewards.chain.sending.machine import Machine
    from rewards.cli.places import Place

MINUTE = 60
rpc_option = click.option(
    "--rpc",
    "urls",
    multiple=True,
    required=True,
    metavar="URL",
    help="A JSON-RPC endpoint; give two or more, of different operators.",
)
keystore_option = click.option(
    "--keystore", type=click.Path(path_type=Path), help="The encrypted key file of the sender."
)
env_file_option = click.option(
    "--env-file",
    type=click.Path(path_type=Path),
    help="A file that sets REWARDS_KEYSTORE_PASSWORD or REWARDS_PRIVATE_KEY.",
)
journal_option = click.option(
    "--journal",
    "journal_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The journal; by default the season's settlements/journal.sqlite3.",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask before signing.")
wait_option = click.option(
    "--wait",
    "minutes",
    type=click.IntRange(min=0),
    default=60,
    show_default=True,
    help="Minutes to watch; running it again goes on.",
)


class Teller:
    """Tells progress on stderr."""

    def told(self, message: str) -> None:
        """Print a line."""
        note(f"  {message}")


@contextmanager
def machine_for(
    place: Place, urls: Sequence[str], chain_id: int, minutes: int
) -> Iterator[Machine]:
    """Open journal and endpoints; nobody else writes to the journal meanwhile.

    Raises:
        JournalBusy: Another process does.
        InvalidInput: One endpoint alone, or no HTTP address.
    """
    from rewards.chain.journal import open_journal
    from rewards.chain.sending.clock import SystemClock
    from rewards.chain.sending.machine import SHORT_PATIENCE_SECONDS, Machine
    from rewards.chain.sending.quorum import Quorum, nodes_of

    with ExitStack() as stack:
        nodes = tuple(stack.enter_context(closing(node)) for node in nodes_of(urls))
        quorum = Quorum(nodes, chain_id, SystemClock())
        journal = stack.enter_context(open_journal(place.journal))
        patience = minutes * MINUTE
        yield Machine(journal, quorum, Teller(), patience, min(patience, SHORT_PATIENCE_SECONDS))


@contextmanager
def reading_machine(place: Place, urls: Sequence[str], chain_id: int) -> Iterator[Machine]:
    """Open endpoints for a look; the journal is only asked how far it has seen.

    Raises:
        InvalidInput: One endpoint alone, or no HTTP address.
    """
    from rewards.chain.journal import passing_journal, read_journal
    from rewards.chain.sending.clock import SystemClock
    from rewards.chain.sending.machine import Machine
    from rewards.chain.sending.quorum import Quorum, nodes_of

    with ExitStack() as stack:
        nodes = tuple(stack.enter_context(closing(node)) for node in nodes_of(urls))
        machine = Machine(
            stack.enter_context(passing_journal()),
            Quorum(nodes, chain_id, SystemClock()),
            Teller(),
        )
        with read_journal(place.journal) as journal:
            if journal is not None:
                machine.quorum.seen = journal.seen(chain_id)
        yield machine


def caps_now(machine: Machine, gas: int, max_fee: int | None, total_fee: int | None) -> Caps:
    """Return caps for transactions that are planned and sent in one go.

    Args:
        machine: Endpoints.
        gas: Gas that one may use.
        max_fee: Wei per gas at most; None: twice what a transaction offers now.
        total_fee: Wei that one may cost at most; None: what follows, and four times what the OP
            stack would charge now beside execution for as much data as a transaction can have.
    """
    from rewards.chain.op_stack import fee_beside_execution
    from rewards.chain.plan import Caps

    quorum = machine.quorum
    fees = machine.patiently(lambda: quorum.each(lambda node: node.fees()))
    highest = max_fee or 2 * max(fee.highest for fee in fees)
    tip = min(2 * max(fee.tip for fee in fees), highest)
    data = bytes(range(256)) * 500
    beside = machine.patiently(
        lambda: quorum.each(lambda node: fee_beside_execution(node, data, gas))
    )
    return Caps(gas, highest, tip, total_fee or gas * highest + 4 * max(beside))


def account_source(keystore: Path | None, env_file: Path | None) -> Callable[[], LocalAccount]:
    """Return a function that unlocks the key when it is first needed, once."""
    unlocked: list[LocalAccount] = []

    def account() -> LocalAccount:
        if not unlocked:
            unlocked.append(_unlock(keystore, env_file))
        return unlocked[0]

    return account


def _unlock(keystore: Path | None, env_file: Path | None) -> LocalAccount:
    from rewards.chain.sending.keys import KEY_VARIABLE, account_from_environment

    if keystore is not None:
        return unlock_keystore(keystore, env_file)
    account = account_from_environment(env_file, os.environ)
    if account is None:
        raise InvalidInput(
            Finding(
                "--keystore",
                "is missing: somebody has to sign",
                f"name a keystore, or set {KEY_VARIABLE} in a file named with --env-file",
            )
        )
    return account


REPEATED = (
    *("cancel", "claim_many", "configure", "fund", "pause"),
    *("schedule", "sweep", "unpause"),
)
"""Actions that are good more than once; each plan of them is a step of its own."""


def repeat_of(plan: Plan, journal: Journal, *, again: bool) -> int | None:
    """Return which time an action is done; None where the plan's calls tell, or it is done once.

    The same plan again is the same time, unless it is at its end and `again` is said. Another
    target's calls tell nothing: whatever it lets be done twice (a proposal, after a veto) may be.
    """
    from rewards.chain.steps import State

    ours = plan.target == "epoch-distributor"
    if plan.action == "deploy" or (ours and plan.action not in REPEATED):
        return None
    epoch = plan.epochs.last if plan.epochs else 0
    kind = (plan.chain_id, plan.contract.address, epoch, plan.action)
    steps = [
        step
        for step in journal.steps()
        if (step.key.chain_id, step.key.contract, step.key.epoch, step.key.action) == kind
    ]
    next_time = max((step.key.attempt for step in steps), default=0) + 1
    own = [step for step in steps if step.plan == plan.digest]
    if not own:
        # What was begun and never signed leaves its place to another plan.
        unsigned = [
            step.key.attempt
            for step in steps
            if not (step.variants or step.closed or step.state is State.FINAL)
        ]
        return min(unsigned, default=next_time)
    last = max(step.key.attempt for step in own)
    ended = all(s.state is State.FINAL for s in own if s.key.attempt == last)
    return next_time if again and ended else last
