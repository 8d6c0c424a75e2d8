"""Forged but self-consistent folders: every command that reads one refuses, none breaks down.

The digests agree, so only recomputation tells. Nothing may end in a traceback, and nothing but a
proof, which speaks for itself, may be said of such a folder.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from rewards.cli import rewards
from rewards.cli.console import exit_code
from rewards.errors import RewardsError
from rewards.files.epoch import compute_folder, publish_epoch
from rewards.files.published import PublishedEpoch
from rewards.merkle.distribution import Domain
from rewards.merkle.tree import root_from_proof
from tests.audit.forgery import forge
from tests.reference.random_epochs import write_season

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.files.season import Season


def outcome(*words: object) -> tuple[int, str]:
    """Run a command as `main` does; return its exit code and what it printed."""
    result = CliRunner().invoke(rewards, [*map(str, words), "--json"])
    if isinstance(result.exception, RewardsError):
        return exit_code(result.exception), ""
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def subjects(folder: Path) -> list[str]:
    """Return an id of each program and an account, as a whole folder names them."""
    found = []
    for name in ("nodes.csv", "wallets.csv", "allocations.csv"):
        rows = (folder / name).read_text().splitlines()[1:]
        found += [rows[len(rows) // 2].split(",")[0]] if rows else []
    return found


def commands(forged: Path, whole: list[str], previous: Path, scratch: Path) -> list[list[object]]:
    """Return every reading command but `prove`, on a forged folder."""
    return [
        ["verify", forged],
        ["verify", forged, "--previous", previous],
        *(["explain", forged, subject] for subject in whole),
        ["diff", previous, forged],
        ["diff", forged, previous],
        ["checks", forged],
        ["checks", forged, "--previous", previous],
        ["statement", previous, forged],
        ["statement", forged],
        ["simulate", forged, "--set", "nodes.alpha=0.6"],
        ["report", forged, "--out", scratch / "report.html"],
        ["report", forged, "--previous", previous, "--out", scratch / "report.html"],
    ]


def require_refused(forged: Path, what: str, whole: list[str], previous: Path) -> None:
    """Require that no command takes a forged folder for a right one, or breaks down on it."""
    # Other inputs that come to the same results are another epoch, and a right one.
    expected = {0, 1, 2} if what.startswith("inputs/") else {1, 2}
    for words in commands(forged, whole, previous, forged.parent):
        code, _ = outcome(*words)
        assert code in expected, f"{words[0]} said {code} of {what}"
    code, printed = outcome("prove", forged, whole[-1])
    assert code in (0, 1, 2), what
    if code == 0:
        require_proof(json.loads(printed))


def require_proof(document: dict[str, Any]) -> None:
    domain = Domain(int(document["chain_id"]), document["distributor"], int(document["epoch"]))
    leaf = domain.leaf_hash(document["account"], int(document["cumulative"]))
    proof = [bytes.fromhex(node[2:]) for node in document["proof"]]
    assert "0x" + root_from_proof(leaf, proof).hex() == document["root"]


def published(seed: int, root: Path) -> list[Path]:
    """Publish the first epochs of a random season."""
    outs: list[Path] = []
    for inputs in write_season(seed, root / "inputs")[:2]:
        out = root / "epochs" / inputs.name
        publish_epoch(compute_folder(inputs, outs[-1] if outs else None), out)
        outs.append(out)
    return outs


@pytest.mark.parametrize("seed", range(24))
def test_one_field_forged__every_command_refuses(seed: int, tmp_path: Path) -> None:
    previous, last = published(seed % 6, tmp_path)
    whole, chance = subjects(last), random.Random(seed)
    forged = tmp_path / "forged"
    what = forge(last, forged, chance)
    if all(
        (forged / name).read_bytes() == (last / name).read_bytes()
        for name in ("manifest.json", *PublishedEpoch(last).manifest.files)
    ):
        pytest.fail(f"nothing was forged: {what}")
    require_refused(forged, f"{what} (seed {seed})", whole, previous)


@pytest.mark.parametrize("seed", range(20))
def test_forged_tree__no_proof_that_does_not_hold(
    seed: int, season: Season, tmp_path: Path
) -> None:
    last, forged = season.epoch(2), tmp_path / "forged"
    what = forge(last, forged, random.Random(100 + seed), "distribution.json")
    accounts = [row.account for row in PublishedEpoch(last).allocations if row.cumulative]
    for account in accounts[::7]:
        code, printed = outcome("prove", forged, account)
        assert code in (0, 1), what
        if code == 0:
            require_proof(json.loads(printed))


@pytest.mark.parametrize("seed", range(8))
def test_forged_predecessor__nothing_breaks_down_on_it(
    seed: int, season: Season, tmp_path: Path
) -> None:
    """`compute` takes a predecessor as its files agree; `verify --season` tells a forged one."""
    forged = tmp_path / "000002"
    what = forge(season.epoch(2), forged, random.Random(seed), "nodes.csv")
    code, _ = outcome("compute", season.inputs(3), "--previous", forged, "--out", tmp_path / "out")
    assert code in (0, 1, 2), what
    assert outcome("verify", forged)[0] == 1, what
