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
    Tell,
    campaign,
    sweep,
)
from tests.faults.matrix import matrix
from tests.faults.matrix import table as matrix_table
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
    parser.add_argument(
        "--matrix", action="store_true", help="every method, fault and state of the journal instead"
    )
    parser.add_argument("--sorts", nargs="+", choices=SORTS, default=list(SORTS))
    parser.add_argument("--out", type=Path, help="also write the table here")
    asked = parser.parse_args()
    instrument()
    began = time.monotonic()
    tally = Tally()
    if asked.sweep:
        with arena(SHALLOW_STAGES, SWEEP_JOB) as place:
            tally = sweep(place, teller("sweep", 0))
    elif asked.matrix:
        with arena(SHALLOW_STAGES, MATRIX_JOB) as place:
            tally = matrix(place, asked.seed, teller("matrix", 0))
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


SWEEP_JOB, MATRIX_JOB = 5, 6
"""Jobs have ports of their own, so that all of them may run at once."""


def part(seed: int, first: int, every: int, runs: int, sorts: list[str]) -> Tally:
    """Run every `every`-th run from `first` on."""
    kinds = [*SHALLOW_STAGES, *(DEEP_STAGES if "reorgs" in sorts else [])]
    with arena(kinds, first) as place:
        tell = teller("run", runs)
        return campaign(place, seed, range(first, runs, every), tuple(sorts), tell)


def teller(what: str, runs: int) -> Tell:
    """Return a function that tells how far it is, and each failure at once."""
    began = time.monotonic()
    told = [0]

    def tell(done: int, tally: Tally) -> None:
        if done % 50 == 0 or len(tally.failures) > told[0]:
            print(
                f"{what} {done}{f' of {runs}' if runs else ''}, {time.monotonic() - began:.0f} s: "
                f"{tally.faults.total()} faults, {tally.kills} kills, {tally.reorgs} reorgs, "
                f"{len(tally.failures)} failures",
                *tally.failures[told[0] :],
                file=sys.stderr,
                flush=True,
            )
            told[0] = len(tally.failures)

    return tell


def table(tally: Tally, seed: int, seconds: int) -> str:
    """Return the campaign's result as Markdown."""
    faults: Counter[tuple[str, str]] = Counter()
    for mark, count in tally.faults.items():
        method, kind, _ = mark.split()
        faults[method, kind] += count
    lines = [
        f"Seed {seed}, {tally.runs.total()} runs in {seconds} s.",
        "",
        "| | |",
        "|---|---:|",
        *(f"| runs: {sort} | {count:,} |" for sort, count in sorted(tally.runs.items())),
        f"| faults injected | {tally.faults.total():,} |",
        f"| distinct (method, fault, state) | {len(tally.faults):,} |",
        f"| SIGKILLs that hit | {tally.kills:,} |",
        f"| reorganisations, depth 1 to 64 | {tally.reorgs:,} |",
        f"| transactions dropped from the pool | {tally.dropped:,} |",
        f"| foreign transactions at our nonce | {tally.foreign:,} |",
        f"| price raised to get past a rival that cannot be mined | {tally.bumps:,} |",
        f"| two submitters at once | {tally.rivals:,} |",
        f"| journals lost on the way | {tally.lost_journals:,} |",
        *(f"| SafeTx {fate} by its owner | {n:,} |" for fate, n in sorted(tally.safe.items())),
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
        *by_state(tally),
        *(["", "Failures:", "", *(f"- {text}" for text in tally.failures)]),
        "",
    ]
    if not tally.failures:
        lines = [*lines[:-4], ""]
    return "\n".join(lines)


def by_state(tally: Tally) -> list[str]:
    """Return faults by state of the journal: the whole matrix where that was gone through."""
    if tally.runs["matrix"]:
        return ["Faults by state of the journal:", "", *matrix_table(tally)]
    states: Counter[str] = Counter()
    for mark, count in tally.faults.items():
        states[mark.split()[2]] += count
    told = ", ".join(f"{state} {count:,}" for state, count in sorted(states.items()))
    return [f"Faults by state of the journal: {told or 'none'}."]


if __name__ == "__main__":
    sys.exit(main())
