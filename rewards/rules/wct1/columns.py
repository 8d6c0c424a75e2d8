"""Sections 5 and 6 for tables held by column: the same formulas, composed for many rows at once.

Every formula is the one of `wallet_pay`, `apportion` and `ledger`, given columns of Python's
integers; here stands only what ties them together. A test holds both compositions against each
other.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rewards.rules import columns
from rewards.rules.columns import (
    KEY_BITS,
    Addresses,
    ColumnTable,
    LedgerColumns,
    Words,
    as_digits,
    compact,
    exact,
    joined,
    same_integers,
    stored,
)
from rewards.rules.integers import WAD
from rewards.rules.records import Allocation, WalletResult
from rewards.rules.wct1.apportion import Apportionment, passes_cap, share
from rewards.rules.wct1.ledger import Entry, is_payable, sums
from rewards.rules.wct1.wallet_pay import (
    WalletPools,
    activity,
    curve,
    first_tier,
    is_over,
    may_be_certified,
    may_be_eligible,
    measure,
    pools_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from rewards.rules.records import Account, Address, Adjustment, Pools, Wallet
    from rewards.rules.wct1.policy import WalletPolicy

Column = Any
"""A numpy array of Python integers."""

BLOCK = 1 << 15
"""Rows that are computed at a time: what lies between the columns then stays in the cache."""


def blocks(count: int) -> list[slice]:
    """Return the slices that cover so many rows."""
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


def zeros(count: int) -> Column:
    """Return a column of zeros; they all share one object."""
    return np.full(count, 0, object)


def column_from(values: Iterable[int], count: int) -> Column:
    """Return a column of these integers."""
    column = zeros(count)
    column[:] = list(values)
    return column


def unpayable(wallets: Any, distributor: Address, token: Address) -> Iterable[Wallet]:
    """Return the wallets whose address cannot be paid."""
    octets = wallets.payout_address.octets
    suspect = ~octets[:, :18].any(axis=1)
    for contract in (distributor, token):
        suspect |= (octets == Addresses.of([contract]).octets).all(axis=1)
    rows = (wallets[row] for row in np.flatnonzero(suspect).tolist())
    return (row for row in rows if not is_payable(row.payout_address, distributor, token))


def pay_wallets(pools: Pools, wallets: Any, policy: WalletPolicy) -> WalletPools:
    """Return what each wallet is paid from both pools, in the order of `wallets` (id order)."""
    # Three conditions make eight cases; the rule decides each once.
    tiers = [
        first_tier(over=bool(n & 1), certified=bool(n & 2), eligible=bool(n & 4)) for n in range(8)
    ]
    member_of = np.array([pools_of(name, policy) for name, _ in tiers])
    exponents = (policy.eligible_exponent, policy.certified_exponent)
    actives, cases = [], []
    weights = (zeros(len(wallets)), zeros(len(wallets)))
    for rows in blocks(len(wallets)):
        part = wallets[rows]
        active = activity(part, policy)
        case = (
            is_over(active, policy)
            + np.int8(2) * may_be_certified(part, policy)
            + np.int8(4) * may_be_eligible(part, policy)
        )
        m = measure(active, part.ux_score, policy)
        for pool, exponent in enumerate(exponents):
            members = np.flatnonzero(member_of[case, pool])
            weights[pool][rows][members] = curve(m[members], exponent, policy)
        actives.append(compact(active))
        cases.append(case)
    eligible = apportion(pools.wallets_eligible, weights[0], policy.share_cap)
    certified = apportion(pools.wallets_certified, weights[1], policy.share_cap)
    keep = partial(stored, lean=len(wallets) >= columns.LEAN_FROM)
    amount = keep(plus(eligible.amounts, certified.amounts))
    amounts = [keep(divided.amounts) for divided in (eligible, certified)]
    if len(wallets) >= columns.LEAN_FROM:
        digits: list[Any] = [as_digits(held) for held in amounts]
        eligible = replace(eligible, amounts=digits[0])
        certified = replace(certified, amounts=digits[1])
    case = np.concatenate([*cases, np.zeros(0, np.int8)])
    results = ColumnTable(
        WalletResult,
        {
            "wallet_id": wallets.wallet_id,
            "payout_address": wallets.payout_address,
            "activity": np.concatenate([*actives, np.zeros(0, np.int8)]),
            "tier": Words(case, [name for name, _ in tiers]),
            "reason": Words(case, [reason for _, reason in tiers]),
            "weight_eligible": keep(weights[0]),
            "weight_certified": keep(weights[1]),
            "amount_eligible": amounts[0],
            "amount_certified": amounts[1],
            "amount": amount,
        },
    )
    return WalletPools(results, eligible, certified)


def plus(a: Column, b: Column) -> Column:
    """Return a + b for b that is mostly 0; there the row shares the integer of a."""
    total = a.copy()
    rows = np.flatnonzero(b)
    total[rows] += b[rows]
    return total


def sharing(held: Column, values: Column) -> Column:
    """Return the values; where they equal those that are held, these very integers."""
    return np.where(held == values, held, values)


def apportion(pool: int, weights: Column, cap: int | None) -> Apportionment:
    """Divide `pool` by a column of weights, as `apportion.apportion` does by a sequence."""
    members = np.flatnonzero(weights > 0)
    amounts = zeros(len(weights))
    rounds = []
    rest_pool = pool
    cap_amount = None
    if cap is not None:
        cap_amount = pool * cap // WAD
        while len(members):
            total = weights[members].sum()
            leaves = passes_cap(rest_pool, weights[members], total, cap_amount)
            leaving = members[leaves]
            if not len(leaving):
                break
            amounts[leaving] = cap_amount
            rounds.append(tuple(leaving.tolist()))
            members = members[~leaves]
            rest_pool -= cap_amount * len(leaving)
    if not len(members):
        return Apportionment(amounts, cap_amount, tuple(rounds), rest_pool, 0, 0, None)
    total = weights[members].sum()
    shift = max(total.bit_length() - KEY_BITS, 0)
    keys = np.empty(len(members), np.int64)
    for rows in blocks(len(members)):
        floors, remainders = share(rest_pool, weights[members[rows]], total)
        amounts[members[rows]] = floors
        keys[rows] = remainders >> shift
    left = rest_pool - amounts[members].sum()
    last = None
    if left:
        # The leading bits sort out all but the few that share them with the value at the border.
        border = np.partition(keys, len(keys) - left)[len(keys) - left]
        inside = np.flatnonzero(keys > border)
        close = np.flatnonzero(keys == border)
        remainders = share(rest_pool, weights[members[close]], total)[1]
        # Reversed, equal ones keep their order: a tie goes to the earlier one.
        ranked = sorted(range(len(close)), key=remainders.__getitem__, reverse=True)
        ranked = ranked[: left - len(inside)]
        amounts[members[inside]] += 1
        amounts[members[close[ranked]]] += 1
        last = (remainders[ranked[-1]], int(members[close[ranked[-1]]]))
    return Apportionment(amounts, cap_amount, tuple(rounds), rest_pool, total, left, last)


def allocate(
    node_amounts: Mapping[Address, int],
    wallets: Sequence[WalletResult],
    adjustments: Sequence[Adjustment],
    previous: Mapping[Address, Account],
) -> ColumnTable[Allocation]:
    """Return a row for every address that earned, owed or has a cumulative amount."""
    before = ledger_columns(previous)
    few = sorted({*node_amounts, *(a.payout_address for a in adjustments)})
    if isinstance(wallets, ColumnTable):
        amounts = exact(wallets.amount)
        paid = np.flatnonzero(amounts)
        paid_to, wallet_amounts = sums_by_address(wallets.payout_address[paid], amounts[paid])
        del amounts
    else:
        summed = sorted(sums((row.payout_address, row.amount) for row in wallets).items())
        paid_to = Addresses.of([account for account, _ in summed])
        wallet_amounts = column_from((amount for _, amount in summed), len(summed))
    accounts, places = union([paid_to, before.accounts, Addresses.of(few)])
    lean = len(accounts) >= columns.LEAN_FROM
    wallet_amounts = stored(wallet_amounts, lean=lean)

    def of_few(amounts: Mapping[Address, int]) -> Column:
        return column_from((amounts.get(account, 0) for account in few), len(few))

    from_nodes = of_few(node_amounts)
    added = of_few(sums((a.payout_address, max(a.amount, 0)) for a in adjustments))
    deducted = of_few(sums((a.payout_address, max(-a.amount, 0)) for a in adjustments))

    def spread(source: int, values: Any, rows: slice) -> Column:
        """Return the values of a source, whose accounts are in order, for a block of accounts."""
        start, stop = np.searchsorted(places[source], (rows.start, rows.stop))
        column = zeros(rows.stop - rows.start)
        column[places[source][start:stop] - rows.start] = exact(values[start:stop])
        return column

    parts = []
    for rows in blocks(len(accounts)):
        own: dict[str, Any] = {
            "account": accounts[rows],
            "previous_cumulative": spread(1, before.cumulative, rows),
            "node_amount": spread(2, from_nodes, rows),
            "wallet_amount": spread(0, wallet_amounts, rows),
            "adjustment": spread(2, added, rows) - spread(2, deducted, rows),
            "recovery_in": spread(1, before.recovery, rows),
        }
        entry = Entry(
            earned=plus(plus(own["wallet_amount"], own["node_amount"]), spread(2, added, rows)),
            owed=own["recovery_in"] + spread(2, deducted, rows),
        )
        own["recovery_out"] = entry.recovery_out
        own["epoch_amount"] = sharing(own["wallet_amount"], entry.epoch_amount)
        own["cumulative"] = own["previous_cumulative"] + own["epoch_amount"]
        kept = np.flatnonzero((entry.earned != 0) | (entry.owed != 0) | (own["cumulative"] != 0))
        parts.append(
            {
                name: column[kept] if name == "account" else stored(column[kept], lean=lean)
                for name, column in own.items()
            }
        )
    names = [field.name for field in fields(Allocation)]
    alike = all(same_integers(part["epoch_amount"], part["wallet_amount"]) for part in parts)
    table = {
        name: joined([part.pop(name) for part in parts])
        for name in names
        if parts and not (alike and name == "epoch_amount")
    }
    if parts and alike:  # nobody owes, and wallets alone are paid: held once
        table["epoch_amount"] = table["wallet_amount"]
        table = {name: table[name] for name in names}
    nothing = {name: zeros(0) for name in names} | {"account": accounts}
    return ColumnTable(Allocation, table or nothing)


def ledger_columns(ledger: Mapping[Address, Account]) -> LedgerColumns:
    """Return a ledger by column."""
    if isinstance(ledger, LedgerColumns):
        return ledger
    accounts = sorted(ledger)
    return LedgerColumns(
        Addresses.of(accounts),
        column_from((ledger[account].cumulative for account in accounts), len(accounts)),
        column_from((ledger[account].recovery for account in accounts), len(accounts)),
    )


def sums_by_address(addresses: Addresses, amounts: Column) -> tuple[Addresses, Column]:
    """Return the different addresses in order, and the sum of the amounts of each."""
    if not len(addresses):
        return addresses, amounts
    order = addresses.order()
    ordered = addresses[order]
    starts = np.flatnonzero(ordered.is_new())
    return ordered[starts], np.add.reduceat(amounts[order], starts)


def union(columns: Sequence[Addresses]) -> tuple[Addresses, list[NDArray[np.int64]]]:
    """Return the different addresses of several columns in order, and where each row went."""
    every = Addresses(np.concatenate([column.octets for column in columns]))
    order = every.order()
    ordered = every[order]
    first = ordered.is_new() if len(ordered) else np.zeros(0, np.bool_)
    places = np.empty(len(order), np.int64)
    places[order] = np.cumsum(first) - 1
    ends = np.cumsum([len(column) for column in columns])[:-1]
    return ordered[np.flatnonzero(first)], np.split(places, ends)
