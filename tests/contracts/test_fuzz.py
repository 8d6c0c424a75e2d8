"""The small tier of the campaign; FUZZ_CALLS=1000000 makes it the big one."""

import os
import random
from collections import Counter

import pytest

from tests.contracts import fuzz
from tests.contracts.chain import artifact
from tests.contracts.machine import PyEvmMachine, machine

HANDLED = [
    *("propose", "veto", "activate", "claim", "claimMany", "setRecipient", "pause", "unpause"),
    *("sweep", "schedule", "cancel", "setProposer", "setAttester", "setGuardian", "setDelays"),
    *("setThreshold", "setCap", "transferAdmin", "acceptAdmin", "retire"),
]


def test_contract_and_model_agree_on_random_calls() -> None:
    asked = int(os.environ.get("FUZZ_CALLS", "0"))
    counts, made = fuzz.run(asked or 12_000, seed=11, seconds=float("inf") if asked else 20)
    assert sum(counts.values()) == made
    assert made > 500
    assert counts["activate"] > made // 50
    assert counts["claim"] + counts["claimMany"] > made // 20
    if made >= 12_000:  # fewer fit into the time without pyrevm
        assert [name for name in HANDLED if not counts[name]] == []


def test_the_handlers_are_all_that_changes_state() -> None:
    functions = [item for item in artifact("EpochDistributor")["abi"] if item["type"] == "function"]
    changing = {f["name"] for f in functions if f["stateMutability"] not in {"view", "pure"}}
    assert changing == set(HANDLED)


def test_both_engines_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Py-evm and pyrevm are two implementations of the machine itself."""
    ends = []
    for engine in (PyEvmMachine, machine):
        monkeypatch.setattr(fuzz, "machine", engine)
        episode = fuzz.Episode(random.Random(5), Counter())
        for _ in range(60):
            episode.step()
        episode.finish()
        ends.append((episode.distributor.view("active")[3:], episode.counts))
    assert ends[0] == ends[1]
