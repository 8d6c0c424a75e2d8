"""Parquet in and out: inputs beside CSV, and the export of proofs.

Parquet's bytes vary with the library's version, so nothing here is ever part of a manifest: an
input becomes the very CSV text that the readers know, and is judged by them alone.
"""

from __future__ import annotations

import csv
import io
import tempfile
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rewards.errors import Finding, InvalidInput
from rewards.files.folder import open_regular
from rewards.files.publish import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import BinaryIO

BATCH = 1 << 16


def as_csv(path: Path, name: str) -> BinaryIO:
    """Return a Parquet file as CSV text: a line per row, an empty cell for a null.

    Raises:
        InvalidInput: It is no Parquet file, or a column's type has no exact text.
    """
    with open_regular(path, path.name) as handle:
        try:
            source = pq.ParquetFile(handle)
            _require_exact(source.schema_arrow, name)
            text = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
            text.write(_csv_line(source.schema_arrow.names))
            for batch in source.iter_batches(BATCH):
                text.write(_csv_lines(batch))
        except (pa.ArrowException, OSError) as error:
            raise InvalidInput(
                Finding(name, f"is no Parquet file: {error}", "write it anew, or give CSV")
            ) from error
    text.seek(0)
    return text


def _require_exact(schema: pa.Schema, name: str) -> None:
    findings = [
        Finding(
            name,
            f"is of type {field.type}, which has no exact text",
            "store integers, booleans or text",
            row=1,
            column=field.name,
        )
        for field in schema
        if not _is_exact(field.type)
    ]
    if findings:
        raise InvalidInput(findings)


def _is_exact(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_exact(kind.value_type)
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_boolean(kind)
        or (pa.types.is_decimal(kind) and kind.scale == 0)
    )


def _csv_line(cells: Iterable[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()


def _csv_lines(batch: pa.RecordBatch) -> bytes:
    columns = [pc.fill_null(pc.cast(column, pa.string()), "") for column in batch.columns]
    special = any(pc.any(pc.match_substring_regex(c, '[",\\r\\n]')).as_py() for c in columns)
    if special or len(columns) == 1:
        return b"".join(_csv_line(row) for row in zip(*(c.to_pylist() for c in columns)))  # noqa: B905
    lines = pc.binary_join_element_wise(*columns, ",").to_pylist()
    return "\n".join([*lines, ""]).encode() if lines else b""


def write_proofs(
    path: Path, rows: Iterable[tuple[str, int, list[bytes]]], metadata: Mapping[str, str]
) -> None:
    """Write or replace a file in one step: every leaf's account, cumulative amount and proof.

    The amount is text, as it may have 256 bits.
    """
    schema = pa.schema(
        [
            ("account", pa.string()),
            ("cumulative", pa.string()),
            ("proof", pa.list_(pa.binary(32))),
        ],
        metadata=dict(metadata),
    )
    with replacing(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        block: list[tuple[str, int, list[bytes]]] = []

        def flush() -> None:
            accounts, amounts, proofs = zip(*block, strict=True)
            writer.write_table(pa.table([accounts, list(map(str, amounts)), proofs], schema=schema))
            block.clear()

        for row in rows:
            block.append(row)
            if len(block) == BATCH:
                flush()
        if block:
            flush()
