"""Claims for recipients, in batches: who is owed, what goes through, all of it to the end.

Whoever sends a claim, the contract pays the account in the leaf, and a repeated claim pays nothing.
So a batch may follow the one before it as soon as that is in a block; finality is waited for at the
end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.chain.contract import DISTRIBUTOR, interface
from rewards.chain.distributor import CLAIMS_PER_CALL, Claim, Distributor
from rewards.chain.endpoint import LATEST
from rewards.chain.errors import EndpointTrouble, Reverted
from rewards.chain.plan import PlannedCall
from rewards.chain.sending.reasons import NotYet, Reason
from rewards.chain.steps import State
from rewards.merkle.distribution import Distribution, Domain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eth_account.signers.local import LocalAccount

    from rewards.chain.sending.quorum import Quorum
    from rewards.chain.sending.submitting import Submission
    from rewards.chain.steps import Step


@dataclass(frozen=True, slots=True)
class Due:
    """What an account is owed; base units."""

    account: str
    cumulative: int
    claimed: int

    @property
    def open(self) -> int:
        """What it has not claimed yet."""
        return max(self.cumulative - self.claimed, 0)


@dataclass(frozen=True, slots=True)
class Blocked:
    """A claim that does not go through, and why."""

    claim: Claim
    reason: str


def dues(distribution: Distribution, distributor: str, quorum: Quorum, at: int | str) -> list[Due]:
    """Return every account with what it has claimed, as all endpoints tell it.

    Raises:
        NotYet: An endpoint does not answer.
        Stopped: They contradict each other.
    """
    leaves = [leaf for leaf in distribution.leaves if leaf[0] != distribution.domain.distributor]
    accounts = [account for account, _ in leaves]
    ask = quorum.settled if at == LATEST else quorum.agreed
    claimed = ask(
        "claimed amounts", lambda node: Distributor(node, distributor).claimed(accounts, at)
    )
    return [Due(a, c, paid) for (a, c), paid in zip(leaves, claimed, strict=True)]


def distribution_of(
    chain_id: int, distributor: str, epoch: int, cumulatives: Sequence[tuple[str, int]]
) -> Distribution | None:
    """Return an epoch's distribution from its ledger; None when nobody has anything."""
    return Distribution.of(Domain(chain_id, distributor, epoch), cumulatives)


def claims_for(distribution: Distribution, owed: Sequence[Due]) -> list[Claim]:
    """Return the claims of those who are owed something, in address order."""
    return [
        Claim(due.account, due.cumulative, tuple(distribution.proof(due.account)))
        for due in owed
        if due.open
    ]


def sift(
    quorum: Quorum, contract: str, epoch: int, claims: Sequence[Claim], sender: str
) -> tuple[list[Claim], list[Blocked]]:
    """Simulate a batch; where it reverts, halve it until the payees that block it stand alone.

    Raises:
        NotYet: An endpoint does not answer.
    """
    if not claims:
        return [], []
    refusal = _refusal(quorum, contract, epoch, claims, sender)
    if refusal is None:
        return list(claims), []
    if len(claims) == 1:
        return [], [Blocked(claims[0], refusal)]
    middle = len(claims) // 2
    left, blocked_left = sift(quorum, contract, epoch, claims[:middle], sender)
    right, blocked_right = sift(quorum, contract, epoch, claims[middle:], sender)
    return [*left, *right], [*blocked_left, *blocked_right]


def _refusal(
    quorum: Quorum, contract: str, epoch: int, claims: Sequence[Claim], sender: str
) -> str | None:
    for node in quorum.nodes:
        try:
            node.call(Distributor(node, contract).claim_many(epoch, claims), sender=sender)
        except Reverted as error:
            return f"{error.refusal}; {error.next_step}"
        except EndpointTrouble as error:
            raise NotYet(Reason.NO_ANSWER, str(error)) from None
    return None


def planned_claims(contract: str, epoch: int, claims: Sequence[Claim]) -> tuple[PlannedCall, ...]:
    """Return the batches as a plan holds them."""
    entry = interface(DISTRIBUTOR).entry("claimMany")
    batches = [claims[i : i + CLAIMS_PER_CALL] for i in range(0, len(claims), CLAIMS_PER_CALL)]
    return tuple(
        PlannedCall.of(
            contract, entry, (epoch, [(c.account, c.cumulative, c.proof) for c in batch])
        )
        for batch in batches
    )


def run_batches(submission: Submission, account: Callable[[], LocalAccount]) -> list[Step]:
    """Bring every batch into a block, one after the other, then all of them to the end.

    Raises:
        Stopped: For a named reason; running it again resumes.
    """
    machine, intents = submission.machine, submission.intents()
    journal = machine.journal
    for intent in intents:
        step = journal.step(intent.key)
        if step.state is State.PLANNED:
            companions = sum(journal.step(other.key).live for other in intents)
            machine.sign(intent, account(), companions)
        if journal.step(intent.key).state is not State.FINAL:
            machine.until_mined(intent)
    for intent in intents:
        if journal.step(intent.key).state is not State.FINAL:
            machine.finish(intent)
    submission.write_receipt()
    return [journal.step(intent.key) for intent in intents]
