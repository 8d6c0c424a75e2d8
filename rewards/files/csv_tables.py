"""CSV in and out: RFC 4180 in UTF-8, read strictly row by row, written canonically."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from rewards.errors import Finding, InvalidInput
from rewards.files.folder import open_regular
from rewards.files.grammar import GrammarError
from rewards.files.streams import Streamed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from rewards.files.streams import Content

PARQUET = ".parquet"

LINE_LIMIT = 64 * 1024
"""Bytes in the longest line that is read: a file of garbage does not take the memory."""

BY_COLUMN_FROM = 1 << 20
"""Bytes from which a table is read by column: below, loading the packages takes longer."""

FINDINGS_LIMIT = 100
"""Findings after which a file is not read further."""

csv.field_size_limit(LINE_LIMIT)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its grammar, and the text that stands in for an absent column."""

    name: str
    parse: Callable[[str], Any]
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A file's columns, in canonical order; `key` is the column that must be unique, if any."""

    name: str
    columns: tuple[Column, ...]
    key: str | None = None

    @property
    def header(self) -> tuple[str, ...]:
        """The column names in canonical order."""
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True, slots=True)
class Row:
    """The parsed values of a record, in canonical column order, and the line it starts on."""

    line: int
    values: tuple[Any, ...]


class _Lines:
    """Decoded lines of a file, at most LINE_LIMIT bytes each; remembers where it is."""

    def __init__(self, handle: BinaryIO, name: str) -> None:
        self.handle = handle
        self.name = name
        self.line = 0

    def __iter__(self) -> Iterator[str]:
        first = True
        while raw := self.handle.readline(LINE_LIMIT + 1):
            self.line += 1
            if len(raw) > LINE_LIMIT:
                self._refuse(f"is a line of over {LINE_LIMIT} bytes", "is this a CSV file?")
            if b"\0" in raw:
                self._refuse("holds a NUL byte", "save the file as plain UTF-8 text")
            try:
                text = raw.decode("utf-8-sig" if first else "utf-8")
            except UnicodeDecodeError as error:
                self._refuse(
                    f"is not UTF-8 (byte {error.start} of the line)",
                    "save the file as UTF-8",
                    repr(raw[error.start : error.start + 4]),
                )
            first = False
            yield text

    def _refuse(self, problem: str, remedy: str, value: str = "") -> None:
        raise InvalidInput(Finding(self.name, problem, remedy, row=self.line, value=value))


def open_table(path: Path, name: str) -> BinaryIO:
    """Open a table as CSV text, whatever the form in which it lies.

    Raises:
        InvalidInput: There is no such file, or it is not of its form.
    """
    if path.suffix == PARQUET:
        from rewards.files import parquet  # noqa: PLC0415 - CSV needs no Arrow

        return parquet.as_csv(path, name)
    return open_regular(path, name)


def read_table(path: Path, table: Table, findings: list[Finding]) -> list[Row]:
    """Return the rows of a file in file order; what is wrong goes to `findings`, all together.

    A record with a finding is left out of the result, so a caller that found none has them all.
    """
    found: list[Finding] = []
    rows: list[Row] = []
    try:
        with open_table(path, table.name) as handle:
            for row in _records(_Lines(handle, table.name), table, found):
                rows.append(row)  # noqa: PERF402 - kept when a later line breaks off
    except InvalidInput as error:
        found.extend(error.findings)
    if len(found) >= FINDINGS_LIMIT:
        found.append(
            Finding(
                table.name,
                f"was not read further after {FINDINGS_LIMIT} findings",
                "correct these first",
            )
        )
    findings.extend(found)
    return rows


def _records(lines: _Lines, table: Table, found: list[Finding]) -> Iterator[Row]:
    reader = csv.reader(iter(lines), strict=True)
    positions: list[int | None] | None = None
    width = 0
    seen: dict[str, int] = {}
    while len(found) < FINDINGS_LIMIT:
        start = lines.line + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            remedy = "quote by RFC 4180: a quote inside a quoted cell is doubled"
            found.append(Finding(table.name, f"is broken CSV: {error}", remedy, row=start))
            return
        if positions is None:
            width = len(cells)
            positions = _positions(cells, table, found)
            if positions is None:
                return
        elif len(cells) != width:
            found.append(
                Finding(
                    table.name,
                    f"has {len(cells)} cells where the header has {width}",
                    "give every row one cell per column; no blank lines",
                    row=start,
                )
            )
        else:
            row = _parse_row(cells, positions, table, start, found)
            if row and _is_new(row, table, seen, found):
                yield row
    if positions is None:
        found.append(
            Finding(table.name, "is empty", "give at least the header " + ",".join(table.header))
        )


def _positions(
    header: Sequence[str], table: Table, found: list[Finding]
) -> list[int | None] | None:
    """Return for each column its position in the file; None when the header is unusable."""
    known = {column.name for column in table.columns}
    before = len(found)
    counts = Counter(header)
    for name in sorted(counts):
        if len(found) - before >= FINDINGS_LIMIT:
            break
        if name not in known:
            found.append(
                Finding(
                    table.name,
                    "is an unknown column",
                    "the columns are " + ", ".join(table.header),
                    row=1,
                    column=name,
                    value=name,
                )
            )
        if counts[name] > 1:
            found.append(
                Finding(table.name, "is there twice", "keep one", row=1, column=name, value=name)
            )
    for column in table.columns:
        if column.name not in header and column.default is None:
            found.append(
                Finding(
                    table.name,
                    f"lacks the column {column.name}",
                    "the columns are " + ", ".join(table.header),
                    row=1,
                    column=column.name,
                )
            )
    if len(found) > before:
        return None
    return [header.index(c.name) if c.name in header else None for c in table.columns]


def _parse_row(
    cells: Sequence[str],
    positions: Sequence[int | None],
    table: Table,
    line: int,
    found: list[Finding],
) -> Row | None:
    values = []
    before = len(found)
    for column, position in zip(table.columns, positions, strict=True):
        text = cells[position] if position is not None else column.default or ""
        try:
            values.append(column.parse(text))
        except GrammarError as error:
            found.append(
                Finding(
                    table.name,
                    error.problem,
                    error.remedy,
                    row=line,
                    column=column.name,
                    value=text,
                )
            )
    return Row(line, tuple(values)) if len(found) == before else None


def _is_new(row: Row, table: Table, seen: dict[str, int], found: list[Finding]) -> bool:
    if table.key is None:
        return True
    key = row.values[table.header.index(table.key)]
    if key in seen:
        found.append(
            Finding(
                table.name,
                f"is a duplicate of row {seen[key]}",
                "keep one row per id",
                row=row.line,
                column=table.key,
                value=key,
            )
        )
        return False
    seen[key] = row.line
    return True


def read_by_column(
    path: Path,
    table: Table,
    record: Callable[..., Any],
    *,
    by_column: bool | None = None,
    some: bool = False,
) -> Any:  # noqa: ANN401 - a table of columns, whose type needs numpy
    """Return a large file's records, held by column in the order of the key.

    None where the file is small, or so written that only `read_table` can judge it. With `some` the
    file may have more columns than the table.
    """
    try:
        with open_table(path, table.name) as handle:
            size = os.fstat(handle.fileno()).st_size
            if by_column is None:
                by_column = size >= BY_COLUMN_FROM
            if not by_column:
                return None
            from rewards.files import column_tables  # noqa: PLC0415 - small epochs load no Arrow

            return column_tables.read_columns(handle, table, record, size=size, some=some)
    except InvalidInput:
        return None


def table_csv(
    header: Sequence[str],
    rows: Any,  # noqa: ANN401 - records, or a table held by column
    formats: Mapping[str, Callable[[int], str]] | None = None,
) -> Content:
    """Return the canonical bytes of records; those of a table held by column are yet to be made.

    Args:
        header: The field names, in the order of the columns.
        rows: The records.
        formats: How the integers of some columns are written, if not as digits.
    """
    if hasattr(rows, "columns"):
        from rewards.files import column_tables  # noqa: PLC0415 - small epochs load no Arrow

        return Streamed(lambda: column_tables.column_csv(rows, formats))
    forms = [(formats or {}).get(name, cell_text) for name in header]
    fields = attrgetter(*header)
    return canonical_csv(
        header,
        ([form(cell) for form, cell in zip(forms, fields(r), strict=True)] for r in rows),
    )


def cell_text(value: object) -> str:
    """Return a value as its cell: nothing for None, `true` or `false` for a boolean."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_columns_of(path: Path, name: str, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield some cells of each row of a published table, as text."""
    with open_regular(path, name) as handle:
        reader = csv.reader(io.TextIOWrapper(handle, "utf-8", newline=""))
        header = next(reader)
        yield from map(itemgetter(*(header.index(column) for column in columns)), reader)


def canonical_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return the canonical bytes: UTF-8, LF, quotes only where RFC 4180 needs them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
