"""Where a plan, its journal, its receipts and its epochs lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rewards.cli.epochs import find_season
from rewards.errors import Finding, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

JOURNAL_FILE = "journal.sqlite3"


@dataclass(frozen=True)
class Place:
    """Where things lie.

    Attributes:
        journal: The journal's file.
        receipts: The folder of the receipts.
        folders: Epochs' folders that were named expressly, by number.
        epochs: The season's folder of epochs; None outside of a season.
    """

    journal: Path
    receipts: Path
    folders: dict[int, Path] = field(default_factory=dict)
    epochs: Path | None = None

    @classmethod
    def of(
        cls,
        near: Path,
        season_folder: Path | None,
        journal: Path | None = None,
        folders: Sequence[Path] = (),
    ) -> Place:
        """Return the places: in the season named or around, else beside `near`."""
        from rewards.files.published import PublishedEpoch
        from rewards.files.season import Season

        season = find_season(season_folder) or Season.around(near)
        receipts = season.root / "settlements" if season else near
        named = {PublishedEpoch(folder).manifest.epoch: folder for folder in folders}
        return cls(
            journal or receipts / JOURNAL_FILE,
            receipts,
            named,
            season.root / "epochs" if season else None,
        )

    def folder_of(self, epoch: int) -> Path:
        """Return an epoch's published folder.

        Raises:
            InvalidInput: None was named, and there is no season.
        """
        if epoch in self.folders:
            return self.folders[epoch]
        if self.epochs is None:
            raise InvalidInput(
                Finding(
                    f"epoch {epoch}",
                    "has files that the plan binds, and its folder is not known",
                    "name it with --out, or work in its season",
                )
            )
        return self.epochs / f"{epoch:06d}"
