"""Files that commands write beside their answer: tables and plots, never into a published epoch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rewards.cli.console import note
from rewards.errors import Finding, InvalidInput
from rewards.files.csv_tables import canonical_csv
from rewards.files.publish import require_outside_epochs, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What spreadsheets take for the start of a formula, the full-width signs included (CWE-1236)."""
NUMBER = re.compile(r"-?[0-9]+", re.ASCII)


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
    """Write tables as CSV into a folder; no cell begins like a spreadsheet's formula.

    One that would (a receipt's or a policy's file name) is written behind an apostrophe, which
    spreadsheets take for "this is text". Amounts, also negative ones, stay plain numbers.
    """
    write_files(
        folder,
        {
            name: canonical_csv(list(map(_safe, header)), [list(map(_safe, row)) for row in rows])
            for name, (header, rows) in tables.items()
        },
    )


def _safe(cell: str) -> str:
    is_formula = cell.lstrip().startswith(FORMULA) and not NUMBER.fullmatch(cell)
    return f"'{cell}" if is_formula or cell.startswith(("\t", "\r")) else cell
