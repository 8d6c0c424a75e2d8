"""The measurement of many probes beside the same in pandas: time and peak memory, side by side.

Every contender runs in a process of its own, so that its peak memory is its own, and prints the
hash of its scores: the table is only printed when all agree.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from rewards.files.csv_tables import canonical_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Measure = Callable[[Path, Path, str], tuple[bytes, float]]
    """Returns node_scores.csv, and how long sums, votes and coverage took."""

START, SECONDS = 1_782_259_200, 86_400
ORACLES, NODES, OPERATORS = 64, 256, 128
SMALL_PART = 10
MEBIBYTE = 1024
"""ru_maxrss is in KiB."""
QUERY = """
    COPY (
        SELECT
            printf('oracle-%02d.watch', hash(3 * i + 1) % {oracles}) AS reporter_id,
            printf('node-%03d.site', hash(3 * i + 2) % {nodes}) AS node_id,
            {start}::BIGINT * 1000000
                + (i::HUGEINT * {seconds} * 1000000 // {rows})::BIGINT AS ts_us,
            hash(7 * i + 3) % 100 <> 0 AS ok,
            CASE WHEN hash(7 * i + 3) % 100 = 0 THEN NULL
                ELSE 20000 + hash(11 * i) % 60000 + (hash(13 * i) % 1000 = 0)::INT * 2000000
            END::BIGINT AS latency_us
        FROM range({rows}) t(i)
    ) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""


HEAD = """\
# Measurement beside pandas

Written by `make benchmark-measure`, which takes about five minutes and, for pandas, 11 GB of memory
at 50 million probes. Each line is a process of its own, and all scores are the same to the byte.

*Sums, votes, coverage* is what both do: the latency sums of every node, each operator's vote in
every slot, and from the votes uptime and coverage. For `rewards measure` it includes judging every
row and keeping the latencies on disk; *all* adds the SHA-256 of the file, percentiles and evidence.
*Factor* compares the time of sums, votes and coverage with that of pandas, which reads the whole
file into memory and uses one core.

"""


def main(rows: int, folder: Path, report: Path) -> int:
    """Run every contender on `rows` probes, ours also on a tenth; write a Markdown table."""
    folder.mkdir(parents=True, exist_ok=True)
    write_inputs(folder)
    small, large = (generate(count, folder) for count in (rows // SMALL_PART, rows))
    runs = [
        ("rewards measure, trusted_unique", "trusted", large),
        ("the same on a tenth of the rows", "trusted", small),
        ("rewards measure, every repeat found", "merged", large),
        ("the same on a tenth of the rows", "merged", small),
        ("pandas, trusting too", "pandas", large),
    ]
    results = [(label, path, contend(name, path, folder)) for label, name, path in runs]
    hashes: dict[Path, set[str]] = {}
    for _, path, result in results:
        hashes.setdefault(path, set()).add(result["scores"])
    if any(len(found) != 1 for found in hashes.values()):
        sys.stderr.write(f"the scores differ: {results}\n")
        return 1
    text = table_of(rows, results)
    report.write_text(HEAD + text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def table_of(rows: int, results: Sequence[tuple[str, Path, dict[str, str]]]) -> str:
    """Return what was measured as Markdown; the last result is pandas'."""
    yardstick = float(results[-1][2]["core"])
    lines = [
        (
            f"{rows:,} probes of {ORACLES} oracles on {NODES} nodes in {SECONDS // 60:,} slots,"
            f" {os.cpu_count()} cores, DuckDB {version('duckdb')}, pandas {version('pandas')}:"
        ),
        "",
        "| | probes | all, s | sums, votes, coverage, s | processor, s | peak, MiB | factor |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for label, path, result in results:
        count = int(path.stem.rpartition("-")[2])
        ratio = f"{yardstick / float(result['core']):.1f}" if count == rows else ""
        numbers = " | ".join(result[key] for key in ("seconds", "core", "cpu", "rss"))
        lines.append(f"| {label} | {count:,} | {numbers} | {ratio} |")
    return "\n".join(lines) + "\n"


def generate(rows: int, folder: Path) -> Path:
    """Write the probes, in time order, once."""
    import duckdb

    path = folder / f"probes-{rows}.parquet"
    if not path.exists():
        sys.stderr.write(f"writing {rows:,} probes\n")
        partial = path.with_suffix(".partial")
        duckdb.sql(
            QUERY.format(
                oracles=ORACLES, nodes=NODES, start=START, seconds=SECONDS, rows=rows, path=partial
            )
        )
        partial.rename(path)
    return path


def write_inputs(folder: Path) -> None:
    """Write operators.csv and both settings."""
    machines = [(f"node-{i:03d}.site", f"op-{i % OPERATORS}", "node") for i in range(NODES)]
    # Some oracles are run by operators of nodes, whose own nodes they do not judge.
    machines += [(f"oracle-{i:02d}.watch", f"op-{2 * i}", "oracle") for i in range(ORACLES)]
    table = canonical_csv(("id", "operator_id", "role"), sorted(machines))
    (folder / "operators.csv").write_bytes(table)
    settings = 'mode = "oracles"\nslot_seconds = 60\nquorum = "1/20"\nmin_coverage = "0.5"\n'
    (folder / "merged.toml").write_text(settings)
    (folder / "trusted.toml").write_text(settings + 'repeats = "trusted_unique"\n')


def contend(name: str, probes: Path, folder: Path) -> dict[str, str]:
    """Run a contender in its own process; return seconds, peak memory and hash of the scores."""
    sys.stderr.write(f"{name} on {probes.name}\n")
    arguments = ", ".join(repr(text) for text in (name, str(probes), str(folder)))
    code = f"from tests.measure.benchmark import child; child({arguments})"
    run = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    result: dict[str, str] = json.loads(run.stdout)
    sys.stderr.write(f"  {result}\n")
    return result


def child(name: str, probes: str, folder: str) -> None:
    """Measure in this process and print the result as JSON."""
    measure: Measure = in_pandas if name == "pandas" else by_rewards
    began = time.perf_counter()
    scores, core = measure(Path(probes), Path(folder), name)
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    result = {
        "seconds": f"{seconds:.1f}",
        "core": f"{core:.1f}",
        "cpu": f"{used.ru_utime + used.ru_stime:.1f}",
        "rss": str(used.ru_maxrss // MEBIBYTE),
        "scores": hashlib.sha256(scores).hexdigest(),
    }
    sys.stdout.write(json.dumps(result))


def by_rewards(probes: Path, folder: Path, name: str) -> tuple[bytes, float]:
    """Do all that `rewards measure nodes` does; tell how long it took without hashes and evidence.

    What is left are the counts of all rows, sums, votes and slots, and that the latencies are kept
    for the percentiles.
    """
    from rewards.measure.engines import open_engine
    from rewards.measure.nodes import measure_nodes, read_node_inputs
    from rewards.measure.outputs import node_files
    from rewards.measure.records import MeasuredWindow

    began = time.perf_counter()
    marks: dict[str, float] = {}

    def progress(message: str) -> None:
        marks.setdefault(message.split(maxsplit=1)[0], time.perf_counter())
        sys.stderr.write(f"  [{time.perf_counter() - began:6.1f} s] {message}\n")

    window = MeasuredWindow(START, START + SECONDS)
    config = folder / f"{name}.toml"
    inputs = read_node_inputs(window, folder / "operators.csv", config, None)
    engine = open_engine("duckdb", progress, scratch=folder / "scratch")
    try:
        files = node_files(measure_nodes(inputs, str(probes), engine, progress))
    finally:
        engine.close()
    return files["node_scores.csv"], marks["finding"] - marks["counting"]


def in_pandas(probes: Path, folder: Path, _: str) -> tuple[bytes, float]:
    """Do node sums, slot votes and coverage alone, as one would in pandas; repeats are trusted."""
    import pandas as pd

    began = time.perf_counter()
    machines = pd.read_csv(folder / "operators.csv", dtype=str).set_index("id")
    frame = pd.read_parquet(probes)
    start = START * 10**6
    frame = frame[(frame.ts_us >= start) & (frame.ts_us < start + SECONDS * 10**6)]
    reporter = frame.reporter_id.astype("category")
    node = frame.node_id.astype("category")
    operator = reporter.map(machines.operator_id).astype("category")
    frame = frame.assign(
        operator=operator, node=node, slot=((frame.ts_us - start) // (60 * 10**6)).astype("int32")
    )
    own = node.map(machines.operator_id)
    judges = reporter.map(machines.role).astype(str) == "oracle"
    frame = frame[judges & (operator.astype(str) != own.astype(str))]
    answered = frame[frame.ok]
    sums = answered.groupby("node", observed=True).latency_us.agg(["sum", "count"])
    votes = frame.groupby(["node", "slot", "operator"], observed=True).ok.agg(["sum", "count"])
    votes["up"] = 2 * votes["sum"] > votes["count"]
    slots = votes.groupby(["node", "slot"], observed=True).up.agg(["sum", "count"]).reset_index()
    oracles = machines[machines.role == "oracle"].operator_id
    k = {n: len(set(oracles) - {machines.operator_id[n]}) for n in machines.index}
    needed = slots.node.map({n: max(1, -(-count // 20)) for n, count in k.items()}).astype(int)
    slots = slots[slots["count"] >= needed]
    slots["up"] = 2 * slots["sum"] > slots["count"]
    by_node = slots.groupby("node", observed=True).up.agg(["sum", "count"])
    covered = by_node[by_node["count"] * 2 >= SECONDS // 60]
    rows = [
        (
            name,
            str(SECONDS * int(covered["sum"][name]) // int(covered["count"][name])),
            str(int(sums["sum"][name])),
            str(int(sums["count"][name])),
        )
        for name in sorted(map(str, covered.index))
    ]
    header = ("node_id", "uptime_seconds", "response_time_us", "requests")
    return canonical_csv(header, rows), time.perf_counter() - began
