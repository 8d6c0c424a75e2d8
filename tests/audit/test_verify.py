"""`verify`: nothing that was altered passes, and the file is named."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from rewards.audit.verify import verify_epoch
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.documents import canonical_json, parse_json
from rewards.files.folder import walk_files
from rewards.files.outputs import manifest_digest, sha256
from rewards.files.published import PublishedEpoch

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.files.season import Season


@pytest.fixture
def epoch(season: Season, tmp_path: Path) -> Path:
    """A copy of epoch 3 (nodes, adjustments, a predecessor) to damage."""
    target = tmp_path / "epoch"
    shutil.copytree(season.epoch(3), target)
    return target


def rewrite_manifest(folder: Path, name: str) -> None:
    """Make the manifest agree with an altered file, as a forger would."""
    path = folder / "manifest.json"
    document = parse_json(path.read_bytes(), "manifest.json")
    section = "inputs" if name.startswith("inputs/") else "outputs"
    document[section][name.removeprefix("inputs/")] = sha256((folder / name).read_bytes())
    document["digest"] = manifest_digest(document)
    path.write_bytes(canonical_json(document))


def test_every_epoch__alone_and_on_its_predecessor__is_verified(season: Season) -> None:
    for number in season.published():
        assert verify_epoch(season.epoch(number)) == []
        assert (
            verify_epoch(season.epoch(number), season.previous(number), season.inputs(number)) == []
        )


def test_one_flipped_byte__anywhere__is_found_and_the_file_named(epoch: Path) -> None:
    for name in walk_files(epoch):
        path = epoch / name
        content = path.read_bytes()
        for position in range(0, len(content), max(1, len(content) // 40)):
            damaged = bytearray(content)
            damaged[position] ^= 0x01
            path.write_bytes(damaged)
            findings = verify_epoch(epoch)
            assert findings, (name, position)
            assert findings[0].file == name, (name, position, findings[0])
        path.write_bytes(content)
    assert verify_epoch(epoch) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("allocations.csv", b",0,0,0,", b",1,0,0,"),
        ("nodes.csv", b",active,active,", b",active,reserved,"),
        ("transitions.csv", b"release", b"exit"),
        ("distribution.json", b"standard-v1", b"standard-v2"),
        ("state.json", b'"debt": "0"', b'"debt": "1"'),
        ("inputs/node_scores.csv", b",86400,", b",86399,"),
        ("inputs/epoch.toml", b'nodes = "5400"', b'nodes = "5401"'),
    ],
)
def test_forgery__with_a_manifest_that_agrees__is_found_by_recomputing(
    epoch: Path, name: str, old: bytes, new: bytes
) -> None:
    content = (epoch / name).read_bytes()
    assert old in content
    (epoch / name).write_bytes(content.replace(old, new, 1))
    rewrite_manifest(epoch, name)
    assert PublishedEpoch(epoch).altered_files() == []
    findings = verify_epoch(epoch)
    assert findings
    if not name.startswith("inputs/"):
        assert name in {finding.file for finding in findings}


def test_forged_opening__is_found_against_the_predecessor(season: Season, epoch: Path) -> None:
    """A ledger that opens too high recomputes in itself; only the predecessor exposes it."""
    published = PublishedEpoch(epoch)
    from rewards.audit.verify import _handover_findings

    opening = published.own_opening()
    assert opening is not None
    account = next(iter(opening.ledger))
    held = opening.ledger[account]
    forged = type(opening)(
        opening.state,
        {**opening.ledger, account: type(held)(held.cumulative + 1, held.recovery)},
        opening.manifest_hash,
    )
    findings = _handover_findings(forged, PublishedEpoch(season.epoch(2)).closing())
    assert [finding.value for finding in findings] == [account]


def test_missing_and_extra_file__are_named(epoch: Path) -> None:
    (epoch / "wallets.csv").unlink()
    (epoch / "inputs" / "notes.txt").write_text("hello")
    assert {f.file for f in verify_epoch(epoch)} >= {"wallets.csv", "inputs/notes.txt"}


def test_symlink_in_the_folder__is_refused(epoch: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.csv"
    (epoch / "wallets.csv").rename(elsewhere)
    (epoch / "wallets.csv").symlink_to(elsewhere)
    assert {f.file for f in verify_epoch(epoch)} == {"wallets.csv"}


def test_other_predecessor__is_refused(season: Season) -> None:
    findings = verify_epoch(season.epoch(3), season.epoch(1))
    assert [f.column for f in findings] == ["previous_manifest_hash"]


def test_altered_predecessor__is_named(season: Season, tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(season.epoch(2), before)
    table = before / "allocations.csv"
    table.write_bytes(table.read_bytes().replace(b"0x", b"0X", 1))
    assert any("allocations.csv" in f.file for f in verify_epoch(season.epoch(3), before))


def test_other_inputs__are_named_with_the_row(season: Season, tmp_path: Path) -> None:
    inputs = tmp_path / "inputs"
    shutil.copytree(season.inputs(3), inputs)
    scores = inputs / "node_scores.csv"
    text = scores.read_text()
    scores.write_text(text.replace(",86400,", ",86398,", 1))
    findings = verify_epoch(season.epoch(3), None, inputs)
    assert [f.file for f in findings] == ["inputs/node_scores.csv"]
    assert findings[0].row > 1


def test_no_published_folder__is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"manifest\.json"):
        verify_epoch(tmp_path)


def test_prove__from_a_damaged_tree__is_refused(epoch: Path) -> None:
    from rewards.audit.prove import prove

    published = PublishedEpoch(epoch)
    account = published.allocations[0].account
    assert prove(published, account)["account"] == account
    path = epoch / "distribution.json"
    document = parse_json(path.read_bytes(), path.name)
    # A child of the root: half of the leaves need it in their proof.
    document["tree"][1] = "0x" + "11" * 32
    path.write_bytes(canonical_json(document))
    with pytest.raises(CheckFailed):
        prove(PublishedEpoch(epoch), account)
    rewrite_manifest(epoch, "distribution.json")
    forged = PublishedEpoch(epoch)
    refused = 0
    for row in forged.allocations:
        try:
            prove(forged, row.account)
        except CheckFailed:
            refused += 1
    assert refused > 0
