"""Measure and write down: the whole epoch, the tree side by side, hash rates, starts.

Every figure is a process of its own, measured from outside: wall time, CPU time of all its threads,
peak memory. On a machine with other work the CPU time tells more than the wall time.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewards.sample import copy_season
from tests.benchmarks.epochs import write_epochs
from tests.benchmarks.plot import plot
from tests.large.javascript import CONTRACTS, node

HERE = Path(__file__).parent
REWARDS = [sys.executable, "-m", "rewards"]
WITHOUT_FAST = [
    sys.executable,
    "-c",
    "import sys; sys.modules['numba'] = None; from rewards.cli import main; main()",
]
SLOW_TREES_UP_TO = 100_000


@dataclass(frozen=True)
class Measured:
    wall: float
    cpu: float
    megabytes: float
    output: str

    def __str__(self) -> str:
        return f"{self.wall:.2f} | {self.cpu:.2f} | {self.megabytes:.0f}"


def measure(*command: object) -> Measured:
    """Run a command; return what it took."""
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=output)
        # Not ru_maxrss: a child inherits the peak of the process that started it.
        peak, pid = 0, 0
        while not pid:
            peak = max(peak, high_water(process.pid))
            time.sleep(0.005)
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise RuntimeError(f"{command}: {text}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, peak / 1024, text)


def high_water(pid: int) -> int:
    """Return the most memory in KiB that a running process held so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    lines = (line.split() for line in status.splitlines() if line.startswith("VmHWM"))
    return next((int(words[1]) for words in lines), 0)


def best(*command: object, times: int = 5) -> Measured:
    return min((measure(*command) for _ in range(times)), key=lambda m: m.wall)


def machine() -> list[str]:
    cpu = next(
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    flags = next(
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")
    ).split()
    vectors = next((f for f in ("avx512f", "avx2", "sse2") if f in flags), "none")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"- {cpu} ({vectors}), {os.cpu_count()} logical processors, {memory:.0f} GiB",
        f"- {platform.system()} {platform.release()}, Python {platform.python_version()}",
        f"- load average at the start {os.getloadavg()[0]:.1f} (0 is an idle machine)",
    ]


def epoch_rows(root: Path, count: int) -> tuple[list[str], dict[str, float]]:
    first, second = write_epochs(root / str(count), count)
    outs = root / str(count)
    measure(*REWARDS, "compute", first, "--out", outs / "1")
    rows = []
    points = {}
    for name, command in (("`fast`", REWARDS), ("without", WITHOUT_FAST)):
        out = outs / name.strip("`")
        done = measure(*command, "compute", second, "--previous", outs / "1", "--out", out)
        points[f"compute, {name.strip('`')}"] = done.wall
        rows.append(f"| {count:,} | compute, {name} | {done} |")
    out = outs / "fast"
    if any((out / f.name).read_bytes() != f.read_bytes() for f in (outs / "without").glob("*.*")):
        raise RuntimeError("the two ways differ")
    done = measure(*REWARDS, "verify", out, "--previous", outs / "1")
    points["verify"] = done.wall
    rows.append(f"| {count:,} | verify, `fast` | {done} |")
    table = (out / "allocations.csv").read_text().splitlines()
    account = table[len(table) // 2].split(",")[0]
    rows.append(f"| {count:,} | prove | {best(*REWARDS, 'prove', out, account)} |")
    return rows, points


def size_row(out: Path, count: int) -> str:
    tree = next(out / n for n in ("tree.bin", "distribution.json") if (out / n).exists())
    sizes = [
        f"{path.stat().st_size / 1e6:.1f}"
        for path in (out / "inputs/wallet_scores.csv", out / "wallets.csv", out / "allocations.csv")
    ]
    return f"| {count:,} | {' | '.join(sizes)} | {tree.stat().st_size / 1e6:.1f} ({tree.name}) |"


def tree_rows(root: Path, count: int, *, slow: bool) -> tuple[list[str], dict[str, float]]:
    out = root / str(count) / "fast"
    manifest = json.loads((out / "manifest.json").read_text())
    leaves = root / f"leaves-{count}.csv"
    with (out / "allocations.csv").open() as source, leaves.open("w") as target:
        pairs = [(r["account"], r["cumulative"]) for r in csv.DictReader(source)]
        pairs = [pair for pair in pairs if pair[1] != "0"]
        pairs.append((manifest["distributor"], manifest["cumulative_total"]))
        target.writelines(f"{account},{amount}\n" for account, amount in sorted(pairs))
    domain = (manifest["chain_id"], manifest["distributor"], manifest["epoch"])
    ours, plain = HERE / "our_tree.py", HERE / "plain_tree.py"
    ways: dict[str, list[object]] = {
        "this tool, `fast`, warm": [sys.executable, ours, leaves, *domain, "yes"],
        "this tool, without": [sys.executable, ours, leaves, *domain, "no"],
    }
    if slow or count <= SLOW_TREES_UP_TO:
        modules = CONTRACTS / "package.json"
        ways["straightforward Python"] = [sys.executable, plain, leaves, *domain]
        ways["npm @openzeppelin/merkle-tree"] = [
            node(), "--max-old-space-size=8192", HERE / "npm_tree.mjs", modules, leaves, *domain,
        ]  # fmt: skip
    rows, points = [], {}
    for name, command in ways.items():
        done = measure(*command)
        answer: dict[str, Any] = json.loads(done.output.splitlines()[-1])
        if answer["root"] != manifest["merkle_root"]:
            raise RuntimeError(f"{name} has another root")
        points[f"tree, {name}".replace("`", "")] = answer["seconds"]
        rows.append(f"| {len(pairs):,} | {name} | {answer['seconds']:.3f} | {done.megabytes:.0f} |")
        if "limit" in answer and name.endswith("warm"):
            rates = (answer["reached"] / 1e6, answer["limit"] / 1e6)
    rows[0] += f" <!-- {rates[0]:.1f} of {rates[1]:.1f} -->"
    return rows, points


def starts(root: Path) -> list[str]:
    season = root / "season"
    copy_season(season)
    for _ in range(3):
        measure(*REWARDS, "compute", "--season", season)
    table = (season / "epochs/000003/allocations.csv").read_text().splitlines()
    account = table[1].split(",")[0]
    commands: dict[str, list[object]] = {
        "--help": ["--help"],
        "prove": ["prove", "--season", season, account],
        "explain": ["explain", "--season", season, account],
        "diff": ["diff", "--season", season, "2", "3"],
    }
    return [f"| {name} | {best(*REWARDS, *words)} |" for name, words in commands.items()]


def main(arguments: list[str]) -> None:
    """Measure; `--full` goes to 5M wallets and the slow trees to 1M, `--quick` to 10,000."""
    full, quick = "--full" in arguments, "--quick" in arguments
    counts = [10_000] if quick else [10_000, 100_000, 1_000_000, *([5_000_000] if full else [])]
    root = Path(tempfile.mkdtemp(prefix="rewards-benchmark-"))
    lines = ["# Benchmarks", "", "Made by `make benchmarks`; never asserted by a test.", ""]
    lines += ["## Machine", "", *machine(), ""]
    series: dict[str, dict[int, float]] = {}
    epochs: list[str] = []
    trees: list[str] = []
    sizes: list[str] = []
    try:
        for count in counts:
            print(f"{count:,} wallets", file=sys.stderr, flush=True)
            for table, (rows, points) in (
                (epochs, epoch_rows(root, count)),
                (trees, tree_rows(root, count, slow=full and count <= 1_000_000)),
            ):
                table.extend(rows)
                for name, seconds in points.items():
                    series.setdefault(name, {})[count] = seconds
            sizes.append(size_row(root / str(count) / "fast", count))
            shutil.rmtree(root / str(count))
        started = starts(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    comment = next(row for row in reversed(trees) if "<!--" in row)
    reached, limit = comment.split("<!-- ")[1].removesuffix(" -->").split(" of ")
    trees = [row.split(" <!--")[0] for row in trees]
    rates = (
        f"Keccak-256 of 64 bytes on one core: {reached} million a second, where the permutation "
        f"alone, on states that stay in the first cache, does {limit} million."
    )
    columns = "wall s | CPU s | peak MiB |"
    lines += [
        "## The whole epoch", "",
        "CSV in, every published file out, on a predecessor with as many accounts.", "",
        f"| wallets | command | {columns}", "|--:|---|--:|--:|--:|", *epochs, "",
        "![Seconds against wallets](results.svg)", "",
        "## The tree alone", "",
        "The same leaves; every way came to the same root. Reading the leaves is not counted.", "",
        "| leaves | way | s | peak MiB of the process |", "|--:|---|--:|--:|", *trees, "",
        rates, "",
        "## File sizes", "",
        "MB, as published.", "",
        "| wallets | inputs/wallet_scores.csv | wallets.csv | allocations.csv | tree |",
        "|--:|--:|--:|--:|--:|", *sizes, "",
        "## Starts", "",
        "Whole processes on the sample season, best of five.", "",
        f"| command | {columns}", "|---|--:|--:|--:|", *started,
    ]  # fmt: skip
    target = HERE if not quick else Path(tempfile.gettempdir())
    (target / "RESULTS.md").write_text("\n".join(lines) + "\n")
    (target / "results.svg").write_text(plot(series))
    print(f"written: {target / 'RESULTS.md'}", file=sys.stderr)
