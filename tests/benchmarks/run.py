"""Measure and write down: the whole epoch, the tree side by side, hash rates, sizes, starts.

Every figure is a process of its own, measured from outside: wall time, CPU time of all its threads,
peak memory. On a machine with other work the CPU time tells more than the wall time.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import re
import shutil
import sys
import tempfile
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rewards.sample import copy_season
from tests.benchmarks.epochs import write_epochs
from tests.benchmarks.measure import Figures, Measured, best, measure
from tests.benchmarks.plot import plot
from tests.large.javascript import CONTRACTS, node

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORK = ROOT / "build/benchmarks"
REWARDS = [sys.executable, "-m", "rewards"]
WITHOUT_FAST = [
    sys.executable,
    "-c",
    "import sys; sys.modules['numba'] = None; from rewards.cli import main; main()",
]
MILLION = 1_000_000
EPOCH_TIMES = 3
"""How often an epoch of at most a million wallets is taken, the quickest being the figure."""

COUNTS = (10_000, 100_000, MILLION)
FULL = 5_000_000
SLOW_TREES_UP_TO = 100_000
"""Leaves up to which other programs build the tree without --full; with it up to a million."""

EPOCH_WAYS = {
    "compute": "`compute`",
    "compute-plain": "`compute` without `fast`",
    "verify": "`verify`",
    "prove": "`prove` one account",
}
TREE_WAYS = {
    "ours": "this tool, kernels loaded",
    "ours-plain": "this tool without `fast`",
    "python": "straightforward Python (eth_abi, eth_hash)",
    "npm": "npm `@openzeppelin/merkle-tree`",
}
STARTS = ("--help", "prove", "explain", "diff")


class Bench:
    """The measurements of one run, in a work folder that a resumed run finds again."""

    def __init__(self, *, full: bool, quick: bool, resume: bool) -> None:
        self.work = WORK if not quick else Path(tempfile.mkdtemp(prefix="rewards-benchmark-"))
        if not resume:
            shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True, exist_ok=True)
        self.figures = Figures(self.work / "figures.json", resume=resume)
        self.counts = COUNTS[:1] if quick else (*COUNTS, *([FULL] if full else []))
        self.slow_trees_up_to = MILLION if full else SLOW_TREES_UP_TO

    def run(self) -> None:
        """Take every figure that is not known yet."""
        for count in self.counts:
            if all(f"{count} {way}" in self.figures.known for way in self.ways(count)):
                continue
            self.epoch(count)
            self.tree(count)
            shutil.rmtree(self.folder(count), ignore_errors=True)
        self.starts()

    def ways(self, count: int) -> list[str]:
        """Return what is measured at a count."""
        slow = count <= self.slow_trees_up_to
        return [*EPOCH_WAYS, "sizes", "ours", "ours-plain", *(["python", "npm"] if slow else [])]

    def folder(self, count: int) -> Path:
        return self.work / str(count)

    def epoch(self, count: int) -> None:
        """Measure the second of two epochs, the first being its predecessor."""
        folder, take = self.folder(count), self.figures.take
        first, second = folder / "inputs-1", folder / "inputs-2"
        if not (folder / "1").exists():
            shutil.rmtree(folder, ignore_errors=True)
            print(f"{count:,} wallets", flush=True)
            write_epochs(folder, count)
            measure(*REWARDS, "compute", first, "--out", folder / "1")
        out, plain = folder / "2", folder / "plain"

        times = EPOCH_TIMES if count <= MILLION else 1

        def compute(command: list[str], target: Path) -> Measured:
            def once() -> Measured:
                shutil.rmtree(target, ignore_errors=True)
                return measure(
                    *command, "compute", second, "--previous", folder / "1", "--out", target
                )

            return min((once() for _ in range(times)), key=lambda taken: taken.wall)

        def compute_plain() -> Measured:
            done = compute(WITHOUT_FAST, plain)
            manifests = [(where / "manifest.json").read_bytes() for where in (out, plain)]
            if manifests[0] != manifests[1]:
                raise RuntimeError("the two ways differ")
            return done

        if not out.exists():
            self.figures.known.pop(f"{count} compute", None)
        if not take(f"{count} compute", lambda: compute(REWARDS, out)):
            return
        take(f"{count} compute-plain", compute_plain)
        shutil.rmtree(plain, ignore_errors=True)
        take(
            f"{count} verify",
            lambda: best(times, *REWARDS, "verify", out, "--previous", folder / "1"),
        )
        take(f"{count} prove", lambda: best(5, *REWARDS, "prove", out, middle_account(out)))
        take(f"{count} sizes", lambda: Measured(0, 0, 0, json.dumps(sizes(out))))

    def tree(self, count: int) -> None:
        """Measure the tree alone, over the leaves of that epoch, in every way."""
        out = self.folder(count) / "2"
        if not (out / "manifest.json").exists():
            return
        manifest = json.loads((out / "manifest.json").read_text())
        leaves = self.folder(count) / "leaves.csv"
        write_leaves(out, manifest, leaves)
        domain = (manifest["chain_id"], manifest["distributor"], manifest["epoch"])
        ours, modules = HERE / "our_tree.py", CONTRACTS / "package.json"
        commands: dict[str, list[object]] = {
            "ours": [sys.executable, ours, leaves, *domain, "yes"],
            "ours-plain": [sys.executable, ours, leaves, *domain, "no"],
            "python": [sys.executable, HERE / "plain_tree.py", leaves, *domain],
            "npm": [
                node(), "--max-old-space-size=8192", HERE / "npm_tree.mjs",
                modules, leaves, *domain,
            ],
        }  # fmt: skip

        def build(command: list[object]) -> Measured:
            done = measure(*command)
            answer: dict[str, Any] = json.loads(done.output.splitlines()[-1])
            if answer["root"] != manifest["merkle_root"]:
                raise RuntimeError("it has another root")
            answer["leaves"] = int(manifest["leaf_count"])
            return replace(done, output=json.dumps(answer))

        for way, command in commands.items():
            if way in self.ways(count):
                self.figures.take(f"{count} {way}", partial(build, command))

    def starts(self) -> None:
        """Measure whole processes on the sample season."""
        season = self.work / "season"
        shutil.rmtree(season, ignore_errors=True)
        copy_season(season)
        for _ in range(3):
            measure(*REWARDS, "compute", "--season", season)
        account = middle_account(season / "epochs/000003")
        words: dict[str, list[object]] = {
            "--help": ["--help"],
            "prove": ["prove", "--season", season, account],
            "explain": ["explain", "--season", season, account],
            "diff": ["diff", "--season", season, "2", "3"],
        }
        for name in STARTS:
            self.figures.take(f"start {name}", partial(best, 7, *REWARDS, *words[name]))


def middle_account(out: Path) -> str:
    """Return an account from the middle of the ledger."""
    table = (out / "allocations.csv").read_text().splitlines()
    return table[len(table) // 2].split(",")[0]


def sizes(out: Path) -> dict[str, int]:
    """Return the bytes of the large files."""
    tree = "tree.bin" if (out / "tree.bin").exists() else "distribution.json"
    names = ("inputs/wallet_scores.csv", "wallets.csv", "allocations.csv", tree)
    return {name: (out / name).stat().st_size for name in names}


def write_leaves(out: Path, manifest: dict[str, Any], target: Path) -> None:
    """Write account and amount of every leaf, the sentinel's too, in address order."""
    with (out / "allocations.csv").open() as source:
        pairs = [(row["account"], row["cumulative"]) for row in csv.DictReader(source)]
    pairs = [pair for pair in pairs if pair[1] != "0"]
    pairs.append((manifest["distributor"], manifest["cumulative_total"]))
    with target.open("w") as file:
        file.writelines(f"{account},{amount}\n" for account, amount in sorted(pairs))


# --- words -----------------------------------------------------------------------------------


def machine() -> list[str]:
    """Describe what the figures were taken on."""
    about = Path("/proc/cpuinfo").read_text().splitlines()
    name = next(line.split(":")[1].strip() for line in about if line.startswith("model name"))
    flags = next(line for line in about if line.startswith("flags")).split()
    vectors = next((f for f in ("avx512f", "avx2", "sse2") if f in flags), "none")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(
        f"{package} {version_of(package)}" for package in ("numpy", "pyarrow", "numba")
    )
    return [
        f"- {name} ({vectors}), {os.cpu_count()} logical processors, {memory:.0f} GiB",
        (
            f"- {platform.system()} {platform.release()}, Python {platform.python_version()}, "
            f"{packages}"
        ),
        f"- load average at the end {os.getloadavg()[0]:.1f} (about 1 comes from measuring)",
    ]


def version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def triple(figure: Measured) -> str:
    return f"{figure.wall:.2f} | {figure.cpu:.2f} | {figure.megabytes:.0f}"


def epoch_table(bench: Bench) -> list[str]:
    known = bench.figures.known
    return [
        "| wallets | command | wall s | CPU s | peak MiB |",
        "|--:|---|--:|--:|--:|",
        *(
            f"| {count:,} | {name} | {triple(known[f'{count} {way}'])} |"
            for count in bench.counts
            for way, name in EPOCH_WAYS.items()
            if f"{count} {way}" in known
        ),
    ]


def tree_table(bench: Bench) -> list[str]:
    rows = ["| leaves | way | s | peak MiB of the process |", "|--:|---|--:|--:|"]
    for count in bench.counts:
        for way, name in TREE_WAYS.items():
            figure = bench.figures.known.get(f"{count} {way}")
            if figure:
                answer = json.loads(figure.output)
                rows.append(
                    f"| {answer['leaves']:,} | {name} | {answer['seconds']:.3f} | "
                    f"{figure.megabytes:.0f} |"
                )
    return rows


def size_table(bench: Bench) -> list[str]:
    rows = [
        "| wallets | inputs/wallet_scores.csv | wallets.csv | allocations.csv | tree |",
        "|--:|--:|--:|--:|--:|",
    ]
    for count in bench.counts:
        figure = bench.figures.known.get(f"{count} sizes")
        if figure:
            given = json.loads(figure.output)
            cells = [f"{size / 1e6:.1f}" for size in given.values()]
            rows.append(f"| {count:,} | {' | '.join(cells)} ({list(given)[-1]}) |")
    return rows


def start_table(bench: Bench) -> list[str]:
    known = bench.figures.known
    return [
        "| command | wall s | CPU s | peak MiB |",
        "|---|--:|--:|--:|",
        *(f"| {n} | {triple(known[f'start {n}'])} |" for n in STARTS if f"start {n}" in known),
    ]


def hash_rate(bench: Bench) -> str:
    """Word the hash rate beside the limit, from the largest tree."""
    known = bench.figures.known
    answers = [json.loads(known[f"{c} ours"].output) for c in bench.counts if f"{c} ours" in known]
    rates = [answer for answer in answers if "limit" in answer]
    if not rates:
        return "No hash rate: `numba` is not there."
    best_rate = max(rates, key=lambda answer: float(answer["reached"]))
    reached, limit = best_rate["reached"] / 1e6, best_rate["limit"] / 1e6
    return (
        f"Keccak-256 of 64 bytes on one core: {reached:.1f} million a second with messages read, "
        f"pairs put in order and digests written; the permutation alone, on states that never "
        f"leave the first cache, is this processor's limit: {limit:.1f} million."
    )


def headline(bench: Bench) -> list[str]:
    """Return what the README says of a million; nothing where it was not measured."""
    known = bench.figures.known
    names = [f"{MILLION} {way}" for way in ("compute", "compute-plain", "verify", "prove", "ours")]
    if any(name not in known for name in names):
        return []
    compute, plain, verify, prove, ours = (known[name] for name in names)
    tree = json.loads(ours.output)["seconds"]
    rows = [
        "| a million wallets | s | peak MiB |",
        "|---|--:|--:|",
        (
            f"| `compute`, CSV in, every published file out | {compute.wall:.1f} | "
            f"{compute.megabytes:.0f} |"
        ),
        f"| the same without the extra `fast` | {plain.wall:.1f} | {plain.megabytes:.0f} |",
        f"| `verify` | {verify.wall:.1f} | {verify.megabytes:.0f} |",
        f"| `prove` one account | {prove.wall:.2f} | {prove.megabytes:.0f} |",
        f"| the tree alone | {tree:.2f} | |",
    ]
    npm = known.get(f"{MILLION} npm")
    if npm:
        seconds = json.loads(npm.output)["seconds"]
        rows.append(
            f"| the tree alone, npm `@openzeppelin/merkle-tree` | {seconds:.0f} | "
            f"{npm.megabytes:.0f} |"
        )
    return rows


def results(bench: Bench) -> str:
    """Return RESULTS.md."""
    failures = [f"- not measured: {name}: {why}" for name, why in bench.figures.failures.items()]
    lines = [
        "# Benchmarks", "",
        ("Made by `make benchmarks ARGS=--full`; never asserted by a test. Each figure is one "
        "process, measured from outside: the quickest of three for an epoch of at most a million "
        "wallets, of five for `prove`, of several for the starts, the only one for all else."), "",
        *headline(bench), "",
        "## Machine", "", *machine(), *failures, "",
        "## The whole epoch", "",
        ("CSV in, checked and computed on a predecessor with as many accounts, every published "
        "file out. Four fifths of the wallets are eligible, a fifth is certified, the addresses "
        "are in mixed case, the rows in no order."), "",
        *epoch_table(bench), "",
        "![Seconds against wallets](results.svg)", "",
        "## The tree alone", "",
        "The same leaves; every way came to the same root. Reading the leaves is not counted.", "",
        *tree_table(bench), "", hash_rate(bench), "",
        "## File sizes", "", "MB, as published.", "", *size_table(bench), "",
        "## Starts", "", "Whole processes on the sample season.", "", *start_table(bench),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def series(bench: Bench) -> dict[str, dict[int, float]]:
    """Return the lines of the plot: seconds per count."""
    lines: dict[str, dict[int, float]] = {}
    for way, name in {**EPOCH_WAYS, **{w: f"tree: {n}" for w, n in TREE_WAYS.items()}}.items():
        for count in bench.counts:
            figure = bench.figures.known.get(f"{count} {way}")
            if figure:
                seconds = figure.wall if way in EPOCH_WAYS else json.loads(figure.output)["seconds"]
                lines.setdefault(name.replace("`", ""), {})[count] = seconds
    return lines


def main(arguments: list[str]) -> None:
    """Measure; `--full` goes to 5M wallets and the slow trees to 1M, `--quick` to 10,000.

    `--resume` takes over what an interrupted run measured.
    """
    quick = "--quick" in arguments
    bench = Bench(full="--full" in arguments, quick=quick, resume="--resume" in arguments)
    bench.run()
    target = bench.work if quick else HERE
    (target / "RESULTS.md").write_text(results(bench))
    (target / "results.svg").write_text(plot(series(bench)))
    print(f"written: {target / 'RESULTS.md'}")
    readme, figures = ROOT / "README.md", headline(bench)
    if figures and not quick:
        text = re.sub(
            r"(<!-- benchmarks -->\n).*?(<!-- /benchmarks -->)",
            lambda found: found[1] + "\n".join(figures) + "\n" + found[2],
            readme.read_text(),
            flags=re.DOTALL,
        )
        readme.write_text(text)
    if bench.figures.failures:
        sys.exit(f"not measured: {', '.join(bench.figures.failures)}; go on with --resume")
