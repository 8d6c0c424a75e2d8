"""Atomic publication: a kill at any moment leaves the old state or the whole new one."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from rewards.errors import Finding, InvalidInput
from rewards.files.folder import open_regular, walk_files
from rewards.files.streams import begun, blocks_of, is_same

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from rewards.files.streams import Content

PARTIAL = ".partial-"
"""Mark in the name of a folder that was being written; safe to delete when nothing runs."""


def publish(out: Path, files: Mapping[str, Content]) -> bool:
    """Write a folder in one step; return False when it was already there, byte for byte.

    Everything is written and flushed beside the target and then renamed into place.

    Raises:
        InvalidInput: The target exists with other content, or cannot be written.
    """
    out = out.absolute()
    if os.path.lexists(out):
        _require_equal(out, files)
        return False
    require_outside_epochs(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = out.parent / os.path.basename(  # noqa: PTH119 - only the name is wanted
            tempfile.mkdtemp(prefix=f".{out.name}{PARTIAL}", dir=out.parent)
        )
    except OSError as error:
        raise _unwritable(out, error) from error
    try:
        _write_all(partial, files)
        partial.chmod(0o755)
        partial.rename(out)
        flush_folder(out.parent)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        if out.exists():  # another run was faster; the same bytes are as good as ours
            _require_equal(out, files)
            return False
        raise _unwritable(out, error) from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return True


def require_outside_epochs(path: Path) -> None:
    """Check that no epoch's folder, inputs or published, would be altered by holding a file.

    Raises:
        InvalidInput: It lies in one, also by way of a link.
    """
    for parent in path.absolute().parent.resolve().joinpath(path.name).parents:
        for marks in (("manifest.json", "state.json"), ("epoch.toml", "policy.toml")):
            if all((parent / mark).is_file() for mark in marks):
                raise InvalidInput(
                    Finding(
                        str(path),
                        f"lies inside the epoch's folder {parent}, which must not change",
                        "name a place beside it",
                    )
                )


def write_file(path: Path, content: bytes) -> None:
    """Write or replace one file in one step: readers see the old bytes or the new ones."""
    write_blocks(path, (content,))


def write_blocks(path: Path, blocks: Iterable[bytes]) -> None:
    """Write or replace one file in one step, its bytes given block by block."""
    with replacing(path) as file:
        for block in blocks:
            file.write(block)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file beside another; once it is written it takes its place, or nothing is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}{PARTIAL}", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # noqa: PTH101
        os.replace(name, path)  # noqa: PTH105
    except BaseException:
        os.unlink(name)  # noqa: PTH108
        raise
    flush_folder(path.parent)


def _write_all(folder: Path, files: Mapping[str, Content]) -> None:
    folders = {folder}
    flushed = []
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        folders.add(path.parent)
        with path.open("xb") as file:
            for block in blocks_of(content):
                file.write(block)
            file.flush()
            # The disk has its time while the next file is made.
            flushed.append(begun(partial(_flush_and_close, os.dup(file.fileno()))))
    for wait in flushed:
        wait()
    for written in folders:
        flush_folder(written)


def _flush_and_close(handle: int) -> None:
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can: Windows opens no folders."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        return
    finally:
        os.close(handle)


def _require_equal(out: Path, files: Mapping[str, Content]) -> None:
    remedy = "publish under another name, or remove it yourself if it was never settled"
    if out.is_symlink() or not out.is_dir():
        raise InvalidInput(Finding(str(out), "exists and is not a folder", remedy))
    there = Finding(str(out), "exists with other content and is never overwritten", remedy)
    if not any(os.path.lexists(out / name) for name in files):
        raise InvalidInput(there)  # something else altogether, of whatever size
    present = walk_files(out)
    findings = [
        Finding(name, "is there but not part of this epoch", remedy)
        for name in present
        if name not in files
    ]
    for name, content in files.items():
        if name not in present:
            findings.append(Finding(name, "is missing in the existing folder", remedy))
        elif not _holds(out / name, name, content):
            findings.append(Finding(name, "differs in the existing folder", remedy))
    if findings:
        raise InvalidInput([there, *findings])


def _holds(path: Path, name: str, content: Content) -> bool:
    try:
        with open_regular(path, name):
            return is_same(path, content)
    except InvalidInput:
        return False


def _unwritable(out: Path, error: OSError) -> InvalidInput:
    reason = error.strerror or str(error)
    return InvalidInput(
        Finding(str(out), f"cannot be written: {reason}", "check the folder's rights and the disk")
    )
