"""Every claim, simulated on the chain's real state as it will be once a proposal is activated.

A proof that folds up to the root says nothing about the token: it may be paused, restrict
transfers, or block a payee. So each claim is run, one by one, by a node (`eth_simulateV1`) on the
state of a final block, after the transactions that come before it. Nothing is signed or sent.

Every endpoint asked runs them all: one alone could tell whatever it likes of a token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rewards.chain.contract import DISTRIBUTOR, interface
from rewards.chain.endpoint import Simulated, SimulatedBlock
from rewards.chain.errors import Reverted
from rewards.chain.local_fork import LocalFork, NoSimulation
from rewards.files.grammar import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rewards.chain.distributor import Claim, Distributor
    from rewards.chain.endpoint import Call, Endpoint

CLAIMS_PER_REQUEST = 150
"""About 16 million gas: within a block, and within what nodes allow one request."""


@dataclass(frozen=True, slots=True)
class Step:
    """A transaction before the claims, e.g. `propose`."""

    name: str
    timestamp: int
    sender: str
    call: Call


@dataclass(frozen=True, slots=True)
class ClaimTrouble:
    """A step or a claim that would not do what it should."""

    what: str
    problem: str


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What the simulation came to.

    Attributes:
        by: Who ran it, one after the other.
        claims: How many claims each of them ran.
        paid: What they would pay, in base units.
        troubles: What went wrong; empty when every claim pays exactly what is due.
        unable: The endpoints that cannot run it.
    """

    by: str
    claims: int
    paid: int
    troubles: tuple[ClaimTrouble, ...]
    unable: str = ""

    @property
    def words(self) -> str:
        """By whom it was run."""
        unable = f" ({self.unable} can simulate nothing)" if self.unable else ""
        return f"run by {self.by}{unable}"

    @property
    def outcome(self) -> tuple[int, int, frozenset[str]]:
        """What endpoints must agree on; they may word a refusal each in its own way."""
        return self.claims, self.paid, frozenset(trouble.what for trouble in self.troubles)


@dataclass(frozen=True, slots=True)
class Simulation:
    """All that the claims depend on.

    Attributes:
        endpoints: Who runs it, each of them.
        at: The number of the block on whose state it starts.
        steps: What happens before the claims, times not falling.
        timestamp: When the claims happen, not before the last step.
        sender: Who sends the claims; anyone may.
    """

    endpoints: Sequence[Endpoint]
    at: int
    steps: Sequence[Step]
    timestamp: int
    sender: str

    def run(
        self,
        distributor: Distributor,
        epoch: int,
        claims: Sequence[Claim],
        due: Mapping[str, int],
        progress: Callable[[int], None] | None = None,
    ) -> Rehearsed:
        """Run every claim on every endpoint and hold what it pays against what is due.

        Args:
            distributor: The contract.
            epoch: The epoch that is active by then.
            claims: Every leaf but the sentinel.
            due: Per account what its claim must pay, in base units.
            progress: Gets how many more claims were run.

        Raises:
            NoSimulation: None of the endpoints can.
        """
        ran, unable = [], {}
        for endpoint in self.endpoints:
            try:
                ran.append(self._run_at(endpoint, distributor, epoch, claims, due, progress))
            except NoSimulation as error:
                unable[endpoint.name] = error
        if not ran:
            raise next(iter(unable.values()))
        return replace(_together(ran), unable=", ".join(unable))

    def _run_at(
        self,
        endpoint: Endpoint,
        distributor: Distributor,
        epoch: int,
        claims: Sequence[Claim],
        due: Mapping[str, int],
        progress: Callable[[int], None] | None,
    ) -> Rehearsed:
        paid, troubles = 0, list[ClaimTrouble]()
        machine = _Machine(endpoint, self.at)
        for start in range(0, max(len(claims), 1), CLAIMS_PER_REQUEST):
            batch = claims[start : start + CLAIMS_PER_REQUEST]
            calls = [distributor.claim(epoch, one) for one in batch]
            before, outcomes = self._run_batch(machine, calls)
            refused = list(_step_troubles(self.steps, before))
            if refused:
                return Rehearsed(machine.name, 0, 0, tuple(refused))
            for claim, outcome in zip(batch, outcomes, strict=True):
                got, trouble = _judge(claim.account, outcome, due[claim.account])
                paid += got
                troubles += [trouble] if trouble else []
            if progress:
                progress(len(batch))
        return Rehearsed(machine.name, len(claims), paid, tuple(troubles))

    def _run_batch(
        self, machine: _Machine, calls: Sequence[Call]
    ) -> tuple[list[Simulated], list[Simulated]]:
        """Return what the steps, then the calls come to; each request starts anew."""
        blocks = [SimulatedBlock(s.timestamp, [(s.sender, s.call)]) for s in self.steps]
        claims = SimulatedBlock(self.timestamp, [(self.sender, call) for call in calls])
        *before, after = machine.simulate([*_rising(blocks), claims])
        return [outcome for block in before for outcome in block], after


class _Machine:
    """Who simulates: the node, or where it cannot, a local fork of its state."""

    def __init__(self, endpoint: Endpoint, at: int) -> None:
        self._endpoint, self._at = endpoint, at
        self._fork: LocalFork | None = None

    @property
    def name(self) -> str:
        """For a verdict."""
        return self._fork.name if self._fork else self._endpoint.name

    def simulate(self, blocks: Sequence[SimulatedBlock]) -> list[list[Simulated]]:
        """Return what calls in imagined blocks come to.

        Raises:
            NoSimulation: Neither is possible.
        """
        if self._fork is None:
            outcomes = self._endpoint.simulate(blocks, self._at)
            if outcomes is not None:
                return outcomes
            self._fork = LocalFork(self._endpoint, self._at)
        return self._fork.simulate(blocks)


def _together(ran: Sequence[Rehearsed]) -> Rehearsed:
    """Return what the endpoints agree on; where they do not, that is one trouble more."""
    first, *others = ran
    disagreements = [
        ClaimTrouble(
            other.by,
            f"comes to {_outcome_words(other)}, and {first.by} to {_outcome_words(first)}",
        )
        for other in others
        if other.outcome != first.outcome
    ]
    found = {trouble.what: trouble for one in reversed(ran) for trouble in one.troubles}
    names = ", ".join(one.by for one in ran)
    return replace(first, by=names, troubles=(*disagreements, *found.values()))


def _outcome_words(ran: Rehearsed) -> str:
    pays = f"{counted(ran.claims, 'claim')} for {ran.paid} base units"
    return f"{pays} and {counted(len(ran.troubles), 'refusal')}"


def _rising(blocks: Sequence[SimulatedBlock]) -> Iterator[SimulatedBlock]:
    """Yield the blocks, those of one time as one: a block's time must be after the one before."""
    held: SimulatedBlock | None = None
    for block in blocks:
        if held and held.timestamp == block.timestamp:
            held = SimulatedBlock(held.timestamp, [*held.calls, *block.calls])
            continue
        if held:
            yield held
        held = block
    if held:
        yield held


def _step_troubles(steps: Sequence[Step], outcomes: Sequence[Simulated]) -> Iterator[ClaimTrouble]:
    for step, outcome in zip(steps, outcomes, strict=True):
        if outcome.refusal is not None:
            yield ClaimTrouble(step.name, _words(outcome.refusal))


def _judge(account: str, outcome: Simulated, due: int) -> tuple[int, ClaimTrouble | None]:
    if outcome.refusal is not None:
        return 0, ClaimTrouble(account, _words(outcome.refusal))
    try:
        (paid,) = interface(DISTRIBUTOR).result("claim", outcome.returned)
    except ValueError:
        return 0, ClaimTrouble(account, "the claim returns no amount")
    if paid != due:
        return paid, ClaimTrouble(account, f"the claim would pay {paid} base units, {due} are due")
    return paid, None


def _words(refusal: Exception) -> str:
    return refusal.refusal if isinstance(refusal, Reverted) else str(refusal)
