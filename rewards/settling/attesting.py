"""Attesting: recompute, then say so under one's name; and holding what others said against OUT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.chain.attestation import Attestation, Statement, is_signed, is_signed_by_key
from rewards.chain.distributor import Distributor, PendingState, Proposal, ProposalStatus, Role
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.grammar import counted
from rewards.settling.history import FindPredecessor, History, base_findings, trace
from rewards.settling.onchain import Contract, read_contract
from rewards.settling.recomputing import expect_unblocked, recompute
from rewards.settling.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from rewards.audit.checks.reviewer import Reviewer
    from rewards.chain.agreement import Sight
    from rewards.chain.endpoint import Endpoint
    from rewards.files.published import PublishedEpoch

DO_NOT_ATTEST = "do not attest; ask the publisher"


@dataclass(frozen=True, slots=True)
class Place:
    """On top of which epoch, and as which attempt, an epoch is to be proposed.

    Attributes:
        previous_epoch: The last activated one; 0 before the first.
        attempt: The proposal's number on top of it.
        contract: What the chain said; None where nobody was asked.
    """

    previous_epoch: int
    attempt: int
    contract: Contract | None = None


def place_on_chain(
    sight: Sight, published: PublishedEpoch, previous_epoch: int | None, attempt: int | None
) -> Place:
    """Return the place as the chain has it; what was said beforehand must agree.

    Raises:
        CheckFailed: It does not.
    """
    contract = read_contract(sight, published.manifest.distributor)
    active = contract.active.epoch
    there = Place(active, _attempt_of(contract.pending, published.manifest.epoch), contract)
    said = {"previous-epoch": previous_epoch, "attempt": attempt}
    holds = {"previous-epoch": there.previous_epoch, "attempt": there.attempt}
    findings = [
        Finding(
            f"--{name}",
            f"is not what the chain has, {holds[name]}",
            "leave it out, or ask who was wrong",
            value=str(value),
        )
        for name, value in said.items()
        if value is not None and value != holds[name]
    ]
    if findings:
        raise CheckFailed(findings)
    return there


def _attempt_of(pending: PendingState, epoch: int) -> int:
    """Return the attempt that an attestation is for: the pending one's, if it is this epoch's."""
    if pending.status is ProposalStatus.PENDING and pending.epoch == epoch:
        return pending.attempt
    return pending.next_attempt


def recomputed_statement(
    published: PublishedEpoch,
    place: Place,
    find: FindPredecessor,
    reviewer: Reviewer | None = None,
    verdict: Verdict | None = None,
) -> Statement:
    """Return what is to be signed, once everything that it says has been recomputed.

    Args:
        published: The epoch. Its folder alone is enough where the epoch before it is the active
            one: it records what it took over.
        place: Where it is to be proposed.
        find: How the epochs in between are found, where there are any.
        reviewer: The limits and waivers that hold; None: those that each epoch was published with.
        verdict: Gets what the checks come to, and what whoever signs should know.

    Raises:
        CheckFailed: An epoch is not what its inputs make of it, a finding blocks one, or the
            history has a gap.
    """
    history = _history(published, place.previous_epoch, find)
    recomputed = recompute(history, reviewer)
    findings = recomputed.findings
    if not findings and place.contract:
        findings += _chain_findings(published, history, place.contract)
    if findings:
        raise CheckFailed(findings)
    verdict = verdict or Verdict()
    expect_unblocked(verdict, "findings", recomputed)
    if recomputed.blocking:
        raise CheckFailed(recomputed.blocking)
    manifest = published.manifest
    if manifest.root is None:
        problem = "has no leaf: there is nothing to attest"
        raise CheckFailed(Finding(str(published), problem, "settle it with a later epoch"))
    proposal = Proposal(
        place.previous_epoch,
        manifest.epoch,
        place.attempt,
        bytes.fromhex(manifest.root[2:]),
        manifest.cumulative_total,
        bytes.fromhex(manifest.hash[2:]),
    )
    rise = max(manifest.cumulative_total - _total_before(published, history), 0)
    return Statement(manifest.chain_id, manifest.distributor, proposal, rise)


def _history(published: PublishedEpoch, previous_epoch: int, find: FindPredecessor) -> History:
    """Return the epochs to recompute; without folders only this one, if it follows directly."""
    manifest = published.manifest
    directly = previous_epoch == manifest.epoch - 1 and manifest.previous_hash is not None
    if directly and find(published) is None:
        return History((published,), None)
    return trace(published, previous_epoch, find)


def _total_before(published: PublishedEpoch, history: History) -> int:
    """Return the cumulative total of the epoch that is built on, in base units."""
    if history.base:
        return history.base.manifest.cumulative_total
    if published.manifest.previous_hash is None or len(history.epochs) > 1:
        return 0
    return sum(row.previous_cumulative for row in published.allocations)


def _chain_findings(
    published: PublishedEpoch, history: History, contract: Contract
) -> list[Finding]:
    active = contract.active
    if history.base or published.manifest.previous_hash is None or len(history.epochs) > 1:
        return base_findings(history, active, contract.initial_epoch)
    named, there = published.manifest.previous_hash, "0x" + active.manifest_hash.hex()
    if named == there:
        return []
    return [
        Finding(
            str(published),
            f"names another predecessor than the active epoch's manifest hash {there}",
            DO_NOT_ATTEST,
            column="previous_manifest_hash",
            value=named,
        )
    ]


# --- holding attestations against an epoch ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """How many attestations are good, and what is wrong with the others."""

    good: tuple[str, ...]
    threshold: int
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, object]:
        """Return it as a document."""
        return {
            "ok": not self.findings,
            "good": list(self.good),
            "threshold": str(self.threshold),
        }


def count_offline(
    published: PublishedEpoch,
    attestations: Sequence[Attestation],
    attesters: Collection[str],
    threshold: int,
) -> Counted:
    """Return how many of the named attesters attested the epoch by key; needs no chain.

    Raises:
        InvalidInput: The threshold is 0, or more than there are attesters.
    """
    if not 0 < threshold <= len(attesters):
        raise InvalidInput(
            Finding(
                "--threshold",
                f"is not between 1 and the number of attesters, {len(attesters)}",
                "say how many of --attesters are needed",
                value=str(threshold),
            )
        )

    def problem(one: Attestation) -> str | None:
        if one.attester not in attesters:
            return "is of nobody among --attesters"
        if not is_signed_by_key(one):
            return "is not signed by the attester's key (a wallet with code needs --rpc)"
        return None

    return _count(published, attestations, threshold, problem)


def count_on_chain(
    published: PublishedEpoch, attestations: Sequence[Attestation], sight: Sight
) -> Counted:
    """Return how many of the contract's attesters attested, by key or wallet; M is its own."""
    contract = read_contract(sight, published.manifest.distributor)
    place = place_on_chain(sight, published, None, None)
    settled = contract.active.epoch >= published.manifest.epoch

    def look(one: Attestation, endpoint: Endpoint, at: int) -> str | None:
        if not Distributor(endpoint, contract.address).has_role(Role.ATTESTER, one.attester, at):
            return "is of no attester of the contract"
        if not is_signed(one, endpoint, at):
            return "has a signature that is not the attester's"
        proposal = one.statement.proposal
        here = (proposal.previous_epoch, proposal.attempt)
        if not settled and here != (place.previous_epoch, place.attempt):
            return f"is for attempt {here[1]} on top of epoch {here[0]}, not what is next"
        return None

    def problem(one: Attestation) -> str | None:
        return sight.read(f"attester {one.attester}", lambda endpoint, at: look(one, endpoint, at))

    return _count(published, attestations, contract.settings.threshold, problem)


def _count(
    published: PublishedEpoch,
    attestations: Sequence[Attestation],
    threshold: int,
    problem: Callable[[Attestation], str | None],
) -> Counted:
    findings, good = [], set()
    for one in attestations:
        found = [*_contradictions(published, attestations[0], one)]
        if not found and (said := problem(one)):
            found.append(said)
        name = f"attestation of {one.attester}"
        findings += [Finding(name, said, "have it made anew") for said in found]
        if not found:
            good.add(one.attester)
    if len(good) < threshold:
        needed = counted(threshold, "is", "are")
        few = f"are too few: {counted(len(good), 'good one')}, {needed} needed"
        findings.append(Finding("attestations", few, "collect the missing ones"))
    return Counted(tuple(sorted(good)), threshold, tuple(findings))


def _contradictions(
    published: PublishedEpoch, first: Attestation, one: Attestation
) -> Iterator[str]:
    manifest, statement = published.manifest, one.statement
    said = {
        "chain": (str(statement.chain_id), str(manifest.chain_id)),
        "contract": (statement.distributor, manifest.distributor),
        "epoch": (str(statement.proposal.epoch), str(manifest.epoch)),
        "root": ("0x" + statement.proposal.root.hex(), manifest.root or "none"),
        "total": (str(statement.proposal.cumulative_total), str(manifest.cumulative_total)),
        "manifest hash": ("0x" + statement.proposal.manifest_hash.hex(), manifest.hash),
    }
    for name, (there, here) in said.items():
        if there != here:
            yield f"is of {name} {there}, the epoch has {here}"
    if statement != first.statement:
        yield "is of another proposal than the first attestation"
