"""The epoch that pays claims now, for the commands that claim."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rewards.cli.epochs import locate
from rewards.cli.places import Place
from rewards.errors import CheckFailed, Finding

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.chain.distributor import ActiveState
    from rewards.chain.endpoint import Block
    from rewards.chain.plan import Caps, Plan, PlannedCall
    from rewards.chain.sending.machine import Machine
    from rewards.files.published import PublishedEpoch
    from rewards.merkle.distribution import Distribution


@dataclass(frozen=True)
class ActiveEpoch:
    """The epoch that pays claims now, from its published folder, held against the chain.

    Attributes:
        published: The folder.
        distribution: Its leaves.
        active: What the contract says of it.
        block: The final block at which that was read.
        code_hashes: keccak-256 of the code of contract and token.
        symbol: The token's.
    """

    published: PublishedEpoch
    distribution: Distribution
    active: ActiveState
    block: Block
    code_hashes: tuple[str, str]
    symbol: str

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
        from rewards.chain.plan import EpochRange, Plan, PlannedContract, PlannedToken
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
                self.symbol,
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
    from rewards.chain.distributor import Distributor, Token
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
    symbol = quorum.agreed("symbol", lambda node: Token(node, token).symbol(block.number))
    return ActiveEpoch(published, made, active, block, hashes, symbol)
