"""Checks on who is paid, how much, and where to."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from rewards.audit.checks.model import Hit, percent_text, ratio_text, wct_text
from rewards.audit.concentration import gini, top_share
from rewards.rules.integers import WAD, format_decimal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rewards.audit.checks.model import EarlierTable, Evidence
    from rewards.rules.records import Address

    Rows = list[tuple[str, Address, int]]

PROGRAMS = (("nodes", "node"), ("wallets", "wallet"))
NAMED_IDS = 20
"""How many ids a finding names at most."""


def payees_of(evidence: Evidence, program: str) -> Rows:
    """Return (id, payout address, amount) of every row of a program, in id order."""
    if program == "nodes":
        return [(n.node_id, n.payout_address, n.paid) for n in evidence.result.nodes]
    return [(w.wallet_id, w.payout_address, w.amount) for w in evidence.result.wallets]


def _earlier(evidence: Evidence, program: str) -> EarlierTable | None:
    return evidence.earlier.nodes if program == "nodes" else evidence.earlier.wallets


def share_jump(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield ids whose share of what their program pays moved by more than the limit."""
    for program, kind in PROGRAMS:
        rows, table = payees_of(evidence, program), _earlier(evidence, program)
        paid = sum(amount for _, _, amount in rows)
        paid_before = sum(row.amount for row in table.rows.values()) if table else 0
        if table is None or not paid or not paid_before:
            continue
        for name, _, amount in rows:
            if name not in table.rows:
                continue
            before = Fraction(table.rows[name].amount, paid_before)
            after = Fraction(amount, paid)
            if abs(after - before) * WAD > limits["limit"]:
                yield Hit(
                    f"{kind}:{name}",
                    {
                        "share_before": ratio_text(before),
                        "share_after": ratio_text(after),
                        "earlier_epoch": str(table.epoch),
                    },
                    format_decimal(limits["limit"]),
                )


def say_share_jump(values: Mapping[str, str], limit: str | None) -> str:
    """Word a share jump."""
    return (
        f"its share of the program went from {percent_text(values['share_before'])} in epoch "
        f"{values['earlier_epoch']} to {percent_text(values['share_after'])}; limit "
        f"{percent_text(str(limit))}"
    )


def new_payee(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield addresses that never had an amount and now get more than the limit."""
    if evidence.opening is None:
        return
    paid_to: defaultdict[str, list[str]] = defaultdict(list)
    for program, kind in PROGRAMS:
        for name, address, amount in payees_of(evidence, program):
            if amount:
                paid_to[address].append(f"{kind}:{name}")
    for row in evidence.result.allocations:
        if row.previous_cumulative == 0 and row.epoch_amount > limits["limit"]:
            yield Hit(
                row.account,
                {
                    "epoch_amount": str(row.epoch_amount),
                    "ids": " ".join(paid_to[row.account][:NAMED_IDS]),
                },
                format_decimal(limits["limit"]),
            )


def say_new_payee(values: Mapping[str, str], limit: str | None) -> str:
    """Word a new payee."""
    whose = f" for {values['ids']}" if values["ids"] else ""
    return f"never paid before, gets {wct_text(values['epoch_amount'])}{whose}; limit {limit} WCT"


def _moved(evidence: Evidence) -> Iterator[tuple[str, Address, Address, int]]:
    """Yield (subject, old address, new address, earlier epoch) of ids paid to another address."""
    for program, kind in PROGRAMS:
        table = _earlier(evidence, program)
        for name, address, _ in payees_of(evidence, program) if table else ():
            before = table.rows.get(name) if table else None
            if table and before and before.payout_address != address:
                yield f"{kind}:{name}", before.payout_address, address, table.epoch


def payout_change(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:  # noqa: ARG001
    """Yield known ids whose payout address is another one than before."""
    for subject, before, after, epoch in _moved(evidence):
        yield Hit(subject, {"before": before, "after": after, "earlier_epoch": str(epoch)})


def say_payout_change(values: Mapping[str, str], limit: str | None) -> str:  # noqa: ARG001
    """Word a changed payout address."""
    return (
        f"paid to {values['after']}, in epoch {values['earlier_epoch']} to {values['before']}: "
        "confirm the change with the operator by another way"
    )


def payout_change_owing(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield known ids that left an address from which more than the limit is still recovered.

    A recovery is owed by an address, so who moves the payout away from it moves the pay away too.
    """
    owed = {row.account: row.recovery_out for row in evidence.result.allocations}
    for subject, before, after, epoch in _moved(evidence):
        if owed.get(before, 0) > limits["limit"]:
            yield Hit(
                subject,
                {
                    "before": before,
                    "after": after,
                    "recovery_out": str(owed[before]),
                    "earlier_epoch": str(epoch),
                },
                format_decimal(limits["limit"]),
            )


def say_payout_change_owing(values: Mapping[str, str], limit: str | None) -> str:  # noqa: ARG001
    """Word a payout address left with a recovery."""
    return (
        f"moved its payout to {values['after']} while {values['before']} still owes "
        f"{wct_text(values['recovery_out'])}"
    )


def _per_address(evidence: Evidence, program: str) -> list[int]:
    amounts: defaultdict[str, int] = defaultdict(int)
    for _, address, amount in payees_of(evidence, program):
        amounts[address] += amount
    return [amount for amount in amounts.values() if amount]


def _concentration(
    evidence: Evidence, limits: Mapping[str, Any], measure: str, count: int | None
) -> Iterator[Hit]:
    for program, _ in PROGRAMS:
        amounts = _per_address(evidence, program)
        if not amounts:
            continue
        reached = gini(amounts) if count is None else top_share(amounts, count)
        if reached * WAD > limits["limit"]:
            yield Hit(
                f"program:{program}",
                {measure: ratio_text(reached), "payees": str(len(amounts))},
                format_decimal(limits["limit"]),
            )


def concentration(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield programs whose largest payee takes more than the limit of what is paid."""
    return _concentration(evidence, limits, "largest_share", 1)


def say_concentration(values: Mapping[str, str], limit: str | None) -> str:
    """Word the largest share."""
    return (
        f"the largest of {values['payees']} payees takes {percent_text(values['largest_share'])} "
        f"of what is paid; limit {percent_text(str(limit))}"
    )


def concentration_top10(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield programs whose ten largest payees take more than the limit of what is paid."""
    # Ten payees or fewer take everything by themselves: that says nothing.
    for hit in _concentration(evidence, limits, "top10_share", 10):
        if int(hit.values["payees"]) > 10:
            yield hit


def say_concentration_top10(values: Mapping[str, str], limit: str | None) -> str:
    """Word the share of the ten largest."""
    return (
        f"the ten largest of {values['payees']} payees take {percent_text(values['top10_share'])} "
        f"of what is paid; limit {percent_text(str(limit))}"
    )


def concentration_gini(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield programs whose Gini coefficient over the payees is above the limit."""
    return _concentration(evidence, limits, "gini", None)


def say_concentration_gini(values: Mapping[str, str], limit: str | None) -> str:
    """Word the Gini coefficient."""
    return (
        f"Gini {values['gini'][:6]} over {values['payees']} payees (0: all equal, 1: one takes "
        f"all); limit {limit}"
    )


def shared_address(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield addresses that more wallets, or more nodes, than the limit share."""
    sharing: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for program, _ in PROGRAMS:
        for name, address, _ in payees_of(evidence, program):
            sharing[address].setdefault(program, []).append(name)
    for shared, ids in sorted(sharing.items()):
        if any(len(names) > limits["limit"] for names in ids.values()):
            yield Hit(
                shared,
                {
                    key: text
                    for program, names in sorted(ids.items())
                    for key, text in (
                        (f"{program}_count", str(len(names))),
                        (program, " ".join(names[:NAMED_IDS])),
                    )
                },
                str(limits["limit"]),
            )


def say_shared_address(values: Mapping[str, str], limit: str | None) -> str:  # noqa: ARG001
    """Word a shared address."""
    parts = [
        f"{values[f'{program}_count']} {program} ({values[program]})"
        for program, _ in PROGRAMS
        if program in values
    ]
    return f"one payee for {' and '.join(parts)}: caps and debts count per id"
