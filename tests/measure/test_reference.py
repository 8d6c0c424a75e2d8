"""DuckDB against the plain reference on random telemetry, whatever its form, order and cut."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest

from rewards.errors import InvalidInput
from rewards.measure import engines
from rewards.measure.outputs import MANIFEST, node_files
from rewards.measure.records import MeasuredWindow
from tests.measure import reference
from tests.measure.telemetry import (
    EVENT_COLUMNS,
    EVENT_SCHEMA,
    PROBE_COLUMNS,
    PROBE_SCHEMA,
    START,
    Case,
    evidence,
    measure_events,
    random_case,
    random_events,
    rows_of,
    scores,
    tables,
    write_forms,
    write_parquet,
    write_wallets,
)

if TYPE_CHECKING:
    from pathlib import Path


def check(case: Case, folder: Path) -> None:
    expected = case.expected()
    measurement = case.measure(folder)
    assert scores(measurement) == expected.scores
    assert evidence(measurement) == expected.evidence
    assert measurement.rows.as_json() == {k: str(v) for k, v in expected.rows.items()}
    counts = {k: v for k, v in expected.rows.items() if k != "read"}
    assert sum(counts.values()) == expected.rows["read"]
    if case.mode == "peers":
        assert {r.node_id: r.median for r in measurement.results} == expected.medians


@pytest.mark.parametrize("seed", range(36))
def test_node_scores_and_evidence_are_those_of_the_rules(seed: int, tmp_path: Path) -> None:
    case = random_case(seed)
    try:
        case.expected()
    except reference.BadInput:
        with pytest.raises(InvalidInput):
            case.measure(tmp_path)
        return
    check(case, tmp_path)


@pytest.mark.parametrize("seed", range(100, 108))
def test_the_number_of_parts_leaves_no_trace(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = random_case(seed)
    whole = node_files(case.measure(tmp_path / "whole"))
    monkeypatch.setattr(engines, "ROWS_AT_ONCE", 25)
    assert node_files(case.measure(tmp_path / "parts")) == whole


@pytest.mark.parametrize("seed", range(200, 203))
def test_form_and_order_of_the_files_leave_no_trace(seed: int, tmp_path: Path) -> None:
    case = random_case(seed)
    expected = tables(node_files(case.measure(tmp_path / "expected")))
    shuffled = list(case.probes)
    random.Random(seed).shuffle(shuffled)
    for form, path in write_forms(tmp_path, shuffled, PROBE_COLUMNS, PROBE_SCHEMA).items():
        measured = node_files(case.measure(tmp_path / "small", path))
        assert tables(measured) == expected, form
        rows = json.loads(measured[MANIFEST])["rows"]
        assert rows["read"] == str(len(case.probes)), form


def test_a_glob_names_several_files(tmp_path: Path) -> None:
    case = random_case(1)
    expected = tables(node_files(case.measure(tmp_path / "expected")))
    write_parquet(tmp_path / "a" / "x-1.parquet", PROBE_SCHEMA, case.probes[::2])
    write_parquet(tmp_path / "b" / "x-2.parquet", PROBE_SCHEMA, case.probes[1::2])
    write_parquet(tmp_path / "b" / "y-3.parquet", PROBE_SCHEMA, case.probes)
    measured = node_files(case.measure(tmp_path / "small", tmp_path / "*" / "x-*.parquet"))
    assert tables(measured) == expected
    names = [file["name"] for file in json.loads(measured[MANIFEST])["inputs"]["probes"]]
    assert names == ["a/x-1.parquet", "b/x-2.parquet"]


@pytest.mark.parametrize("seed", range(16))
def test_wallet_scores_are_those_of_the_rules(seed: int, tmp_path: Path) -> None:
    events, wallets = random_events(seed)
    path = tmp_path / "events.parquet"
    write_parquet(path, EVENT_SCHEMA, events)
    window = MeasuredWindow(START, START + 600)
    rows, unknown, counts = reference.measure_wallets(
        events, wallets, start=window.start, end=window.end
    )
    listed = write_wallets(tmp_path / "wallets.csv", wallets)
    files = measure_events(tmp_path, path, listed, window)
    assert rows_of(files["wallet_scores.csv"]) == rows
    manifest = json.loads(files[MANIFEST])
    assert manifest["rows"] == {name: str(count) for name, count in counts.items()}
    assert [finding["value"] for finding in manifest["findings"]] == [f"'{u}'" for u in unknown]


def test_events_may_lie_in_any_form(tmp_path: Path) -> None:
    events, wallets = random_events(2)
    window = MeasuredWindow(START, START + 600)
    listed = write_wallets(tmp_path / "wallets.csv", wallets)
    results = {
        form: tables(measure_events(tmp_path, path, listed, window))["wallet_scores.csv"]
        for form, path in write_forms(tmp_path, events, EVENT_COLUMNS, EVENT_SCHEMA).items()
    }
    assert len(set(results.values())) == 1, results
