"""Epochs computed by column publish the bytes that the plain path publishes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from rewards.audit.prove import prove
from rewards.audit.verify import verify_epoch
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.epoch import compute_folder, publish_epoch
from rewards.files.folder import walk_files
from rewards.files.inputs import canonical_inputs, read_inputs
from rewards.files.manifest import DISTRIBUTION, TREE
from rewards.files.outputs import ALLOCATIONS
from rewards.files.published import PublishedEpoch
from rewards.files.season import Season
from rewards.files.streams import bytes_of
from rewards.rules.columns import ColumnTable, LedgerColumns
from rewards.sample import copy_season
from tests.audit.forgery import agree
from tests.reference.random_epochs import write_season

if TYPE_CHECKING:
    from pathlib import Path

SEASONS_PER_CASE = 10


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks end within the small epochs of these tests."""
    monkeypatch.setattr("rewards.rules.wct1.columns.BLOCK", 5)
    monkeypatch.setattr("rewards.rules.columns.BLOCK", 3)
    monkeypatch.setattr("rewards.files.column_tables.BLOCK", 4)


def published_files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in walk_files(folder)}


def hold_both_ways(inputs: list[Path], outputs: Path) -> int:
    """Publish epochs both ways; return how many had their wallets read by column."""
    previous = None
    count = 0
    for folder in inputs:
        plain, fast = outputs / "plain" / folder.name, outputs / "fast" / folder.name
        publish_epoch(compute_folder(folder, previous, by_column=False), plain)
        computed = compute_folder(folder, previous, by_column=True)
        publish_epoch(computed, fast)
        count += isinstance(computed.inputs.wallets, ColumnTable)
        if computed.opening:
            assert isinstance(computed.opening.ledger, LedgerColumns)
        assert published_files(fast) == published_files(plain), folder
        previous = plain
    return count


@pytest.mark.parametrize("first_seed", range(1000, 1120, SEASONS_PER_CASE))
def test_random_seasons__both_ways_agree(first_seed: int, tmp_path: Path) -> None:
    by_column = 0
    for seed in range(first_seed, first_seed + SEASONS_PER_CASE):
        root = tmp_path / str(seed)
        by_column += hold_both_ways(write_season(seed, root / "inputs"), root)
    assert by_column > SEASONS_PER_CASE


def test_sample_season__both_ways_agree(tmp_path: Path) -> None:
    copy_season(tmp_path / "season")
    season = Season.open(tmp_path / "season")
    assert hold_both_ways([season.inputs(n) for n in season.with_inputs()], tmp_path) > 0


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """The sample's last epoch as a first epoch: seven hundred wallets, no predecessor."""
    copy_season(tmp_path / "season")
    folder = Season.open(tmp_path / "season").inputs(7)
    for name in ("nodes.csv", "node_scores.csv", "adjustments.csv"):
        (folder / name).unlink(missing_ok=True)
    epoch = (folder / "epoch.toml").read_text()
    lines = [
        'nodes = "0"' if line.startswith("nodes") else line
        for line in epoch.splitlines()
        if not line.startswith("genesis")
    ]
    (folder / "epoch.toml").write_text("genesis = true\n" + "\n".join(lines) + "\n")
    policy = (folder / "policy.toml").read_text()
    (folder / "policy.toml").write_text(policy)
    return folder


def test_bad_input__by_column__has_the_findings_of_the_strict_reader(inputs: Path) -> None:
    table = inputs / "wallet_scores.csv"
    text = table.read_text()
    cells = text.splitlines()[5].split(",")
    for old, new in (
        (cells[1], "0x" + "0" * 40),
        (cells[1], "0x00"),
        (cells[0], text.splitlines()[9].split(",")[0]),
    ):
        table.write_text(text.replace(old, new, 1))
        messages = set()
        for by_column in (False, True):
            with pytest.raises(InvalidInput) as caught:
                compute_folder(inputs, None, by_column=by_column)
            messages.add(str(caught.value))
        assert len(messages) == 1
        assert "row " in messages.pop()


def test_given_inputs__by_column__are_the_canonical_bytes(inputs: Path) -> None:
    plain, fast = (read_inputs(inputs, by_column=how).inputs for how in (False, True))
    assert plain
    assert fast
    assert {name: bytes_of(content) for name, content in canonical_inputs(fast).items()} == (
        canonical_inputs(plain)
    )


@pytest.mark.parametrize("by_column", [False, True])
def test_large_tree__is_published_raw__proven_verified_and_built_upon(
    inputs: Path, tmp_path: Path, by_column: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, small = tmp_path / "out", tmp_path / "small"
    publish_epoch(compute_folder(inputs, None, by_column=by_column), small)
    monkeypatch.setattr("rewards.files.outputs.TREE_FROM_LEAVES", 10)
    publish_epoch(compute_folder(inputs, None, by_column=by_column), out)
    assert (out / TREE).is_file()
    assert not (out / DISTRIBUTION).exists()
    published, dumped = PublishedEpoch(out), PublishedEpoch(small)
    assert published.manifest.root == dumped.manifest.root
    assert dumped.distribution
    tree = b"".join(bytes.fromhex(node[2:]) for node in dumped.distribution["tree"])
    assert (out / TREE).read_bytes() == tree
    for entry in dumped.distribution["values"]:
        document = prove(published, entry["value"][3])
        assert document == prove(dumped, entry["value"][3])
    assert verify_epoch(out, None, inputs) == []
    with pytest.raises(CheckFailed, match="no leaf"):
        prove(published, "0x" + "ab" * 20)


def test_damaged_large_tree__is_found_and_never_proves(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rewards.files.outputs.TREE_FROM_LEAVES", 10)
    out = tmp_path / "out"
    publish_epoch(compute_folder(inputs, None), out)
    accounts = [row.account for row in PublishedEpoch(out).allocations if row.cumulative]
    content = (out / TREE).read_bytes()
    for place in (0, 31, len(content) // 3, len(content) - 1):
        damaged = bytearray(content)
        damaged[place] ^= 1
        (out / TREE).write_bytes(damaged)
        assert verify_epoch(out)[0].file == TREE
    spoilt = shutil.copytree(out, tmp_path / "spoilt")
    (spoilt / TREE).write_bytes(bytes(len(content)))
    for account in accounts[::9]:
        with pytest.raises(CheckFailed):
            prove(PublishedEpoch(spoilt), account)
    (spoilt / TREE).write_bytes(content[:-1])
    with pytest.raises(CheckFailed, match="not a whole tree"):
        prove(PublishedEpoch(spoilt), accounts[0])
    table = out / "allocations.csv"
    (out / TREE).write_bytes(content)
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(line for line in lines if not line.startswith(accounts[3])))
    with pytest.raises(CheckFailed, match="altered"):
        prove(PublishedEpoch(out), accounts[3])


@pytest.mark.parametrize("column", ["cumulative", "recovery_out", "previous_cumulative"])
def test_negative_amount_in_a_predecessor__is_refused_both_ways(
    inputs: Path, tmp_path: Path, column: str
) -> None:
    before = tmp_path / "before"
    publish_epoch(compute_folder(inputs, None), before)
    table = before / ALLOCATIONS.name
    rows = [line.split(",") for line in table.read_text().splitlines()]
    rows[2][rows[0].index(column)] = "-5"
    table.write_text("".join(",".join(row) + "\n" for row in rows))
    agree(before)
    findings = set()
    for by_column in (False, True):
        published = PublishedEpoch(before, by_column=by_column)
        with pytest.raises(InvalidInput) as caught:
            list(published.allocations)
        findings.add(str(caught.value))
        if column != "previous_cumulative":
            with pytest.raises(InvalidInput, match="is negative"):
                published.closing()
    assert findings == {
        f"allocations.csv, row 3, {column}: '-5' is negative; take the published file"
    }
    assert verify_epoch(before)[0].file == ALLOCATIONS.name
