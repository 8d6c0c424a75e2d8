"""What a report is made from: a published epoch, held against its own recomputation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.audit.explain import EXPLAINERS
from rewards.audit.verify import require_verified
from rewards.errors import Finding, InvalidInput
from rewards.files.frames import read_frame
from rewards.files.inputs import check_inputs, read_inputs
from rewards.files.outputs import ALLOCATIONS_CSV, INPUTS_FOLDER, MANIFEST
from rewards.merkle.distribution import Distribution, Domain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.audit.explain.wct1 import WctOneExplainer
    from rewards.audit.report.settlement import Receipt
    from rewards.files.published import PublishedEpoch

Row = dict[str, Any]


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


def read_source(
    published: PublishedEpoch,
    previous: PublishedEpoch | None = None,
    receipts: Sequence[Receipt] = (),
) -> Source:
    """Read a published epoch for its report, and refuse one that does not recompute.

    A report persuades; a folder with altered numbers gets none.

    Raises:
        CheckFailed: The folder differs from what its inputs make of it.
        InvalidInput: `previous` is not its predecessor.
    """
    _require_predecessor(published, previous)
    require_verified(published.folder, previous.folder if previous else None)
    if previous:
        require_verified(previous.folder)
    opening = published.own_opening()
    inputs = check_inputs(read_inputs(published.folder / INPUTS_FOLDER), opening)
    manifest = published.manifest
    domain = Domain(manifest.chain_id, manifest.distributor, manifest.epoch)
    return Source(
        published,
        previous,
        _rows(published, "nodes.csv"),
        _rows(published, "transitions.csv"),
        _rows(published, "wallets.csv"),
        _rows(published, ALLOCATIONS_CSV),
        EXPLAINERS[inputs.policy.ruleset](inputs, opening),
        Distribution.of(domain, ((row.account, row.cumulative) for row in published.allocations)),
        tuple(receipts),
    )


def _rows(published: PublishedEpoch, table: str) -> list[Row]:
    frame = read_frame(published, table)
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in frame.itertuples(index=False, name=None)]


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
