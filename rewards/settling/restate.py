"""Restating: published epochs that were never activated, computed anew from corrected inputs.

An epoch whose inputs changed supersedes its published version and says why; every later one
follows, as it names its predecessor. Nothing is deleted: the superseded folders are kept.

A kill leaves old or new. Everything is computed and written aside first. Then a journal is put
down, which is the decision; what it says is done, from the last old epoch down and from the first
new one up, so that at every moment what lies in `epochs/` is one unbroken chain, only shorter.
While the journal is there no command opens the season but this one, which first finishes it.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rewards.audit.checks.reviewer import reviewer_for
from rewards.audit.measurement import season_recorder
from rewards.chain.distributor import ProposalStatus
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.carried import require_carried
from rewards.files.documents import canonical_json, parse_json
from rewards.files.epoch import compute, load_epoch, publish_epoch
from rewards.files.folder import read_bytes
from rewards.files.grammar import GrammarError, parse_text
from rewards.files.inputs import canonical_inputs
from rewards.files.outputs import INPUTS_FOLDER, MANIFEST, manifest_hash, sha256
from rewards.files.publish import write_file
from rewards.files.published import PublishedEpoch
from rewards.files.season import RESTATING, RESTATING_JOURNAL, SUPERSEDED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rewards.files.season import Season
    from rewards.rules.records import EpochHeader, Inputs
    from rewards.settling.onchain import Contract

JOURNAL_FORMAT = "wct-restating-1"
JOURNAL_LIMIT = 1 << 24
RECEIPT_LIMIT = 1 << 26
LOOK_BACK = 64
"""Earlier epochs that the checks of an epoch may look at."""
EPOCH_TOML = "epoch.toml"


@dataclass(frozen=True, slots=True)
class Restated:
    """One epoch's old and new version, by manifest hash."""

    epoch: int
    old_hash: str
    new_hash: str


# --- what may be restated --------------------------------------------------------------------


def last_settled(season: Season) -> int:
    """Return the last epoch that a receipt in `settlements/` calls activated; 0 without one.

    Raises:
        InvalidInput: A receipt cannot be read: it might be of an activation.
    """
    settled = 0
    for path in sorted((season.root / "settlements").glob("[0-9]*.json")):
        document = parse_json(read_bytes(path, path.name, RECEIPT_LIMIT), path.name)
        if path.stem.isdigit() and "activate" in _actions(document):
            settled = max(settled, int(path.stem))
    return settled


def _actions(document: dict[str, Any]) -> set[str]:
    """Return the names of what a receipt says was sent; an unknown form tells them all."""
    actions = document.get("actions")
    if not isinstance(actions, list):
        return {"activate"}
    return {str(entry.get("name")) for entry in actions if isinstance(entry, dict)}


def require_unsettled(first: int, settled: int, contract: Contract | None) -> None:
    """Refuse to restate what was activated, or what is pending.

    Args:
        first: The first epoch that would change.
        settled: The last one that the receipts call activated.
        contract: What the chain says; None where nobody was asked.

    Raises:
        CheckFailed: It was; an activated epoch is corrected by the next one's adjustments.
    """
    active = max(settled, contract.active.epoch if contract else 0)
    if first <= active:
        raise CheckFailed(
            Finding(
                f"epoch {first}",
                f"is settled: epoch {active} was activated, and amounts are cumulative",
                f"correct it in epoch {active + 1} or later by adjustments.csv",
                column="epoch",
            )
        )
    pending = contract.pending if contract else None
    if pending and pending.status is ProposalStatus.PENDING and pending.epoch >= first:
        raise CheckFailed(
            Finding(
                f"epoch {pending.epoch}",
                f"is proposed (attempt {pending.attempt}) and could be activated meanwhile",
                "have it vetoed first: `rewards plan --action veto`",
                column="epoch",
            )
        )


# --- restating -------------------------------------------------------------------------------


def restate(
    season: Season,
    first: int,
    reason: str | None,
    settled: int = 0,
    contract: Contract | None = None,
) -> list[Restated]:
    """Compute anew every epoch from `first` on that changed, or whose predecessor did.

    Args:
        season: The season; an interrupted restatement of it has been finished.
        first: The first epoch looked at.
        reason: Why; where an epoch.toml says `supersedes` and `reason` itself, that stands.
        settled: The last epoch that the receipts call activated.
        contract: What the chain says of the contract.

    Returns:
        The epochs that changed, ascending; none where every input is as it was published.

    Raises:
        InvalidInput: With every finding of the first epoch that has any; or no reason is given.
        CheckFailed: What changed is settled or pending; a check blocks; a folder was altered.
    """
    published = season.published()
    if first not in published:
        there = f"it has {published[0]} to {published[-1]}" if published else "it has none"
        raise InvalidInput(Finding("--from", "is no published epoch", there, value=str(first)))
    staging = season.root / "epochs" / RESTATING
    shutil.rmtree(staging, ignore_errors=True)  # without a journal it was never decided
    restated: list[Restated] = []
    try:
        for number in [number for number in published if number >= first]:
            made = _restate_one(season, number, restated, reason, staging)
            if made is None:
                continue
            if not restated:
                require_unsettled(number, settled, contract)
            restated.append(made)
        if restated:
            _decide(staging, restated)
    except BaseException:
        if not (staging / RESTATING_JOURNAL).is_file():
            shutil.rmtree(staging, ignore_errors=True)
        raise
    if restated:
        finish(season)
    return restated


def _restate_one(
    season: Season, number: int, before: Sequence[Restated], reason: str | None, staging: Path
) -> Restated | None:
    """Compute an epoch anew into the staging folder; return None where nothing changed."""
    old = PublishedEpoch(season.epoch(number))
    old.require_unaltered()
    predecessor = _stage_predecessors(season, number, before, staging)
    inputs, opening = load_epoch(season.inputs(number), predecessor)
    require_carried(season, inputs)
    if not before and not _has_changed(inputs, old):
        return None
    header = _superseding(inputs.header, old.manifest.hash, before, reason)
    reviewer = reviewer_for(predecessor, season=season.root)
    epoch = compute(replace(inputs, header=header), opening, reviewer, season_recorder(season))
    reviewer.last_report.require_unblocked()
    publish_epoch(epoch, staging / f"{number:06d}")
    return Restated(number, old.manifest.hash, manifest_hash(epoch.files[MANIFEST]))


def _stage_predecessors(
    season: Season, number: int, before: Sequence[Restated], staging: Path
) -> Path | None:
    """Return the predecessor's folder, the epochs that checks look back at beside it."""
    previous = season.previous(number)
    if previous is None or not before:
        return previous
    # The new versions lie in the staging folder; the older ones are joined to them there.
    for earlier in range(before[0].epoch - 1, max(before[0].epoch - LOOK_BACK, 0), -1):
        link = staging / f"{earlier:06d}"
        if not season.epoch(earlier).is_dir() or link.exists():
            break
        try:
            link.symlink_to(season.epoch(earlier).absolute(), target_is_directory=True)
        except OSError:  # no links on this system
            shutil.copytree(season.epoch(earlier), link)
    return staging / f"{number - 1:06d}"


def _has_changed(inputs: Inputs, old: PublishedEpoch) -> bool:
    """Return whether the inputs are others than those published, or say themselves that they are.

    What an epoch.toml says of an earlier superseding is no change.
    """
    manifest = old.manifest
    if inputs.header.supersedes == manifest.hash:
        return True
    said = manifest.document.get("supersedes") or {}
    header = replace(inputs.header, supersedes=said.get("manifest_hash"), reason=said.get("reason"))
    files = canonical_inputs(replace(inputs, header=header))
    given = {name: sha256(content) for name, content in files.items()}
    published: dict[str, str] = manifest.document["inputs"]
    return given != published


def _superseding(
    header: EpochHeader, old_hash: str, before: Sequence[Restated], reason: str | None
) -> EpochHeader:
    if header.supersedes == old_hash:
        return header
    if before:
        reason = f"follows on epoch {before[-1].epoch}, which was restated"
    if reason is None:
        raise InvalidInput(
            Finding("--reason", "is missing", "say why; it is published with the epoch")
        )
    try:
        return replace(header, supersedes=old_hash, reason=parse_text(reason))
    except GrammarError as error:
        raise InvalidInput(Finding("--reason", error.problem, error.remedy)) from error


# --- doing it, whatever happens --------------------------------------------------------------


def _decide(staging: Path, restated: Sequence[Restated]) -> None:
    """Put the journal down: from here on it will be done."""
    document = {
        "format": JOURNAL_FORMAT,
        "epochs": [
            {"epoch": str(one.epoch), "old": one.old_hash, "new": one.new_hash} for one in restated
        ],
    }
    write_file(staging / RESTATING_JOURNAL, canonical_json(document))


def finish(season: Season) -> list[Restated]:
    """Finish a restatement that was decided; every step may have been done before.

    Returns:
        The epochs that it restates; none where nothing was decided.
    """
    staging = season.root / "epochs" / RESTATING
    journal = staging / RESTATING_JOURNAL
    if not journal.is_file():
        return []
    document = parse_json(read_bytes(journal, str(journal), JOURNAL_LIMIT), str(journal))
    restated = [Restated(int(e["epoch"]), e["old"], e["new"]) for e in document["epochs"]]
    for one in reversed(restated):
        _retire(season, one)
    for one in restated:
        _bring_in(season, one, staging / f"{one.epoch:06d}")
    # Before the journal goes, the new names must be as durable as it was.
    flush_folder(staging.parent / SUPERSEDED)
    flush_folder(staging.parent)
    journal.unlink()
    shutil.rmtree(staging, ignore_errors=True)
    return restated


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can: Windows opens no folders."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _retire(season: Season, one: Restated) -> None:
    live, kept = season.epoch(one.epoch), season.superseded(one.epoch, one.old_hash)
    if live.is_dir() and PublishedEpoch(live).manifest.hash == one.old_hash:
        kept.parent.mkdir(parents=True, exist_ok=True)
        live.rename(kept)


def _bring_in(season: Season, one: Restated, staged: Path) -> None:
    live = season.epoch(one.epoch)
    if staged.is_dir() and not live.exists():
        staged.rename(live)
    # The inputs say what the published epoch says, so that they compute to it again.
    said = (live / INPUTS_FOLDER / EPOCH_TOML).read_bytes()
    write_file(season.inputs(one.epoch) / EPOCH_TOML, said)
