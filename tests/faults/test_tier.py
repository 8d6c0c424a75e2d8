"""A small tier of the campaign; `make faults` runs the large one."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from rewards.chain.journal import Journal
from rewards.chain.sending import receipts
from rewards.chain.sending.node import Node
from tests.faults.arena import LOOK, SHALLOW, SUBMIT, Arena, arena, instrument, scratch
from tests.faults.campaign import DEEP_STAGES, SHALLOW_STAGES, SORTS, Run, Tally, campaign
from tests.faults.matrix import ASKED, Situation, prepare
from tests.faults.proxy import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = 20


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


@pytest.mark.parametrize(
    ("situation", "method", "kind"),
    [
        (Situation("fund", "checked", LOOK), "eth_chainId", "timeout_before"),
        (Situation("fund", "signed", SUBMIT), "eth_getTransactionCount", "wrong"),
        (Situation("fund", "signed", SUBMIT), "eth_call", "duplicate"),
        (Situation("fund", "foreign", SUBMIT), "eth_getBlockByNumber+", "truncated"),
        (Situation("claim_many", "landed", SUBMIT), "eth_call[]", "http_5xx"),
        (Situation("safe 1.3.0", "signed", SUBMIT), "eth_getBlockByNumber", "stale"),
        (Situation("safe 1.3.0", "broadcast", SUBMIT), "eth_getLogs", "wrong"),
    ],
    ids=str,
)
def test_matrix__some_of_its_cells(
    place: Arena, situation: Situation, method: str, kind: str
) -> None:
    """`python -m tests.faults --matrix` breaks every question in every state in every way."""
    tally, stage = Tally(), place.stages[situation.stage, SHALLOW]
    state = {"foreign": "broadcast", "landed": "broadcast"}.get(situation.before, situation.before)
    assert state in ASKED[method]
    stage.reset()
    with scratch() as folder:
        run = Run(place, stage, folder, random.Random(1), tally, str(situation), deep=False)
        place.proxy.set([])
        prepare(run, situation.before)
        place.proxy.set([Rule(method, kind, 0, state, 0, 2)], 1)
        run.attempt(situation.way)
        assert place.proxy.set([])
        run.bring_home()
    assert tally.failures == []
