"""The statement of a range of epochs: the books of each, and what they come to together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from rewards.audit.pools import PoolRow
from rewards.audit.statement.attribution import (
    History,
    accrual_of,
    minus,
    standings_of,
    together,
)
from rewards.audit.statement.books import POOLS, read_books
from rewards.audit.statement.identities import identities_of
from rewards.audit.statement.payees import payees_of
from rewards.audit.statement.receipts import (
    FOLDER,
    NOTHING_AS_FAR_AS_TOLD,
    NOTHING_SETTLED,
    Settlements,
    claims_of,
    read_settlements,
)
from rewards.audit.verify import require_verified
from rewards.errors import Finding, InvalidInput
from rewards.files.manifest import MANIFEST, PublishedFolder
from rewards.files.season import Season

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rewards.audit.statement.attribution import Accrual, Lines, Standing, Standings
    from rewards.audit.statement.books import EpochBooks
    from rewards.audit.statement.identities import Identity
    from rewards.audit.statement.payees import PayeeRow
    from rewards.audit.statement.receipts import Receipt
    from rewards.files.manifest import Manifest


@dataclass(frozen=True)
class Statement:
    """The books of a range of epochs.

    Attributes:
        history: The range, and the epochs before it that are at hand.
        opening: How far what came before the range is claimed when it begins.
        closing: How far everything is funded and claimed at its end.
        opening_position: What was settled before the range; None: not known.
    """

    epochs: list[EpochBooks]
    payees: list[PayeeRow]
    settlements: Settlements
    history: History
    opening: Standings
    closing: Standings
    opening_position: Receipt | None

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
        return self.settlements.before(self.last.number + 1)

    @property
    def before_range(self) -> str:
        """What is known of the time before the range, in a word for a program."""
        found = self.opening_position
        if found is None:
            return "not_known"
        if found is NOTHING_AS_FAR_AS_TOLD:
            return "nothing_settled_as_far_as_receipts_tell"
        return "nothing_settled" if found is NOTHING_SETTLED else "settled"

    @property
    def earlier(self) -> int | None:
        """The first epoch before which what was allotted cannot be told apart; None: all can."""
        return self.history.start if any(self.history.before.values()) else None

    @property
    def of_range(self) -> Standing:
        """What the epochs of the range added, and how far that is funded and claimed."""
        return together(self.closing.by_epoch[books.number] for books in self.epochs)

    @property
    def added(self) -> Lines:
        """What the range added to the cumulative amounts, as its manifests and ledgers state it."""
        paid = (self.pool(name).paid for name in POOLS)
        return (*paid, self.adjustments, self.deferred, 0)

    @property
    def claimed(self) -> Lines | None:
        """What was claimed since the range began; None where no receipt tells."""
        before, after = self.opening.total.claimed, self.closing.total.claimed
        return None if before is None or after is None else minus(after, before)

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
        """The identities that do not hold, and the receipts that cannot be relied on."""
        missing = self.settlements.missing(self.history.start, self.last.number)
        return [
            *self.settlements.findings,
            *([missing] if missing else []),
            *self.broken,
        ]

    @property
    def broken(self) -> list[Finding]:
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


def statement_of(
    folders: Sequence[Path], chain: Receipt | None = None, earlier: Sequence[Path] = ()
) -> Statement:
    """Return the statement over published epochs that follow one another.

    Args:
        folders: The epochs, in order.
        chain: What the contract itself says, beside the season's receipts.
        earlier: Epochs that come right before them, in order: with all of them what was allotted
            before the range is told apart by program too.

    Raises:
        CheckFailed: A file was altered.
        InvalidInput: A folder is none of an epoch, or an epoch is missing between two of them.
    """
    manifests = _require_chain([*earlier, *folders])
    accruals: list[Accrual] = []
    before: Mapping[str, int] | None = None
    for books in _read(earlier):
        before = _previous(books) if before is None else before
        accruals.append(accrual_of(books))  # its rows are not kept
    epochs = list(_read(folders, earlier[-1] if earlier else None))
    before = _previous(epochs[0]) if before is None else before
    accruals += map(accrual_of, epochs)
    season = Season.around(folders[-1])
    settlements = (
        read_settlements(season.root / FOLDER, manifests, chain)
        if season
        else Settlements(chain=chain)
    )
    opened = settlements.opening(epochs[0].published.manifest, manifests[0])
    return _state(epochs, History(before, accruals[0].epoch, accruals), settlements, opened)


def earlier_folders(folder: Path) -> list[Path]:
    """Return the epochs before a season's published epoch, as far back as they are at hand."""
    number = PublishedFolder(folder).manifest.epoch
    season = Season.around(folder)
    if season is None or season.epoch(number).resolve() != folder.resolve():
        return []
    published, low = set(season.published()), number
    while low - 1 in published:
        low -= 1
    return [season.epoch(n) for n in range(low, number)]


def _state(
    epochs: list[EpochBooks],
    history: History,
    settlements: Settlements,
    before: Receipt | None,
) -> Statement:
    first, last = epochs[0], epochs[-1]
    position = settlements.before(last.number + 1)
    opened = history.until(first.number)
    closing = standings_of(
        history,
        claims_of(position, history) if position else None,
        position.balance if position else None,
    )
    opening = standings_of(opened, claims_of(before, opened) if before else None, None)
    payees = payees_of(epochs, closing, opening)
    return Statement(epochs, payees, settlements, history, opening, closing, before)


def _read(folders: Iterable[Path], previous: Path | None = None) -> Iterator[EpochBooks]:
    """Yield the books of epochs, each computed again and held against the one before it."""
    for folder in folders:
        yield read_books(require_verified(folder, previous))
        previous = folder


def _previous(books: EpochBooks) -> dict[str, int]:
    return {row.account: row.previous_cumulative for row in books.rows if row.previous_cumulative}


def _require_chain(folders: Sequence[Path]) -> list[Manifest]:
    """Refuse epochs that do not follow one another, before anything is computed."""
    published = [PublishedFolder(folder) for folder in folders]
    for before, after in pairwise(published):
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
    return [one.manifest for one in published]
