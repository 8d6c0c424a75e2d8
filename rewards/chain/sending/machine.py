"""The way of one transaction: signed, broadcast, mined, final; each change in the journal first.

The rules, in the order of their weight:

1. Signed bytes are in the journal, on disk, before any endpoint gets them.
2. What an endpoint says about a sending is never believed: the same bytes go out again until the
   chain shows what became of the nonce. A timeout, an error, an acceptance: all mean "unknown".
3. A step has one nonce. Another one is only signed for when a finalized block shows, and every
   endpoint agrees, that the nonce went to another transaction, which is looked up and named.
4. Final means: every endpoint has the receipt in the same block, at or below a block that all call
   final and whose hash they share, and the contract's state there is what the step was for.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from rewards.chain.deployment import created_address
from rewards.chain.errors import EndpointTrouble, InsufficientFunds, Reverted
from rewards.chain.sending.fees import coins, offer_for, replacement_for
from rewards.chain.sending.goals import Reached
from rewards.chain.sending.outcomes import find_foreign, landed_in, receipts_of, used_up
from rewards.chain.sending.reasons import NotYet, Reason, Stopped
from rewards.chain.sending.signing import signed
from rewards.chain.steps import Seen, State, Variant, variant_body
from rewards.errors import CheckFailed
from rewards.files.grammar import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eth_account.signers.local import LocalAccount

    from rewards.chain.endpoint import Block
    from rewards.chain.journal import Journal
    from rewards.chain.sending.fees import Offer
    from rewards.chain.sending.intents import Intent
    from rewards.chain.sending.node import Landed, Node
    from rewards.chain.sending.quorum import Quorum
    from rewards.chain.steps import Step

Answer = TypeVar("Answer")

NONCE_USED = "nonce too low"
"""What a node answers to bytes whose nonce is used, most often by these very bytes."""
POLL_SECONDS = 6
SEND_EVERY = 10
"""Polls after which the same bytes are handed in again."""
PATIENCE_SECONDS = 3600
"""How long a command watches before it ends with NotFinalYet."""
SHORT_PATIENCE_SECONDS = 120
"""How long it waits for an endpoint that lags or does not answer, before anything is signed."""


class Watcher(Protocol):
    """Whoever follows the progress."""

    def told(self, message: str) -> None:
        """Hear a line of progress."""


class Silent:
    """Nobody follows."""

    def told(self, message: str) -> None:
        """Hear nothing."""


@dataclass
class Machine:
    """Brings steps to their end.

    Attributes:
        journal: Open for writing: nobody else sends meanwhile.
        quorum: The endpoints.
        watcher: Told of progress.
        patience: Seconds to watch a transaction.
        short_patience: Seconds to wait for endpoints before anything is signed.
        poll: Seconds between looks.
    """

    journal: Journal
    quorum: Quorum
    watcher: Watcher
    patience: int = PATIENCE_SECONDS
    short_patience: int = SHORT_PATIENCE_SECONDS
    poll: int = POLL_SECONDS
    _said: str = field(default="", init=False)

    def __post_init__(self) -> None:
        """Take over what the journal has seen of the chain."""
        self.quorum.seen = self.journal.seen(self.quorum.chain_id)

    # --- the whole way -------------------------------------------------------------------------

    def begin(
        self,
        intent: Intent,
        check_files: Callable[[], None],
        check_chain: Callable[[], None],
        *,
        again: bool = False,
    ) -> Step:
        """Bring a step to `planned`, unless it is further already.

        Args:
            intent: What is to be sent.
            check_files: Raises unless the files are as the plan binds them.
            check_chain: Raises unless the chain is as the plan binds it.
            again: Whether a step that is closed for good may begin a new round.

        Raises:
            CheckFailed: Something is not as planned.
            Stopped: Signed bytes of another plan may still land, or it is closed.
        """
        step = self.journal.step(intent.key)
        if step.state is State.FINAL:
            _require_plan(step, intent)
            return step
        if step.closed and not again:
            raise Stopped(Reason(step.halt), step.detail, closed=True)
        with self._halting(intent):
            if step.live:
                _require_plan(step, intent)
                check_files()
                check_chain()
                return step
            check_files()
            self.journal.advance(intent.key, State.COMPUTED, {"plan": intent.plan})
            check_chain()
            self.journal.advance(intent.key, State.CHECKED, {"plan": intent.plan})
            body = {"plan": intent.plan, "words": intent.words}
            return self.journal.advance(intent.key, State.PLANNED, body)

    @contextmanager
    def _halting(self, intent: Intent) -> Iterator[None]:
        """Write into the journal why a step stops."""
        try:
            yield
        except Stopped as error:
            self.journal.halt(intent.key, error.reason, error.detail, closed=error.closed)
            raise
        except CheckFailed as error:
            name = error.findings[0].problem.partition(":")[0]
            self.journal.halt(intent.key, name, str(error))
            raise

    def found(self, intent: Intent) -> bool:
        """Return whether the chain shows a step as done that nothing was signed for here.

        It is then brought to `final` when a finalized block shows it; that is waited for.
        """
        step = self.journal.step(intent.key)
        if step.state is not State.PLANNED or not intent.goal.is_proof:
            return False
        if self._patiently(lambda: self._at_head(intent)) is not Reached.YES:
            return False
        self.watcher.told(
            f"{intent.words}: the chain shows it as done; waiting until that is final"
        )
        deadline = self.quorum.clock.passed() + self.patience
        while True:
            try:
                block = self._finalized()
                if self.reached(intent, block.number) is Reached.YES:
                    self.take_as_done(intent, block, "found on the chain, sent by somebody else")
                    return True
            except NotYet as error:
                self._tell(f"waiting: {error.detail}")
            if self.quorum.clock.passed() > deadline:
                raise Stopped(Reason.NOT_FINAL_YET, f"{intent.words} is done, but not final yet")
            self.quorum.clock.sleep(self.poll)

    def sign(self, intent: Intent, account: LocalAccount, companions: int = 0) -> Variant:
        """Sign a planned step and store the bytes; nothing goes out yet.

        Args:
            intent: What is to be sent.
            account: Who signs.
            companions: How many transactions of the same batch run wait before it.

        Raises:
            Stopped: It cannot or must not be signed.
        """
        sender = str(account.address).lower()
        live = self.journal.live_steps(intent.key.chain_id, sender)
        if len(live) > companions:
            raise Stopped(Reason.UNFINISHED_STEP, f"{live[0].key} of {sender} is not final yet")

        def prepare() -> tuple[int, Offer, Block]:
            block = self._finalized()
            if not self.quorum.agreed("contract", lambda node: self._is_ready(node, intent, block)):
                raise Stopped(Reason.REFUSED, f"{intent.words}: nobody is at {intent.call.to}")
            nonce = self.quorum.nonce_to_use(sender, _after(live), block)
            if intent.movement is not None:  # at the nonce's own block: see movements
                intent.movement.require_open(self.quorum, block)
            return nonce, offer_for(self.quorum, intent, sender), block

        with self._halting(intent):
            intent.require_sender(sender)
            nonce, offer, block = self._patiently(prepare)
            _require_address(intent, sender, nonce)
        return self._store(intent, signed(intent, account, "original", nonce, offer, block.number))

    def replace(
        self, intent: Intent, account: LocalAccount, *, cancel: bool, cap: int | None = None
    ) -> Variant:
        """Sign the same call at a higher price, or nothing in its place; at the same nonce.

        Args:
            intent: What was signed.
            account: Who signed it.
            cancel: Whether nothing is to take its place.
            cap: Wei that it may cost at most; by default the plan's cap.

        Raises:
            Stopped: There is nothing to replace, the caps forbid it, or another account signed.
        """
        step = self.journal.step(intent.key)
        if not step.live:
            raise Stopped(
                Reason.NOTHING_TO_REPLACE, f"{intent.words} has nothing signed that could land"
            )
        last = step.variants[-1]
        if str(account.address).lower() != last.sender:
            raise Stopped(
                Reason.OTHER_SENDER, f"{last.sender} signed {intent.words}, not {account.address}"
            )
        cancels = cancel or last.kind == "cancel"

        def prepare() -> tuple[Offer, Block]:
            block = self._finalized()
            return replacement_for(self.quorum, intent, last, cancel=cancels, cap=cap), block

        offer, block = self._patiently(prepare)
        kind = "cancel" if cancels else "bump"
        return self._store(intent, signed(intent, account, kind, last.nonce, offer, block.number))

    def finish(self, intent: Intent) -> Step:
        """Send what is signed, and watch until it is final.

        Raises:
            Stopped: For a named reason; running it again resumes.
        """
        deadline = self.quorum.clock.passed() + self.patience
        polls = 0
        while True:
            if polls % SEND_EVERY == 0:
                self.send(intent)
            try:
                step = self.look(intent)
                if step.state is State.FINAL:
                    return step
                said = self._where(step)
            except NotYet as error:
                said = f"waiting: {error.detail}"
            self._tell(f"{intent.words}: {said}")
            if self.quorum.clock.passed() > deadline:
                raise self._stop(intent, Stopped(Reason.NOT_FINAL_YET, f"{intent.words}: {said}"))
            polls += 1
            self.quorum.clock.sleep(self.poll)

    def until_mined(self, intent: Intent) -> Step:
        """Send what is signed, and watch until every endpoint has a receipt.

        Raises:
            Stopped: For a named reason; running it again resumes.
        """
        deadline = self.quorum.clock.passed() + self.patience
        polls = 0
        while True:
            if polls % SEND_EVERY == 0:
                self.send(intent)
            try:
                step = self.look(intent)
                if step.state in (State.MINED, State.FINAL):
                    return step
            except NotYet as error:
                self._tell(f"{intent.words}: waiting: {error.detail}")
            if self.quorum.clock.passed() > deadline:
                raise self._stop(
                    intent, Stopped(Reason.NOT_FINAL_YET, f"{intent.words} is in no block yet")
                )
            polls += 1
            self.quorum.clock.sleep(min(self.poll, 2))

    # --- one move ------------------------------------------------------------------------------

    def send(self, intent: Intent) -> None:
        """Hand the latest signed bytes to every endpoint; their answers decide nothing."""
        step = self.journal.step(intent.key)
        if not step.live or step.state is State.MINED:
            return
        variant = step.variants[-1]
        if step.state is State.SIGNED:
            # Written first: from here on an endpoint may have them, whatever it answers.
            self.journal.advance(intent.key, State.BROADCAST, {"transaction": variant.transaction})
        for node in self.quorum.nodes:
            try:
                node.send_raw(variant.raw)
            except (EndpointTrouble, InsufficientFunds, Reverted) as error:
                if NONCE_USED not in str(error):  # then it landed, or `look` tells what did
                    self.watcher.told(f"{intent.words}: {error}")

    def look(self, intent: Intent) -> Step:
        """Look once what became of a step, and write it down.

        Raises:
            NotYet: The endpoints do not tell yet.
            Stopped: For a named reason.
        """
        try:
            return self._look(intent)
        except Stopped as error:
            raise self._stop(intent, error) from None

    def _look(self, intent: Intent) -> Step:
        step = self.journal.step(intent.key)
        if step.state is State.FINAL:
            return step
        self.quorum.require_chain()
        block = self._finalized()
        sender, nonce = step.variants[-1].sender, step.variants[-1].nonce
        if used_up(self.quorum, sender, block.number) > nonce:
            return self._judge(intent, step, block)
        return self._follow(intent, step)

    def _judge(self, intent: Intent, step: Step, block: Block) -> Step:
        """Say what became of a nonce that is used up at a finalized block."""
        landed = landed_in(self.quorum, step, block)
        if landed is None:
            find_foreign(self.quorum, step, block)
            raise NotYet(Reason.ENDPOINT_LAGS, "the receipt is not there yet")
        variant = next(v for v in step.variants if v.transaction == landed.transaction)
        if variant.kind == "cancel":
            detail = f"cancelled by {landed.transaction} in block {landed.block}"
            raise Stopped(Reason.CANCELLED, f"{intent.words} is {detail}", closed=True)
        reached = self.reached(intent, block.number, landed.block)
        if landed.succeeded and reached is not Reached.NO:
            return self._final(intent, block, landed, "", reached)
        if landed.succeeded:
            raise Stopped(
                Reason.GOAL_NOT_REACHED,
                f"{landed.transaction} succeeded in block {landed.block}, yet the contract does "
                f"not show {intent.words} at block {block.number}",
            )
        if reached is Reached.YES and intent.goal.is_proof:
            return self._final(intent, block, landed, "done by somebody else before", reached)
        raise Stopped(
            Reason.TRANSACTION_FAILED,
            f"{landed.transaction} reverted in block {landed.block}: {self._why(intent, step)}",
            closed=True,
        )

    def _follow(self, intent: Intent, step: Step) -> Step:
        """Say whether a nonce that is still open is in a block that is not final yet."""
        latest = step.variants[-1].transaction
        for variant in reversed(step.variants):
            receipts = receipts_of(self.quorum, variant)
            first = receipts[0]
            if first is None or any(receipt != first for receipt in receipts):
                continue
            if step.state is not State.MINED or step.outcome.get("block_hash") != first.block_hash:
                if step.state is State.MINED:
                    self._back_to_broadcast(intent, latest)
                self.journal.advance(intent.key, State.MINED, _outcome(first))
            return self.journal.step(intent.key)
        if step.state is State.MINED:
            self._back_to_broadcast(intent, latest)
            self.send(intent)
        return self.journal.step(intent.key)

    def _back_to_broadcast(self, intent: Intent, transaction: str) -> None:
        self.watcher.told(f"{intent.words}: its block is gone (a reorganisation)")
        self.journal.advance(intent.key, State.BROADCAST, {"transaction": transaction})

    def _final(
        self, intent: Intent, block: Block, landed: Landed | None, note: str, reached: Reached
    ) -> Step:
        body = {} if landed is None else _outcome(landed)
        body |= {
            "final_block": str(block.number),
            "final_block_hash": block.hash,
            "final_block_time": format_time(block.timestamp),
            "goal": str(reached),
            "endpoints": ", ".join(node.name for node in self.quorum.nodes),
            "note": note,
        }
        self.journal.advance(intent.key, State.FINAL, body)
        return self.journal.step(intent.key)

    # --- reading -------------------------------------------------------------------------------

    def _finalized(self) -> Block:
        """Return the agreed finalized block, and write it down: later ones may not fall below."""
        block = self.quorum.finalized()
        if self.quorum.seen is None or block.number > self.quorum.seen.number:
            seen = Seen(block.number, block.hash)
            self.journal.saw(self.quorum.chain_id, seen)
            self.quorum.seen = seen
        return block

    def reached(self, intent: Intent, final: int, landed: int | None = None) -> Reached:
        """Return whether a step's goal is reached in a final block, as every endpoint tells it.

        What it brought about may have been undone since. So before it is said that it brought
        nothing about, the block is looked at in which it landed.

        Raises:
            NotYet: An endpoint does not answer.
            Stopped: They contradict each other.
        """
        what = "state of the contract"
        there = self.quorum.agreed(what, lambda node: intent.goal.reached(node, final))
        if there is not Reached.NO or landed is None or landed == final:
            return there
        return self.quorum.agreed(what, lambda node: intent.goal.reached(node, landed))

    def _at_head(self, intent: Intent) -> Reached:
        self.quorum.require_chain()
        return self.quorum.settled(
            "state of the contract", lambda node: intent.goal.reached(node, "latest")
        )

    def _is_ready(self, node: Node, intent: Intent, block: Block) -> bool:
        """Return whether somebody is there to be called: a call of nobody always succeeds."""
        to = intent.call.to
        return to is None or not intent.call.data or bool(node.code(to, block.number))

    def _why(self, intent: Intent, step: Step) -> str:
        """Return why a call reverts, as far as it still does."""
        sender = step.variants[-1].sender
        for node in self.quorum.nodes:
            try:
                node.call(intent.call, sender=sender)
            except Reverted as error:
                return f"{error.refusal}; {error.next_step}"
            except EndpointTrouble:
                continue
        return "made now it would go through"

    def _where(self, step: Step) -> str:
        """Return where a step stands, and what is waited for."""
        if step.state is not State.MINED:
            return f"sent as {step.variants[-1].transaction}, waiting for a block"
        block, final = int(step.outcome["block"]), self.quorum.seen
        missing = block - final.number if final else 0
        return (
            f"in block {block}; {missing} more blocks must become final (on the OP stack that "
            "takes 20 to 30 minutes; it may be interrupted and run again)"
        )

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        """Ask until the endpoints tell, for a while.

        Raises:
            Stopped: They did not.
        """
        began = self.quorum.clock.passed()
        while True:
            try:
                return ask()
            except NotYet as error:
                # That something becomes final takes its time; an endpoint should soon answer.
                waits_for_chain = error.reason is Reason.FOREIGN_PENDING
                limit = self.patience if waits_for_chain else self.short_patience
                if self.quorum.clock.passed() - began >= limit:
                    raise Stopped(error.reason, error.detail) from None
                self._tell(f"waiting: {error.detail}")
                self.quorum.clock.sleep(self.poll)

    def patiently(self, ask: Callable[[], Answer]) -> Answer:
        """Ask until the endpoints tell, for a while.

        Raises:
            Stopped: They did not.
        """
        return self._patiently(ask)

    def _tell(self, message: str) -> None:
        """Tell what is waited for, once as long as it is the same."""
        if message != self._said:
            self._said = message
            self.watcher.told(message)

    def shown(self, intent: Intent) -> Reached:
        """Return what the contract shows at an agreed final block.

        Raises:
            NotYet: The endpoints do not tell.
            Stopped: They contradict each other.
        """
        return self.reached(intent, self._finalized().number)

    def take_as_done(self, intent: Intent, block: Block, note: str) -> None:
        """Bring a planned step to `final` that a final block shows as made, though not by us."""
        self._final(intent, block, None, note, Reached.YES)

    def finalized(self) -> Block:
        """Return the agreed finalized block.

        Raises:
            NotYet: The endpoints do not tell.
            Stopped: They contradict each other or the journal.
        """
        return self._finalized()

    # --- writing -------------------------------------------------------------------------------

    def _store(self, intent: Intent, variant: Variant) -> Variant:
        """Write signed bytes into the journal: from here on they may land."""
        self.journal.advance(intent.key, State.SIGNED, variant_body(variant))
        self.watcher.told(
            f"{intent.words}: signed ({variant.kind}) at nonce {variant.nonce}, at worst "
            f"{coins(variant.worst_fee)} of the chain's coin"
        )
        return variant

    def _stop(self, intent: Intent, error: Stopped) -> Stopped:
        self.journal.halt(intent.key, error.reason, error.detail, closed=error.closed)
        return error


def _require_plan(step: Step, intent: Intent) -> None:
    if step.plan != intent.plan:
        done = "brought to its end" if step.state is State.FINAL else "begun"
        raise Stopped(
            Reason.OTHER_PLAN, f"{intent.key} was {done} with plan {step.plan}, not {intent.plan}"
        )


def _after(live: list[Step]) -> int:
    """Return the nonce after those of our own transactions that may still wait; 0 without any."""
    return max((step.variants[-1].nonce + 1 for step in live), default=0)


def _require_address(intent: Intent, sender: str, nonce: int) -> None:
    """Check that a contract would be created where the plan says: that follows from the nonce."""
    if intent.call.to is None and created_address(sender, nonce) != intent.key.contract:
        raise Stopped(
            Reason.OTHER_ADDRESS,
            f"at nonce {nonce} {sender} would create {created_address(sender, nonce)}, and the "
            f"plan says {intent.key.contract}",
        )


def _outcome(landed: Landed) -> dict[str, str]:
    return {
        "transaction": landed.transaction,
        "block": str(landed.block),
        "block_hash": landed.block_hash,
        "succeeded": "true" if landed.succeeded else "false",
        "gas": str(landed.gas),
        "fee": str(landed.fee),
    }
