"""The sample season starts from telemetry: what is measured is what it is computed from."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from rewards.cli import measure
from rewards.cli.sample import command
from rewards.files.inputs import NODE_SCORES, WALLET_SCORES, read_inputs
from rewards.files.season import Season
from rewards.measure.nodes import NodeMeasurement, measure_nodes, read_node_inputs
from rewards.measure.outputs import node_files, wallet_files
from rewards.measure.records import MeasuredWindow
from rewards.measure.wallets import WalletMeasurement, measure_wallets
from rewards.rules.records import Address, NodeScore, Wallet, Window
from rewards.sample.dice import Dice
from rewards.sample.telemetry import (
    CONFIG,
    EVENTS,
    OPERATORS,
    PROBES,
    WALLETS,
    write_events,
    write_probes,
)
from tests.measure.telemetry import START, duckdb, rows_of, silent

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.rules.records import EpochHeader

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
    told = CliRunner().invoke(command, [str(tmp_path / "s"), "--telemetry"])
    assert told.exit_code == 0, told.output
    season = Season.open(tmp_path / "s")
    assert len(season.with_inputs()) == 7
    for epoch in season.with_inputs():
        inputs, telemetry = season.inputs(epoch), tmp_path / "s" / "telemetry" / f"{epoch:06d}"
        header = read_header(inputs)
        nodes = nodes_measured(telemetry, header.window)
        assert node_files(nodes)[NODE_SCORES.name] == (inputs / NODE_SCORES.name).read_bytes()
        assert nodes.rows.repeats > 0
    wallets = wallets_measured(telemetry, header.wallet_window)
    assert wallet_files(wallets)[WALLET_SCORES.name] == (inputs / WALLET_SCORES.name).read_bytes()
    assert min(wallets.counts.repeats, wallets.counts.failed) > 0
    assert wallets.counts.kept > 20_000_000
    # What the command says next is a command that works.
    next_command = told.stdout.partition("rewards measure ")[2].replace("\\\n", " ")
    measured = CliRunner().invoke(measure.command, shlex.split(next_command))
    assert measured.exit_code == 0, measured.output
    assert season.measured_nodes(1).is_dir()


def read_header(inputs: Path) -> EpochHeader:
    found = read_inputs(inputs).inputs
    assert found is not None
    return found.header


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
        Wallet("a", Address("0x" + "1" * 40), 3, 0, True, 10**18, 0),
        Wallet("b", Address("0x" + "2" * 40), 0, 0, False, 5 * 10**17, 7),
        Wallet("c", Address("0x" + "3" * 40), 1, 4_000, False, 10**18, 0),
    ]
    write_events(tmp_path, WINDOW, wallets)
    assert rows_of(wallet_files(wallets_measured(tmp_path, WINDOW))[WALLET_SCORES.name]) == [
        ["a", "0x" + "1" * 40, "3", "0", "true", "1", "0"],
        ["b", "0x" + "2" * 40, "0", "0", "false", "0.5", "7"],
        ["c", "0x" + "3" * 40, "1", "4000", "false", "1", "0"],
    ]
