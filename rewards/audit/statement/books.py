"""One epoch's books: what each pool was and went to, and who got it."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.audit.pools import PoolRow
from rewards.errors import InvalidInput
from rewards.files.grammar import parse_time
from rewards.files.inputs import read_inputs
from rewards.files.outputs import INPUTS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rewards.files.published import PublishedEpoch
    from rewards.rules.records import Allocation

POOLS = ("nodes", "wallets_eligible", "wallets_certified")
PARTS = ("paid", "withheld", "unallocated")
TABLE_LIMIT = 1 << 32


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


def read_books(published: PublishedEpoch) -> EpochBooks:
    """Return the books of a published epoch that was verified.

    Raises:
        CheckFailed: A file was altered in the meantime.
        InvalidInput: Its inputs cannot be read.
    """
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
