"""What a person is told before anything is signed, and what has to be typed."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import click
import pytest

from rewards.chain.contract import DISTRIBUTOR, interface
from rewards.chain.plan import PlannedCall
from rewards.cli.sending_words import confirm, total_of, words_of
from tests.safe.plans import DISTRIBUTOR as CONTRACT
from tests.safe.plans import TOKEN, entry, plan, propose

if TYPE_CHECKING:
    from rewards.chain.plan import Plan

OTHER_TOKEN = "0x" + "07" * 20


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


def call(function: str, *values: object) -> PlannedCall:
    return PlannedCall.of(CONTRACT, entry("EpochDistributor", function), values)


def sweep(asset: str) -> Plan:
    return plan("sweep", call("sweep", asset), totals={"amount": 5 * 10**18, "received": 0})


def test_proposal__is_told_within_80_columns() -> None:
    told = words_of(plan("propose", propose()))
    assert max(map(len, told)) <= 80
    text = "\n".join(told)
    for part in ("propose", "122 to 123", "WCT 0x", "100 WCT", "OP Mainnet (10)", "0.005 of"):
        assert part in text


def test_changes__are_told_in_their_own_words() -> None:
    change = interface(DISTRIBUTOR).call(CONTRACT, "setCap", 7, 8).data
    text = "\n".join(words_of(plan("schedule", call("schedule", change), totals={})))
    assert "which is setCap(burst=7, perDay=8)" in text
    foreign = "\n".join(words_of(plan("schedule", call("schedule", b"\1\2\3\4"), totals={})))
    assert "which is 0x01020304" in foreign
    veto = "\n".join(words_of(plan("veto", call("veto", 123, 1, "wrong scores"), totals={})))
    assert "reason = 'wrong scores'" in veto


def test_total__of_another_token_is_in_base_units() -> None:
    assert total_of(sweep(TOKEN)) == "5"
    assert total_of(sweep(OTHER_TOKEN)) == str(5 * 10**18)
    assert "5000000000000000000 base units" in "\n".join(words_of(sweep(OTHER_TOKEN)))


@pytest.mark.parametrize(
    ("made", "typed", "goes"),
    [
        (sweep(TOKEN), "5", True),
        (sweep(TOKEN), " 5 ", True),
        (sweep(TOKEN), "50", False),
        (sweep(TOKEN), "yes", False),
        (sweep(OTHER_TOKEN), "5", False),
        (plan("pause", call("pause", True, True), totals={}), "pause", True),
        (plan("pause", call("pause", True, True), totals={}), "unpause", False),
    ],
)
def test_confirm__wants_the_total_again(
    monkeypatch: pytest.MonkeyPatch, made: Plan, typed: str, goes: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed + "\n"))
    if goes:
        confirm(made, yes=False)
        return
    with pytest.raises(click.Abort):
        confirm(made, yes=False)


def test_confirm__nobody_to_ask__says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(click.UsageError, match="--yes"):
        confirm(sweep(TOKEN), yes=False)
    confirm(sweep(TOKEN), yes=True)
