"""The numbers that the report shows, from the published tables; all exact integers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from rewards.audit.concentration import gini, lorenz, top_share
from rewards.audit.report.words import MINUS
from rewards.rules.records import Status, Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.audit.report.source import Row, Source

POOL_LABELS = {
    "nodes": "Nodes",
    "wallets_eligible": "Wallets, eligible pool",
    "wallets_certified": "Wallets, certified pool",
}
IDENTITY_LABELS = {
    **POOL_LABELS,
    "ledger": "Ledger: what the epoch adds",
    "cumulative": "Ledger: all epochs so far",
}
TOP = 10


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool that the treasury approved, and where it went."""

    label: str
    approved: int
    paid: int
    withheld: int
    unallocated: int


@dataclass(frozen=True, slots=True)
class Term:
    """A summand of an identity with the sign in front of it."""

    sign: str
    label: str
    amount: int


@dataclass(frozen=True, slots=True)
class Identity:
    """A conservation identity, `whole = terms`, as the manifest states it."""

    label: str
    whole: Term
    terms: tuple[Term, ...]

    @property
    def total(self) -> int:
        """What the terms add up to."""
        return sum(-term.amount if term.sign == MINUS else term.amount for term in self.terms)

    @property
    def holds(self) -> bool:
        """Whether both sides are equal, to the base unit."""
        return self.whole.amount == self.total


@dataclass(frozen=True, slots=True)
class Payee:
    """One of the largest recipients."""

    rank: int
    account: str
    amount: int
    share: Fraction
    running: Fraction
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Concentration:
    """How unequally an amount is spread over those who get something of it."""

    key: str
    label: str
    amounts: tuple[int, ...]
    """Ascending, each above 0."""

    @property
    def total(self) -> int:
        """What is spread."""
        return sum(self.amounts)

    @property
    def gini(self) -> Fraction:
        """The Gini coefficient, exactly."""
        return gini(self.amounts)

    @property
    def top_share(self) -> Fraction:
        """The share of the ten largest."""
        return top_share(self.amounts, TOP)

    @property
    def majority(self) -> int:
        """How many of the largest hold more than half."""
        held = 0
        for number, amount in enumerate(reversed(self.amounts), start=1):
            held += amount
            if 2 * held > self.total:
                return number
        return len(self.amounts)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of a status or tier there are, and what they were paid."""

    label: str
    opening: int
    closing: int
    amount: int


def pools(source: Source) -> list[Pool]:
    """Return the three pools with their parts."""
    totals = source.published.manifest.document["totals"]
    return [
        Pool(
            label,
            *(int(totals[name][part]) for part in ("pool", "paid", "withheld", "unallocated")),
        )
        for name, label in POOL_LABELS.items()
        if name in totals
    ]


def identities(source: Source) -> list[Identity]:
    """Return the conservation identities of the manifest with their numbers."""
    totals = source.published.manifest.document["totals"]
    return [
        _identity(IDENTITY_LABELS.get(name, name), totals[name])
        for name in (*IDENTITY_LABELS, *sorted(set(totals) - set(IDENTITY_LABELS)))
        if name in totals
    ]


def _identity(label: str, total: dict[str, str]) -> Identity:
    """Read `whole = a + b - c` of a manifest's total."""
    whole, right = total["identity"].split(" = ")
    words = ["+", *right.split(" ")]
    signs, names = words[::2], words[1::2]
    return Identity(
        label,
        Term("", _words(whole), int(total[whole])),
        tuple(
            Term(MINUS if sign == "-" else sign, _words(name), int(total[name]))
            for sign, name in zip(signs, names, strict=True)
        ),
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def concentrations(source: Source) -> list[Concentration]:
    """Return the spread over addresses, nodes and wallets; without those where nobody is paid."""
    groups = (
        ("payees", "addresses", (row["epoch_amount"] for row in source.allocations)),
        ("nodes", "nodes", (row["paid"] for row in source.nodes)),
        ("wallets", "wallets", (row["amount"] for row in source.wallets)),
    )
    spread = (
        Concentration(key, label, tuple(sorted(a for a in amounts if a > 0)))
        for key, label, amounts in groups
    )
    return [group for group in spread if group.amounts]


def top_payees(source: Source) -> list[Payee]:
    """Return the ten largest epoch amounts, ties in address order."""
    total = sum(row["epoch_amount"] for row in source.allocations)
    largest = sorted(source.allocations, key=lambda row: (-row["epoch_amount"], row["account"]))
    largest = [row for row in largest[:TOP] if row["epoch_amount"] > 0]
    ids = _ids_of({row["account"] for row in largest}, source)
    payees, running = [], 0
    for rank, row in enumerate(largest, start=1):
        running += row["epoch_amount"]
        payees.append(
            Payee(
                rank,
                row["account"],
                row["epoch_amount"],
                Fraction(row["epoch_amount"], total),
                Fraction(running, total),
                tuple(ids[row["account"]]),
            )
        )
    return payees


def _ids_of(accounts: set[str], source: Source) -> dict[str, list[str]]:
    """Return the ids that pay into each account."""
    ids: dict[str, list[str]] = {account: [] for account in accounts}
    for rows, key, amount in (
        (source.nodes, "node_id", "paid"),
        (source.wallets, "wallet_id", "amount"),
    ):
        for row in rows:
            if row["payout_address"] in ids and row[amount]:
                ids[row["payout_address"]].append(row[key])
    return ids


def status_tallies(source: Source) -> list[Tally]:
    """Return how many nodes opened and closed in each status, and what they were paid."""
    opening = Counter(row["opening_status"] for row in source.nodes)
    closing = Counter(row["closing_status"] for row in source.nodes)
    return [
        Tally(
            status,
            opening[status],
            closing[status],
            sum(row["paid"] for row in source.nodes if row["opening_status"] == status),
        )
        for status in Status
    ]


def tier_tallies(source: Source) -> list[Tally]:
    """Return how many wallets are in each tier, by reason, and what they were paid."""

    def label(row: Row) -> str:
        return str(row["tier"]) + (f", {_words(row['reason'])}" if row["reason"] else "")

    counts = Counter(label(row) for row in source.wallets)
    order = {tier: i for i, tier in enumerate(Tier)}
    return [
        Tally(
            name,
            counts[name],
            counts[name],
            sum(row["amount"] for row in source.wallets if label(row) == name),
        )
        for name in sorted(counts, key=lambda name: (order[Tier(name.split(",")[0])], name))
    ]


def ranked_nodes(source: Source) -> list[Row]:
    """Return the rows of `nodes.csv` by opening status, in it by id."""
    order = {status: i for i, status in enumerate(Status)}
    return sorted(source.nodes, key=lambda row: (order[row["opening_status"]], row["node_id"]))


def lorenz_points(amounts: Sequence[int], most: int) -> list[tuple[Fraction, Fraction]]:
    """Return the Lorenz curve; above `most` recipients only about so many of its points."""
    points, count = lorenz(amounts), len(amounts)
    if count <= most:
        return points
    return [points[i * count // most] for i in range(most + 1)]
