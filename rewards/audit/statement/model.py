"""The statement of a range of epochs: the books of each, and what they come to together."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from rewards.audit.statement.books import POOLS, PoolRow, read_books
from rewards.audit.statement.identities import identities_of
from rewards.audit.statement.payees import payees_of
from rewards.audit.statement.receipts import read_receipts
from rewards.audit.verify import require_verified
from rewards.errors import Finding, InvalidInput
from rewards.files.manifest import MANIFEST, PublishedFolder
from rewards.files.season import Season

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rewards.audit.statement.books import EpochBooks
    from rewards.audit.statement.identities import Identity
    from rewards.audit.statement.payees import PayeeRow
    from rewards.audit.statement.receipts import Receipt

SETTLEMENTS = "settlements"


@dataclass(frozen=True)
class Statement:
    """The books of a range of epochs."""

    epochs: list[EpochBooks]
    payees: list[PayeeRow]
    receipts: list[Receipt]
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    @property
    def first(self) -> EpochBooks:
        """The first epoch of the range."""
        return self.epochs[0]

    @property
    def last(self) -> EpochBooks:
        """The last epoch of the range."""
        return self.epochs[-1]

    def pool(self, name: str) -> PoolRow:
        """Return a pool over the range."""
        return sum((books.pools[name] for books in self.epochs), PoolRow())

    @property
    def pools(self) -> PoolRow:
        """All pools over the range."""
        return sum((self.pool(name) for name in POOLS), PoolRow())

    @property
    def adjustments(self) -> int:
        """All adjustments over the range, signed."""
        return sum(books.total("adjustment") for books in self.epochs)

    @property
    def deferred(self) -> int:
        """By how much the sum still to be recovered rose over the range; negative: recovered."""
        return self.last.total("recovery_out") - self.first.total("recovery_in")

    @property
    def allotted(self) -> int:
        """What the range added to the cumulative amounts."""
        return sum(books.total("epoch_amount") for books in self.epochs)

    @property
    def position(self) -> Receipt | None:
        """The last receipt of an epoch up to the end of the range; None: not settled."""
        return self._receipt_before(self.last.number + 1)

    @property
    def opening_position(self) -> Receipt | None:
        """The last receipt of an epoch before the range."""
        return self._receipt_before(self.first.number)

    @property
    def cumulative_total(self) -> int:
        """What is allotted in all at the end of the range."""
        return self.last.total("cumulative")

    @cached_property
    def identities(self) -> list[Identity]:
        """Everything that must be equal."""
        return identities_of(self)

    @property
    def findings(self) -> list[Finding]:
        """The identities that do not hold."""
        return [
            Finding(
                "statement",
                f"does not tie: {identity.left} is not {identity.right}, off by "
                f"{identity.left - identity.right}",
                "run `rewards verify --season`; do not book this range before it is explained",
                value=identity.name,
            )
            for identity in self.identities
            if not identity.holds
        ]

    def _receipt_before(self, epoch: int) -> Receipt | None:
        before = [receipt for receipt in self.receipts if receipt.epoch < epoch]
        # What tells more of one epoch goes before what tells less.
        return max(
            before,
            key=lambda r: (r.epoch, -1 if r.claimed is None else r.claimed, r.claims is not None),
            default=None,
        )


def statement_of(folders: Sequence[Path], chain: Receipt | None = None) -> Statement:
    """Return the statement over published epochs that follow one another.

    Args:
        folders: The epochs, in order.
        chain: What the contract itself says, beside the season's receipts.

    Raises:
        CheckFailed: A file was altered.
        InvalidInput: A folder is none of an epoch, or an epoch is missing between two of them.
    """
    _require_chain(folders)
    previous = [None, *folders[:-1]]
    epochs = [
        read_books(require_verified(folder, before))
        for folder, before in zip(folders, previous, strict=True)
    ]
    season = Season.around(folders[-1])
    receipts, unreadable = read_receipts(season.root / SETTLEMENTS) if season else ([], [])
    receipts = [chain, *receipts] if chain else receipts
    bare = Statement(epochs, [], receipts, unreadable)
    return Statement(epochs, payees_of(bare), receipts, unreadable)


def _require_chain(folders: Sequence[Path]) -> None:
    """Refuse epochs that do not follow one another, before anything is computed."""
    for before, after in pairwise(PublishedFolder(folder) for folder in folders):
        if after.manifest.previous_hash != before.manifest.hash:
            raise InvalidInput(
                Finding(
                    f"{after.folder}/{MANIFEST}",
                    f"does not follow {before.folder}",
                    "give epochs of one chain without a gap",
                    column="previous_manifest_hash",
                    value=after.manifest.previous_hash or "none",
                )
            )
