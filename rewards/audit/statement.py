"""A statement for treasury and accounting: where the money of a range of epochs went, to the wei.

Everything is read from the published tables and tied together by identities: pool by pool
(approved = paid + withheld + unallocated), payee by payee, epoch to epoch, and against the receipts
of settlements where the season has any. Amounts are base units.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rewards.errors import Finding, InvalidInput, RewardsError
from rewards.files.documents import parse_json
from rewards.files.folder import read_bytes
from rewards.files.grammar import format_time, parse_time
from rewards.files.inputs import read_inputs
from rewards.files.outputs import INPUTS_FOLDER, MANIFEST
from rewards.files.published import PublishedEpoch
from rewards.files.season import Season

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rewards.rules.records import Allocation

POOLS = ("nodes", "wallets_eligible", "wallets_certified")
PARTS = ("paid", "withheld", "unallocated")
TABLE_LIMIT = 1 << 32
RECEIPT_LIMIT = 1 << 28
SETTLEMENTS = "settlements"

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""(header, rows), all text."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Two numbers that are equal, or the statement is wrong."""

    name: str
    left: int
    right: int

    @property
    def holds(self) -> bool:
        """Whether they are equal, to the wei."""
        return self.left == self.right


@dataclass(frozen=True, slots=True)
class PoolRow:
    """One pool in one epoch, or over the range."""

    approved: int = 0
    paid: int = 0
    withheld: int = 0
    unallocated: int = 0

    def __add__(self, other: PoolRow) -> PoolRow:
        """Return both together."""
        return PoolRow(*(a + b for a, b in zip(self.amounts, other.amounts, strict=True)))

    @property
    def amounts(self) -> tuple[int, int, int, int]:
        """approved, paid, withheld, unallocated."""
        return self.approved, self.paid, self.withheld, self.unallocated


@dataclass(frozen=True)
class EpochBooks:
    """What the books need of one published epoch.

    Attributes:
        pools: Per pool; `approved` comes from the inputs, the rest from the manifest.
        by_payee: Per pool what its table pays to each address.
        rows: `allocations.csv`.
    """

    published: PublishedEpoch
    pools: Mapping[str, PoolRow]
    by_payee: Mapping[str, Mapping[str, int]]
    ids: Mapping[str, tuple[str, ...]]
    rows: Sequence[Allocation]

    @property
    def number(self) -> int:
        """The epoch's number."""
        return self.published.manifest.epoch

    @property
    def window(self) -> tuple[int, int]:
        """Start and end in UTC seconds."""
        return parse_time(self.published.manifest.document["start"]), self.published.manifest.end

    def total(self, column: str) -> int:
        """Return the sum of a column of `allocations.csv`."""
        return sum(getattr(row, column) for row in self.rows)


@dataclass(frozen=True, slots=True)
class PayeeRow:
    """An address over the range; `claimed` is None where no receipt tells."""

    account: str
    ids: tuple[str, ...]
    opening_cumulative: int
    pays: Mapping[str, int]
    adjustments: int
    opening_recovery: int
    closing_recovery: int
    allotted: int
    cumulative: int
    claimed: int | None

    @property
    def open(self) -> int | None:
        """What is allotted in all and not claimed."""
        return None if self.claimed is None else self.cumulative - self.claimed


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a settlement's receipt says of the contract when it was written.

    Attributes:
        name: The file.
        epoch: The epoch that was activated.
        settled: The cumulative total that was activated.
        claimed: What the contract has paid, ever.
        balance: What it held.
        claims: What each account had claimed; None where the receipt does not tell.
    """

    name: str
    epoch: int
    settled: int
    claimed: int
    balance: int
    claims: Mapping[str, int] | None

    @property
    def funded(self) -> int:
        """What was ever paid into the contract and not swept."""
        return self.claimed + self.balance


@dataclass(frozen=True)
class Statement:
    """The books of a range of epochs."""

    epochs: list[EpochBooks]
    payees: list[PayeeRow]
    receipts: list[Receipt]
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    @property
    def first(self) -> EpochBooks:
        """The first epoch of the range."""
        return self.epochs[0]

    @property
    def last(self) -> EpochBooks:
        """The last epoch of the range."""
        return self.epochs[-1]

    def pool(self, name: str) -> PoolRow:
        """Return a pool over the range."""
        return sum((books.pools[name] for books in self.epochs), PoolRow())

    @property
    def pools(self) -> PoolRow:
        """All pools over the range."""
        return sum((self.pool(name) for name in POOLS), PoolRow())

    @property
    def adjustments(self) -> int:
        """All adjustments over the range, signed."""
        return sum(books.total("adjustment") for books in self.epochs)

    @property
    def deferred(self) -> int:
        """By how much the sum still to be recovered rose over the range; negative: recovered."""
        return self.last.total("recovery_out") - self.first.total("recovery_in")

    @property
    def allotted(self) -> int:
        """What the range added to the cumulative amounts."""
        return sum(books.total("epoch_amount") for books in self.epochs)

    @property
    def position(self) -> Receipt | None:
        """The last receipt of an epoch up to the end of the range; None: not settled."""
        return self._receipt_before(self.last.number + 1)

    @property
    def opening_position(self) -> Receipt | None:
        """The last receipt of an epoch before the range."""
        return self._receipt_before(self.first.number)

    @property
    def cumulative_total(self) -> int:
        """What is allotted in all at the end of the range."""
        return self.last.total("cumulative")

    @cached_property
    def identities(self) -> list[Identity]:
        """Everything that must be equal."""
        return [*_within_epochs(self), *_between_epochs(self), *_over_range(self), *_settled(self)]

    @property
    def findings(self) -> list[Finding]:
        """The identities that do not hold."""
        return [
            Finding(
                "statement",
                f"does not tie: {identity.left} is not {identity.right}, off by "
                f"{identity.left - identity.right}",
                "run `rewards verify --season`; do not book this range before it is explained",
                value=identity.name,
            )
            for identity in self.identities
            if not identity.holds
        ]

    def _receipt_before(self, epoch: int) -> Receipt | None:
        before = [receipt for receipt in self.receipts if receipt.epoch < epoch]
        return max(before, key=lambda receipt: (receipt.epoch, receipt.claimed), default=None)


def statement_of(folders: Sequence[Path]) -> Statement:
    """Return the statement over published epochs that follow one another.

    Raises:
        CheckFailed: A file was altered.
        InvalidInput: A folder is none of an epoch, or an epoch is missing between two of them.
    """
    epochs = [_read_epoch(PublishedEpoch(folder)) for folder in folders]
    for before, after in pairwise(epochs):
        if after.published.manifest.previous_hash != before.published.manifest.hash:
            raise InvalidInput(
                Finding(
                    f"{after.published.folder}/{MANIFEST}",
                    f"does not follow {before.published.folder}",
                    "give epochs of one chain without a gap",
                    column="previous_manifest_hash",
                    value=after.published.manifest.previous_hash or "none",
                )
            )
    season = Season.around(folders[-1])
    receipts, unreadable = _read_receipts(season.root / SETTLEMENTS) if season else ([], [])
    bare = Statement(epochs, [], receipts, unreadable)
    return Statement(epochs, _payees(bare), receipts, unreadable)


# --- reading ---------------------------------------------------------------------------------


def _read_epoch(published: PublishedEpoch) -> EpochBooks:
    published.require_unaltered()
    read = read_inputs(published.folder / INPUTS_FOLDER)
    if read.inputs is None:
        raise InvalidInput(read.findings)
    totals = published.manifest.document["totals"]
    approved = read.inputs.header.pools
    nodes = list(_rows(published, "nodes.csv"))
    wallets = list(_rows(published, "wallets.csv"))
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for row, key in [*((r, "node_id") for r in nodes), *((r, "wallet_id") for r in wallets)]:
        ids[row["payout_address"]].append(row[key])
    return EpochBooks(
        published,
        {
            name: PoolRow(getattr(approved, name), *(int(totals[name][part]) for part in PARTS))
            for name in POOLS
        },
        {
            "nodes": _by_payee(nodes, "paid"),
            "wallets_eligible": _by_payee(wallets, "amount_eligible"),
            "wallets_certified": _by_payee(wallets, "amount_certified"),
        },
        {account: tuple(names) for account, names in ids.items()},
        published.allocations,
    )


def _rows(published: PublishedEpoch, name: str) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(published.read(name, TABLE_LIMIT).decode()))


def _by_payee(rows: Iterable[Mapping[str, str]], column: str) -> dict[str, int]:
    amounts: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        amounts[row["payout_address"]] += int(row[column])
    return dict(amounts)


def _read_receipts(folder: Path) -> tuple[list[Receipt], list[tuple[str, str]]]:
    """Return the receipts that tell a total, and (name, why) of those that do not."""
    receipts, unreadable = [], []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            document = parse_json(read_bytes(path, path.name, RECEIPT_LIMIT), path.name)
            receipts.append(_receipt(path.name, document))
        except (RewardsError, KeyError, TypeError, ValueError, AttributeError) as error:
            unreadable.append((path.name, f"tells no settlement that is known here: {error}"))
    return receipts, unreadable


def _receipt(name: str, document: Mapping[str, Any]) -> Receipt:
    found = {**document, **document.get("reconciliation", {})}
    claims = found.get("claims")
    settled, claimed = int(found["cumulative_total"]), int(found["claimed_total"])
    return Receipt(
        name,
        int(found["epoch"]),
        settled,
        claimed,
        int(found["distributor_balance"]),
        {account.lower(): int(amount) for account, amount in claims.items()}
        if isinstance(claims, dict)
        else None,
    )


# --- payees ----------------------------------------------------------------------------------


def _payees(statement: Statement) -> list[PayeeRow]:
    """Return every address of the range, the largest allotment first."""
    rows: dict[int, dict[str, Allocation]] = {
        books.number: {row.account: row for row in books.rows} for books in statement.epochs
    }
    accounts = sorted({account for epoch in rows.values() for account in epoch})
    claims = _claims(statement)
    payees = [_payee(account, statement, rows, claims) for account in accounts]
    return sorted(payees, key=lambda payee: (-payee.allotted, payee.account))


def _payee(
    account: str,
    statement: Statement,
    rows: Mapping[int, Mapping[str, Allocation]],
    claims: Mapping[str, int] | None,
) -> PayeeRow:
    own = [epoch[account] for epoch in rows.values() if account in epoch]
    ids = {name for books in statement.epochs for name in books.ids.get(account, ())}
    last = rows[statement.last.number].get(account)
    first = rows[statement.first.number].get(account)
    return PayeeRow(
        account,
        tuple(sorted(ids)),
        own[0].previous_cumulative,
        {
            pool: sum(books.by_payee[pool].get(account, 0) for books in statement.epochs)
            for pool in POOLS
        },
        sum(row.adjustment for row in own),
        first.recovery_in if first else 0,
        last.recovery_out if last else 0,
        sum(row.epoch_amount for row in own),
        own[-1].cumulative,
        None if claims is None else claims.get(account, 0),
    )


def _claims(statement: Statement) -> dict[str, int] | None:
    """Return what each account has claimed, where the last receipt tells or leaves no doubt."""
    position = statement.position
    if position is None:
        return None
    if position.claims is not None:
        return dict(position.claims)
    if position.claimed != position.settled:
        return None
    # Everything settled was claimed, so everybody has what was settled.
    for books in statement.epochs:
        if books.number == position.epoch:
            return {row.account: row.cumulative for row in books.rows}
    if position.epoch == statement.first.number - 1:
        return {row.account: row.previous_cumulative for row in statement.first.rows}
    return None


# --- identities ------------------------------------------------------------------------------


def _within_epochs(statement: Statement) -> Iterator[Identity]:
    for books in statement.epochs:
        manifest = books.published.manifest
        where = f"epoch {books.number}"
        for name, pool in books.pools.items():
            parts = pool.paid + pool.withheld + pool.unallocated
            yield Identity(
                f"{where}, {name}: approved = paid + withheld + unallocated", pool.approved, parts
            )
            yield Identity(
                f"{where}, {name}: paid = what its table pays",
                pool.paid,
                sum(books.by_payee[name].values()),
            )
        yield Identity(
            f"{where}: node and wallet amounts of allocations.csv = what the tables pay",
            books.total("node_amount") + books.total("wallet_amount"),
            sum(sum(amounts.values()) for amounts in books.by_payee.values()),
        )
        yield Identity(
            f"{where}: epoch_amount = paid + adjustments + recovery_out - recovery_in",
            manifest.epoch_amount,
            sum(pool.paid for pool in books.pools.values())
            + books.total("adjustment")
            + books.total("recovery_out")
            - books.total("recovery_in"),
        )
        yield Identity(
            f"{where}: cumulative_total = the sum of the cumulative amounts",
            manifest.cumulative_total,
            books.total("cumulative"),
        )


def _between_epochs(statement: Statement) -> Iterator[Identity]:
    for before, after in pairwise(statement.epochs):
        where = f"epochs {before.number} and {after.number}"
        yield Identity(
            f"{where}: cumulative amounts are handed over",
            before.total("cumulative"),
            after.total("previous_cumulative"),
        )
        yield Identity(
            f"{where}: recoveries are handed over",
            before.total("recovery_out"),
            after.total("recovery_in"),
        )


def _over_range(statement: Statement) -> Iterator[Identity]:
    yield Identity(
        "range: paid + adjustments + deferred recoveries = allotted",
        statement.pools.paid + statement.adjustments + statement.deferred,
        statement.allotted,
    )
    yield Identity(
        "range: cumulative before + allotted = cumulative at the end",
        statement.first.total("previous_cumulative") + statement.allotted,
        statement.cumulative_total,
    )
    yield Identity(
        "range: the payees' allotments = allotted",
        sum(payee.allotted for payee in statement.payees),
        statement.allotted,
    )
    for pool in POOLS:
        yield Identity(
            f"range, {pool}: what the payees got = paid",
            sum(payee.pays[pool] for payee in statement.payees),
            statement.pool(pool).paid,
        )
    for payee in statement.payees:
        yield Identity(
            f"payee {payee.account}: pays + adjustments + deferred recovery = allotted",
            sum(payee.pays.values())
            + payee.adjustments
            + payee.closing_recovery
            - payee.opening_recovery,
            payee.allotted,
        )
        yield Identity(
            f"payee {payee.account}: cumulative before + allotted = cumulative",
            payee.opening_cumulative + payee.allotted,
            payee.cumulative,
        )


def _settled(statement: Statement) -> Iterator[Identity]:
    totals = {books.number: books.published.manifest.cumulative_total for books in statement.epochs}
    for receipt in statement.receipts:
        if receipt.epoch in totals:
            yield Identity(
                f"receipt {receipt.name}: settled = the epoch's cumulative total",
                receipt.settled,
                totals[receipt.epoch],
            )
    position = statement.position
    if position is None:
        return
    yield Identity(
        f"receipt {position.name}: nothing is claimed beyond what is settled",
        max(position.claimed - position.settled, 0),
        0,
    )
    if all(payee.claimed is not None for payee in statement.payees):
        yield Identity(
            f"receipt {position.name}: the payees' claims = claimed",
            sum(payee.claimed or 0 for payee in statement.payees),
            position.claimed,
        )


# --- as documents ----------------------------------------------------------------------------


def document_of(statement: Statement) -> dict[str, Any]:
    """Return the statement as one JSON document, amounts as decimal strings of base units."""
    position = statement.position
    return {
        "ok": not statement.findings,
        "from": {
            "epoch": str(statement.first.number),
            "start": format_time(statement.first.window[0]),
        },
        "to": {"epoch": str(statement.last.number), "end": format_time(statement.last.window[1])},
        "programs": {
            **{name: _pool_json(statement.pool(name)) for name in POOLS},
            "total": _pool_json(statement.pools),
        },
        "ledger": {
            "paid": str(statement.pools.paid),
            "adjustments": str(statement.adjustments),
            "deferred_recoveries": str(statement.deferred),
            "allotted": str(statement.allotted),
            "cumulative_before": str(statement.first.total("previous_cumulative")),
            "cumulative": str(statement.cumulative_total),
        },
        "settlement": _settlement_json(statement, position),
        "epochs": [
            {
                "epoch": str(books.number),
                "start": format_time(books.window[0]),
                "end": format_time(books.window[1]),
                "manifest_hash": books.published.manifest.hash,
                "programs": {name: _pool_json(pool) for name, pool in books.pools.items()},
                **_ledger_json(books),
            }
            for books in statement.epochs
        ],
        "payees": [
            {
                "account": payee.account,
                "ids": list(payee.ids),
                "cumulative_before": str(payee.opening_cumulative),
                **{pool: str(amount) for pool, amount in payee.pays.items()},
                "adjustments": str(payee.adjustments),
                "recovery_before": str(payee.opening_recovery),
                "recovery": str(payee.closing_recovery),
                "allotted": str(payee.allotted),
                "cumulative": str(payee.cumulative),
                "claimed": _optional(payee.claimed),
                "open": _optional(payee.open),
            }
            for payee in statement.payees
        ],
        "identities": {
            "checked": str(len(statement.identities)),
            "broken": [
                {"identity": i.name, "left": str(i.left), "right": str(i.right)}
                for i in statement.identities
                if not i.holds
            ],
        },
        "findings": [finding.as_json() for finding in statement.findings],
        "unreadable_receipts": [
            {"file": name, "problem": problem} for name, problem in statement.unreadable
        ],
    }


def _settlement_json(statement: Statement, position: Receipt | None) -> dict[str, str] | None:
    if position is None:
        return None
    before = statement.opening_position
    return {
        "receipt": position.name,
        "settled_epoch": str(position.epoch),
        "settled": str(position.settled),
        "not_yet_settled": str(statement.cumulative_total - position.settled),
        "funded": str(position.funded),
        "claimed": str(position.claimed),
        "open": str(statement.cumulative_total - position.claimed),
        "balance": str(position.balance),
        "settled_in_range": str(position.settled - (before.settled if before else 0)),
        "claimed_in_range": str(position.claimed - (before.claimed if before else 0)),
    }


def _pool_json(pool: PoolRow) -> dict[str, str]:
    names = ("approved", "paid", "withheld", "unallocated")
    return {name: str(amount) for name, amount in zip(names, pool.amounts, strict=True)}


def _ledger_json(books: EpochBooks) -> dict[str, str]:
    return {
        "adjustments": str(books.total("adjustment")),
        "recovery_in": str(books.total("recovery_in")),
        "recovery_out": str(books.total("recovery_out")),
        "epoch_amount": str(books.total("epoch_amount")),
        "cumulative_total": str(books.total("cumulative")),
    }


def _optional(amount: int | None) -> str | None:
    return None if amount is None else str(amount)


def tables(statement: Statement) -> dict[str, Table]:
    """Return the statement's tables by file name, amounts as base units."""
    document = document_of(statement)
    return {
        "programs.csv": (
            ("epoch", "start", "end", "program", "approved", "paid", "withheld", "unallocated"),
            [
                (entry["epoch"], entry["start"], entry["end"], name, *pool.values())
                for entry in document["epochs"]
                for name, pool in entry["programs"].items()
            ],
        ),
        "ledger.csv": _flat(
            [
                {key: value for key, value in entry.items() if isinstance(value, str)}
                for entry in document["epochs"]
            ]
        ),
        "payees.csv": _flat(
            [{**entry, "ids": " ".join(entry["ids"])} for entry in document["payees"]]
        ),
        "identities.csv": (
            ("identity", "left", "right", "holds"),
            [
                (i.name, str(i.left), str(i.right), "true" if i.holds else "false")
                for i in statement.identities
            ],
        ),
        "settlement.csv": (
            ("figure", "amount"),
            list((document["settlement"] or {"status": "not settled"}).items()),
        ),
    }


def _flat(entries: Sequence[Mapping[str, str | None]]) -> Table:
    """Return documents with the same keys as a table; what is not known is empty."""
    header = tuple(entries[0]) if entries else ()
    return header, [tuple(entry[name] or "" for name in header) for entry in entries]
