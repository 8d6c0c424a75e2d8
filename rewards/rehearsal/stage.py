"""The stage of a rehearsal: a fresh token and distributor, and one settlement after the other."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rewards.chain.distributor import (
    Claim,
    Config,
    Distributor,
    Proposal,
    Token,
    batches,
    claims_of,
)
from rewards.chain.errors import EndpointTrouble, Reverted
from rewards.errors import CheckFailed, Finding
from rewards.files.grammar import counted
from rewards.rehearsal.progress import Silent
from rewards.rules.records import Address, Settlement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rewards.chain.endpoint import Call, Endpoint, Receipt
    from rewards.chain.sender import Sender
    from rewards.rehearsal.progress import Progress
    from rewards.rehearsal.settling import Settling

DECIMALS = 18
CLOCK_PATIENCE_SECONDS = 300
"""How long a chain's clock may lag behind ours before activation is given up."""
CLOCK_NAP_SECONDS = 1.0
REPORT = "do not settle this epoch before it is explained; report it as a defect"


@dataclass(frozen=True, slots=True)
class Action:
    """One transaction that was sent, and its gas."""

    name: str
    transaction: str
    gas: int


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was found on chain after the last claim; amounts are base units.

    Attributes:
        accounts: How many accounts were looked at, each for its balance and for what it claimed.
        received: By how much their balances have risen in all.
        claimed_total: What the contract has paid, ever.
        outstanding: What it still owes.
        distributor_balance: What it holds, for the settlements still to come.
        paid_by_second_claims: What claiming every leaf again would pay.
        sentinel_claim: How the contract answers a claim of the sentinel.
        altered_claim: How it answers a claim of one base unit too many.
    """

    accounts: int
    received: int
    claimed_total: int
    outstanding: int
    distributor_balance: int
    paid_by_second_claims: int
    sentinel_claim: str
    altered_claim: str


@dataclass(frozen=True)
class Settled:
    """A settlement that went through and reconciled to zero."""

    settling: Settling
    actions: tuple[Action, ...]
    reconciliation: Reconciliation

    @property
    def paid_accounts(self) -> int:
        """How many accounts got something; the other leaves paid 0."""
        return sum(amount > 0 for amount in self.settling.amounts.values())

    @property
    def leaves(self) -> int:
        """How many leaves were claimed; the sentinel is none of them."""
        return len(self.settling.distribution.leaves) - 1


@dataclass
class Stage:
    """A fresh token and distributor on a chain, both owned by the sender.

    Attributes:
        sender: Who deploys, funds, proposes, activates and claims, all in one.
        delay: Seconds between a proposal and its activation.
    """

    sender: Sender
    delay: int
    progress: Progress = field(default_factory=Silent)
    actions: list[Action] = field(default_factory=list)
    """What was sent before the first settlement: deployment and funding."""

    _token: Token = field(init=False)
    _distributor: Distributor = field(init=False)
    _remaining: int = field(init=False, default=0)
    _held: dict[str, int] = field(init=False, default_factory=dict)
    """What each account was last seen to hold. The token is fresh: at first nobody holds any."""

    @property
    def endpoint(self) -> Endpoint:
        """The chain."""
        return self.sender.endpoint

    def deploy(self, initial_epoch: int, funding: int) -> Settlement:
        """Deploy both contracts and return them as a settlement target.

        Args:
            initial_epoch: The last epoch before those to be settled.
            funding: All that will be paid, in base units: also what the cap on its rise allows.
        """
        self.progress.stage("deploy token and distributor", 2)
        token = self._created("deploy token", Token.deployment())
        me = self.sender.address
        config = Config(
            token=token,
            treasury=me,
            admin=me,
            initial_epoch=initial_epoch,
            minimum_delay=self.delay,
            change_delay=self.delay,
            delay=self.delay,
            reduction_delay=self.delay,
            threshold=0,
            cap_burst=funding,
            cap_per_day=0,
            proposers=(me,),
            attesters=(),
            guardians=(),
        )
        distributor = self._created("deploy distributor", Distributor.deployment(config))
        self._token = Token(self.endpoint, token)
        self._distributor = Distributor(self.endpoint, distributor)
        return Settlement(self.sender.chain_id, Address(distributor), Address(token), DECIMALS)

    def fund(self, amount: int) -> None:
        """Give the distributor, once, all that will be claimed."""
        self.progress.stage("fund")
        self.actions.append(
            self._send("fund", self._token.mint(self._distributor.address, amount), "funding")
        )
        self._remaining = amount

    def settle(self, settling: Settling) -> Settled:
        """Propose, wait out the delay, activate, claim every leaf, reconcile.

        Raises:
            CheckFailed: The contract refuses a step, or anything does not reconcile to zero.
            ChainError: The chain or its endpoint fails.
        """
        claims = claims_of(settling.distribution)
        actions = [self._propose(settling), self._activate(settling)]
        actions += self._claim(settling, claims)
        self._remaining -= settling.total
        return Settled(settling, tuple(actions), self._reconcile(settling, claims))

    # --- the steps -----------------------------------------------------------------------------

    def _propose(self, settling: Settling) -> Action:
        self.progress.stage(f"{settling}: propose")
        distribution = settling.distribution
        proposal = Proposal(
            self._distributor.active().epoch,
            settling.epoch,
            self._distributor.pending().next_attempt,
            distribution.root,
            distribution.cumulative_total,
            settling.manifest_hash,
        )
        sentinel_proof = distribution.proof(distribution.domain.distributor)
        call = self._distributor.propose(proposal, sentinel_proof)
        return self._send("propose", call, str(settling))

    def _activate(self, settling: Settling) -> Action:
        self.progress.stage(f"{settling}: wait {self.delay} s, activate")
        pending = self._distributor.pending()
        self.endpoint.wait_until(pending.activatable_at)
        call = self._distributor.activate(settling.epoch, pending.attempt)
        # A node judges by its last block, and where nothing happens that one is old.
        deadline = time.monotonic() + CLOCK_PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                return _action("activate", self.sender.send(call))
            except Reverted as error:
                if error.error != "TooEarly":
                    raise _refused("activate", str(settling), error) from error
                time.sleep(CLOCK_NAP_SECONDS)
        raise EndpointTrouble(
            f"{self.endpoint.name}: its clock stays behind {pending.activatable_at}, "
            "the time from which the epoch can be activated; is the chain making blocks?"
        )

    def _claim(self, settling: Settling, claims: Sequence[Claim]) -> Iterator[Action]:
        self.progress.stage(
            f"{settling}: claim {counted(len(claims), 'leaf', 'leaves')}", len(claims)
        )
        for batch in batches(claims):
            call = self._distributor.claim_many(settling.epoch, batch)
            place = f"{settling}, claims of {batch[0].account} to {batch[-1].account}"
            yield self._send("claim", call, place)
            self.progress.step(len(batch))

    # --- the reconciliation --------------------------------------------------------------------

    def _reconcile(self, settling: Settling, claims: Sequence[Claim]) -> Reconciliation:
        """Return what is on chain now that all is claimed.

        Raises:
            CheckFailed: With everything that is not exactly as it must be.
        """
        self.progress.stage(
            f"{settling}: reconcile {counted(len(claims), 'account')}", 2 * len(claims)
        )
        accounts = sorted({claim.account for claim in claims} | set(settling.amounts))
        received = self._received(accounts)
        claimed = self._distributor.claimed(accounts, progress=self.progress.step)
        active = self._distributor.active()
        found = Reconciliation(
            accounts=len(accounts),
            received=sum(received),
            claimed_total=active.claimed_total,
            outstanding=active.outstanding,
            distributor_balance=self._token.balance(self._distributor.address),
            paid_by_second_claims=self._paid_again(settling, claims),
            sentinel_claim=self._answer_to(settling, _sentinel_claim(settling)),
            altered_claim=self._answer_to(
                settling, replace(claims[0], cumulative=claims[0].cumulative + 1)
            ),
        )
        total = settling.distribution.cumulative_total
        findings = [
            *_account_findings(settling, claims, accounts, received, claimed),
            *(
                _wrong(settling, "is wrong after all claims", name, there, expected)
                for name, there, expected in (
                    ("active epoch", active.epoch, settling.epoch),
                    ("root", active.root.hex(), settling.distribution.root.hex()),
                    ("manifest hash", active.manifest_hash.hex(), settling.manifest_hash.hex()),
                    ("cumulative total", active.cumulative_total, total),
                    ("received", found.received, settling.total),
                    ("claimed total", found.claimed_total, total),
                    ("outstanding", found.outstanding, 0),
                    ("distributor's balance", found.distributor_balance, self._remaining),
                    ("paid by second claims", found.paid_by_second_claims, 0),
                    ("answer to a claim of the sentinel", found.sentinel_claim, "NotPayable"),
                    ("answer to a raised amount", found.altered_claim, "InvalidProof"),
                )
                if there != expected
            ),
        ]
        if findings:
            raise CheckFailed(findings)
        return found

    def _received(self, accounts: Sequence[str]) -> list[int]:
        """Return by how much each account's balance has risen since it was last looked at."""
        balances = self._token.balances(accounts, progress=self.progress.step)
        risen = [b - self._held.get(a, 0) for a, b in zip(accounts, balances, strict=True)]
        self._held.update(zip(accounts, balances, strict=True))
        return risen

    def _paid_again(self, settling: Settling, claims: Sequence[Claim]) -> int:
        calls = [self._distributor.claim_many(settling.epoch, batch) for batch in batches(claims)]
        return sum(self._distributor.paid_by(call, self.sender.address) for call in calls)

    def _answer_to(self, settling: Settling, claim: Claim) -> str:
        """Return the error by which the contract refuses a claim, without sending it."""
        call = self._distributor.claim(settling.epoch, claim)
        try:
            self.endpoint.call(call, sender=self.sender.address)
        except Reverted as error:
            return error.error
        return "no refusal"

    # --- sending -------------------------------------------------------------------------------

    def _created(self, name: str, call: Call) -> str:
        receipt = self._sent(name, call, "deployment")
        self.actions.append(_action(name, receipt))
        self.progress.step()
        if receipt.contract is None:
            raise EndpointTrouble(f"{self.endpoint.name}: a deployment's receipt names no contract")
        return receipt.contract

    def _send(self, name: str, call: Call, place: str) -> Action:
        return _action(name, self._sent(name, call, place))

    def _sent(self, name: str, call: Call, place: str) -> Receipt:
        try:
            return self.sender.send(call)
        except Reverted as error:
            raise _refused(name, place, error) from error


def _action(name: str, receipt: Receipt) -> Action:
    return Action(name, receipt.transaction, receipt.gas)


def _refused(name: str, place: str, error: Reverted) -> CheckFailed:
    return CheckFailed(Finding(place, f"{name}: {error.refusal}", error.next_step))


def _sentinel_claim(settling: Settling) -> Claim:
    distribution = settling.distribution
    sentinel = distribution.domain.distributor
    return Claim(sentinel, distribution.cumulative_total, tuple(distribution.proof(sentinel)))


def _account_findings(
    settling: Settling,
    claims: Sequence[Claim],
    accounts: Sequence[str],
    received: Sequence[int],
    claimed: Sequence[int],
) -> Iterator[Finding]:
    cumulative = {claim.account: claim.cumulative for claim in claims}
    for account, got, paid in zip(accounts, received, claimed, strict=True):
        due, leaf = settling.amounts.get(account, 0), cumulative.get(account, 0)
        if got != due:
            yield _wrong(settling, f"{account} got another amount", "received", got, due)
        if paid != leaf:
            yield _wrong(settling, f"{account} has claimed another amount", "claimed", paid, leaf)


def _wrong(
    settling: Settling, problem: str, name: str, there: str | int, expected: str | int
) -> Finding:
    return Finding(
        str(settling), f"{problem}: {expected} is due", REPORT, column=name, value=str(there)
    )
