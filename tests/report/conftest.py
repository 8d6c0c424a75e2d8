"""Epochs that the tests of the report share; computing them takes about a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rewards.audit.report import build_report
from rewards.files.published import PublishedEpoch
from tests.report.epochs import Published, publish_sample

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Published]:
    return publish_sample(tmp_path_factory.mktemp("season"))


@pytest.fixture(scope="session")
def last(sample: dict[int, Published]) -> Published:
    return sample[max(sample)]


@pytest.fixture(scope="session")
def season(last: Published) -> Path:
    return last.folder.parent.parent


@pytest.fixture(scope="session")
def report(last: Published) -> str:
    assert last.previous is not None
    published, previous = PublishedEpoch(last.folder), PublishedEpoch(last.previous)
    return build_report(published, previous, season="A season for tests").decode()
