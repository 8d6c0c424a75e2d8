"""The chain of manifests: from the last epoch settled on chain to the one to be settled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.published import PublishedEpoch

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.chain.distributor import ActiveState
    from rewards.files.season import Season

FindPredecessor = Callable[[PublishedEpoch], PublishedEpoch | None]
"""Returns the published folder that an epoch names as its predecessor; None if not at hand."""


@dataclass(frozen=True, slots=True)
class History:
    """What a proposal settles, and what it builds on.

    Attributes:
        epochs: The epochs to be settled, ascending; the last one is proposed.
        base: The last activated epoch; None where the contract has none. For another target the
            epoch before the first of `epochs`, where it is at hand.
    """

    epochs: tuple[PublishedEpoch, ...]
    base: PublishedEpoch | None

    @property
    def last(self) -> PublishedEpoch:
        """The epoch that is proposed."""
        return self.epochs[-1]

    @property
    def with_predecessors(self) -> tuple[tuple[PublishedEpoch, PublishedEpoch | None], ...]:
        """Each epoch to be settled, and the one before it where there is one at hand."""
        return tuple(zip(self.epochs, (self.base, *self.epochs), strict=False))


def among(folders: Iterable[Path]) -> FindPredecessor:
    """Return how predecessors are found among folders given one by one."""
    known = {one.manifest.hash: one for one in map(PublishedEpoch, folders)}
    return lambda epoch: known.get(epoch.manifest.previous_hash or "")


def within(season: Season) -> FindPredecessor:
    """Return how predecessors are found in a season."""

    def find(epoch: PublishedEpoch) -> PublishedEpoch | None:
        folder = season.epoch(epoch.manifest.epoch - 1)
        try:
            before = PublishedEpoch(folder)
        except InvalidInput:
            return None
        return before if before.manifest.hash == epoch.manifest.previous_hash else None

    return find


def trace(last: PublishedEpoch, active_epoch: int, find: FindPredecessor) -> History:
    """Return the history from an activated epoch (0: from the first one) to the last.

    Raises:
        CheckFailed: A link is missing, or the history never comes to the activated epoch.
    """
    if last.manifest.epoch <= active_epoch:
        raise CheckFailed(
            Finding(
                str(last),
                f"is settled already: epoch {active_epoch} is active",
                "plan a later epoch; correct an activated one by adjustments.csv",
                column="epoch",
                value=str(last.manifest.epoch),
            )
        )
    epochs = [last]
    while epochs[0].manifest.previous_hash is not None:
        before = _before(epochs[0], find)
        if before.manifest.epoch == active_epoch:
            return History(tuple(epochs), before)
        epochs.insert(0, before)
    if active_epoch:
        raise CheckFailed(
            Finding(
                str(epochs[0]),
                f"is a first epoch, and epoch {active_epoch} was activated on chain",
                "plan the history that was activated; a genesis cannot follow on it",
                column="previous_manifest_hash",
            )
        )
    return History(tuple(epochs), None)


def at_hand(last: PublishedEpoch, after: int, find: FindPredecessor) -> History:
    """Return the epochs that follow on epoch `after` (0: all), as far back as they are found."""
    epochs = [last]
    before = find(last)
    while before is not None and before.manifest.epoch > after:
        epochs.insert(0, before)
        before = find(before)
    return History(tuple(epochs), before)


def _before(epoch: PublishedEpoch, find: FindPredecessor) -> PublishedEpoch:
    number, named = epoch.manifest.epoch, epoch.manifest.previous_hash
    before = find(epoch)
    if before is None:
        raise CheckFailed(
            Finding(
                str(epoch),
                f"names a predecessor, epoch {number - 1}, whose folder is not at hand",
                "give it with --previous, or use --season",
                column="previous_manifest_hash",
                value=named or "",
            )
        )
    if before.manifest.epoch != number - 1:
        raise CheckFailed(
            Finding(
                str(before),
                f"is epoch {before.manifest.epoch}, and epoch {number} follows on {number - 1}",
                "do not settle this history; ask its publisher",
                column="epoch",
            )
        )
    return before


def base_findings(history: History, active: ActiveState, initial_epoch: int) -> list[Finding]:
    """Return in what the chain's last activated epoch is not the one that the history builds on.

    Args:
        history: As `trace` found it for that epoch.
        active: What the contract says.
        initial_epoch: The last epoch settled before the contract, which its first one follows.
    """
    base = history.base
    if base is None:
        first = history.epochs[0].manifest.epoch
        if first == initial_epoch + 1:
            return []
        return [
            Finding(
                str(history.epochs[0]),
                f"is the first epoch, and the contract starts after epoch {initial_epoch}",
                f"the first epoch of this contract is {initial_epoch + 1}",
                column="epoch",
                value=str(first),
            )
        ]
    manifest = base.manifest
    stated = {
        "merkle_root": (manifest.root or "none", "0x" + active.root.hex()),
        "manifest_hash": (manifest.hash, "0x" + active.manifest_hash.hex()),
        "cumulative_total": (str(manifest.cumulative_total), str(active.cumulative_total)),
    }
    return [
        Finding(
            str(base),
            f"is not what was activated as epoch {active.epoch}: the chain has {there}",
            "build on the version that was activated; take it from its publisher",
            column=name,
            value=here,
        )
        for name, (here, there) in stated.items()
        if here != there
    ]
