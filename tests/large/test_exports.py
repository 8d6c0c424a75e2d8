"""Exports: the dump is the published one byte for byte, and every proof leads to the root."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from rewards.audit.prove import prove
from rewards.errors import CheckFailed
from rewards.files.epoch import compute_folder, publish_epoch
from rewards.files.exports import distribution_of, openzeppelin_blocks, proof_lines
from rewards.files.parquet import write_proofs
from rewards.files.published import PublishedEpoch
from tests.benchmarks.epochs import write_epochs
from tests.large.javascript import load_in_javascript

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WALLETS = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """The same epoch with its tree as JSON and as raw nodes."""
    root = tmp_path_factory.mktemp("exports")
    inputs, _ = write_epochs(root, WALLETS)
    publish_epoch(compute_folder(inputs, None), root / "small")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rewards.files.outputs.TREE_FROM_LEAVES", 100)
        publish_epoch(compute_folder(inputs, None, by_column=True), root / "large")
        yield root / "small", root / "large"


@pytest.mark.parametrize("block", [7, 100_000])
def test_openzeppelin__is_the_published_dump(
    folder: tuple[Path, Path], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rewards.files.exports.BLOCK", block)
    expected = (folder[0] / "distribution.json").read_bytes()
    for epoch in folder:
        for by_column in (False, True):
            published = PublishedEpoch(epoch, by_column=by_column)
            assert b"".join(openzeppelin_blocks(distribution_of(published))) == expected


def test_openzeppelin__is_loaded_by_their_library(
    folder: tuple[Path, Path], tmp_path: Path
) -> None:
    published = PublishedEpoch(folder[1])
    dump = tmp_path / "distribution.json"
    dump.write_bytes(b"".join(openzeppelin_blocks(distribution_of(published))))
    answer = load_in_javascript(dump)
    assert answer["root"] == answer["fresh_root"] == published.manifest.root
    assert answer["verified"] is True
    for account, proof in answer["proofs"].items():
        assert proof == prove(published, account)["proof"]


def test_jsonl_and_parquet__hold_what_prove_says(folder: tuple[Path, Path], tmp_path: Path) -> None:
    published = PublishedEpoch(folder[1])
    distribution = distribution_of(published)
    lines = [json.loads(line) for line in proof_lines(distribution, published.manifest)]
    assert len(lines) == distribution.leaf_count
    assert lines == [prove(published, line["account"]) for line in lines]
    write_proofs(tmp_path / "p.parquet", distribution.proofs(), {"epoch": "1"})
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.schema.metadata[b"epoch"] == b"1"
    rows = table.to_pylist()
    assert [(r["account"], r["cumulative"]) for r in rows] == [
        (line["account"], line["cumulative"]) for line in lines
    ]
    assert ["0x" + n.hex() for n in rows[5]["proof"]] == lines[5]["proof"]


def test_ledger_that_misses_the_root__is_refused(folder: tuple[Path, Path]) -> None:
    published = PublishedEpoch(folder[1])
    published.__dict__["allocations"] = published.allocations[:-1]
    with pytest.raises(CheckFailed, match="does not lead to"):
        distribution_of(published)


@pytest.mark.parametrize("form", ["openzeppelin", "jsonl", "parquet"])
def test_command__writes_beside_the_folder_only(
    folder: tuple[Path, Path], form: str, tmp_path: Path
) -> None:
    def run(target: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rewards", "export", str(folder[1]), "--format", form]
        return subprocess.run(
            [*command, "--to", str(target)], capture_output=True, text=True, check=False
        )

    done = run(tmp_path / "x")
    assert (done.returncode, done.stderr) == (0, "")
    assert "leaves written" in done.stdout
    assert (tmp_path / "x").stat().st_size > 0
    assert run(folder[1] / "x").returncode == 2
    assert not (folder[1] / "x").exists()
