"""Tokens moved by a call that the chain would take twice: what shows that it was made already.

A proposal, a claim or an activation can happen once: the contract refuses the second. A plain
transfer to the distributor (`fund`), a `sweep`, and the allowance of an Airdrop's reserve can be
made again by whoever holds the plan, from another machine or after a journal was lost. So such a
plan binds two things:

- its sender. One account has one nonce after any block, and for the Safe it is the Safe's own;
- a figure of the chain that the step changes and claims leave alone, as it was when planned.

Before a signature the figure is read at the same final block as the nonce, and must be unchanged.
Either the other submitter's transaction is in that block, then the figure has moved and nothing is
signed; or it is not, then both were signed for the same nonce and one of them can land. A Safe gets
the step as its next transaction only, for the same reason; from `rewards submit --safe`, because
`rewards safe export` works offline and asks no chain.

What no check can see are two plans for the same money that two accounts send at the same moment.
Then the contract holds more than it owes, and a `sweep` brings the surplus to the treasury.

A gift of less than a hundredth of the amount passes, so that nobody can hold up a settlement by
sending dust. What offsets the figure is a sweep of exactly what was funded: then the tokens are
back in the treasury, and the plan may indeed be carried out again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from rewards.chain.distributor import Distributor, Token
from rewards.chain.endpoint import LATEST
from rewards.chain.sending.reasons import NotYet, Reason
from rewards.errors import CheckFailed, Finding
from rewards.files.outputs import format_wct

if TYPE_CHECKING:
    from rewards.chain.endpoint import Block, Endpoint
    from rewards.chain.sending.quorum import Quorum

RECEIVED = "received"
"""The name of the figure in a plan's totals."""
GIFT_SHARE = 100
"""A rise of up to the hundredth part of the amount counts as a gift, not as the step."""


class Figure(Protocol):
    """A number of base units on the chain."""

    lasts: ClassVar[bool]
    """Whether it stays as the step leaves it until somebody takes the step back."""

    def read(self, endpoint: Endpoint, at: int | str) -> int:
        """Return it, as one endpoint sees one block."""

    def moved(self, rise: int) -> str:
        """Return in words that it rose, or fell where `rise` is below 0."""


@dataclass(frozen=True, slots=True)
class Received:
    """What a distributor received of a token: what it holds, and all that it paid out in claims.

    Claims leave it as it is, whatever funds it raises it, a sweep lowers it. `pays` says whether
    the token is the one that the distributor pays out.
    """

    lasts: ClassVar[bool] = True

    contract: str
    token: str
    pays: bool = True

    def read(self, endpoint: Endpoint, at: int | str) -> int:
        """Return it."""
        held = Token(endpoint, self.token).balance(self.contract, at)
        paid = Distributor(endpoint, self.contract).active(at).claimed_total if self.pays else 0
        return held + paid

    def moved(self, rise: int) -> str:
        """Return it in words."""
        amount = f"{format_wct(abs(rise))} WCT" if self.pays else f"{abs(rise)} base units"
        return f"the contract received {amount}" if rise > 0 else f"{amount} were swept from it"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a contract may take of an owner's tokens; each claim takes some of it."""

    lasts: ClassVar[bool] = False

    contract: str
    token: str
    owner: str

    def read(self, endpoint: Endpoint, at: int | str) -> int:
        """Return it."""
        return Token(endpoint, self.token).allowance(self.owner, self.contract, at)

    def moved(self, rise: int) -> str:
        """Return it in words."""
        return f"the allowance {'rose' if rise > 0 else 'fell'} by {format_wct(abs(rise))} WCT"


@dataclass(frozen=True, slots=True)
class Movement:
    """By how much a step changes a figure.

    Attributes:
        figure: The figure.
        planned: What it was when the step was planned; base units.
        change: What the step adds; below 0 what it takes away.
        already: The name of the refusal where it was made already.
    """

    figure: Figure
    planned: int
    change: int
    already: str

    def is_open(self, there: int) -> bool:
        """Return whether the step is not made yet, given what the figure is."""
        return 0 <= there - self.planned <= abs(self.change) // GIFT_SHARE

    def is_made(self, there: int) -> bool:
        """Return whether exactly this step was made since."""
        return there == self.planned + self.change

    def at(self, quorum: Quorum, block: Block) -> int:
        """Return what the figure is in a final block, as every endpoint tells it."""
        return quorum.agreed("figure", lambda node: self.figure.read(node, block.number))

    def require_open(self, quorum: Quorum, block: Block) -> None:
        """Check that the step is not made yet, in a final block and in the newest.

        Raises:
            NotYet: An endpoint does not answer, or it was made and that is not final yet.
            Stopped: They contradict each other.
            CheckFailed: It was made, or something else has moved since the plan.
        """
        there = self.at(quorum, block)
        if not self.is_open(there):
            raise CheckFailed(self.refusal(there))
        newest = quorum.settled("figure", lambda node: self.figure.read(node, LATEST))
        if not self.is_open(newest):
            problem = self.refusal(newest).problem
            raise NotYet(Reason.FOREIGN_PENDING, f"{problem}; that is not final yet")

    def refusal(self, there: int) -> Finding:
        """Return why the step is not made, given what the figure is."""
        rise = there - self.planned
        made = rise != 0 and (rise > 0) == (self.change > 0)
        name = self.already if made else "StalePlan"
        problem = f"{name}: {self.figure.moved(rise)} since it was planned"
        remedy = (
            "nothing was sent: find out who sent that; if it was this step, it is done, else make "
            "the plan anew"
            if made
            else "nothing was sent; make the plan anew with `rewards plan`"
        )
        return Finding("the chain", problem, remedy, column=RECEIVED, value=str(there))

    @property
    def note(self) -> str:
        """What a receipt says of a step that the chain shows as made, and the journal does not."""
        before, after = self.planned, self.planned + self.change
        return f"found on the chain, sent by somebody else: {before} became {after}"
