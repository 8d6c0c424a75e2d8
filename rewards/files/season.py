"""A season: the folder in which an operator keeps epoch after epoch.

rewards.toml           format = "wct-season-1", name
settlement.toml        the contract, as `rewards deploy` wrote it; copied into every inputs/
checks.toml            limits of the checks; absent: nothing blocks
waivers.toml           which blocking findings pass, why, and who says so
inputs/000123/         the input folder of an epoch
measured/000123/nodes/ what `rewards measure nodes` published for it; wallets/, stakes/ likewise
epochs/000123/         its published folder
carried/000123.csv     rows that the epoch's adjustments.csv must hold; see `rewards.files.carried`
epochs/superseded/     versions that were restated before they were settled, e.g. 000123-0a1b2c3d/
settlements/           plans, receipts, journal
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.errors import Finding, InvalidInput
from rewards.files.folder import list_files
from rewards.files.grammar import parse_text
from rewards.files.settlement import read_settlement
from rewards.files.toml_documents import Document

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.rules.records import Settlement

SEASON_FILE = "rewards.toml"
SEASON_FORMAT = "wct-season-1"
SETTLEMENT_FILE = "settlement.toml"
SUPERSEDED = "superseded"
RESTATING = ".restating"
"""In `epochs/` while epochs are being restated; with RESTATING_JOURNAL in it, it must be ended."""
RESTATING_JOURNAL = "journal.json"


@dataclass(frozen=True, slots=True)
class Season:
    """A season's folder and name."""

    root: Path
    name: str

    @classmethod
    def open(cls, root: Path, *, restating: bool = False) -> Season:
        """Return the season in a folder.

        Args:
            root: The folder.
            restating: Whether an interrupted restatement is no obstacle, as the caller ends it.

        Raises:
            InvalidInput: Its `rewards.toml` is missing or wrong, or a restatement was interrupted.
        """
        if not restating and (root / "epochs" / RESTATING / RESTATING_JOURNAL).is_file():
            problem = "is being restated, or was when it was interrupted"
            remedy = "run `rewards restate --season` on it, which ends it"
            raise InvalidInput(Finding(str(root), problem, remedy))
        if not (root / SEASON_FILE).exists():
            problem = f"is no season: there is no {SEASON_FILE} in it"
            raise InvalidInput(Finding(str(root), problem, "name the folder that holds it"))
        findings: list[Finding] = []
        document = Document(root / SEASON_FILE, SEASON_FILE, findings)
        form = document.take("format", str)
        name = document.parse("name", parse_text)
        document.refuse_unknown()
        if form is not None and form != SEASON_FORMAT:
            document.find("format", form, "is not known", f'write "{SEASON_FORMAT}"')
        if findings:
            raise InvalidInput(findings)
        return cls(root, str(name))

    @classmethod
    def around(cls, folder: Path) -> Season | None:
        """Return the season that a folder lies in; None when it lies in none."""
        for candidate in (folder.absolute(), *folder.absolute().parents):
            if (candidate / SEASON_FILE).is_file():
                return cls.open(candidate)
        return None

    def inputs(self, epoch: int) -> Path:
        """Return the input folder of an epoch."""
        return self.root / "inputs" / f"{epoch:06d}"

    def measured_nodes(self, epoch: int) -> Path:
        """Return where an epoch's measurement of the nodes lies, if it was kept."""
        return self.root / "measured" / f"{epoch:06d}" / "nodes"

    def epoch(self, epoch: int) -> Path:
        """Return the published folder of an epoch."""
        return self.root / "epochs" / f"{epoch:06d}"

    def carried(self, epoch: int) -> Path:
        """Return where the rows lie that an epoch's adjustments must hold, where there are any."""
        return self.root / "carried" / f"{epoch:06d}.csv"

    def settlement(self) -> Settlement:
        """Return the contract that the season is settled on.

        Raises:
            InvalidInput: `settlement.toml` is missing or wrong.
        """
        findings: list[Finding] = []
        document = Document(self.root / SETTLEMENT_FILE, SETTLEMENT_FILE, findings)
        settlement = read_settlement(document)
        if document.readable:
            document.refuse_unknown()
        if findings or settlement is None:
            raise InvalidInput(findings)
        return settlement

    def superseded(self, epoch: int, manifest_hash: str) -> Path:
        """Return where a superseded version of an epoch is kept."""
        return self.root / "epochs" / SUPERSEDED / f"{epoch:06d}-{manifest_hash[2:10]}"

    def previous(self, epoch: int) -> Path | None:
        """Return the published folder before an epoch; None before the season's first."""
        first = self.first()
        return None if first is None or epoch <= first else self.epoch(epoch - 1)

    def with_inputs(self) -> list[int]:
        """Return the epochs that have an input folder, ascending."""
        return _numbered(self.root / "inputs")

    def published(self) -> list[int]:
        """Return the published epochs, ascending."""
        return _numbered(self.root / "epochs")

    def first(self) -> int | None:
        """Return the season's first epoch; None in an empty season."""
        return min([*self.with_inputs(), *self.published()], default=None)

    def next(self) -> int | None:
        """Return the epoch to be computed next; None in an empty season."""
        published = self.published()
        return published[-1] + 1 if published else self.first()


def _numbered(folder: Path) -> list[int]:
    """Return the epoch numbers among a folder's subfolders; other names are left alone."""
    if not folder.is_dir():
        return []
    names = (name for name in list_files(folder) if (folder / name).is_dir())
    numbers = (name for name in names if name.isascii() and name.isdigit())
    return sorted(int(name) for name in numbers if f"{int(name):06d}" == name)
