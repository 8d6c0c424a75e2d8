"""The embedded chain: py-evm under eth-tester, in this process, with a clock that can be set.

It starts from the same state every time, so the same transactions give the same addresses, hashes
and gas. (Times and block hashes differ: they follow the clock and a random value in each block.)
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from rewards.chain.endpoint import (
    LATEST,
    Block,
    Call,
    Endpoint,
    Fees,
    Receipt,
    Simulated,
    SimulatedBlock,
)
from rewards.chain.errors import EndpointTrouble, decode_embedded
from rewards.chain.local_fork import execute

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EMBEDDED = "the embedded chain"
DEVELOPER_KEYS = tuple(number.to_bytes(32, "big") for number in range(1, 11))
"""eth-tester's funded accounts. Everybody knows these keys: nothing of value may depend on them."""
GAS_LIMIT = 28_000_000
"""For every transaction: below the block's limit. Estimating would run each one many times over."""
FEES = Fees(highest=10**10, tip=1)


class EmbeddedChain(Endpoint):
    """A fresh chain of our own."""

    name = EMBEDDED

    def __init__(self) -> None:
        """Start the chain; its clock is the machine's until it is set forward."""
        with warnings.catch_warnings():
            # What eth-tester's own imports deprecate is not ours to mend.
            warnings.simplefilter("ignore")
            from eth_tester import EthereumTester, PyEVMBackend  # noqa: PLC0415
            from eth_tester.exceptions import TransactionFailed  # noqa: PLC0415

        self._tester: Any = EthereumTester(PyEVMBackend())
        self._failed: type[Exception] = TransactionFailed
        self._funded: str = self._tester.get_accounts()[0]

    def chain_id(self) -> int:
        """Return py-evm's chain id for testers, 131277322940537."""
        return int(self._tester.backend.chain.chain_id)

    def block(self, tag: int | str = LATEST) -> Block:
        """Return a block; `safe` and `finalized` are the latest."""
        block = self._tester.get_block_by_number(tag)
        return Block(
            block["number"], block["hash"], block["timestamp"], int(block["base_fee_per_gas"])
        )

    def code(self, address: str, at: int | str = LATEST) -> bytes:
        """Return the code at an address."""
        return _bytes(self._tester.get_code(address, at))

    def balance(self, address: str) -> int:
        """Return the latest balance in wei."""
        return int(self._tester.get_balance(address))

    def next_nonce(self, address: str) -> int:
        """Return the next nonce; nothing ever waits, each transaction has a block of its own."""
        return int(self._tester.get_nonce(address))

    def call(self, call: Call, at: int | str = LATEST, sender: str | None = None) -> bytes:
        """Return what a call would return."""
        transaction = {
            # py-evm makes callers pay, so one without funds cannot even ask.
            "from": sender or self._funded,
            "to": call.to or "",
            "data": "0x" + call.data.hex(),
            "gas": GAS_LIMIT,
            "max_fee_per_gas": FEES.highest,
            "max_priority_fee_per_gas": FEES.tip,
        }
        try:
            return _bytes(self._tester.call(transaction, at))
        except self._failed as error:
            raise decode_embedded(str(error)) from None

    def call_many(
        self,
        calls: Sequence[Call],
        at: int | str = LATEST,
        progress: Callable[[int], None] | None = None,
    ) -> list[bytes]:
        """Return what many calls would return, asked one by one."""
        returned = []
        for call in calls:
            returned.append(self.call(call, at))
            if progress:
                progress(1)
        return returned

    def simulate(self, blocks: Sequence[SimulatedBlock], at: int) -> list[list[Simulated]]:
        """Return what calls in imagined blocks on top of the latest one would come to."""
        if at != self.block().number:
            raise EndpointTrouble(f"{EMBEDDED} simulates on top of its latest block alone")
        machine = self._tester.backend.chain.get_vm()
        with machine.in_costless_state() as state:
            outcomes = []
            for block in blocks:
                # The only part of the imagined header that the contracts look at.
                state.execution_context._timestamp = block.timestamp  # noqa: SLF001
                outcomes.append([execute(state, sender, call) for sender, call in block.calls])
        return outcomes

    def fees(self) -> Fees:
        """Return what every transaction here offers."""
        return FEES

    def gas_limit(self, call: Call, sender: str) -> int:  # noqa: ARG002 - as every endpoint
        """Return the gas that every transaction here is given."""
        return GAS_LIMIT

    def send_raw(self, raw: bytes) -> None:
        """Hand in a signed transaction, which is mined at once."""
        try:
            self._tester.send_raw_transaction("0x" + raw.hex())
        except self._failed as error:
            raise decode_embedded(str(error)) from None

    def receipt(self, transaction: str) -> Receipt | None:
        """Return a receipt; ask soon, as eth-tester searches the chain from its end."""
        receipt = self._tester.get_transaction_receipt(transaction)
        contract = receipt["contract_address"]
        return Receipt(
            transaction,
            succeeded=receipt["status"] == 1,
            gas=receipt["gas_used"],
            block=receipt["block_number"],
            contract=contract.lower() if contract else None,
        )

    def wait_until(self, timestamp: int) -> None:
        """Set the clock forward to a time, unless it stands there or later already."""
        if self.block("pending").timestamp < timestamp:
            self._tester.time_travel(timestamp)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
