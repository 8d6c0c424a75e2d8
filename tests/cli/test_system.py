"""What the operating system refuses or lacks ends in a message and an exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rewards.sample import copy_season
from tests.cli.test_commands import rewards

if TYPE_CHECKING:
    from pathlib import Path

LATIN_NAME = 'format = "wct-season-1"\nname = "Sétif → Žilina"\n'


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("system") / "season"
    copy_season(root)
    (root / "rewards.toml").write_text(LATIN_NAME, encoding="utf-8")
    return root


@pytest.mark.parametrize("arguments", [["--help"], ["next"], ["next", "--json"], ["prove", "0x00"]])
def test_full_disk_behind_stdout__exits_2_without_a_traceback(
    season: Path, arguments: list[str]
) -> None:
    command = [sys.executable, "-m", "rewards", *arguments]
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        run = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=season, check=False
        )
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert run.stderr.startswith("error: ")


def without_reader(*arguments: object, cwd: Path, both: bool = False) -> tuple[int, str]:
    """Run a command whose stdout, or stderr too, nobody reads; return its exit code and stderr."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        run = subprocess.run(
            [sys.executable, "-m", "rewards", *map(str, arguments)],
            stdout=writer,
            stderr=writer if both else subprocess.PIPE,
            text=True,
            cwd=cwd,
            check=False,
        )
    finally:
        os.close(writer)
    return run.returncode, run.stderr or ""


@pytest.mark.parametrize("both", [False, True])
def test_reader_that_left__changes_neither_what_is_done_nor_the_exit_code(
    season: Path, tmp_path: Path, *, both: bool
) -> None:
    inputs, out = season / "inputs" / "000001", tmp_path / "out"
    assert without_reader("--help", cwd=season, both=both) == (0, "")
    assert without_reader("next", cwd=season, both=both) == (0, "")
    assert without_reader("compute", inputs, "--out", out, cwd=season, both=both) == (0, "")
    assert rewards("verify", out).returncode == 0
    (out / "nodes.csv").write_text("forged\n")
    code, told = without_reader("verify", out, cwd=season, both=both)
    assert (code, "NOT verified" in told) == (1, not both)
    assert without_reader("verify", out, "--json", cwd=season, both=both) == (1, "")
    assert without_reader("prove", out, "0xabc", "--json", cwd=season, both=both) == (2, "")


def test_working_folder_that_is_gone__exits_2_and_says_so(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = (
        "import os, sys; from rewards.cli import main; "
        "os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]); sys.argv = ['rewards', 'next']; main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(gone)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "working folder" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_terminal_of_any_encoding__gets_text_and_whole_json(season: Path, encoding: str) -> None:
    environment = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    assert rewards("next", cwd=season, environment=environment).returncode == 0
    run = rewards("next", "--json", cwd=season, environment=environment)
    assert json.loads(run.stdout)["season"] == "Sétif → Žilina"


def test_name_that_is_no_unicode__is_printed_harmlessly(tmp_path: Path) -> None:
    copy_season(tmp_path / "season")
    inputs = tmp_path / "season" / "inputs" / "000001"
    out = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    assert rewards("compute", inputs, "--out", out).returncode == 0
    document = json.loads(rewards("compute", inputs, "--out", out, "--json").stdout)
    assert document["out"] == out


def test_out_that_is_something_else__is_refused_in_one_line(season: Path, tmp_path: Path) -> None:
    """Not a listing of all that lies there: it may be a whole disk."""
    for number in range(200):
        (tmp_path / f"photo-{number}").touch()
    run = rewards("compute", season / "inputs" / "000001", "--out", tmp_path)
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
    assert "never overwritten" in run.stderr


@pytest.mark.parametrize("form", ["jsonl", "openzeppelin", "parquet"])
def test_export__into_an_epoch_by_way_of_a_link__is_refused(
    season: Path, tmp_path: Path, form: str
) -> None:
    out = tmp_path / "out"
    assert rewards("compute", season / "inputs" / "000001", "--out", out).returncode == 0
    (tmp_path / "link").symlink_to(out)
    before = sorted(path.name for path in out.iterdir())
    target = tmp_path / "link" / "x"
    run = rewards("export", out, "--format", form, "--to", target)
    assert run.returncode == 2
    assert "must not change" in run.stderr
    assert sorted(path.name for path in out.iterdir()) == before


@pytest.mark.parametrize("form", ["jsonl", "openzeppelin", "parquet"])
def test_export__onto_a_disk_that_takes_no_more__leaves_what_was_there(
    season: Path, tmp_path: Path, form: str
) -> None:
    out, place = tmp_path / "out", tmp_path / "place"
    assert rewards("compute", season / "inputs" / "000001", "--out", out).returncode == 0
    place.mkdir()
    (place / "x").write_text("of yesterday")
    words = ["export", str(out), "--format", form, "--to", str(place / "x")]
    run = subprocess.run(
        [
            "bash",
            "-c",
            'ulimit -f 1; exec "$@"',
            "-",
            sys.executable,
            "-B",
            "-m",
            "rewards",
            *words,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert len(run.stderr.splitlines()) == 1
    assert f"{place / 'x'}: cannot be written" in run.stderr
    assert [path.name for path in place.iterdir()] == ["x"]
    assert (place / "x").read_text() == "of yesterday"
