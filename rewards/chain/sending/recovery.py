"""The journal made anew on another machine: from the plans and the chain, without what was lost.

For each plan the chain is asked, at an agreed final block, whether its goal is reached. What is
reached becomes final; all else stays planned, and `rewards submit` goes on with it. That is safe
without the lost bytes: a step is signed at the account's next mined nonce, and any lost transaction
of it could only land at that same nonce or has landed already. What still waits in a pool stops
signing (ForeignPending). An action whose outcome the contract's state does not show (`fund`,
`sweep`) is closed, because only a person can tell whether it was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.chain.journal import State
from rewards.chain.sending.goals import Reached
from rewards.chain.sending.reasons import Reason

if TYPE_CHECKING:
    from rewards.chain.journal import Step
    from rewards.chain.sending.intents import Intent
    from rewards.chain.sending.submitting import Submission


def recover(submission: Submission) -> list[Step]:
    """Bring a plan's steps to where the chain shows them.

    Raises:
        CheckFailed: Files or contract are not as the plan binds them.
        Stopped: The endpoints contradict each other, or do not answer.
    """
    machine = submission.machine
    submission.check_files()
    machine.patiently(machine.quorum.require_chain)
    for intent in submission.intents():
        step = machine.journal.step(intent.key)
        if step.live or step.state is State.FINAL:
            continue
        body = {"plan": intent.plan, "words": intent.words}
        for state in (State.COMPUTED, State.CHECKED, State.PLANNED):
            machine.journal.advance(intent.key, state, body)
        if not intent.goal.is_proof:
            machine.journal.halt(
                intent.key,
                Reason.UNKNOWN_AFTER_LOSS,
                "the contract does not show whether it was made",
                closed=True,
            )
        elif _is_shown(submission, intent):
            machine.found(intent)
    return [machine.journal.step(intent.key) for intent in submission.intents()]


def _is_shown(submission: Submission, intent: Intent) -> bool:
    machine = submission.machine
    return machine.patiently(lambda: machine.shown(intent)) is Reached.YES
