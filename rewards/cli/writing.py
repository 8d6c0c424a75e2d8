"""Files that commands write beside their answer: tables and plots, never into a published epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.cli.console import note
from rewards.errors import Finding, InvalidInput
from rewards.files.csv_tables import canonical_csv
from rewards.files.publish import require_outside_epochs, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FORMULA = ("=", "+", "@", "\t", "\r")


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, replacing what an earlier run wrote.

    Raises:
        InvalidInput: It is an epoch's, to which nothing is ever added, or not writable.
    """
    for name in files:
        require_outside_epochs(folder / name)
    try:
        for name, content in files.items():
            write_file(folder / name, content)
    except OSError as error:
        raise InvalidInput(
            Finding(str(folder), f"cannot be written: {error.strerror}", "name another folder")
        ) from error
    note(f"written to {folder}: {', '.join(files)}")


def write_tables(
    folder: Path, tables: Mapping[str, tuple[Sequence[str], Sequence[Sequence[str]]]]
) -> None:
    """Write tables as CSV into a folder; a cell never begins like a spreadsheet's formula."""
    write_files(
        folder,
        {
            name: canonical_csv([_safe(cell) for cell in header], rows)
            for name, (header, rows) in tables.items()
        },
    )


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell
