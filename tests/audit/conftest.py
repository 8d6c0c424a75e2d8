"""The sample season, computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rewards.files.epoch import compute_folder, publish_epoch
from rewards.files.season import Season
from rewards.sample import copy_season

if TYPE_CHECKING:
    from pathlib import Path


def compute_season(root: Path) -> Season:
    """Copy the sample season to a folder and publish every epoch of it."""
    copy_season(root)
    season = Season.open(root)
    for number in season.with_inputs():
        computed = compute_folder(season.inputs(number), season.previous(number))
        publish_epoch(computed, season.epoch(number))
    return season


@pytest.fixture(scope="session")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    return compute_season(tmp_path_factory.mktemp("season") / "sample")
