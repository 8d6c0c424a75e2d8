from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rewards.errors import InvalidInput
from rewards.files.epoch import compute_folder, publish_epoch
from rewards.files.publish import publish, write_file
from tests.files.folders import FIRST, SECOND, published, write

FILES = {"a.csv": b"1\n", "inputs/b.toml": b"2\n", "manifest.json": b"{}\n"}


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def names(folder: Path) -> list[str]:
    """Return the names in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


def test_publish__new_folder__holds_exactly_the_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert publish(out, FILES) is True
    assert tree(out) == FILES
    assert names(tmp_path) == ["out"]
    assert out.stat().st_mode & 0o777 == 0o755


def test_publish__missing_parents__are_made(tmp_path: Path) -> None:
    assert publish(tmp_path / "a" / "b" / "out", FILES)
    assert tree(tmp_path / "a" / "b" / "out") == FILES


def test_publish__relative_name__goes_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert publish(Path("out"), FILES)
    assert tree(tmp_path / "out") == FILES


def test_publish__equal_folder_exists__does_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, FILES)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert publish(out, FILES) is False
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


@pytest.mark.parametrize(
    "damage", ["changed", "missing", "extra", "link", "empty", "file", "dangling"]
)
def test_publish__other_folder_exists__is_refused_and_left_alone(
    tmp_path: Path, damage: str
) -> None:
    out = tmp_path / "out"
    if damage == "file":
        out.write_text("x")
    elif damage == "dangling":
        out.symlink_to("nowhere")
    elif damage == "empty":
        out.mkdir()
    else:
        publish(out, FILES)
    if damage == "changed":
        (out / "a.csv").write_bytes(b"9\n")
    elif damage == "missing":
        (out / "a.csv").unlink()
    elif damage == "extra":
        (out / "inputs" / "note").write_bytes(b"")
    elif damage == "link":
        (out / "a.csv").rename(tmp_path / "a.csv")
        (out / "a.csv").symlink_to(tmp_path / "a.csv")
    before = names(tmp_path), out.is_dir() and tree(out)
    with pytest.raises(InvalidInput) as caught:
        publish(out, FILES)
    assert caught.value.findings[0].file == str(out)
    assert all(f.remedy for f in caught.value.findings)
    assert (names(tmp_path), out.is_dir() and tree(out)) == before


def test_publish__parent_is_a_file__is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidInput, match="cannot be written"):
        publish(tmp_path / "file" / "out", FILES)


def test_publish__name_too_long__is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be written"):
        publish(tmp_path / ("x" * 300), FILES)


def failing(call: int, error: int) -> Any:
    """Return a stand-in that fails at that call."""
    calls = 0

    def stand_in(*_: Any, **__: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError(error, os.strerror(error))

    return stand_in


@pytest.mark.parametrize("call", range(1, len(FILES) + 1))
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_publish__disk_fails_while_flushing__leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, error: int
) -> None:
    monkeypatch.setattr("rewards.files.publish.os.fsync", failing(call, error))
    with pytest.raises(InvalidInput, match="cannot be written"):
        publish(tmp_path / "out", FILES)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["rename", "mkdir", "chmod"])
def test_publish__a_step_fails__leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(Path, name, failing(1, errno.EROFS))
    with pytest.raises(InvalidInput, match="cannot be written"):
        publish(tmp_path / "out", FILES)
    assert names(tmp_path) == []


def test_publish__interrupted__leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rewards.files.publish.os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path / "out", FILES)
    assert names(tmp_path) == []


@pytest.mark.parametrize("equal", [True, False])
def test_publish__another_run_was_faster__compares_with_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, equal: bool
) -> None:
    out = tmp_path / "out"
    rename = Path.rename

    def race(self: Path, target: Path) -> Path:
        theirs = FILES if equal else {**FILES, "a.csv": b"9\n"}
        monkeypatch.setattr(Path, "rename", rename)
        publish(out, theirs)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", race)
    if equal:
        assert publish(out, FILES) is False
    else:
        with pytest.raises(InvalidInput, match="never overwritten"):
            publish(out, FILES)
    assert names(tmp_path) == ["out"]


KILLED = """
import sys
from pathlib import Path
from rewards.files.epoch import compute_folder, publish_epoch
from rewards.files.publish import publish
files = {f"f{i:02}": bytes([i]) * 20_000 for i in range(24)}
sys.stdout.write("ready\\n")
sys.stdout.flush()
for round in range(100_000):
    publish(Path(sys.argv[1], f"out{round}"), files)
"""


def test_publish__killed_at_any_moment__leaves_nothing_or_the_whole_folder(
    tmp_path: Path,
) -> None:
    source = random.Random(7)
    whole = {f"f{i:02}": bytes([i]) * 20_000 for i in range(24)}
    partial = 0
    for attempt in range(30):
        base = tmp_path / str(attempt)
        base.mkdir()
        child = subprocess.Popen(
            [sys.executable, "-S", "-c", KILLED, base],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert child.stdout
        with child.stdout as output:
            assert output.readline() == b"ready\n"
            time.sleep(source.uniform(0, 0.03))
            child.send_signal(signal.SIGKILL)
            assert child.wait(30) == -signal.SIGKILL
        for folder in base.iterdir():
            if folder.name.startswith("out"):
                assert tree(folder) == whole
            else:
                assert ".partial-" in folder.name
                partial += 1
        # What is left over does not stand in the way of the next run.
        assert publish(base / "out99999", {"a": b"1"})
    assert partial, "no kill fell between two renames: the test is too slow or too quick"


def test_write_file__replaces_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "file"
    write_file(path, b"1")
    write_file(path, b"2")
    assert path.read_bytes() == b"2"
    assert names(path.parent) == ["file"]


def test_write_file__disk_fails__keeps_the_old_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_file(path, b"old")
    monkeypatch.setattr("rewards.files.publish.os.fsync", failing(1, errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("inside", ["out/next", "out/inputs/next", "inputs/out"])
def test_publish_epoch__inside_another_epochs_folder__is_refused(
    tmp_path: Path, inside: str
) -> None:
    # It would alter a published epoch, or make its inputs unreadable.
    first = published(tmp_path, FIRST)
    before = tree(tmp_path)
    second = compute_folder(write(tmp_path / "second", SECOND), first)
    with pytest.raises(InvalidInput):
        publish_epoch(second, tmp_path / inside)
    shutil.rmtree(tmp_path / "second")
    assert tree(tmp_path) == before
