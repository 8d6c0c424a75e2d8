"""What a report is made from: a published epoch, held against its own recomputation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rewards.audit.checks.recorded import is_recorded, review_published
from rewards.audit.explain import EXPLAINERS
from rewards.audit.statement import statement_of
from rewards.audit.verify import require_verified
from rewards.errors import Finding, InvalidInput
from rewards.files.folder import open_regular
from rewards.files.frames import read_frame
from rewards.files.inputs import check_inputs, read_inputs
from rewards.files.outputs import ALLOCATIONS_CSV, INPUTS_FOLDER, MANIFEST
from rewards.merkle.distribution import Distribution, Domain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rewards.audit.checks.review import CheckReport
    from rewards.audit.explain.wct1 import WctOneExplainer
    from rewards.audit.report.settlement import Receipt
    from rewards.audit.statement import Statement
    from rewards.files.published import PublishedEpoch

Row = dict[str, Any]

WALLETS_CSV = "wallets.csv"
MOST_ROWS = 250_000
"""Wallets or leaves that a page takes: some 35 MB, and a browser still opens it at once."""


@dataclass(frozen=True, slots=True)
class Source:
    """Everything that the report shows, as the files have it.

    Attributes:
        published: The epoch.
        previous: Its predecessor, where one was given.
        nodes: The rows of `nodes.csv`; amounts and ratios are integers. So the next three.
        explainer: The epoch's stages, computed again from its inputs.
        distribution: The leaves and the tree; None when nobody has an amount.
        receipts: What the season knows of its settlement.
        statement: The books of a range of epochs that ends with this one.
        looked: What the checks find under the default limits; None where the epoch was published
            with its own.
    """

    published: PublishedEpoch
    previous: PublishedEpoch | None
    nodes: list[Row]
    transitions: list[Row]
    wallets: list[Row]
    allocations: list[Row]
    explainer: WctOneExplainer
    distribution: Distribution | None
    receipts: Sequence[Receipt]
    statement: Statement
    looked: CheckReport | None


def read_source(
    published: PublishedEpoch,
    previous: PublishedEpoch | None = None,
    receipts: Sequence[Receipt] = (),
    before: Sequence[Path] | None = None,
) -> Source:
    """Read a published epoch for its report, and refuse one that does not recompute.

    A report persuades; a folder with altered numbers gets none.

    Args:
        published: The epoch.
        previous: Its predecessor, for what changed.
        receipts: What the season knows of the settlement.
        before: The epochs with which the statement begins; by default the predecessor.

    Raises:
        CheckFailed: The folder differs from what its inputs make of it.
        InvalidInput: `previous` is not its predecessor.
    """
    _require_fitting(published)
    _require_predecessor(published, previous)
    if before is None:
        before = [previous.folder] if previous else []
    statement = statement_of([*before, published.folder])  # which verifies each of them
    if previous and previous.folder not in before:
        require_verified(previous.folder)
        require_verified(published.folder, previous.folder)
    opening = published.own_opening()
    inputs = check_inputs(read_inputs(published.folder / INPUTS_FOLDER), opening)
    manifest = published.manifest
    domain = Domain(manifest.chain_id, manifest.distributor, manifest.epoch)
    return Source(
        published,
        previous,
        _rows(published, "nodes.csv"),
        _rows(published, "transitions.csv"),
        _rows(published, WALLETS_CSV),
        _rows(published, ALLOCATIONS_CSV),
        EXPLAINERS[inputs.policy.ruleset](inputs, opening),
        Distribution.of(domain, ((row.account, row.cumulative) for row in published.allocations)),
        tuple(receipts),
        statement,
        None
        if is_recorded(published)
        else review_published(published, previous.folder if previous else None),
    )


def _rows(published: PublishedEpoch, table: str) -> list[Row]:
    frame = read_frame(published, table)
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in frame.itertuples(index=False, name=None)]


def _require_fitting(published: PublishedEpoch) -> None:
    """Refuse, before anything is computed, an epoch too large for one page."""
    most = max(_row_count(published), int(published.manifest.document["leaf_count"]))
    if most > MOST_ROWS:
        raise InvalidInput(
            Finding(
                str(published.folder),
                f"has {most:,} wallets or leaves, more than the {MOST_ROWS:,} that one page holds",
                "at any size: `rewards verify`, `checks` and `diff` for the whole, `rewards "
                "explain` and `rewards prove` for one, `rewards statement` for the books",
            )
        )


def _row_count(published: PublishedEpoch) -> int:
    """Return about how many wallets there are; a file that cannot be read is verified later."""
    try:
        with open_regular(published.folder / WALLETS_CSV, WALLETS_CSV) as table:
            return sum(block.count(b"\n") for block in iter(partial(table.read, 1 << 20), b"")) - 1
    except InvalidInput:
        return 0


def _require_predecessor(published: PublishedEpoch, previous: PublishedEpoch | None) -> None:
    named = published.manifest.previous_hash
    if previous is None or previous.manifest.hash == named:
        return
    raise InvalidInput(
        Finding(
            str(previous.folder / MANIFEST),
            f"is not the predecessor of epoch {published.manifest.epoch}, which names "
            f"{named or 'none'}",
            "give the folder of the epoch before it, or leave --previous out",
            value=previous.manifest.hash,
        )
    )
