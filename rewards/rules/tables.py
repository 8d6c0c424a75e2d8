"""Questions to a table that read the same for records and for a table held by column.

A condition is written with plain operators (`&` and `|` between comparisons), so that it holds for
a record as for a block of columns. No numpy is loaded for records.
"""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from rewards.rules.records import column_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from rewards.rules.records import Address


def rows_where(holds: Callable[..., Any], *tables: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows, those of several tables side by side, for which a condition holds."""
    if all(hasattr(table, "columns") for table in tables):
        from rewards.rules.columns import matching  # noqa: PLC0415 - records need no numpy

        return matching(holds, tables)
    return (rows for rows in zip(*tables, strict=True) if holds(*rows))


def rows_paid_to(
    rows: Any,  # noqa: ANN401 - records, or a table held by column
    addresses: Collection[Address],
    *names: str,
) -> Iterable[tuple[Any, ...]]:
    """Return some fields (two or more) of the rows whose payout address is one of a few."""
    if hasattr(rows, "columns"):
        from rewards.rules.columns import paid_to  # noqa: PLC0415

        return paid_to(rows, addresses, names)
    fields = attrgetter(*names)
    return (fields(row) for row in rows if row.payout_address in addresses)


def count_above_zero(rows: Sequence[Any], name: str) -> int:
    """Return in how many rows a field that is never negative is above 0."""
    column: Any = column_of(rows, name)
    if isinstance(column, list):
        return sum(value > 0 for value in column)
    return int((column > 0).sum())


def ascending_of(rows: Sequence[Any], name: str) -> Any:  # noqa: ANN401 - a list, or a column
    """Return the integers of a field, all but zeros, in ascending order."""
    column: Any = column_of(rows, name)
    if isinstance(column, list):
        return sorted(filter(None, column))
    return column[column != 0].ascending()


def repeated(addresses: Any, limit: int) -> set[Address]:  # noqa: ANN401 - texts or a column
    """Return the addresses that stand in more than `limit` rows."""
    if isinstance(addresses, list):
        return {address for address, count in Counter(addresses).items() if count > limit}
    return set(addresses.repeated(limit).tolist())
