"""The gate before a proposal: everything that must hold, each check with a name and a remedy.

All of it is read at one final block that the endpoints agree on. A check that fails does not stop
those that can still be made, so that one run tells everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from rewards.chain.attestation import Attestation, Statement, attested, is_signed
from rewards.chain.deployed_code import is_account
from rewards.chain.distributor import (
    AMOUNT_LIMIT,
    Distributor,
    Proposal,
    ProposalStatus,
    Role,
    Token,
    claims_of,
)
from rewards.chain.distributor import Claim as DistributorClaim
from rewards.chain.endpoint import FINALIZED
from rewards.chain.errors import Reverted
from rewards.chain.local_fork import NoSimulation
from rewards.chain.simulation import Simulation, Step
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.grammar import counted, format_epochs, format_time
from rewards.files.outputs import format_wct
from rewards.merkle.distribution import Distribution, Domain
from rewards.settling.funding import Funding, read_funding
from rewards.settling.history import FindPredecessor, History, base_findings, trace
from rewards.settling.onchain import (
    Contract,
    TokenFacts,
    read_contract,
    read_restrictions,
    read_token,
)
from rewards.settling.recomputing import Recomputed, expect_unblocked, recompute
from rewards.settling.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rewards.audit.checks.reviewer import Reviewer
    from rewards.chain.agreement import Sight
    from rewards.chain.endpoint import Call, Endpoint
    from rewards.files.published import PublishedEpoch

MAX_SKIP = 400
"""How far a proposal's epoch may be above the last one; fixed in the contract."""


@dataclass(frozen=True)
class Request:
    """What is to be proposed, and by whom.

    Attributes:
        last: The published epoch.
        find: How its predecessors are found.
        sender: Who will send the proposal: a proposer.
        funder: Who will bring the tokens that are still missing; None: they must be there.
        attestations: Those collected so far.
        others: Endpoints of other chains, on which payees are looked up.
        accepted: Payees with code on another chain alone that are all right nevertheless.
        reviewer: The limits of the checks and the waivers that hold; None: those that each epoch
            was published with.
    """

    last: PublishedEpoch
    find: FindPredecessor
    sender: str
    funder: str | None = None
    attestations: tuple[Attestation, ...] = ()
    others: tuple[Endpoint, ...] = ()
    accepted: frozenset[str] = frozenset()
    reviewer: Reviewer | None = None


@dataclass
class ProposalGate:
    """The gate, and what it learned on the way: the plan is made of that."""

    request: Request
    sight: Sight
    verdict: Verdict = field(default_factory=Verdict)

    # --- what is read, once ----------------------------------------------------------------

    @cached_property
    def contract(self) -> Contract:
        """The contract that the epoch is bound to."""
        return read_contract(self.sight, self.request.last.manifest.distributor)

    @cached_property
    def token(self) -> TokenFacts:
        """The token that the epoch names."""
        return read_token(self.sight, str(self.request.last.manifest.document["token"]))

    @cached_property
    def history(self) -> History:
        """The epochs from the last activated one on."""
        return trace(self.request.last, self.contract.active.epoch, self.request.find)

    @cached_property
    def recomputed(self) -> Recomputed:
        """What came of every epoch that is settled."""
        report = self.sight.reporter("epochs recomputed")
        return recompute(self.history, self.request.reviewer, report)

    @cached_property
    def distribution(self) -> Distribution:
        """The leaves, made anew from the allocations, and the tree over them."""
        manifest = self.request.last.manifest
        domain = Domain(manifest.chain_id, manifest.distributor, manifest.epoch)
        rows = self.request.last.allocations
        made = Distribution.of(domain, ((row.account, row.cumulative) for row in rows))
        if made is None or "0x" + made.root.hex() != manifest.root:
            raise CheckFailed(
                Finding(
                    str(self.request.last),
                    "has no leaf: there is nothing to propose"
                    if made is None and manifest.root is None
                    else "has allocations that do not fold up to its root",
                    "settle it with a later epoch"
                    if made is None
                    else "run `rewards verify` on the folder",
                )
            )
        return made

    @cached_property
    def claims(self) -> list[DistributorClaim]:
        """Every leaf but the sentinel, with its proof."""
        return claims_of(self.distribution)

    @cached_property
    def claimed(self) -> dict[str, int]:
        """What each account of the epoch was paid so far."""
        accounts = [claim.account for claim in self.claims]
        report = self.sight.reporter("claimed amounts")
        paid = self.sight.read(
            "claimed amounts",
            lambda endpoint, at: Distributor(endpoint, self.contract.address).claimed(
                accounts, at, report
            ),
        )
        return dict(zip(accounts, paid, strict=True))

    @cached_property
    def due(self) -> dict[str, int]:
        """What each account's claim will pay once the proposal is active."""
        return {c.account: max(c.cumulative - self.claimed[c.account], 0) for c in self.claims}

    @cached_property
    def funding(self) -> Funding:
        """What will be outstanding, and where it comes from."""
        total = self.request.last.manifest.cumulative_total
        outstanding = max(total - self.contract.active.claimed_total, 0)
        return read_funding(
            self.sight, self.contract, outstanding, self.request.funder, self.request.sender
        )

    @property
    def proposal(self) -> Proposal:
        """The proposal: on top of the active epoch, as the next attempt."""
        manifest = self.request.last.manifest
        return Proposal(
            self.contract.active.epoch,
            manifest.epoch,
            self.contract.pending.next_attempt,
            self.distribution.root,
            manifest.cumulative_total,
            bytes.fromhex(manifest.hash[2:]),
        )

    @property
    def rise(self) -> int:
        """By how much the total rises; 0 where it falls."""
        manifest = self.request.last.manifest
        return max(manifest.cumulative_total - self.contract.active.cumulative_total, 0)

    @property
    def statement(self) -> Statement:
        """What attesters sign."""
        return Statement(self.sight.chain_id, self.contract.address, self.proposal, self.rise)

    @cached_property
    def attestations(self) -> tuple[Attestation, ...]:
        """As many good attestations as are needed, in the contract's order."""
        good = attested(self.request.attestations, self._is_good)
        return good[: self.contract.settings.threshold]

    @property
    def call(self) -> Call:
        """The proposal's transaction."""
        proof = self.distribution.proof(self.distribution.domain.distributor)
        attestations = [(one.attester, one.signature) for one in self.attestations]
        distributor = Distributor(self.sight.first, self.contract.address)
        return distributor.propose(self.proposal, proof, attestations)

    # --- the checks -------------------------------------------------------------------------

    def run(self) -> Verdict:
        """Make every check that can be made and return the verdict."""
        block = self.sight.block
        self.verdict.facts.update(
            {
                "chain_id": str(self.sight.chain_id),
                "block": str(block.number),
                "block_hash": block.hash,
                "block_time": format_time(block.timestamp),
                "endpoints": ", ".join(endpoint.name for endpoint in self.sight.endpoints),
            }
        )
        self._guard("contract", self._check_contract)
        if self.verdict.has_failed("contract"):
            return self.verdict
        self._guard("token", self._check_token)
        self._guard("history", self._check_history)
        self._guard("findings", self._check_findings)
        self._guard("nothing_pending", self._check_nothing_pending)
        self._guard("epoch_ended", self._check_epoch_ended)
        self._guard("leaves", self._check_leaves)
        self._guard("sender", self._check_sender)
        if self.verdict.has_failed("history", "leaves", "token"):
            later = ("claimed", "funding", "transfers", "cap", "attestations", "payees")
            for name in (*later, "simulation"):
                self.verdict.failed(name, "not checked", "correct what failed before")
            return self.verdict
        self._guard("claimed", self._check_claimed)
        self._guard("funding", self._check_funding)
        self._guard("transfers", self._check_transfers)
        self._guard("cap", self._check_cap)
        self._guard("attestations", self._check_attestations)
        self._guard("payees", self._check_payees)
        self._guard("simulation", self._check_simulation)
        return self.verdict

    def _guard(self, name: str, check: Callable[[str], None]) -> None:
        """Make a check; what it refuses is its result, what an endpoint cannot tell is not."""
        try:
            check(name)
        except (CheckFailed, InvalidInput, NoSimulation, Reverted) as error:
            self.verdict.refused(name, error)

    def _check_contract(self, name: str) -> None:
        retired = self.contract.settings.retired
        self.verdict.expect(
            name,
            not retired,
            f"{self.contract.address} has the code of EpochDistributor"
            + (" and is retired" if retired else ""),
            "settle on its successor",
        )

    def _check_token(self, name: str) -> None:
        manifest = self.request.last.manifest.document
        token = self.token
        problems = []
        if self.contract.token != token.address:
            problems.append(f"the contract pays {self.contract.token}, the epoch {token.address}")
        if str(token.decimals) != manifest["decimals"]:
            problems.append(f"it has {token.decimals} decimals, the epoch {manifest['decimals']}")
        self.verdict.expect(
            name,
            not problems,
            "; ".join(problems) or f"{token.symbol}, {token.decimals} decimals, {token.address}",
            "correct settlement.toml and compute the epoch again: amounts would be wrong",
        )

    def _check_history(self, name: str) -> None:
        history = self.history
        findings = base_findings(history, self.contract.active, self.contract.initial_epoch)
        findings = findings or self.recomputed.findings
        first, last = history.epochs[0].manifest.epoch, history.last.manifest.epoch
        active = self.contract.active.epoch
        since = f"on top of epoch {active}, as activated" if active else "from the first one on"
        self.verdict.found(name, findings, f"{format_epochs(first, last)}, {since}, without a gap")

    def _check_nothing_pending(self, name: str) -> None:
        pending = self.contract.pending
        waiting = pending.status is ProposalStatus.PENDING
        status = pending.status.name.lower()
        detail = f"epoch {pending.epoch}, attempt {pending.attempt} is {status}"
        news = "" if waiting else self._news()
        self.verdict.expect(
            name,
            not waiting and not news,
            news or (detail if pending.epoch else "nothing was proposed on top of the active one"),
            "wait until it is final; have it activated, or vetoed if it is wrong",
        )

    def _news(self) -> str:
        """Return what happened to the contract since the final block; it would undo the plan."""
        for endpoint in self.sight.endpoints:
            distributor = Distributor(endpoint, self.contract.address)
            active, pending = distributor.active(), distributor.pending()
            if active.epoch != self.contract.active.epoch:
                return f"epoch {active.epoch} was activated in a block that is not final yet"
            if pending.status is ProposalStatus.PENDING:
                return f"epoch {pending.epoch} was proposed in a block that is not final yet"
            if pending.next_attempt != self.contract.pending.next_attempt:
                return "another attempt was made in a block that is not final yet"
        return ""

    def _check_epoch_ended(self, name: str) -> None:
        end, now = self.request.last.manifest.end, self.sight.block.timestamp
        epoch, active = self.request.last.manifest.epoch, self.contract.active.epoch
        highest = (active or self.contract.initial_epoch) + MAX_SKIP
        self.verdict.expect(
            name,
            end < now and epoch <= highest,
            f"epoch {epoch} ended {format_time(end)}; the final block is of {format_time(now)}"
            + ("" if epoch <= highest else f"; the contract takes epochs up to {highest}"),
            "wait until a block after the epoch's end is final, or settle in smaller steps",
        )

    def _check_leaves(self, name: str) -> None:
        manifest = self.request.last.manifest
        total = self.distribution.cumulative_total
        fits = total == manifest.cumulative_total < AMOUNT_LIMIT
        self.verdict.expect(
            name,
            fits,
            f"{counted(len(self.claims), 'leaf sums', 'leaves sum')} up to "
            f"{format_wct(total)} WCT, root {manifest.root}",
            "run `rewards verify` on the folder; the contract keeps amounts in 128 bits",
        )

    def _check_sender(self, name: str) -> None:
        sender = self.request.sender
        holds = self.sight.read(
            "role of the sender",
            lambda endpoint, at: Distributor(endpoint, self.contract.address).has_role(
                Role.PROPOSER, sender, at
            ),
        )
        self.verdict.expect(
            name,
            holds,
            f"{sender} is {'' if holds else 'no '}proposer",
            "send from a proposer; the admin appoints one with a scheduled setProposer",
        )

    def _check_findings(self, name: str) -> None:
        if self.verdict.has_failed("history"):
            self.verdict.failed(name, "not checked", "correct what failed before")
            return
        expect_unblocked(self.verdict, name, self.recomputed)

    def _check_claimed(self, name: str) -> None:
        findings = [
            Finding(
                "the chain",
                f"{claim.account} was paid more than its cumulative amount {claim.cumulative}",
                "stop settling: another history than this one was active",
                column="claimed",
                value=str(self.claimed[claim.account]),
            )
            for claim in self.claims
            if self.claimed[claim.account] > claim.cumulative
        ]
        known, total = sum(self.claimed.values()), self.contract.active.claimed_total
        if known != total:
            findings.append(
                Finding(
                    "the chain",
                    f"has paid {total} base units, and this epoch's accounts only {known}",
                    "stop settling: accounts were paid that this history does not know",
                    column="claimed total",
                )
            )
        owed = sum(self.due.values())
        outstanding = self.request.last.manifest.cumulative_total - total
        if owed != outstanding and not findings:
            problem = f"owes its accounts {owed} base units, and {outstanding} will be outstanding"
            findings.append(Finding("the epoch", problem, "run `rewards verify` on the folder"))
        good = (
            f"{format_wct(total)} WCT of {counted(len(self.claims), 'leaf', 'leaves')} are claimed"
        )
        self.verdict.found(name, findings, good)

    def _check_funding(self, name: str) -> None:
        funding = self.funding
        self.verdict.expect(
            name,
            funding.is_enough,
            funding.in_words(self.token.symbol, self.rise),
            f"send the contract {format_wct(funding.missing)} {self.token.symbol} "
            "(`rewards plan --action fund`), or name who will with --funder",
        )

    def _check_transfers(self, name: str) -> None:
        funder = self.request.funder or self.request.sender
        found = read_restrictions(self.sight, self.token.address, self.contract.address, funder)
        if found is None:
            self.verdict.passed(name, "the token restricts no transfers that this can see")
            return
        allowed = found.pays_allowed and (found.funding_allowed or not self.funding.missing)
        self.verdict.expect(
            name,
            allowed,
            "the token restricts transfers; the distributor "
            f"{'may' if found.pays_allowed else 'may not'} send and "
            f"{'may' if found.funding_allowed else 'may not'} be funded by {funder}",
            "have the token's manager set allowedFrom (and allowedTo) for the distributor",
        )

    def _check_cap(self, name: str) -> None:
        at_time = self.sight.block.timestamp + self.contract.settings.delay
        available = self.sight.read(
            "cap",
            lambda endpoint, at: Distributor(endpoint, self.contract.address).cap_available(
                at_time, at
            ),
        )
        self.verdict.expect(
            name,
            self.rise <= available,
            f"the total rises by {format_wct(self.rise)} WCT, {format_wct(available)} are allowed",
            "wait, settle in smaller steps, or have the admin schedule a larger cap",
        )

    def _is_good(self, one: Attestation) -> bool:
        return not self._attestation_problem(one)

    def _attestation_problem(self, one: Attestation) -> str | None:
        if one.statement != self.statement:
            return "is of another proposal, attempt or rise"

        def look(endpoint: Endpoint, at: int) -> str | None:
            distributor = Distributor(endpoint, self.contract.address)
            if not distributor.has_role(Role.ATTESTER, one.attester, at):
                return "is of no attester of the contract"
            if not is_signed(one, endpoint, at):
                return "has a signature that is not the attester's"
            return None

        return self.sight.read(f"attester {one.attester}", look)

    def _check_attestations(self, name: str) -> None:
        threshold = self.contract.settings.threshold
        findings = [
            Finding(f"attestation of {one.attester}", problem, "have it made anew")
            for one in self.request.attestations
            if (problem := self._attestation_problem(one))
        ]
        good = len({one.attester for one in self.request.attestations}) - len(findings)
        if good < threshold:
            findings.append(
                Finding(
                    "attestations",
                    f"{counted(good, 'good one')}, {counted(threshold, 'is', 'are')} needed",
                    "have attesters run `rewards attest` on the folder and give --attestations",
                )
            )
        count = self.contract.settings.attester_count
        self.verdict.found(
            name, findings, f"{counted(good, 'good one')}, {threshold} of {count} needed"
        )

    def _check_payees(self, name: str) -> None:
        accounts = [claim.account for claim in self.claims]
        if not self.request.others:
            self.verdict.passed(name, "not looked up on other chains: no --other-rpc is given")
            return
        findings, chains = [], []
        for other in self.request.others:
            chain = other.chain_id()
            chains.append(str(chain))
            findings += self._only_elsewhere(accounts, other, chain)
        payees = counted(len(accounts), "payee")
        good = f"none of {payees} has its code on chain {', '.join(chains)} alone"
        if self.request.accepted:
            good += f"; accepted: {', '.join(sorted(self.request.accepted))}"
        self.verdict.found(name, findings, good)

    def _only_elsewhere(
        self, accounts: Sequence[str], other: Endpoint, chain: int
    ) -> list[Finding]:
        """Return the payees that are contracts on another chain and nothing here."""
        number = other.block(FINALIZED).number
        codes = other.codes(accounts, number, self.sight.reporter(f"payees on chain {chain}"))
        contracts = [a for a, code in zip(accounts, codes, strict=True) if not is_account(code)]
        report = self.sight.reporter("payees here")
        here = self.sight.read(
            "payees' code", lambda endpoint, at: endpoint.codes(contracts, at, report)
        )
        return [
            Finding(
                f"chain {chain}",
                f"has a contract at payee {account}, and chain {self.sight.chain_id} has none "
                "there: perhaps nobody controls that address here",
                f"ask the payee for an address on this chain, or say --accept {account}",
                column="payee",
                value=account,
            )
            for account, code in zip(contracts, here, strict=True)
            if is_account(code) and account not in self.request.accepted
        ]

    def _check_simulation(self, name: str) -> None:
        if self.verdict.has_failed("nothing_pending", "sender", "cap", "attestations", "funding"):
            self.verdict.failed(name, "not run", "correct what failed before: it would refuse")
            return
        simulation = self._simulation()
        distributor = Distributor(self.sight.first, self.contract.address)
        report = self.sight.reporter("claims simulated")
        epoch = self.request.last.manifest.epoch
        ran = simulation.run(distributor, epoch, self.claims, self.due, report)
        findings = [
            Finding(
                f"simulated: {trouble.what}",
                trouble.problem,
                "do not propose before it is explained",
            )
            for trouble in ran.troubles
        ]
        self.verdict.found(
            name,
            findings,
            f"{counted(ran.claims, 'claim')} after proposal and activation, {ran.words} at "
            f"{format_time(simulation.timestamp)}: {format_wct(ran.paid)} {self.token.symbol} paid",
        )

    def _simulation(self) -> Simulation:
        """Return the proposal, the funding, the activation and then the claims, in their times."""
        settings, now = self.contract.settings, self.sight.block.timestamp
        falls = self.proposal.cumulative_total < self.contract.active.cumulative_total
        proposed = now + 1
        delay = settings.reduction_delay if falls else settings.delay
        activated = max(proposed + delay, settings.activation_paused_until)
        distributor = Distributor(self.sight.first, self.contract.address)
        sender, funding = self.request.sender, self.funding
        steps = [Step("propose", proposed, sender, self.call)]
        if funding.missing:
            token = Token(self.sight.first, self.token.address)
            by, call = funding.transfer(token, sender)
            steps.append(Step("fund", proposed, by, call))
        activation = distributor.activate(self.proposal.epoch, self.proposal.attempt)
        steps.append(Step("activate", activated, sender, activation))
        claimed = max(activated + 1, settings.claims_paused_until)
        return Simulation(self.sight.endpoints, self.sight.block.number, steps, claimed, sender)
