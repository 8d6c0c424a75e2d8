"""Section 5, `apportion`: divide a pool by weights, to the last base unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.rules.integers import WAD

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Apportionment:
    """The amounts, in the order of the weights, and the numbers that made them.

    Attributes:
        amounts: Base units per member, as a sequence of integers or a column of them; the rest of
            the pool is unallocated.
        cap_amount: K, or None without a cap.
        rounds: The members that left with K, round by round.
        rest_pool: Q, what is left for the members that did not leave.
        rest_weight: W, the sum of their weights.
        units: How many members got one unit more than their floor.
        last_unit: (remainder, position) of the last member that got one; None when none did.
    """

    amounts: Any
    cap_amount: int | None
    rounds: tuple[tuple[int, ...], ...]
    rest_pool: int
    rest_weight: int
    units: int
    last_unit: tuple[int, int] | None

    @property
    def total(self) -> int:
        """What was given out."""
        amounts = self.amounts
        return int(amounts.sum()) if hasattr(amounts, "sum") else sum(amounts)


def passes_cap(pool: int, weight: Any, total: int, cap_amount: int) -> Any:
    """Return whether a weight's share of what is left would be more than K."""
    return pool * weight > cap_amount * total


def share(pool: int, weight: Any, total: int) -> Any:
    """Return (q, r): a weight's share of the pool rounded down, and the remainder."""
    return divmod(pool * weight, total)


def apportion(pool: int, weights: Sequence[int], cap: int | None) -> Apportionment:
    """Divide `pool` among members by `weights`, each at most `pool * cap // WAD`.

    The members stand in id order: a tie of remainders goes to the earlier one.
    What nobody can take (no weight above 0, or everybody at the cap) is not allocated.
    """
    members = [i for i, weight in enumerate(weights) if weight > 0]
    amounts = [0] * len(weights)
    rounds: list[tuple[int, ...]] = []
    rest_pool = pool
    cap_amount = None
    if cap is not None:
        cap_amount = pool * cap // WAD
        while True:
            total = sum(weights[i] for i in members)
            leaving = tuple(
                i for i in members if passes_cap(rest_pool, weights[i], total, cap_amount)
            )
            if not leaving:
                break
            for i in leaving:
                amounts[i] = cap_amount
            rounds.append(leaving)
            members = sorted(set(members).difference(leaving))
            rest_pool -= cap_amount * len(leaving)
    total = sum(weights[i] for i in members)
    remainders: list[tuple[int, int]] = []
    left = rest_pool if members else 0
    for i in members:
        amounts[i], remainder = share(rest_pool, weights[i], total)
        remainders.append((remainder, i))
        left -= amounts[i]
    remainders.sort(key=lambda pair: (-pair[0], pair[1]))
    for _, i in remainders[:left]:
        amounts[i] += 1
    return Apportionment(
        tuple(amounts),
        cap_amount,
        tuple(rounds),
        rest_pool,
        total,
        left,
        remainders[left - 1] if left else None,
    )
