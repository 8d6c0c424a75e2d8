from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chain.anvil import Anvil, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def anvil() -> Iterator[Anvil]:
    with running() as node:
        yield node
