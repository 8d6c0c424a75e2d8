from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.targets import epochs
from tests.targets.chain import Chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rewards.files.published import PublishedEpoch


@pytest.fixture(scope="session")
def _chain() -> Chain:
    return Chain(payees=14)


@pytest.fixture
def chain(_chain: Chain) -> Iterator[Chain]:
    """The chain, put back afterwards."""
    taken = _chain.snapshot()
    yield _chain
    _chain.revert(taken)


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[PublishedEpoch]:
    """Three published epochs; in the second and third only nodes are paid."""
    return epochs.publish(tmp_path_factory.mktemp("three"), 3, epochs.first())
