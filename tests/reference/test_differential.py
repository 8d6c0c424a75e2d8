"""The program against the second program: every column of every stage, wei for wei.

`make differential RUNS=…` runs more seasons than the small tier here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rewards.files.epoch import compute_folder
from rewards.files.season import Season
from rewards.sample import copy_season
from tests.reference import wct1
from tests.reference.random_epochs import write_season

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SEASONS_PER_CASE = 10


def hold_against_each_other(inputs: Iterable[Path], outputs: Path) -> int:
    """Compute consecutive epochs with both programs; return how many there were."""
    second = wct1.Season()
    previous = None
    count = 0
    for folder in inputs:
        tables = second.epoch(folder)
        out = outputs / folder.name
        # Written plainly: publication flushes every file to the disk, which only costs time here.
        for name, content in compute_folder(folder, previous).files.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(content)
        assert wct1.differences(tables, out) == [], folder
        previous = out
        count += 1
    return count


@pytest.mark.parametrize("first_seed", range(0, 120, SEASONS_PER_CASE))
def test_random_seasons__both_programs_agree(first_seed: int, tmp_path: Path) -> None:
    for seed in range(first_seed, first_seed + SEASONS_PER_CASE):
        root = tmp_path / str(seed)
        hold_against_each_other(write_season(seed, root / "inputs"), root / "epochs")


def test_sample_season__both_programs_agree(tmp_path: Path) -> None:
    copy_season(tmp_path / "season")
    season = Season.open(tmp_path / "season")
    inputs = [season.inputs(number) for number in season.with_inputs()]
    assert hold_against_each_other(inputs, tmp_path / "epochs") == len(inputs)
