"""The embedded chain with people on it, and the stand-ins of the target contracts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eth_abi.abi import decode, encode
from eth_keys.datatypes import PrivateKey
from eth_utils.abi import function_signature_to_4byte_selector

import contracts_abi
from rewards.chain.embedded import EmbeddedChain
from rewards.chain.endpoint import Call

CREATION = json.loads((Path(__file__).parent / "artifacts.json").read_text("utf-8"))["creation"]
GAS = 10_000_000


def payee_key(number: int) -> PrivateKey:
    return PrivateKey((10_000 + number).to_bytes(32, "big"))


def payee(number: int) -> str:
    """An address with a key; in no particular order."""
    return str(payee_key(number).public_key.to_address())


def calldata(signature: str, *values: Any) -> bytes:
    """Calldata made of nothing of ours."""
    types = signature[signature.index("(") + 1 : -1]
    named = [t for t in types.split(",") if t]
    return bytes(function_signature_to_4byte_selector(signature) + encode(named, values))


class Refused(Exception):  # noqa: N818
    """The contract reverted, and the block says so."""


class Chain(EmbeddedChain):
    """An endpoint, and the means to change what is behind it."""

    def __init__(self, payees: int) -> None:
        super().__init__()
        self.people = [who.lower() for who in self._tester.get_accounts()]
        for number in range(payees):
            self._tester.add_account(payee_key(number).to_hex())
            self.send(self.people[9], Call(payee(number), b""), value=10**18)
        compiled = contracts_abi.load("TestToken")["bytecode"]
        self.token = self.create(bytes.fromhex(compiled[2:]))

    def send(self, sender: str, call: Call, value: int = 0) -> Any:
        """Mine it; return the receipt."""
        sent = self._tester.send_transaction(
            {
                "from": sender,
                "to": call.to or "",
                "data": "0x" + call.data.hex(),
                "gas": GAS,
                "value": value,
            }
        )
        receipt = self._tester.get_transaction_receipt(sent)
        if receipt["status"] != 1:
            raise Refused
        return receipt

    def act(self, sender: str, contract: str, signature: str, *values: Any) -> Any:
        return self.send(sender, Call(contract, calldata(signature, *values)))

    def create(self, code: bytes, sender: int = 0) -> str:
        contract: str = self.send(self.people[sender], Call(None, code))["contract_address"]
        return contract.lower()

    def stand_in(self, name: str, types: str, *values: Any) -> str:
        code = bytes.fromhex(CREATION[name][2:])
        return self.create(code + encode(types.split(","), values))

    def ask(self, contract: str, signature: str, kind: str, *values: Any) -> Any:
        (value,) = decode([kind], self.call(Call(contract, calldata(signature, *values))))
        return value

    def balance_of(self, account: str) -> int:
        return int(self.ask(self.token, "balanceOf(address)", "uint256", account))

    def mint(self, account: str, amount: int) -> None:
        self.act(self.people[0], self.token, "mint(address,uint256)", account, amount)

    def snapshot(self) -> Any:
        return self._tester.take_snapshot()

    def revert(self, taken: Any) -> None:
        self._tester.revert_to_snapshot(taken)

    def travel(self, seconds: int) -> None:
        self.wait_until(self.block("pending").timestamp + seconds)
