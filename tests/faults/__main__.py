"""`python -m tests.faults --seed S --runs N [--out FILE]`: the campaign, and its table."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.arena import arena, instrument
from tests.faults.campaign import (
    DEEP_STAGES,
    METHODS,
    SHALLOW_STAGES,
    SORTS,
    Tally,
    campaign,
    sweep,
)
from tests.faults.proxy import KINDS


def main() -> int:
    """Run a campaign and print its table; exit 1 when anything was paid twice, falsely or lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes, each with a part of the runs"
    )
    parser.add_argument("--sweep", action="store_true", help="a SIGKILL at every event instead")
    parser.add_argument("--sorts", nargs="+", choices=SORTS, default=list(SORTS))
    parser.add_argument("--out", type=Path, help="also write the table here")
    asked = parser.parse_args()
    instrument()
    began = time.monotonic()
    tally = Tally()
    if asked.sweep:
        with arena(SHALLOW_STAGES) as place:
            tally = sweep(place, lambda *_: None)
    elif asked.jobs == 1:
        tally = part(asked.seed, 0, 1, asked.runs, asked.sorts)
    else:
        context = multiprocessing.get_context("fork")
        results: multiprocessing.SimpleQueue[Tally] = context.SimpleQueue()
        workers = [
            context.Process(target=_work, args=(results, asked, number))
            for number in range(asked.jobs)
        ]
        for worker in workers:
            worker.start()
        for _ in workers:
            tally.add(results.get())
    text = table(tally, asked.seed, int(time.monotonic() - began))
    print(text)
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")
    return 1 if tally.failures else 0


def _work(results: Any, asked: argparse.Namespace, number: int) -> None:
    results.put(part(asked.seed, number, asked.jobs, asked.runs, asked.sorts))


def part(seed: int, first: int, every: int, runs: int, sorts: list[str]) -> Tally:
    """Run every `every`-th run from `first` on."""
    began = time.monotonic()

    def tell(done: int, tally: Tally) -> None:
        if done % 50 == 0 or tally.failures:
            print(
                f"run {done} of {runs}, {time.monotonic() - began:.0f} s: "
                f"{tally.faults.total()} faults, {tally.kills} kills, {tally.reorgs} reorgs, "
                f"{len(tally.failures)} failures",
                *tally.failures[-1:],
                file=sys.stderr,
                flush=True,
            )

    kinds = [*SHALLOW_STAGES, *(DEEP_STAGES if "reorgs" in sorts else [])]
    with arena(kinds, first) as place:
        return campaign(place, seed, range(first, runs, every), tuple(sorts), tell)


def table(tally: Tally, seed: int, seconds: int) -> str:
    """Return the campaign's result as Markdown."""
    faults: Counter[tuple[str, str]] = Counter()
    by_state: Counter[str] = Counter()
    for mark, count in tally.faults.items():
        method, kind, state = mark.split()
        faults[method, kind] += count
        by_state[state] += count
    lines = [
        f"Seed {seed}, {tally.runs.total()} runs in {seconds} s.",
        "",
        "| | |",
        "|---|---:|",
        *(f"| runs: {sort} | {tally.runs[sort]:,} |" for sort in SORTS),
        f"| faults injected | {tally.faults.total():,} |",
        f"| distinct (method, fault, state) | {len(tally.faults):,} |",
        f"| SIGKILLs that hit | {tally.kills:,} |",
        f"| reorganisations, depth 1 to 64 | {tally.reorgs:,} |",
        f"| transactions dropped from the pool | {tally.dropped:,} |",
        f"| foreign transactions at our nonce | {tally.foreign:,} |",
        f"| price raised to get past a rival that cannot be mined | {tally.bumps:,} |",
        f"| two submitters at once | {tally.rivals:,} |",
        f"| **paid twice** | **{len(tally.double)}** |",
        f"| **said to be final and not** | **{len(tally.false_paid)}** |",
        f"| **lost** (not brought to its end afterwards) | **{len(tally.lost)}** |",
        f"| defects (an exception that is no named one) | {len(tally.defects)} |",
        "",
        "How attempts ended (with faults, and the honest ones after them):",
        "",
        "| ended | attempts |",
        "|---|---:|",
        *(f"| {name} | {count:,} |" for name, count in tally.stops.most_common()),
        "",
        "Faults by method:",
        "",
        "| method | " + " | ".join(KINDS) + " |",
        "|---|" + "---:|" * len(KINDS),
        *(
            f"| {method} | " + " | ".join(f"{faults[method, kind]:,}" for kind in KINDS) + " |"
            for method in METHODS
        ),
        "",
        "Faults by state of the journal: "
        + ", ".join(f"{state} {count:,}" for state, count in sorted(by_state.items()))
        + ".",
        *(["", "Failures:", "", *(f"- {text}" for text in tally.failures)]),
        "",
    ]
    if not tally.failures:
        lines = [*lines[:-4], ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
