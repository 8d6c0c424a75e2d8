"""All endpoints together: one chain, one finalized block, one answer.

An endpoint that lags is waited for; one that contradicts another, or the journal, stops everything.
The finalized height is the lowest that any of them tells. It never falls below the block that an
earlier decision rested on, whose hash must still be there, and must be recent by our clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from rewards.chain.endpoint import FINALIZED, LATEST
from rewards.chain.errors import EndpointTrouble, InsufficientFunds, Reverted
from rewards.chain.sending.reasons import NotYet, Reason, Stopped
from rewards.errors import Finding, InvalidInput
from rewards.files.grammar import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rewards.chain.endpoint import Block
    from rewards.chain.sending.clock import Clock
    from rewards.chain.sending.node import Node
    from rewards.chain.steps import Seen

Answer = TypeVar("Answer")

AGE_LIMIT = 3 * 3600
"""Seconds by which a finalized block may be older than our clock. On the OP stack it is 20 to 30
minutes in quiet times; a chain or an endpoint that hangs shows by more."""
AHEAD_LIMIT = 900
"""Seconds by which a block may be ahead of our clock before one of the two must be wrong."""
LOCAL_CHAINS = (31337, 1337)


@dataclass(slots=True)
class Quorum:
    """The endpoints asked.

    Attributes:
        nodes: One or more, all different.
        chain_id: The chain that they must serve.
        clock: Ours.
        seen: The finalized block that the last decision rested on; None before the first.
        age_limit: Seconds that a finalized block may be old.
    """

    nodes: tuple[Node, ...]
    chain_id: int
    clock: Clock
    seen: Seen | None = None
    age_limit: int = AGE_LIMIT

    def __post_init__(self) -> None:
        """Check that there is somebody to contradict.

        Raises:
            InvalidInput: One endpoint alone on a chain that is no local one, or one twice.
        """
        addresses = [node.address.rstrip("/") for node in self.nodes]
        if len(set(addresses)) != len(addresses):
            raise InvalidInput(
                Finding("--rpc", "names the same endpoint twice", "name two that differ")
            )
        if len(self.nodes) < 2 and self.chain_id not in LOCAL_CHAINS:
            raise InvalidInput(
                Finding(
                    "--rpc",
                    "names one endpoint, which nobody could contradict",
                    "name two or more, of operators that have nothing to do with each other",
                )
            )

    def agreed(self, what: str, ask: Callable[[Node], Answer]) -> Answer:
        """Ask every endpoint the same about a final block, and return what all of them answer.

        Raises:
            NotYet: One does not answer.
            Stopped: They contradict each other.
        """
        answers = self.each(ask)
        for node, answer in zip(self.nodes, answers, strict=True):
            if answer != answers[0]:
                raise Stopped(
                    Reason.ENDPOINTS_DISAGREE,
                    f"{node.name} tells another {what} than {self.nodes[0].name}",
                )
        return answers[0]

    def settled(self, what: str, ask: Callable[[Node], Answer]) -> Answer:
        """Ask every endpoint about its newest block; another answer may only be lag.

        Raises:
            NotYet: One does not answer, or they differ.
        """
        answers = self.each(ask)
        if any(answer != answers[0] for answer in answers):
            names = ", ".join(node.name for node in self.nodes)
            raise NotYet(Reason.ENDPOINT_LAGS, f"{names} do not tell the same {what} yet")
        return answers[0]

    def each(self, ask: Callable[[Node], Answer]) -> list[Answer]:
        """Ask every endpoint.

        Raises:
            NotYet: One gives no usable answer, or reverts where nothing does.
        """
        answers = []
        for node in self.nodes:
            try:
                answers.append(ask(node))
            except (EndpointTrouble, InsufficientFunds) as error:
                raise NotYet(Reason.NO_ANSWER, str(error)) from None
            except (ValueError, OverflowError):
                detail = f"{node.name}: an answer holds what this contract never says"
                raise NotYet(Reason.NO_ANSWER, detail) from None
            except Reverted as error:
                detail = f"{node.name}: a read is refused with {error.error}"
                raise NotYet(Reason.NO_ANSWER, detail) from None
        return answers

    def require_chain(self) -> None:
        """Check the chain's id.

        Raises:
            NotYet: An endpoint does not answer.
            Stopped: One serves another chain.
        """
        for node, served in zip(self.nodes, self.each(lambda node: node.chain_id()), strict=True):
            if served != self.chain_id:
                raise Stopped(
                    Reason.WRONG_CHAIN, f"{node.name} serves chain {served}, not {self.chain_id}"
                )

    def finalized(self) -> Block:
        """Return the highest block that all of them call final.

        Raises:
            NotYet: One lags behind what was seen, or behind our clock, or does not answer.
            Stopped: They see different blocks of that height, or what was final has changed.
        """
        number = min(block.number for block in self.each(lambda node: node.block(FINALIZED)))
        if self.seen and number < self.seen.number:
            raise NotYet(
                Reason.ENDPOINT_LAGS,
                f"an endpoint tells {number} as final, below block {self.seen.number} seen before",
            )
        block = self.agreed(f"hash of final block {number}", lambda node: node.block(number))
        if block.number != number:
            raise NotYet(Reason.NO_ANSWER, f"asked for block {number}, told block {block.number}")
        self._require_unchanged(block)
        self._require_recent(block)
        return block

    def _require_unchanged(self, block: Block) -> None:
        if self.seen is None:
            return
        seen, there = self.seen, block.hash
        if block.number != seen.number:
            there = self.agreed("hash of a final block", lambda node: node.block(seen.number).hash)
        if there != seen.hash:
            raise Stopped(
                Reason.FINALITY_BROKEN,
                f"block {seen.number} was final as {seen.hash} and is now told as {there}",
            )

    def _require_recent(self, block: Block) -> None:
        age = self.clock.now() - block.timestamp
        if age > self.age_limit:
            raise NotYet(
                Reason.ENDPOINT_LAGS,
                f"the last final block, {block.number}, is of {format_time(block.timestamp)}",
            )
        if age < -AHEAD_LIMIT:
            raise NotYet(
                Reason.ENDPOINT_LAGS,
                f"block {block.number} is of {format_time(block.timestamp)}, ahead of our clock",
            )

    def nonce_to_use(self, account: str, after: int, block: Block) -> int:
        """Return the nonce of an account's next transaction.

        It rests on what is final and on our own transactions alone. On top of a foreign one that a
        reorganisation may still remove, ours would wait behind a gap for ever.

        Args:
            account: Who is going to sign.
            after: The nonce after those of our own transactions that may still wait.
            block: The last final block.

        Raises:
            NotYet: The endpoints do not agree yet, or something foreign is mined and not final.
            Stopped: Something that is not ours waits in a pool.
        """
        final = self.agreed("nonce", lambda node: node.nonce(account, block.number))
        nonce = max(final, after)
        mined = self.settled("nonce", lambda node: node.nonce(account, LATEST))
        if mined > nonce:
            raise NotYet(
                Reason.FOREIGN_PENDING,
                f"a transaction of {account} that this journal does not know is mined at nonce "
                f"{mined - 1}, and not final yet",
            )
        waiting = max(self.each(lambda node: node.nonce(account, "pending")))
        if waiting > nonce:
            raise Stopped(
                Reason.FOREIGN_PENDING,
                f"a transaction of {account} that this journal does not know waits at nonce "
                f"{waiting - 1}; {mined} are mined",
            )
        return nonce


def nodes_of(urls: Sequence[str], timeout: float | None = None) -> tuple[Node, ...]:
    """Return an endpoint for each address.

    Raises:
        InvalidInput: One is no HTTP address.
    """
    from rewards.chain.sending.node import Node  # noqa: PLC0415

    return tuple(Node(url) if timeout is None else Node(url, timeout) for url in urls)
