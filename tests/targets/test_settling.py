"""What is to be settled: exact differences within one history, and no other."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.published import PublishedEpoch
from rewards.targets.settling import SHOWN_ACCOUNTS, _fallen, read_settling, unlinked
from tests.targets import epochs
from tests.targets.chain import payee

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def findings_of(call: Callable[[], object]) -> tuple[Finding, ...]:
    with pytest.raises(CheckFailed) as caught:
        call()
    return caught.value.findings


def test_first_epoch__all_of_it(three: list[PublishedEpoch]) -> None:
    settling = read_settling(three[0])
    assert settling.period == settling.cumulative
    assert settling.since is None
    assert sum(amount for _, amount in settling.cumulative) == three[0].manifest.cumulative_total
    accounts = [account for account, _ in settling.cumulative]
    assert accounts == sorted(set(accounts))


def test_period__is_the_sum_of_the_epoch_amounts_in_between(three: list[PublishedEpoch]) -> None:
    settling = read_settling(three[2], three[0])
    earned: dict[str, int] = {}
    for epoch in three[1:]:
        for row in epoch.allocations:
            earned[row.account] = earned.get(row.account, 0) + row.epoch_amount
    assert dict(settling.period) == {a: amount for a, amount in earned.items() if amount}
    assert payee(5) in dict(settling.cumulative), "a wallet of the first epoch"
    assert payee(5) not in dict(settling.period), "zero amounts are dropped"


def test_settlements_in_sequence__pay_everything_once(three: list[PublishedEpoch]) -> None:
    steps = [
        read_settling(three[0]),
        read_settling(three[1], three[0]),
        read_settling(three[2], three[1]),
    ]
    paid: dict[str, int] = {}
    for step in steps:
        for account, amount in step.period:
            paid[account] = paid.get(account, 0) + amount
    assert paid == dict(steps[-1].cumulative)


def test_a_forgotten_since__is_refused(three: list[PublishedEpoch]) -> None:
    with pytest.raises(InvalidInput, match="is needed: epoch 3 has a predecessor"):
        read_settling(three[2])
    with pytest.raises(InvalidInput, match="one of --since and --first"):
        read_settling(three[2], three[1], first=True)
    assert (
        read_settling(three[2], first=True).period == read_settling(three[2], first=True).cumulative
    )


def test_since__later_or_the_same__is_refused(three: list[PublishedEpoch]) -> None:
    for since in (three[1], three[2]):
        found = findings_of(lambda since=since: read_settling(three[1], since))  # type: ignore[misc]
        assert "does not come before epoch 2" in found[0].problem


def test_since__of_another_history__is_refused(three: list[PublishedEpoch], tmp_path: Path) -> None:
    files = epochs.first()
    files["epoch.toml"] = files["epoch.toml"].replace('"1000.5"', '"1000.6"')
    (other,) = epochs.publish(tmp_path, 1, files)
    found = findings_of(lambda: read_settling(three[1], other))
    assert "is not the epoch 1 that epoch 2 was computed on" in found[0].problem
    # With a gap the manifests do not tell, but amounts that fell do.
    files["epoch.toml"] = files["epoch.toml"].replace('"1000.6"', '"99000"')
    (richer,) = epochs.publish(tmp_path / "richer", 1, files)
    found = findings_of(lambda: read_settling(three[2], richer))
    assert {finding.column for finding in found} == {"cumulative"}


def test_since__of_another_chain_or_contract__is_refused(
    three: list[PublishedEpoch], tmp_path: Path
) -> None:
    files = epochs.first(chain_id=11, distributor="0x" + "d2" * 20)
    (other,) = epochs.publish(tmp_path, 1, files)
    found = findings_of(lambda: read_settling(three[2], other))
    assert {finding.column for finding in found} == {"chain_id", "distributor"}


def test_epochs_in_between__are_held_together(three: list[PublishedEpoch], tmp_path: Path) -> None:
    assert read_settling(three[2], three[0], between=[three[1]]) == read_settling(
        three[2], three[0]
    )
    assert unlinked([three[0], three[2]]) == [(1, 3)]
    assert unlinked(three) == []
    files = epochs.first()
    files["policy.toml"] = files["policy.toml"].replace("Vote 7", "Vote 8")
    forged = epochs.publish(tmp_path, 2, files)[1]
    found = findings_of(lambda: read_settling(three[2], three[0], between=[forged]))
    assert len(found) == 2


def test_an_altered_file__is_refused(three: list[PublishedEpoch], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(three[0].folder, copy)
    table = copy / "allocations.csv"
    table.write_text(table.read_text().replace(payee(3), payee(99)))
    found = findings_of(lambda: read_settling(PublishedEpoch(copy)))
    assert found[0].file == "allocations.csv"
    found = findings_of(lambda: read_settling(three[1], PublishedEpoch(copy)))
    assert found[0].file == "allocations.csv"


def test_many_fallen_amounts__are_counted_not_listed() -> None:
    before = epochs.settling([5] * (SHOWN_ACCOUNTS + 10)).cumulative
    found = _fallen(before, {})
    assert len(found) == SHOWN_ACCOUNTS + 1
    assert f"{SHOWN_ACCOUNTS + 10} such accounts" in found[-1].problem


def test_header__names_where_it_comes_from() -> None:
    settling = epochs.settling([5], [3])
    assert settling.header("airdrop", None)["since_epoch"] == "1"
    assert "since_epoch" not in replace(settling, since=None).header("airdrop", None)
    assert settling.header("airdrop", epochs.TOKEN)["contract"] == epochs.TOKEN
