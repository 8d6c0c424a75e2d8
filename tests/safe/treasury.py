"""A treasury on a real node: a Safe made of Safe's own bytecode, whose two owners must both sign.

What it does goes the way of the README: a plan is exported, verified on what is exported and on
what the Safe's service would show of it, signed by both owners, and executed by a stranger.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eth_account import Account

from rewards.chain.contract import decode, encode
from rewards.chain.plan_file import parse_plan
from rewards.chain.safe.deployments import multi_send_addresses
from rewards.chain.safe.hashes import ZERO_ADDRESS, SafeTx
from rewards.chain.safe.statements import read_statement
from rewards.merkle.keccak import keccak256
from tests.commands import run
from tests.safe.evm import TX_TYPES, code_of
from tests.safe.plans import EXPORTS

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.chain.plan import Plan
    from tests.chain.anvil import Anvil

CHAIN_ID = 10
"""A chain of Safe's list, so that MultiSendCallOnly has an address there."""
SAFE = "0x5afe000000000000000000000000000000007ea5"
COUNCIL = "0x5afe00000000000000000000000000000000a77e"
"""Another Safe, which attests: it has no key, and signs as ERC-1271 says."""
HANDLER = "0x5afe00000000000000000000000000000000fa11"
"""Safe's CompatibilityFallbackHandler, which answers `isValidSignature` for a Safe."""
OWNERS = sorted(
    (Account.from_key(keccak256(b"owner %d of the treasury" % number)) for number in (1, 2)),
    key=lambda owner: int(owner.address, 16),
)
STRANGER = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
"""Anvil's second account: whoever pays for the gas."""
EXECUTED = "0x" + keccak256(b"ExecutionSuccess(bytes32,uint256)").hex()
GAS = hex(28_000_000)
LONGEST_MINING = 20.0


@dataclass
class Treasury:
    """The Safe, and the folder in which its owners keep files."""

    node: Anvil
    folder: Path
    version: str
    safe: str = SAFE
    files: int = field(default=0)

    @classmethod
    def create(cls, node: Anvil, folder: Path, version: str, safe: str = SAFE) -> Treasury:
        folder.mkdir(exist_ok=True)
        treasury = cls(node, folder, version, safe)
        codes = dict.fromkeys(multi_send_addresses(CHAIN_ID, version), "MultiSendCallOnly")
        codes |= {safe: "Safe", HANDLER: "CompatibilityFallbackHandler"}
        for address, contract in codes.items():
            node.ask("anvil_setCode", address, "0x" + code_of(contract, version).hex())
        types = ("address[]", "uint256", "address", "bytes", *["address"] * 2, "uint256", "address")
        who = [owner.address for owner in OWNERS]
        values = (who, 2, ZERO_ADDRESS, b"", HANDLER, ZERO_ADDRESS, 0, ZERO_ADDRESS)
        treasury.send(safe, f"setup({','.join(types)})", types, values)
        return treasury

    def path(self, name: str) -> Path:
        """Return a file's name that was not used before."""
        self.files += 1
        return self.folder / f"{self.files:03d}-{name}"

    @property
    def nonce(self) -> int:
        return int.from_bytes(self.view("nonce()", (), ()), "big")

    # --- the way of a plan -----------------------------------------------------------------------

    def carry_out(self, plan_file: Path) -> Plan:
        """Export, verify, sign and execute a plan; return it."""
        plan, nonce = parse_plan(plan_file.read_bytes()), self.nonce
        place = ("--safe", self.safe, "--nonce", nonce)
        batch, safe_tx, pending = (self.path(f"{n}.json") for n in ("batch", "safe-tx", "pending"))
        run("safe", "export", plan_file, "--safe", self.safe, "--out", batch)
        options = (*place, "--safe-version", self.version)
        exported = run("safe", "export", plan_file, *options, "--out", safe_tx)
        statement, findings = read_statement(safe_tx.read_bytes(), "safe-tx")
        assert not findings
        assert statement is not None
        tx = statement.tx
        assert tx is not None
        pending.write_bytes(EXPORTS["service v1"](tx, CHAIN_ID, self.safe))
        stated = exported["hashes"]
        for file in (batch, safe_tx, pending):
            verdict = run("safe", "verify", file, "--plan", plan_file, *place)
            assert verdict["ok"]
            assert verdict["hashes"][self.version] == stated
        theirs = self.view("getTransactionHash", (*TX_TYPES, "uint256"), (*self._values(tx), nonce))
        assert "0x" + theirs.hex() == stated["safe_tx_hash"]
        domain = self.view("domainSeparator()", (), ())
        assert "0x" + domain.hex() == stated["domain_hash"]
        self.execute(tx, theirs)
        return plan

    def execute(self, tx: SafeTx, digest: bytes) -> None:
        """Let both owners sign, and a stranger execute."""
        signatures = b"".join(bytes(one.unsafe_sign_hash(digest).signature) for one in OWNERS)
        types = (*TX_TYPES, "bytes")
        values = (*self._values(tx), signatures)
        receipt = self.send(self.safe, f"execTransaction({','.join(types)})", types, values)
        marks = [
            (log["topics"] + [log["data"]])[:2]
            for log in receipt["logs"]
            if log["address"] == self.safe and log["topics"][0] == EXECUTED
        ]
        # Since 1.4.1 the hash is indexed.
        assert [(mark[0], mark[1][:66]) for mark in marks] == [(EXECUTED, "0x" + digest.hex())]
        self.node.finalize()

    def sign_message(self, digest: bytes) -> bytes:
        """Have both owners sign a digest in the Safe's name; return the signature. ERC-1271."""
        message = self.view("getMessageHash(bytes)", ("bytes",), (digest,))
        return b"".join(bytes(one.unsafe_sign_hash(message).signature) for one in OWNERS)

    # --- the Safe itself -------------------------------------------------------------------------

    @staticmethod
    def _values(tx: SafeTx) -> tuple[object, ...]:
        gas = (tx.safe_tx_gas, tx.base_gas, tx.gas_price)
        return (tx.to, tx.value, tx.data, tx.operation, *gas, tx.gas_token, tx.refund_receiver)

    def view(self, function: str, types: tuple[str, ...], values: tuple[object, ...]) -> bytes:
        """Return the one word that a view of the Safe returns."""
        request = {"to": self.safe, "data": _calldata(function, types, values)}
        returned = bytes.fromhex(self.node.ask("eth_call", request, "latest")[2:])
        (word,) = decode(["bytes32"], returned)
        return bytes(word)

    def send(
        self, to: str, function: str, types: tuple[str, ...], values: tuple[object, ...]
    ) -> Any:
        """Have the stranger send a transaction; return its receipt."""
        data = _calldata(function, types, values)
        request = {"from": STRANGER, "to": to, "data": data, "gas": GAS}
        mark = self.node.ask("eth_sendTransaction", request)
        deadline = time.monotonic() + LONGEST_MINING
        while (receipt := self.node.ask("eth_getTransactionReceipt", mark)) is None:
            assert time.monotonic() < deadline, "no block is made"
            time.sleep(0.01)
        assert receipt["status"] == "0x1", function
        return receipt


def _calldata(function: str, types: tuple[str, ...], values: tuple[object, ...]) -> str:
    signature = function if "(" in function else f"{function}({','.join(types)})"
    return "0x" + (keccak256(signature.encode())[:4] + encode(list(types), values)).hex()
