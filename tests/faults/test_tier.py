"""A small tier of the campaign; `make faults` runs the large one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rewards.chain.journal import Journal
from rewards.chain.sending import receipts
from rewards.chain.sending.node import Node
from tests.faults.arena import Arena, arena, instrument
from tests.faults.campaign import DEEP_STAGES, SHALLOW_STAGES, SORTS, campaign

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = 24


@pytest.fixture(scope="module")
def place() -> Iterator[Arena]:
    kept = (Journal._append, Node._post, receipts.__dict__["write_file"])
    instrument()
    try:
        with arena([*SHALLOW_STAGES, *DEEP_STAGES], job=9) as made:
            yield made
    finally:
        Journal._append, Node._post = kept[0], kept[1]  # type: ignore[method-assign]
        receipts.__dict__["write_file"] = kept[2]


def test_campaign__nothing_paid_twice_nothing_lost(place: Arena) -> None:
    tally = campaign(place, 7, range(RUNS), SORTS, lambda *_: None)
    assert tally.failures == []
    assert tally.faults.total() > 20
    assert tally.kills > 5
    assert tally.reorgs > 0
