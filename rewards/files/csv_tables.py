"""CSV in and out: RFC 4180 in UTF-8, read strictly row by row, written canonically."""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.folder import open_regular
from rewards.files.grammar import GrammarError, parse_published
from rewards.files.streams import Streamed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from rewards.files.streams import Content

PARQUET = ".parquet"

LINE_LIMIT = 64 * 1024
"""Bytes in the longest line that is read: a file of garbage does not take the memory."""

BY_COLUMN_FROM = 1 << 20
"""Bytes from which a table is read by column: below, loading the packages takes longer."""

REBUILT = "run `rewards verify` on the folder; do not rely on it"

FINDINGS_LIMIT = 100
"""Findings after which a file is not read further."""

# RFC 4180, section 2: a cell is quoted as a whole, or holds neither quote nor line break.
_OPEN = r'"[^"]*+(?:""[^"]*+)*+'
_PLAIN = r'[^",\r\n]*+'
_CELL = re.compile(rf'(?:^|,)(?:({_OPEN}")|({_PLAIN}))')
_RECORD = re.compile(rf'(?:{_OPEN}"|{_PLAIN})(?:,(?:{_OPEN}"|{_PLAIN}))*')
_OPENED = re.compile(rf'(?:(?:{_OPEN}"|{_PLAIN}),)*{_OPEN}')


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
            if text:  # a byte order mark alone is no line
                yield text

    def records(self) -> Iterator[tuple[int, str]]:
        """Yield each record without its line end, and the line it starts on.

        Raises:
            InvalidInput: A quote is left open, or spans more than a line may have.
        """
        lines = iter(self)
        for line in lines:
            start, record = self.line, line
            is_open = line.count('"') % 2 == 1 and _OPENED.fullmatch(line) is not None
            while is_open:
                following = next(lines, None)
                if following is None or len(record) > LINE_LIMIT:
                    self.line = start
                    self._refuse("opens a quote that nothing closes", _QUOTE_REMEDY)
                record += following
                is_open = following.count('"') % 2 == 0
            yield start, record.removesuffix("\n").removesuffix("\r")

    def _refuse(self, problem: str, remedy: str, value: str = "") -> NoReturn:
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
    header: list[str] = []
    positions: list[int | None] | None = None
    seen: dict[str, int] = {}
    for start, record in lines.records():
        cells = _cells(record, table.name, header, start, found)
        if cells is None:
            if not header:
                return
        elif positions is None:
            header = cells
            positions = _positions(header, table, found)
            if positions is None:
                return
        elif len(cells) != len(header):
            found.append(
                Finding(
                    table.name,
                    f"has {len(cells)} cells where the header has {len(header)}",
                    "give every row one cell per column; no blank lines",
                    row=start,
                )
            )
        else:
            row = _parse_row(cells, positions, table, start, found)
            if row and _is_new(row, table, seen, found):
                yield row
        if len(found) >= FINDINGS_LIMIT:
            return
    if positions is None:
        found.append(
            Finding(table.name, "is empty", "give at least the header " + ",".join(table.header))
        )


_QUOTE_REMEDY = "quote a cell as a whole, and double a quote inside it (RFC 4180)"


def _cells(
    record: str, name: str, header: Sequence[str], line: int, found: list[Finding]
) -> list[str] | None:
    """Return the cells of a record; None, with a finding, where it is not RFC 4180."""
    if '"' not in record and "\r" not in record:
        return record.split(",") if record else []
    legal = _RECORD.match(record)
    end = legal.end() if legal else 0
    if end == len(record):
        return [
            quoted[1:-1].replace('""', '"') if quoted else text
            for quoted, text in _CELL.findall(record)
        ]
    # What is wrong begins where the grammar ends: at a quote, at text behind one, at a CR.
    before = [match.start() for match in _CELL.finditer(record[:end])]
    wrong = record[before[-1] :].removeprefix(",").partition(",")[0]
    problem, remedy = "holds a quote that does not enclose the cell", _QUOTE_REMEDY
    if record[end] == "\r":
        problem, remedy = "holds a bare carriage return", "end lines with LF or CRLF"
    column = header[len(before) - 1] if len(before) <= len(header) else ""
    found.append(Finding(name, problem, remedy, row=line, column=column, value=wrong))
    return None


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


def read_columns_of(
    path: Path, name: str, columns: Sequence[str], integers: Collection[str] = ()
) -> Iterator[tuple[str, ...]]:
    """Yield some cells of each row of a published table, as text.

    Args:
        path: Where it lies.
        name: What findings call it.
        columns: Which cells.
        integers: Those of the columns that hold integers.

    Raises:
        CheckFailed: The table is not of the published form.
    """
    found: list[Finding] = []
    header: list[str] = []
    with open_regular(path, name) as handle:
        for line, record in _Lines(handle, name).records():
            cells = _cells(record, name, header, line, found)
            if not header and cells and set(columns) <= set(cells):
                header = cells
                places = [header.index(column) for column in columns]
                counted = [header.index(column) for column in integers]
                continue
            if not header or cells is None or len(cells) != len(header):
                raise CheckFailed(Finding(name, "is not of the published form", REBUILT, row=line))
            for place in counted:
                _require_integer(cells[place], name, header[place], line)
            yield tuple(cells[place] for place in places)


def _require_integer(text: str, name: str, column: str, line: int) -> None:
    try:
        parse_published(text)
    except GrammarError as error:
        raise CheckFailed(
            Finding(name, error.problem, REBUILT, row=line, column=column, value=text)
        ) from error


def canonical_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return the canonical bytes: UTF-8, LF, quotes only where RFC 4180 needs them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
