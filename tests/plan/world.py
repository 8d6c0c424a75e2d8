"""A season and a contract for it: who may do what, and epochs published as an operator would."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from eth_account import Account

from rewards.audit.checks.reviewer import reviewer_for
from rewards.chain.accounts import developer_account
from rewards.chain.distributor import Claim, Config, Distributor, Token, batches, claims_of
from rewards.chain.embedded import DEVELOPER_KEYS
from rewards.chain.sender import Sender
from rewards.files.epoch import compute_folder, publish_epoch
from rewards.files.inputs import canonical_inputs
from rewards.files.publish import publish, write_file
from rewards.files.published import PublishedEpoch
from rewards.files.season import Season
from rewards.merkle.distribution import Distribution, Domain
from rewards.merkle.keccak import keccak256
from rewards.rules.records import Address, Settlement, Window
from tests.builders import DAY, START, adjustment, header, inputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eth_account.signers.local import LocalAccount

    from rewards.chain.attestation import Attestation
    from rewards.chain.endpoint import Call, Endpoint, Receipt
    from rewards.rules.records import Inputs

DELAY = 60
BURST = 10**24


def key(number: int) -> LocalAccount:
    """An account that holds nothing: it only signs."""
    account: LocalAccount = Account.from_key(keccak256(f"attester {number}".encode()))
    return account


ATTESTERS = tuple(sorted((key(i) for i in range(3)), key=lambda one: one.address.lower()))


@dataclass
class World:
    """A contract on a chain, its people, and a season whose epochs are bound to it.

    One account proposes, guards and administers, so that a test needs one key with funds.
    """

    endpoint: Endpoint
    folder: Path
    sender: Sender
    target: Settlement = field(init=False)
    season: Season = field(init=False)
    threshold: int = 0

    @classmethod
    def create(
        cls,
        endpoint: Endpoint,
        folder: Path,
        *,
        key: bytes = DEVELOPER_KEYS[0],
        threshold: int = 0,
        token: str | None = None,
        initial_epoch: int = 0,
        **changes: object,
    ) -> World:
        sender = Sender(endpoint, developer_account(key), endpoint.chain_id())
        world = cls(endpoint, folder, sender, threshold=threshold)
        token = token or world.created(Token.deployment())
        config = replace(world.config(token, initial_epoch), **changes)  # type: ignore[arg-type]
        distributor = world.created(Distributor.deployment(config))
        chain_id = endpoint.chain_id()
        world.target = Settlement(chain_id, Address(distributor), Address(token), 18)
        write_file(folder / "rewards.toml", b'format = "wct-season-1"\nname = "a season"\n')
        world.season = Season.open(folder)
        return world

    def config(self, token: str, initial_epoch: int = 0) -> Config:
        me = self.sender.address
        return Config(
            token=token,
            treasury=me,
            admin=me,
            initial_epoch=initial_epoch,
            minimum_delay=1,
            change_delay=2,
            delay=DELAY,
            reduction_delay=2 * DELAY,
            threshold=self.threshold,
            cap_burst=BURST,
            cap_per_day=0,
            proposers=(me,),
            attesters=tuple(one.address.lower() for one in ATTESTERS),
            guardians=tuple(sorted((me, "0x" + "99" * 20))),
        )

    @property
    def me(self) -> str:
        return self.sender.address

    @property
    def token(self) -> Token:
        return Token(self.endpoint, self.target.token)

    @property
    def distributor(self) -> Distributor:
        return Distributor(self.endpoint, self.target.distributor)

    def created(self, call: Call) -> str:
        receipt = self.sender.send(call)
        assert receipt.contract
        return receipt.contract

    def send(self, call: Call) -> Receipt:
        return self.sender.send(call)

    def fund(self, amount: int) -> None:
        self.send(self.token.mint(self.target.distributor, amount))

    # --- the season ------------------------------------------------------------------------

    def inputs_of(self, epoch: int, amounts: Mapping[Address, int], **changes: object) -> Inputs:
        start = START + (epoch - 1) * DAY
        head = header(epoch=epoch, genesis=epoch == 1, window=Window(start, start + DAY))
        rows = tuple(adjustment(account, amount) for account, amount in amounts.items())
        made = inputs(head=head, target=self.target, adjustments=rows)
        return replace(made, **changes)  # type: ignore[arg-type]

    def write(self, epoch: int, amounts: Mapping[Address, int]) -> None:
        publish(self.season.inputs(epoch), canonical_inputs(self.inputs_of(epoch, amounts)))

    def publish(self, epoch: int, amounts: Mapping[Address, int]) -> PublishedEpoch:
        """Write the inputs of an epoch, compute it and publish it."""
        self.write(epoch, amounts)
        return self.compute(epoch)

    def compute(self, epoch: int) -> PublishedEpoch:
        """Compute an epoch as `rewards compute --season` does."""
        previous = self.season.previous(epoch)
        reviewer = reviewer_for(previous, season=self.folder)
        made = compute_folder(self.season.inputs(epoch), previous, reviewer)
        publish_epoch(made, self.season.epoch(epoch))
        return self.published(epoch)

    def published(self, epoch: int) -> PublishedEpoch:
        return PublishedEpoch(self.season.epoch(epoch))

    def distribution(self, epoch: int) -> Distribution:
        published = self.published(epoch)
        domain = Domain(self.target.chain_id, self.target.distributor, epoch)
        rows = ((row.account, row.cumulative) for row in published.allocations)
        made = Distribution.of(domain, rows)
        assert made
        return made

    # --- the contract ------------------------------------------------------------------------

    def propose(self, epoch: int, attestations: tuple[Attestation, ...] = ()) -> None:
        from rewards.chain.distributor import Proposal

        distribution = self.distribution(epoch)
        manifest = self.published(epoch).manifest
        proposal = Proposal(
            self.distributor.active().epoch,
            epoch,
            self.distributor.pending().next_attempt,
            distribution.root,
            manifest.cumulative_total,
            bytes.fromhex(manifest.hash[2:]),
        )
        proof = distribution.proof(self.target.distributor)
        signed = [(one.attester, one.signature) for one in attestations]
        self.send(self.distributor.propose(proposal, proof, signed))

    def activate(self, epoch: int) -> None:
        pending = self.distributor.pending()
        self.endpoint.wait_until(pending.activatable_at)
        self.send(self.distributor.activate(epoch, pending.attempt))

    def settle(self, epoch: int, attestations: tuple[Attestation, ...] = ()) -> None:
        """Fund, propose, wait, activate."""
        total = self.published(epoch).manifest.cumulative_total
        active = self.distributor.active()
        held = self.token.balance(self.target.distributor)
        missing = total - active.claimed_total - held
        if missing > 0:
            self.fund(missing)
        self.propose(epoch, attestations)
        self.activate(epoch)

    def claims(self, epoch: int) -> list[Claim]:
        return claims_of(self.distribution(epoch))

    def claim(self, epoch: int, *accounts: str) -> None:
        """Claim for accounts; for everybody without any."""
        chosen = [c for c in self.claims(epoch) if not accounts or c.account in accounts]
        for batch in batches(chosen):
            self.send(self.distributor.claim_many(epoch, batch))
