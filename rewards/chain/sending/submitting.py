"""One plan, from the file to the receipt: what `rewards submit` does, without asking anybody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rewards.chain.sending.drift import (
    require_contract,
    require_files,
    require_gate,
    require_open,
    require_still_wanted,
    require_unmoved,
)
from rewards.chain.sending.goals import All
from rewards.chain.sending.intents import intents_of
from rewards.chain.sending.reasons import Reason, Stopped
from rewards.chain.sending.receipts import write_receipt
from rewards.chain.steps import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from eth_account.signers.local import LocalAccount

    from rewards.chain.plan import Plan
    from rewards.chain.sending.intents import Intent
    from rewards.chain.sending.machine import Machine
    from rewards.chain.steps import Step


@dataclass
class Submission:
    """A plan on its way.

    Attributes:
        plan: The plan.
        machine: Journal and endpoints.
        folder_of: The published folder of an epoch.
        receipts: Where receipts are written.
        attempt: Which time it is, where the plan's calls do not say that.
        action: What the journal calls it; None: as the plan does.
    """

    plan: Plan
    machine: Machine
    folder_of: Callable[[int], Path]
    receipts: Path
    attempt: int | None = None
    action: str | None = None

    def intents(self) -> list[Intent]:
        """Return the plan's transactions."""
        return intents_of(self.plan, self.attempt, self.action)

    def check_files(self) -> None:
        """Refuse files and verdicts that are not as the plan binds them.

        Raises:
            CheckFailed: They are not.
        """
        require_files(self.plan, self.folder_of)
        require_gate(self.plan)

    def check_chain(self, intent: Intent) -> None:
        """Refuse a chain that is not as the plan binds it.

        Raises:
            CheckFailed: It is not.
            Stopped: It cannot be asked, or contradicts itself.
        """
        self.machine.patiently(lambda: self._check_chain(intent))

    def _check_chain(self, intent: Intent) -> None:
        quorum, step = self.machine.quorum, self.machine.journal.step(intent.key)
        quorum.require_chain()
        block = self.machine.finalized()
        require_contract(self.plan, quorum, block)
        if step.live:
            require_still_wanted(intent, step, quorum, block)
        else:
            require_open(self.plan, quorum)
            require_unmoved(self.plan, quorum, block)
            if intent.movement is not None:
                intent.movement.require_open(quorum, block)

    def begin(self, *, again: bool = False) -> bool:
        """Bring every step to `planned`; return whether anything is left to be signed.

        Raises:
            CheckFailed: Something is not as the plan binds it.
            Stopped: For a named reason.
        """
        unsigned = False
        for intent in self.intents():
            self._require_not_handed_over(intent)
            step = self._begun(intent, again=again)
            if step.state is State.PLANNED and not self.machine.found(intent):
                unsigned = True
        return unsigned

    def _require_not_handed_over(self, intent: Intent) -> None:
        """Check that no Safe has the step in hand: nothing of it is ours to send."""
        step = self.machine.journal.step(intent.key)
        if step.live and step.variants[-1].is_safe_tx:
            last = step.variants[-1]
            raise Stopped(
                Reason.OTHER_SENDER,
                f"{intent.words} was handed to the Safe {last.sender} at its nonce {last.nonce}: "
                "give --safe and --nonce to watch it",
            )

    def _begun(self, intent: Intent, *, again: bool) -> Step:
        return self.machine.begin(
            intent, self.check_files, lambda: self.check_chain(intent), again=again
        )

    def run(self, account: Callable[[], LocalAccount]) -> list[Step]:
        """Sign what is not signed, send, watch to the end; write the receipt.

        Args:
            account: Unlocks the key; only called when something is to be signed.

        Raises:
            Stopped: For a named reason; running it again resumes.
        """
        steps = []
        try:
            for intent in self.intents():
                step = self.machine.journal.step(intent.key)
                if step.state is State.PLANNED:
                    self.machine.sign(intent, account())
                if self.machine.journal.step(intent.key).state is not State.FINAL:
                    self.machine.finish(intent)
                steps.append(self.machine.journal.step(intent.key))
        finally:
            self.write_receipt()
        return steps

    # --- by a Safe, which makes all calls in one transaction -----------------------------------

    def whole(self) -> Intent:
        """Return all of the plan's calls as one step."""
        first, *rest = self.intents()
        goals = All([first.goal, *(intent.goal for intent in rest)])
        return replace(first, goal=goals if rest else first.goal, words=str(first.key))

    def begin_whole(self, *, again: bool = False) -> bool:
        """Bring the one step to `planned`; return whether it is still to be handed over."""
        intent = self.whole()
        step = self._begun(intent, again=again)
        return step.state is State.PLANNED and not self.machine.found(intent)

    def is_done_as_a_whole(self) -> bool:
        """Return whether the one step is final."""
        return self.machine.journal.step(self.whole().key).state is State.FINAL

    def write_receipt(self) -> Path:
        """Write the receipt beside the epoch, from the journal, and return its path."""
        return write_receipt(self.machine.journal, self.plan, self.receipts)
