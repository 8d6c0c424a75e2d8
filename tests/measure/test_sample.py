"""The sample season starts from telemetry: what is measured is what it is computed from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.files.inputs import read_inputs
from rewards.files.season import Season
from rewards.measure.nodes import measure_nodes, read_node_inputs
from rewards.measure.records import MeasuredWindow
from rewards.rules.records import NodeScore
from rewards.sample import copy_season
from rewards.sample.dice import Dice
from rewards.sample.generator import SEED
from rewards.sample.telemetry import HOURS_OF_JUNE, measurable, telemetry_of_epoch, wallet_hour
from rewards.sample.wallets import wallets_of_month
from tests.measure.telemetry import START, duckdb, measure_events, rows_of, scores, silent

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def measured(folder: Path, start: int, end: int) -> list[list[str]]:
    window = MeasuredWindow(start, end)
    operators, config = folder / "operators.csv", folder / "measurement.toml"
    engine = duckdb(folder)
    try:
        inputs = read_node_inputs(window, operators, config, None)
        measurement = measure_nodes(inputs, str(folder / "probes.csv"), engine, silent)
    finally:
        engine.close()
    assert measurement.rows.repeats > 0
    return scores(measurement)


def cells(score: NodeScore) -> list[str]:
    numbers = (score.uptime_seconds, score.response_time_us, score.requests)
    return [score.node_id, *map(str, numbers)]


@pytest.mark.parametrize("epoch", [1, 4])
def test_an_epoch_measures_to_its_scores(epoch: int, tmp_path: Path) -> None:
    copy_season(tmp_path / "season")
    inputs = read_inputs(Season.open(tmp_path / "season").inputs(epoch)).inputs
    assert inputs is not None
    assert inputs.node_scores is not None
    window = inputs.header.window
    wanted = [measurable(score, window.end - window.start) for score in inputs.node_scores]
    write(tmp_path / "t", telemetry_of_epoch(window.start, window.end, wanted, SEED))
    assert measured(tmp_path / "t", window.start, window.end) == [cells(s) for s in wanted]


@given(st.integers(0, DAY), st.integers(0, 3 * 10**6), st.integers(0, 2 * 10**6))
def test_measurable_scores_stay_as_they_are(uptime: int, requests: int, mean: int) -> None:
    score = NodeScore("n", uptime, mean * requests, requests)
    nearest = measurable(score, DAY)
    assert measurable(nearest, DAY) == nearest
    assert 0 <= uptime - nearest.uptime_seconds < 60
    if requests and nearest.requests:
        assert nearest.response_time_us // nearest.requests in (mean, mean - 1)


def test_any_measurable_score_is_measured(tmp_path: Path) -> None:
    raw = [
        NodeScore("never.a", 0, 0, 0),
        NodeScore("lone.a", 0, 5, 3),
        NodeScore("always.b", 600, 2_999, 30),
        NodeScore("half.c", 300, 1_000_003, 11),
        NodeScore("zero-latency.d", 540, 0, 19),
        NodeScore("slow.d", 540, 2**39 * 28, 28),
    ]
    wanted = sorted((measurable(s, 600) for s in raw), key=lambda s: s.node_id)
    write(tmp_path / "t", telemetry_of_epoch(START, START + 600, wanted, 1))
    assert measured(tmp_path / "t", START, START + 600) == [cells(s) for s in wanted]


def test_the_telemetry_is_the_same_everywhere() -> None:
    score = NodeScore("eu-1.one", 600, 700, 20)
    probes = telemetry_of_epoch(START, START + 600, [score], 1)["probes.csv"].splitlines()
    assert probes[1] == b"oracle-1.watchtower,eu-1.one,1782259207000000,true,41"


def test_the_wallets_hour(tmp_path: Path) -> None:
    write(tmp_path / "w", wallet_hour(START, SEED))
    window = MeasuredWindow(START, START + 3_600)
    files = measure_events(
        tmp_path, tmp_path / "w" / "events.csv", tmp_path / "w" / "wallets.csv", window
    )
    counted = {row[0]: (int(row[2]), int(row[3])) for row in rows_of(files["wallet_scores.csv"])}
    assert counted == {
        month.wallet_id: (month.connections // HOURS_OF_JUNE, month.signatures // HOURS_OF_JUNE)
        for month in wallets_of_month(Dice(SEED))
    }
