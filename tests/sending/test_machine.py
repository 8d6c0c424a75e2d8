from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rewards.chain.deployment import created_address
from rewards.chain.distributor import Config, Distributor
from rewards.chain.journal import open_journal
from rewards.chain.plan import PlannedCall, PlannedContract
from rewards.chain.sending.fees import GAS_BOUND
from rewards.chain.sending.machine import Machine, Silent
from rewards.chain.sending.node import Node
from rewards.chain.sending.quorum import Quorum, nodes_of
from rewards.chain.sending.reasons import Reason, Stopped
from rewards.chain.sending.submitting import Submission
from rewards.chain.steps import State
from tests.sending.world import CAPS, PAYEES, WCT, TestClock, World, chain, foreign, path_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rewards.chain.plan import Plan
    from tests.chain.anvil import Anvil


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with chain() as running:
        yield running


@pytest.fixture
def world(node: Anvil) -> World:
    return World.on(node, fund=1000 * WCT)


@contextmanager
def submitting(world: World, plan: Plan, folder: Path) -> Iterator[Submission]:
    nodes = nodes_of([world.node.url, world.node.url + "/"][:1])
    with open_journal(path_in(folder)) as journal:
        quorum = Quorum(nodes, world.chain_id, TestClock(world.node))
        machine = Machine(journal, quorum, Silent(), patience=200, short_patience=30)
        yield Submission(
            plan, machine, lambda e: folder / f"epochs/{e:06d}", folder / "settlements"
        )


def test_submit__takes_an_epoch_to_the_last_claim(world: World, tmp_path: Path) -> None:
    for plan in (world.propose(), world.activate(), world.claims()):
        with submitting(world, plan, tmp_path) as submission:
            assert submission.begin() is True
            (step,) = submission.run(lambda: world.account)
            assert step.state is State.FINAL
    assert [world.balance(payee) for payee in PAYEES] == [7 * WCT * i for i in range(1, 6)]


def test_submit__resumes_without_key(world: World, tmp_path: Path) -> None:
    plan = world.fund(5 * WCT)
    before = world.balance(world.distributor)
    with submitting(world, plan, tmp_path) as submission:
        submission.begin()
        submission.machine.sign(submission.intents()[0], world.account)
    nonce = world.nonce()
    with submitting(world, plan, tmp_path) as submission:
        assert submission.begin() is False
        (step,) = submission.run(lambda: pytest.fail("asks for the key"))
        assert step.state is State.FINAL
    for _ in range(2):
        with submitting(world, plan, tmp_path) as submission:
            assert submission.begin() is False
            submission.run(lambda: pytest.fail("asks for the key"))
    assert world.nonce() == nonce + 1
    assert world.balance(world.distributor) == before + 5 * WCT


def test_submit__foreign_nonce__stops_for_good_and_names_it(world: World, tmp_path: Path) -> None:
    plan = world.fund(5 * WCT)
    with submitting(world, plan, tmp_path) as submission:
        submission.begin()
        submission.machine.sign(submission.intents()[0], world.account)
        other = foreign(world, world.nonce())
        world.node.ask("anvil_mine", "0x1")
        with pytest.raises(Stopped, match=other) as caught:
            submission.run(lambda: world.account)
        assert caught.value.reason is Reason.FOREIGN_NONCE
        with pytest.raises(Stopped, match="ForeignNonce"):
            submission.begin()
        submission.begin(again=True)
        (step,) = submission.run(lambda: world.account)
        assert step.state is State.FINAL


def test_cancel_and_bump__land_once(world: World, tmp_path: Path) -> None:
    plan = world.fund(5 * WCT)
    before = world.balance(world.distributor)
    with submitting(world, plan, tmp_path) as submission:
        submission.begin()
        machine, (intent,) = submission.machine, submission.intents()
        machine.sign(intent, world.account)
        machine.send(intent)
        machine.replace(intent, world.account, cancel=False)
        machine.send(intent)
        machine.replace(intent, world.account, cancel=True)
        with pytest.raises(Stopped, match="Cancelled"):
            submission.run(lambda: world.account)
    assert world.balance(world.distributor) == before


def test_gas__stays_below_the_bound_of_a_transaction(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for needed, signed in ((GAS_BOUND - 1, GAS_BOUND - 1), (GAS_BOUND, None)):
        monkeypatch.setattr(Node, "estimate", lambda *_, needed=needed: needed)
        caps = replace(CAPS, gas_limit=2 * GAS_BOUND, total_fee=10**20)
        plan = world.fund(5 * WCT, caps=caps)
        with submitting(world, plan, tmp_path / str(needed)) as submission:
            submission.begin()
            (intent,) = submission.intents()
            if signed:
                assert submission.machine.sign(intent, world.account).gas == signed
                continue
            with pytest.raises(Stopped) as caught:
                submission.machine.sign(intent, world.account)
            assert caught.value.reason is Reason.GAS_ABOVE_CAP


def test_deploy__where_the_plan_says_or_not_at_all(world: World, tmp_path: Path) -> None:
    me = world.sender
    config = Config(
        *(world.token, me, me, 0, 1, 1, 1, 1, 0, 10**24, 0),
        proposers=(me,),
        attesters=(),
        guardians=(),
    )
    call = PlannedCall(None, 0, Distributor.deployment(config).data, None, ())
    address = created_address(me, world.nonce())
    plan = world.made("deploy", (call,), contract=PlannedContract(address, None))
    stale = world.made(
        "deploy", (call,), contract=PlannedContract(created_address(me, world.nonce() + 5), None)
    )
    with pytest.raises(Stopped) as it:
        _whole_way(world, stale, tmp_path)
    assert it.value.reason is Reason.OTHER_ADDRESS
    _whole_way(world, plan, tmp_path)
    assert Distributor(Node(world.node.url), address).token() == world.token
    _whole_way(world, plan, tmp_path)


def _whole_way(world: World, plan: Plan, folder: Path) -> None:
    with submitting(world, plan, folder) as submission:
        submission.begin()
        (step,) = submission.run(lambda: world.account)
        assert step.state is State.FINAL
