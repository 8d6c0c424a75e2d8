"""Checks find the same in tables held by column as in records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rewards.audit.checks.limits import Limits, default_limits
from rewards.audit.checks.reviewer import Reviewer
from rewards.files.epoch import compute_folder, publish_epoch
from rewards.files.season import Season
from rewards.rules.columns import (
    Addresses,
    ColumnTable,
    Decimals,
    as_digits,
    ascending,
    exact_sum,
    joined,
    same_integers,
    stored,
)
from rewards.rules.records import Address
from rewards.rules.tables import ascending_of, repeated, rows_where
from rewards.rules.wct1.columns import column_from
from rewards.sample import copy_season
from tests.reference.random_epochs import write_season

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.audit.checks.review import CheckReport

SEASONS_PER_CASE = 8
LOUD = {"concentration", "concentration_gini", "new_payee", "share_jump", "untakeable"} | {
    "certified_without_stake",
    "signatures_per_connection",
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks end within the small epochs of these tests."""
    monkeypatch.setattr("rewards.rules.columns.BLOCK", 3)


def tight_limits() -> Limits:
    """Return limits under which nearly every row is found."""
    return {
        name: replace(limit, values={**limit.values, "limit": 0}) if name in LOUD else limit
        for name, limit in default_limits().items()
    }


def report_on(
    folder: Path, previous: Path | None, out: Path, limits: Limits, *, by_column: bool
) -> CheckReport:
    reviewer = Reviewer(limits, (), previous, recorded=True)
    computed = compute_folder(folder, previous, reviewer, by_column=by_column)
    publish_epoch(computed, out)
    assert isinstance(computed.result.wallets, tuple) or by_column
    return reviewer.last_report


def hold_both_ways(
    inputs: list[Path], outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, int]:
    """Check epochs both ways; return how many findings each check had."""
    counts: dict[str, int] = {}
    previous = None
    for number, folder in enumerate(inputs):
        limits = tight_limits() if number % 2 else default_limits()
        reports = []
        for by_column in (False, True):
            # The earlier tables are read by column from this size on.
            size = 0 if by_column else 1 << 40
            monkeypatch.setattr("rewards.files.csv_tables.BY_COLUMN_FROM", size)
            out = outputs / ("fast" if by_column else "plain") / f"{number:06d}"
            reports.append(report_on(folder, previous, out, limits, by_column=by_column))
        assert reports[0] == reports[1], folder
        for finding in reports[0].findings:
            counts[finding.check] = counts.get(finding.check, 0) + 1
        previous = outputs / "plain" / f"{number:06d}"
    return counts


@pytest.mark.parametrize("first_seed", range(3000, 3024, SEASONS_PER_CASE))
def test_random_seasons__the_same_is_found(
    first_seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: dict[str, int] = {}
    for seed in range(first_seed, first_seed + SEASONS_PER_CASE):
        root = tmp_path / str(seed)
        # Every other season with wide integers kept as digits.
        monkeypatch.setattr("rewards.rules.columns.LEAN_FROM", 0 if seed % 2 else 1 << 40)
        counts |= hold_both_ways(write_season(seed, root / "inputs"), root, monkeypatch)
    assert len(counts) > 5


def test_sample_season__the_same_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_season(tmp_path / "season")
    season = Season.open(tmp_path / "season")
    counts = hold_both_ways([season.inputs(n) for n in season.with_inputs()], tmp_path, monkeypatch)
    assert {"share_jump", "new_payee", "shared_address", "at_threshold"} <= set(counts)


def test_rows_where__records_and_columns__give_the_same_rows() -> None:
    values = [5, 0, 2**200, 7, 5, 2**63, 1]
    table = ColumnTable(lambda value: (value,), {"value": column_from(values, len(values))})
    found = list(rows_where(lambda row: row.value > 5, table))
    assert found == [((value,),) for value in values if value > 5]


@pytest.mark.parametrize("values", [[], [0, 0], [3, 2**63, 0, 2**200 + 1, 2**200, 3, 2**62, 1]])
def test_ascending__of_any_width__is_sorted_without_zeros(values: list[int]) -> None:
    assert ascending(column_from(values, len(values))) == sorted(filter(None, values))
    table = ColumnTable(lambda value: value, {"value": column_from(values, len(values))})
    assert ascending_of(table, "value") == sorted(filter(None, values))


def test_addresses__repeated_or_among_a_few() -> None:
    names = [Address(f"0x{n:040x}") for n in (9, 1, 2**159, 9, 2**159 + 1, 9, 1)]
    column = Addresses.of(names)
    for limit in (1, 2, 3):
        assert repeated(column, limit) == repeated(names, limit)
    for few in ([], names[1:2], [names[2], names[0]], [Address("0x" + "ab" * 20)]):
        assert column.are_among(few).tolist() == [name in few for name in names]
    assert (column != column[::-1]).tolist() == [
        a != b for a, b in zip(names, names[::-1], strict=True)
    ]


def test_decimals__of_any_width__are_the_integers() -> None:
    values = [0, 7, 2**63, 2**64 - 1, 10**18, 2**255, 1, 0, 2**200 + 3]
    digits = stored(column_from(values, len(values)), lean=True)
    assert isinstance(digits, Decimals)
    assert digits.tolist() == values
    assert digits[2:7].tolist() == values[2:7]
    assert digits[9:].tolist() == []
    assert digits[2:7][1:3].tolist() == values[3:5]
    assert digits.take(np.array([8, 0, 4, 4])).tolist() == [values[i] for i in (8, 0, 4, 4)]
    assert digits[3:].take(np.array([], np.int64)).tolist() == []
    assert digits.sum() == sum(values)
    assert list(digits.exact()) == values
    for number in (-1, 0, 1, 7, 8, 10**18, 2**64, 2**200 + 3, 10**80):
        assert (digits >= number).tolist() == [value >= number for value in values]
        assert (digits < number).tolist() == [value < number for value in values]
        assert (digits == number).tolist() == [value == number for value in values]
    assert (digits * 3 + digits).tolist() == [value * 4 for value in values]
    assert same_integers(digits[1:4], joined([digits[:1], digits])[2:5])
    assert not same_integers(digits[1:4], digits[2:5])
    assert not same_integers(as_digits(column_from([11, 1], 2)), as_digits(column_from([1, 11], 2)))
    assert same_integers(digits, column_from(values, len(values)))
    signed = as_digits(column_from([-(2**70), 5, 0], 3))
    assert (signed <= 5).tolist() == [True, True, True]
    assert (signed > 0).tolist() == [False, True, False]
    assert signed.sum() == 5 - 2**70
    assert joined([digits[:3], digits[5:], np.array([5, 6])]).tolist() == [
        *values[:3], *values[5:], 5, 6
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64, object])
def test_exact_sum__of_extreme_numbers__does_not_wrap(kind: type) -> None:
    high = 2**200 if kind is object else int(np.iinfo(kind).max)
    values = [high, high, high, -1, 0]
    assert exact_sum(np.array(values, kind)) == sum(values)
    assert exact_sum(-np.array(values, kind)) == -sum(values)
    assert exact_sum(np.array([], kind)) == 0
