"""The commands as an operator gives them, from the plan to the last claim, on a real node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rewards.chain.contract import TOKEN, interface
from rewards.chain.endpoint import Call
from rewards.chain.op_stack import GAS_PRICE_ORACLE, fee_beside_execution
from rewards.chain.sending.keys import KEY_VARIABLE
from rewards.chain.sending.node import Node
from rewards.merkle.keccak import keccak256
from tests.builders import address
from tests.chain.anvil import running
from tests.plan.world import DELAY
from tests.sending.operators import CANARY, Operator, operating

if TYPE_CHECKING:
    from collections.abc import Iterator

TEST_CONTRACTS = Path(__file__).parents[2] / "contracts_abi" / "test"
MANY = {address(number): number * 10**15 for number in range(1, 200)}


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    with operating(tmp_path, monkeypatch) as made:
        yield made


def test_epoch__from_fund_to_the_last_claim__with_a_key(operator: Operator, tmp_path: Path) -> None:
    world, me = operator.world, operator.world.me
    world.publish(1, MANY)
    total = sum(MANY.values())
    world.send(world.token.mint(me, total))

    funding = operator.plan(1, "--action", "fund", "--sender", me)
    assert operator.submit(funding)["steps"][0]["state"] == "final"
    operator.submit(funding)
    assert world.token.balance(world.target.distributor) == total

    proposal = operator.plan(1, "--action", "propose", "--sender", me)
    done = operator.submit(proposal)
    assert done["steps"][0]["endpoints"].count("localhost") == 1
    assert operator.does("status")["epochs"][0]["status"] == "pending"

    activation = operator.plan(1, "--action", "activate")
    code, said = operator.fails("submit", activation, "--env-file", operator.env, "--yes")
    assert (code, "TooEarly" in said) == (3, True)
    operator.node.ask("evm_increaseTime", DELAY + 1)
    operator.node.ask("anvil_mine", "0x1")
    operator.submit(activation)
    operator.node.ask("anvil_mine", "0x4")
    assert operator.does("status")["epochs"][0]["status"] == "active"

    first = next(iter(MANY))
    shown = operator.does("claim", "1", first)
    assert shown["open"] == str(MANY[first])
    operator.fresh().send(Call(shown["to"], bytes.fromhex(shown["data"][2:])))
    assert world.token.balance(first) == MANY[first]
    second = list(MANY)[1]
    claimed = operator.does("claim", "1", second, "--env-file", operator.env, "--yes")
    assert claimed["steps"][0]["state"] == "final"

    pushed = operator.does("push", "1", "--env-file", operator.env, "--yes")
    assert [step["state"] for step in pushed["steps"]] == ["final", "final"]
    assert {account: world.token.balance(account) for account in MANY} == MANY
    assert operator.does("push", "1", "--env-file", operator.env, "--yes")["steps"] == []
    assert operator.does("unclaimed", "1")["open"] == "0"
    assert operator.does("status")["epochs"][0]["status"] == "paid"

    receipt = json.loads((world.folder / "settlements" / "000001.json").read_bytes())
    assert receipt["final"] is True
    names = [action["name"] for action in receipt["actions"]]
    assert names[:2] == ["propose", "activate"]
    assert names.count("push") == 2
    assert no_canary(tmp_path)


def nexts(operator: Operator) -> dict[str, tuple[str, str]]:
    operator.node.ask("anvil_mine", "0x4")
    told = operator.does("status")["epochs"]
    return {one["epoch"]: (one["status"], one["next"]) for one in told}


def test_status__proposes_one_plan_for_all_that_is_published(operator: Operator) -> None:
    world = operator.world
    world.publish(1, {})
    assert nexts(operator) == {"1": ("nothing", "nothing is to do")}
    world.publish(2, MANY)
    assert nexts(operator)["2"] == ("published", "`rewards plan 2 --action propose`")
    for epoch in (3, 4):
        world.publish(epoch, {address(1): 1})
    one_plan = "`rewards plan 4 --action propose`: one plan settles the earlier ones too"
    assert nexts(operator) == {
        "1": ("nothing", "nothing is to do"),
        "2": ("published", "nothing: epoch 4 settles it too"),
        "3": ("published", "nothing: epoch 4 settles it too"),
        "4": ("published", one_plan),
    }
    world.fund(sum(MANY.values()) + 1)
    operator.submit(operator.plan(3, "--action", "propose", "--sender", world.me))
    after = nexts(operator)
    assert after["2"] == ("published", "nothing: epoch 3 settles it too")
    assert after["3"][0] == "pending"
    waits = "once epoch 3 is decided: `rewards plan 4 --action propose`"
    assert after["4"] == ("published", waits)
    world.publish(5, {address(1): 1})
    after = nexts(operator)
    assert after["4"] == ("published", "nothing: epoch 5 settles it too")
    one_plan = "`rewards plan 5 --action propose`: one plan settles the earlier ones too"
    assert after["5"] == ("published", f"once epoch 3 is decided: {one_plan}")


def test_lost_journal__is_made_anew_from_chain_and_plans(
    operator: Operator, tmp_path: Path
) -> None:
    world, me = operator.world, operator.world.me
    world.publish(1, MANY)
    world.fund(sum(MANY.values()))
    proposal = operator.plan(1, "--action", "propose", "--sender", me)
    operator.submit(proposal)
    journal = world.folder / "settlements" / "journal.sqlite3"
    copy = tmp_path / "copy.sqlite3"
    operator.does("status", "--backup", copy)
    assert operator.does("status", "--journal", copy)["steps"][0]["state"] == "final"
    for file in journal.parent.glob("journal*"):
        file.unlink()
    nonce = operator.node.ask("eth_getTransactionCount", me, "latest")
    recovered = operator.does("status", "--recover", proposal, "--journal", journal)
    assert recovered["steps"][0]["state"] == "final"
    assert "somebody else" in recovered["steps"][0]["note"]
    operator.submit(proposal)
    assert operator.node.ask("eth_getTransactionCount", me, "latest") == nonce


def test_submit__refuses_drift(operator: Operator) -> None:
    world, me = operator.world, operator.world.me
    world.publish(1, MANY)
    world.fund(sum(MANY.values()))
    file = operator.plan(1, "--action", "propose", "--sender", me)
    send = ("submit", file, "--env-file", operator.env, "--yes")

    text = file.read_text()
    file.write_text(text.replace('"gas_limit": "', '"gas_limit": "1'))
    code, said = operator.fails(*send)
    assert (code, "digest" in said) == (2, True), said
    file.write_text(text)

    ledger = world.season.epoch(1) / "allocations.csv"
    content = ledger.read_bytes()
    ledger.write_bytes(content.replace(b",1", b",2", 1))
    code, said = operator.fails(*send)
    assert code == 1
    assert "allocations.csv" in said
    assert "StalePlan" in said
    ledger.write_bytes(content)

    code_there = operator.node.ask("eth_getCode", world.target.distributor, "latest")
    operator.node.ask("anvil_setCode", world.target.distributor, code_there + "00")
    operator.node.ask("anvil_mine", "0x4")
    code, said = operator.fails(*send)
    assert (code, "OtherContract" in said) == (1, True)
    operator.node.ask("anvil_setCode", world.target.distributor, "0x")
    operator.node.ask("anvil_mine", "0x4")
    code, said = operator.fails(*send)
    assert (code, "NoContract" in said) == (1, True)
    operator.node.ask("anvil_setCode", world.target.distributor, code_there)
    operator.node.ask("anvil_mine", "0x4")

    with running(chain_id=31338) as other:
        code, said = operator.fails(*send, "--rpc", other.url, "--rpc", operator.node.url)
        assert (code, "WrongChain" in said) == (3, True)
    code, said = operator.fails(*send, "--rpc", operator.node.url, "--rpc", "http://127.0.0.1:9")
    assert (code, "NoAnswer" in said) == (3, True)
    code, said = operator.fails(*send, "--rpc", operator.node.url, "--rpc", operator.node.url)
    assert (code, "twice" in said) == (2, True)

    world.propose(1)
    operator.node.ask("anvil_mine", "0x4")
    done = operator.submit(file)  # the same proposal, sent by somebody else: found, not sent again
    assert "somebody else" in done["steps"][0]["note"]


def test_submit__named_refusals_of_the_chain(operator: Operator) -> None:
    world, me = operator.world, operator.world.me
    world.publish(1, MANY)
    world.fund(sum(MANY.values()))
    file = operator.plan(1, "--action", "propose", "--sender", me)
    poor = operator.folder.parent / "poor.env"
    poor.write_text(f"{KEY_VARIABLE}={'7' * 64}\n")
    code, said = operator.fails("submit", file, "--env-file", poor, "--yes")
    assert code == 3
    assert "MissingRole" in said
    operator.node.ask("anvil_setBalance", me, "0x1")
    code, said = operator.fails("submit", file, "--env-file", operator.env, "--yes")
    assert (code, "InsufficientFunds" in said) == (3, True)
    operator.node.ask("anvil_setBalance", me, hex(10**20))
    operator.submit(file)

    activation = operator.plan(1, "--action", "activate")
    operator.node.ask("evm_increaseTime", DELAY + 1)
    operator.node.ask("anvil_mine", "0x4")
    away = ("submit", operator.plan("--action", "pause"), "--env-file", operator.env, "--yes")
    assert operator.does(*away)["steps"][0]["state"] == "final"
    code, said = operator.fails("submit", activation, "--env-file", operator.env, "--yes")
    assert (code, "ActivationPaused" in said) == (3, True)
    unpause = operator.plan("--action", "unpause", "--sender", me)
    operator.submit(unpause)
    # The treasury takes everything back behind the plan's back.
    held = world.token.balance(world.target.distributor)
    _take(operator, held)
    code, said = operator.fails("submit", activation, "--env-file", operator.env, "--yes")
    assert (code, "Underfunded" in said) == (3, True)
    operator.fresh().fund(held)
    operator.submit(activation)
    assert world.distributor.active().epoch == 1


def _take(operator: Operator, amount: int) -> None:
    """Have the distributor send its tokens away, as no key could."""
    contract = operator.world.target.distributor
    operator.node.ask("anvil_impersonateAccount", contract)
    operator.node.ask("anvil_setBalance", contract, hex(10**18))
    call = interface(TOKEN).call(operator.world.target.token, "transfer", operator.world.me, amount)
    request = {"from": contract, "to": call.to, "data": "0x" + call.data.hex()}
    operator.node.ask("eth_sendTransaction", request)
    operator.node.ask("anvil_mine", "0x1")


def test_push__leaves_out_a_payee_that_blocks_its_batch(operator: Operator) -> None:
    world, node = operator.world, operator.node
    few = {account: MANY[account] for account in list(MANY)[:5]}
    world.publish(1, few)
    world.fund(sum(few.values()))
    world.propose(1)
    node.ask("evm_increaseTime", DELAY + 1)
    node.ask("anvil_mine", "0x1")
    world.send(world.distributor.activate(1, 1))
    blocked = list(few)[2]
    _restrict(operator, [account for account in few if account != blocked])
    run = operator.run("push", "1", "--env-file", operator.env, "--yes")
    assert run.exit_code == 1, run.output
    assert json.loads(run.stdout)["blocked"][0]["account"] == blocked
    assert "TransferRestricted" in run.output
    paid = {account: world.token.balance(account) for account in few}
    assert paid == {**few, blocked: 0}


def _restrict(operator: Operator, allowed: list[str]) -> None:
    """Have the token refuse to pay anybody else, as WalletConnect's L2 token can."""
    node, token = operator.node, operator.world.target.token
    artifact = json.loads((TEST_CONTRACTS / "RestrictedToken.json").read_text())
    node.ask("anvil_setCode", token, artifact["deployedBytecode"])
    node.ask("anvil_setStorageAt", token, hex(7), "0x" + "ff" * 32)
    for account in allowed:
        place = keccak256(bytes(12) + bytes.fromhex(account[2:]) + (6).to_bytes(32, "big"))
        node.ask("anvil_setStorageAt", token, "0x" + place.hex(), "0x" + "00" * 31 + "01")
    node.ask("anvil_mine", "0x4")


def test_submit__bump_and_cancel(operator: Operator) -> None:
    world, me = operator.world, operator.world.me
    world.publish(1, MANY)
    world.send(world.token.mint(me, 10**20))
    file = operator.plan(1, "--action", "fund", "--sender", me, "--amount", "5")
    operator.node.ask("evm_setAutomine", False)
    operator.still = True
    send = ("submit", file, "--env-file", operator.env, "--yes", "--wait", "0")
    code, said = operator.fails(*send)
    assert (code, "NotFinalYet" in said) == (3, True)
    code, said = operator.fails(*send, "--bump")
    assert "NotFinalYet" in said
    code, said = operator.fails(*send, "--bump", "--fee-cap", "0.000001")
    assert (code, "FeeAboveCap" in said) == (3, True)
    code, said = operator.fails(*send, "--cancel")
    assert "NotFinalYet" in said
    operator.still = False
    code, said = operator.fails("submit", file, "--env-file", operator.env, "--yes")
    assert (code, "Cancelled" in said) == (3, True)
    assert world.token.balance(world.target.distributor) == 0
    done = operator.submit(file, "--again")
    assert done["steps"][0]["state"] == "final"
    assert world.token.balance(world.target.distributor) == 5 * 10**18


def no_canary(folder: Path) -> bool:
    """Return whether no file but the env file holds the key, in hexadecimal or as bytes."""
    needles = (CANARY, CANARY.hex().encode(), CANARY.hex().upper().encode())
    for file in folder.rglob("*"):
        if file.is_file() and file.name != "secret.env":
            content = file.read_bytes()
            assert not any(needle in content for needle in needles), file
    return True


def test_key__in_no_message_or_traceback(operator: Operator, capfd: Any, caplog: Any) -> None:
    import logging
    import traceback

    caplog.set_level(logging.DEBUG)
    world = operator.world
    world.publish(1, MANY)
    world.fund(sum(MANY.values()))
    file = operator.plan(1, "--action", "propose", "--sender", world.me)
    broken = operator.folder.parent / "broken.env"
    for text in (CANARY.hex() + "0", CANARY.hex()[:-1] + "g", f"0x0x{CANARY.hex()}"):
        broken.write_text(f"{KEY_VARIABLE}={text}\n")
        run = operator.run("submit", file, "--env-file", broken, "--yes")
        assert run.exception is not None
        told = "".join(traceback.format_exception(run.exception)) + run.output
        assert CANARY.hex()[:-1] not in told
    run = operator.run("submit", file, "--env-file", operator.env, "--yes")
    assert run.exit_code == 0
    out, err = capfd.readouterr()
    assert CANARY.hex() not in run.output + out + err + caplog.text


def test_op_stack__fees_beside_execution_count(operator: Operator) -> None:
    """A stand-in for the predeploy: it charges 10^15 wei for data and 10^14 as operator fee."""
    oracle = "7f" + (10**15).to_bytes(32, "big").hex()  # PUSH32 data fee
    other = "7f" + (10**14).to_bytes(32, "big").hex()  # PUSH32 operator fee
    take = oracle + "60005260206000f3"
    head = "600035" + "60e01c" + "63275aedd2" + "14"  # is it getOperatorFee?
    target = len(head) // 2 + 4 + len(take) // 2
    program = f"{head}61{target:04x}57{take}5b{other}60005260206000f3"
    operator.node.ask("anvil_setCode", GAS_PRICE_ORACLE, "0x" + program)
    node = Node(operator.node.url)
    assert fee_beside_execution(node, b"data", 100_000) == 10**15 + 10**14
    node.close()
    world = operator.world
    world.publish(1, MANY)
    world.fund(sum(MANY.values()))
    tight = operator.plan(
        1, "--action", "propose", "--sender", world.me, "--max-total-fee", "0.001"
    )
    code_, said = operator.fails("submit", tight, "--env-file", operator.env, "--yes")
    assert (code_, "FeeAboveCap" in said) == (3, True)
    wide = operator.plan(1, "--action", "propose", "--sender", world.me, "--max-total-fee", "0.05")
    operator.submit(wide)
