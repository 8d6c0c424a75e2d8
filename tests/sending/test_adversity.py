"""What goes wrong around the sending: disk, clock, an old copy of the journal, another chain."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING

import pytest

from rewards.chain.journal import open_journal
from rewards.chain.plan_file import parse_plan, plan_bytes
from rewards.chain.sending.quorum import AHEAD_LIMIT
from rewards.chain.sending.reasons import NotYet, Reason, Stopped
from rewards.chain.steps import State
from rewards.errors import ChainError, CheckFailed, InvalidInput
from tests.sending.test_machine import submitting
from tests.sending.test_quorum import answering, block, quorum_of
from tests.sending.world import WCT, World, chain, path_in

from tests.chain.stub_node import stub_node  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AMOUNT = 5 * WCT


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with chain() as node:
        yield World.on(node, fund=10 * WCT)


def waiting(world: World) -> int:
    """Return how many transactions wait in the node's pool."""
    return int(world.node.ask("txpool_status")["pending"], 16)


def test_disk_full__nothing_goes_out_and_it_resumes(world: World, tmp_path: Path) -> None:
    plan, held = world.fund(AMOUNT), world.balance(world.distributor)
    with submitting(world, plan, tmp_path) as submission:
        submission.begin()
        full = submission.machine.journal._connection
        (pages,) = full.execute("PRAGMA page_count").fetchone()
        filler = "x" * 300  # what is left on the last page
        submission.machine.journal.halt(submission.intents()[0].key, "Filler", filler)
        full.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(ChainError, match=r"JournalNotWritten: .*full; nothing goes out"):
            submission.run(lambda: world.account)
    assert waiting(world) == 0
    with submitting(world, plan, tmp_path) as submission:
        submission.begin()
        assert submission.run(lambda: world.account)[0].state is State.FINAL
    assert world.balance(world.distributor) == held + AMOUNT


def test_journal_cut_off__is_named_and_nothing_is_sent(world: World, tmp_path: Path) -> None:
    plan = world.fund(AMOUNT)
    with submitting(world, plan, tmp_path) as submission:
        submission.begin()
    file = path_in(tmp_path)
    for rest in file.parent.glob("journal.sqlite3-*"):
        rest.unlink()
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CheckFailed, match="JournalDamaged"), submitting(world, plan, tmp_path):
        pytest.fail("opened")
    assert waiting(world) == 0


@pytest.mark.parametrize("landed", [True, False])
def test_old_copy_of_the_journal__pays_once(world: World, tmp_path: Path, landed: bool) -> None:
    plan, held = world.fund(AMOUNT), world.balance(world.distributor)
    with submitting(world, plan, tmp_path / "now") as submission:
        submission.begin()
        copy = tmp_path / "before.sqlite3"
        submission.machine.journal.backup(copy)
        if landed:
            submission.run(lambda: world.account)
        else:
            (intent,) = submission.intents()
            submission.machine.sign(intent, world.account)
            submission.machine.send(intent)
            assert waiting(world) == 1
    path_in(tmp_path / "then").parent.mkdir(parents=True)
    shutil.copy(copy, path_in(tmp_path / "then"))
    with submitting(world, plan, tmp_path / "then") as submission:
        if landed:
            with pytest.raises(CheckFailed, match="AlreadyFunded"):
                submission.begin()
        else:
            submission.begin()
            with pytest.raises(Stopped) as caught:
                submission.run(lambda: world.account)
            assert caught.value.reason is Reason.FOREIGN_PENDING
    with submitting(world, plan, tmp_path / "now") as submission:
        submission.begin()
        assert submission.run(lambda: world.account)[0].state is State.FINAL
    assert world.balance(world.distributor) == held + AMOUNT


def test_other_chain_halfway__stops_and_resumes(world: World, tmp_path: Path) -> None:
    plan = world.fund(AMOUNT)
    with submitting(world, plan, tmp_path) as submission:
        submission.begin()
        machine, (intent,) = submission.machine, submission.intents()
        machine.sign(intent, world.account)
        world.node.ask("anvil_setChainId", 31338)
        with pytest.raises(Stopped) as caught:
            machine.finish(intent)
        assert caught.value.reason is Reason.WRONG_CHAIN
        world.node.ask("anvil_setChainId", 31337)
        submission.begin()
        assert submission.run(lambda: world.account)[0].state is State.FINAL


def test_clock_set_back__waits() -> None:
    sees = answering({"finalized": block(7), "0x7": block(7)})
    with stub_node(sees) as one, stub_node(sees) as other:
        assert quorum_of(one, other, now=1_000 - AHEAD_LIMIT).finalized().number == 7
        with pytest.raises(NotYet, match="ahead of our clock"):
            quorum_of(one, other, now=999 - AHEAD_LIMIT).finalized()


def test_plan__altered_by_one_byte__is_refused(world: World) -> None:
    content = plan_bytes(world.propose())
    chance = random.Random(4)
    for place in range(0, len(content), 7):
        altered = bytearray(content)
        altered[place] ^= 1 << chance.randrange(8)
        with pytest.raises(InvalidInput):
            parse_plan(bytes(altered))


def test_two_machines__of_one_journal__only_one_sends(world: World, tmp_path: Path) -> None:
    plan = world.fund(AMOUNT)
    with (
        submitting(world, plan, tmp_path),
        pytest.raises(ChainError, match="JournalBusy"),
        open_journal(path_in(tmp_path)),
    ):
        pytest.fail("opened")
