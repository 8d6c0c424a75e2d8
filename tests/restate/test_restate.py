"""Restating: what changed and what follows, old versions kept, and a kill at any moment."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from rewards.audit.verify import verify_epoch
from rewards.chain.embedded import EmbeddedChain
from rewards.cli.restate import command
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.documents import canonical_json
from rewards.files.inputs import canonical_inputs
from rewards.files.publish import publish, write_file
from rewards.files.published import PublishedEpoch
from rewards.files.season import Season
from rewards.settling.restate import finish, last_settled, restate
from tests.builders import address, settlement, wallet
from tests.plan.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

ANN, BEN = address(1), address(2)


def published_season(folder: Path) -> World:
    """Return a season of four epochs that no chain knows."""
    world = World(EmbeddedChain.__new__(EmbeddedChain), folder, None)  # type: ignore[arg-type]
    world.target = settlement()
    write_file(folder / "rewards.toml", b'format = "wct-season-1"\nname = "a season"\n')
    world.season = Season.open(folder)
    for epoch in (1, 2, 3, 4):
        world.publish(epoch, {ANN: 10 * epoch, BEN: 5})
    return world


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    published_season(folder)
    return folder


@pytest.fixture
def season(original: Path, tmp_path: Path) -> Season:
    shutil.copytree(original, tmp_path / "season")
    return Season.open(tmp_path / "season")


def correct(season: Season, epoch: int, old: bytes, new: bytes) -> None:
    path = season.inputs(epoch) / "adjustments.csv"
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


def hashes(season: Season) -> list[str]:
    return [PublishedEpoch(season.epoch(n)).manifest.hash for n in season.published()]


def require_whole(season: Season, *, verified: bool = True) -> None:
    """Every epoch there names the one before it, and is what its inputs make of it."""
    before: Path | None = None
    for number in season.published():
        folder = season.epoch(number)
        epoch = PublishedEpoch(folder)
        named = PublishedEpoch(before).manifest.hash if before else None
        assert epoch.manifest.previous_hash == named
        if verified:
            assert verify_epoch(folder, before, season.inputs(number)) == []
        before = folder


def test_changed_epoch__and_every_later_one__are_superseded(season: Season) -> None:
    old = hashes(season)
    correct(season, 2, b",20,", b",21,")
    restated = restate(season, 1, "a wrong amount")
    assert [one.epoch for one in restated] == [2, 3, 4]
    require_whole(season)
    new = hashes(season)
    assert new[0] == old[0]
    assert not set(new[1:]) & set(old)
    for number, one in zip((2, 3, 4), restated, strict=True):
        said = PublishedEpoch(season.epoch(number)).manifest.document["supersedes"]
        assert said["manifest_hash"] == one.old_hash == old[number - 1]
        kept = PublishedEpoch(season.superseded(number, one.old_hash))
        assert kept.manifest.hash == one.old_hash
        assert kept.altered_files() == []
        assert ("a wrong amount" in said["reason"]) == (number == 2)
    last = PublishedEpoch(season.epoch(4)).allocations
    assert [row.cumulative for row in last] == [101, 20]


def test_unchanged_inputs__restate_nothing(season: Season) -> None:
    old = hashes(season)
    assert restate(season, 1, None) == []
    assert hashes(season) == old


def test_restated_twice__supersedes_the_version_before(season: Season) -> None:
    correct(season, 3, b",30,", b",31,")
    first = restate(season, 3, "once")
    assert restate(season, 1, None) == []  # what the first left behind is no change
    correct(season, 3, b",31,", b",32,")
    second = restate(season, 3, "twice")
    assert second[0].old_hash == first[0].new_hash
    require_whole(season)
    assert len(list((season.root / "epochs" / "superseded").iterdir())) == 4


def test_superseding_said_in_epoch_toml__stands(season: Season) -> None:
    path = season.inputs(4) / "epoch.toml"
    old = hashes(season)[3]
    path.write_text(f'supersedes = "{old}"\nreason = "by hand"\n' + path.read_text())
    (only,) = restate(season, 4, None)
    assert only.old_hash == old
    said = PublishedEpoch(season.epoch(4)).manifest.document["supersedes"]
    assert said == {"manifest_hash": old, "reason": "by hand"}


def test_reason__must_be_given__and_is_text(season: Season) -> None:
    correct(season, 2, b",20,", b",21,")
    old = hashes(season)
    for reason in (None, "=cmd", " "):
        with pytest.raises(InvalidInput, match="--reason"):
            restate(season, 2, reason)
    assert hashes(season) == old
    assert not (season.root / "epochs" / ".restating").exists()


def test_wrong_inputs_of_a_later_epoch__change_nothing(season: Season) -> None:
    correct(season, 2, b",20,", b",21,")
    correct(season, 4, b",40,", b",4x0,")
    old = hashes(season)
    with pytest.raises(InvalidInput):
        restate(season, 2, "a wrong amount")
    assert hashes(season) == old
    assert not (season.root / "epochs" / ".restating").exists()


def test_altered_folder__is_not_built_on(season: Season) -> None:
    correct(season, 2, b",20,", b",21,")
    (season.epoch(3) / "nodes.csv").write_bytes(b"")
    with pytest.raises(CheckFailed):
        restate(season, 2, "a wrong amount")


def test_published_checks__look_back_beyond_what_is_restated(tmp_path: Path) -> None:
    folder = tmp_path / "season"
    write_file(folder / "checks.toml", b"")
    world = World(EmbeddedChain.__new__(EmbeddedChain), folder, None)  # type: ignore[arg-type]
    world.target = settlement()
    write_file(folder / "rewards.toml", b'format = "wct-season-1"\nname = "a season"\n')
    world.season = Season.open(folder)
    # Wallets take part in the first and the last epoch alone: the last looks back to the first.
    for epoch in (1, 2, 3, 4):
        wallets = (wallet("w1"),) if epoch in (1, 4) else None
        made = world.inputs_of(epoch, {ANN: epoch}, wallets=wallets)
        publish(world.season.inputs(epoch), canonical_inputs(made))
        world.compute(epoch)
    correct(world.season, 2, b",2,", b",5,")
    restated = restate(world.season, 2, "a wrong amount")
    assert [one.epoch for one in restated] == [2, 3, 4]
    require_whole(world.season)
    findings = json.loads((world.season.epoch(4) / "findings.json").read_text())
    assert findings["earlier"]["wallets"]["epoch"] == "1"


# --- what is settled -------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [2, 3])
def test_epoch_that_a_receipt_calls_activated__is_refused(season: Season, epoch: int) -> None:
    receipt = {"epoch": str(epoch), "actions": [{"name": "propose"}, {"name": "activate"}]}
    write_file(season.root / "settlements" / f"{epoch:06d}.json", canonical_json(receipt))
    correct(season, 2, b",20,", b",21,")
    assert last_settled(season) == epoch
    with pytest.raises(CheckFailed, match=r"adjustments\.csv"):
        restate(season, 1, "too late", last_settled(season))


def test_epoch_that_was_only_proposed__may_be_restated(season: Season) -> None:
    receipt = {"epoch": "2", "actions": [{"name": "propose"}, {"name": "veto"}]}
    write_file(season.root / "settlements" / "000002.json", canonical_json(receipt))
    assert last_settled(season) == 0


def test_receipt_that_cannot_be_read__is_an_obstacle(season: Season) -> None:
    write_file(season.root / "settlements" / "000002.json", b"{")
    with pytest.raises(InvalidInput):
        last_settled(season)


# --- a kill ----------------------------------------------------------------------------------


class Killed(BaseException):
    """As SIGKILL: nothing that the program would still do is done."""


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> bool:
    """Run the work, killed before its n-th change of a name; return whether it was."""
    left = [step]

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def changing(*arguments: Any, **named: Any) -> Any:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return function(*arguments, **named)

        return changing

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", counting(Path.rename))
        patch.setattr(Path, "unlink", counting(Path.unlink))
        patch.setattr("rewards.settling.restate.write_file", counting(write_file))
        # A killed process cleans nothing up.
        patch.setattr("rewards.settling.restate.shutil.rmtree", lambda *_, **__: None)
        try:
            work()
        except Killed:
            return True
    return False


def test_kill_at_any_moment__leaves_old_or_new(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, decided = 0, 0
    while True:
        root = tmp_path / f"{step}"
        shutil.copytree(original, root)
        season = Season.open(root)
        old = hashes(season)
        correct(season, 3, b",30,", b",31,")
        killed = killed_at(step, monkeypatch, lambda: restate(season, 3, "wrong"))  # noqa: B023
        require_whole(season, verified=False)  # at every moment an unbroken chain
        if not killed:
            break
        try:
            Season.open(root)
        except InvalidInput:  # decided: it is finished, and then all is new
            decided += 1
            assert [one.epoch for one in finish(Season.open(root, restating=True))] == [3, 4]
            require_whole(Season.open(root))
            assert not set(hashes(season)[2:]) & set(old)
        else:
            assert hashes(season) == old
            restate(season, 3, "wrong")  # what was left aside is no obstacle
            require_whole(season)
        assert len(list((root / "epochs" / "superseded").iterdir())) == 2
        assert not (root / "epochs" / ".restating").exists()
        step += 1
    assert (step, decided) == (10, 7)


# --- the command -----------------------------------------------------------------------------


def test_command__restates_and_says_so(season: Season) -> None:
    correct(season, 4, b",40,", b",41,")
    arguments = ["--season", str(season.root), "--from", "1", "--reason", "wrong", "--json"]
    run = CliRunner().invoke(command, arguments)
    assert run.exit_code == 0, (run.output, run.exception)
    (only,) = json.loads(run.stdout)["restated"]
    assert only["epoch"] == "4"
    assert Path(only["kept"]).is_dir()


def test_command__finishes_what_was_interrupted(
    season: Season, monkeypatch: pytest.MonkeyPatch
) -> None:
    correct(season, 4, b",40,", b",41,")
    assert killed_at(3, monkeypatch, lambda: restate(season, 4, "wrong"))
    run = CliRunner().invoke(command, ["--season", str(season.root), "--json"])
    assert json.loads(run.stdout)["finished"] == ["4"]
    require_whole(season)
    again = CliRunner().invoke(command, ["--season", str(season.root)])
    assert isinstance(again.exception, InvalidInput)
