"""Section 6: what each address earned, owes and has been allotted in total."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.rules.integers import above_zero
from rewards.rules.records import Account, Address, Allocation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rewards.rules.records import Adjustment

HIGHEST_PRECOMPILE = 0xFFFF
NOBODY = Account()


@dataclass(frozen=True, slots=True)
class Entry:
    """The ledger step of one address: (earned - owed) is paid, or is recovered later.

    It holds for columns of many addresses too.
    """

    earned: Any
    owed: Any

    @property
    def epoch_amount(self) -> Any:
        """What the epoch adds to the cumulative amount; never negative."""
        return above_zero(self.earned - self.owed)

    @property
    def recovery_out(self) -> Any:
        """What later epochs still have to recover."""
        return above_zero(self.owed - self.earned)


def is_payable(address: Address, distributor: Address, token: Address) -> bool:
    """Return whether the address may be paid: not zero, a precompile, the contract, the token."""
    return int(address, 16) > HIGHEST_PRECOMPILE and address not in (distributor, token)


def sums(amounts: Iterable[tuple[Address, int]]) -> dict[Address, int]:
    """Return the sum per address: two ids may share one, their amounts add up into one leaf."""
    totals: defaultdict[Address, int] = defaultdict(int)
    for address, amount in amounts:
        totals[address] += amount
    return totals


def allocate(
    node_amounts: Mapping[Address, int],
    wallet_amounts: Mapping[Address, int],
    adjustments: Iterable[Adjustment],
    previous: Mapping[Address, Account],
) -> tuple[Allocation, ...]:
    """Return a row for every address that earned, owed or has a cumulative amount."""
    adjustments = tuple(adjustments)
    added = sums((a.payout_address, max(a.amount, 0)) for a in adjustments)
    deducted = sums((a.payout_address, max(-a.amount, 0)) for a in adjustments)
    rows = []
    for account in sorted({*node_amounts, *wallet_amounts, *added, *previous}):
        before = previous.get(account, NOBODY)
        from_nodes = node_amounts.get(account, 0)
        from_wallets = wallet_amounts.get(account, 0)
        entry = Entry(
            earned=from_nodes + from_wallets + added.get(account, 0),
            owed=before.recovery + deducted.get(account, 0),
        )
        cumulative = before.cumulative + entry.epoch_amount
        if entry.earned or entry.owed or cumulative:
            rows.append(
                Allocation(
                    account,
                    before.cumulative,
                    from_nodes,
                    from_wallets,
                    added.get(account, 0) - deducted.get(account, 0),
                    before.recovery,
                    entry.recovery_out,
                    entry.epoch_amount,
                    cumulative,
                )
            )
    return tuple(rows)
