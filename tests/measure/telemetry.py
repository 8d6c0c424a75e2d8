"""Random telemetry for both engines, and how to write it down and measure it."""

from __future__ import annotations

import csv
import gzip
import io
import random
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from rewards.files.grammar import format_time
from rewards.measure.engines import DuckDb, Engine
from rewards.measure.nodes import NodeMeasurement, measure_nodes, read_node_inputs
from rewards.measure.outputs import MANIFEST, node_files, wallet_files
from rewards.measure.records import MeasuredWindow
from rewards.measure.wallets import measure_wallets
from tests.measure import reference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.measure.reference import Event, Expected, Probe

START = 1_782_259_200
PROBE_COLUMNS = ("reporter_id", "node_id", "ts_us", "ok", "latency_us")
PROBE_SCHEMA = pa.schema(
    [
        ("reporter_id", pa.string()),
        ("node_id", pa.string()),
        ("ts_us", pa.int64()),
        ("ok", pa.bool_()),
        ("latency_us", pa.int64()),
    ]
)
EVENT_COLUMNS = ("event_id", "wallet_id", "kind", "ts_us", "ok")
EVENT_SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("wallet_id", pa.string()),
        ("kind", pa.string()),
        ("ts_us", pa.int64()),
        ("ok", pa.bool_()),
    ]
)

Operators = list[tuple[str, str, str]]


def silent(_: str) -> None:
    """Progress that nobody reads."""


@dataclass(frozen=True)
class Case:
    """One measurement: telemetry, registry, settings."""

    probes: list[Probe]
    operators: Operators
    mode: str = "oracles"
    start: int = START
    end: int = START + 600
    slot_seconds: int = 60
    quorum: str = "2/3"
    min_coverage: str = "0.9"
    repeats: str | None = None
    overrides: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def with_probes(self, probes: Sequence[Probe]) -> Case:
        return replace(self, probes=list(probes))

    def expected(self) -> Expected:
        return reference.measure_nodes(
            self.probes,
            self.operators,
            mode=self.mode,
            start=self.start,
            end=self.end,
            slot_seconds=self.slot_seconds,
            quorum=Fraction(self.quorum),
            min_coverage=Fraction(self.min_coverage),
            trusted_unique=self.repeats == "trusted_unique",
            overrides=self.overrides,
        )

    def config(self) -> str:
        lines = [
            f'mode = "{self.mode}"',
            f"slot_seconds = {self.slot_seconds}",
            f'quorum = "{self.quorum}"',
            f'min_coverage = "{self.min_coverage}"',
        ]
        if self.repeats:
            lines.append(f'repeats = "{self.repeats}"')
        return "\n".join(lines) + "\n"

    def write_small(self, folder: Path) -> tuple[Path, Path, Path | None]:
        """Write everything but the probes: operators.csv, measurement.toml, overrides.csv."""
        folder.mkdir(parents=True, exist_ok=True)
        operators, config = folder / "operators.csv", folder / "measurement.toml"
        operators.write_bytes(csv_bytes(("id", "operator_id", "role"), self.operators))
        config.write_text(self.config())
        if not self.overrides:
            return operators, config, None
        overrides = folder / "overrides.csv"
        overrides.write_bytes(
            csv_bytes(
                (
                    *("node_id", "uptime_seconds", "response_time_us", "requests"),
                    *("reason", "approved_by"),
                ),
                [(n, *row, "Oracles were moved", "A. Person") for n, row in self.overrides.items()],
            )
        )
        return operators, config, overrides

    def arguments(self, folder: Path, probes: Path | str, out: Path) -> list[str]:
        """The command line of this measurement."""
        operators, config, overrides = self.write_small(folder)
        return [
            *("measure", "nodes", "--probes", str(probes), "--operators", str(operators)),
            *("--config", str(config), "--out", str(out)),
            *("--start", format_time(self.start), "--end", format_time(self.end)),
            *(("--overrides", str(overrides)) if overrides else ()),
        ]

    def measure(
        self,
        folder: Path,
        probes: Path | None = None,
        open_engine: Callable[[Path], Engine] | None = None,
    ) -> NodeMeasurement:
        """Measure; by default a single Parquet file on DuckDB."""
        operators, config, overrides = self.write_small(folder)
        if probes is None:
            probes = folder / "probes.parquet"
            write_parquet(probes, PROBE_SCHEMA, self.probes)
        window = MeasuredWindow(self.start, self.end)
        inputs = read_node_inputs(window, operators, config, overrides)
        engine = open_engine(folder) if open_engine else duckdb(folder)
        try:
            return measure_nodes(inputs, str(probes), engine, silent)
        finally:
            engine.close()


def duckdb(folder: Path) -> DuckDb:
    return DuckDb("512MB", folder / "scratch", silent)


def measure_events(
    folder: Path,
    events: Path,
    wallets: Path,
    window: MeasuredWindow,
    engine: Engine | None = None,
) -> dict[str, bytes]:
    engine = engine or duckdb(folder)
    try:
        return wallet_files(measure_wallets(window, wallets, str(events), engine, silent))
    finally:
        engine.close()


# --- what was published ------------------------------------------------------------------------


def rows_of(content: bytes) -> list[list[str]]:
    """The rows of a CSV file below its header."""
    return list(csv.reader(io.StringIO(content.decode())))[1:]


def scores(measurement: NodeMeasurement) -> list[list[str]]:
    return rows_of(node_files(measurement)["node_scores.csv"])


def evidence(measurement: NodeMeasurement) -> list[list[str]]:
    return rows_of(node_files(measurement)["node_evidence.csv"])


def tables(files: dict[str, bytes]) -> dict[str, bytes]:
    """What must not depend on the engine: all but the manifest, which names it."""
    return {name: content for name, content in files.items() if name != MANIFEST}


# --- writing it down ---------------------------------------------------------------------------


def csv_bytes(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def write_parquet(
    path: Path, schema: pa.Schema, rows: Sequence[Sequence[Any]], row_group: int = 1000
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
    pq.write_table(pa.table(arrays, schema=schema), path, row_group_size=row_group)


def write_forms(
    folder: Path, rows: list[Any], names: Sequence[str], schema: pa.Schema
) -> dict[str, Path]:
    """The same rows in every form that is read: name of the form → where it lies."""
    forms = {
        "one Parquet file": folder / "one.parquet",
        "one CSV file": folder / "one.csv",
        "compressed CSV": folder / "one.csv.gz",
        "a folder of Parquet files, one empty": folder / "parts",
        "a folder of CSV files": folder / "lines",
        "folders by a column": folder / "by-column",
    }
    write_parquet(forms["one Parquet file"], schema, rows)
    forms["one CSV file"].write_bytes(csv_bytes(names, rows))
    with gzip.open(forms["compressed CSV"], "wb") as handle:
        handle.write(csv_bytes(names, rows))
    parts = forms["a folder of Parquet files, one empty"]
    write_parquet(parts / "2026" / "a.parquet", schema, rows[::2])
    write_parquet(parts / "2026" / "b.parquet", schema, rows[1::2])
    write_parquet(parts / "c.parquet", schema, [])
    (parts / "_SUCCESS").write_bytes(b"")
    lines = forms["a folder of CSV files"]
    lines.mkdir()
    (lines / "b.csv").write_bytes(b"\xef\xbb\xbf" + csv_bytes(names, rows[::3]))
    (lines / "a.csv").write_bytes(csv_bytes(names, rows[1::3]).replace(b"\n", b"\r\n"))
    (lines / "c.csv").write_bytes(csv_bytes(names, rows[2::3]).rstrip(b"\n"))
    column = names[1]
    rest = [i for i, name in enumerate(names) if name != column]
    for value in sorted({row[1] for row in rows}):
        write_parquet(
            forms["folders by a column"] / f"{column}={value}" / "x.parquet",
            pa.schema([schema.field(i) for i in rest]),
            [[row[i] for i in rest] for row in rows if row[1] == value],
        )
    return forms


# --- making it up ------------------------------------------------------------------------------


def random_case(seed: int) -> Case:
    """A small measurement in which everything can happen."""
    rng = random.Random(seed)
    mode = rng.choice(["oracles", "peers"])
    companies = [f"op-{i}" for i in range(rng.randint(1, 5))]
    operators: Operators = [
        (f"node-{i}", rng.choice(companies), "node") for i in range(rng.randint(1, 5))
    ]
    operators += [
        (f"oracle-{i}", rng.choice([*companies, f"watch-{i}"]), "oracle")
        for i in range(rng.randint(1, 4))
    ]
    slot = rng.choice([1, 20, 60])
    slots = rng.randint(1, 12)
    case = Case(
        [],
        operators,
        mode=mode,
        end=START + slot * slots,
        slot_seconds=slot,
        quorum=rng.choice(["2/3", "1/2", "1/7", "1", "0.334"]),
        min_coverage=rng.choice(["0.9", "1/3", "1", "0.000000000000000001"]),
        repeats=rng.choice([None, None, "merged"]),
    )
    nodes = [name for name, _, role in operators if role == "node"]
    if rng.random() < 0.2:
        case.overrides[rng.choice(nodes)] = (rng.randint(0, slot * slots), 5, 1)
    return case.with_probes(random_probes(rng, case, nodes))


def random_probes(rng: random.Random, case: Case, nodes: list[str]) -> list[Probe]:
    reporters = [name for name, *_ in case.operators]
    # A few instants only, so that repeats, ties and the edges of slots occur.
    length = (case.end - case.start) * 10**6
    instants = [case.start * 10**6 + rng.randrange(length) for _ in range(rng.randint(1, 60))]
    instants += [case.start * 10**6, case.end * 10**6 - 1, case.end * 10**6, case.start * 10**6 - 1]
    instants += [
        (case.start + case.slot_seconds * rng.randint(0, 12)) * 10**6 - rng.randint(0, 1)
        for _ in range(6)
    ]
    skewed = rng.random() < 0.3
    health = {node: rng.choice([0.1, 0.5, 0.95, 1.0]) for node in nodes}
    probes: list[Probe] = [(reporters[-1], nodes[0], instants[0], True, 7)]
    for _ in range(rng.choice([0, 30, 200, 600])):
        node = nodes[0] if skewed and rng.random() < 0.9 else rng.choice(nodes)
        ok = rng.random() < health[node]
        latency: int | None = random_latency(rng)
        if not ok:  # whatever stands there is not read
            latency = rng.choice([None, -5, 2**41, 12])
        probes.append((rng.choice(reporters), node, rng.choice(instants), ok, latency))
    return probes


def random_latency(rng: random.Random) -> int:
    return rng.choice(
        [
            0,
            2**40,
            rng.randrange(100),
            rng.randrange(50_000, 60_000),
            rng.randrange(2**22),
            rng.randrange(2**40),
        ]
    )


def random_events(seed: int) -> tuple[list[Event], list[tuple[str, str, bool, str, int]]]:
    rng = random.Random(seed)
    wallets = [
        (f"wallet-{i}", f"0x{i + 1:040x}", rng.random() < 0.5, rng.choice(["1", "0.5"]), i * 10**18)
        for i in range(rng.randint(1, 6))
    ]
    names = [*(wallet[0] for wallet in wallets), *(["stranger"] if rng.random() < 0.3 else [])]
    events: list[Event] = [("first", names[0], "signature", START * 10**6, True)]
    for number in range(rng.choice([0, 20, 300])):
        events.append(
            (
                f"event-{number}",
                rng.choice(names),
                rng.choice(["connection", "signature"]),
                START * 10**6 + rng.randrange(-(10**6), 602 * 10**6),
                rng.random() < 0.9,
            )
        )
    events += [rng.choice(events) for _ in range(rng.choice([0, 40]))]
    rng.shuffle(events)
    return events, wallets


def write_wallets(path: Path, wallets: list[tuple[str, str, bool, str, int]]) -> Path:
    names = ("wallet_id", "payout_address", "certified", "ux_score", "stake_weight")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(csv_bytes(names, wallets))
    return path
