from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from rewards.cli.report import command
from rewards.errors import CheckFailed, InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.report.epochs import Published


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def answered(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_season__written_beside_the_epochs__compared_with_the_last(
    season: Path, last: Published
) -> None:
    before = bytes_of(last.folder)
    answer = answered("7", "--season", season)
    assert answer["report"] == str(season / "reports" / "000007.html")
    assert answer["compared_with"] == str(last.previous)
    report = (season / "reports" / "000007.html").read_text()
    assert "A season for tests" in report
    assert "The largest moves" in report
    assert bytes_of(last.folder) == before


def test_season__statement__all_epochs_up_to_it_or_from_one_on(season: Path) -> None:
    assert answered("7", "--season", season)["statement"]["from"] == "1"
    later = answered("7", "--season", season, "--from", "5")["statement"]
    assert (later["from"], later["to"]) == ("5", "7")


def test_from__without_a_season__is_a_usage_error(last: Published, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    for name, content in bytes_of(last.folder).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    result = run(folder, "--from", "1")
    assert result.exit_code == 2
    assert "season" in result.output


def test_season__without_a_number__the_last_epoch(season: Path) -> None:
    assert answered("--season", season)["epoch"] == "7"


def test_season__receipts_of_the_epoch_are_taken_up(season: Path, tmp_path: Path) -> None:
    settlements = season / "settlements"
    settlements.mkdir()
    (settlements / "000006-propose.json").write_text('{"action": "propose", "gas_used": "64400"}')
    answer = answered("6", "--season", season, "--out", tmp_path / "six.html")
    assert answer["receipts"] == ["000006-propose.json"]
    assert "64,400" in (tmp_path / "six.html").read_text()


def test_folder__written_beside_it(last: Published, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    for name, content in bytes_of(last.folder).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    answer = answered(folder, "--previous", last.previous)
    assert answer["report"] == str(tmp_path / "out.report.html")
    assert (tmp_path / "out.report.html").stat().st_size == int(answer["bytes"])


def test_target_in_the_published_folder__refused(last: Published) -> None:
    before = bytes_of(last.folder)
    result = run(last.folder, "--out", last.folder / "report.html")
    assert isinstance(result.exception, InvalidInput)
    assert "never changes" in str(result.exception)
    assert bytes_of(last.folder) == before


def test_altered_folder__no_report(last: Published, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    for name, content in bytes_of(last.folder).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "wallets.csv").write_bytes(b"wallet_id\n")
    result = run(folder)
    assert isinstance(result.exception, CheckFailed)
    assert not (tmp_path / "out.report.html").exists()


def test_unwritable_target__named(last: Published, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = run(last.folder, "--out", tmp_path / "file" / "report.html")
    assert isinstance(result.exception, InvalidInput)
    assert "cannot be written" in str(result.exception)


def test_other_processes__the_same_bytes(season: Path, tmp_path: Path) -> None:
    written = []
    for i, (zone, seed, locale) in enumerate(
        [("UTC", "1", "C"), ("Pacific/Kiritimati", "2", "C.UTF-8")]
    ):
        target = tmp_path / f"{i}.html"
        environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": seed, "LC_ALL": locale}
        code = "from rewards.cli.report import command; command()"
        subprocess.run(
            [sys.executable, "-c", code, "7", "--season", season, "--out", target],
            env=environment,
            check=True,
            capture_output=True,
        )
        written.append(target.read_bytes())
    assert written[0] == written[1]
