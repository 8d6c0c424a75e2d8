"""Parquet inputs: the same published bytes as CSV, the same findings for what is wrong."""

from __future__ import annotations

import csv
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rewards.errors import InvalidInput
from rewards.files.epoch import compute_folder
from rewards.files.season import Season
from rewards.files.streams import bytes_of
from rewards.sample import copy_season

if TYPE_CHECKING:
    from pathlib import Path

INTEGERS = {"uptime_seconds", "response_time_us", "requests", "connections", "signatures"}
BOOLEANS = {"machine_ready", "exit_requested", "certified"}


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """The sample's epoch 3 as a first epoch would not do: its files, for their form alone."""
    copy_season(tmp_path / "season")
    return Season.open(tmp_path / "season").inputs(1)


def cells(path: Path) -> dict[str, list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}


def to_parquet(path: Path, *, typed: bool = True) -> Path:
    """Turn a CSV file into Parquet, with types where they are exact."""
    columns: dict[str, Any] = {}
    for name, texts in cells(path).items():
        values: Any = pa.array([text or None for text in texts], pa.string())
        if typed and name in INTEGERS:
            values = pa.array(list(map(int, texts)), pa.int64())
        elif typed and name in BOOLEANS:
            values = pa.array([text == "true" for text in texts])
        elif typed and name == "stake_weight":
            values = pa.array([Decimal(text) for text in texts], pa.decimal128(38, 0))
        elif typed:
            values = values.dictionary_encode()
        columns[name] = values
    target = path.with_suffix(".parquet")
    pq.write_table(pa.table(columns), target)
    path.unlink()
    return target


@pytest.mark.parametrize("by_column", [False, True])
@pytest.mark.parametrize("typed", [False, True])
def test_parquet__publishes_the_bytes_of_csv(inputs: Path, typed: bool, by_column: bool) -> None:
    expected = dict(compute_folder(inputs, None).files)
    for path in list(inputs.glob("*.csv")):
        to_parquet(path, typed=typed)
    files = compute_folder(inputs, None, by_column=by_column).files
    assert {name: bytes_of(content) for name, content in files.items()} == expected


def findings(inputs: Path) -> list[tuple[str, int, str]]:
    with pytest.raises(InvalidInput) as caught:
        compute_folder(inputs, None)
    return [(f.file, f.row, f.column) for f in caught.value.findings]


def test_wrong_cell__names_the_parquet_file_and_the_row(inputs: Path) -> None:
    nodes = inputs / "nodes.csv"
    lines = nodes.read_text().splitlines()
    lines[2] = lines[2].replace("0x", "0x0", 1)
    nodes.write_text("\n".join(lines) + "\n")
    to_parquet(nodes)
    assert ("nodes.parquet", 3, "payout_address") in findings(inputs)


def test_float_column__is_refused(inputs: Path) -> None:
    path = to_parquet(inputs / "node_scores.csv")
    table = pq.read_table(path)
    place = table.schema.get_field_index("requests")
    pq.write_table(
        table.set_column(place, "requests", table.column(place).cast(pa.float64())), path
    )
    assert findings(inputs)[0] == ("node_scores.parquet", 1, "requests")


def test_both_forms__are_refused(inputs: Path) -> None:
    content = (inputs / "nodes.csv").read_bytes()
    to_parquet(inputs / "nodes.csv")
    (inputs / "nodes.csv").write_bytes(content)
    assert ("nodes.parquet", 0, "") in findings(inputs)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"node_id\n"])
def test_no_parquet__is_refused(inputs: Path, content: bytes) -> None:
    (inputs / "nodes.csv").unlink()
    (inputs / "nodes.parquet").write_bytes(content)
    assert ("nodes.parquet", 0, "") in findings(inputs)
