"""No step by column calls Python code for every row: counted, not timed, on any machine the same.

What a record per row costs (a check that makes records, a formula called row by row) shows here as
calls per wallet, long before anybody waits for a million of them.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from rewards.audit.checks import reviewer_for
from rewards.audit.verify import verification
from rewards.files.epoch import compute_folder, publish_epoch
from tests.benchmarks.epochs import write_epochs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

FEW = 2_000
CALLS_PER_WALLET = 2
"""Values of columns with few different ones, and what is told of the wallets that checks find."""


def python_calls(work: Callable[[], object]) -> int:
    """Return how often Python functions are called, in all threads."""
    calls = [0]

    def count(_frame: Any, event: str, _argument: Any) -> None:
        if event == "call":
            calls[0] += 1

    before = sys.getprofile()
    threading.setprofile(count)
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    return calls[0]


def test_compute_and_verify__a_wallet_more__costs_next_to_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rewards.files.csv_tables.BY_COLUMN_FROM", 0)
    monkeypatch.setattr("rewards.files.outputs.TREE_FROM_LEAVES", 0)
    calls: dict[str, list[int]] = {"compute": [], "verify": []}
    for count in (FEW, 2 * FEW):
        root = tmp_path / str(count)
        first, second = write_epochs(root, count)
        publish_epoch(compute_folder(first, None), root / "1")

        def compute(root: Path = root, second: Path = second) -> None:
            reviewer = reviewer_for(root / "1")
            publish_epoch(compute_folder(second, root / "1", reviewer), root / "2")

        def verify(root: Path = root) -> None:
            assert verification(root / "2", root / "1").findings == []

        for name, work in (("compute", compute), ("verify", verify)):
            if count == FEW:
                work()  # what is loaded is loaded
                if name == "compute":
                    (root / "2").rename(root / "warm")
            calls[name].append(python_calls(work))
    for name, (few, many) in calls.items():
        assert (many - few) / FEW < CALLS_PER_WALLET, name
