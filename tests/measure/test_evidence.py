"""What is published beside the scores: evidence, the record, overrides, and the way back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from rewards.cli.measure import command
from rewards.errors import CheckFailed, InvalidInput
from rewards.measure.explain import node_evidence, read_manifest
from tests.measure.telemetry import (
    PROBE_SCHEMA,
    START,
    Case,
    random_case,
    rows_of,
    write_parquet,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.measure.reference import Probe

MACHINES = [
    ("o1", "a", "oracle"),
    ("o2", "b", "oracle"),
    ("o3", "c", "oracle"),
    ("dark", "d", "node"),
    ("n1", "d", "node"),
]


def case_with_an_outage() -> Case:
    """n1 is down in minute 3 and 4, one oracle alone looks in minute 7; nobody looks at dark."""
    probes: list[Probe] = []
    for minute in range(10):
        for number, oracle in enumerate(("o1", "o2", "o3")):
            if minute == 7 and oracle != "o1":
                continue
            ok = minute not in (3, 4)
            ts = (START + 60 * minute + number) * 10**6
            probes.append((oracle, "n1", ts, ok, 1_000 + number if ok else None))
    return Case(probes, MACHINES)


def publish(case: Case, folder: Path, out: str = "out") -> tuple[int, str]:
    probes = folder / "probes.parquet"
    write_parquet(probes, PROBE_SCHEMA, case.probes)
    result = CliRunner().invoke(command, case.arguments(folder, probes, folder / out)[1:])
    if isinstance(result.exception, CheckFailed):
        return 1, str(result.exception)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_insufficient_data_is_listed_and_has_no_row(tmp_path: Path) -> None:
    code, error = publish(case_with_an_outage(), tmp_path)
    assert code == 1
    assert error == (
        "node_scores.csv, node_id: 'dark' has insufficient data: 0 of 10 slots observed, coverage"
        " below 0.9 (a slot needs 2 of 3 operators; 0 sent a probe); find the missing probes, or"
        " give the row with --overrides"
    )
    out = tmp_path / "out"
    assert [row[0] for row in rows_of((out / "node_scores.csv").read_bytes())] == ["n1"]
    assert (out / "node_evidence.csv").read_text().splitlines() == [
        "node_id,slots,observed,up,operators,sum_us,count,p50_us,p95_us,p99_us,flag",
        "dark,10,0,0,0,0,0,,,,insufficient",
        "n1,10,9,7,3,22021,22,1001,1002,1002,",
    ]
    manifest = json.loads((out / "measure_manifest.json").read_text())
    assert [finding["value"] for finding in manifest["findings"]] == ["'dark'"]


def test_slots_and_operators_are_told(tmp_path: Path) -> None:
    publish(case_with_an_outage(), tmp_path)
    assert (tmp_path / "out" / "slot_evidence.csv").read_text().splitlines() == [
        "node_id,state,start,end,slots",
        "dark,unobserved,2026-06-24T00:00:00Z,2026-06-24T00:10:00Z,10",
        "n1,down,2026-06-24T00:03:00Z,2026-06-24T00:05:00Z,2",
        "n1,unobserved,2026-06-24T00:07:00Z,2026-06-24T00:08:00Z,1",
    ]
    assert (tmp_path / "out" / "operator_evidence.csv").read_text().splitlines() == [
        "node_id,operator_id,probes,slots_voted,slots_up,sum_us,count,median",
        "n1,a,10,10,8,8000,8,false",
        "n1,b,9,9,7,7007,7,false",
        "n1,c,9,9,7,7014,7,false",
    ]


def test_the_manifest_names_every_input(tmp_path: Path) -> None:
    case = replace(case_with_an_outage(), overrides={"dark": (5, 6, 7)})
    publish(case, tmp_path)
    manifest = json.loads((tmp_path / "out" / "measure_manifest.json").read_text())
    inputs = manifest["inputs"]
    assert inputs["probes"][0]["name"] == "probes.parquet"
    for name in ("probes.parquet", "operators.csv", "measurement.toml", "overrides.csv"):
        entry = inputs["probes"][0] if name == "probes.parquet" else inputs[name]
        assert entry["sha256"] == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert manifest["format"] == "wct-measure-1"
    assert manifest["rules"] == "measure-1"
    assert manifest["engine"]["name"] == "duckdb"
    assert manifest["window"] == {"start": "2026-06-24T00:00:00Z", "end": "2026-06-24T00:10:00Z"}


def test_an_override_supplies_or_replaces_a_row(tmp_path: Path) -> None:
    case = replace(case_with_an_outage(), overrides={"dark": (590, 6, 7), "n1": (600, 0, 0)})
    code, _ = publish(case, tmp_path)
    assert code == 0
    out = tmp_path / "out"
    assert rows_of((out / "node_scores.csv").read_bytes()) == [
        ["dark", "590", "6", "7"],
        ["n1", "600", "0", "0"],
    ]
    assert [row[-1] for row in rows_of((out / "node_evidence.csv").read_bytes())] == [
        "override",
        "override",
    ]
    recorded = read_manifest(out)["overrides"]
    common = {"reason": "Oracles were moved", "approved_by": "A. Person"}
    assert recorded == [
        {
            **common,
            "node_id": "dark",
            "measured": None,
            "published": {"uptime_seconds": "590", "response_time_us": "6", "requests": "7"},
        },
        {
            **common,
            "node_id": "n1",
            "measured": {"uptime_seconds": "466", "response_time_us": "22021", "requests": "22"},
            "published": {"uptime_seconds": "600", "response_time_us": "0", "requests": "0"},
        },
    ]
    evidence = node_evidence(out, "n1")
    assert evidence.override == recorded[1]
    assert evidence.lines()[-4:] == [
        "not the measurement but an override was published",
        "    by A. Person: Oracles were moved",
        "    published uptime_seconds 600, response_time_us 0, requests 0",
        "    measured  uptime_seconds 466, response_time_us 22021, requests 22",
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("n9,1,1,1,r,a", "node_id: 'n9' is no node of operators.csv"),
        ("o1,1,1,1,r,a", "node_id: 'o1' is no node of operators.csv"),
        ("n1,601,1,1,r,a", "uptime_seconds: '601' is more than the window's 600 seconds"),
        ("n1,1,1,0,r,a", "response_time_us: '1' is above 0 without a request"),
        ("n1,1,1,1,,a", "reason: is blank"),
        ("n1,1,1,1,r,", "approved_by: is blank"),
        ("n1,1,1,1,r,a\nn1,1,1,1,r,a", "node_id: 'n1' is a duplicate of row 2"),
    ],
)
def test_an_override_that_is_wrong(row: str, problem: str, tmp_path: Path) -> None:
    case = case_with_an_outage()
    probes = tmp_path / "probes.parquet"
    write_parquet(probes, PROBE_SCHEMA, case.probes)
    header = "node_id,uptime_seconds,response_time_us,requests,reason,approved_by\n"
    (tmp_path / "overrides.csv").write_text(header + row + "\n")
    arguments = case.arguments(tmp_path, probes, tmp_path / "out")[1:]
    arguments += ["--overrides", str(tmp_path / "overrides.csv")]
    error = CliRunner().invoke(command, arguments).exception
    assert isinstance(error, InvalidInput)
    assert f"overrides.csv, row {row.count(chr(10)) + 2}, {problem}" in str(error)
    assert not (tmp_path / "out").exists()


def test_a_score_is_followed_back_to_slots_and_operators(tmp_path: Path) -> None:
    publish(case_with_an_outage(), tmp_path)
    evidence = node_evidence(tmp_path / "out", "n1")
    assert evidence.lines() == [
        "measured 2026-06-24T00:00:00Z to 2026-06-24T00:10:00Z, mode oracles",
        "§1.3  quorum = 2",
        "      (at least 2/3 of the 3 operators that may vote)",
        "§1.4  slots = 600 // 60 = 10",
        "§1.3  observed = 7 + 2 = 9",
        "§1.5  uptime_seconds = 600 * 7 // 9 = 466",
        "§1.6  response_time_us = 8000 + 7007 + 7014 = 22021",
        "      (the sum over all operators)",
        "§1.6  requests = 8 + 7 + 7 = 22",
        "      (the sum over all operators)",
        "what each operator said",
        "    a: up in 8 of 10, mean 1000 us of 8 answers",
        "    b: up in 7 of 9, mean 1001 us of 7 answers",
        "    c: up in 7 of 9, mean 1002 us of 7 answers",
        "slots that were not up",
        "    down       2026-06-24T00:03:00Z to 2026-06-24T00:05:00Z (2 slots)",
        "    unobserved 2026-06-24T00:07:00Z to 2026-06-24T00:08:00Z (1 slot)",
    ]
    document = evidence.as_json()
    assert document["score"]["uptime_seconds"] == "466"
    assert document["steps"][3]["inputs"] == {"E": "600", "up": "7", "observed": "9"}
    assert document["telemetry"][0]["name"] == "probes.parquet"


@pytest.mark.parametrize("seed", range(400, 408))
def test_every_score_can_be_explained(seed: int, tmp_path: Path) -> None:
    case = random_case(seed)
    expected = case.expected()
    publish(case, tmp_path)
    for row in expected.evidence:
        evidence = node_evidence(tmp_path / "out", row[0])
        assert (evidence.score is None) == (row[-1] == "insufficient")
        json.dumps(evidence.as_json())
        if case.mode == "peers" and (operator := expected.medians[row[0]]):
            assert [r["operator_id"] for r in evidence.operators if r["median"] == "true"] == [
                operator
            ]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("node_scores.csv", "n1,466", "n1,467"),
        ("node_scores.csv", "22021,22", "22021,23"),
        ("node_evidence.csv", "n1,10,9,7", "n1,10,9,8"),
        ("slot_evidence.csv", "00:05:00Z,2", "00:05:00Z,3"),
        ("operator_evidence.csv", "7007,7", "7008,7"),
    ],
)
def test_an_altered_folder_is_not_explained(name: str, old: str, new: str, tmp_path: Path) -> None:
    publish(case_with_an_outage(), tmp_path)
    path = tmp_path / "out" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(CheckFailed, match="does not follow from the evidence of n1"):
        node_evidence(tmp_path / "out", "n1")


def test_an_unknown_node_is_not_explained(tmp_path: Path) -> None:
    publish(case_with_an_outage(), tmp_path)
    with pytest.raises(CheckFailed, match="knows no such node"):
        node_evidence(tmp_path / "out", "N1")
