"""Where every epoch and transaction stands, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rewards.chain.distributor import Distributor, ProposalStatus
from rewards.chain.sending.reasons import NEXT_STEP, Reason
from rewards.chain.steps import State
from rewards.files.grammar import format_time
from rewards.files.outputs import format_wct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.chain.distributor import ActiveState, PendingState
    from rewards.chain.endpoint import Block
    from rewards.chain.sending.quorum import Quorum
    from rewards.chain.steps import Step
    from rewards.files.manifest import Manifest


PUBLISHED = "published"
PENDING = "pending"
PROPOSED = "proposed"
NOTHING = "nothing"
WRONG_ROOT = "WRONG ROOT"
SETTLE_NOTHING = (NOTHING, WRONG_ROOT)
"""The standings of an epoch that settles no other."""
UNDECIDED = (PENDING, PROPOSED, WRONG_ROOT)
"""The standings of an epoch upon which no later one can be proposed yet."""


@dataclass(frozen=True, slots=True)
class OnChain:
    """What a contract says at an agreed final block."""

    block: Block
    active: ActiveState
    pending: PendingState


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an epoch stands, in a word and in a sentence, and what to do next."""

    epoch: int
    status: str
    meaning: str
    next_step: str


def read_contract(quorum: Quorum, address: str, block: Block) -> OnChain:
    """Return what a contract says, as every endpoint tells it.

    Raises:
        NotYet: An endpoint does not answer.
        Stopped: They contradict each other.
    """
    at = block.number
    return OnChain(
        block,
        quorum.agreed("active epoch", lambda node: Distributor(node, address).active(at)),
        quorum.agreed("proposal", lambda node: Distributor(node, address).pending(at)),
    )


def epoch_standing(
    manifest: Manifest, steps: Sequence[Step], chain: OnChain | None, now: int
) -> Standing:
    """Return where an epoch stands: the chain's word first, then the journal's.

    Args:
        manifest: The epoch's.
        steps: The journal's steps of this epoch and contract.
        chain: What the contract says; None where no endpoint was asked.
        now: UTC seconds.
    """
    epoch = manifest.epoch
    moving = next((step for step in steps if is_moving(step)), None)
    if manifest.root is None:
        return Standing(epoch, NOTHING, "nobody has a cumulative amount", "nothing is to do")
    if chain is not None:
        found = _on_chain(manifest, chain, now)
        if found is not None:
            return found
    if moving is not None:
        return Standing(epoch, moving.shown_state, str(moving.key), step_advice(moving))
    done = {step.key.action for step in steps}
    for action, status, advice in (
        ("activate", "activated", "`rewards push` claims for everybody; `rewards unclaimed` lists"),
        ("propose", PROPOSED, "`rewards plan --action activate` once the delay is over"),
    ):
        if action in done:
            return Standing(epoch, status, "final, by the journal", advice)
    return Standing(epoch, PUBLISHED, "not proposed yet", _plan_of(epoch))


def settled_together(standings: Sequence[Standing]) -> list[Standing]:
    """Return how epochs of one contract stand, where a later one settles those before it.

    Amounts are cumulative: one plan, of the last epoch published, settles every one up to it. While
    an epoch waits for its activation, the gate lets none after it be proposed.

    Args:
        standings: How each stands by itself, ascending.
    """
    told = list(standings)
    last: int | None = None
    for place in reversed(range(len(told))):
        one = told[place]
        if one.status in SETTLE_NOTHING:
            continue
        if one.status != PUBLISHED or last is None:
            last = place
            continue
        later = told[last]
        told[place] = replace(one, next_step=f"nothing: epoch {later.epoch} settles it too")
        if later.status == PUBLISHED:
            advice = f"{_plan_of(later.epoch)}: one plan settles the earlier ones too"
            told[last] = replace(later, next_step=advice)
    return _after_the_undecided(told)


def _after_the_undecided(told: list[Standing]) -> list[Standing]:
    """Let the plan of a last epoch wait for an earlier one that is undecided."""
    waits_for = max((one.epoch for one in told if one.status in UNDECIDED), default=None)
    if waits_for is None:
        return told
    return [
        replace(one, next_step=f"once epoch {waits_for} is decided: {one.next_step}")
        if one.status == PUBLISHED and one.epoch > waits_for and one.next_step.startswith("`")
        else one
        for one in told
    ]


def _plan_of(epoch: int) -> str:
    return f"`rewards plan {epoch} --action propose`"


def _on_chain(manifest: Manifest, chain: OnChain, now: int) -> Standing | None:
    epoch, active, pending = manifest.epoch, chain.active, chain.pending
    if active.epoch > epoch:
        return Standing(
            epoch, "superseded", f"epoch {active.epoch} is active and settles it too", "nothing"
        )
    if active.epoch == epoch:
        if "0x" + active.root.hex() != manifest.root:
            return Standing(
                epoch, WRONG_ROOT, "another distribution is active", "stop; find out who settled"
            )
        if active.outstanding:
            advice = "`rewards push` claims for everybody; `rewards unclaimed` lists them"
            open_ = format_wct(active.outstanding)
            return Standing(epoch, "active", f"{open_} WCT are open", advice)
        return Standing(epoch, "paid", "everything is claimed", "nothing is to do")
    if pending.epoch != epoch or pending.status is ProposalStatus.NONE:
        return None
    if pending.status is not ProposalStatus.PENDING:
        word = pending.status.name.lower()
        advice = "mend what was wrong, then `rewards plan --action propose`: the next attempt"
        return Standing(epoch, word, f"attempt {pending.attempt} is {word}", advice)
    if "0x" + pending.root.hex() != manifest.root:
        return Standing(epoch, WRONG_ROOT, "another root is pending", "have it vetoed")
    since = format_time(pending.activatable_at)
    advice = (
        "`rewards plan --action activate`, then submit it"
        if now >= pending.activatable_at
        else f"wait until {since}; a guardian may veto it"
    )
    return Standing(epoch, PENDING, f"can be activated from {since} on", advice)


def is_moving(step: Step) -> bool:
    """Return whether something is still to do about a step."""
    return step.state is not State.FINAL and step.halt != Reason.REPLANNED


def step_advice(step: Step) -> str:
    """Return what to do about a step."""
    if step.halt in {str(reason) for reason in Reason}:
        return NEXT_STEP[Reason(step.halt)]
    word = step.key.action.partition(" ")[0]
    command = f"`rewards {word}`" if word in OWN_COMMANDS else "`rewards submit` with its plan"
    if step.halt:
        return f"mend what it says, and run {command} again"
    if step.state is State.FINAL:
        return "nothing is to do"
    if step.live:
        return f"run {command} again: it goes on watching, and needs no key"
    return f"run {command} again: nothing is signed yet"


OWN_COMMANDS = ("push", "claim")
"""Steps that are planned and sent by a command of their own."""
