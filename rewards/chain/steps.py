"""A step: one transaction to be made, from the plan to the final block, as the journal tells it.

A key has rounds: the next one begins only when nothing signed in the last can land any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from rewards.errors import InvariantBroken

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    """Where a step stands."""

    COMPUTED = "computed"
    """Its epoch is published and its files are those that the plan binds."""
    CHECKED = "checked"
    """The chain is the one planned for, and the contract is ready for the step."""
    PLANNED = "planned"
    """The plan is bound to the key: no other plan can take its place."""
    SIGNED = "signed"
    """Signed bytes are stored; from here on they may land."""
    BROADCAST = "broadcast"
    """The bytes were handed to at least one endpoint, or may have been."""
    MINED = "mined"
    """Every endpoint asked has a receipt; a reorganisation may still take it back."""
    FINAL = "final"
    """Every endpoint asked sees the outcome at a finalized block."""
    HALTED = "halted"
    """Stopped for a named reason."""


FOLLOWERS: Mapping[State | None, set[State]] = {
    None: {State.COMPUTED, State.HALTED},
    # Computed again: the next round, as long as nothing is signed.
    State.COMPUTED: {State.COMPUTED, State.CHECKED, State.HALTED},
    State.CHECKED: {State.COMPUTED, State.PLANNED, State.HALTED},
    # Final without a signature of ours: the chain had it already.
    State.PLANNED: {State.COMPUTED, State.SIGNED, State.FINAL, State.HALTED},
    # Signed again is a fee bump or a cancellation, at the same nonce.
    State.SIGNED: {State.SIGNED, State.BROADCAST, State.HALTED},
    # Broadcast after mined is a reorganisation.
    State.BROADCAST: {State.SIGNED, State.MINED, State.FINAL, State.HALTED},
    State.MINED: {State.SIGNED, State.BROADCAST, State.FINAL, State.HALTED},
    State.FINAL: set(),
}


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What a step is known by; `epoch` and `attempt` are 0 where the action has none."""

    chain_id: int
    contract: str
    epoch: int
    attempt: int
    action: str
    part: int = 0

    def __str__(self) -> str:
        """Return the key for a person."""
        epoch = f" of epoch {self.epoch}" if self.epoch else ""
        attempt = f", attempt {self.attempt}" if self.attempt > 1 else ""
        part = f", part {self.part}" if self.part else ""
        return f"{self.action}{epoch}{attempt}{part}"


@dataclass(frozen=True, slots=True)
class Variant:
    """One set of signed bytes for a step. All that may still land have the same nonce.

    Attributes:
        kind: `original`, `bump` (the same call, a higher price) or `cancel` (nothing, to oneself).
        raw: The signed bytes.
        transaction: Their hash.
        sender: Who signed.
        nonce: The sender's nonce.
        gas: The gas limit.
        max_fee: Highest price, wei per gas.
        tip: Of it at most to the producer, wei per gas.
        worst_fee: What it can cost at most, wei, the value sent along included.
        since: The last finalized block when it was signed: it cannot have landed before.
    """

    kind: str
    raw: bytes
    transaction: str
    sender: str
    nonce: int
    gas: int
    max_fee: int
    tip: int
    worst_fee: int
    since: int

    @property
    def is_safe_tx(self) -> bool:
        """Whether a Safe's owners sign it, and `transaction` is its safeTxHash: no gas is ours."""
        return self.gas == 0


@dataclass(frozen=True, slots=True)
class Step:
    """A step as its rows tell it.

    Attributes:
        state: Where it stands; a halt that can be resumed keeps the state before it.
        halt: The reason of the last halt, when nothing came after it.
        detail: The halt in words.
        closed: Whether the halt is for good: what was signed can never land any more.
        variants: What was signed and may still land or has landed, the latest last.
        outcome: What became of it: transaction, block, fee and so on, as text.
    """

    key: Key
    state: State | None = None
    round: int = 0
    plan: str = ""
    words: str = ""
    halt: str = ""
    detail: str = ""
    closed: bool = False
    variants: tuple[Variant, ...] = ()
    outcome: Mapping[str, str] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Whether something signed may still land."""
        return bool(self.variants) and not self.closed and self.state is not State.FINAL

    @property
    def shown_state(self) -> str:
        """The state for a person: `halted` with its reason where it stopped."""
        if self.halt:
            return f"{State.HALTED} ({self.halt}, after {self.state or 'nothing'})"
        return str(self.state or "new")


@dataclass(frozen=True, slots=True)
class Seen:
    """The last finalized block that a decision rested on."""

    number: int
    hash: str


def folded(step: Step, state: State, body: Mapping[str, str]) -> Step:
    """Return the step after one more row."""
    if state is State.HALTED:
        return replace(
            step, halt=body["reason"], detail=body["detail"], closed=body["closed"] == "true"
        )
    after = replace(step, state=state, halt="", detail="", closed=False)
    if state is State.COMPUTED:
        return replace(after, variants=(), outcome={})
    if state is State.PLANNED:
        words = body["words"]
        return replace(after, round=step.round + 1, plan=body["plan"], words=words)
    if state is State.SIGNED:
        return replace(after, variants=(*step.variants, variant_from(body)), outcome={})
    if state in (State.MINED, State.FINAL):
        return replace(after, outcome=dict(body))
    return replace(after, outcome={}) if state is State.BROADCAST else after


def require_one_nonce(step: Step, body: Mapping[str, str]) -> None:
    """Refuse a signature at a second nonce while something at the first could still land."""
    fresh = body["kind"] == "original"
    if fresh and step.live:
        raise InvariantBroken(f"journal: {step.key} is signed already and may still land")
    if not fresh and (not step.live or step.variants[-1].nonce != int(body["nonce"])):
        raise InvariantBroken(f"journal: {step.key} may be replaced at its own nonce only")


def variant_from(body: Mapping[str, str]) -> Variant:
    """Return the signed bytes that a row holds."""
    return Variant(
        kind=body["kind"],
        raw=bytes.fromhex(body["raw"]),
        transaction=body["transaction"],
        sender=body["sender"],
        nonce=int(body["nonce"]),
        gas=int(body["gas"]),
        max_fee=int(body["max_fee"]),
        tip=int(body["tip"]),
        worst_fee=int(body["worst_fee"]),
        since=int(body["since"]),
    )


def variant_body(variant: Variant) -> dict[str, str]:
    """Return signed bytes as a row holds them."""
    return {
        "kind": variant.kind,
        "raw": variant.raw.hex(),
        "transaction": variant.transaction,
        "sender": variant.sender,
        "nonce": str(variant.nonce),
        "gas": str(variant.gas),
        "max_fee": str(variant.max_fee),
        "tip": str(variant.tip),
        "worst_fee": str(variant.worst_fee),
        "since": str(variant.since),
    }
