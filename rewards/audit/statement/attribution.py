"""Whose program a claimed amount belongs to: `oldest-first`, exact to the wei.

The contract knows accounts, not programs. But it pays cumulative amounts: a claim always raises
what an account was paid to its cumulative amount in the epoch that was active. So everything
through that epoch is claimed and nothing after it, and the published files say what each program
paid until then, what adjustments changed, and what was recovered or put off. That is knowledge.

Three things nobody's files decide, so these are the convention:

- An epoch in which all that an account earned was set off added nothing that could be claimed: it
  counts as claimed as soon as all before it is.
- A claimed amount between two cumulative amounts, which no distribution of this history pays, takes
  a part of one epoch: its deductions first and in full, then what it added, in the proportion of
  the lines, as section 5 of the rules apportions a pool.
- The contract's balance belongs to nobody yet: it covers what is open, the oldest epoch of all
  payees first. An epoch for which it does not suffice is apportioned by what each payee has open.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from rewards.audit.statement.books import POOLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rewards.audit.statement.books import EpochBooks

RULE = "oldest-first"
EARLIER = "earlier"
LINES = (*POOLS, "adjustments", "recoveries", EARLIER)
"""What an account's cumulative amount is made of. Adjustments are signed; recoveries are negative
where they were taken, positive where they were put off. Earlier: allotted before all epochs that
are at hand."""

Lines = tuple[int, ...]
"""An amount for each of LINES, in base units."""
NOTHING: Lines = (0,) * len(LINES)


def plus(a: Lines, b: Lines) -> Lines:
    """Return both together, line by line."""
    return tuple(x + y for x, y in zip(a, b, strict=True))


def minus(a: Lines, b: Lines) -> Lines:
    """Return what is left of the first, line by line."""
    return tuple(x - y for x, y in zip(a, b, strict=True))


def total(several: Iterable[Lines]) -> Lines:
    """Return the sum, line by line."""
    together = NOTHING
    for lines in several:
        together = plus(together, lines)
    return together


@dataclass(frozen=True, slots=True)
class Accrual:
    """What one epoch added to the cumulative amounts.

    Attributes:
        by_account: The lines of every account of which one is not zero; their sum is the epoch
            amount.
        stated: The same in total, as the manifest and the ledger state it.
    """

    epoch: int
    by_account: Mapping[str, Lines]
    stated: Lines


def accrual_of(books: EpochBooks) -> Accrual:
    """Return what an epoch added, from its tables."""
    pays = [books.by_payee[name] for name in POOLS]
    by_account: dict[str, Lines] = {}
    for row in books.rows:
        own = [pay.get(row.account, 0) for pay in pays]
        lines = (*own, row.adjustment, row.recovery_out - row.recovery_in, 0)
        if lines != NOTHING:
            by_account[row.account] = lines
    return Accrual(
        books.number,
        by_account,
        (
            *(books.pools[name].paid for name in POOLS),
            books.total("adjustment"),
            books.total("recovery_out") - books.total("recovery_in"),
            0,
        ),
    )


Credit = tuple[int, Lines]
"""What an epoch added for one account: (epoch, lines)."""


@dataclass(frozen=True)
class History:
    """The epochs at hand that follow one another, the oldest first.

    Attributes:
        before: Each account's cumulative amount before the first of them; none before epoch one.
        start: The number of the first of them.
    """

    before: Mapping[str, int]
    start: int
    accruals: Sequence[Accrual]

    def until(self, epoch: int) -> History:
        """Return the epochs before that one."""
        kept = [accrual for accrual in self.accruals if accrual.epoch < epoch]
        return History(self.before, self.start, kept)

    @property
    def end(self) -> int:
        """The number of the last epoch; without any, of the one before the first."""
        return self.accruals[-1].epoch if self.accruals else self.start - 1

    @property
    def stated(self) -> Lines:
        """What all added, as their manifests and ledgers state it."""
        return total(
            [
                (*NOTHING[:-1], sum(self.before.values())),
                *(accrual.stated for accrual in self.accruals),
            ]
        )

    @cached_property
    def credits(self) -> Mapping[str, Sequence[Credit]]:
        """What was added for each account, the oldest epoch first."""
        found: defaultdict[str, list[Credit]] = defaultdict(list)
        for account, amount in self.before.items():
            if amount:
                found[account].append((self.start - 1, (*NOTHING[:-1], amount)))
        for accrual in self.accruals:
            for account, lines in accrual.by_account.items():
                found[account].append((accrual.epoch, lines))
        return dict(found)

    @cached_property
    def cumulative(self) -> Mapping[str, int]:
        """What each account was allotted in all."""
        return {
            account: sum(sum(lines) for _, lines in credits_)
            for account, credits_ in self.credits.items()
        }


def attributed(credits_: Iterable[Credit], amount: int) -> Iterator[Credit]:
    """Yield what an amount takes of each epoch, the oldest first.

    An amount beyond everything takes everything: what is missing then breaks an identity.
    """
    left = amount
    for epoch, lines in credits_:
        added = sum(lines)
        if added > left:
            if left > 0:
                yield epoch, part_of(lines, left)
            return
        yield epoch, lines
        left -= added


def part_of(lines: Lines, amount: int) -> Lines:
    """Return the lines of a part of what one epoch added: 0 < amount < their sum."""
    deducted = tuple(min(line, 0) for line in lines)
    added = shares(amount - sum(deducted), [max(line, 0) for line in lines])
    return plus(tuple(added), deducted)


def shares(amount: int, weights: Sequence[int]) -> list[int]:
    """Divide an amount by weights, exactly: what is left of the floors to the largest remainders.

    As section 5 of the rules divides a pool without a cap, under whatever ruleset the epochs are: a
    tie of remainders goes to the earlier one.
    """
    whole = sum(weights)
    floors = [amount * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % whole), i))
    for i in order[: amount - sum(floors)]:
        floors[i] += 1
    return floors


def covered(
    history: History, claims: Mapping[str, int], balance: int
) -> tuple[Mapping[str, int], int]:
    """Return what of each account's open amount a balance covers, and what is left of it."""
    unpaid: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for account, credits_ in sorted(history.credits.items()):
        left = claims.get(account, 0)
        for epoch, lines in credits_:
            added = sum(lines)
            paid = min(added, left)
            left -= paid
            if added > paid:
                unpaid[epoch][account] = added - paid
    covers: defaultdict[str, int] = defaultdict(int)
    left = balance
    for _, amounts in sorted(unpaid.items()):
        goes = min(left, sum(amounts.values()))
        for account, share in zip(amounts, shares(goes, [*amounts.values()]), strict=True):
            covers[account] += share
        left -= goes
    return dict(covers), left


@dataclass(frozen=True, slots=True)
class Standing:
    """How far something is funded and claimed, line by line; None where no receipt tells."""

    allotted: Lines = NOTHING
    funded: Lines | None = None
    claimed: Lines | None = None

    @property
    def open(self) -> Lines | None:
        """What is allotted and not claimed."""
        return None if self.claimed is None else minus(self.allotted, self.claimed)


@dataclass(frozen=True)
class Standings:
    """How far a history is funded and claimed: by account, by epoch, and in all.

    Attributes:
        claims: What each account has claimed; None where no receipt tells.
        covers: What of each account's open amount the contract holds; None likewise.
        surplus: What it holds beyond everything that is open; None likewise.
        divided: How many accounts' claims end within an epoch at hand.
    """

    by_account: Mapping[str, Standing]
    by_epoch: Mapping[int, Standing]
    total: Standing
    claims: Mapping[str, int] | None = None
    covers: Mapping[str, int] | None = None
    surplus: int | None = None
    divided: int = 0

    def standing(self, account: str) -> Standing:
        """Return an account's; of one that nothing was added for, zeros where anything is known."""
        return self.by_account.get(
            account,
            Standing(
                NOTHING,
                None if self.covers is None else NOTHING,
                None if self.claims is None else NOTHING,
            ),
        )


@dataclass(frozen=True, slots=True)
class _Spread:
    """Amounts line by line."""

    by_account: Mapping[str, Lines]
    by_epoch: Mapping[int, Lines]


def standings_of(
    history: History, claims: Mapping[str, int] | None, balance: int | None
) -> Standings:
    """Return how far a history is funded and claimed.

    Args:
        history: The epochs.
        claims: What each account has claimed in all; None where nothing tells.
        balance: What the contract holds; None likewise.
    """
    allotted = _spread(history, history.cumulative)
    if claims is None:
        return Standings(*_standings(allotted, None, None))
    claimed = _spread(history, claims)
    divided = sum(
        _ends_within(credits_, claims.get(account, 0))
        for account, credits_ in history.credits.items()
    )
    if balance is None:
        found = _standings(allotted, None, claimed)
        return Standings(*found, claims, divided=divided)
    covers, surplus = covered(history, claims, balance)
    funds = {a: claims.get(a, 0) + covers.get(a, 0) for a in history.credits}
    found = _standings(allotted, _spread(history, funds), claimed)
    return Standings(*found, claims, covers, surplus, divided)


def _spread(history: History, amounts: Mapping[str, int]) -> _Spread:
    """Return how amounts by account divide, line by line and epoch by epoch."""
    by_account = {}
    by_epoch = dict.fromkeys((accrual.epoch for accrual in history.accruals), NOTHING)
    for account, credits_ in history.credits.items():
        own = NOTHING
        for epoch, lines in attributed(credits_, amounts.get(account, 0)):
            own = plus(own, lines)
            by_epoch[epoch] = plus(by_epoch.get(epoch, NOTHING), lines)
        by_account[account] = own
    return _Spread(by_account, by_epoch)


def _standings(
    allotted: _Spread, funded: _Spread | None, claimed: _Spread | None
) -> tuple[dict[str, Standing], dict[int, Standing], Standing]:
    by_account = {
        account: Standing(
            lines,
            funded.by_account[account] if funded else None,
            claimed.by_account[account] if claimed else None,
        )
        for account, lines in allotted.by_account.items()
    }
    by_epoch = {
        epoch: Standing(
            lines,
            funded.by_epoch.get(epoch, NOTHING) if funded else None,
            claimed.by_epoch.get(epoch, NOTHING) if claimed else None,
        )
        for epoch, lines in allotted.by_epoch.items()
    }
    return by_account, by_epoch, together(by_account.values())


def together(standings: Iterable[Standing]) -> Standing:
    """Return the sum; what one of them does not tell, the sum does not tell."""
    rows = list(standings)
    return Standing(
        total(row.allotted for row in rows),
        _known([row.funded for row in rows]),
        _known([row.claimed for row in rows]),
    )


def _known(several: Sequence[Lines | None]) -> Lines | None:
    known = [lines for lines in several if lines is not None]
    return total(known) if len(known) == len(several) else None


def _ends_within(credits_: Iterable[Credit], amount: int) -> bool:
    """Return whether an amount lies between two cumulative amounts of epochs at hand."""
    left = amount
    for _, lines in credits_:
        if left <= 0:
            break
        left -= sum(lines)
        if left < 0:
            return not lines[-1]
    return False
