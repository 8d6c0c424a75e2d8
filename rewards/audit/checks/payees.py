"""Checks on who is paid, how much, and where to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from rewards.audit.checks.model import Hit, percent_text, ratio_text, wct_text
from rewards.files.grammar import counted
from rewards.rules.integers import WAD, format_decimal
from rewards.rules.records import column_of, sum_of
from rewards.rules.tables import repeated, rows_paid_to, rows_where

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from rewards.audit.checks.model import EarlierTable, Evidence
    from rewards.rules.records import Address

NAMED_IDS = 20
"""How many ids a finding names at most."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program, and the field names by which its rows say whom they pay how much.

    Attributes:
        name: As findings and results call it.
        kind: What a row is.
        key: The field that holds a row's id.
        amount: The field that holds what it is paid.
        paid_to_address: The field of an allocation that adds up what it pays an address.
    """

    name: str
    kind: str
    key: str
    amount: str
    paid_to_address: str

    def rows(self, evidence: Evidence) -> Sequence[Any]:
        """Return its rows in id order."""
        rows: Sequence[Any] = getattr(evidence.result, self.name)
        return rows

    def earlier(self, evidence: Evidence) -> EarlierTable | None:
        """Return its last table before the epoch."""
        table: EarlierTable | None = getattr(evidence.earlier, self.name)
        return table

    def subject(self, row: Any) -> str:  # noqa: ANN401 - a row of either program
        """Return how findings name a row."""
        return f"{self.kind}:{getattr(row, self.key)}"

    def paid_to(
        self, evidence: Evidence, addresses: Collection[Address]
    ) -> Iterable[tuple[Address, str, int]]:
        """Return (address, id, amount) of the rows of some addresses, in id order."""
        found: Iterable[Any] = rows_paid_to(
            self.rows(evidence), addresses, "payout_address", self.key, self.amount
        )
        return found


PROGRAMS = (
    Program("nodes", "node", "node_id", "paid", "node_amount"),
    Program("wallets", "wallet", "wallet_id", "amount", "wallet_amount"),
)


def share_jump(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield ids whose share of what their program pays moved by more than the limit."""
    for program in PROGRAMS:
        table = program.earlier(evidence)
        paid = sum_of(program.rows(evidence), program.amount)
        paid_before = table.paid if table else 0
        if table is None or not paid or not paid_before:
            continue
        for row, before in _with_large_share(evidence, program, limits["limit"], paid, paid_before):
            share_before = Fraction(before.amount, paid_before)
            share = Fraction(getattr(row, program.amount), paid)
            if abs(share - share_before) * WAD > limits["limit"]:
                yield Hit(
                    program.subject(row),
                    {
                        "share_before": ratio_text(share_before),
                        "share_after": ratio_text(share),
                        "earlier_epoch": str(table.epoch),
                    },
                    format_decimal(limits["limit"]),
                )


def _with_large_share(
    evidence: Evidence, program: Program, limit: int, paid: int, paid_before: int
) -> Iterator[tuple[Any, ...]]:
    """Yield known rows that have or had a share above the limit: no other moves by more."""
    return rows_where(
        lambda row, before: (
            (getattr(row, program.amount) > limit * paid // WAD)
            | (before.amount > limit * paid_before // WAD)
        ),
        *evidence.known[program.name],
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
    found = [
        row
        for (row,) in rows_where(
            lambda row: (row.previous_cumulative == 0) & (row.epoch_amount > limits["limit"]),
            evidence.result.allocations,
        )
    ]
    paid_to: defaultdict[Address, list[str]] = defaultdict(list)
    addresses = {row.account for row in found}
    for program in PROGRAMS:
        for address, name, amount in program.paid_to(evidence, addresses):
            if amount:
                paid_to[address].append(f"{program.kind}:{name}")
    for row in found:
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
    for program in PROGRAMS:
        table = program.earlier(evidence)
        if table is None:
            continue
        for row, before in rows_where(
            lambda row, before: row.payout_address != before.payout_address,
            *evidence.known[program.name],
        ):
            yield program.subject(row), before.payout_address, row.payout_address, table.epoch


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
    owed = {
        row.account: row.recovery_out
        for (row,) in rows_where(
            lambda row: row.recovery_out > limits["limit"], evidence.result.allocations
        )
    }
    for subject, before, after, epoch in _moved(evidence) if owed else ():
        if before in owed:
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


def _concentration(
    evidence: Evidence, limits: Mapping[str, Any], measure: str, count: int | None
) -> Iterator[Hit]:
    for program in PROGRAMS:
        spread = evidence.spreads[program.paid_to_address]
        if not spread.total:
            continue
        reached = spread.gini() if count is None else spread.top_share(count)
        if reached * WAD > limits["limit"]:
            yield Hit(
                f"program:{program.name}",
                {measure: ratio_text(reached), "payees": str(len(spread.ascending))},
                format_decimal(limits["limit"]),
            )


def concentration(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield programs whose largest payee takes more than the limit of what is paid."""
    return _concentration(evidence, limits, "largest_share", 1)


def say_concentration(values: Mapping[str, str], limit: str | None) -> str:
    """Word the largest share."""
    payees = counted(int(values["payees"]), "payee")
    return (
        f"the largest of {payees} takes {percent_text(values['largest_share'])} "
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
    payees = counted(int(values["payees"]), "payee")
    return (
        f"Gini {values['gini'][:6]} over {payees} (0: all equal, 1: one takes all); limit {limit}"
    )


def shared_address(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield addresses that more wallets, or more nodes, than the limit share."""
    shared: set[Address] = set()
    for program in PROGRAMS:
        addresses = column_of(program.rows(evidence), "payout_address")
        shared |= repeated(addresses, limits["limit"])
    ids: dict[Address, dict[str, list[str]]] = {address: {} for address in sorted(shared)}
    for program in PROGRAMS:
        for address, name, _ in program.paid_to(evidence, shared):
            ids[address].setdefault(program.name, []).append(name)
    for address, names_of in ids.items():
        values = {}
        for name, found in names_of.items():
            values[f"{name}_count"] = str(len(found))
            values[name] = " ".join(found[:NAMED_IDS])
        yield Hit(address, values, str(limits["limit"]))


def say_shared_address(values: Mapping[str, str], limit: str | None) -> str:  # noqa: ARG001
    """Word a shared address."""
    parts = [
        f"{values[f'{program.name}_count']} {program.name} ({values[program.name]})"
        for program in PROGRAMS
        if program.name in values
    ]
    return f"one payee for {' and '.join(parts)}: caps and debts count per id"
