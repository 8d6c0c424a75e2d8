"""The interface behind which every settlement target stands, and what a plan gets from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from rewards.chain.endpoint import LATEST
from rewards.errors import Finding, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.chain.endpoint import Call, Endpoint
    from rewards.chain.plan import PlannedCall
    from rewards.targets.settling import Settling


@dataclass(frozen=True, slots=True)
class Terms:
    """Who and where: what no epoch says. A target reads the terms it needs.

    Addresses are lower-case `0x` text.

    Attributes:
        contract: The target's contract.
        sender: Who is to sign: roles are checked for this account.
        reserve: Airdrop: who holds the tokens that claims pull by allowance.
        admin: Airdrop: its administrator.
        pauser: Airdrop: who may pause it.
        creation_code: Airdrop: the compiled contract; its constructor's arguments are appended.
        reference: Airdrop: a deployed Airdrop that is known good; the code must equal its.
        earlier: Airdrop: every Airdrop that was deployed before and may still pay somebody.
        at_once: URD: set the root without its timelock, where role and timelock allow that.
    """

    contract: str | None = None
    sender: str | None = None
    reserve: str | None = None
    admin: str | None = None
    pauser: str | None = None
    creation_code: bytes = b""
    reference: str | None = None
    earlier: tuple[str, ...] = ()
    at_once: bool = False

    def need(self, name: str) -> str:
        """Return a term that must be there.

        Raises:
            InvalidInput: It is not.
        """
        value = getattr(self, name)
        if not value:
            remedy = f"say which {name.replace('_', ' ')} is meant"
            raise InvalidInput(Finding(name, "is needed for this action", remedy))
        return str(value)


@dataclass(frozen=True, slots=True)
class ClaimCall:
    """One payee's claim; `sender` is None where anybody may send it."""

    account: str
    amount: int
    sender: str | None
    call: Call


@dataclass(slots=True)
class Checks:
    """What the checks before signing came to.

    Attributes:
        findings: Each one blocks: nothing may be signed.
        notes: What whoever signs should know; nothing is wrong.
        facts: What the chain said, as text; equal for endpoints that agree.
    """

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    def find(self, problem: str, remedy: str, *, column: str, value: object = "") -> None:
        """Add a finding about the chain."""
        self.findings.append(Finding("the chain", problem, remedy, column=column, value=str(value)))

    def expect(self, column: str, there: str, expected: str, remedy: str) -> None:
        """Note what is there, and find it wrong unless it is what is expected."""
        self.facts[column] = there
        if there != expected:
            self.find(f"is not {expected}", remedy, column=column, value=there)


class Target(Protocol):
    """A contract that settles epochs, and the distribution in the form that it takes.

    A target is made from published epochs alone, so it needs no chain; the same epochs give the
    same document. Only `check` asks a chain, and nothing here signs or sends.
    """

    kind: ClassVar[str]
    """The target's name on the command line and in files."""
    actions: ClassVar[tuple[str, ...]]
    """What `calls` and `check` know: a plan's words for them, in the order of a settlement."""

    @property
    def settling(self) -> Settling:
        """What is being settled."""

    @property
    def root(self) -> bytes | None:
        """The Merkle root; None where the target has no tree."""

    @property
    def totals(self) -> dict[str, int]:
        """What is settled, in base units, as a plan's `totals`."""

    def document(self, contract: str | None = None) -> dict[str, Any]:
        """Return the distribution file: JSON in the form that the target's own tools read.

        Args:
            contract: The contract to name in it, where that is known already.
        """

    def calls(self, action: str, terms: Terms) -> tuple[PlannedCall, ...]:
        """Return the transactions of an action, in order, each by the same sender.

        Raises:
            InvalidInput: No such action, or a term is missing.
        """

    def check(
        self, action: str, terms: Terms, endpoint: Endpoint, at: int | str = LATEST
    ) -> Checks:
        """Hold an action against the chain, before anybody signs.

        Args:
            action: One of `actions`, or `claim` where payees claim: that everything is in place.
            terms: Who and where.
            endpoint: Whom to ask.
            at: The block; the same number for every endpoint asked.

        Raises:
            InvalidInput: No such action, or a term is missing.
            EndpointTrouble: The endpoint gives no usable answer.
        """

    def claims(self, terms: Terms) -> list[ClaimCall]:
        """Return every payee's claim, in address order; empty where the target pays nothing."""


def require_action(target: type[Target], action: str, actions: Sequence[str]) -> None:
    """Refuse an action that a target does not know.

    Raises:
        InvalidInput: It does not.
    """
    if action not in actions:
        raise InvalidInput(
            Finding(
                target.kind,
                "has no such action",
                "it has " + ", ".join(actions),
                column="action",
                value=action,
            )
        )
