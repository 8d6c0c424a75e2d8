"""An installed wheel works outside the clone: its data travel with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the wheel's content."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(site: Path, cwd: Path, *arguments: str) -> str:
    # -P and no editable install in sight: only the wheel's content can answer.
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from rewards.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(site), *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel__holds_no_build_tool_and_no_source_of_tests(site: Path) -> None:
    names = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert "contracts_abi/EpochDistributor.json" in names
    assert "rewards/sample/season/rewards.toml" in names
    assert not [name for name in names if name.startswith(("tests/", "scripts/"))]
    assert not [name for name in names if "node_modules" in name or name.endswith(".sol")]


def test_wheel__computes_and_rehearses_the_sample(site: Path, tmp_path: Path) -> None:
    run(site, tmp_path, "sample", "season")
    season = tmp_path / "season"
    run(site, season, "compute")
    assert json.loads(run(site, season, "verify", "--json"))["ok"] is True
    done = json.loads(run(site, season, "dry-run", "inputs/000001", "--json"))
    assert done["ok"] is True
