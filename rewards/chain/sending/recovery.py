"""The journal made anew on another machine: from the plans and the chain, without what was lost.

For each plan the chain is asked, at an agreed final block, whether its goal is reached. What is
reached becomes final; all else stays planned, and `rewards submit` goes on with it. That is safe
without the lost bytes: a step is signed at the account's next mined nonce, and any lost transaction
of it could only land at that same nonce or has landed already. What still waits in a pool stops
signing (ForeignPending). Of a step that moves tokens (`fund`, `sweep`) the figure that its plan
binds tells whether it was made; where that has moved otherwise, only a person can tell, and the
step is closed. So is one that leaves nothing of its own in the contract's state (`pause`,
`schedule`), which the contract itself keeps from being made twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.chain.sending.goals import Reached
from rewards.chain.sending.reasons import Reason
from rewards.chain.steps import State

if TYPE_CHECKING:
    from rewards.chain.endpoint import Block
    from rewards.chain.sending.intents import Intent
    from rewards.chain.sending.machine import Machine
    from rewards.chain.sending.movements import Movement
    from rewards.chain.sending.submitting import Submission
    from rewards.chain.steps import Step


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
        if intent.movement is not None:
            _judge_movement(machine, intent, intent.movement)
        elif not intent.goal.is_proof:
            _close(machine, intent, "the contract does not show whether it was made")
        elif _is_shown(submission, intent):
            machine.found(intent)
    return [machine.journal.step(intent.key) for intent in submission.intents()]


def _is_shown(submission: Submission, intent: Intent) -> bool:
    machine = submission.machine
    return machine.patiently(lambda: machine.shown(intent)) is Reached.YES


def _judge_movement(machine: Machine, intent: Intent, movement: Movement) -> None:
    """Say by the figure that a plan binds whether tokens were moved.

    A figure tells how much, not by which plan. So it vouches for one plan only.
    """
    block, there = machine.patiently(lambda: _figure(machine, movement))
    if movement.is_open(there):
        return
    vouched = any(
        step.outcome.get("note") == movement.note
        for step in machine.journal.steps()
        if step.key.contract == intent.key.contract
    )
    if movement.is_made(there) and not vouched:
        machine.take_as_done(intent, block, movement.note)
        return
    detail = f"{movement.figure.moved(there - movement.planned)} since it was planned"
    _close(machine, intent, detail + (", which another plan explains" if vouched else ""))


def _figure(machine: Machine, movement: Movement) -> tuple[Block, int]:
    block = machine.finalized()
    return block, movement.at(machine.quorum, block)


def _close(machine: Machine, intent: Intent, detail: str) -> None:
    machine.journal.halt(intent.key, Reason.UNKNOWN_AFTER_LOSS, detail, closed=True)
