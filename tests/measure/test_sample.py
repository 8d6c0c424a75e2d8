"""The sample season starts from telemetry: what is measured is what it is computed from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from rewards.files.inputs import NODE_SCORES, WALLET_SCORES
from rewards.files.season import Season
from rewards.measure.nodes import NodeMeasurement, measure_nodes, read_node_inputs
from rewards.measure.outputs import node_files, wallet_files
from rewards.measure.records import MeasuredWindow
from rewards.measure.wallets import WalletMeasurement, measure_wallets
from rewards.rules.records import NodeScore, Wallet, Window
from rewards.sample import copy_season
from rewards.sample.dice import Dice
from rewards.sample.telemetry import (
    CONFIG,
    EVENTS,
    OPERATORS,
    PROBES,
    WALLETS,
    write_events,
    write_probes,
    write_telemetry,
)
from tests.measure.telemetry import START, duckdb, rows_of, silent

if TYPE_CHECKING:
    from pathlib import Path

SLOTS = 10
WINDOW = Window(START, START + 60 * SLOTS)


def nodes_measured(folder: Path, window: Window) -> NodeMeasurement:
    measured = MeasuredWindow(window.start, window.end)
    engine = duckdb(folder)
    try:
        inputs = read_node_inputs(measured, folder / OPERATORS, folder / CONFIG, None)
        return measure_nodes(inputs, str(folder / PROBES), engine, silent)
    finally:
        engine.close()


def wallets_measured(folder: Path, window: Window) -> WalletMeasurement:
    measured = MeasuredWindow(window.start, window.end)
    engine = duckdb(folder)
    try:
        return measure_wallets(measured, folder / WALLETS, str(folder / EVENTS), engine, silent)
    finally:
        engine.close()


def test_every_epoch_measures_to_the_scores_that_it_is_computed_from(tmp_path: Path) -> None:
    copy_season(tmp_path)
    season = Season.open(tmp_path)
    made = list(write_telemetry(tmp_path))
    assert [epoch.header.epoch for epoch in made] == season.with_inputs()
    with_wallets = 0
    for epoch in made:
        inputs = season.inputs(epoch.header.epoch)
        nodes = nodes_measured(epoch.folder, epoch.header.window)
        scores = node_files(nodes)[NODE_SCORES.name]
        assert scores == (inputs / NODE_SCORES.name).read_bytes()
        assert nodes.rows.repeats > 0
        assert epoch.has_events == (inputs / WALLET_SCORES.name).exists()
        if epoch.has_events:
            with_wallets += 1
            wallets = wallets_measured(epoch.folder, epoch.header.wallet_window)
            month = wallet_files(wallets)[WALLET_SCORES.name]
            assert month == (inputs / WALLET_SCORES.name).read_bytes()
            assert min(wallets.counts.repeats, wallets.counts.failed) > 0
            assert wallets.counts.kept > 20_000_000
    assert with_wallets == 1


def test_any_score_that_probes_can_come_to_is_measured(tmp_path: Path) -> None:
    wanted = [
        NodeScore("always.b", 600, 2_999, 30),
        NodeScore("half.c", 300, 1_000_003, 11),
        NodeScore("never.a", 0, 0, 0),
        NodeScore("one-slot.a", 60, 10**6, 3),
        NodeScore("slow.d", 540, 2**38 * 27, 27),
        NodeScore("two-of-three.b", 600, 7, 20),
        NodeScore("zero-latency.d", 540, 0, 19),
    ]
    write_probes(tmp_path, WINDOW, wanted, Dice(1))
    assert rows_of(node_files(nodes_measured(tmp_path, WINDOW))[NODE_SCORES.name]) == [
        [s.node_id, str(s.uptime_seconds), str(s.response_time_us), str(s.requests)] for s in wanted
    ]


@pytest.mark.parametrize(
    ("uptime", "requests"),
    [
        pytest.param(599, 29, id="no whole slot"),
        pytest.param(600, 19, id="fewer than two answers a slot"),
        pytest.param(600, 31, id="more than three"),
    ],
)
def test_another_score_is_refused(uptime: int, requests: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no probes of 3 oracles"):
        write_probes(tmp_path, WINDOW, [NodeScore("n.a", uptime, 5, requests)], Dice(1))


def test_the_same_seed_gives_the_same_rows(tmp_path: Path) -> None:
    """Pinned values: a change here changes the sample on somebody's machine."""
    write_probes(tmp_path, WINDOW, [NodeScore("n.one", 600, 70_000, 30)], Dice(1))
    rows = pq.read_table(tmp_path / PROBES).to_pylist()
    assert len(rows) == 31
    assert rows[0] == rows[-1]
    assert rows[0] == {
        "reporter_id": "oracle-1.watchtower",
        "node_id": "n.one",
        "ts_us": 1_782_259_207_586_409,
        "ok": True,
        "latency_us": 2_632,
    }


def test_few_events_and_none(tmp_path: Path) -> None:
    wallets = [
        Wallet("a", "0x" + "1" * 40, 3, 0, True, 10**18, 0),
        Wallet("b", "0x" + "2" * 40, 0, 0, False, 5 * 10**17, 7),
        Wallet("c", "0x" + "3" * 40, 1, 4_000, False, 10**18, 0),
    ]
    write_events(tmp_path, WINDOW, wallets)
    assert rows_of(wallet_files(wallets_measured(tmp_path, WINDOW))[WALLET_SCORES.name]) == [
        ["a", "0x" + "1" * 40, "3", "0", "true", "1", "0"],
        ["b", "0x" + "2" * 40, "0", "0", "false", "0.5", "7"],
        ["c", "0x" + "3" * 40, "1", "4000", "false", "1", "0"],
    ]
