"""The way through a real Safe: executed, failed, superseded, for every version."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rewards.chain.journal import open_journal
from rewards.chain.safe.hashes import SafeTx, hashes_of
from rewards.chain.sending.machine import Machine, Silent
from rewards.chain.sending.quorum import Quorum, nodes_of
from rewards.chain.sending.reasons import Reason, Stopped
from rewards.chain.sending.safe_watch import SafeWatch
from rewards.chain.sending.submitting import Submission
from rewards.chain.steps import State
from rewards.errors import CheckFailed
from tests.sending.safes import SAFE, VERSIONS, Safe
from tests.sending.world import WCT, TestClock, World, chain, path_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rewards.chain.plan import Plan

Placed = tuple[World, Safe]


@pytest.fixture(params=VERSIONS)
def placed(request: pytest.FixtureRequest) -> Iterator[Placed]:
    with chain() as node:
        world = World.on(node, fund=1000 * WCT, proposers=(SAFE,))
        world.send_tokens(SAFE, 10_000 * WCT)
        yield world, Safe.on(node, world.chain_id, request.param)


class Handed:
    """A plan handed to a Safe."""

    def __init__(self, world: World, plan: Plan, folder: Path, *, gas: int = 0) -> None:
        self.world, self.plan, self.folder = world, plan, folder
        (call,) = plan.calls
        assert call.to
        self.tx = replace(SafeTx.plain(call.to, 0, call.data, 0, 0), safe_tx_gas=gas)

    def run(self, *, hash_of: SafeTx | None = None, watch: bool = True, again: bool = False) -> Any:
        world = self.world
        nodes = nodes_of([world.node.url])
        with open_journal(path_in(self.folder)) as journal:
            quorum = Quorum(nodes, world.chain_id, TestClock(world.node))
            machine = Machine(journal, quorum, Silent(), patience=60, short_patience=20)
            submission = Submission(
                self.plan, machine, lambda _: self.folder, self.folder / "settlements"
            )
            mark = hashes_of(world.chain_id, SAFE, hash_of or self.tx).safe_tx_hash
            submission.begin_whole(again=again)
            if submission.is_done_as_a_whole():
                return journal.step(submission.whole().key)
            way = SafeWatch(machine, submission.whole(), SAFE, self.tx, mark, self.plan.calls)
            way.hand_over()
            step = way.watch() if watch else None
            submission.write_receipt()
            return step


def test_executed__is_final(placed: Placed, tmp_path: Path) -> None:
    world, safe = placed
    handed = Handed(world, world.propose(), tmp_path)
    handed.run(watch=False)
    with pytest.raises(Stopped) as caught:
        handed.run()
    assert caught.value.reason is Reason.SAFE_NOT_EXECUTED
    safe.execute(handed.tx)
    step = handed.run()
    assert step.state is State.FINAL
    assert step.outcome["goal"] == "yes"
    assert handed.run().state is State.FINAL


def test_superseded__is_not_paid(placed: Placed, tmp_path: Path) -> None:
    world, safe = placed
    handed = Handed(world, world.propose(), tmp_path)
    handed.run(watch=False)
    safe.execute(SafeTx.plain("0x" + "11" * 20, 0, b"", 0, 0))
    with pytest.raises(Stopped) as caught:
        handed.run()
    assert caught.value.reason is Reason.SAFE_SUPERSEDED
    handed.tx = replace(handed.tx, nonce=1)
    handed.run(watch=False, again=True)
    safe.execute(handed.tx)
    assert handed.run().state is State.FINAL


def test_failed__is_told_apart(placed: Placed, tmp_path: Path) -> None:
    world, safe = placed
    handed = Handed(world, fund(world), tmp_path, gas=100_000)
    handed.run(watch=False)
    world.burn(SAFE, world.balance(SAFE))
    safe.execute(handed.tx)
    with pytest.raises(Stopped) as caught:
        handed.run()
    assert caught.value.reason is Reason.SAFE_FAILED


def test_refused_by_the_contract__is_not_handed_over(placed: Placed, tmp_path: Path) -> None:
    world, _ = placed
    plan = world.plan("veto", (7, 1, "the Safe is no guardian"), epoch=7)
    with pytest.raises(Stopped, match="MissingRole") as caught:
        Handed(world, plan, tmp_path).run()
    assert caught.value.reason is Reason.REFUSED


def test_second_nonce__is_refused_while_the_first_could_be_executed(
    placed: Placed, tmp_path: Path
) -> None:
    world, _ = placed
    handed = Handed(world, world.propose(), tmp_path)
    handed.run(watch=False)
    handed.tx = replace(handed.tx, nonce=1)
    with pytest.raises(Stopped) as caught:
        handed.run()
    assert caught.value.reason is Reason.UNFINISHED_STEP


def test_other_hash__is_refused(placed: Placed, tmp_path: Path) -> None:
    world, _safe = placed
    handed = Handed(world, world.propose(), tmp_path)
    with pytest.raises(CheckFailed, match="OtherHash"):
        handed.run(hash_of=replace(handed.tx, nonce=9))


def test_no_safe__is_named(tmp_path: Path) -> None:
    with chain() as node:
        world = World.on(node, fund=1000 * WCT)
        with pytest.raises(Stopped) as caught:
            Handed(world, world.propose(), tmp_path).run()
        assert caught.value.reason is Reason.SAFE_MISSING


AMOUNT = 300 * WCT


def fund(world: World) -> Plan:
    return world.fund(AMOUNT, sender=SAFE)


def test_transfer__second_journal_at_the_next_nonce__is_refused(
    placed: Placed, tmp_path: Path
) -> None:
    world, safe = placed
    plan, held = fund(world), world.balance(world.distributor)
    here, there = (Handed(world, plan, tmp_path / name) for name in ("here", "there"))
    here.run(watch=False)
    there.tx = replace(there.tx, nonce=1)
    with pytest.raises(Stopped) as caught:
        there.run(watch=False)
    assert caught.value.reason is Reason.SAFE_NOT_NEXT
    there.tx = replace(there.tx, nonce=0)
    there.run(watch=False)  # the same SafeTx: it can be executed once
    safe.execute(here.tx)
    world.node.ask("anvil_mine", "0x4", "0x2")
    assert here.run().state is there.run().state is State.FINAL
    late = Handed(world, plan, tmp_path / "late")
    late.tx = replace(late.tx, nonce=1)
    with pytest.raises(CheckFailed, match="AlreadyFunded"):
        late.run(watch=False)
    assert world.balance(world.distributor) == held + AMOUNT


def test_transfer__made_by_others_while_owners_sign__is_seen(
    placed: Placed, tmp_path: Path
) -> None:
    world, _ = placed
    handed = Handed(world, fund(world), tmp_path)
    handed.run(watch=False)
    world.send_tokens(world.distributor, AMOUNT)
    world.node.ask("anvil_mine", "0x4", "0x2")
    with pytest.raises(CheckFailed, match="have the owners reject nonce 0") as caught:
        handed.run()
    assert "AlreadyFunded" in str(caught.value)


def test_transfer__planned_for_another_account__is_refused(placed: Placed, tmp_path: Path) -> None:
    world, _ = placed
    with pytest.raises(CheckFailed, match="OtherSender"):
        Handed(world, world.fund(AMOUNT), tmp_path).run(watch=False)
