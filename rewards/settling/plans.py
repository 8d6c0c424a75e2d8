"""From what is wanted to a plan: one function per action, each with the checks that belong to it.

`propose` passes the whole gate. `activate`, `fund`, `claim_many` and `sweep` have a few checks of
their own. What has to be fast (`veto`, `pause`) or only prepares (`schedule`, `cancel`) has none:
the contract's own rules are the barrier.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rewards.chain.contract import DISTRIBUTOR, TOKEN, interface
from rewards.chain.deployed_code import code_hash
from rewards.chain.deployment import created_address
from rewards.chain.distributor import (
    AMOUNT_LIMIT,
    CLAIMS_PER_CALL,
    Distributor,
    ProposalStatus,
    Token,
)
from rewards.chain.errors import Reverted
from rewards.chain.op_stack import fee_beside_execution
from rewards.chain.plan import (
    CHANGES,
    EPOCH_DISTRIBUTOR,
    Caps,
    EpochRange,
    Plan,
    PlannedCall,
    PlannedContract,
    PlannedToken,
)
from rewards.chain.sending.movements import RECEIVED, Received
from rewards.chain.simulation import Simulation
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.grammar import (
    GrammarError,
    counted,
    format_epochs,
    format_time,
    parse_address,
    parse_boolean,
)
from rewards.files.grammar import parse_integer as parse_number
from rewards.files.outputs import MANIFEST, format_wct
from rewards.merkle.keccak import keccak256
from rewards.settling.gate import ProposalGate, Request
from rewards.settling.onchain import Contract, TokenFacts, read_contract, read_token
from rewards.settling.recomputing import expect_unblocked, recompute
from rewards.settling.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rewards.audit.checks.reviewer import Reviewer
    from rewards.chain.agreement import Sight
    from rewards.chain.endpoint import Endpoint
    from rewards.files.published import PublishedEpoch
    from rewards.settling.history import History
    from rewards.targets.target import Checks, Target, Terms

GAS = {
    "activate": 250_000,
    "cancel": 200_000,
    "configure": 200_000,
    "deploy": 5_500_000,
    "fund": 200_000,
    "pause": 150_000,
    "propose": 400_000,
    "retire": 150_000,
    "schedule": 250_000,
    "sweep": 250_000,
    "unpause": 100_000,
    "veto": 150_000,
}
"""Gas that one transaction of each action may use: about twice what was measured."""
OTHER_GAS = {"deploy": 5_500_000}
"""The same for other targets' contracts; 1,000,000 for what is not named."""
GAS_PER_CLAIM = 130_000
GAS_PER_ATTESTATION = 60_000
"""A Safe with five owners checks five signatures for one attestation."""

URGENT = ("cancel", "pause", "unpause", "veto")
"""Actions that look at the latest block: what they are about may not be final yet."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps given by the user; None: a default. Gas, wei per gas, wei."""

    gas: int | None = None
    max_fee: int | None = None
    priority_fee: int | None = None
    total_fee: int | None = None

    def caps(self, endpoint: Endpoint, gas: int, calls: Sequence[PlannedCall] = ()) -> Caps:
        """Return what each transaction may cost.

        By default that is all the gas at the highest price, and on the OP stack four times what it
        would charge now beside execution: that follows L1, where fees move faster.

        Raises:
            InvalidInput: The priority fee is above the whole fee.
        """
        fees = endpoint.fees()
        limit = self.gas or gas
        highest = fees.highest if self.max_fee is None else self.max_fee
        priority = min(fees.tip, highest) if self.priority_fee is None else self.priority_fee
        if priority > highest:
            remedy = "lower it, or raise --max-fee"
            raise InvalidInput(Finding("--max-priority-fee", "is above the whole fee", remedy))
        if self.total_fee is not None:
            return Caps(limit, highest, priority, self.total_fee)
        beside = [fee_beside_execution(endpoint, call.data, limit) for call in calls]
        return Caps(limit, highest, priority, limit * highest + 4 * max(beside, default=0))


@dataclass(frozen=True)
class Made:
    """A plan, and the verdict on it where one was asked for."""

    plan: Plan
    verdict: Verdict | None


@dataclass(frozen=True)
class Planner:
    """Makes plans for one distributor, as the endpoints see it at one block.

    Attributes:
        sight: The block.
        address: The distributor.
        limits: What the transactions may cost.
        verdict: Collects the checks of the action planned.
    """

    sight: Sight
    address: str
    limits: Limits
    verdict: Verdict = field(default_factory=Verdict)

    # --- settlement --------------------------------------------------------------------------

    def propose(self, request: Request) -> Made:
        """Return the plan of a proposal that passed the gate.

        Raises:
            CheckFailed: It did not; the verdict is in `self.verdict`.
        """
        gate = ProposalGate(request, self.sight, self.verdict)
        gate.run().require_ok()
        proof = gate.distribution.proof(gate.distribution.domain.distributor)
        proposal = gate.proposal
        fields = (
            proposal.previous_epoch,
            proposal.epoch,
            proposal.attempt,
            proposal.root,
            proposal.cumulative_total,
            proposal.manifest_hash,
        )
        signed = [(one.attester, one.signature) for one in gate.attestations]
        call = self._call("propose", fields, proof, signed)
        if call.data != gate.call.data:
            raise CheckFailed(
                Finding("plan", "two encodings of the proposal differ", "report this as a defect")
            )
        totals = {
            "cumulative_total": proposal.cumulative_total,
            "rise": gate.rise,
            "epoch_amount": sum(e.manifest.epoch_amount for e in gate.history.epochs),
            "claimed_total": gate.contract.active.claimed_total,
            "outstanding": gate.funding.outstanding,
            "missing_funds": gate.funding.missing,
            "attempt": proposal.attempt,
        }
        gas = GAS["propose"] + GAS_PER_ATTESTATION * len(signed)
        base = gate.history.base
        plan = self._plan("propose", [call], gas, totals, gate.history.epochs)
        before = base.manifest.hash if base else None
        return Made(replace(plan, previous_manifest_hash=before), self.verdict)

    def activate(self, published: PublishedEpoch | None) -> Made:
        """Return the plan that activates what is pending, which must be `published` if given."""
        contract, pending = self.contract, self.contract.pending
        waiting = pending.status is ProposalStatus.PENDING
        self.verdict.expect(
            "pending",
            waiting,
            f"epoch {pending.epoch}, attempt {pending.attempt}: {pending.status.name.lower()}",
            "propose first; what lapsed or was vetoed needs another attempt",
        )
        if published:
            self._expect_pending(published)
        self.verdict.expect(
            "funding",
            contract.balance >= pending.required,
            f"the contract holds {format_wct(contract.balance)}, activation needs "
            f"{format_wct(pending.required)} WCT",
            f"send it {format_wct(max(pending.required - contract.balance, 0))} WCT first",
        )
        opens = max(pending.activatable_at, contract.settings.activation_paused_until)
        self.verdict.passed("time", f"possible from {format_time(opens)} on")
        self.verdict.require_ok()
        call = self._call("activate", pending.epoch, pending.attempt)
        totals = {
            "cumulative_total": pending.cumulative_total,
            "outstanding": pending.required,
            "attempt": pending.attempt,
        }
        epochs = [published] if published else []
        plan = self._plan("activate", [call], GAS["activate"], totals, epochs)
        return Made(self._about_pending(plan), self.verdict)

    def fund(self, amount: int | None, owed: int | None, funder: str | None, sender: str) -> Made:
        """Return the plan that sends tokens to the contract.

        Args:
            amount: Base units; None: what is missing for `owed`.
            owed: The cumulative total that is to be covered; None: that of the pending or active
                distribution.
            funder: Whose tokens; None: the sender's own.
            sender: Who sends.
        """
        contract = self.contract
        total = contract.active.cumulative_total
        if contract.pending.status is ProposalStatus.PENDING:
            total = max(total, contract.pending.cumulative_total)
        outstanding = max((owed or total) - contract.active.claimed_total, 0)
        missing = max(outstanding - contract.balance, 0)
        sent = missing if amount is None else amount
        owner = funder or sender
        balance, allowed = self.sight.read(
            "funder's balance", lambda endpoint, at: self._spendable(endpoint, at, owner, sender)
        )
        symbol = self.token.symbol
        self.verdict.expect(
            "amount",
            0 < sent < AMOUNT_LIMIT,
            f"{format_wct(sent)} {symbol} are sent; {format_wct(missing)} {symbol} are missing",
            "nothing is to be sent; say --amount for more",
        )
        self.verdict.expect(
            "funder",
            sent <= min(balance, allowed),
            f"{owner} holds {format_wct(balance)} {symbol}, of which "
            f"{format_wct(min(balance, allowed))} may be sent",
            "get the tokens, or have the owner approve the sender",
        )
        self.verdict.require_ok()
        entry = interface(TOKEN).entry("transfer" if owner == sender else "transferFrom")
        values = (self.address, sent) if owner == sender else (owner, self.address, sent)
        call = PlannedCall.of(contract.token, entry, values)
        totals = {"amount": sent, RECEIVED: contract.balance + contract.active.claimed_total}
        plan = self._plan("fund", [call], GAS["fund"], totals)
        return Made(replace(plan, sender=sender), self.verdict)

    def claim_many(self, gate: ProposalGate) -> Made:
        """Return the plan that claims for everybody who is owed something, simulated before."""
        contract, manifest = self.contract, gate.request.last.manifest
        active = contract.active
        self.verdict.expect(
            "active",
            (active.epoch, "0x" + active.manifest_hash.hex()) == (manifest.epoch, manifest.hash),
            f"epoch {active.epoch} is active with manifest hash 0x{active.manifest_hash.hex()}",
            "claim with the folder of the active epoch",
        )
        self.verdict.require_ok()
        owed = [claim for claim in gate.claims if gate.due[claim.account]]
        self.verdict.expect(
            "owed",
            bool(owed),
            f"{counted(len(owed), 'account is', 'accounts are')} owed "
            f"{format_wct(sum(gate.due.values()))} WCT",
            "everybody has claimed",
        )
        self.verdict.require_ok()
        now = self.sight.block.timestamp + 1
        opens = max(now, contract.settings.claims_paused_until)
        number, sender = self.sight.block.number, gate.request.sender
        simulation = Simulation(self.sight.endpoints, number, (), opens, sender)
        distributor = Distributor(self.sight.first, self.address)
        report = self.sight.reporter("claims simulated")
        ran = simulation.run(distributor, manifest.epoch, owed, gate.due, report)
        findings = [
            Finding(f"simulated: {t.what}", t.problem, "leave it out; ask the payee")
            for t in ran.troubles
        ]
        pay = counted(ran.claims, "claim pays", "claims pay")
        good = f"{pay} {format_wct(ran.paid)} WCT, {ran.words}"
        self.verdict.found("simulation", findings, good)
        self.verdict.require_ok()
        calls = []
        for start in range(0, len(owed), CLAIMS_PER_CALL):
            batch = owed[start : start + CLAIMS_PER_CALL]
            fields = [(claim.account, claim.cumulative, claim.proof) for claim in batch]
            calls.append(self._call("claimMany", manifest.epoch, fields))
        gas = 100_000 + GAS_PER_CLAIM * min(len(owed), CLAIMS_PER_CALL)
        totals = {"claimed": ran.paid, "cumulative_total": active.cumulative_total}
        plan = self._plan("claim_many", calls, gas, totals, [gate.request.last])
        return Made(plan, self.verdict)

    # --- brakes ------------------------------------------------------------------------------

    def veto(self, reason: str, epoch: int | None, attempt: int | None) -> Made:
        """Return the plan that vetoes what is pending, or what is named.

        Raises:
            CheckFailed: Nothing is pending, and nothing was named.
        """
        pending = self.contract.pending
        if epoch is None or attempt is None:
            if pending.status is not ProposalStatus.PENDING:
                raise CheckFailed(
                    Finding(
                        "the chain",
                        "has nothing pending to veto",
                        "name --epoch and --attempt to plan it nevertheless",
                    )
                )
            epoch, attempt = pending.epoch, pending.attempt
        call = self._call("veto", epoch, attempt, reason)
        plan = self._plan("veto", [call], GAS["veto"], {"attempt": attempt})
        if (epoch, attempt) == (pending.epoch, pending.attempt):
            return Made(self._about_pending(plan), None)
        return Made(replace(plan, epochs=EpochRange(epoch, epoch)), None)

    def pause(self, action: str, *, claims: bool, activation: bool) -> Made:
        """Return the plan that pauses or unpauses claims, activation or both."""
        call = self._call(action, claims, activation)
        return Made(self._plan(action, [call], GAS[action], {}), None)

    # --- the admin ---------------------------------------------------------------------------

    def sweep(self, asset: str, sender: str) -> Made:
        """Return the plan that sends what is not owed to the treasury."""
        amount = self.sight.read(
            "surplus",
            lambda endpoint, at: Distributor(endpoint, self.address).sweepable(asset, at),
        )
        treasury = self.sight.read(
            "treasury", lambda endpoint, at: Distributor(endpoint, self.address).treasury(at)
        )
        self.verdict.expect(
            "surplus",
            amount > 0,
            f"{amount} base units of {asset} go to the treasury {treasury}",
            "nothing is there beyond what is owed",
        )
        self._expect_admin(sender)
        self.verdict.require_ok()
        call = self._call("sweep", asset)
        figure = Received(self.address, asset, pays=asset == self.contract.token)
        received = self.sight.read("figure", figure.read)
        plan = self._plan("sweep", [call], GAS["sweep"], {"amount": amount, RECEIVED: received})
        return Made(replace(plan, sender=sender), self.verdict)

    def change(self, action: str, name: str, values: Sequence[str]) -> Made:
        """Return the plan that schedules, cancels or makes one of CHANGES.

        Raises:
            InvalidInput: There is no such change, or its values are not what it takes.
        """
        change = self._changing(name, values)
        if action == "schedule":
            call = self._call("schedule", change.data)
        elif action == "cancel":
            call = self._call("cancel", [keccak256(change.data)])
        else:
            call = change
        return Made(self._plan(action, [call], GAS[action], {}), None)

    def _changing(self, name: str, values: Sequence[str]) -> PlannedCall:
        if name not in CHANGES:
            remedy = "it is one of " + ", ".join(CHANGES)
            raise InvalidInput(Finding("--change", "is no change", remedy, value=name))
        entry = interface(DISTRIBUTOR).entry(name)
        if len(values) != len(entry["inputs"]):
            takes = ", ".join(f"{p['type']} {p['name']}" for p in entry["inputs"]) or "nothing"
            remedy = f"give --with once for each: {takes}"
            raise InvalidInput(Finding("--with", f"is not what {name} takes", remedy))
        try:
            typed = [
                _typed(parameter["type"], value)
                for parameter, value in zip(entry["inputs"], values, strict=True)
            ]
        except GrammarError as error:
            raise InvalidInput(Finding("--with", error.problem, error.remedy)) from error
        return PlannedCall.of(self.address, entry, typed)

    # --- other targets -----------------------------------------------------------------------

    def other(
        self,
        target: Target,
        action: str,
        terms: Terms,
        history: History,
        reviewer: Reviewer | None = None,
    ) -> Made:
        """Return the plan of an action on another contract than ours.

        Args:
            target: What it settles; made from the last epoch of `history`.
            action: One of the target's actions.
            terms: Who and where.
            history: The epochs settled, as far as they are at hand.
            reviewer: The limits of the checks and the waivers that hold; None: those that each
                epoch was published with.

        Raises:
            CheckFailed: An epoch is not what its inputs make of it, the target's checks found
                something, or the endpoints disagree.
            InvalidInput: The target has no such action, or a term is missing.
        """
        calls = target.calls(action, terms)
        if action not in URGENT:
            self._expect_recomputed(history, reviewer)
        checks: Checks = self.sight.read(
            "checks", lambda endpoint, at: target.check(action, terms, endpoint, at)
        )
        self.verdict.told.update(checks.facts)
        self.verdict.notes += checks.notes
        self.verdict.found(target.kind, checks.findings, f"{action} may be signed")
        self.verdict.require_ok()
        address = self._place_of(action, terms)
        code = self.sight.read("code", lambda endpoint, at: endpoint.code(address, at))
        manifest, since = history.last.manifest, target.settling.since
        first = history.epochs[0].manifest
        plan = Plan(
            action=action,
            target=target.kind,
            chain_id=self.sight.chain_id,
            epochs=EpochRange(since.epoch + 1 if since else first.epoch, manifest.epoch),
            ruleset=manifest.ruleset,
            manifest_hash=manifest.hash,
            previous_manifest_hash=since.manifest_hash if since else first.previous_hash,
            merkle_root="0x" + target.root.hex() if target.root else None,
            files={epoch.manifest.epoch: files_of(epoch) for epoch in history.epochs},
            contract=PlannedContract(address, code_hash(code) if code else None),
            token=self._token(str(manifest.document["token"])),
            calls=calls,
            totals=target.totals,
            caps=self.limits.caps(self.sight.first, OTHER_GAS.get(action, 1_000_000), calls),
            gate=self.verdict.as_json(),
            sender=terms.sender,
        )
        return Made(plan, self.verdict)

    def _expect_recomputed(self, history: History, reviewer: Reviewer | None) -> None:
        made = recompute(history, reviewer)
        first, last = history.epochs[0].manifest.epoch, history.last.manifest.epoch
        good = f"{format_epochs(first, last)}: recomputed, byte for byte"
        self.verdict.found("epochs", made.findings, good)
        if not made.findings:
            expect_unblocked(self.verdict, "findings", made)

    def _place_of(self, action: str, terms: Terms) -> str:
        """Return another target's contract; one that is yet to be created is foreseen."""
        if action != "deploy":
            return terms.contract or self.address
        sender = terms.need("sender")
        nonce = self.sight.read(
            "nonce of the sender", lambda endpoint, _: endpoint.next_nonce(sender)
        )
        return created_address(sender, nonce)

    # --- parts -------------------------------------------------------------------------------

    @cached_property
    def contract(self) -> Contract:
        """The distributor."""
        return read_contract(self.sight, self.address)

    @cached_property
    def token(self) -> TokenFacts:
        """Its token."""
        return read_token(self.sight, self.contract.token)

    def _token(self, address: str) -> PlannedToken:
        token = read_token(self.sight, address)
        return PlannedToken(token.address, token.symbol, token.decimals, token.code_hash)

    def _call(self, function: str, *values: Any) -> PlannedCall:  # noqa: ANN401
        return PlannedCall.of(self.address, interface(DISTRIBUTOR).entry(function), values)

    def _plan(
        self,
        action: str,
        calls: Sequence[PlannedCall],
        gas: int,
        totals: Mapping[str, int],
        epochs: Sequence[PublishedEpoch] = (),
    ) -> Plan:
        last = epochs[-1].manifest if epochs else None
        return Plan(
            action=action,
            target=EPOCH_DISTRIBUTOR,
            chain_id=self.sight.chain_id,
            epochs=EpochRange(epochs[0].manifest.epoch, epochs[-1].manifest.epoch)
            if epochs
            else None,
            ruleset=last.ruleset if last else None,
            manifest_hash=last.hash if last else None,
            previous_manifest_hash=last.previous_hash if last else None,
            merkle_root=last.root if last else None,
            files={epoch.manifest.epoch: files_of(epoch) for epoch in epochs},
            contract=PlannedContract(self.address, self.contract.code_hash),
            token=self._token(self.contract.token),
            calls=tuple(calls),
            totals=dict(totals),
            caps=self.limits.caps(self.sight.first, gas, calls),
            gate=self.verdict.as_json() if self.verdict.checks else None,
        )

    def _about_pending(self, plan: Plan) -> Plan:
        """Return the plan with what is pending as its subject."""
        pending = self.contract.pending
        return replace(
            plan,
            epochs=EpochRange(pending.epoch, pending.epoch),
            manifest_hash="0x" + pending.manifest_hash.hex(),
            merkle_root="0x" + pending.root.hex(),
        )

    def _expect_pending(self, published: PublishedEpoch) -> None:
        pending, manifest = self.contract.pending, published.manifest
        there = ("0x" + pending.root.hex(), "0x" + pending.manifest_hash.hex())
        self.verdict.expect(
            "pending_is_this_epoch",
            (pending.epoch, *there) == (manifest.epoch, manifest.root, manifest.hash),
            f"pending is epoch {pending.epoch}, root {there[0]}, manifest hash {there[1]}",
            "do not activate it: have it vetoed",
        )

    def _expect_admin(self, sender: str) -> None:
        admin = self.contract.settings.admin
        self.verdict.expect(
            "sender", sender == admin, f"the admin is {admin}", "send it from the admin"
        )

    def _spendable(self, endpoint: Endpoint, at: int, owner: str, sender: str) -> tuple[int, int]:
        token = Token(endpoint, self.contract.token)
        balance = token.balance(owner, at)
        try:
            return balance, balance if owner == sender else token.allowance(owner, sender, at)
        except Reverted:
            return balance, 0


def files_of(published: PublishedEpoch) -> dict[str, str]:
    """Return the SHA-256 of every file of a published folder, the manifest's own included."""
    manifest = published.manifest
    return {**manifest.files, MANIFEST: hashlib.sha256(manifest.content).hexdigest()}


def _typed(kind: str, text: str) -> Any:  # noqa: ANN401
    if kind == "address":
        return parse_address(text)
    if kind == "bool":
        return parse_boolean(text)
    return parse_number(text)
