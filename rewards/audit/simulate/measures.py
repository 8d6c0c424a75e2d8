"""What a range paid and to whom, and how two runs of it differ. Amounts are base units."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from rewards.audit.concentration import gini, lorenz, top_share
from rewards.audit.pools import PoolRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction

    from rewards.audit.simulate.replay import Run

PROGRAMS = ("nodes", "wallets")
POOLS_OF = {"nodes": ("nodes",), "wallets": ("wallets_eligible", "wallets_certified")}

Recipient = tuple[str, str]
"""(program, id)."""


class Measured:
    """A run in numbers."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self.run.name

    @cached_property
    def recipients(self) -> dict[Recipient, int]:
        """What each id of each program was paid over the range, in id order."""
        amounts: defaultdict[Recipient, int] = defaultdict(int)
        for epoch in self.run.epochs:
            for node in epoch.result.nodes:
                amounts["nodes", node.node_id] += node.paid
            for wallet in epoch.result.wallets:
                amounts["wallets", wallet.wallet_id] += wallet.amount
        return dict(sorted(amounts.items()))

    @cached_property
    def accounts(self) -> dict[str, int]:
        """What was added to each address's cumulative amount over the range."""
        amounts: defaultdict[str, int] = defaultdict(int)
        for epoch in self.run.epochs:
            for row in epoch.result.allocations:
                amounts[row.account] += row.epoch_amount
        return dict(sorted(amounts.items()))

    @cached_property
    def payees(self) -> dict[str, dict[str, int]]:
        """Per program: what each address was paid by it over the range."""
        amounts: dict[str, defaultdict[str, int]] = {p: defaultdict(int) for p in PROGRAMS}
        for epoch in self.run.epochs:
            for row in epoch.result.allocations:
                amounts["nodes"][row.account] += row.node_amount
                amounts["wallets"][row.account] += row.wallet_amount
        return {program: dict(rows) for program, rows in amounts.items()}

    @cached_property
    def changes(self) -> Counter[str]:
        """How often nodes changed their status over the range, by the step that did it."""
        return Counter(
            str(move.step) for epoch in self.run.epochs for move in epoch.result.transitions
        )

    def budget(self, pools: Iterable[str], epochs: Sequence[int] | None = None) -> PoolRow:
        """Return where the money of pools went, over the range or some of its epochs."""
        total = PoolRow()
        for epoch in self.run.epochs:
            if epochs is not None and epoch.epoch not in epochs:
                continue
            for identity in epoch.result.identities:
                if identity.name in pools:
                    total += PoolRow(identity.whole[1], **identity.plus)
        return total

    @property
    def paid(self) -> int:
        """What both programs paid over the range."""
        return sum(self.recipients.values())


@dataclass(frozen=True, slots=True)
class Concentration:
    """How a program's pay is spread over payees (addresses).

    Attributes:
        payees: How many get anything.
        largest: The largest payee's share.
        top10: The ten largest payees' share.
        gini: Over everybody whom any of the compared runs pays, so that runs can be compared.
    """

    payees: int
    largest: Fraction
    top10: Fraction
    gini: Fraction


def population(runs: Sequence[Measured], program: str) -> list[str]:
    """Return the addresses that a program pays in any of the runs."""
    return sorted({a for run in runs for a, paid in run.payees[program].items() if paid})


def concentration(run: Measured, program: str, people: Sequence[str]) -> Concentration:
    """Return how a program's pay is spread over a population."""
    amounts = [run.payees[program].get(account, 0) for account in people]
    return Concentration(
        sum(amount > 0 for amount in amounts),
        top_share(amounts, 1),
        top_share(amounts, 10),
        gini(amounts),
    )


def lorenz_of(
    run: Measured, program: str, people: Sequence[str]
) -> list[tuple[Fraction, Fraction]]:
    """Return the Lorenz curve of a program's pay over a population."""
    return lorenz(run.payees[program].get(account, 0) for account in people)


@dataclass(frozen=True, slots=True)
class Move:
    """What a recipient gets in two runs."""

    recipient: Recipient
    before: int
    after: int

    @property
    def delta(self) -> int:
        """The change; negative for a loss."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Comparison:
    """All recipients in two runs, the largest moves first."""

    moves: tuple[Move, ...]

    @property
    def winners(self) -> list[Move]:
        """Who gets more."""
        return [move for move in self.moves if move.delta > 0]

    @property
    def losers(self) -> list[Move]:
        """Who gets less."""
        return [move for move in self.moves if move.delta < 0]

    @property
    def same(self) -> int:
        """How many get the same, not counting those who get nothing in either."""
        return sum(move.delta == 0 and move.after > 0 for move in self.moves)

    @property
    def gained(self) -> int:
        """What the winners gain together."""
        return sum(move.delta for move in self.winners)

    @property
    def lost(self) -> int:
        """What the losers lose together."""
        return -sum(move.delta for move in self.losers)


def compare_runs(before: Measured, after: Measured) -> Comparison:
    """Return every recipient's amounts in both runs."""
    moves = [
        Move(recipient, before.recipients.get(recipient, 0), after.recipients.get(recipient, 0))
        for recipient in sorted({*before.recipients, *after.recipients})
    ]
    return Comparison(tuple(sorted(moves, key=lambda m: (-abs(m.delta), m.recipient))))
