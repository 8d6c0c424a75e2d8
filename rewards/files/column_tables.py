"""CSV in and out by column, for tables with very many rows; the only module that needs Arrow.

The reader only accepts. It takes plain cells of the grammar in `files.grammar` and gives exactly
the values that `csv_tables.read_table` gives; whatever else it meets (a quote, a wrong digit, a
duplicate id) makes it give up, and the strict reader, which words the findings, reads the file
again from the start.
"""

from __future__ import annotations

import ctypes
import os
from binascii import hexlify, unhexlify
from bisect import bisect_right
from collections import namedtuple
from dataclasses import replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from rewards.files.csv_tables import LINE_LIMIT
from rewards.files.grammar import (
    GrammarError,
    parse_address,
    parse_identifier,
    parse_integer,
    parse_published,
    parse_total,
)
from rewards.files.streams import ahead, begun
from rewards.merkle.batch import KERNEL_FROM, THREADS, blocks, is_checksummed, kernels
from rewards.rules.columns import (
    Addresses,
    ColumnTable,
    Rows,
    Words,
    ascends,
    joined,
    stable_order,
    stored,
)
from rewards.rules.wide import LIMB_DIGITS, Wide, column_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from numpy.typing import NDArray

    from rewards.files.csv_tables import Table

READ_BYTES = 1 << 20
"""Bytes that are read at a time, and cut at a line end."""

BLOCK = 1 << 14
"""Rows that are written at a time."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

INT32_DIGITS, EXACT_DIGITS = 9, 77
"""Decimal digits that surely fit into 31 and into 256 bits."""

ROW_BYTES = 90
"""Bytes of a row, about: how long a table is, is told from its size."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Options of glibc's `mallopt`."""

COLUMN_BYTES, KEPT_BYTES, ARENAS = 1 << 22, 1 << 26, 2
"""The bytes from which a block is a column, or like one; how many free ones are kept, and where."""

KEPT_VALUES = 1 << 16
"""Values of a column that are kept, parsed or written, for the next blocks."""

ID_LENGTH = 64
ADDRESS_LENGTH = 42


class _Odd(Exception):  # noqa: N818 - no error: the strict reader takes over
    """The text is not plain enough for this reader."""


def _require(holds: object) -> None:
    if not holds:
        raise _Odd


# --- reading ---------------------------------------------------------------------------------


def read_columns(
    handle: BinaryIO,
    table: Table,
    record: Callable[..., Any],
    *,
    size: int = 0,
    some: bool = False,
) -> ColumnTable[Any] | None:
    """Return the rows of a CSV file in the order of the key; None where it is not plain.

    Args:
        handle: The file, at its start.
        table: Its columns.
        record: What makes a record of a row.
        size: The file's bytes, from which it is told whether to load the compiled kernels.
        some: Whether the file may have other columns, which are not read.
    """
    # Values of a column that holds few different ones come again and again.
    table = replace(
        table,
        columns=tuple(
            column
            if column.parse in COLUMN_PARSERS
            else replace(column, parse=lru_cache(KEPT_VALUES)(column.parse))
            for column in table.columns
        ),
    )
    map_columns()
    give_back_memory()  # before the most of it is needed
    if size >= ROW_BYTES * KERNEL_FROM:
        begun(kernels)  # each block holds fewer addresses than would load it
    try:
        names = _header(handle, table, some=some)
        parts = list(
            ahead(
                lambda lines: _parse(_read_csv(lines, names, table), table),
                _lines(handle),
                THREADS,
            )
        )
    except (_Odd, GrammarError, UnicodeDecodeError, pa.ArrowInvalid):
        return None
    empty = pa.table({name: pa.array([], pa.string()) for name in names})
    parts = parts or [_parse(empty, table)]
    columns = {name: _joined([part.pop(name) for part in parts]) for name in table.header}
    try:
        rows = _in_order(ColumnTable(record, columns), table.key or "")
    except _Odd:
        return None
    give_back_memory()
    return rows


def give_back_memory() -> None:
    """Return what is free to the system: glibc keeps it for blocks of the size there were."""
    pa.default_memory_pool().release_unused()
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


@cache
def map_columns() -> None:
    """Let glibc map each column by itself, so that it goes back to the system when it is freed.

    Smaller blocks come and go with every few thousand rows: what they lay in is kept for the next.
    """
    set_option = _glibc("mallopt")
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, COLUMN_BYTES)
        set_option(M_TRIM_THRESHOLD, KEPT_BYTES)
        set_option(M_ARENA_MAX, ARENAS)


def _glibc(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if os.name == "posix" else None


def _header(handle: BinaryIO, table: Table, *, some: bool) -> list[str]:
    line = _plain(handle.readline(LINE_LIMIT).removeprefix(BYTE_ORDER_MARK))
    _require(line.endswith(b"\n"))
    names = line.rstrip(b"\r\n").decode("ascii").split(",")
    required = {column.name for column in table.columns if column.default is None}
    _require(len(names) == len(set(names)) and required <= set(names))
    _require(some or set(names) <= set(table.header))
    return names


def _lines(handle: BinaryIO) -> Iterator[bytes]:
    """Yield blocks of whole lines without quotes."""
    rest = b""
    while block := handle.read(READ_BYTES):
        end = block.rfind(b"\n") + 1
        if end:
            yield _plain(rest + block[:end])
            rest = block[end:]
        else:
            rest += block
            _require(len(rest) <= LINE_LIMIT + READ_BYTES)
    if rest:
        yield _plain(rest)


def _plain(lines: bytes) -> bytes:
    _require(b'"' not in lines and b"\0" not in lines)
    _require(not lines.startswith(BYTE_ORDER_MARK))  # Arrow would pass over it
    _require(b"\r" not in lines or lines.count(b"\r") == lines.count(b"\r\n"))
    return lines


def _read_csv(lines: bytes, names: Sequence[str], table: Table) -> pa.Table:
    return arrow_csv.read_csv(
        pa.BufferReader(lines),
        read_options=arrow_csv.ReadOptions(
            column_names=names, use_threads=False, block_size=len(lines) + 1
        ),
        parse_options=arrow_csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=[name for name in names if name in table.header],
            strings_can_be_null=False,
        ),
        # Arrow's own pool would keep what the texts took.
        memory_pool=pa.system_memory_pool(),
    )


def _parse(texts: pa.Table, table: Table) -> dict[str, Any]:
    """Return the columns of a table whose cells are all texts.

    Raises:
        _Odd, GrammarError: Something is not plain.
    """
    columns: dict[str, Any] = {}
    for column in table.columns:
        if column.name in texts.column_names:
            cells = texts.column(column.name).combine_chunks()
            if column.parse in COLUMN_PARSERS:
                columns[column.name] = COLUMN_PARSERS[column.parse](cells)
            else:
                columns[column.name] = _by_value(cells, column.parse)
        else:
            columns[column.name] = np.full(texts.num_rows, column.parse(column.default or ""))
    return columns


def _joined(parts: list[Any]) -> Any:
    return pa.concat_arrays(parts) if isinstance(parts[0], pa.Array) else joined(parts)


def _in_order(table: ColumnTable[Any], key: str) -> ColumnTable[Any]:
    """Return the rows ascending by the key, which must be there once each."""
    keys = table.columns[key]
    octets = keys.octets if isinstance(keys, Addresses) else _padded(keys)
    if ascends(octets):
        return table
    order = stable_order(octets)
    _require(ascends(octets, order))  # or two rows have the same key
    for name, column in table.columns.items():  # one by one: only one is there twice
        table.columns[name] = _taken(column, order)
    return table


def _taken(column: Any, rows: NDArray[np.int64]) -> Any:
    """Return some of the rows of a column."""
    if isinstance(column, pa.Array):
        return column.take(pa.array(rows))
    return column[rows]


def _padded(texts: pa.StringArray) -> NDArray[np.uint8]:
    """Return ASCII texts as rows of bytes, filled up with zeros (below any character of an id)."""
    width = max(int(_lengths(texts).max(initial=0)), 1)
    filled = pc.ascii_rpad(texts, width=width, padding="\0")
    return _octets(filled).reshape(-1, width)


def _offsets(texts: pa.StringArray) -> NDArray[np.int32]:
    offsets: NDArray[np.int32] = np.frombuffer(texts.buffers()[1], np.int32)
    return offsets[texts.offset : texts.offset + len(texts) + 1]


def _lengths(texts: pa.StringArray) -> NDArray[np.int32]:
    return np.diff(_offsets(texts)) if len(texts) else np.zeros(0, np.int32)


def _octets(texts: pa.StringArray) -> NDArray[np.uint8]:
    """Return the bytes of all texts, end to end."""
    if not len(texts) or texts.buffers()[2] is None:
        return np.zeros(0, np.uint8)
    offsets = _offsets(texts)
    return np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]


def _starts(texts: pa.StringArray) -> NDArray[np.int64]:
    starts: NDArray[np.int64] = (_offsets(texts)[:-1] - _offsets(texts)[0]).astype(np.int64)
    return starts


def _all_but(characters: bytes) -> NDArray[np.bool_]:
    table = np.ones(256, np.bool_)
    table[list(characters)] = False
    return table


_DIGITS = b"0123456789"
_ALNUM = _DIGITS + b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BEGINS_NO_ID = _all_but(_ALNUM)
_IN_NO_ID = _all_but(_ALNUM + b"_.:-")


def _identifiers(texts: pa.StringArray) -> pa.StringArray:
    lengths, octets = _lengths(texts), _octets(texts)
    _require(((lengths > 0) & (lengths <= ID_LENGTH)).all())
    starts = _starts(texts)
    _require(not _IN_NO_ID[octets].any() and not _BEGINS_NO_ID[octets[starts]].any())
    # What might look like an address is left to the strict reader.
    alike = starts[lengths == ADDRESS_LENGTH]
    _require(not ((octets[alike] == ord("0")) & (octets[alike + 1] | 0x20 == ord("x"))).any())
    return texts


def _addresses(texts: pa.StringArray) -> Addresses:
    _require((_lengths(texts) == ADDRESS_LENGTH).all())
    rows = _octets(texts).reshape(-1, ADDRESS_LENGTH)
    _require((rows[:, 0] == 0x30).all() and (rows[:, 1] == 0x78).all())
    digits = np.ascontiguousarray(rows[:, 2:])
    try:
        content = unhexlify(digits.data)
    except ValueError as error:
        raise _Odd from error
    lower = np.frombuffer(hexlify(content), np.uint8).reshape(-1, 40)
    # Letters of one case are taken as they are, those of both cases are a checksum.
    mixed = np.flatnonzero((digits != lower).view(np.uint64).any(axis=1))
    mixed = mixed[_has_small_letters(np.take(digits, mixed, axis=0))]
    _require(is_checksummed(np.take(digits, mixed, axis=0)).all())
    return Addresses(np.frombuffer(content, np.uint8).reshape(-1, 20))


def _has_small_letters(digits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return whether a row of hex digits holds one of a to f: only these have both bits 5 and 6."""
    words = digits.view(np.uint64)
    both = (words & (words << np.uint64(1))) & np.uint64(0x4040404040404040)
    return np.asarray(both.any(axis=1))


def _integers(texts: pa.StringArray) -> Any:
    """Return integers, as machine numbers where they are narrow."""
    lengths, octets = _lengths(texts), _octets(texts)
    longest = int(lengths.max(initial=0))
    _require((lengths > 0).all() and longest <= EXACT_DIGITS)
    _require(((octets - np.uint8(0x30)) < 10).all())
    _require(((octets[_starts(texts)] != 0x30) | (lengths == 1)).all())
    if longest <= LIMB_DIGITS:
        numbers = _numbers(texts)
        return numbers.astype(np.int32) if longest <= INT32_DIGITS else numbers
    width = -(-longest // LIMB_DIGITS)
    filled = _octets(pc.ascii_lpad(texts, width=width * LIMB_DIGITS, padding="0"))
    limbs = _numbers(_string_array(filled, width * len(texts), LIMB_DIGITS))
    return Wide(np.ascontiguousarray(limbs.reshape(-1, width).T[::-1]))


def _numbers(texts: pa.StringArray) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = pc.cast(texts, pa.int64()).to_numpy(zero_copy_only=False)
    return numbers


def _published_integers(texts: pa.StringArray) -> Any:
    """Return integers that may be negative; few of them are."""
    if not pc.any(pc.starts_with(texts, "-")).as_py():
        return _integers(texts)
    encoded = pc.dictionary_encode(texts)
    values = [parse_published(text) for text in encoded.dictionary.to_pylist()]
    return stored(column_from(values))[encoded.indices.to_numpy()]


def _by_value(texts: pa.StringArray, parse: Callable[[str], Any]) -> NDArray[Any]:
    """Return a column of few different values, each parsed once."""
    encoded = pc.dictionary_encode(texts)
    values = np.array([parse(text) for text in encoded.dictionary.to_pylist()] or [0])
    return np.asarray(values[encoded.indices.to_numpy()])


COLUMN_PARSERS: dict[Callable[[str], Any], Callable[[pa.StringArray], Any]] = {
    parse_identifier: _identifiers,
    parse_address: _addresses,
    parse_integer: _integers,
    parse_published: _published_integers,
    parse_total: _integers,
}


def with_same(key: str, rows: ColumnTable[Any], others: ColumnTable[Any]) -> tuple[Rows, Rows]:
    """Return the rows of two tables that have the same text as key, side by side.

    Of the first table only those columns that the second has too.
    """
    names = tuple(others.columns)
    same = ColumnTable(namedtuple("Same", names), {name: rows.columns[name] for name in names})
    ids, other_ids = rows.columns[key], others.columns[key]
    found, places, start = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    # Both are in order: what a block may find lies in one stretch of the other table.
    for block in blocks(len(ids), BLOCK):
        some = ids[block.start : block.stop]
        stop = bisect_right(other_ids, some[-1].as_py(), start, key=lambda cell: cell.as_py())
        there = pc.index_in(some, value_set=other_ids[start:stop])
        found.append(np.flatnonzero(pc.is_valid(there)) + block.start)
        places.append(there.drop_null().to_numpy(zero_copy_only=False).astype(np.int64) + start)
        start = stop
    return Rows(same, np.concatenate(found)), Rows(others, np.concatenate(places))


# --- writing ---------------------------------------------------------------------------------


def column_csv(
    table: ColumnTable[Any], formats: Mapping[str, Callable[[int], str]] | None = None
) -> Iterator[bytes]:
    """Yield the canonical bytes of a table block by block.

    Args:
        table: The rows; no cell may need quotes.
        formats: How the integers of some columns are written, if not as digits.
    """
    # Values of a column that is not written as digits come again and again.
    formats = {name: lru_cache(KEPT_VALUES)(form) for name, form in (formats or {}).items()}

    def render(rows: slice) -> bytes:
        columns = table.columns
        # A column that stands under two names is written once.
        texts = {id(held): _texts(held[rows], formats.get(name)) for name, held in columns.items()}
        lines = pc.binary_join_element_wise(*(texts[id(held)] for held in columns.values()), ",")
        return _octets(pc.binary_join_element_wise(lines, "", "\n")).tobytes()

    yield ",".join(table.columns).encode() + b"\n"
    yield from ahead(render, blocks(len(table), BLOCK), THREADS)


def _texts(column: Any, form: Callable[[int], str] | None) -> pa.StringArray:
    """Return a block of a column as texts."""
    if isinstance(column, pa.Array):
        return column
    if isinstance(column, Addresses):
        return _string_array(_hexadecimal(column.octets).tobytes(), len(column), ADDRESS_LENGTH)
    if isinstance(column, Words):
        return pa.array(column.words, pa.string()).take(pa.array(column.numbers))
    if form is not None:
        values, places = np.unique(np.asarray(column), return_inverse=True)
        return pa.array([form(value) for value in values.tolist()], pa.string()).take(
            pa.array(places)
        )
    if isinstance(column, Wide):
        return _wide_texts(column)
    return pc.cast(pa.array(column), pa.string())


def _wide_texts(column: Wide) -> pa.StringArray:
    """Return the digits of wide integers: those of every limb, without zeros at the front."""
    if column.any_below_zero():
        return pa.array([str(integer) for integer in column.tolist()], pa.string())
    limbs = [pc.cast(pa.array(limb), pa.string()) for limb in column.limbs[::-1]]
    filled = [pc.ascii_lpad(limb, width=LIMB_DIGITS, padding="0") for limb in limbs[1:]]
    digits = pc.ascii_ltrim(pc.binary_join_element_wise(limbs[0], *filled, ""), characters="0")
    return pc.if_else(pc.equal(pc.binary_length(digits), 0), "0", digits)


def _hexadecimal(octets: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `0x` and the digits of each row."""
    texts = np.empty((len(octets), ADDRESS_LENGTH), np.uint8)
    texts[:, 0], texts[:, 1] = 0x30, 0x78
    texts[:, 2:] = np.frombuffer(hexlify(octets.data), np.uint8).reshape(-1, 40)
    return texts


def _string_array(content: Any, count: int, width: int) -> pa.StringArray:
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(content))
