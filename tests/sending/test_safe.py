"""The way through a real Safe: executed, failed, superseded, for every version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account

from rewards.chain.contract import encode
from rewards.chain.journal import State, open_journal
from rewards.chain.safe.hashes import SafeTx, hashes_of
from rewards.chain.sending.machine import Machine, Silent
from rewards.chain.sending.quorum import Quorum, nodes_of
from rewards.chain.sending.reasons import Reason, Stopped
from rewards.chain.sending.safe_watch import SafeWatch
from rewards.chain.sending.submitting import Submission
from rewards.errors import CheckFailed
from rewards.merkle.keccak import keccak256
from tests.chain.anvil import OTHER_KEY
from tests.sending.world import WCT, TestClock, World, chain, path_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rewards.chain.plan_file import Plan

CODE = Path(__file__).parents[1] / "safe" / "contracts"
VERSIONS = ("1.3.0", "1.4.1", "1.5.0")
ZERO = "0x" + "00" * 20
SAFE = "0x5afe" + "00" * 17 + "01"
EXEC = (
    *("address", "uint256", "bytes", "uint8", "uint256", "uint256", "uint256"),
    *("address", "address", "bytes"),
)


class Safe:
    """A Safe with one owner."""

    def __init__(self, world: World, version: str) -> None:
        self.world, self.owner = world, Account.from_key(OTHER_KEY)
        code = "".join((CODE / f"Safe-{version}.hex").read_text().split())
        world.node.ask("anvil_setCode", SAFE, code if code.startswith("0x") else "0x" + code)
        types: tuple[str, ...] = ("address[]", "uint256", "address", "bytes", "address", "address")
        types = (*types, "uint256", "address")
        values = ([self.owner.address], 1, ZERO, b"", ZERO, ZERO, 0, ZERO)
        self._send(f"setup({','.join(types)})", types, values)
        world.node.ask("anvil_mine", "0x4")

    def execute(self, tx: SafeTx) -> None:
        mark = hashes_of(self.world.chain_id, SAFE, tx).safe_tx_hash
        signed = self.owner.unsafe_sign_hash(bytes.fromhex(mark[2:]))
        values = (
            *(tx.to, tx.value, tx.data, tx.operation, tx.safe_tx_gas, tx.base_gas, tx.gas_price),
            *(tx.gas_token, tx.refund_receiver, bytes(signed.signature)),
        )
        self._send(f"execTransaction({','.join(EXEC)})", EXEC, values)

    def _send(self, function: str, types: tuple[str, ...], values: tuple[Any, ...]) -> None:
        data = keccak256(function.encode())[:4] + encode(types, values)
        request = {"from": self.owner.address, "to": SAFE, "data": "0x" + data.hex()}
        mark = self.world.node.ask("eth_sendTransaction", {**request, "gas": "0x4c4b40"})
        self.world.node.ask("anvil_mine", "0x1")
        assert self.world.node.ask("eth_getTransactionReceipt", mark)["status"] == "0x1"


@pytest.fixture(params=VERSIONS)
def safe(request: pytest.FixtureRequest) -> Iterator[Safe]:
    with chain() as node:
        world = World.on(node, fund=1000 * WCT, proposers=(SAFE,))
        yield Safe(world, request.param)


class Handed:
    """A plan handed to a Safe."""

    def __init__(self, safe: Safe, plan: Plan, folder: Path, *, gas: int = 0) -> None:
        self.safe, self.plan, self.folder = safe, plan, folder
        (call,) = plan.calls
        assert call.to
        self.tx = replace(SafeTx.plain(call.to, 0, call.data, 0, 0), safe_tx_gas=gas)

    def run(self, *, hash_of: SafeTx | None = None, watch: bool = True, again: bool = False) -> Any:
        world = self.safe.world
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
            way = SafeWatch(machine, submission.whole(), SAFE, self.tx, mark)
            way.hand_over()
            step = way.watch() if watch else None
            submission.write_receipt()
            return step


def test_executed__is_final(safe: Safe, tmp_path: Path) -> None:
    handed = Handed(safe, safe.world.propose(), tmp_path)
    handed.run(watch=False)
    with pytest.raises(Stopped) as caught:
        handed.run()
    assert caught.value.reason is Reason.NOT_FINAL_YET
    safe.execute(handed.tx)
    step = handed.run()
    assert step.state is State.FINAL
    assert step.outcome["goal"] == "yes"
    assert handed.run().state is State.FINAL


def test_superseded__is_not_paid(safe: Safe, tmp_path: Path) -> None:
    handed = Handed(safe, safe.world.propose(), tmp_path)
    handed.run(watch=False)
    safe.execute(SafeTx.plain("0x" + "11" * 20, 0, b"", 0, 0))
    with pytest.raises(Stopped) as caught:
        handed.run()
    assert caught.value.reason is Reason.SAFE_SUPERSEDED
    handed.tx = replace(handed.tx, nonce=1)
    handed.run(watch=False, again=True)
    safe.execute(handed.tx)
    assert handed.run().state is State.FINAL


def test_failed__is_told_apart(safe: Safe, tmp_path: Path) -> None:
    plan = safe.world.plan("veto", (3, 1, "nothing is pending"), epoch=3)
    handed = Handed(safe, plan, tmp_path, gas=100_000)
    handed.run(watch=False)
    safe.execute(handed.tx)
    with pytest.raises(Stopped) as caught:
        handed.run()
    assert caught.value.reason is Reason.SAFE_FAILED


def test_second_nonce__is_refused_while_the_first_could_be_executed(
    safe: Safe, tmp_path: Path
) -> None:
    handed = Handed(safe, safe.world.propose(), tmp_path)
    handed.run(watch=False)
    handed.tx = replace(handed.tx, nonce=1)
    with pytest.raises(Stopped) as caught:
        handed.run()
    assert caught.value.reason is Reason.UNFINISHED_STEP


def test_other_hash__is_refused(safe: Safe, tmp_path: Path) -> None:
    handed = Handed(safe, safe.world.propose(), tmp_path)
    with pytest.raises(CheckFailed, match="OtherHash"):
        handed.run(hash_of=replace(handed.tx, nonce=9))


def test_no_safe__is_named(tmp_path: Path) -> None:
    with chain() as node:
        world = World.on(node, fund=1000 * WCT)
        nobody = Safe.__new__(Safe)
        nobody.world = world
        with pytest.raises(Stopped) as caught:
            Handed(nobody, world.propose(), tmp_path).run()
        assert caught.value.reason is Reason.SAFE_MISSING
