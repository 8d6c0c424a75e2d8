"""`rewards diff` with the checks' findings and a plot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from rewards.cli.diff import command
from tests.audit.conftest import compute_season

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.files.season import Season

KEYS = {
    "ok",
    "before",
    "after",
    "parameters",
    "pools",
    "statuses",
    "payout_addresses",
    "accounts",
    "findings",
}


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    return compute_season(tmp_path_factory.mktemp("diff") / "season")


def run(season: Season, *arguments: object) -> Any:
    asked = ["--season", season.root, *arguments]
    return CliRunner(env={"COLUMNS": "80"}).invoke(command, [str(a) for a in asked])


def test_json__keeps_its_keys_and_adds_the_checks(season: Season) -> None:
    document = json.loads(run(season, 4, 5, "--json").stdout)
    assert set(document) == {*KEYS, "checks"}
    assert document["ok"] is True
    drifted = [f["subject"] for f in document["checks"]["findings"] if f["check"] == "score_drift"]
    assert drifted == ["node:us-east-02.tidewater", "node:us-east-03.foxglove"]


def test_checks__look_at_the_first_epoch__not_at_the_predecessor(season: Season) -> None:
    document = json.loads(run(season, 2, 5, "--json").stdout)
    epochs = {
        f["values"]["earlier_epoch"]
        for f in document["checks"]["findings"]
        if "earlier_epoch" in f["values"]
    }
    assert epochs == {"2"}


def test_backwards__there_is_nothing_to_check(season: Season) -> None:
    assert json.loads(run(season, 5, 4, "--json").stdout)["checks"] is None


def test_a_blocking_check__exits_1(season: Season, tmp_path: Path) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_text('[score_drift]\nseverity = "blocking"\n')
    shown = run(season, 4, 5, "--checks", limits)
    assert shown.exit_code == 1
    assert " blocking score_drift: node:us-east-02.tidewater" in shown.stdout


def test_plot__draws_the_largest_moves(season: Season, tmp_path: Path) -> None:
    shown = run(season, 4, 5, "--top", 5, "--plot", tmp_path / "moves.svg")
    assert shown.exit_code == 0
    root = ET.parse(tmp_path / "moves.svg").getroot()  # noqa: S314 - our own bytes
    assert len(root.findall("{http://www.w3.org/2000/svg}rect")) == 5
