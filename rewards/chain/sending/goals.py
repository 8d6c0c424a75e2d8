"""How the chain shows that a step is done, read at one block, the same for every endpoint.

A receipt says that a transaction was executed; a goal says that the contract is where it was meant
to come to. Where later events may have moved the contract on, or where its state does not tell who
brought it there, the answer is UNKNOWN, and the receipt at a finalized block decides alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from rewards.chain.distributor import ActiveState, Distributor, PendingState, ProposalStatus
from rewards.chain.endpoint import Call
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.chain.endpoint import Endpoint
    from rewards.chain.sending.movements import Movement


ROOT = keccak256(b"root()")[:4]
PENDING_ROOT = keccak256(b"pendingRoot()")[:4]
LAST_UPDATED_EPOCH = keccak256(b"lastUpdatedEpoch()")[:4]
PAUSED = keccak256(b"paused()")[:4]
TRUE = (1).to_bytes(32, "big")


class Reached(StrEnum):
    """What the contract's state says."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Goal(Protocol):
    """What a step is to bring about."""

    @property
    def is_proof(self) -> bool:
        """Whether YES means that the step need not be sent at all, whoever did it."""

    def reached(self, endpoint: Endpoint, at: int | str) -> Reached:
        """Return whether it is reached, as one endpoint sees one block."""


@dataclass(frozen=True, slots=True)
class Executed:
    """That the transaction is executed; nothing in the contract's state is its own."""

    is_proof: bool = False

    def reached(self, endpoint: Endpoint, at: int | str) -> Reached:
        """Return UNKNOWN: the receipt decides."""
        del endpoint, at
        return Reached.UNKNOWN


@dataclass(frozen=True, slots=True)
class Proposed:
    """That a distribution is proposed; hashes are 32 bytes, the total is base units."""

    contract: str
    previous: int
    epoch: int
    attempt: int
    root: bytes
    manifest_hash: bytes
    total: int
    is_proof: bool = True

    def reached(self, endpoint: Endpoint, at: int | str) -> Reached:
        """Return whether it is pending, or became something since."""
        distributor = Distributor(endpoint, self.contract)
        active, pending = distributor.active(at), distributor.pending(at)
        if active.epoch >= self.epoch:
            return Reached.YES if self._is(active) and active.epoch == self.epoch else _UNKNOWN
        if active.epoch != self.previous:
            return _UNKNOWN
        if pending.status is ProposalStatus.NONE or pending.attempt < self.attempt:
            return Reached.NO
        if pending.attempt > self.attempt:
            return _UNKNOWN
        return Reached.YES if pending.epoch == self.epoch and self._is(pending) else Reached.NO

    def _is(self, state: ActiveState | PendingState) -> bool:
        return (state.root, state.manifest_hash, state.cumulative_total) == (
            self.root,
            self.manifest_hash,
            self.total,
        )


@dataclass(frozen=True, slots=True)
class Activated:
    """That a proposal is the active distribution; `root` is 32 bytes, None where not known."""

    contract: str
    epoch: int
    root: bytes | None
    is_proof: bool = True

    def reached(self, endpoint: Endpoint, at: int | str) -> Reached:
        """Return whether it is active; UNKNOWN once a later one is."""
        active = Distributor(endpoint, self.contract).active(at)
        if active.epoch > self.epoch:
            return _UNKNOWN
        same = self.root is None or active.root == self.root
        return Reached.YES if active.epoch == self.epoch and same else Reached.NO


@dataclass(frozen=True, slots=True)
class Claimed:
    """That accounts have been paid at least these cumulative amounts, in base units."""

    contract: str
    claims: tuple[tuple[str, int], ...]
    is_proof: bool = True

    def reached(self, endpoint: Endpoint, at: int | str) -> Reached:
        """Return whether every one of them was paid."""
        accounts = [account for account, _ in self.claims]
        paid = Distributor(endpoint, self.contract).claimed(accounts, at)
        done = all(p >= due for p, (_, due) in zip(paid, self.claims, strict=True))
        return Reached.YES if done else Reached.NO


@dataclass(frozen=True, slots=True)
class Vetoed:
    """That a proposal is rejected."""

    contract: str
    epoch: int
    attempt: int
    is_proof: bool = True

    def reached(self, endpoint: Endpoint, at: int | str) -> Reached:
        """Return whether it is vetoed; UNKNOWN once another attempt was made."""
        pending = Distributor(endpoint, self.contract).pending(at)
        if (pending.epoch, pending.attempt) != (self.epoch, self.attempt):
            return _UNKNOWN
        return Reached.YES if pending.status is ProposalStatus.VETOED else Reached.NO


@dataclass(frozen=True, slots=True)
class Deployed:
    """That there is code at an address."""

    address: str
    is_proof: bool = True

    def reached(self, endpoint: Endpoint, at: int | str) -> Reached:
        """Return whether there is."""
        return Reached.YES if endpoint.code(self.address, at) else Reached.NO


@dataclass(frozen=True, slots=True)
class Shown:
    """That another target shows a word, e.g. a root, as the first that a view returns; 32 bytes.

    Such a contract takes any root its updater gives it, at any time: that it shows another one
    proves nothing, and that it shows this one already is no reason not to send.
    """

    contract: str
    view: bytes
    word: bytes
    is_proof: bool = False

    def reached(self, endpoint: Endpoint, at: int | str) -> Reached:
        """Return YES where it is shown."""
        returned = endpoint.call(Call(self.contract, self.view), at)
        return Reached.YES if returned[:32] == self.word else _UNKNOWN


@dataclass(frozen=True, slots=True)
class Moved:
    """That tokens were moved: a figure is what the step makes of it.

    No proof that the step need not be sent: another step may have moved as much. Whether it may be
    sent says `Movement.require_open`.
    """

    movement: Movement
    is_proof: bool = False

    def reached(self, endpoint: Endpoint, at: int | str) -> Reached:
        """Return YES where exactly this was moved since the plan, NO where nothing was."""
        there = self.movement.figure.read(endpoint, at)
        if self.movement.figure.lasts and self.movement.is_open(there):
            return Reached.NO
        return Reached.YES if self.movement.is_made(there) else _UNKNOWN


@dataclass(frozen=True, slots=True)
class Recorded:
    """That a RewardManager has recorded an epoch: its last one never falls."""

    contract: str
    epoch: int
    is_proof: bool = False

    def reached(self, endpoint: Endpoint, at: int | str) -> Reached:
        """Return whether its last epoch is this one or a later one."""
        returned = endpoint.call(Call(self.contract, LAST_UPDATED_EPOCH), at)
        last = int.from_bytes(returned[:32], "big")
        return Reached.YES if last >= self.epoch else Reached.NO


@dataclass(frozen=True, slots=True)
class All:
    """Several goals, of a batch of calls: done when all are."""

    goals: Sequence[Goal]

    @property
    def is_proof(self) -> bool:
        """Whether every one of them is."""
        return all(goal.is_proof for goal in self.goals)

    def reached(self, endpoint: Endpoint, at: int | str) -> Reached:
        """Return NO if one is not reached, YES if all are."""
        answers = {goal.reached(endpoint, at) for goal in self.goals}
        if Reached.NO in answers:
            return Reached.NO
        return Reached.YES if answers == {Reached.YES} else _UNKNOWN


_UNKNOWN = Reached.UNKNOWN
