"""Folders and files as they come from outside: no links, no surprises, bounded memory."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from rewards.errors import Finding, InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT_LIMIT = 256 * 1024
"""Bytes of the largest TOML file that is read."""


def list_files(folder: Path) -> list[str]:
    """Return the names of everything in a folder, sorted.

    Raises:
        InvalidInput: It is not there or is no folder.
    """
    remedy = "name the folder with the epoch's files"
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError as error:
        raise InvalidInput(Finding(str(folder), "does not exist", remedy)) from error
    except NotADirectoryError as error:
        raise InvalidInput(Finding(str(folder), "is not a folder", remedy)) from error
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise InvalidInput(Finding(str(folder), problem, remedy)) from error


def walk_files(folder: Path) -> list[str]:
    """Return the relative names (with `/`) of every file below a folder, sorted; links too.

    A folder without an entry, or one that cannot be read, is named as well, with a last `/`.
    """
    names: list[str] = []
    folders = [""]
    while folders:
        prefix = folders.pop()
        try:
            with os.scandir(folder / prefix) as scanned:
                entries = list(scanned)
        except OSError:
            entries = []
        if not entries and prefix:
            names.append(prefix)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(f"{prefix}{entry.name}/")
            else:
                names.append(prefix + entry.name)
    return sorted(names)


def open_regular(path: Path, name: str) -> BinaryIO:
    """Open a regular file for reading; a link, a folder or a device is refused.

    The file that was looked at is the one that was opened: the two are compared, so a link put in
    place between the two calls is refused as well.

    Raises:
        InvalidInput: There is no regular file of that name.
    """
    try:
        before = os.lstat(path)
        if not stat.S_ISREG(before.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(before.st_mode) else "not a regular file"
            raise InvalidInput(Finding(name, f"is {kind}", "put the file itself there"))
        handle = path.open("rb")
    except OSError as error:
        raise InvalidInput(
            Finding(name, f"cannot be read: {error.strerror}", "check that it is there")
        ) from error
    after = os.fstat(handle.fileno())
    if (before.st_dev, before.st_ino) != (after.st_dev, after.st_ino):
        handle.close()
        raise InvalidInput(Finding(name, "was replaced while being opened", "run it again"))
    return handle


def read_bytes(path: Path, name: str, limit: int) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes.

    Raises:
        InvalidInput: There is no such file, or it is larger.
    """
    with open_regular(path, name) as handle:
        # The size first: a read of the limit would ask for that much memory at once.
        content = handle.read(min(os.fstat(handle.fileno()).st_size, limit) + 1)
    if len(content) > limit:
        raise InvalidInput(
            Finding(name, f"is larger than {limit} bytes", "check that this is the right file")
        )
    return content


def decode(content: bytes, name: str) -> str:
    """Return UTF-8 text without its BOM.

    Raises:
        InvalidInput: The bytes are not UTF-8, or hold a NUL.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInput(
            Finding(
                name,
                f"is not UTF-8 (byte {error.start})",
                "save the file as UTF-8",
                row=line,
                value=repr(content[error.start : error.start + 4]),
            )
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InvalidInput(
            Finding(name, "holds a NUL byte", "save the file as plain UTF-8 text", row=line)
        )
    return text
