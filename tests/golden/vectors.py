"""Where the vectors lie and how a case is computed: its epochs in order, each on the one before."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from rewards.files.epoch import compute_folder, publish_epoch

if TYPE_CHECKING:
    from collections.abc import Iterator

VECTORS = Path(__file__).parents[1] / "vectors"


def cases() -> list[str]:
    """Return the names of the cases."""
    return sorted(path.name for path in VECTORS.iterdir() if path.is_dir())


def epochs_of(case: str) -> list[str]:
    """Return the folder names of a case's epochs, in order."""
    return sorted(path.name for path in (VECTORS / case).iterdir() if path.is_dir())


def recompute(case: str, workspace: Path) -> Iterator[tuple[str, Path]]:
    """Publish a case's epochs below a workspace; yield each epoch's name and folder."""
    previous: Path | None = None
    for epoch in epochs_of(case):
        out = workspace / case / epoch
        publish_epoch(compute_folder(VECTORS / case / epoch / "inputs", previous), out)
        yield epoch, out
        previous = out


def replace_expected(case: str, epoch: str, published: Path) -> None:
    """Put a published folder in the place of the expected one."""
    expected = VECTORS / case / epoch / "expected"
    if expected.exists():
        shutil.rmtree(expected)
    shutil.copytree(published, expected)


def bytes_below(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder by its relative name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
