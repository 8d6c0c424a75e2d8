"""Tables held by column, for epochs with so many rows that a record per row would be too much.

A table of columns is a sequence of the same records as a tuple of them: whoever reads rows needs
not know. Under a record's field name it gives the whole column, whose integers are `Wide` (exact at
any width; numpy's would wrap), so that a formula with plain operators works on a record as on a
table. With `wide` and the composition in `wct1.columns` the only module of the rules that needs
numpy; small epochs load none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np

from rewards.rules.records import Account, Address
from rewards.rules.wide import Wide, same_integers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

R = TypeVar("R")

LOOKED_UP_BITS = 20
"""Leading bits of an address by which a table, small enough to stay in the cache, tells a few."""

BLOCK = 1 << 16
"""Rows that are made into records at a time."""


def stored(column: Any) -> Any:  # noqa: ANN401 - a column of integers
    """Return a column of integers as it is kept: in as few bytes as they all fit into."""
    held = Wide.of(column).compact()
    if isinstance(held, Wide):
        return held
    if not held.any():
        return held.astype(np.int8)
    fits = held.max() < 1 << 31 and held.min() >= -1 << 31
    return held.astype(np.int32) if fits else held


def joined(parts: Sequence[Any]) -> Any:  # noqa: ANN401 - columns of one kind
    """Return parts of a column below one another."""
    if isinstance(parts[0], Addresses):
        return Addresses(np.concatenate([part.octets for part in parts]))
    if any(isinstance(part, Wide) for part in parts):
        return Wide.joined(parts)
    return np.concatenate(parts)


class Addresses:
    """A column of addresses: a row of 20 bytes each."""

    def __init__(self, octets: NDArray[np.uint8]) -> None:
        self.octets = np.ascontiguousarray(octets)
        self._order: NDArray[np.int32] | None = None

    @classmethod
    def of(cls, addresses: Sequence[str]) -> Addresses:
        """Return a column of `0x` texts."""
        joined = bytes.fromhex("".join(address[2:] for address in addresses))
        return cls(np.frombuffer(joined, np.uint8).reshape(-1, 20))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.octets)

    def __getitem__(self, rows: Any) -> Addresses:  # noqa: ANN401 - whatever numpy takes
        """Return some of the rows."""
        if isinstance(rows, np.ndarray) and rows.dtype.kind in "iu":
            return Addresses(np.take(self.octets, rows, axis=0))  # whole rows are moved
        return Addresses(self.octets[rows])

    def tolist(self) -> list[Address]:
        """Return the addresses as lower-case `0x` text."""
        digits = self.octets.tobytes().hex()
        return [Address("0x" + digits[at : at + 40]) for at in range(0, len(digits), 40)]

    def take(self, rows: NDArray[np.int64]) -> Addresses:
        """Return some of the rows."""
        return self[rows]

    def __ne__(self, other: object) -> NDArray[np.bool_]:  # type: ignore[override]
        """Return whether each row differs from the same row of another column."""
        return np.asarray((self.octets != other.octets).any(axis=1))  # type: ignore[attr-defined]

    __hash__ = None  # type: ignore[assignment]

    def are_among(self, few: Collection[Address]) -> NDArray[np.bool_]:
        """Return whether each row is one of a few addresses."""
        wanted = {bytes.fromhex(address[2:]) for address in few}
        if not wanted:
            return np.zeros(len(self), np.bool_)
        heads = np.frombuffer(b"".join(address[:8] for address in wanted), ">u8")
        heads = np.sort(heads.astype(np.uint64))
        # The first bits rule most rows out, the first eight bytes nearly all others.
        words, rest = _word(self.octets, 0), np.uint64(64 - LOOKED_UP_BITS)
        is_head = np.zeros(1 << LOOKED_UP_BITS, np.bool_)
        is_head[heads >> rest] = True
        rows = np.flatnonzero(is_head[words >> rest])
        nearest = heads.take(np.searchsorted(heads, words[rows]), mode="clip")
        rows = rows[nearest == words[rows]]
        among = np.zeros(len(self), np.bool_)
        suspects = np.take(self.octets, rows, axis=0).tobytes()
        among[rows] = [suspects[at : at + 20] in wanted for at in range(0, len(suspects), 20)]
        return among

    def repeated(self, limit: int) -> Addresses:
        """Return the addresses, in order, that stand in more than `limit` rows."""
        ordered = self[self.order()]
        starts = np.flatnonzero(ordered.is_new())
        counts = np.diff(starts, append=len(ordered))
        return ordered[starts[counts > limit]]

    def order(self) -> NDArray[np.int32]:
        """Return the rows in address order; equal addresses keep the order in which they stand.

        It is looked for once.
        """
        if self._order is None:
            self._order = stable_order(self.octets).astype(np.int32)
        return self._order

    def is_new(self) -> NDArray[np.bool_]:
        """Return, for addresses in order, whether each differs from the one before it."""
        first = np.ones(len(self), np.bool_)
        first[1:] = (self.octets[1:] != self.octets[:-1]).any(axis=1)
        return first


class Words:
    """A column of few different values: each row is the number of one of them."""

    def __init__(self, numbers: NDArray[np.int8], words: Sequence[Any]) -> None:
        self.numbers = numbers
        self.words = words

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.numbers)

    def __getitem__(self, rows: Any) -> Words:  # noqa: ANN401
        """Return some of the rows."""
        return Words(self.numbers[rows], self.words)

    def take(self, rows: NDArray[np.int64]) -> Words:
        """Return some of the rows."""
        return self[rows]

    def __eq__(self, other: object) -> NDArray[np.bool_]:  # type: ignore[override]
        """Return whether each row's value is this one."""
        return np.array([word == other for word in self.words], np.bool_)[self.numbers]

    def __ne__(self, other: object) -> NDArray[np.bool_]:  # type: ignore[override]
        """Return whether each row's value is another one."""
        return ~(self == other)

    __hash__ = None  # type: ignore[assignment]

    def tolist(self) -> list[Any]:
        """Return the values row by row."""
        return [self.words[number] for number in self.numbers.tolist()]


def stable_order(octets: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the order of rows of bytes, ascending; equal rows keep the order they stand in.

    Eight bytes make a number, and the first number that differs at all nearly always decides.
    Where it does not, all of them are sorted by.
    """
    order = np.arange(len(octets))
    for at in range(0, octets.shape[1], 8):
        word = _word(octets, at)
        if len(word) and (word != word[0]).any():
            order = np.argsort(word, kind="stable")
            ordered = word[order]
            tied = np.flatnonzero(ordered[1:] == ordered[:-1])
            if (octets[order[tied]] != octets[order[tied + 1]]).any():
                rest = range(at, octets.shape[1], 8)
                return np.lexsort([_word(octets, at) for at in rest][::-1])
            break
    return order


def ascends(octets: NDArray[np.uint8], order: NDArray[np.int64] | None = None) -> bool:
    """Return whether each row of bytes, in their order, is above the one before it."""
    for start in range(0, len(octets) - 1, BLOCK):
        rows = slice(start, start + BLOCK + 1)
        block = octets[rows] if order is None else octets[order[rows]]
        tied = np.arange(len(block) - 1)
        for at in range(0, octets.shape[1], 8):
            word = _word(block, at)
            earlier, later = word[tied], word[tied + 1]
            if (earlier > later).any():
                return False
            tied = tied[earlier == later]
        if len(tied):
            return False
    return True


def _word(octets: NDArray[np.uint8], at: int) -> NDArray[np.uint64]:
    """Return eight bytes of each row as a number, of fewer as if zeros followed."""
    part = octets[:, at : at + 8]
    if part.shape[1] < 8:
        part = np.pad(part, ((0, 0), (0, 8 - part.shape[1])))
    return np.ascontiguousarray(part).view(">u8").ravel().astype(np.uint64)


class ColumnTable(Sequence[R]):
    """Records held by column.

    Columns are numpy arrays, `Addresses`, `Words`, `Wide`, or anything else with slices, a length,
    `take` and `tolist`. Integers may be stored in numpy's types where they fit; they are given out
    as `Wide`.
    """

    def __init__(self, record: Callable[..., R], columns: Mapping[str, Any]) -> None:
        self.record = record
        self.columns = dict(columns)
        self._sums: dict[str, int] = {}

    def sum_of(self, name: str) -> int:
        """Return the exact sum of a column; it is taken once."""
        if name not in self._sums:
            self._sums[name] = Wide.of(self.columns[name]).sum()
        return self._sums[name]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Return a column by its field name."""
        if name in ("columns", "record", "_sums") or name not in self.columns:
            raise AttributeError(name)
        column = self.columns[name]
        is_integers = isinstance(column, np.ndarray) and column.dtype.kind in "iO"
        return Wide.of(column) if is_integers else column

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values())))

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> ColumnTable[R]: ...
    def __getitem__(self, index: int | slice) -> R | ColumnTable[R]:
        """Return a row as a record, or some rows as a table."""
        if isinstance(index, slice):
            return ColumnTable(
                self.record, {name: column[index] for name, column in self.columns.items()}
            )
        row = range(len(self))[index]
        return next(iter(self[row : row + 1]))

    def take(self, rows: NDArray[np.int64]) -> ColumnTable[R]:
        """Return some of the rows."""
        return ColumnTable(
            self.record, {name: column.take(rows) for name, column in self.columns.items()}
        )

    def __iter__(self) -> Iterator[R]:
        """Yield the rows as records."""
        for start in range(0, len(self), BLOCK):
            cells = (column[start : start + BLOCK].tolist() for column in self.columns.values())
            yield from (self.record(*row) for row in zip(*cells, strict=True))


class Rows:
    """Some rows of a table, looked up block by block."""

    def __init__(self, table: ColumnTable[Any], rows: NDArray[np.int64]) -> None:
        self.columns = table.columns
        self._table = table
        self._rows = rows

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def __getitem__(self, rows: slice) -> ColumnTable[Any]:
        """Return some of them as a table."""
        return self._table.take(self._rows[rows])


def matching(holds: Callable[..., Any], tables: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows, those of several tables side by side, for which a condition holds."""
    for start in range(0, len(tables[0]), BLOCK):
        parts = [table[start : start + BLOCK] for table in tables]
        found = np.flatnonzero(holds(*parts))
        if len(found):
            yield from zip(*(part.take(found) for part in parts), strict=True)


def paid_to(
    table: ColumnTable[Any], addresses: Collection[Address], names: Sequence[str]
) -> ColumnTable[tuple[Any, ...]]:
    """Return some columns of the rows whose payout address is one of a few."""
    columns = table.columns
    some = ColumnTable(lambda *cells: cells, {name: columns[name] for name in names})
    return some.take(np.flatnonzero(columns["payout_address"].are_among(addresses)))


class LedgerColumns(Mapping[Address, Account]):
    """A predecessor's ledger by column, in address order."""

    def __init__(self, accounts: Addresses, cumulative: Any, recovery: Any) -> None:  # noqa: ANN401
        self._columns: tuple[Addresses, Any, Any] | None = (accounts, cumulative, recovery)
        self._allocations: Any = None

    def let_go(self, allocations: Any) -> None:  # noqa: ANN401 - a table by column
        """Hold the columns no longer: the allocations that were made on them have them too."""
        self._columns, self._allocations = None, allocations

    def _held(self) -> tuple[Addresses, Any, Any]:
        if self._columns is None:
            again = ledger_of(self._allocations, "previous_cumulative", "recovery_in")
            self._columns = again._held()  # noqa: SLF001
        return self._columns

    @property
    def accounts(self) -> Addresses:
        """The accounts, ascending."""
        return self._held()[0]

    @property
    def cumulative(self) -> Any:  # noqa: ANN401
        """What each was allotted in all."""
        return self._held()[1]

    @property
    def recovery(self) -> Any:  # noqa: ANN401
        """What is still to be recovered from each."""
        return self._held()[2]

    def __len__(self) -> int:
        """Return the number of accounts."""
        return len(self.accounts)

    def __iter__(self) -> Iterator[Address]:
        """Yield the accounts in address order."""
        for start in range(0, len(self), BLOCK):
            yield from self.accounts[start : start + BLOCK].tolist()

    def __getitem__(self, account: Address) -> Account:
        """Return what is carried of an account."""
        wanted = bytes.fromhex(account[2:])
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.accounts.octets[middle].tobytes() < wanted:
                low = middle + 1
            else:
                high = middle
        if low == len(self) or self.accounts.octets[low].tobytes() != wanted:
            raise KeyError(account)
        row = slice(low, low + 1)
        return Account(self.cumulative[row].tolist()[0], self.recovery[row].tolist()[0])

    def __eq__(self, other: object) -> bool:
        """Return whether both hold the same accounts with the same amounts."""
        if not isinstance(other, LedgerColumns):
            return Mapping.__eq__(self, other)
        return (
            np.array_equal(self.accounts.octets, other.accounts.octets)
            and same_integers(self.cumulative, other.cumulative)
            and same_integers(self.recovery, other.recovery)
        )

    __hash__ = None  # type: ignore[assignment]


def ledger_of(table: Any, cumulative: str, recovery: str) -> LedgerColumns:  # noqa: ANN401
    """Return the ledger that two columns of a table of allocations hold; no account of zeros."""
    columns = table.columns
    held = LedgerColumns(columns["account"], columns[cumulative], columns[recovery])
    rows = np.flatnonzero((held.cumulative > 0) | (held.recovery > 0))
    if len(rows) == len(held):
        return held
    return LedgerColumns(held.accounts[rows], held.cumulative[rows], held.recovery[rows])
