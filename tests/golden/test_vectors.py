"""Every published byte of the committed epochs, recomputed and compared."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from rewards.files.published import PublishedEpoch
from tests.golden.vectors import VECTORS, bytes_below, cases, epochs_of, recompute
from tests.reference.wct1 import Season, differences

if TYPE_CHECKING:
    from pathlib import Path

ALL = [(case, epoch) for case in cases() for epoch in epochs_of(case)]


@pytest.mark.parametrize("case", cases())
def test_vectors__recomputed__are_equal_in_every_byte(case: str, tmp_path: Path) -> None:
    for epoch, published in recompute(case, tmp_path):
        expected = bytes_below(VECTORS / case / epoch / "expected")
        actual = bytes_below(published)
        assert set(actual) == set(expected), epoch
        for name, content in expected.items():
            assert actual[name].decode() == content.decode(), f"{epoch}/{name}"


@pytest.mark.parametrize("case", cases())
def test_vectors__computed_by_the_second_program__agree(case: str) -> None:
    season = Season()
    for epoch in epochs_of(case):
        folder = VECTORS / case / epoch
        assert differences(season.epoch(folder / "inputs"), folder / "expected") == []


@pytest.mark.parametrize(("case", "epoch"), ALL)
def test_vectors__as_committed__are_whole_published_folders(case: str, epoch: str) -> None:
    assert PublishedEpoch(VECTORS / case / epoch / "expected").altered_files() == []


# Worked by hand from the inputs, apart from any program: (case, epoch, table, id, column, value).
WORKED = [
    # Base pool 1000.5 / 2 over f = 1 + 1 + 1/2; bonus pool the same over stakes 30 + 20 + 10/2.
    ("first-day", "01", "nodes", "ant", "base", "200100000000000000000"),
    ("first-day", "01", "nodes", "ant", "bonus", "272863636363636363636"),
    # bee: up 64,800 of 86,400 seconds is 0.75; 200.1 * (0.8 - 0.75) / 0.8.
    ("first-day", "01", "nodes", "bee", "penalty", "12506250000000000000"),
    # pig: 250,000 signatures of 100,000, half for its UX score.
    ("first-day", "01", "wallets", "pig", "weight_eligible", "1250000000000000000"),
    # n1: base 900 / 2 / 2.5, the penalty at rate 2 is twice that, so as much again is owed.
    ("five-days", "01", "nodes", "n1", "base", "180000000000000000000"),
    ("five-days", "01", "nodes", "n1", "penalty", "360000000000000000000"),
    ("five-days", "01", "nodes", "n1", "debt_out", "180000000000000000000"),
    # Day 3: base 450 / 2.5 / 2 = 90, bonus 450 * 25/95 = 118.42…, less the 180 owed.
    ("five-days", "03", "nodes", "n1", "paid", "28421052631578947368"),
    # w04: (10,000 - 1,000) of 1,000 is 9, and 9 to the power 3/2 is 27.
    ("wallets-capped", "01", "wallets", "w04", "weight_eligible", "27000000000000000000"),
    # w07: (1,500 - 1,000) of 1,000 is 1/2; 2 to the power -2/3 is 0.62996052494743658238….
    ("wallets-capped", "01", "wallets", "w07", "weight_certified", "629960524947436582"),
    # The cap of a third of 1,000, cut at 18 places of the share: 333.333333333333333.
    ("wallets-capped", "01", "wallets", "w04", "amount", "333333333333333333000"),
    # 10 over weights 1.00001 and 1.00002: 10 * 100,001 / 200,003.
    ("change-of-policy", "42", "wallets", "w", "amount", "4999975000374994375"),
    # Both are active now: 50 over two, and 50 by stakes 2 and 1.
    ("change-of-policy", "43", "nodes", "x", "paid", "58333333333333333333"),
]


@pytest.mark.parametrize(("case", "epoch", "name", "key", "column", "value"), WORKED)
def test_vectors__numbers_worked_by_hand__are_in_the_expected_files(
    case: str, epoch: str, name: str, key: str, column: str, value: str
) -> None:
    rows = table(VECTORS / case / epoch / "expected", name)
    (row,) = (row for row in rows if key in row.values())
    assert row[column] == value


def test_vectors__together__hold_every_stage() -> None:
    steps, tiers, reasons, files = set(), set(), set(), set()
    seen: dict[str, bool] = {"debt": False, "recovery": False, "penalty": False, "unpaid": False}
    for case, epoch in ALL:
        folder = VECTORS / case / epoch / "expected"
        files |= set(bytes_below(folder))
        steps |= {row["step"] for row in table(folder, "transitions")}
        wallets = table(folder, "wallets")
        tiers |= {row["tier"] for row in wallets}
        reasons |= {row["reason"] for row in wallets}
        nodes, allocations = table(folder, "nodes"), table(folder, "allocations")
        seen["debt"] |= any(row["debt_in"] != "0" and row["paid"] != "0" for row in nodes)
        seen["penalty"] |= any(row["penalty"] != "0" for row in nodes)
        seen["recovery"] |= any(
            row["recovery_in"] != "0" and row["epoch_amount"] != "0" for row in allocations
        )
        manifest = json.loads((folder / "manifest.json").read_bytes())
        seen["unpaid"] |= manifest["merkle_root"] is None
    assert steps == {
        "exit",
        "reentry",
        "release",
        "unready",
        "confine",
        "call_up",
        "promote",
        "surplus",
    }
    assert tiers == {"certified", "eligible", "ineligible"}
    assert reasons == {"", "below_threshold", "insufficient_stake"}
    assert "distribution.json" in files
    assert "inputs/adjustments.csv" in files
    assert all(seen.values()), seen


def table(folder: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of a published table."""
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
