"""What is made of a published tree on request, block by block, outside the manifest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rewards.errors import CheckFailed, Finding
from rewards.files.manifest import MANIFEST, TAKE_AGAIN
from rewards.merkle.batch import blocks
from rewards.merkle.distribution import LEAF_ENCODING, Domain
from rewards.merkle.large import LargeDistribution
from rewards.rules.columns import Addresses
from rewards.rules.wide import column_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rewards.files.manifest import Manifest
    from rewards.files.published import PublishedEpoch

BLOCK = 1 << 14
"""Leaves that are written at a time."""


def distribution_of(published: PublishedEpoch) -> LargeDistribution:
    """Return a published epoch's distribution, built from its ledger and held against its root.

    Raises:
        CheckFailed: There is no leaf, or the ledger leads to another root.
    """
    manifest = published.manifest
    domain = Domain(manifest.chain_id, manifest.distributor, manifest.epoch)
    rows: Any = published.allocations
    if isinstance(rows, tuple):
        accounts = Addresses.of([row.account for row in rows])
        cumulatives = column_from([row.cumulative for row in rows])
    else:
        accounts, cumulatives = rows.account, rows.cumulative
    built = LargeDistribution.of(domain, accounts.octets, cumulatives)
    if built is None:
        raise CheckFailed(
            Finding(MANIFEST, "has no tree: nobody has an amount", "nothing to export")
        )
    if "0x" + built.root.hex() != manifest.root:
        raise CheckFailed(
            Finding(MANIFEST, "has a root that the ledger does not lead to", TAKE_AGAIN)
        )
    return built


def openzeppelin_blocks(distribution: LargeDistribution) -> Iterator[bytes]:
    """Yield the `standard-v1` dump: the bytes of a `distribution.json`, made piece by piece."""
    domain = distribution.domain
    encoding = ",\n".join(f'    "{name}"' for name in LEAF_ENCODING)
    yield f'{{\n  "format": "standard-v1",\n  "leafEncoding": [\n{encoding}\n  ],\n'.encode()
    yield b'  "tree": [\n'
    separator = ""
    for block in distribution.tree_blocks():
        digits = block.hex()
        nodes = [f'    "0x{digits[at : at + 64]}"' for at in range(0, len(digits), 64)]
        yield (separator + ",\n".join(nodes)).encode()
        separator = ",\n"
    yield b'\n  ],\n  "values": [\n'
    fixed = "".join(
        f'        "{word}",\n' for word in (domain.chain_id, domain.distributor, domain.epoch)
    )
    separator = ""
    for rows in blocks(distribution.leaf_count, BLOCK):
        leaves, indices = distribution.some_leaves(rows), distribution.some_indices(rows)
        yield (
            separator
            + ",\n".join(
                f'    {{\n      "treeIndex": {index},\n      "value": [\n{fixed}'
                f'        "{account}",\n        "{cumulative}"\n      ]\n    }}'
                for (account, cumulative), index in zip(leaves, indices, strict=True)
            )
        ).encode()
        separator = ",\n"
    yield b"\n  ]\n}\n"


def proof_lines(distribution: LargeDistribution, manifest: Manifest) -> Iterator[bytes]:
    """Yield a line of JSON per account with its proof; the sentinel's too."""
    for account, cumulative, proof in distribution.proofs():
        document = {
            "chain_id": str(manifest.chain_id),
            "distributor": manifest.distributor,
            "epoch": str(manifest.epoch),
            "account": account,
            "cumulative": str(cumulative),
            "root": manifest.root,
            "proof": ["0x" + node.hex() for node in proof],
        }
        yield json.dumps(document, separators=(",", ":")).encode() + b"\n"
