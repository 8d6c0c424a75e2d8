"""Transfers that no contract keeps from happening twice: one plan, two machines, a lost journal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account

from rewards.chain.contract import DISTRIBUTOR, TOKEN, interface
from rewards.chain.sending.drift import require_files
from rewards.chain.sending.movements import GIFT_SHARE, Movement, Received
from rewards.chain.sending.reasons import Reason, Stopped
from rewards.chain.sending.recovery import recover
from rewards.chain.steps import State
from rewards.errors import CheckFailed
from rewards.merkle.keccak import keccak256
from tests.chain.anvil import OTHER_KEY
from tests.sending.test_machine import submitting
from tests.sending.world import PAYEES, WCT, World, chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rewards.chain.plan import Plan
    from tests.chain.anvil import Anvil

AMOUNT = 500 * WCT
SAYS_FALSE = "0x600060005260206000f3"
"""PUSH1 0 PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN."""
FEE_TOKEN = Path(__file__).parents[2] / "contracts_abi" / "test" / "FeeToken.json"


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with chain() as running:
        yield running


@pytest.fixture
def world(node: Anvil) -> World:
    return World.on(node, fund=1000 * WCT)


def give(world: World, amount: int, *, final: bool = True) -> None:
    """Have somebody else send tokens to the distributor."""
    world.send_tokens(world.distributor, amount)
    if final:
        world.node.ask("anvil_mine", "0x4", "0x2")


def submit(world: World, plan: Plan, folder: Path, *, again: bool = False) -> State | None:
    with submitting(world, plan, folder) as submission:
        submission.begin(again=again)
        (step,) = submission.run(lambda: world.account)
        return step.state


def refusal(world: World, plan: Plan, folder: Path, **options: Any) -> str:
    with pytest.raises(CheckFailed) as caught:
        submit(world, plan, folder, **options)
    assert caught.value.findings[0].remedy
    return caught.value.findings[0].problem.partition(":")[0]


def test_fund__same_plan_from_a_second_journal__is_refused(world: World, tmp_path: Path) -> None:
    plan, held = world.fund(AMOUNT), world.balance(world.distributor)
    assert submit(world, plan, tmp_path / "here") is State.FINAL
    assert refusal(world, plan, tmp_path / "there") == "AlreadyFunded"
    assert refusal(world, plan, tmp_path / "there", again=True) == "AlreadyFunded"
    assert world.balance(world.distributor) == held + AMOUNT


def test_fund__both_signed_before_either_landed__one_lands(world: World, tmp_path: Path) -> None:
    plan, held = world.fund(AMOUNT), world.balance(world.distributor)
    with (
        submitting(world, plan, tmp_path / "here") as here,
        submitting(world, plan, tmp_path / "there") as there,
    ):
        signed = []
        for one in (here, there):
            one.begin()
            signed.append(one.machine.sign(one.intents()[0], world.account))
            world.node.ask("anvil_setNextBlockBaseFeePerGas", hex(3 * 10**9))
            world.node.ask("anvil_mine", "0x1")  # another price: the bytes differ
        assert signed[0].nonce == signed[1].nonce
        assert signed[0].transaction != signed[1].transaction
        here.run(lambda: world.account)
        with pytest.raises(Stopped) as caught:
            there.run(lambda: world.account)
        assert caught.value.reason is Reason.FOREIGN_NONCE
        with pytest.raises(CheckFailed, match="AlreadyFunded"):
            there.begin(again=True)
    assert world.balance(world.distributor) == held + AMOUNT


def test_fund__landed_between_check_and_signature__is_noticed(world: World, tmp_path: Path) -> None:
    plan, held = world.fund(AMOUNT), world.balance(world.distributor)
    with submitting(world, plan, tmp_path / "there") as there:
        assert there.begin() is True
        assert submit(world, plan, tmp_path / "here") is State.FINAL
        with pytest.raises(CheckFailed, match="AlreadyFunded"):
            there.run(lambda: world.account)
    assert world.balance(world.distributor) == held + AMOUNT


def test_fund__from_another_account__is_refused(world: World, tmp_path: Path) -> None:
    plan = world.fund(AMOUNT)
    with submitting(world, plan, tmp_path) as submission:
        submission.begin()
        with pytest.raises(CheckFailed, match="OtherSender"):
            submission.run(lambda: Account.from_key(OTHER_KEY))


def test_fund__dust_of_others__does_not_hold_it_up(world: World, tmp_path: Path) -> None:
    plan = world.fund(AMOUNT)
    give(world, AMOUNT // GIFT_SHARE)
    assert submit(world, plan, tmp_path) is State.FINAL


@pytest.mark.parametrize("final", [True, False])
def test_fund__by_others__is_seen_before_anything_is_signed(
    world: World, tmp_path: Path, final: bool
) -> None:
    plan = world.fund(AMOUNT)
    give(world, AMOUNT // GIFT_SHARE + 1, final=final)
    assert refusal(world, plan, tmp_path) == "AlreadyFunded"


def test_fund__by_others_while_ours_waits__is_not_sent(world: World, tmp_path: Path) -> None:
    plan = world.fund(AMOUNT)
    with submitting(world, plan, tmp_path) as submission:
        submission.begin()
        submission.machine.sign(submission.intents()[0], world.account)
    held, nonce = world.balance(world.distributor), world.nonce()
    _give_from_elsewhere(world)
    assert world.nonce() == nonce
    with submitting(world, plan, tmp_path) as submission:
        with pytest.raises(CheckFailed, match="--cancel"):
            submission.begin()
        machine, (intent,) = submission.machine, submission.intents()
        machine.replace(intent, world.account, cancel=True)
        with pytest.raises(Stopped, match="Cancelled"):
            submission.run(lambda: world.account)
    assert world.balance(world.distributor) == held + AMOUNT


def _give_from_elsewhere(world: World) -> None:
    """Have another account fund the distributor, so that the sender's nonce stays."""
    call = interface(TOKEN).call(world.token, "transfer", world.distributor, AMOUNT)
    other = "0x" + "ab" * 20
    world.node.ask("anvil_impersonateAccount", other)
    world.node.ask("anvil_setBalance", other, hex(10**18))
    _set_balance(world, other, AMOUNT)
    request = {"from": other, "to": world.token, "data": "0x" + call.data.hex()}
    world.node.ask("eth_sendTransaction", request)
    world.node.ask("anvil_mine", "0x5", "0x2")


def _set_balance(world: World, account: str, amount: int) -> None:
    """Write a balance of the test token into its storage."""
    place = keccak256(bytes(12) + bytes.fromhex(account[2:]) + bytes(32))
    world.node.ask("anvil_setStorageAt", world.token, "0x" + place.hex(), f"0x{amount:064x}")
    assert world.balance(account) == amount


def test_fund__claims_in_between__change_nothing(world: World, tmp_path: Path) -> None:
    for plan in (world.propose(), world.activate()):
        submit(world, plan, tmp_path)
    funding = world.fund(AMOUNT)
    submit(world, world.claims(), tmp_path)
    assert world.balance(PAYEES[0]) > 0
    assert submit(world, funding, tmp_path) is State.FINAL


def test_sweep__twice_from_two_journals__is_refused(world: World, tmp_path: Path) -> None:
    plan, funding = world.sweep(), world.fund(AMOUNT)
    assert submit(world, plan, tmp_path / "here") is State.FINAL
    assert refusal(world, plan, tmp_path / "there") == "AlreadySwept"
    assert refusal(world, funding, tmp_path / "there") == "StalePlan"
    later = world.fund(AMOUNT)
    submit(world, later, tmp_path / "here")
    assert world.balance(world.distributor) == AMOUNT


def test_sweep__what_came_in_since__is_not_taken(world: World, tmp_path: Path) -> None:
    plan = world.sweep()
    give(world, AMOUNT)
    assert refusal(world, plan, tmp_path) == "StalePlan"


def test_fund__token_with_a_fee__is_noticed_all_the_same(world: World, tmp_path: Path) -> None:
    code = json.loads(FEE_TOKEN.read_text())["deployedBytecode"]
    world.node.ask("anvil_setCode", world.token, code)
    _set_balance(world, world.sender, 10 * AMOUNT)
    world.node.ask("anvil_mine", "0x4", "0x2")
    plan, held = world.fund(AMOUNT), world.balance(world.distributor)
    assert submit(world, plan, tmp_path / "here") is State.FINAL
    assert held < world.balance(world.distributor) < held + AMOUNT
    assert refusal(world, plan, tmp_path / "there") == "AlreadyFunded"


def test_fund__token_that_only_says_false__is_not_called_paid(world: World, tmp_path: Path) -> None:
    plan, held = world.fund(AMOUNT), world.balance(world.distributor)
    with submitting(world, plan, tmp_path) as submission:
        submission.begin()
        submission.machine.sign(submission.intents()[0], world.account)
        # A token that moves nothing and returns false, where the plan's own was.
        code = world.node.ask("eth_getCode", world.token, "latest")
        world.node.ask("anvil_setCode", world.token, SAYS_FALSE)
        world.node.ask("anvil_mine", "0x1")
        submission.machine.send(submission.intents()[0])
        world.node.ask("anvil_mine", "0x1")
        world.node.ask("anvil_setCode", world.token, code)
        world.node.ask("anvil_mine", "0x4")
        with pytest.raises(Stopped) as caught:
            submission.machine.finish(submission.intents()[0])
        assert caught.value.reason is Reason.GOAL_NOT_REACHED
    assert world.balance(world.distributor) == held


def test_fund__swept_before_anybody_looked__is_final_all_the_same(
    world: World, tmp_path: Path
) -> None:
    submit(world, world.sweep(), tmp_path)
    plan = world.fund(AMOUNT)
    with submitting(world, plan, tmp_path) as submission:
        submission.begin()
        submission.machine.sign(submission.intents()[0], world.account)
        submission.machine.send(submission.intents()[0])
        world.node.ask("anvil_mine", "0x4", "0x2")
    call = interface(DISTRIBUTOR).call(world.distributor, "sweep", world.token)
    request = {"from": world.sender, "to": world.distributor, "data": "0x" + call.data.hex()}
    world.node.ask("eth_sendTransaction", request)
    world.node.ask("anvil_mine", "0x4", "0x2")
    assert world.balance(world.distributor) == 0
    assert submit(world, plan, tmp_path) is State.FINAL


def test_plan__that_binds_no_figure_or_sender__is_refused(world: World) -> None:
    for changes in ({"sender": None}, {"totals": {"amount": AMOUNT}}):
        plan = world.fund(AMOUNT, **changes)
        with pytest.raises(CheckFailed, match="could be carried out twice"):
            require_files(plan, lambda _: Path())
    plan = world.fund(AMOUNT, totals={"amount": AMOUNT + 1, "received": 0})
    with pytest.raises(CheckFailed, match="another amount"):
        require_files(plan, lambda _: Path())


def test_recover__tells_by_the_figure_what_was_made(world: World, tmp_path: Path) -> None:
    made, twin = world.fund(AMOUNT), world.fund(AMOUNT, gate={"note": "another"})

    def recovered(plan: Plan, folder: str) -> Any:
        with submitting(world, plan, tmp_path / folder) as submission:
            submission.attempt = 1 if plan is made else 2
            (step,) = recover(submission)
            return step

    assert recovered(made, "before").state is State.PLANNED
    assert submit(world, made, tmp_path / "lost") is State.FINAL
    step = recovered(made, "fresh")
    assert step.state is State.FINAL
    assert "somebody else" in step.outcome["note"]
    assert submit(world, made, tmp_path / "fresh") is State.FINAL
    step = recovered(twin, "fresh")  # one movement cannot vouch for two plans
    assert (step.closed, step.halt) == (True, "UnknownAfterLoss")


def test_movement__is_open_and_made() -> None:
    fund = Movement(Received("0x", "0x"), 1000, 500, "AlreadyFunded")
    assert [fund.is_open(there) for there in (999, 1000, 1005, 1006, 1500)] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert [fund.is_made(there) for there in (1000, 1499, 1500, 1501)] == [
        False,
        False,
        True,
        False,
    ]
    sweep = Movement(Received("0x", "0x"), 1000, -500, "AlreadySwept")
    assert sweep.is_made(500)
    assert sweep.refusal(500).problem.startswith("AlreadySwept")
    assert sweep.refusal(1100).problem.startswith("StalePlan")
