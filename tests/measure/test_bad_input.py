"""One clear error for each kind of bad input, and nothing written."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from rewards.cli.measure import command
from rewards.errors import CheckFailed, FindingsError, InvalidInput
from rewards.measure import sources
from tests.measure.telemetry import (
    EVENT_SCHEMA,
    PROBE_SCHEMA,
    START,
    Case,
    random_case,
    scores,
    write_parquet,
    write_wallets,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MACHINES = [("o1", "a", "oracle"), ("o2", "b", "oracle"), ("n1", "c", "node")]
GOOD = [(o, "n1", (START + s) * 10**6, True, 5) for o in ("o1", "o2") for s in range(0, 600, 60)]
CASE = Case(list(GOOD), MACHINES)


def refused(case: Case, folder: Path, probes: Path | None = None) -> str:
    """Run the command line; return its error. Nothing was published, nothing was left behind."""
    if probes is None:
        probes = folder / "probes.parquet"
        write_parquet(probes, PROBE_SCHEMA, case.probes)
    out = folder / "published" / "out"
    arguments = [*case.arguments(folder, probes, out)[1:], "--scratch", str(folder / "scratch")]
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, InvalidInput), result.output
    assert not (folder / "published").exists()
    assert not list((folder / "scratch").iterdir() if (folder / "scratch").exists() else [])
    return str(result.exception)


def test_the_good_case_is_good(tmp_path: Path) -> None:
    arguments = CASE.arguments(tmp_path, tmp_path / "p.parquet", tmp_path / "out")
    write_parquet(tmp_path / "p.parquet", PROBE_SCHEMA, GOOD)
    result = CliRunner().invoke(command, [*arguments[1:], "--json"])
    assert result.exit_code == 0, result.exception
    assert (tmp_path / "out" / "node_scores.csv").read_text().endswith("n1,600,100,20\n")


@pytest.mark.parametrize("column", PROBE_SCHEMA.names)
def test_a_missing_column(column: str, tmp_path: Path) -> None:
    position = PROBE_SCHEMA.get_field_index(column)
    rows = [row[:position] + row[position + 1 :] for row in GOOD]
    write_parquet(tmp_path / "p.parquet", PROBE_SCHEMA.remove(position), rows)
    error = refused(CASE, tmp_path, tmp_path / "p.parquet")
    assert f"--probes, {column}:" in error
    assert "lacks a column" in error
    assert len(error.splitlines()) == 1


def test_a_missing_column_in_csv(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("reporter_id,node_id,ts_us,ok\n")
    assert "--probes, latency_us:" in refused(CASE, tmp_path, path)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("ts_us", pa.timestamp("us")),
        ("ts_us", pa.float64()),
        ("ts_us", pa.string()),
        ("latency_us", pa.float64()),
        ("ok", pa.int64()),
        ("node_id", pa.binary()),
    ],
)
def test_a_column_of_a_wrong_type(column: str, kind: Any, tmp_path: Path) -> None:
    position = PROBE_SCHEMA.get_field_index(column)
    table = pa.table(
        [pa.array(c, t) for c, t in zip(zip(*GOOD, strict=True), PROBE_SCHEMA.types, strict=True)],
        schema=PROBE_SCHEMA,
    )
    cast = table.column(position).cast(kind)
    pq.write_table(table.set_column(position, column, cast), tmp_path / "p.parquet")
    error = refused(CASE, tmp_path, tmp_path / "p.parquet")
    assert f"--probes, {column}: is of type" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("size", [0, 3, 11, 200, -1, -9])
def test_a_truncated_parquet_file(size: int, tmp_path: Path) -> None:
    path = tmp_path / "in" / "p.parquet"
    write_parquet(path, PROBE_SCHEMA, GOOD)
    path.write_bytes(path.read_bytes()[:size])
    write_parquet(path.with_name("whole.parquet"), PROBE_SCHEMA, GOOD)
    error = refused(CASE, tmp_path, path.parent)
    assert str(path) in error
    assert "truncated" in error or "no Parquet file" in error


def test_a_parquet_file_broken_inside(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_parquet(path, PROBE_SCHEMA, GOOD)
    content = bytearray(path.read_bytes())
    content[4:120] = bytes(116)
    path.write_bytes(content)
    assert "cannot be read" in refused(CASE, tmp_path, path)


@pytest.mark.parametrize(
    ("unit", "convert"),
    [
        ("seconds", lambda us: us // 10**6),
        ("milliseconds", lambda us: us // 10**3),
        ("nanoseconds", lambda us: us * 10**3),
    ],
)
def test_times_in_another_unit(unit: str, convert: Callable[[int], int], tmp_path: Path) -> None:
    rows = [(r, n, convert(ts), ok, us) for r, n, ts, ok, us in GOOD]
    error = refused(CASE.with_probes(rows), tmp_path)
    assert f"holds {unit} where microseconds belong, in {len(GOOD)} rows" in error


def test_one_file_of_many_in_another_unit(tmp_path: Path) -> None:
    rows = [*GOOD, ("o1", "n1", START + 5, True, 1)]
    error = refused(CASE.with_probes(rows), tmp_path)
    assert "holds seconds where microseconds belong, in 1 row" in error


def test_no_probe_in_the_window(tmp_path: Path) -> None:
    case = replace(CASE, start=START + 86_400, end=START + 87_000)
    error = refused(case, tmp_path)
    assert "holds no probe in the window 2026-06-25T00:00:00Z to 2026-06-25T00:10:00Z" in error
    assert "its times run from 2026-06-24T00:00:00Z to 2026-06-24T00:09:00Z" in error


@pytest.mark.parametrize("end", [START, START - 1])
def test_an_empty_window(end: int, tmp_path: Path) -> None:
    assert "is not after --start" in refused(replace(CASE, end=end), tmp_path)


def test_slots_that_do_not_divide_the_window(tmp_path: Path) -> None:
    error = refused(replace(CASE, slot_seconds=7), tmp_path)
    assert "measurement.toml, slot_seconds: '7' does not divide the window of 600 seconds" in error


@pytest.mark.parametrize("column", ["reporter_id", "node_id"])
def test_unknown_ids_are_counted_and_the_first_listed(column: str, tmp_path: Path) -> None:
    strangers = [f"stranger-{i:02d}" for i in range(30)]
    rows = [
        (s, "n1", START * 10**6, False, None)
        if column == "reporter_id"
        else ("o1", s, START * 10**6, False, None)
        for s in [*strangers, strangers[0]]
    ]
    error = refused(CASE.with_probes([*GOOD, *rows]), tmp_path).splitlines()
    assert len(error) == 21
    assert "'stranger-00' is in no row of operators.csv (2 rows)" in error[0]
    assert "30 in all, the first 20 are listed" in error[-1]


def test_unknown_ids_outside_the_window_are_nobodys_business(tmp_path: Path) -> None:
    rows = [*GOOD, ("stranger", "n1", (START - 1) * 10**6, True, 1)]
    assert CASE.with_probes(rows).measure(tmp_path).rows.outside == 1


def test_an_oracle_that_is_probed(tmp_path: Path) -> None:
    rows = [*GOOD, ("o1", "o2", START * 10**6, True, 1)]
    assert "'o2' is probed and no node (1 row)" in refused(CASE.with_probes(rows), tmp_path)


@pytest.mark.parametrize("latency", [None, -1, 2**40 + 1, -(2**62)])
@pytest.mark.parametrize("reporter", ["o1", "n1"])
def test_a_latency_that_cannot_be(latency: int | None, reporter: str, tmp_path: Path) -> None:
    """Whatever the reporter's role."""
    rows = [*GOOD, (reporter, "n1", START * 10**6 + 7, True, latency)]
    error = refused(CASE.with_probes(rows), tmp_path)
    shown = "" if latency is None else latency
    assert f"'{reporter},n1,{START}000007,true,{shown}' is an ok probe whose latency" in error


def test_the_largest_latency_is_no_error(tmp_path: Path) -> None:
    probes = [*GOOD, ("o1", "n1", START * 10**6 + 7, True, 2**40)]
    assert CASE.with_probes(probes).measure(tmp_path).results[0].tally.percentiles[99] == 2**40


@pytest.mark.parametrize("column", range(4))
def test_a_null_where_there_must_be_a_value(column: int, tmp_path: Path) -> None:
    row: list[Any] = list(GOOD[0])
    row[column] = None
    rows: list[Any] = [*GOOD, tuple(row)]
    assert "has a blank cell or one of another type" in refused(CASE.with_probes(rows), tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "o1,n1,1782259200000001,TRUE,5",
        "o1,n1,1782259200000001,1,5",
        "o1,n1,1782259200000001.0,true,5",
        "o1,n1,1.7e15,true,5",
        "o1,n1,01782259200000001,true,5",
        "o1,n1,99999999999999999999,true,5",
        "o1,n1,1782259200000001,true,5 ",
        "o1,n1,1782259200000001,false,fast",
        "o1,n1,1782259200000001,true,\u0665",
    ],
)
def test_a_csv_cell_of_another_type(line: str, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    lines = ["reporter_id,node_id,ts_us,ok,latency_us", f"o1,n1,{START}000000,true,5", line]
    path.write_text("\n".join(lines) + "\n")
    error = refused(CASE, tmp_path, path)
    assert "has a blank cell or one of another type" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("line", ["o1,n1,1782259200000001,true", "o1,n1,1782259200000001,true,5,6"])
def test_a_ragged_csv_row(line: str, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"reporter_id,node_id,ts_us,ok,latency_us\n{line}\n")
    assert "--probes: cannot be read" in refused(CASE, tmp_path, path)


def test_csv_files_whose_columns_differ(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text("reporter_id,node_id,ts_us,ok,latency_us\n")
    (folder / "b.csv").write_text("node_id,reporter_id,ts_us,ok,latency_us\n")
    assert "has other columns than the first file" in refused(CASE, tmp_path, folder)


def test_nothing_there(tmp_path: Path) -> None:
    assert "cannot be read" in refused(CASE, tmp_path, tmp_path / "nowhere.parquet")
    (tmp_path / "empty").mkdir()
    assert "holds no telemetry" in refused(CASE, tmp_path, tmp_path / "empty")
    assert "holds no telemetry" in refused(CASE, tmp_path, tmp_path / "*.nothing")


def test_mixed_and_unknown_formats(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_parquet(folder / "a.parquet", PROBE_SCHEMA, GOOD)
    (folder / "b.csv").write_text("x\n")
    assert "mixes Parquet and CSV" in refused(CASE, tmp_path, folder)
    shutil.copy(folder / "a.parquet", tmp_path / "a.orc")
    assert "is of no known format" in refused(CASE, tmp_path, tmp_path / "a.orc")


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ('mode = "both"', "mode: 'both' is not one of"),
        ("slot_seconds = 0", "slot_seconds: '0' is not within"),
        ('quorum = "0"', "quorum: '0' is not above 0"),
        ('quorum = "3/2"', "quorum: '3/2' is not above 0 and at most 1"),
        ("quorum = 0.5", "quorum: '0.5' is a number with a point where text belongs"),
        ('min_coverage = "1.1"', "min_coverage: '1.1' is not above 0"),
        ('repeats = "trust"', "repeats: 'trust' is not one of"),
        ("patience = 3", "patience: 'patience' is an unknown key"),
    ],
)
def test_settings_that_are_wrong(
    wrong: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = wrong.split(" ", maxsplit=1)[0]
    lines = [line for line in CASE.config().splitlines() if not line.startswith(key)]
    monkeypatch.setattr(Case, "config", lambda _: "\n".join([*lines, wrong]))
    assert problem in refused(CASE, tmp_path)


@pytest.mark.parametrize("key", ["mode", "slot_seconds", "quorum", "min_coverage"])
def test_settings_that_are_missing(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line for line in CASE.config().splitlines() if not line.startswith(key)]
    monkeypatch.setattr(Case, "config", lambda _: "\n".join(lines))
    assert f"measurement.toml, {key}: is missing" in refused(CASE, tmp_path)


def test_an_id_with_two_roles(tmp_path: Path) -> None:
    case = replace(CASE, operators=[*MACHINES, ("n1", "c", "oracle")])
    assert "operators.csv, row 5, id: 'n1' is a duplicate" in refused(case, tmp_path)


def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rewards.measure import nodes

    original = nodes._tally

    def slow(*arguments: Any, **named: Any) -> Any:
        write_parquet(tmp_path / "probes.parquet", PROBE_SCHEMA, GOOD[:-1])
        return original(*arguments, **named)

    monkeypatch.setattr(nodes, "_tally", slow)
    assert "was changed while it was being read" in refused(CASE, tmp_path)


def test_a_folder_with_other_content_is_never_overwritten(tmp_path: Path) -> None:
    write_parquet(tmp_path / "p.parquet", PROBE_SCHEMA, GOOD)
    arguments = CASE.arguments(tmp_path, tmp_path / "p.parquet", tmp_path / "out")[1:]
    assert CliRunner().invoke(command, arguments).exit_code == 0
    assert CliRunner().invoke(command, arguments).exit_code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    write_parquet(tmp_path / "p.parquet", PROBE_SCHEMA, GOOD[:-1])
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, InvalidInput)
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


# --- wallets -----------------------------------------------------------------------------------

EVENT = ("e1", "w1", "signature", START * 10**6, True)


def measure_events(folder: Path, rows: list[Any], *more: str) -> FindingsError | None:
    write_parquet(folder / "events.parquet", EVENT_SCHEMA, rows)
    wallets = write_wallets(folder / "wallets.csv", [("w1", "0x" + "1" * 40, True, "1", 0)])
    result = CliRunner().invoke(
        command,
        [
            *("wallets", "--events", str(folder / "events.parquet"), "--wallets", str(wallets)),
            *("--start", "2026-06-24T00:00:00Z", "--end", "2026-07-01T00:00:00Z"),
            *("--out", str(folder / "out"), *more),
        ],
    )
    assert result.exception is None or isinstance(result.exception, FindingsError), result.output
    return result.exception


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([EVENT, ("e1", "w2", *EVENT[2:])], "is the event_id of two wallets or of two kinds"),
        ([EVENT, ("e1", "w1", "connection", *EVENT[3:])], "is the event_id of two wallets"),
        ([EVENT, ("e2", "w1", "swap", *EVENT[3:])], "is of neither kind"),
        ([EVENT, (None, *EVENT[1:])], "has a blank cell"),
        ([("e1", "w1", "signature", START, True)], "holds seconds where microseconds belong"),
        ([("e1", "w1", "signature", (START - 1) * 10**6, True)], "holds no event in the window"),
        ([], "there is no row at all"),
    ],
)
def test_events_that_are_wrong(rows: list[Any], problem: str, tmp_path: Path) -> None:
    error = measure_events(tmp_path, rows)
    assert isinstance(error, InvalidInput)
    assert problem in str(error)
    assert not (tmp_path / "out").exists()


def test_an_event_outside_or_failed_may_share_an_id(tmp_path: Path) -> None:
    rows = [
        EVENT,
        ("e1", "w2", "signature", (START - 1) * 10**6, True),
        ("e1", "w2", "signature", START * 10**6, False),
    ]
    assert measure_events(tmp_path, rows) is None
    published = (tmp_path / "out" / "wallet_scores.csv").read_text().splitlines()
    assert published[1] == "w1,0x1111111111111111111111111111111111111111,0,1,true,1,0"


def test_an_unknown_wallet_is_a_finding_and_not_paid(tmp_path: Path) -> None:
    error = measure_events(tmp_path, [EVENT, ("e2", "w2", *EVENT[2:])])
    assert isinstance(error, CheckFailed)
    assert "'w2' is in no row of wallets.csv (1 event)" in str(error)
    published = (tmp_path / "out" / "wallet_scores.csv").read_text()
    assert "w1" in published
    assert "w2" not in published


# --- engines -----------------------------------------------------------------------------------


def test_spark_without_pyspark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    original = builtins.__import__

    def no_spark(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("pyspark"):
            raise ImportError(name)
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", no_spark)
    error = measure_events(tmp_path, [EVENT], "--engine", "spark")
    assert "needs PySpark; pip install 'wct-rewards[spark]'" in str(error)


def test_a_memory_that_is_no_size(tmp_path: Path) -> None:
    assert "--memory: 'lots'" in str(measure_events(tmp_path, [EVENT], "--memory", "lots"))


def test_cloud_locations_go_through_to_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is asked to read the very location; its own words come back as a finding."""
    import ibis.backends.duckdb
    from pyarrow import fs

    asked: list[Any] = []

    case = random_case(3)
    expected = case.expected().scores
    store = tmp_path / "store" / "bucket" / "probes"
    write_parquet(store / "a.parquet", PROBE_SCHEMA, case.probes)
    local = fs.SubTreeFileSystem(str(tmp_path / "store"), fs.LocalFileSystem())
    monkeypatch.setattr(sources, "_file_system", lambda uri: (local, uri.partition("://")[2]))

    def scan(self: Any, paths: Any, **named: Any) -> Any:
        if not isinstance(paths, list):
            return original(self, paths, **named)
        asked.extend(paths)
        return original(self, [str(store / "a.parquet")], **named)

    original = ibis.backends.duckdb.Backend.read_parquet
    monkeypatch.setattr(ibis.backends.duckdb.Backend, "read_parquet", scan)
    measurement = case.measure(tmp_path / "x", "gs://bucket/probes")  # type: ignore[arg-type]
    assert asked == ["gs://bucket/probes"]
    assert scores(measurement) == expected
    assert [file.name for file in measurement.telemetry] == ["a.parquet"]
