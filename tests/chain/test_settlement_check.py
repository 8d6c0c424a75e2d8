"""`verify --rpc`: right, altered, underfunded, pending, superseded, elsewhere, contradicted."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from rewards.chain.accounts import developer_account
from rewards.chain.embedded import DEVELOPER_KEYS, EmbeddedChain
from rewards.chain.errors import EndpointTrouble
from rewards.chain.network import JsonRpc
from rewards.chain.sender import Sender
from rewards.chain.settlement_check import check_settlement, check_through, position_through
from rewards.cli import rewards
from rewards.cli.console import exit_code
from rewards.errors import Refused
from rewards.files.epoch import compute, publish_epoch
from rewards.files.published import PublishedEpoch
from rewards.rehearsal.epochs import opening_after
from rewards.rehearsal.settling import settling_of
from rewards.rehearsal.stage import Stage
from tests.builders import address, adjustment, header, inputs, second, settlement
from tests.chain.anvil import KEY, Anvil, free_port, running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rewards.chain.endpoint import Call, Endpoint
    from rewards.errors import Finding
    from rewards.files.epoch import ComputedEpoch
    from rewards.rehearsal.settling import Settling
    from rewards.rules.records import Address, Settlement

AMOUNTS = {address(1): 700, address(2): 300}


def one_epoch(target: Settlement, amounts: dict[Address, int] | None = None) -> ComputedEpoch:
    rows = tuple(adjustment(account, n) for account, n in (amounts or AMOUNTS).items())
    return compute(inputs(head=header(), target=target, adjustments=rows), None)


class Settled:
    """Epoch 1 settled on a chain, its published folder, and room for an epoch 2."""

    def __init__(self, endpoint: Endpoint, key: bytes, folder: Path) -> None:
        self.endpoint, self.folder = endpoint, folder
        sender = Sender(endpoint, developer_account(key), endpoint.chain_id())
        self.stage = Stage(sender, delay=1)
        self.target = self.stage.deploy(initial_epoch=0, funding=10**6)
        self.stage.fund(sum(AMOUNTS.values()))
        self.first = one_epoch(self.target)
        self.published = self.publish("first", self.first)
        self.stage.settle(self.settling(self.first))

    def publish(self, name: str, epoch: ComputedEpoch) -> PublishedEpoch:
        publish_epoch(epoch, self.folder / name)
        return PublishedEpoch(self.folder / name)

    def settling(self, epoch: ComputedEpoch) -> Settling:
        settling = settling_of([epoch], [epoch])
        assert settling is not None
        return settling

    def second(self, amount: int) -> ComputedEpoch:
        rows = (adjustment(address(3), amount),)
        next_one = inputs(head=second(), target=self.target, adjustments=rows)
        return compute(next_one, opening_after(self.first))

    def check(self, *endpoints: Endpoint) -> tuple[dict[str, str], list[Finding]]:
        return check_through(self.published, endpoints or [self.endpoint])


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Settled:
    return Settled(EmbeddedChain(), DEVELOPER_KEYS[0], tmp_path_factory.mktemp("settled"))


def columns(findings: list[Finding]) -> set[str]:
    return {finding.column for finding in findings}


def test_settled_epoch__agrees(settled: Settled) -> None:
    report, findings = settled.check()
    assert findings == []
    assert report["status"] == "active"
    assert (report["claimed_total"], report["outstanding"], report["balance"]) == ("1000", "0", "0")
    assert (report["accounts"], report["accounts_paid_in_full"]) == ("2", "2")


def test_position__for_the_books(settled: Settled) -> None:
    position, findings = position_through(settled.published, [settled.endpoint])
    assert findings == []
    assert position is not None
    assert position.active.epoch == 1
    assert (position.active.claimed_total, position.balance) == (1000, 0)
    assert position.claims == AMOUNTS


def test_position__of_epochs_before_the_active_one__refused(settled: Settled) -> None:
    manifest = settled.published.manifest
    earlier = replace(manifest, document={**manifest.document, "epoch": "0"})
    past = PublishedEpoch(settled.published.folder)
    past.manifest = earlier
    position, findings = position_through(past, [settled.endpoint])
    assert position is None
    assert "has activated epoch 1 already" in str(findings[0])


def test_other_epoch_of_that_number__every_difference_is_named(settled: Settled) -> None:
    other = settled.publish("other", one_epoch(settled.target, {address(1): 700, address(2): 301}))
    _, findings = check_through(other, [settled.endpoint])
    assert columns(findings) == {"root", "manifest hash", "cumulative total"}


def test_account_paid_more__is_named(settled: Settled) -> None:
    other = settled.publish("less", one_epoch(settled.target, {address(1): 699, address(2): 301}))
    _, findings = check_through(other, [settled.endpoint])
    assert {"root", "manifest hash", "claimed"} == columns(findings)
    assert address(1) in str(next(f for f in findings if f.column == "claimed"))


def test_account_paid_that_has_no_leaf__is_noticed(settled: Settled) -> None:
    other = settled.publish("gone", one_epoch(settled.target, {address(1): 1000}))
    _, findings = check_through(other, [settled.endpoint])
    assert "claimed total" in columns(findings)


def test_next_epoch__not_proposed__then_pending__then_active(tmp_path: Path) -> None:
    settled = Settled(EmbeddedChain(), DEVELOPER_KEYS[0], tmp_path)
    epoch = settled.second(5)
    published = settled.publish("second", epoch)
    report, findings = check_through(published, [settled.endpoint])
    assert (report["status"], findings) == ("not_proposed", [])

    settled.stage._propose(settled.settling(epoch))
    report, findings = check_through(published, [settled.endpoint])
    assert (report["status"], findings) == ("pending", [])
    wrong = settled.publish("wrong", settled.second(6))
    _, findings = check_through(wrong, [settled.endpoint])
    assert columns(findings) == {"root", "manifest hash", "cumulative total"}

    settled.stage.fund(5)
    settled.stage._activate(settled.settling(epoch))
    report, findings = check_through(published, [settled.endpoint])
    assert (report["status"], report["outstanding"], findings) == ("active", "5", [])
    report, findings = settled.check()
    assert (report["status"], findings) == ("superseded", [])
    assert "epoch 2 is active" in report["meaning"]


def test_no_code__names_block_and_address(settled: Settled) -> None:
    nowhere = replace(settled.target, distributor=address(9))
    published = settled.publish("nowhere", one_epoch(nowhere))
    report, findings = check_through(published, [settled.endpoint])
    assert report["status"] == "unknown"
    assert [finding.value for finding in findings] == [address(9)]


def test_other_contract_there__is_trouble(settled: Settled) -> None:
    elsewhere = replace(settled.target, distributor=settled.target.token, token=address(8))
    published = settled.publish("elsewhere", one_epoch(elsewhere))
    with pytest.raises(Refused):
        check_through(published, [settled.endpoint])


def test_code_there_that_ends_in_an_evm_error__is_a_refusal_and_no_trouble(tmp_path: Path) -> None:
    with running() as node:
        target = settlement(distributor=address(9), chain_id=31337)
        publish_epoch(one_epoch(target), tmp_path / "out")
        node.ask("anvil_setCode", address(9), "0xfe")
        node.finalize()
        words = ["verify", str(tmp_path / "out"), "--rpc", node.url, "--json"]
        done = CliRunner().invoke(rewards, words)
        assert isinstance(done.exception, Refused)
        assert exit_code(done.exception) == 1
        assert "InvalidFEOpcode" in str(done.exception)
        assert "check the address" in str(done.exception)


def test_epoch_without_a_leaf__has_nothing_to_settle(settled: Settled) -> None:
    empty = compute(inputs(head=header(epoch=2), target=settled.target), None)
    report, findings = check_through(settled.publish("empty", empty), [settled.endpoint])
    assert report["status"] == "nothing_to_settle"
    # That epoch 1 was paid contradicts an epoch 2 in which nobody ever had anything.
    assert columns(findings) == {"claimed total"}


class Lying:
    """An endpoint that passes everything on but what a test has it alter."""

    def __init__(self, endpoint: Endpoint, **altered: Callable[..., object]) -> None:
        self._endpoint = endpoint
        self.name = "liar"
        for name, answer in altered.items():
            setattr(self, name, answer)

    def __getattr__(self, name: str) -> object:
        return getattr(self._endpoint, name)


def lie(endpoint: Endpoint, **altered: Callable[..., object]) -> Endpoint:
    return Lying(endpoint, **altered)  # type: ignore[return-value]


def test_endpoints_that_disagree__are_named(settled: Settled) -> None:
    true = settled.endpoint

    def more(calls: list[Call], at: int, progress: object) -> list[bytes]:
        del progress
        first, *rest = true.call_many(calls, at)
        return [(int.from_bytes(first, "big") + 1).to_bytes(32, "big"), *rest]

    report, findings = settled.check(true, lie(true, call_many=more))
    assert report["status"] == "unknown"
    assert [finding.file for finding in findings] == ["liar"]
    assert "claimed" in findings[0].problem

    def forked(tag: int | str) -> object:
        return replace(true.block(tag), hash="0x" + "00" * 32)

    _, findings = settled.check(true, lie(true, block=forked))
    assert columns(findings) == {f"hash of block {true.block().number}"}


def test_wrong_chain__is_a_finding_of_that_endpoint(settled: Settled) -> None:
    _, findings = settled.check(settled.endpoint, lie(settled.endpoint, chain_id=lambda: 10))
    assert [(finding.file, finding.value) for finding in findings] == [("liar", "10")]


# --- a node -----------------------------------------------------------------------------------


def test_node__right__then_underfunded(tmp_path: Path) -> None:
    with running() as node, closing(JsonRpc(node.url)) as endpoint:
        settled = Settled(endpoint, KEY, tmp_path)
        epoch = settled.second(5)
        settled.stage._propose(settled.settling(epoch))
        settled.stage.fund(5)
        settled.stage._activate(settled.settling(epoch))
        published = settled.publish("second", epoch)
        node.finalize()
        seen: list[int] = []
        report, findings = check_settlement(
            published, [node.url, node.url], lambda _, count: seen.append(count)
        )
        assert findings == []
        assert (report["status"], report["accounts_paid_in_full"]) == ("active", "2")
        assert sum(seen) == 6

        wrong = settled.publish("wrong", settled.second(6))
        _, findings = check_settlement(wrong, [node.url])
        assert columns(findings) == {"root", "manifest hash", "cumulative total"}
        steal(node, settled.target)
        _, findings = check_settlement(published, [node.url])
        assert columns(findings) == {"balance"}


def steal(node: Anvil, target: Settlement) -> None:
    """Take one base unit from the distributor, as only a faulty token could."""
    node.ask("anvil_impersonateAccount", target.distributor)
    node.ask("anvil_setBalance", target.distributor, hex(10**18))
    # The selector of `transfer`, then its two arguments.
    call = "0xa9059cbb" + address(1)[2:].rjust(64, "0") + "1".rjust(64, "0")
    transaction = {"from": target.distributor, "to": target.token, "data": call}
    node.ask("eth_sendTransaction", transaction)
    node.finalize()


def test_node_of_another_chain__is_a_finding(settled: Settled, anvil: Anvil) -> None:
    _, findings = check_settlement(settled.published, [anvil.url])
    assert [finding.value for finding in findings] == ["31337"]


def test_node_down__is_trouble(settled: Settled) -> None:
    down = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(EndpointTrouble):
        check_settlement(settled.published, [down])
