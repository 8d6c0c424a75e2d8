"""The command line as a user meets it: output, exit codes, messages, nothing half written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest

from rewards.cli import COMMANDS
from rewards.cli import rewards as command_line
from rewards.files.folder import walk_files
from rewards.sample import copy_season

if TYPE_CHECKING:
    from pathlib import Path


def rewards(
    *arguments: object, cwd: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rewards", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        check=False,
    )


def rewards_json(*arguments: object, code: int = 0) -> Any:
    run = rewards(*arguments, "--json")
    assert run.returncode == code, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample season with its first three epochs computed by the command line."""
    root = tmp_path_factory.mktemp("cli") / "season"
    copy_season(root)
    for _ in range(3):
        assert rewards("compute", "--season", root).returncode == 0
    return root


@pytest.fixture
def inputs(season: Path, tmp_path: Path) -> Path:
    """A copy of the first epoch's inputs to damage."""
    target = tmp_path / "inputs"
    shutil.copytree(season / "inputs" / "000001", target)
    return target


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command__has_help_and_json(command: str) -> None:
    found = command_line.get_command(click.Context(command_line), command)
    parts = sorted(found.commands) if isinstance(found, click.Group) else [None]
    for part in parts:
        run = rewards(command, *([part] if part else []), "--help")
        assert run.returncode == 0
        assert "--json" in run.stdout
        assert len(run.stdout.splitlines()) > 6


def test_compute__outside_a_season__publishes_and_says_what_is_next(
    inputs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    document = rewards_json("compute", inputs, "--out", out)
    assert document["published"] is True
    assert rewards_json("compute", inputs, "--out", out)["published"] is False
    assert rewards_json("verify", out)["manifest_hash"] == document["manifest_hash"]
    text = rewards("compute", inputs, "--out", out)
    assert "already there" in text.stdout
    assert "next: rewards verify" in text.stdout


def test_compute__over_another_epoch__is_refused(season: Path, inputs: Path) -> None:
    out = season / "epochs" / "000002"
    before = {name: (out / name).read_bytes() for name in walk_files(out)}
    run = rewards("compute", inputs, "--out", out)
    assert run.returncode == 2
    assert "never overwritten" in run.stderr
    assert {name: (out / name).read_bytes() for name in walk_files(out)} == before


def test_compute__folders_named_by_hand__are_held_against_their_season(
    season: Path, waiting: Path, tmp_path: Path
) -> None:
    (waiting / "checks.toml").write_text('[concentration]\nseverity = "blocking"\nlimit = "0.01"\n')
    previous = ("--previous", waiting / "epochs" / "000003")
    inside, outside = waiting / "inputs" / "000004", tmp_path / "inputs"
    shutil.copytree(inside, outside)
    for words in (
        (inside, *previous, "--out", tmp_path / "out"),
        (outside, *previous, "--out", waiting / "epochs" / "000004"),
    ):
        assert rewards_json("compute", *words, code=1)["error"] == "check_failed"
    between = (inside, *previous, "--out", season / "epochs" / "000004")
    (finding,) = rewards_json("compute", *between, code=2)["findings"]
    assert "lies in the season" in finding["problem"]
    assert rewards_json("compute", outside, *previous, "--out", tmp_path / "out")["published"]


def test_verify__a_folder_beside_its_season__is_held_against_the_epoch_before(
    season: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(season / "epochs" / "000002", out)
    assert "trusted" in rewards_json("verify", out)
    assert "trusted" not in rewards_json("verify", out, "--season", season)
    first = tmp_path / "first"
    shutil.copytree(season / "epochs" / "000001", first)
    assert rewards_json("verify", first, "--season", season)["ok"]

    other = tmp_path / "other"
    shutil.copytree(season, other)
    shutil.rmtree(other / "epochs" / "000001")
    (other / "inputs" / "000001" / "epoch.toml").write_text(
        (other / "inputs" / "000001" / "epoch.toml")
        .read_text()
        .replace('nodes = "', 'nodes = "1', 1)
    )
    rewards_json("compute", "--season", other, "--epoch", 1)
    found = rewards_json("verify", out, "--season", other, code=1)["findings"]
    assert any("predecessor" in finding["problem"] for finding in found)
    (out / "manifest.json").write_text("{}")
    assert rewards("verify", out, "--season", season).returncode == 1


def test_bad_input__names_file_row_column_value_and_remedy_and_writes_nothing(
    inputs: Path, tmp_path: Path
) -> None:
    nodes = inputs / "nodes.csv"
    lines = nodes.read_text().splitlines()
    cells = lines[3].split(",")
    cells[2] = "1_000"
    lines[3] = ",".join(cells)
    nodes.write_text("\n".join(lines) + "\n")
    (inputs / "node_scores.csv").write_text("node_id,uptime_seconds,response_time_us\n")
    out = tmp_path / "out"
    run = rewards("compute", inputs, "--out", out)
    assert run.returncode == 2
    assert "nodes.csv, row 4, stake_weight: '1_000' is not" in run.stderr
    assert "write ASCII digits only" in run.stderr
    assert "node_scores.csv, row 1, requests: lacks the column" in run.stderr
    assert "Traceback" not in run.stderr
    assert sorted(tmp_path.iterdir()) == [inputs]
    document = rewards_json("compute", inputs, "--out", out, code=2)
    places = {(f["file"], f["row"], f["column"]) for f in document["findings"]}
    assert ("nodes.csv", 4, "stake_weight") in places


def test_forgotten_predecessor__is_refused(season: Path, tmp_path: Path) -> None:
    run = rewards("compute", season / "inputs" / "000002", "--out", tmp_path / "out")
    assert run.returncode == 2
    assert "--previous" in run.stderr


def test_compute__before_its_predecessor__says_which_comes_first(season: Path) -> None:
    (finding,) = rewards_json("compute", "--season", season, "--epoch", 6, code=2)["findings"]
    assert finding["remedy"] == "compute epoch 5 first"


def test_verify__of_the_season_and_of_one_epoch(season: Path) -> None:
    document = rewards_json("verify", "--season", season)
    assert [epoch["epoch"] for epoch in document["epochs"]] == ["1", "2", "3"]
    run = rewards("verify", "3", cwd=season)
    assert run.returncode == 0
    assert "held against its predecessor" in run.stderr


def test_verify__of_a_first_epoch_with_a_predecessor__says_that_it_has_none(season: Path) -> None:
    first, third = season / "epochs" / "000001", season / "epochs" / "000003"
    (finding,) = rewards_json("verify", first, "--previous", third, code=1)["findings"]
    assert "of a first epoch, which has no predecessor" in finding["problem"]
    assert "000003" in finding["problem"]
    assert "without --previous" in finding["remedy"]


def test_verify__of_an_altered_file__exits_1_and_names_it(season: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(season / "epochs" / "000001", out)
    table = out / "allocations.csv"
    table.write_bytes(table.read_bytes().replace(b"1", b"2", 1))
    run = rewards("verify", out)
    assert run.returncode == 1
    assert "allocations.csv" in run.stderr
    assert rewards_json("verify", out, code=1)["ok"] is False


def test_prove_and_explain__by_number_inside_a_season(season: Path) -> None:
    lines = (season / "epochs" / "000003" / "allocations.csv").read_text().splitlines()
    account = lines[1].split(",")[0]
    document = rewards_json("prove", "--season", season, account)
    assert document["epoch"] == "3"
    assert set(document) == {
        "chain_id", "distributor", "epoch", "account", "cumulative", "root", "proof",
    }  # fmt: skip
    explained = rewards_json("explain", "--season", season, "2", "us-west-02.juniper")
    assert explained["derivations"][0]["amount"] == "0"
    text = rewards("explain", "--season", season, "us-west-02.juniper").stdout
    assert "in this epoch:" in text


def test_prove__of_a_stranger__exits_1_and_of_a_typo__exits_2(season: Path) -> None:
    assert rewards("prove", "--season", season, "0x" + "ab" * 20).returncode == 1
    assert rewards("prove", "--season", season, "0xabc").returncode == 2


def test_diff__names_the_changes(season: Path) -> None:
    document = rewards_json("diff", "--season", season, "1", "2")
    assert document["statuses"]
    assert {row["kind"] for row in document["accounts"]} <= {"new", "vanished", "changed"}
    run = rewards("diff", "1", "2", cwd=season)
    assert max(map(len, run.stdout.splitlines())) <= 80


def test_next__tells_what_to_do(season: Path, tmp_path: Path) -> None:
    assert "rewards compute" in rewards_json("next", "--season", season)["next"]
    (tmp_path / "rewards.toml").write_text('format = "wct-season-1"\nname = "Empty"\n')
    assert "first epoch" in rewards_json("next", "--season", tmp_path)["next"]


@pytest.fixture
def waiting(season: Path, tmp_path: Path) -> Path:
    """A copy of the season whose fourth epoch waits to be computed."""
    copy = tmp_path / "season"
    shutil.copytree(season, copy)
    return copy


def test_next__of_wrong_inputs__shows_them_all_and_exits_as_compute_does(waiting: Path) -> None:
    inputs = waiting / "inputs" / "000004"
    for name, old, new in (("epoch.toml", "epoch = 4", "epoch = 5"), ("nodes.csv", "true", "yes")):
        path = inputs / name
        path.write_text(path.read_text().replace(old, new, 1))
    run = rewards("next", "--season", waiting)
    assert run.returncode == 2
    assert "correct what is found, for epoch 4" in run.stdout
    assert "epoch.toml, epoch: '5' does not follow" in run.stderr
    assert "nodes.csv, row 2, machine_ready: 'yes' is no boolean" in run.stderr
    document = rewards_json("next", "--season", waiting, code=2)
    assert document["ok"] is False
    assert {f["file"] for f in document["findings"]} >= {"epoch.toml", "nodes.csv"}
    assert rewards_json("compute", "--season", waiting, code=2)["findings"] == document["findings"]


def test_next__of_an_epoch_that_a_check_keeps_back__exits_1(waiting: Path) -> None:
    (waiting / "checks.toml").write_text('[concentration]\nseverity = "blocking"\nlimit = "0.01"\n')
    document = rewards_json("next", "--season", waiting, code=1)
    assert "a check keeps epoch 4 back" in document["next"]
    assert document["findings"]
    assert rewards_json("compute", "--season", waiting, code=1)["error"] == "check_failed"


def test_next__on_an_altered_predecessor__exits_2_and_names_the_file(waiting: Path) -> None:
    (waiting / "epochs" / "000003" / "nodes.csv").write_text("x")
    document = rewards_json("next", "--season", waiting, code=2)
    assert [f["file"] for f in document["findings"]] == ["000003/nodes.csv"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["compute"],
        ["compute", "somewhere"],
        ["compute", "somewhere", "--out", "out"],
        ["verify", "nowhere"],
        ["verify"],
        ["prove"],
        ["explain", "a", "b", "c"],
        ["diff", "nowhere", "nowhere"],
        ["next"],
    ],
)
def test_wrong_usage__exits_2_without_a_traceback(arguments: list[str], tmp_path: Path) -> None:
    run = rewards(*arguments, cwd=tmp_path)
    assert run.returncode == 2, run.stderr
    assert run.stderr
    assert "Traceback" not in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_environment__changes_no_byte(inputs: Path, tmp_path: Path) -> None:
    hashes = set()
    for number, environment in enumerate(
        [
            {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"},
            {"PYTHONHASHSEED": "2", "TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8"},
            {"PYTHONHASHSEED": "3", "TZ": "America/St_Johns", "PYTHONUTF8": "0"},
        ]
    ):
        run = rewards(
            "compute", inputs, "--out", tmp_path / str(number), "--json", environment=environment
        )
        hashes.add(json.loads(run.stdout)["manifest_hash"])
    assert len(hashes) == 1


def test_usage_error__with_json__is_one_document(tmp_path: Path) -> None:
    for arguments in (["compute", "inputs"], ["compute", "--epoch", "0"], ["nosuch"]):
        run = rewards(*arguments, "--json", cwd=tmp_path)
        assert run.returncode == 2
        assert json.loads(run.stdout)["error"] == "usage"


def test_pipe_instead_of_a_file__neither_hangs_nor_passes(season: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(season / "epochs" / "000001", out)
    (out / "nodes.csv").unlink()
    os.mkfifo(out / "nodes.csv")
    document = rewards_json("verify", out, code=1)
    assert {finding["file"] for finding in document["findings"]} == {"nodes.csv"}


@pytest.mark.parametrize(
    "words",
    [
        ("verify", "{out}"),
        ("verify", "2"),
        ("prove", "{out}", "0x" + "ab" * 20),
        ("checks", "{out}"),
        ("diff", "{out}", "{out}"),
        ("statement", "{out}"),
        ("next",),
    ],
    ids=" ".join,
)
def test_season_that_is_none__is_refused_wherever_the_epoch_lies(
    season: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    out = season / "epochs" / "000001"
    command = [word.format(out=out) for word in words]
    document = rewards_json(*command, "--season", tmp_path / "typo", code=2)
    (finding,) = document["findings"]
    assert finding["file"] == str(tmp_path / "typo")
    assert "is no season" in finding["problem"]


def test_season_with_a_damaged_epoch__names_it_and_goes_on(season: Path, tmp_path: Path) -> None:
    copy = tmp_path / "season"
    shutil.copytree(season, copy)
    (copy / "epochs" / "000002" / "manifest.json").write_text("{}")
    document = rewards_json("verify", "--season", copy, code=1)
    assert [epoch["ok"] for epoch in document["epochs"]] == [True, False, False]


def test_id_that_begins_like_an_address__is_explained(inputs: Path, tmp_path: Path) -> None:
    for name in ("nodes.csv", "node_scores.csv"):
        path = inputs / name
        path.write_text(path.read_text().replace("us-west-02.juniper", "0xabc"))
    rewards_json("compute", inputs, "--out", tmp_path / "out")
    assert rewards_json("explain", tmp_path / "out", "0xabc")["derivations"]
