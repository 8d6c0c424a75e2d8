"""Where telemetry lies: a file, a folder or a glob, here or in the cloud; what it hashes to.

The engine reads the rows itself. This module lists the files, refuses what no engine should be
asked to read (a truncated Parquet file, a CSV file without its columns) and hashes every byte.
Cloud locations are handed to the engine as they were given; for listing and hashing them pyarrow's
own S3 and GCS clients are used, with the credentials that these find in the environment.
"""

from __future__ import annotations

import csv
import glob
import gzip
import hashlib
import zlib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rewards.errors import Finding, InvalidInput
from rewards.files.folder import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CLOUD = ("s3://", "s3a://", "gs://", "gcs://", "az://", "abfss://", "hdfs://")
PARQUET, CSV = "parquet", "csv"
SUFFIXES = {".parquet": PARQUET, ".pq": PARQUET, ".csv": CSV, ".csv.gz": CSV}
PARQUET_MARK = b"PAR1"
"""The first and the last four bytes of every Parquet file."""
CHUNK = 1 << 20
HEADER_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class TelemetryFile:
    """One input file: its name as recorded (relative to what was given), hash and size."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Source:
    """Telemetry as an engine gets it.

    Attributes:
        label: What to call it in messages, e.g. `--probes`.
        format: `parquet` or `csv`.
        paths: What the engine reads: local files, or one cloud location as given.
        root: The folder below which `key=value` folders count as columns; None for single files.
        header: The CSV files' columns, in order; empty for Parquet.
        stamps: Size and time of each local file when it was found.
    """

    label: str
    format: str
    paths: tuple[str, ...]
    root: str | None
    header: tuple[str, ...] = ()
    stamps: tuple[tuple[str, int, int], ...] = ()

    @property
    def is_cloud(self) -> bool:
        """Whether the engine reads it from elsewhere."""
        return is_cloud(self.paths[0])

    def require_unchanged(self) -> None:
        """Refuse telemetry that was written to while it was read.

        Raises:
            InvalidInput: A file's size or time is no longer what it was.
        """
        findings = [
            Finding(path, "was changed while it was being read", "run it again on a finished file")
            for path, size, changed in self.stamps
            if _stamp(path) != (size, changed)
        ]
        if findings:
            raise InvalidInput(findings)


def is_cloud(location: str) -> bool:
    """Return whether a location is for the engine to resolve."""
    return location.startswith(CLOUD)


def locate(label: str, location: str) -> Source:
    """Find the files of a location and look at each one's form.

    Args:
        label: The option that named it.
        location: A file, a folder (searched below, too), a glob, or a cloud location.

    Raises:
        InvalidInput: Nothing is there, the formats are mixed, a Parquet file is truncated, or the
            CSV files' headers differ.
    """
    if is_cloud(location):
        return Source(label, _format_of(location) or PARQUET, (location,), None)
    path = Path(location)
    if path.is_dir():
        found, root = sorted(str(file) for file in _below(path)), str(path)
    elif path.exists() or not glob.has_magic(location):
        found, root = [location], None
    else:
        matching = glob.glob(location, recursive=True)  # noqa: PTH207 - the pattern may be absolute
        found = sorted(name for name in matching if Path(name).is_file())
        root = _fixed_part(location)
    if not found:
        raise InvalidInput(
            Finding(location, "holds no telemetry", "give .parquet, .csv or .csv.gz files")
        )
    form = _one_format(found, location)
    header = _require_readable(found, form)
    stamps = tuple((name, *_stamp(name)) for name in found)
    return Source(label, form, tuple(found), root, header, stamps)


def hash_files(source: Source, progress: Callable[[str], None]) -> list[TelemetryFile]:
    """Return every file's SHA-256, in the order of the names (section 4).

    Raises:
        InvalidInput: A cloud location cannot be listed or read.
    """
    if source.is_cloud:
        progress("hashing the files of the cloud location")
        return sorted(_hash_cloud(source.paths[0]), key=lambda file: file.name)
    files = []
    for path in source.paths:
        with open_regular(Path(path), path) as handle:
            digest, size = _digest(handle.read)
        name = Path(path).relative_to(source.root).as_posix() if source.root else Path(path).name
        files.append(TelemetryFile(name, digest, size))
    return sorted(files, key=lambda file: file.name)


def _below(folder: Path) -> Iterator[Path]:
    """Yield the telemetry files below a folder; marks such as `_SUCCESS` are passed over."""
    for path in folder.rglob("*"):
        hidden = any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and _format_of(path.name):
            yield path


def _fixed_part(pattern: str) -> str:
    """Return the folder in front of a glob's first wildcard."""
    fixed = Path()
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed /= part
    return str(fixed)


def _format_of(name: str) -> str | None:
    lower = name.lower()
    return next((form for suffix, form in SUFFIXES.items() if lower.endswith(suffix)), None)


def _one_format(paths: Sequence[str], location: str) -> str:
    forms = {_format_of(path) for path in paths}
    if None in forms:
        raise InvalidInput(
            Finding(location, "is of no known format", "name it .parquet, .csv or .csv.gz")
        )
    if len(forms) > 1:
        raise InvalidInput(
            Finding(location, "mixes Parquet and CSV files", "measure one format at a time")
        )
    return str(forms.pop())


def _require_readable(paths: Sequence[str], form: str) -> tuple[str, ...]:
    findings: list[Finding] = []
    headers: dict[str, tuple[str, ...]] = {}
    for path in paths:
        try:
            if form == PARQUET:
                _require_parquet(path)
            else:
                headers[path] = _csv_header(path)
        except InvalidInput as error:
            findings += error.findings
    expected = next(iter(headers.values()), ())
    findings += [
        Finding(
            path,
            "has other columns than the first file",
            "give every file the same header: " + ",".join(expected),
            row=1,
            value=",".join(header),
        )
        for path, header in headers.items()
        if header != expected
    ]
    if findings:
        raise InvalidInput(findings)
    return expected


def _require_parquet(path: str) -> None:
    """Refuse a file that does not begin and end like Parquet: the footer is written last."""
    with open_regular(Path(path), path) as handle:
        head = handle.read(4)
        size = handle.seek(0, 2)
        handle.seek(max(0, size - 8))
        tail = handle.read(8)
    if head != PARQUET_MARK:
        raise InvalidInput(
            Finding(path, "is no Parquet file", "check what wrote it, or the file's ending")
        )
    footer = int.from_bytes(tail[:4], "little")
    if size < 12 or tail[4:] != PARQUET_MARK or footer > size - 12:
        raise InvalidInput(
            Finding(path, "is truncated: its footer is missing", "copy the whole file again")
        )


def _csv_header(path: str) -> tuple[str, ...]:
    with open_regular(Path(path), path) as handle:
        try:
            line = _first_line(handle, compressed=path.lower().endswith(".gz"))
            text = line.decode("utf-8-sig").rstrip("\r\n")
        except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
            raise InvalidInput(
                Finding(path, "has no readable header", "save the file as UTF-8 CSV")
            ) from error
    if not text:
        raise InvalidInput(Finding(path, "is empty", "give at least a header"))
    return tuple(next(csv.reader([text])))


def _first_line(handle: BinaryIO, *, compressed: bool) -> bytes:
    if not compressed:
        return handle.readline(HEADER_LIMIT)
    with gzip.open(handle) as plain:
        return plain.readline(HEADER_LIMIT)


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = Path(path).stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _digest(read: Callable[[int], bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while chunk := read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _hash_cloud(location: str) -> Iterator[TelemetryFile]:
    from pyarrow import ArrowException  # noqa: PLC0415 - heavy, and only for the cloud

    scheme, _, place = location.partition("://")
    uri = {"s3a": "s3", "gcs": "gs"}.get(scheme, scheme) + "://" + place
    fixed = uri if not glob.has_magic(uri) else uri[: _first_wildcard(uri)].rpartition("/")[0]
    try:
        system, path = _file_system(fixed)
        yield from _hash_listed(system, path, uri.partition("://")[2])
    except (OSError, ArrowException, ValueError) as error:
        raise InvalidInput(
            Finding(
                location,
                f"cannot be read: {str(error).splitlines()[0]}",
                "check the name and the credentials in the environment",
            )
        ) from error


def _file_system(uri: str) -> tuple[Any, str]:
    """Return pyarrow's client for a location, and the path there."""
    from pyarrow import fs  # noqa: PLC0415

    system, path = fs.FileSystem.from_uri(uri)
    return system, path


def _first_wildcard(text: str) -> int:
    return min(text.find(mark) for mark in "*?[" if mark in text)


def _hash_listed(system: Any, path: str, pattern: str) -> Iterator[TelemetryFile]:  # noqa: ANN401
    """Hash every file below `path` that the pattern names: itself, below it, or by wildcard."""
    from pyarrow import fs  # noqa: PLC0415

    entry = system.get_file_info(path)
    if entry.is_file:
        listed = [entry]
    else:
        listed = system.get_file_info(fs.FileSelector(path, recursive=True))
    for info in listed:
        if not info.is_file or not _format_of(info.path):
            continue
        if glob.has_magic(pattern) and not fnmatchcase(info.path, pattern):
            continue
        with system.open_input_stream(info.path) as stream:
            digest, size = _digest(stream.read)
        name = info.path.removeprefix(path).lstrip("/") or info.base_name
        yield TelemetryFile(name, digest, size)
