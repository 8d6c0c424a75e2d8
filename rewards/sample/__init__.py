"""The sample season: seven invented epochs, computed from committed inputs.

The inputs lie in `season/` inside this package, so an installed wheel has them too.
`rewards.sample.generator` writes them anew from a seed.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from rewards.errors import Finding, InvalidInput

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

SEASON = "season"
"""Name of the folder of the committed season inside this package."""


def copy_season(target: Path) -> None:
    """Copy the committed season out of the package, be that a folder or an archive.

    Raises:
        InvalidInput: The target is a file or a folder that holds something.
    """
    if target.exists() and not (target.is_dir() and next(target.iterdir(), None) is None):
        raise InvalidInput(
            Finding(str(target), "is there already", "name a new folder for the sample season")
        )
    _copy(files(__name__) / SEASON, target)


def _copy(source: Traversable, target: Path) -> None:
    if source.is_file():
        target.write_bytes(source.read_bytes())
        return
    target.mkdir(parents=True, exist_ok=True)
    for entry in source.iterdir():
        _copy(entry, target / entry.name)
