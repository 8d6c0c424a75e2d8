"""What the commands that send share: journal, endpoints, key, and the word to go ahead."""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.cli.asking import unlock_keystore
from rewards.cli.console import note
from rewards.cli.epochs import find_season, locate
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.folder import read_bytes
from rewards.files.outputs import format_wct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from eth_account.signers.local import LocalAccount

    from rewards.chain.distributor import ActiveState
    from rewards.chain.endpoint import Block
    from rewards.chain.journal import Journal
    from rewards.chain.plan_file import Caps, Plan, PlannedCall
    from rewards.chain.sending.machine import Machine
    from rewards.chain.steps import Step
    from rewards.files.published import PublishedEpoch
    from rewards.merkle.distribution import Distribution

JOURNAL_FILE = "journal.sqlite3"
MINUTE = 60
MONEY = ("rise", "amount", "claimed", "epoch_amount", "cumulative_total")
"""The totals by which a person knows what a plan moves, the most telling first."""

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


@dataclass(frozen=True)
class Place:
    """Where things lie.

    Attributes:
        journal: The journal's file.
        receipts: The folder of the receipts.
        folders: Epochs' folders that were named expressly, by number.
        epochs: The season's folder of epochs; None outside of a season.
    """

    journal: Path
    receipts: Path
    folders: dict[int, Path] = field(default_factory=dict)
    epochs: Path | None = None

    @classmethod
    def of(
        cls,
        near: Path,
        season_folder: Path | None,
        journal: Path | None = None,
        folders: Sequence[Path] = (),
    ) -> Place:
        """Return the places: in the season named or around, else beside `near`."""
        from rewards.files.published import PublishedEpoch
        from rewards.files.season import Season

        season = find_season(season_folder) or Season.around(near)
        receipts = season.root / "settlements" if season else near
        named = {PublishedEpoch(folder).manifest.epoch: folder for folder in folders}
        return cls(
            journal or receipts / JOURNAL_FILE,
            receipts,
            named,
            season.root / "epochs" if season else None,
        )

    def folder_of(self, epoch: int) -> Path:
        """Return an epoch's published folder.

        Raises:
            InvalidInput: None was named, and there is no season.
        """
        if epoch in self.folders:
            return self.folders[epoch]
        if self.epochs is None:
            raise InvalidInput(
                Finding(
                    f"epoch {epoch}",
                    "has files that the plan binds, and its folder is not known",
                    "name it with --out, or work in its season",
                )
            )
        return self.epochs / f"{epoch:06d}"


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
    from rewards.chain.sending.machine import Machine
    from rewards.chain.sending.quorum import Quorum, nodes_of

    with ExitStack() as stack:
        nodes = tuple(stack.enter_context(closing(node)) for node in nodes_of(urls))
        quorum = Quorum(nodes, chain_id, SystemClock())
        journal = stack.enter_context(open_journal(place.journal))
        yield Machine(journal, quorum, Teller(), patience=minutes * MINUTE)


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
    from rewards.chain.plan_file import Caps

    quorum = machine.quorum
    fees = machine.patiently(lambda: quorum.each(lambda node: node.fees()))
    highest = max_fee or 2 * max(fee.highest for fee in fees)
    tip = min(2 * max(fee.tip for fee in fees), highest)
    data = bytes(range(256)) * 500
    beside = machine.patiently(
        lambda: quorum.each(lambda node: fee_beside_execution(node, data, gas))
    )
    return Caps(gas, highest, tip, total_fee or gas * highest + 4 * max(beside))


def read_plan(path: Path) -> Plan:
    """Return a plan.

    Raises:
        InvalidInput: It is none, or altered.
    """
    from rewards.chain.plan_file import PLAN_LIMIT, Plan

    return Plan.from_bytes(read_bytes(path, str(path), PLAN_LIMIT), str(path))


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


def total_of(plan: Plan) -> int | None:
    """Return what a plan moves, in base units; None where it moves nothing."""
    return next((plan.totals[name] for name in MONEY if name in plan.totals), None)


def confirm(plan: Plan, *, yes: bool) -> None:
    """Have the total typed again, or the action where no money moves.

    Raises:
        Abort: Something else was typed.
    """
    if yes:
        return
    total = total_of(plan)
    expected = plan.action if total is None else format_wct(total)
    what = "the action" if total is None else "the total in whole WCT"
    if not sys.stdin.isatty():
        raise click.UsageError(f"nobody is there to ask: say --yes to send {plan.action}")
    typed = click.prompt(f"Type {what} ({expected}) to go ahead", err=True)
    if typed.strip().replace(",", "") != expected.replace(",", ""):
        note("that is something else; nothing was signed")
        raise click.Abort


def words_of(plan: Plan) -> list[str]:
    """Return in words what is going to happen."""
    from rewards.chain.network import TEST_NETWORKS
    from rewards.chain.sending.fees import coins
    from rewards.merkle.keccak import to_checksum

    total = total_of(plan)
    chain = TEST_NETWORKS.get(plan.chain_id, MAIN_NETWORKS.get(plan.chain_id, "an unknown chain"))
    epochs = plan.epochs
    lines = [
        ("action", f"{plan.action} ({plan.target}), {_count(len(plan.calls), 'transaction')}"),
        ("epochs", f"{epochs.first} to {epochs.last}" if epochs else None),
        ("token", f"{plan.token.symbol} {to_checksum(plan.token.address)}" if plan.token else None),
        ("total", None if total is None else f"{format_wct(total)} WCT"),
        ("root", plan.merkle_root),
        ("manifest", plan.manifest_hash),
        ("contract", to_checksum(plan.contract.address)),
        ("chain", f"{chain} ({plan.chain_id})"),
        ("at worst", f"{coins(plan.caps.total_fee * len(plan.calls))} of the chain's coin in fees"),
        ("plan", plan.digest),
    ]
    return [f"  {name:9} {text}" for name, text in lines if text is not None]


MAIN_NETWORKS = {1: "Ethereum", 10: "OP Mainnet", 8453: "Base"}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def step_document(step: Step) -> dict[str, Any]:
    """Return a step for `--json`."""
    from rewards.chain.sending.receipts import action_document

    return {
        **action_document(step),
        "epoch": str(step.key.epoch),
        "contract": step.key.contract,
        "chain_id": str(step.key.chain_id),
        "halt": step.halt or None,
        "detail": step.detail or None,
        "closed": step.closed,
    }


def show_steps(steps: Sequence[Step]) -> None:
    """Print what became of steps."""
    for step in steps:
        found = step.outcome
        place = f" in block {found['block']}" if "block" in found else ""
        by = f" by {found['transaction']}" if "transaction" in found else ""
        remark = f" ({found['note']})" if found.get("note") else ""
        click.echo(f"{step.key}: {step.shown_state}{by}{place}{remark}")


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
        unsigned = [s.key.attempt for s in steps if not s.variants and s.state is not State.FINAL]
        return min(unsigned, default=next_time)
    last = max(step.key.attempt for step in own)
    ended = all(s.state is State.FINAL for s in own if s.key.attempt == last)
    return next_time if again and ended else last


@dataclass(frozen=True)
class ActiveEpoch:
    """The epoch that pays claims now, from its published folder, held against the chain.

    Attributes:
        published: The folder.
        distribution: Its leaves.
        active: What the contract says of it.
        block: The final block at which that was read.
        code_hashes: keccak-256 of the code of contract and token.
    """

    published: PublishedEpoch
    distribution: Distribution
    active: ActiveState
    block: Block
    code_hashes: tuple[str, str]

    @property
    def number(self) -> int:
        """The epoch."""
        return self.published.manifest.epoch

    @property
    def distributor(self) -> str:
        """The contract."""
        return self.published.manifest.distributor

    def plan(
        self, action: str, calls: tuple[PlannedCall, ...], totals: dict[str, int], caps: Caps
    ) -> Plan:
        """Return a plan of calls for this epoch."""
        from rewards.chain.plan_file import EpochRange, Plan, PlannedContract, PlannedToken
        from rewards.files.outputs import MANIFEST

        manifest = self.published.manifest
        files = {**manifest.files, MANIFEST: hashlib.sha256(manifest.content).hexdigest()}
        return Plan(
            action=action,
            target="epoch-distributor",
            chain_id=manifest.chain_id,
            epochs=EpochRange(manifest.epoch, manifest.epoch),
            ruleset=manifest.ruleset,
            manifest_hash=manifest.hash,
            previous_manifest_hash=manifest.previous_hash,
            merkle_root=manifest.root,
            files={manifest.epoch: files},
            contract=PlannedContract(manifest.distributor, self.code_hashes[0]),
            token=PlannedToken(
                str(manifest.document["token"]),
                "WCT",
                int(manifest.document["decimals"]),
                self.code_hashes[1],
            ),
            calls=calls,
            totals=totals,
            caps=caps,
        )


def place_of_epoch(
    out: str | None, season_folder: Path | None, journal: Path | None = None
) -> tuple[Place, PublishedEpoch]:
    """Return the places and the published epoch that `out` means, its files unaltered.

    Raises:
        InvalidInput: There is no such epoch.
        CheckFailed: A file of it is altered.
    """
    from rewards.files.published import PublishedEpoch

    located = locate(out, season_folder)
    published = PublishedEpoch(located.folder)
    published.require_unaltered()
    near = located.folder.absolute().parent
    place = Place.of(near, season_folder, journal)
    return replace(place, folders={published.manifest.epoch: located.folder}), published


def active_epoch(machine: Machine, published: PublishedEpoch) -> ActiveEpoch:
    """Return the epoch as the contract has it active, at an agreed final block.

    Raises:
        CheckFailed: It is not active, or with another root.
        Stopped: The endpoints contradict each other, or do not answer.
    """
    return machine.patiently(lambda: _active_epoch(machine, published))


def _active_epoch(machine: Machine, published: PublishedEpoch) -> ActiveEpoch:
    from rewards.chain.distributor import Distributor
    from rewards.chain.sending.push import distribution_of
    from rewards.merkle.keccak import keccak256

    manifest, quorum = published.manifest, machine.quorum
    quorum.require_chain()
    block = machine.finalized()
    token = str(manifest.document["token"])

    def code_of(name: str, address: str) -> str:
        code = quorum.agreed(f"code of the {name}", lambda node: node.code(address, block.number))
        if not code:
            problem = f"NoContract: there is no code at {address} in final block {block.number}"
            raise CheckFailed(Finding("the chain", problem, "check chain and address", column=name))
        return "0x" + keccak256(code).hex()

    hashes = (code_of("contract", manifest.distributor), code_of("token", token))
    active = quorum.agreed(
        "active epoch", lambda node: Distributor(node, manifest.distributor).active(block.number)
    )
    if (active.epoch, "0x" + active.root.hex()) != (manifest.epoch, manifest.root):
        raise CheckFailed(
            Finding(
                "the chain",
                f"NotActive: epoch {active.epoch} is active, with root 0x{active.root.hex()}",
                f"name the folder of epoch {active.epoch}"
                if active.epoch
                else "propose and activate the epoch first",
                column="epoch",
                value=str(manifest.epoch),
            )
        )
    ledger = [(row.account, row.cumulative) for row in published.allocations if row.cumulative]
    made = distribution_of(manifest.chain_id, manifest.distributor, manifest.epoch, ledger)
    if made is None or made.root != active.root:
        problem = "its allocations do not lead to its Merkle root"
        raise CheckFailed(Finding(str(published), problem, "run `rewards verify` on it"))
    return ActiveEpoch(published, made, active, block, hashes)
