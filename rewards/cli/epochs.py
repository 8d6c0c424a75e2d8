"""How commands find an epoch: by folder, or inside a season by number."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from rewards.errors import Finding, FindingsError, InvalidInput
from rewards.files.season import Season


def _require_season_if_named(
    context: click.Context,  # noqa: ARG001 - as click calls it
    option: click.Parameter,  # noqa: ARG001
    folder: Path | None,
) -> Path | None:
    """Refuse a folder that is no season, also where the command does not come to look at it."""
    if folder is not None:
        Season.open(folder)
    return folder


season_option = click.option(
    "--season",
    "season_folder",
    type=click.Path(path_type=Path, file_okay=False),
    callback=_require_season_if_named,
    help="The season's folder; by default the one around the working directory.",
)


@dataclass(frozen=True, slots=True)
class Located:
    """A published folder and, where a season tells, the one before it."""

    folder: Path
    previous: Path | None = None
    number: int | None = None


def find_season(folder: Path | None) -> Season | None:
    """Return the season named, or the one around the working directory."""
    return Season.open(folder) if folder else Season.around(Path.cwd())


def require_season(folder: Path | None) -> Season:
    """Return the season.

    Raises:
        InvalidInput: There is none.
    """
    season = find_season(folder)
    if season is None:
        raise InvalidInput(
            Finding(
                str(Path.cwd()),
                "lies in no season",
                "name the folders, or give --season DIR with a rewards.toml",
            )
        )
    return season


def _previous_in(season_folder: Path, folder: Path) -> Path | None:
    """Return the season's published folder before an epoch that may lie elsewhere."""
    from rewards.files.published import PublishedEpoch

    try:
        manifest = PublishedEpoch(folder).manifest
    except FindingsError:
        return None  # what is wrong with it, the command tells
    before = Season.open(season_folder).epoch(manifest.epoch - 1)
    return before if manifest.previous_hash and before.is_dir() else None


def locate(name: str | None, season_folder: Path | None) -> Located:
    """Return the published epoch that `name` means: a folder, or a number inside a season.

    Without a name it is the season's last published epoch. A folder beside a season that is named
    has its predecessor there.

    Raises:
        InvalidInput: There is no such epoch.
    """
    if name is not None and not (name.isascii() and name.isdigit()):
        folder = Path(name)
        return Located(folder, _previous_in(season_folder, folder) if season_folder else None)
    if name is not None and season_folder is None and Path(name).is_dir():
        return Located(Path(name))
    season = require_season(season_folder)
    published = season.published()
    if not published:
        raise InvalidInput(
            Finding(str(season.root), "has no published epoch", "run `rewards compute` first")
        )
    number = int(name) if name is not None else published[-1]
    if number not in published:
        raise InvalidInput(
            Finding(
                str(season.root),
                f"has no published epoch {number}",
                f"it has {published[0]} to {published[-1]}",
            )
        )
    return Located(season.epoch(number), season.previous(number), number)
