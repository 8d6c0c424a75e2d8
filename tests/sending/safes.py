"""A real Safe on a test chain: its published bytecode, one owner, and what the owner may do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eth_account import Account

from rewards.chain.contract import encode
from rewards.chain.safe.hashes import SafeTx, hashes_of
from rewards.merkle.keccak import keccak256
from tests.chain.anvil import OTHER_KEY

if TYPE_CHECKING:
    from tests.chain.anvil import Anvil

CODE = Path(__file__).parents[1] / "safe" / "contracts"
VERSIONS = ("1.3.0", "1.4.1", "1.5.0")
ZERO = "0x" + "00" * 20
SAFE = "0x5afe" + "00" * 17 + "01"
SETUP = (
    *("address[]", "uint256", "address", "bytes", "address", "address"),
    *("uint256", "address"),
)
EXEC = (
    *("address", "uint256", "bytes", "uint8", "uint256", "uint256", "uint256"),
    *("address", "address", "bytes"),
)
OWNER = Account.from_key(OTHER_KEY)


@dataclass(frozen=True)
class Safe:
    """A Safe with one owner, on a chain that mines when told."""

    node: Anvil
    chain_id: int
    version: str

    @classmethod
    def on(cls, node: Anvil, chain_id: int, version: str) -> Safe:
        """Install a Safe at SAFE."""
        install(node, SAFE, f"Safe-{version}")
        made = cls(node, chain_id, version)
        values = ([OWNER.address], 1, ZERO, b"", ZERO, ZERO, 0, ZERO)
        made._send(f"setup({','.join(SETUP)})", SETUP, values)
        node.ask("anvil_mine", "0x4")
        return made

    def execute(self, tx: SafeTx) -> None:
        """Have the owner sign and execute."""
        mark = hashes_of(self.chain_id, SAFE, tx).safe_tx_hash
        signed = OWNER.unsafe_sign_hash(bytes.fromhex(mark[2:]))
        values = (
            *(tx.to, tx.value, tx.data, tx.operation, tx.safe_tx_gas, tx.base_gas, tx.gas_price),
            *(tx.gas_token, tx.refund_receiver, bytes(signed.signature)),
        )
        self._send(f"execTransaction({','.join(EXEC)})", EXEC, values)

    def nonce(self, at: str = "latest") -> int:
        """Return the Safe's nonce."""
        data = "0x" + keccak256(b"nonce()")[:4].hex()
        return int(self.node.ask("eth_call", {"to": SAFE, "data": data}, at), 16)

    def _send(self, function: str, types: tuple[str, ...], values: tuple[Any, ...]) -> None:
        data = keccak256(function.encode())[:4] + encode(types, values)
        request = {"from": OWNER.address, "to": SAFE, "data": "0x" + data.hex()}
        mark = self.node.ask("eth_sendTransaction", {**request, "gas": hex(2**24 - 1)})
        self.node.ask("anvil_mine", "0x1")
        assert self.node.ask("eth_getTransactionReceipt", mark)["status"] == "0x1"


def install(node: Anvil, address: str, name: str) -> None:
    """Put one of Safe's contracts at an address."""
    code = "".join((CODE / f"{name}.hex").read_text().split())
    node.ask("anvil_setCode", address, code if code.startswith("0x") else "0x" + code)
