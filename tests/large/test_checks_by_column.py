"""Checks find the same in tables held by column as in records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rewards.audit.checks.limits import Limits, default_limits
from rewards.audit.checks.reviewer import Reviewer
from rewards.files.epoch import compute_folder, publish_epoch
from rewards.files.season import Season
from rewards.rules.columns import Addresses, ColumnTable
from rewards.rules.records import Address
from rewards.rules.tables import ascending_of, repeated, rows_where
from rewards.rules.wide import column_from
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
        counts |= hold_both_ways(write_season(seed, root / "inputs"), root, monkeypatch)
    assert len(counts) > 5


def test_sample_season__the_same_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_season(tmp_path / "season")
    season = Season.open(tmp_path / "season")
    counts = hold_both_ways([season.inputs(n) for n in season.with_inputs()], tmp_path, monkeypatch)
    assert {"share_jump", "new_payee", "shared_address", "at_threshold"} <= set(counts)


def test_rows_where__records_and_columns__give_the_same_rows() -> None:
    values = [5, 0, 2**200, 7, 5, 2**63, 1]
    table = ColumnTable(lambda value: (value,), {"value": column_from(values)})
    found = list(rows_where(lambda row: row.value > 5, table))
    assert found == [((value,),) for value in values if value > 5]


@pytest.mark.parametrize("values", [[], [0, 0], [3, 2**63, 0, 2**200 + 1, 2**200, 3, 2**62, 1]])
def test_ascending__of_any_width__is_sorted_without_zeros(values: list[int]) -> None:
    table = ColumnTable(lambda value: value, {"value": column_from(values)})
    assert ascending_of(table, "value").tolist() == sorted(filter(None, values))


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
