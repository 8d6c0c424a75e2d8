"""The last published tables before an epoch, per program, found along the chain of manifests."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rewards.audit.checks.model import Earlier, EarlierRow, EarlierTable
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.csv_tables import Column, Table
from rewards.files.grammar import (
    GrammarError,
    parse_address,
    parse_identifier,
    parse_published,
    parse_total,
)
from rewards.files.outputs import INPUTS_FOLDER
from rewards.files.published import TAKE_AGAIN, PublishedEpoch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rewards.rules.records import Address

TABLE_LIMIT = 1 << 32
WALLETS = Table(
    "wallets.csv",
    (
        Column("wallet_id", parse_identifier),
        Column("payout_address", parse_address),
        Column("amount", parse_total),
    ),
    key="wallet_id",
)
"""What is looked at of a published wallet."""

LOOK_BACK = 64
"""Epochs that are looked back for a program's last table: two months of daily epochs."""


def earlier_folders(previous: Path | None) -> Iterator[Path]:
    """Yield the predecessor and, where it lies among numbered epochs, those before it.

    In a season's `epochs/` these are 000122, 000121 and so on, LOOK_BACK of them at most;
    elsewhere only the predecessor.
    """
    if previous is None:
        return
    yield previous
    name = previous.name
    if not (name.isascii() and name.isdigit()):
        return
    for number in range(int(name) - 1, max(int(name) - LOOK_BACK, 0), -1):
        folder = previous.parent / f"{number:0{len(name)}d}"
        if not folder.is_dir():
            return
        yield folder


def read_earlier(folders: Iterable[Path], previous_hash: str | None) -> Earlier:
    """Return the last table of each program, going back from the predecessor.

    Args:
        folders: Published folders, the predecessor first.
        previous_hash: Manifest hash of the predecessor; a folder that is not the one named by its
            successor ends the search.

    Raises:
        CheckFailed: A table on the way was altered, or is none of an epoch.
    """
    epochs = find_earlier(folders, previous_hash)
    nodes, wallets = epochs["nodes"], epochs["wallets"]
    return Earlier(
        _table(nodes, "nodes.csv", "node_id", "paid") if nodes else None,
        _table(wallets, WALLETS.name, "wallet_id", "amount") if wallets else None,
    )


def find_earlier(
    folders: Iterable[Path], previous_hash: str | None
) -> dict[str, PublishedEpoch | None]:
    """Return per program the last epoch in which it ran, as `read_earlier` finds it."""
    found: dict[str, PublishedEpoch | None] = {"nodes": None, "wallets": None}
    expected = previous_hash
    for folder in folders:
        published = _open(folder)
        if published is None or expected is None or published.manifest.hash != expected:
            break
        for program, table in (("nodes", "nodes.csv"), ("wallets", "wallet_scores.csv")):
            if found[program] is None and f"{INPUTS_FOLDER}{table}" in published.manifest.files:
                found[program] = published
        if all(found.values()):
            break
        expected = published.manifest.previous_hash
    return found


def _open(folder: Path) -> PublishedEpoch | None:
    try:
        return PublishedEpoch(folder)
    except InvalidInput:  # a folder that only looks like an epoch's ends the chain
        return None


def _table(published: PublishedEpoch, name: str, key: str, amount: str) -> EarlierTable:
    try:
        rows: Any = published.some_columns(WALLETS, _wallet_row) if name == WALLETS.name else None
        if rows is None:
            rows = _rows(published.read(name, TABLE_LIMIT), name, key, amount)
    except CheckFailed as error:
        raise CheckFailed(
            [replace(found, file=f"{published}/{found.file}") for found in error.findings]
        ) from error
    return EarlierTable(published.manifest.epoch, published.manifest.hash, rows)


def _wallet_row(_: str, payout_address: Address, amount: int) -> EarlierRow:
    return EarlierRow(payout_address, amount)


def _rows(content: bytes, name: str, key: str, amount: str) -> dict[str, EarlierRow]:
    rows: dict[str, EarlierRow] = {}
    reader = csv.DictReader(io.StringIO(content.decode()))
    try:
        for row in reader:
            rows[row[key]] = EarlierRow(
                parse_address(row["payout_address"]),
                parse_total(row[amount]),
                parse_published(row["score"]) if row.get("score") else None,
            )
    except (GrammarError, KeyError, TypeError, AttributeError) as error:
        raise CheckFailed(
            Finding(
                name,
                f"is not the table of an epoch: {error}",
                TAKE_AGAIN,
                row=reader.line_num,
            )
        ) from error
    return rows
