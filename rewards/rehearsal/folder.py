"""The folder of a rehearsal: a complete season under the rehearsal's target, and its receipts.

rewards.toml            the season, with (rehearsal) after its name
rehearsal.json          what came of it, as `rewards dry-run --json` prints it
inputs/000123/          the inputs, settlement.toml replaced
epochs/000123/          the epoch published for the rehearsal's contract
settlements/000123.json what was sent to settle it, and how it reconciled
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.documents import canonical_json, parse_json
from rewards.files.folder import read_bytes
from rewards.files.inputs import canonical_inputs
from rewards.files.publish import publish, write_file
from rewards.files.season import SEASON_FILE, SEASON_FORMAT, Season
from rewards.files.toml_documents import canonical_toml

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.files.epoch import ComputedEpoch

REHEARSAL = "rehearsal.json"
REHEARSAL_FORMAT = "wct-rehearsal-1"
REHEARSAL_LIMIT = 1 << 28
NAME_LENGTH = 900


@dataclass(frozen=True)
class RehearsalFolder:
    """Where a rehearsal is written. It is made to be thrown away, so a next run replaces it."""

    root: Path

    @property
    def season(self) -> Season:
        """The folder as a season."""
        return Season(self.root, "")

    def require_free(self, *, again: bool) -> None:
        """Check that the folder may be written to.

        Args:
            again: Whether an earlier rehearsal may be replaced. On the embedded chain nothing is
                lost by that; on a network the receipts are all there is.

        Raises:
            InvalidInput: It holds something else.
        """
        if not self.root.exists() or (self.root.is_dir() and not any(self.root.iterdir())):
            return
        if again and self._is_rehearsal():
            return
        raise InvalidInput(
            Finding(
                str(self.root),
                "is there already" + ("" if again else ", and its receipts are not replaced"),
                "name a new folder with --out",
            )
        )

    def _is_rehearsal(self) -> bool:
        try:
            content = read_bytes(self.root / REHEARSAL, REHEARSAL, REHEARSAL_LIMIT)
            return parse_json(content, REHEARSAL).get("format") == REHEARSAL_FORMAT
        except InvalidInput:
            return False

    def begin(self, name: str, numbers: set[int]) -> None:
        """Mark the folder as a rehearsal's, and remove what an earlier one left over.

        Raises:
            InvalidInput: Nothing can be written there.
        """
        try:
            self._begin(name, numbers)
        except OSError as error:
            raise InvalidInput(
                Finding(
                    str(self.root),
                    f"cannot be written: {error.strerror}",
                    "check the folder's rights and the disk, or name another with --out",
                )
            ) from error

    def _begin(self, name: str, numbers: set[int]) -> None:
        self.finish({"format": REHEARSAL_FORMAT, "ok": False, "reason": "not finished"})
        values: dict[str, str | int | bool] = {
            "format": SEASON_FORMAT,
            "name": f"{name[:NAME_LENGTH]} (rehearsal)",
        }
        write_file(self.root / SEASON_FILE, canonical_toml(values))
        for number in {*self.season.with_inputs(), *self.season.published()} - numbers:
            shutil.rmtree(self.season.inputs(number), ignore_errors=True)
            shutil.rmtree(self.season.epoch(number), ignore_errors=True)
        for receipt in (self.root / "settlements").glob("*.json"):
            receipt.unlink()

    def publish(self, epoch: ComputedEpoch) -> Path:
        """Write an epoch's inputs and publish its folder, then verify what was written.

        Raises:
            CheckFailed: The published folder does not verify.
        """
        from rewards.audit.verify import verify_epoch  # noqa: PLC0415 - audit rests on much

        number = epoch.inputs.header.epoch
        _replace(self.season.inputs(number), canonical_inputs(epoch.inputs))
        folder = self.season.epoch(number)
        _replace(folder, dict(epoch.files))
        before = self.season.epoch(number - 1)
        findings = verify_epoch(folder, before if before.is_dir() else None)
        if findings:
            raise CheckFailed(findings)
        return folder

    def receipt(self, number: int, document: dict[str, object]) -> None:
        """Write what was sent to settle an epoch."""
        write_file(self.root / "settlements" / f"{number:06d}.json", canonical_json(document))

    def finish(self, document: dict[str, object]) -> None:
        """Write what came of the rehearsal."""
        write_file(self.root / REHEARSAL, canonical_json(document))


def _replace(folder: Path, files: dict[str, bytes]) -> None:
    """Publish a folder; where an earlier rehearsal left another, in its place."""
    try:
        publish(folder, files)
    except InvalidInput:
        if folder.is_symlink() or not folder.is_dir():
            raise
        shutil.rmtree(folder)
        publish(folder, files)
