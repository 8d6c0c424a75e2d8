"""What a published epoch is judged by when it is settled or attested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.audit.checks.reviewer import reviewer_for
from rewards.cli.epochs import find_season
from rewards.files.season import Season

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rewards.audit.checks.reviewer import Reviewer
    from rewards.files.published import PublishedEpoch
    from rewards.settling.history import FindPredecessor


def present_reviewer(
    published: PublishedEpoch, season_folder: Path | None, checks: Path | None, waivers: Path | None
) -> Reviewer:
    """Return the limits and waivers that hold: those named, else those of the season."""
    season = Season.open(season_folder) if season_folder else Season.around(published.folder)
    return reviewer_for(
        None, season=season.root if season else None, checks=checks, waivers=waivers
    )


def predecessors_of(
    published: PublishedEpoch | None, season_folder: Path | None, given: Iterable[Path]
) -> FindPredecessor:
    """Return how predecessors are found: among the folders given, then in the season."""
    from rewards.settling.history import among, within

    known = among(given)
    around = Season.around(published.folder) if published else None
    season = around or find_season(season_folder)
    if season is None:
        return known
    inside = within(season)
    return lambda epoch: known(epoch) or inside(epoch)
