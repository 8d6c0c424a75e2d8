"""The way through a Safe: hand over one SafeTx, then watch what the Safe makes of it.

What the owners sign is known by its safeTxHash. The Safe emits ExecutionSuccess or ExecutionFailure
with it: in the data up to 1.3.0, as a topic from 1.4.1 on. Every execution raises the Safe's nonce
by one and emits exactly one of the two, so events and nonce are held against each other: as long as
an event is missing, nothing is concluded. Another hash at our nonce means superseded, never paid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from rewards.chain.contract import decode, encode
from rewards.chain.endpoint import LATEST, Call
from rewards.chain.errors import Reverted
from rewards.chain.sending.fees import GAS_BOUND, gas_needed
from rewards.chain.sending.goals import Reached
from rewards.chain.sending.reasons import NotYet, Reason, Stopped
from rewards.chain.steps import State, Variant, variant_body
from rewards.errors import CheckFailed, Finding
from rewards.files.grammar import counted
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.chain.endpoint import Block
    from rewards.chain.plan import PlannedCall
    from rewards.chain.safe.hashes import SafeTx
    from rewards.chain.sending.intents import Intent
    from rewards.chain.sending.machine import Machine
    from rewards.chain.sending.node import Log, Node
    from rewards.chain.steps import Step

SUCCESS = "0x" + keccak256(b"ExecutionSuccess(bytes32,uint256)").hex()
FAILURE = "0x" + keccak256(b"ExecutionFailure(bytes32,uint256)").hex()
BLOCKS_PER_QUERY = 2_000
NONCE = keccak256(b"nonce()")[:4]
SAFE_GAS = 150_000
"""What the Safe itself needs at most, with the signatures of a dozen owners."""
MAY_WAIT = ("TooEarly",)
"""Refusals that pass by themselves: owners may sign ahead of time."""
_HASH_TYPES = (
    *("address", "uint256", "bytes", "uint8", "uint256", "uint256", "uint256"),
    *("address", "address", "uint256"),
)
GET_HASH = keccak256(f"getTransactionHash({','.join(_HASH_TYPES)})".encode())[:4]


class Fate(StrEnum):
    """What became of a SafeTx."""

    WAITING = "waiting"
    EXECUTED = "executed"
    FAILED = "failed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class SafeWatch:
    """One SafeTx of one Safe.

    Attributes:
        machine: Journal and endpoints.
        intent: The plan's step; of a plan of several calls, all of them together.
        safe: The Safe.
        tx: What its owners sign.
        safe_tx_hash: Its hash, as `0x` text.
        calls: What the Safe calls by it.
    """

    machine: Machine
    intent: Intent
    safe: str
    tx: SafeTx
    safe_tx_hash: str
    calls: Sequence[PlannedCall]

    def hand_over(self) -> Step:
        """Write into the journal that owners may sign it from now on; the file is written after.

        Raises:
            CheckFailed: The Safe computes another hash, the plan is another's to send, or what it
                moves was moved already.
            Stopped: There is no Safe, or its nonce is used already.
        """
        journal, key = self.machine.journal, self.intent.key
        self.intent.require_sender(self.safe)
        step = journal.step(key)
        if step.live and step.variants[-1].transaction != self.safe_tx_hash:
            raise Stopped(
                Reason.UNFINISHED_STEP,
                f"{step.variants[-1].transaction} was handed over for {key} and may still be "
                "executed",
            )
        if not step.live:
            block = self.machine.patiently(self._check)
            step = journal.advance(key, State.SIGNED, variant_body(self._variant(block)))
        if step.state is State.SIGNED:
            step = journal.advance(key, State.BROADCAST, {"transaction": self.safe_tx_hash})
        return step

    def _variant(self, block: Block) -> Variant:
        """Return what the journal holds of it: no signature, and no fee of ours."""
        return Variant(
            kind="original",
            raw=self.tx.data,
            transaction=self.safe_tx_hash,
            sender=self.safe,
            nonce=self.tx.nonce,
            gas=0,
            max_fee=0,
            tip=0,
            worst_fee=0,
            since=block.number,
        )

    def _check(self) -> Block:
        quorum = self.machine.quorum
        quorum.require_chain()
        block = self.machine.finalized()
        if not quorum.agreed("code of the Safe", lambda node: node.code(self.safe, block.number)):
            raise Stopped(Reason.SAFE_MISSING, f"there is no code at {self.safe}")
        computed = quorum.agreed(
            "safeTxHash", lambda node: node.call(self._hash_call(), block.number)
        )
        if "0x" + computed.hex() != self.safe_tx_hash:
            raise CheckFailed(
                Finding(
                    "the Safe",
                    f"OtherHash: computes another safeTxHash than {self.safe_tx_hash}",
                    "do not sign it; check the Safe's address and version",
                    value="0x" + computed.hex(),
                )
            )
        used = quorum.settled("nonce of the Safe", lambda node: self._nonce(node, LATEST))
        if used > self.tx.nonce:
            raise Stopped(
                Reason.SAFE_SUPERSEDED, f"the Safe's nonce is {used} already, past {self.tx.nonce}"
            )
        if self.intent.movement is not None:
            self._require_next(block)
            self.intent.movement.require_open(quorum, block)
        self._require_passable()
        return block

    def _require_passable(self) -> None:
        """Check that what the owners are to sign would go through, within one transaction's gas.

        What is only too early may be signed ahead. Of several calls only the first is sure to find
        the state that it needs; of the others the gas counts as far as it can be told.

        Raises:
            NotYet: An endpoint does not answer.
            Stopped: The contract refuses, or it needs too much gas.
        """
        needed = SAFE_GAS
        for number, call in enumerate(self.calls):
            made = Call(call.to, call.data)
            try:
                needed += gas_needed(self.machine.quorum, made, call.value, self.safe)
            except Reverted as error:
                if number == 0 and error.error not in MAY_WAIT:
                    raise Stopped(
                        Reason.REFUSED, f"{self.intent.words}: {error.refusal}: {error.next_step}"
                    ) from None
        if needed >= GAS_BOUND:
            raise Stopped(
                Reason.GAS_ABOVE_CAP,
                f"the Safe's transaction needs about {needed} gas, and {GAS_BOUND - 1} are allowed",
            )

    def _require_next(self, block: Block) -> None:
        """Check that it is the Safe's next transaction: see movements.

        At a later nonce it could be executed beside one of the same plan that was handed over
        elsewhere, at the nonce that is next.
        """
        final = self.machine.quorum.agreed(
            "nonce of the Safe", lambda node: self._nonce(node, block.number)
        )
        if final == self.tx.nonce:
            return
        newest = self.machine.quorum.settled(
            "nonce of the Safe", lambda node: self._nonce(node, LATEST)
        )
        if newest == self.tx.nonce:
            raise NotYet(
                Reason.FOREIGN_PENDING, f"the Safe's transaction {newest - 1} is not final yet"
            )
        raise Stopped(
            Reason.SAFE_NOT_NEXT,
            f"the Safe's next nonce is {newest}, not {self.tx.nonce}; a transfer may only be "
            "handed over as its next transaction",
        )

    def watch(self) -> Step:
        """Watch until the Safe's nonce is past ours in a final block.

        Raises:
            Stopped: It failed, was superseded, or patience is over; running it again resumes.
        """
        machine, key = self.machine, self.intent.key
        deadline, said = machine.quorum.clock.passed() + machine.patience, ""
        while machine.journal.step(key).state is not State.FINAL:
            try:
                message = self._look()
            except NotYet as error:
                message = f"waiting: {error.detail}"
            except Stopped as error:
                machine.journal.halt(key, error.reason, error.detail, closed=error.closed)
                raise
            except CheckFailed as error:
                machine.journal.halt(key, error.findings[0].problem.partition(":")[0], str(error))
                raise
            if message != said:
                machine.watcher.told(f"{self.intent.words}: {message}")
                said = message
            if machine.journal.step(key).state is State.FINAL:
                break
            if machine.quorum.clock.passed() > deadline:
                machine.journal.halt(key, Reason.SAFE_NOT_EXECUTED, message)
                raise Stopped(Reason.SAFE_NOT_EXECUTED, message)
            machine.quorum.clock.sleep(machine.poll)
        return machine.journal.step(key)

    def _look(self) -> str:
        self.machine.quorum.require_chain()
        block = self.machine.finalized()
        fate, transaction, landed = self.fate(block)
        if fate is Fate.WAITING:
            self._require_still_wanted(block)
            return f"safeTxHash {self.safe_tx_hash} is not executed in a final block yet"
        detail = f"safeTxHash {self.safe_tx_hash} at the Safe's nonce {self.tx.nonce}"
        if fate is Fate.FAILED:
            raise Stopped(Reason.SAFE_FAILED, f"{detail} failed in {transaction}", closed=True)
        if fate is Fate.SUPERSEDED:
            raise Stopped(
                Reason.SAFE_SUPERSEDED, f"{detail} gave way to {transaction}", closed=True
            )
        goal = self.machine.reached(self.intent, block.number, landed)
        if goal is Reached.NO:
            raise Stopped(
                Reason.GOAL_NOT_REACHED,
                f"{transaction} executed it, and the contract shows nothing",
            )
        body = {
            "transaction": transaction,
            "safe_tx_hash": self.safe_tx_hash,
            "final_block": str(block.number),
            "final_block_hash": block.hash,
            "goal": str(goal),
            "endpoints": ", ".join(node.name for node in self.machine.quorum.nodes),
            "note": f"executed by Safe {self.safe}",
        }
        self.machine.journal.advance(self.intent.key, State.FINAL, body)
        return f"executed in {transaction}"

    def _require_still_wanted(self, block: Block) -> None:
        """Notice that what waits for signatures was made by somebody else.

        Raises:
            CheckFailed: It was.
        """
        movement = self.intent.movement
        if movement is None or movement.is_open(there := movement.at(self.machine.quorum, block)):
            return
        remedy = (
            f"do not execute safeTxHash {self.safe_tx_hash}: have the owners reject nonce "
            f"{self.tx.nonce} of the Safe"
        )
        raise CheckFailed(replace(movement.refusal(there), remedy=remedy))

    def fate(self, block: Block) -> tuple[Fate, str, int]:
        """Return what became of it by a final block, in which transaction and in which block.

        Raises:
            NotYet: Events are missing.
            Stopped: The endpoints contradict each other.
        """
        quorum = self.machine.quorum
        since = self.machine.journal.step(self.intent.key).variants[-1].since
        used = quorum.agreed("nonce of the Safe", lambda node: self._nonce(node, block.number))
        if used <= self.tx.nonce:
            return Fate.WAITING, "", 0
        before = quorum.agreed("nonce of the Safe", lambda node: self._nonce(node, since))
        events = quorum.agreed("events of the Safe", lambda node: self._events(node, since, block))
        if len(events) != used - before:
            raise NotYet(
                Reason.ENDPOINT_LAGS,
                f"{len(events)} of {counted(used - before, 'execution')} are told",
            )
        ours = [event for event in events if _hash_in(event) == self.safe_tx_hash]
        if not ours:
            # The events are in order, and each raised the nonce by one.
            other = events[self.tx.nonce - before]
            return Fate.SUPERSEDED, f"{_hash_in(other)} in {other.transaction}", other.block
        success = ours[0].topics[0] == SUCCESS
        return (Fate.EXECUTED if success else Fate.FAILED), ours[0].transaction, ours[0].block

    def _events(self, node: Node, since: int, block: Block) -> list[Log]:
        found: list[Log] = []
        for first in range(since + 1, block.number + 1, BLOCKS_PER_QUERY):
            last = min(first + BLOCKS_PER_QUERY - 1, block.number)
            found += node.logs(self.safe, (SUCCESS, FAILURE), first, last)
        return found

    def _nonce(self, node: Node, at: int | str) -> int:
        (nonce,) = decode(("uint256",), node.call(Call(self.safe, NONCE), at))
        return int(nonce)

    def _hash_call(self) -> Call:
        tx = self.tx
        values = (
            *(tx.to, tx.value, tx.data, tx.operation, tx.safe_tx_gas, tx.base_gas, tx.gas_price),
            *(tx.gas_token, tx.refund_receiver, tx.nonce),
        )
        return Call(self.safe, GET_HASH + encode(_HASH_TYPES, values))


def _hash_in(event: Log) -> str:
    """Return the safeTxHash of an event: a topic from 1.4.1 on, in the data before."""
    return event.topics[1] if len(event.topics) > 1 else "0x" + event.data[:32].hex()
