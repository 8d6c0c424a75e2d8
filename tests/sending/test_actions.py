"""Every action of our contract, and every other target, through the whole way on a real node."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from eth_abi.abi import encode

from rewards.chain.contract import DISTRIBUTOR, interface
from rewards.chain.deployment import created_address
from rewards.chain.distributor import Config, Distributor, ProposalStatus
from rewards.chain.endpoint import Call
from rewards.chain.journal import open_journal
from rewards.chain.plan_file import EpochRange, Plan, PlannedCall, PlannedContract
from rewards.chain.sender import Sender
from rewards.chain.sending.machine import Machine, Silent
from rewards.chain.sending.node import Node
from rewards.chain.sending.quorum import Quorum, nodes_of
from rewards.chain.sending.reasons import Reason, Stopped
from rewards.chain.sending.submitting import Submission
from rewards.chain.steps import State
from rewards.merkle.keccak import keccak256
from rewards.targets.airdrop import Airdrop
from rewards.targets.reward_manager import Entry, RewardManager
from rewards.targets.target import Terms
from rewards.targets.urd import Urd
from tests.sending.world import WCT, TestClock, World, chain, path_in
from tests.targets import epochs
from tests.targets.chain import CREATION, payee

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rewards.chain.steps import Step


@pytest.fixture(scope="module")
def node() -> Iterator[Any]:
    with chain() as running:
        yield running


@pytest.fixture
def world(node: Any) -> World:
    return World.on(node, fund=1_000 * WCT)


def submit(world: World, plan: Plan, folder: Path, attempt: int | None = None) -> list[Step]:
    nodes = nodes_of([world.node.url])
    with open_journal(path_in(folder)) as journal:
        quorum = Quorum(nodes, world.chain_id, TestClock(world.node))
        machine = Machine(journal, quorum, Silent(), patience=60, short_patience=10)
        submission = Submission(plan, machine, lambda _: folder, folder, attempt)
        submission.begin()
        steps = submission.run(lambda: world.account)
        assert all(step.state is State.FINAL for step in steps)
        assert json.loads(submission.write_receipt().read_bytes())["final"] is True
    nodes[0].close()
    return steps


def state(world: World) -> Distributor:
    return Distributor(Node(world.node.url), world.distributor)


def test_brakes_and_settings(world: World, tmp_path: Path) -> None:
    submit(world, world.propose(), tmp_path)
    submit(world, world.plan("veto", (7, 1, "wrong scores"), epoch=7), tmp_path)
    assert state(world).pending().status is ProposalStatus.VETOED
    submit(world, world.propose(attempt=2), tmp_path)
    submit(world, world.activate(attempt=2), tmp_path)
    submit(world, world.claims(), tmp_path)

    submit(world, world.plan("pause", (True, True)), tmp_path)
    assert state(world).settings().claims_paused_until > 0
    submit(world, world.plan("unpause", (True, True)), tmp_path)

    change = interface(DISTRIBUTOR).call(world.distributor, "setCap", 10**31, 10**31).data
    submit(world, world.plan("schedule", (change,)), tmp_path)
    submit(world, world.plan("cancel", ([keccak256(change)],)), tmp_path)
    assert state(world).scheduled_at(change) == 0
    submit(world, world.plan("schedule", (change,)), tmp_path, attempt=2)
    configure = PlannedCall.of(
        world.distributor, interface(DISTRIBUTOR).entry("setCap"), (10**31, 10**31)
    )
    submit(world, world.made("configure", (configure,)), tmp_path)
    assert state(world).settings().cap_burst == 10**31

    held = world.balance(world.sender)
    submit(world, world.sweep(), tmp_path)
    assert world.balance(world.sender) > held

    retire = interface(DISTRIBUTOR).call(world.distributor, "retire").data
    submit(world, world.plan("schedule", (retire,)), tmp_path, attempt=3)
    submit(world, world.plan("retire", ()), tmp_path)
    assert state(world).settings().retired


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
        submit(world, stale, tmp_path)
    assert it.value.reason is Reason.OTHER_ADDRESS
    submit(world, plan, tmp_path)
    assert Distributor(Node(world.node.url), address).token() == world.token
    submit(world, plan, tmp_path)


def _stand_in(world: World, name: str, types: str, *values: Any) -> str:
    code = bytes.fromhex(CREATION[name][2:]) + encode(types.split(","), values)
    world.node.ask("evm_setAutomine", True)
    created = Sender(Node(world.node.url), world.account, world.chain_id).send(Call(None, code))
    world.node.ask("evm_setAutomine", False)
    world.node.ask("anvil_mine", "0x4", "0x2")
    assert created.contract
    return created.contract


def _plan(world: World, target: Any, action: str, terms: Terms, contract: str) -> Plan:
    code = world.node.ask("eth_getCode", contract, "latest")
    known = None if code == "0x" else world._code_hash(contract)
    return world.made(
        action,
        target.calls(action, terms),
        target=target.kind,
        epochs=EpochRange(2, 2),
        merkle_root="0x" + target.root.hex() if target.root else None,
        contract=PlannedContract(contract, known),
        totals=target.totals,
        gate=target.check(action, terms, Node(world.node.url)).verdict(),
        sender=world.sender,
    )


def test_urd(world: World, tmp_path: Path) -> None:
    contract = _stand_in(world, "StandInUrd", "address,uint256", world.sender, 1)
    settling = epochs.settling(
        [WCT, 2 * WCT], chain_id=world.chain_id, token=world.token, distributor=contract
    )
    urd, terms = Urd(settling), Terms(sender=world.sender)
    (proposed,) = submit(world, _plan(world, urd, "propose", terms, contract), tmp_path)
    assert proposed.outcome["goal"] == "yes"
    world.node.ask("anvil_mine", "0x4", "0x2")
    (activated,) = submit(world, _plan(world, urd, "activate", terms, contract), tmp_path)
    assert activated.outcome["goal"] == "yes"


def test_reward_manager(world: World, tmp_path: Path) -> None:
    known = [payee(number) for number in range(2)]
    registry = _stand_in(world, "StandInRegistry", "uint8,address[]", 50, known)
    contract = _stand_in(
        world, "StandInRewardManager", "address,address,uint256", world.sender, registry, 10**24
    )
    settling = epochs.settling([1], chain_id=world.chain_id, token=world.token)
    entries = tuple(Entry(address, 10**18, ("a",)) for address in sorted(known))
    target = RewardManager(replace(settling, epoch=2), entries)
    terms = Terms(contract=contract, sender=world.sender)
    (recorded,) = submit(world, _plan(world, target, "propose", terms, contract), tmp_path)
    assert recorded.outcome["goal"] == "yes"


def test_airdrop(world: World, tmp_path: Path) -> None:
    settling = epochs.settling([WCT, 2 * WCT], chain_id=world.chain_id, token=world.token)
    airdrop = Airdrop(settling)
    terms = Terms(
        reserve=world.sender,
        admin=world.sender,
        pauser=world.sender,
        creation_code=bytes.fromhex(CREATION["StandInAirdrop"][2:]),
    )
    contract = created_address(world.sender, world.nonce())
    submit(world, _plan(world, airdrop, "deploy", terms, contract), tmp_path)
    terms = replace(terms, contract=contract)
    for action in ("fund", "pause"):
        submit(world, _plan(world, airdrop, action, terms, contract), tmp_path)
