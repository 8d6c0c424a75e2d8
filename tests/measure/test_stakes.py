"""Stake weights from a chain: anvil, with a contract of StakeWeight's ABI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from eth_abi.abi import encode

from rewards.chain.network import JsonRpc
from rewards.chain.stake_weight import KNOWN_CONTRACTS, read_stake_weights
from rewards.cli.measure import command
from rewards.errors import ChainError, InvalidInput
from rewards.merkle.keccak import keccak256
from tests.chain.anvil import Anvil, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = """
contract StakeWeightStub {
    mapping(address => uint256) public amounts;
    function setAmount(address account, uint256 amount) external { amounts[account] = amount; }
    function balanceOfAtTime(address account, uint256 timestamp) external view returns (uint256) {
        require(timestamp <= block.timestamp, "future");
        return amounts[account] + (amounts[account] == 0 ? 0 : timestamp);
    }
}
"""
# As deployed; solc 0.8.37, optimizer with 200 runs, evmVersion paris, no metadata.
CODE = (
    "0x"
    "608060405234801561001057600080fd5b50600436106100415760003560e01c80633037408d1461004657806355"
    "a3b2c11461006b578063d2fafb191461008b575b600080fd5b610059610054366004610165565b6100b7565b6040"
    "5190815260200160405180910390f35b61005961007936600461018f565b60006020819052908152604090205481"
    "565b6100b5610099366004610165565b6001600160a01b03909116600090815260208190526040902055565b005b"
    "6000428211156100f65760405162461bcd60e51b815260206004820152600660248201526566757475726560d01b"
    "604482015260640160405180910390fd5b6001600160a01b0383166000908152602081905260409020541561011a"
    "578161011d565b60005b6001600160a01b03841660009081526020819052604090205461014091906101aa565b90"
    "505b92915050565b80356001600160a01b038116811461016057600080fd5b919050565b60008060408385031215"
    "61017857600080fd5b61018183610149565b946020939093013593505050565b6000602082840312156101a15760"
    "0080fd5b61014082610149565b8082018082111561014357634e487b7160e01b600052601160045260246000fd"
)
CONTRACT = KNOWN_CONTRACTS[10]
ACCOUNTS = [f"0x{i:040x}" for i in range(1, 251)]
"""More than one batch of reads."""
WEIGHTS = {account: 10**24 + i for i, account in enumerate(ACCOUNTS) if i % 3}
"""Every third account has none."""


class Chain:
    """anvil with the stub at WalletConnect's address, finalized up to `at`."""

    def __init__(self, anvil: Anvil) -> None:
        self.url = anvil.url
        self.endpoint = JsonRpc(anvil.url)
        self.ask("anvil_setCode", CONTRACT, CODE)
        for account, weight in WEIGHTS.items():
            slot = keccak256(encode(("address", "uint256"), (account, 0)))
            self.ask("anvil_setStorageAt", CONTRACT, "0x" + slot.hex(), f"0x{weight:064x}")
        self.ask("anvil_mine", "0x60", "0x2")
        self.at = self.endpoint.block("finalized").timestamp

    def ask(self, method: str, *arguments: object) -> Any:
        return self.endpoint._ask(method, *arguments)

    def expected(self, account: str) -> int:
        return WEIGHTS[account] + self.at if account in WEIGHTS else 0


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with running(chain_id=10) as anvil:
        started = Chain(anvil)
        yield started
        started.endpoint.close()


def time_text(seconds: int) -> str:
    from rewards.files.grammar import format_time

    return format_time(seconds)


def run(chain: Chain, *arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(
        command, ["stakes", "--rpc", chain.url, "--at", time_text(chain.at), *arguments, "--json"]
    )
    if result.exception:
        raise result.exception
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_weights_are_read_in_batches_at_one_finalized_block(chain: Chain) -> None:
    read = read_stake_weights(chain.endpoint, CONTRACT, ACCOUNTS, chain.at)
    assert list(read.weights) == [chain.expected(account) for account in ACCOUNTS]
    assert read.block == chain.endpoint.block("finalized")
    assert read.block.number < chain.endpoint.block("latest").number
    assert read.chain_id == 10


def test_what_comes_later_does_not_count(chain: Chain) -> None:
    """A stake set after the finalized block is not read."""
    account = ACCOUNTS[0]
    slot = keccak256(encode(("address", "uint256"), (account, 0)))
    chain.ask("anvil_setStorageAt", CONTRACT, "0x" + slot.hex(), f"0x{7:064x}")
    chain.ask("anvil_mine", "0x1")
    assert read_stake_weights(chain.endpoint, CONTRACT, [account], chain.at).weights == [0]


def test_nodes(chain: Chain, tmp_path: Path) -> None:
    """The published table is what compute takes: without the staker's column."""
    nodes = tmp_path / "nodes.csv"
    lines = [
        "staker_address,node_id,payout_address,stake_weight,machine_ready,exit_requested,status"
    ]
    lines.append(f"{ACCOUNTS[1]},b,{ACCOUNTS[2]},5,true,false,active")
    lines.append(f",a,{ACCOUNTS[4]},,true,false,")
    nodes.write_text("\r\n".join(lines) + "\r\n")
    answer = run(chain, "--nodes", str(nodes), "--out", str(tmp_path / "out"))
    published = (tmp_path / "out" / "nodes.csv").read_text().splitlines()
    assert published == [
        "node_id,payout_address,stake_weight,machine_ready,exit_requested,status",
        f"a,{ACCOUNTS[4]},{chain.expected(ACCOUNTS[4])},true,false,",
        f"b,{ACCOUNTS[2]},{chain.expected(ACCOUNTS[1])},true,false,active",
    ]
    manifest = json.loads((tmp_path / "out" / "measure_manifest.json").read_text())
    assert (
        manifest["block"]["hash"]
        == answer["block_hash"]
        == chain.endpoint.block(int(answer["block_number"])).hash
    )
    assert manifest["chain_id"] == "10"
    assert manifest["contract"] == CONTRACT
    assert manifest["weights"][ACCOUNTS[1]] == str(chain.expected(ACCOUNTS[1]))
    assert manifest["shared_stakers"] == {}


@pytest.mark.parametrize("scores", [True, False])
def test_wallets(scores: bool, chain: Chain, tmp_path: Path) -> None:
    """Either of the two wallet tables; one stake behind two wallets is recorded."""
    path = tmp_path / "any-name.csv"
    middle = "connections,signatures," if scores else ""
    cells = "7,8," if scores else ""
    path.write_text(
        f"wallet_id,payout_address,{middle}certified\n"
        f"w2,{ACCOUNTS[1]},{cells}true\nw1,{ACCOUNTS[1]},{cells}false\n"
    )
    run(chain, "--wallets", str(path), "--out", str(tmp_path / "out"))
    weight = chain.expected(ACCOUNTS[1])
    name = "wallet_scores.csv" if scores else "wallets.csv"
    assert (tmp_path / "out" / name).read_text() == (
        f"wallet_id,payout_address,{middle}certified,stake_weight\n"
        f"w1,{ACCOUNTS[1]},{cells}false,{weight}\nw2,{ACCOUNTS[1]},{cells}true,{weight}\n"
    )
    manifest = json.loads((tmp_path / "out" / "measure_manifest.json").read_text())
    assert manifest["shared_stakers"] == {ACCOUNTS[1]: ["w1", "w2"]}


def test_a_time_that_is_not_final(chain: Chain) -> None:
    later = chain.endpoint.block("latest").timestamp
    with pytest.raises(ChainError, match="is not final yet"):
        read_stake_weights(chain.endpoint, CONTRACT, ACCOUNTS[:1], later)


def test_no_contract_there(chain: Chain) -> None:
    with pytest.raises(ChainError, match=f"WalletConnect's StakeWeight there is {CONTRACT}"):
        read_stake_weights(chain.endpoint, ACCOUNTS[0], ACCOUNTS[:1], chain.at)


def test_another_contract(chain: Chain) -> None:
    """Code that answers nothing is no StakeWeight."""
    mute = "0x" + "ab" * 20
    chain.ask("anvil_setCode", mute, "0x00")
    chain.ask("anvil_mine", "0x60", "0x2")
    with pytest.raises(ChainError, match="gives no stake weight"):
        read_stake_weights(chain.endpoint, mute, ACCOUNTS[:1], chain.at)


def test_a_block_that_does_not_stay(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    original = chain.endpoint.block
    monkeypatch.setattr(
        chain.endpoint,
        "block",
        lambda tag: original(tag) if tag == "finalized" else replace(original(tag), hash="0x00"),
    )
    with pytest.raises(ChainError, match="is another one now"):
        read_stake_weights(chain.endpoint, CONTRACT, ACCOUNTS[:1], chain.at)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("b,0x12,true,false,,", "row 2, payout_address: '0x12' is no address"),
        (f"b,{ACCOUNTS[1]},true,false,,me", "row 2, staker_address: 'me' is no address"),
    ],
)
def test_a_table_that_is_wrong(line: str, problem: str, chain: Chain, tmp_path: Path) -> None:
    path = tmp_path / "nodes.csv"
    header = "node_id,payout_address,machine_ready,exit_requested,status,staker_address"
    path.write_text(f"{header}\n{line}\n")
    with pytest.raises(InvalidInput, match=problem):
        run(chain, "--nodes", str(path), "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
