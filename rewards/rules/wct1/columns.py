"""Sections 5 and 6 for tables held by column: the same formulas, composed for many rows at once.

Every formula is the one of `wallet_pay`, `apportion` and `ledger`, given columns of integers; here
stands only what ties them together. A test holds both compositions against each other.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from rewards.rules.columns import (
    Addresses,
    ColumnTable,
    LedgerColumns,
    Words,
    joined,
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
from rewards.rules.wide import Wide, column_from, same_integers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from rewards.rules.records import Account, Address, Adjustment, Pools, Wallet
    from rewards.rules.wct1.policy import WalletPolicy

BLOCK = 1 << 14
"""Rows that are computed at a time: what lies between the columns then stays in the cache."""


def blocks(count: int) -> list[slice]:
    """Return the slices that cover so many rows."""
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


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

    actives = stored(activity(wallets, policy))

    def weigh(rows: slice) -> tuple[Any, ...]:
        """Return the case and both weights of a block of wallets."""
        some, active = wallets[rows], Wide.of(actives[rows])
        case = (
            is_over(active, policy)
            + np.int8(2) * may_be_certified(some, policy)
            + np.int8(4) * may_be_eligible(some, policy)
        )
        m = measure(active, some.ux_score, policy)
        weights = []
        for pool, exponent in enumerate(exponents):
            members = np.flatnonzero(member_of[case, pool])
            weighted = Wide.zeros(len(some))
            # A root is one of Python's integers; without a root nothing is.
            given = m[members] if exponent[1] == 1 else m[members].exact()
            weighted[members] = curve(given, exponent, policy)
            weights.append(stored(weighted))
        return case, *weights

    parts = [weigh(rows) for rows in blocks(len(wallets))] or [(np.zeros(0, np.int8),) * 3]
    case, weight_eligible, weight_certified = map(joined, zip(*parts, strict=True))
    del parts
    eligible = apportion(pools.wallets_eligible, weight_eligible, policy.share_cap)
    certified = apportion(pools.wallets_certified, weight_certified, policy.share_cap)
    results = ColumnTable(
        WalletResult,
        {
            "wallet_id": wallets.wallet_id,
            "payout_address": wallets.payout_address,
            "activity": actives,
            "tier": Words(case, [name for name, _ in tiers]),
            "reason": Words(case, [reason for _, reason in tiers]),
            "weight_eligible": stored(weight_eligible),
            "weight_certified": stored(weight_certified),
            "amount_eligible": stored(eligible.amounts),
            "amount_certified": stored(certified.amounts),
            "amount": stored(eligible.amounts + certified.amounts),
        },
    )
    return WalletPools(results, eligible, certified)


def apportion(pool: int, weights: Any, cap: int | None) -> Apportionment:
    """Divide `pool` by a column of weights, as `apportion.apportion` does by a sequence."""
    weights = Wide.of(weights)
    members = np.flatnonzero(weights > 0)
    amounts = Wide.zeros(len(weights))
    rounds = []
    rest_pool = pool
    cap_amount = None
    if cap is not None:
        cap_amount = pool * cap // WAD
        while len(members):
            total = weights[members].sum()
            leaves = np.concatenate(
                [
                    passes_cap(rest_pool, weights[members[rows]], total, cap_amount)
                    for rows in blocks(len(members))
                ]
            )
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

    def divide(rows: slice) -> tuple[Any, NDArray[np.int64]]:
        """Return the floors of a block of members, and the leading bits of the remainders."""
        floors, remainders = share(rest_pool, weights[members[rows]], total)
        return stored(floors), remainders.leading(total)

    floors, keys = zip(*[divide(rows) for rows in blocks(len(members))], strict=True)
    amounts[members] = joined(floors)
    left = rest_pool - amounts[members].sum()
    last = None
    if left:
        key = np.concatenate(keys)
        # The leading bits sort out all but the few that share them with the value at the border.
        border = np.partition(key, len(key) - left)[len(key) - left]
        inside = np.flatnonzero(key > border)
        close = np.flatnonzero(key == border)
        remainders = share(rest_pool, weights[members[close]], total)[1].tolist()
        # Reversed, equal ones keep their order: a tie goes to the earlier one.
        ranked = sorted(range(len(close)), key=remainders.__getitem__, reverse=True)
        ranked = ranked[: left - len(inside)]
        units = np.zeros(len(weights), np.int64)
        units[members[inside]] = 1
        units[members[close[ranked]]] = 1
        amounts = amounts + units
        last = (remainders[ranked[-1]], int(members[close[ranked[-1]]]))
    return Apportionment(amounts, cap_amount, tuple(rounds), rest_pool, total, left, last)


def allocate(
    node_amounts: Mapping[Address, int],
    wallets: Sequence[WalletResult],
    adjustments: Sequence[Adjustment],
    previous: Mapping[Address, Account],
) -> ColumnTable[Allocation]:
    """Return a row for every address that earned, owed or has a cumulative amount."""
    parts = _entries(node_amounts, wallets, adjustments, ledger_columns(previous))
    names = [field.name for field in fields(Allocation)]
    alike = all(same_integers(part["epoch_amount"], part["wallet_amount"]) for part in parts)
    table = {
        name: joined([part.pop(name) for part in parts])
        for name in names
        if not (alike and name == "epoch_amount")
    }
    if alike:  # nobody owes, and wallets alone are paid: held once
        table["epoch_amount"] = table["wallet_amount"]
    return ColumnTable(Allocation, {name: table[name] for name in names})


def _entries(
    node_amounts: Mapping[Address, int],
    wallets: Sequence[WalletResult],
    adjustments: Sequence[Adjustment],
    before: LedgerColumns,
) -> list[dict[str, Any]]:
    """Return the columns of the allocations, block by block; one block at least."""
    few = sorted({*node_amounts, *(a.payout_address for a in adjustments)})
    if isinstance(wallets, ColumnTable):
        paid_to, wallet_amounts = sums_by_address(wallets.payout_address, wallets.amount)
    else:
        summed = sorted(sums((row.payout_address, row.amount) for row in wallets).items())
        paid_to = Addresses.of([account for account, _ in summed])
        wallet_amounts = column_from([amount for _, amount in summed])
    accounts, places = union([paid_to, before.accounts, Addresses.of(few)])

    def of_few(amounts: Mapping[Address, int]) -> Wide:
        return column_from([amounts.get(account, 0) for account in few])

    from_nodes = of_few(node_amounts)
    added = of_few(sums((a.payout_address, max(a.amount, 0)) for a in adjustments))
    deducted = of_few(sums((a.payout_address, max(-a.amount, 0)) for a in adjustments))

    def spread(source: int, values: Any, rows: slice) -> Wide:
        """Return the values of a source, whose accounts are in order, for a block of accounts."""
        start, stop = np.searchsorted(places[source], (rows.start, rows.stop))
        column = Wide.zeros(rows.stop - rows.start)
        column[places[source][start:stop] - rows.start] = values[start:stop]
        return column

    def entries(rows: slice) -> dict[str, Any]:
        """Return the columns of a block of accounts, without those that have nothing."""
        own: dict[str, Any] = {
            "account": accounts[rows],
            "previous_cumulative": spread(1, before.cumulative, rows),
            "node_amount": spread(2, from_nodes, rows),
            "wallet_amount": spread(0, wallet_amounts, rows),
            "adjustment": spread(2, added, rows) - spread(2, deducted, rows),
            "recovery_in": spread(1, before.recovery, rows),
        }
        entry = Entry(
            earned=own["wallet_amount"] + own["node_amount"] + spread(2, added, rows),
            owed=own["recovery_in"] + spread(2, deducted, rows),
        )
        own["recovery_out"] = entry.recovery_out
        own["epoch_amount"] = entry.epoch_amount
        own["cumulative"] = own["previous_cumulative"] + own["epoch_amount"]
        kept = np.flatnonzero((entry.earned != 0) | (entry.owed != 0) | (own["cumulative"] != 0))
        return {
            name: column[kept] if name == "account" else stored(column[kept])
            for name, column in own.items()
        }

    return [entries(rows) for rows in blocks(len(accounts)) or [slice(0, 0)]]


def ledger_columns(ledger: Mapping[Address, Account]) -> LedgerColumns:
    """Return a ledger by column."""
    if isinstance(ledger, LedgerColumns):
        return ledger
    accounts = sorted(ledger)
    return LedgerColumns(
        Addresses.of(accounts),
        column_from([ledger[account].cumulative for account in accounts]),
        column_from([ledger[account].recovery for account in accounts]),
    )


def sums_by_address(addresses: Addresses, amounts: Wide) -> tuple[Addresses, Wide]:
    """Return the different addresses that have an amount in order, and the sum of each."""
    order = addresses.order()
    order = order[np.take(amounts != 0, order)]
    if not len(order):
        return addresses[order], amounts[order]
    ordered = addresses[order]
    starts = np.flatnonzero(ordered.is_new())
    bounds = np.append(starts, len(order))
    parts = []
    for some in blocks(len(starts)):
        rows = slice(bounds[some.start], bounds[some.stop])
        parts.append(stored(amounts[order[rows]].sums_from(starts[some] - rows.start)))
    return ordered[starts], Wide.of(joined(parts))


def union(columns: Sequence[Addresses]) -> tuple[Addresses, list[NDArray[np.int32]]]:
    """Return the different addresses of several columns in order, and where each row went."""
    every = Addresses(np.concatenate([column.octets for column in columns]))
    order = every.order()
    ordered = every[order]
    del every  # as large as what is ordered
    first = ordered.is_new() if len(ordered) else np.zeros(0, np.bool_)
    places = np.empty(len(order), np.int32)
    places[order] = np.cumsum(first, dtype=np.int32) - 1
    ends = np.cumsum([len(column) for column in columns])[:-1]
    return ordered[np.flatnonzero(first)], np.split(places, ends)
