"""The epochs to rehearse: computed for the target that their files name, then for the rehearsal's.

A leaf binds chain and contract, so a proof for the real contract proves nothing to a rehearsal's.
Every epoch is therefore computed twice, and everything but the target and the tree must be equal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.carried import require_carried, require_carried_near
from rewards.files.epoch import compute, compute_folder, read_opening
from rewards.files.inputs import check_inputs, read_inputs
from rewards.files.outputs import ALLOCATIONS_CSV, MANIFEST, manifest_hash, sha256
from rewards.files.published import PublishedEpoch
from rewards.rules.records import Account, Opening

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.files.epoch import ComputedEpoch
    from rewards.files.season import Season
    from rewards.rules.records import EpochResult, Settlement


@dataclass(frozen=True)
class Subject:
    """What is rehearsed: consecutive epochs, under the target that their own files name."""

    name: str
    epochs: tuple[ComputedEpoch, ...]

    @property
    def opening(self) -> Opening | None:
        """The predecessor of the first of them."""
        return self.epochs[0].opening

    @property
    def target(self) -> Settlement:
        """The target that their own files name."""
        return self.epochs[0].inputs.settlement


def one_epoch(inputs: Path, previous: Path | None) -> Subject:
    """Return the epoch of an input folder.

    Raises:
        InvalidInput: With every finding.
    """
    epoch = compute_folder(inputs, previous)
    require_carried_near(inputs, epoch.inputs)
    return Subject(f"epoch {epoch.inputs.header.epoch}", (epoch,))


def whole_season(season: Season) -> Subject:
    """Return the epochs of a season that have inputs, each on top of the one before.

    Raises:
        InvalidInput: With every finding of the first epoch that has any.
        CheckFailed: A published epoch is not what its inputs make of it.
    """
    numbers = season.with_inputs()
    if not numbers:
        raise InvalidInput(
            Finding(str(season.root), "has no inputs yet", "write inputs/000001 first")
        )
    before = numbers[0] - 1
    opening = read_opening(season.epoch(before) if before in season.published() else None)
    epochs = []
    for number in numbers:
        epoch = _compute_on(opening, season.inputs(number), f"inputs/{number:06d}/")
        require_carried(season, epoch.inputs)
        epochs.append(epoch)
        opening = opening_after(epoch)
        if number in season.published():
            published = PublishedEpoch(season.epoch(number))
            _require_same(published, epoch)
            # With checks a manifest holds more than the epoch; the successor names the whole one.
            opening = replace(opening, manifest_hash=published.manifest.hash)
    return Subject(season.name, tuple(epochs))


def _compute_on(opening: Opening | None, folder: Path, prefix: str) -> ComputedEpoch:
    try:
        return compute(check_inputs(read_inputs(folder), opening), opening)
    except InvalidInput as error:
        raise InvalidInput([replace(f, file=prefix + f.file) for f in error.findings]) from error


def _require_same(published: PublishedEpoch, epoch: ComputedEpoch) -> None:
    listed = published.manifest.files
    for name, content in epoch.files.items():
        if name != MANIFEST and listed.get(name) != sha256(content):
            raise CheckFailed(
                Finding(
                    f"{published.folder}/{name}",
                    "is not what the inputs make of it",
                    "run `rewards verify` on it; a changed epoch is no rehearsal of the published "
                    "one",
                    value=listed.get(name, "not published"),
                )
            )


def opening_after(epoch: ComputedEpoch) -> Opening:
    """Return a computed epoch as its successor opens on it, as if it were published."""
    rows = epoch.result.allocations
    ledger = {row.account: Account(row.cumulative, row.recovery_out) for row in rows}
    return Opening(epoch.result.closing, ledger, manifest_hash(epoch.files[MANIFEST]))


def bind(subject: Subject, target: Settlement) -> tuple[ComputedEpoch, ...]:
    """Return the same epochs computed for another target.

    Raises:
        CheckFailed: Anything but the target and what follows from it differs.
    """
    opening = subject.opening
    if opening is not None:
        opening = replace(opening, state=replace(opening.state, settlement=target))
    bound = []
    for own in subject.epochs:
        epoch = compute(replace(own.inputs, settlement=target), opening)
        _require_same_amounts(own.inputs.header.epoch, own.result, epoch.result)
        bound.append(epoch)
        opening = opening_after(epoch)
    return tuple(bound)


def _require_same_amounts(epoch: int, own: EpochResult, bound: EpochResult) -> None:
    if replace(bound, closing=own.closing) == own:
        return
    pairs = zip(own.allocations, bound.allocations, strict=False)
    account = next((mine.account for mine, other in pairs if mine != other), "")
    raise CheckFailed(
        Finding(
            ALLOCATIONS_CSV,
            f"differs in epoch {epoch} when it is computed for the rehearsal's contract",
            "report this as a defect: amounts must not depend on the contract",
            column="account",
            value=account,
        )
    )
