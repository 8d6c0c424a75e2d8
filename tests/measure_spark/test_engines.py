"""Spark on a real cluster against DuckDB and the reference: the same bytes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from rewards.errors import InvalidInput
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
    csv_bytes,
    measure_events,
    random_case,
    random_events,
    rows_of,
    tables,
    write_forms,
    write_parquet,
    write_wallets,
)
from tests.measure_spark.conftest import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rewards.measure.engines import Engine

pytestmark = [
    # PySpark leaves the sockets of `collect` to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Kept:
    """The session's engine; a measurement does not close it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def close(self) -> None:
        """Stay open for the next test."""


@pytest.fixture
def on_spark(spark: Engine) -> Callable[[Path], Any]:
    return lambda _: Kept(spark)


def without_engine(files: dict[str, bytes]) -> dict[str, Any]:
    """Every published byte, but for the manifest's note of which engine it was."""
    manifest = json.loads(files[MANIFEST])
    del manifest["engine"]
    return {**tables(files), MANIFEST: manifest}


@pytest.mark.parametrize("seed", range(8))
def test_both_engines_publish_the_same(
    seed: int, tmp_path: Path, on_spark: Callable[[Path], Any]
) -> None:
    case = random_case(seed)
    try:
        expected = case.expected()
    except reference.BadInput:
        with pytest.raises(InvalidInput) as on_duckdb:
            case.measure(tmp_path)
        with pytest.raises(InvalidInput) as there:
            case.measure(tmp_path, open_engine=on_spark)
        assert there.value.findings == on_duckdb.value.findings
        return
    here = node_files(case.measure(tmp_path))
    there_files = node_files(case.measure(tmp_path, open_engine=on_spark))
    assert without_engine(there_files) == without_engine(here)
    assert rows_of(there_files["node_scores.csv"]) == expected.scores


def test_every_form_of_the_files(tmp_path: Path, on_spark: Callable[[Path], Any]) -> None:
    case = random_case(201)
    for form, path in write_forms(tmp_path, case.probes, PROBE_COLUMNS, PROBE_SCHEMA).items():
        here = node_files(case.measure(tmp_path / "small", path))
        there = node_files(case.measure(tmp_path / "small", path, on_spark))
        assert without_engine(there) == without_engine(here), form


def test_skewed_telemetry(tmp_path: Path, on_spark: Callable[[Path], Any]) -> None:
    """Nearly all rows are of one node, reporter and slot, and large enough to be cut into files."""
    rng = random.Random(5)
    operators = [
        ("n1", "a", "node"),
        ("n2", "b", "node"),
        ("o1", "c", "oracle"),
        ("o2", "d", "oracle"),
    ]
    probes = [
        ("o1", "n1", START * 10**6 + rng.randrange(60 * 10**6), True, rng.randrange(2**40))
        for _ in range(40_000)
    ]
    probes += [
        ("o2", n, (START + s) * 10**6, s % 9 > 0, 5) for s in range(600) for n in ("n1", "n2")
    ]
    case = Case(list(probes), operators, quorum="1/2", min_coverage="0.1")
    for part in range(4):
        write_parquet(tmp_path / "p" / f"{part}.parquet", PROBE_SCHEMA, probes[part::4])
    here = node_files(case.measure(tmp_path, tmp_path / "p"))
    there = node_files(case.measure(tmp_path, tmp_path / "p", on_spark))
    assert without_engine(there) == without_engine(here)


@pytest.mark.parametrize("header", [True, False])
def test_empty_telemetry(header: bool, tmp_path: Path, on_spark: Callable[[Path], Any]) -> None:
    case = random_case(0).with_probes([])
    path = tmp_path / ("none.csv" if header else "none.parquet")
    if header:
        path.write_bytes(csv_bytes(PROBE_COLUMNS, []))
    else:
        write_parquet(path, PROBE_SCHEMA, [])
    with pytest.raises(InvalidInput, match="there is no row at all") as here:
        case.measure(tmp_path / "small", path)
    with pytest.raises(InvalidInput) as there:
        case.measure(tmp_path / "small", path, on_spark)
    assert there.value.findings == here.value.findings


@pytest.mark.parametrize(
    "line",
    [
        "o1,n1,1782259200000001,TRUE,5",
        "o1,n1,1782259200000001,true,",
        "o1,n1,1782259200000001,true,5.0",
        "o1,n1,1782259200000001,false,x",
        "o1,n1, 1782259200000001,true,5",
        "o1,n1,99999999999999999999,true,5",
        ",n1,1782259200000001,true,5",
        "o9,n1,1782259200000001,true,5",
        "o1,o1,1782259200000001,true,5",
        "o1,n1,1782259200,true,5",
        "o1,n1,1782259200000000000,true,5",
    ],
)
def test_both_engines_find_the_same_wrong(
    line: str, tmp_path: Path, on_spark: Callable[[Path], Any]
) -> None:
    case = Case([], [("o1", "a", "oracle"), ("n1", "b", "node")])
    path = tmp_path / "probes.csv"
    good = "o1,n1,1782259200000000,true,5\n"
    path.write_text("reporter_id,node_id,ts_us,ok,latency_us\n" + good + line + "\n" + good)
    with pytest.raises(InvalidInput) as here:
        case.measure(tmp_path / "small", path)
    with pytest.raises(InvalidInput) as there:
        case.measure(tmp_path / "small", path, on_spark)
    assert there.value.findings == here.value.findings


@pytest.mark.parametrize("seed", range(4))
def test_wallets(seed: int, tmp_path: Path, spark: Engine) -> None:
    events, wallets = random_events(seed)
    window = MeasuredWindow(START, START + 600)
    listed = write_wallets(tmp_path / "wallets.csv", wallets)
    path = write_forms(tmp_path, events, EVENT_COLUMNS, EVENT_SCHEMA)[
        "one CSV file" if seed % 2 else "folders by a column"
    ]
    here = measure_events(tmp_path, path, listed, window)
    there = measure_events(tmp_path, path, listed, window, Kept(spark))  # type: ignore[arg-type]
    assert without_engine(there) == without_engine(here)


def test_an_event_of_two_wallets(tmp_path: Path, spark: Engine) -> None:
    window = MeasuredWindow(START, START + 600)
    listed = write_wallets(tmp_path / "wallets.csv", [("w", "0x" + "1" * 40, True, "1", 0)])
    path = tmp_path / "e.parquet"
    row = ("connection", START * 10**6, True)
    write_parquet(path, EVENT_SCHEMA, [("e", "w", *row), ("e", "v", *row)])
    for engine in (None, Kept(spark)):
        with pytest.raises(InvalidInput, match="two wallets"):
            measure_events(tmp_path, path, listed, window, engine)  # type: ignore[arg-type]


def test_both_executors_took_part(cluster: str, spark: Engine) -> None:
    """Not a local mode in disguise: the session runs on the cluster, with two executors."""
    context = spark._session.sparkContext  # type: ignore[attr-defined]
    assert context.master == cluster
    executors = context._jsc.sc().statusTracker().getExecutorInfos()
    assert len(executors) == 3  # the driver is one of them


def test_the_command_line(cluster: str, tmp_path: Path) -> None:
    case = random_case(3)
    write_parquet(tmp_path / "p.parquet", PROBE_SCHEMA, case.probes)
    case.overrides.update({n: (1, 2, 3) for n, _, role in case.operators if role == "node"})
    here = [
        sys.executable,
        "-m",
        "rewards",
        *case.arguments(tmp_path, tmp_path / "p.parquet", tmp_path / "a"),
    ]
    there = [
        sys.executable,
        "-m",
        "rewards",
        *case.arguments(tmp_path, tmp_path / "p.parquet", tmp_path / "b"),
    ]
    there += ["--engine", "spark", "--master", cluster]
    there += [f"--spark-conf={key}={value}" for key, value in SETTINGS.items()]
    for command in (here, there):
        subprocess.run(command, check=True, capture_output=True, timeout=900)
    read = [{p.name: p.read_bytes() for p in (tmp_path / out).iterdir()} for out in "ab"]
    assert without_engine(read[0]) == without_engine(read[1])
