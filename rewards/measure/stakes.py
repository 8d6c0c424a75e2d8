"""`rewards measure stakes`: the `stake_weight` column of a table, read from the chain (section 3).

The table is any of `nodes.csv`, `wallets.csv` and `wallet_scores.csv`, with `stake_weight` absent
or to be replaced, and perhaps a column `staker_address` where the payout address does not stake.
This module does not know the chain: the weights come through a function.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rewards.errors import Finding, InvalidInput
from rewards.files.csv_tables import Column, Row, Table, canonical_csv, read_table
from rewards.files.documents import canonical_json
from rewards.files.folder import decode, open_regular
from rewards.files.grammar import format_time
from rewards.files.inputs import NODES, WALLET_SCORES
from rewards.measure.inputs import WALLETS, hash_small, parse_staker
from rewards.measure.outputs import MANIFEST, MANIFEST_FORMAT, files_json
from rewards.measure.records import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rewards.measure.sources import TelemetryFile

STAKE_WEIGHT, STAKER, PAYOUT = "stake_weight", "staker_address", "payout_address"
HEADER_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class StakeTable:
    """A table whose stake weights are to be read.

    Attributes:
        table: Which one, with `stake_weight` and `staker_address` as optional columns.
        columns: The columns that are published: those of the file, without the staker's.
        cells: The rows as text, by column, in id order.
        stakers: Whose weight each row gets.
        file: The file's hash.
    """

    table: Table
    columns: tuple[str, ...]
    cells: Sequence[dict[str, str]]
    stakers: Sequence[str]
    file: TelemetryFile


@dataclass(frozen=True, slots=True)
class ReadAt:
    """Where the weights were read (section 3)."""

    chain_id: int
    contract: str
    block_number: int
    block_hash: str
    block_timestamp: int
    at: int


def read_stake_table(path: Path, tables: Sequence[Table]) -> StakeTable:
    """Read a table and see whose stake counts.

    Args:
        path: The file.
        tables: What it may be; told apart by the columns.

    Raises:
        InvalidInput: With every finding.
    """
    header = _header(path)
    table = next((t for t in tables if _required(t) <= header), tables[0])
    findings: list[Finding] = []
    rows = read_table(path, _with_stakers(table), findings)
    if findings:
        raise InvalidInput(findings)
    names = _with_stakers(table).header
    rows.sort(key=lambda row: str(row.values[0]))
    parsed = [dict(zip(names, row.values, strict=True)) for row in rows]
    columns = tuple(n for n in table.header if n in header or n == STAKE_WEIGHT)
    texts = _texts(path, rows)
    return StakeTable(
        table,
        columns,
        [{name: texts[row.line][name] for name in columns if name in header} for row in rows],
        [cells[STAKER] or cells[PAYOUT] for cells in parsed],
        hash_small(path, table.name),
    )


def stake_files(stakes: StakeTable, weights: dict[str, int], where: ReadAt) -> dict[str, bytes]:
    """Return what `measure stakes` publishes: the table with its weights, and the record."""
    rows = [
        {**cells, STAKE_WEIGHT: str(weights[staker])}
        for cells, staker in zip(stakes.cells, stakes.stakers, strict=True)
    ]
    manifest: dict[str, Any] = {
        "format": MANIFEST_FORMAT,
        "rules": RULES,
        "kind": "stakes",
        "inputs": {stakes.table.name: files_json([stakes.file])[0]},
        "at": format_time(where.at),
        "chain_id": str(where.chain_id),
        "contract": where.contract,
        "block": {
            "number": str(where.block_number),
            "hash": where.block_hash,
            "time": format_time(where.block_timestamp),
        },
        "weights": {staker: str(weight) for staker, weight in sorted(weights.items())},
        "shared_stakers": shared_stakers(stakes),
    }
    return {
        stakes.table.name: canonical_csv(
            stakes.columns, ([row[name] for name in stakes.columns] for row in rows)
        ),
        MANIFEST: canonical_json(manifest),
    }


def shared_stakers(stakes: StakeTable) -> dict[str, list[str]]:
    """Return staker → ids, where one stake counts for several rows."""
    ids = defaultdict(list)
    for cells, staker in zip(stakes.cells, stakes.stakers, strict=True):
        ids[staker].append(cells[stakes.table.header[0]])
    return {staker: named for staker, named in sorted(ids.items()) if len(named) > 1}


def _required(table: Table) -> set[str]:
    return {c.name for c in table.columns if c.default is None} - {STAKE_WEIGHT}


def _with_stakers(table: Table) -> Table:
    """Return the table with an optional stake weight, whatever stands there, and the staker."""
    kept = [
        Column(STAKE_WEIGHT, str, default="") if column.name == STAKE_WEIGHT else column
        for column in table.columns
        if column.name != STAKER
    ]
    return replace(table, columns=(*kept, Column(STAKER, parse_staker, default="")))


def _header(path: Path) -> set[str]:
    with open_regular(path, path.name) as handle:
        text = decode(handle.readline(HEADER_LIMIT), path.name)
    return set(next(csv.reader([text.rstrip("\r\n")]), []))


def _texts(path: Path, rows: Sequence[Row]) -> dict[int, dict[str, str]]:
    """Return the cells as they are written, by line: they are published unchanged."""
    with open_regular(path, path.name) as handle:
        reader = csv.reader(io.StringIO(decode(handle.read(), path.name)), strict=True)
    header = next(reader)
    wanted = {row.line for row in rows}
    texts: dict[int, dict[str, str]] = {}
    line = reader.line_num + 1
    for cells in reader:
        if line in wanted:
            texts[line] = dict(zip(header, cells, strict=True))
        line = reader.line_num + 1
    return texts


NODE_TABLES = (NODES,)
WALLET_TABLES = (WALLET_SCORES, WALLETS)
