"""The data behind the look-up: rows in compressed chunks, the leaves of the tree, the programs.

Every block is text for a `<script>` element of a data type. Chunks are raw deflate of JSON in
base64; a look-up unpacks only the chunks that it needs. Of the tree there are the leaves and one
layer about half-way up, from which any proof is a few hundred hashes away.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.audit.explain.derivation import PublishedColumn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rewards.audit.explain.derivation import Derivation
    from rewards.audit.report.source import Source
    from rewards.audit.report.wct1 import WctOneView
    from rewards.merkle.distribution import Distribution

ROWS_PER_CHUNK = {"accounts": 256, "wallets": 256, "nodes": 16}


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the page embeds.

    Attributes:
        head: The index, the programs and the epoch's constants, loaded with the page.
        blocks: Texts by element id, decoded when a look-up needs them.
    """

    head: dict[str, Any]
    blocks: dict[str, str]


def build_lookup(source: Source, view: WctOneView) -> Lookup:
    """Return the embedded data of an epoch."""
    manifest = source.published.manifest
    programs, program_of_wallet = view.wallet_programs()
    nodes = [source.explainer.node(position) for position in range(len(source.nodes))]
    accounts = _Accounts(source)
    tables = {
        "accounts": accounts.rows(source.distribution),
        "wallets": _wallet_rows(source, view, program_of_wallet, accounts),
        "nodes": [
            [own.subject, accounts.position[own.payout_address], own.as_json()] for own in nodes
        ],
    }
    blocks = {}
    head: dict[str, Any] = {
        "chain_id": str(manifest.chain_id),
        "distributor": manifest.distributor,
        "epoch": str(manifest.epoch),
        "root": manifest.root,
        "cumulative_total": str(manifest.cumulative_total),
        "programs": programs,
        "account_program": view.account_program(),
        "columns": {},
        "lengths": {"wallets.csv": len(source.wallets), "nodes.csv": len(source.nodes)},
        "tree": None,
    }
    for number, (key, values) in enumerate(_columns(source, nodes).items()):
        head["columns"][key] = f"column-{number}"
        blocks[f"column-{number}"] = _deflate(compact_json([str(value) for value in values]))
    for name, rows in tables.items():
        head[name], chunks = _chunked(name, rows)
        blocks.update(chunks)
    if source.distribution:
        head["tree"], hashes = _tree(source.distribution)
        blocks.update(hashes)
    return Lookup(head, blocks)


# --- the tables --------------------------------------------------------------------------------


class _Accounts:
    """Every address that is paid, owes, or is named as a payout address; and the sentinel."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.ledger = {row["account"]: row for row in source.allocations}
        self.nodes = _positions(source.nodes)
        self.wallets = _positions(source.wallets)
        self.sentinel = source.published.manifest.distributor if source.distribution else None
        named = {*self.ledger, *self.nodes, *self.wallets}
        self.addresses = sorted(named | ({self.sentinel} if self.sentinel else set()))
        self.position = {address: i for i, address in enumerate(self.addresses)}

    def rows(self, distribution: Distribution | None) -> list[list[Any]]:
        """Return the rows as `Epoch.account` in store.js reads them."""
        leaf = _leaf_indices(distribution) if distribution else {}
        adjustments: dict[str, list[list[str]]] = {}
        for entry in self.source.explainer.inputs.adjustments or ():
            adjustments.setdefault(entry.payout_address, []).append(
                [str(entry.amount), entry.reason, entry.approved_by]
            )
        return [self._row(a, leaf.get(a), adjustments.get(a, [])) for a in self.addresses]

    def _row(self, address: str, leaf: int | None, adjustments: list[list[str]]) -> list[Any]:
        entry = self.ledger.get(address)
        is_sum = address == self.sentinel
        cumulative = self.source.published.manifest.cumulative_total if is_sum else 0
        return [
            address,
            str(entry["cumulative"] if entry else cumulative),
            str(entry["epoch_amount"]) if entry else None,
            str(entry["recovery_in"]) if entry else "0",
            leaf,
            self.wallets.get(address, []),
            self.nodes.get(address, []),
            adjustments,
            is_sum,
        ]


def _positions(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Return the positions of a table's rows by payout address."""
    positions: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        positions.setdefault(row["payout_address"], []).append(i)
    return positions


def _leaf_indices(distribution: Distribution) -> dict[str, int]:
    pairs = zip(distribution.leaves, distribution.tree_indices, strict=True)
    return {account: index for (account, _), index in pairs}


def _wallet_rows(
    source: Source, view: WctOneView, programs: Sequence[int], accounts: _Accounts
) -> list[list[Any]]:
    """Return the rows as `Epoch.walletDerivation` in store.js reads them."""
    rows = []
    for i, (row, program) in enumerate(zip(source.wallets, programs, strict=True)):
        own = view.wallet_own(i)
        rows.append(
            [
                row["wallet_id"],
                accounts.position[row["payout_address"]],
                str(own["signatures"]),
                str(own["connections"]),
                1 if own["certified"] else 0,
                str(own["ux_wad"]),
                str(own["stake_weight"]),
                program,
            ]
        )
    return rows


def _columns(source: Source, nodes: Iterable[Derivation]) -> dict[str, Sequence[int]]:
    """Return the published columns that steps go over, by `file/column`."""
    named = [
        value
        for derivation in nodes
        for step in derivation.steps
        for value in step.inputs.values()
        if isinstance(value, PublishedColumn)
    ]
    if source.wallets:
        named += map(source.explainer.wallet_column, ("weight_eligible", "weight_certified"))
    return {f"{column.file}/{column.column}": column.values for column in named}


# --- blocks ------------------------------------------------------------------------------------


def compact_json(value: object) -> str:
    """Return JSON without spaces, in ASCII."""
    return json.dumps(value, separators=(",", ":"))


def _chunked(name: str, rows: Sequence[list[Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a table's index and its chunks by element id."""
    size = ROWS_PER_CHUNK[name]
    starts = range(0, len(rows), size)
    index = {"rows": len(rows), "size": size, "first": [rows[start][0] for start in starts]}
    return index, {
        f"{name}-{number}": _deflate(compact_json(rows[start : start + size]))
        for number, start in enumerate(starts)
    }


def _deflate(text: str) -> str:
    # Raw, because a gzip header would name the operating system.
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return _base64(packer.compress(text.encode()) + packer.flush())


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _tree(distribution: Distribution) -> tuple[dict[str, int], dict[str, str]]:
    """Return the leaves and the layer with about the square root of as many nodes."""
    tree, count = distribution.tree, len(distribution.leaves)
    layer_start = 2 ** ((count.bit_length() - 1) // 2) - 1
    return {"leaf_count": count, "layer_start": layer_start}, {
        "leaves": _base64(b"".join(tree[count - 1 :])),
        "layer": _base64(b"".join(tree[layer_start : 2 * layer_start + 1])),
    }
