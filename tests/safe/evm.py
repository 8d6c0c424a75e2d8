"""Safe's own contracts on py-evm, put into place as on chain: code and storage at an address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from eth.chains.base import MiningChain
from eth.consensus.noproof import NoProofConsensus
from eth.db.atomic import AtomicDB
from eth.vm.forks.cancun import CancunVM
from eth.vm.message import Message
from eth_abi.abi import decode, encode
from eth_typing import Address
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak

if TYPE_CHECKING:
    from rewards.chain.safe.hashes import SafeTx

CONTRACTS = Path(__file__).parent / "contracts"
SENTINEL = 1
OWNERS_SLOT, OWNER_COUNT_SLOT, THRESHOLD_SLOT, NONCE_SLOT = 2, 3, 4, 5
"""Storage of a Safe, from SafeStorage.sol (GnosisSafeStorage.sol in 1.3.0): all three alike."""
GAS = 30_000_000
ANYBODY = Address(b"\x0a" * 20)

TX_TYPES = (
    *("address", "uint256", "bytes", "uint8", "uint256"),
    *("uint256", "uint256", "address", "address"),
)
# Records its callers and calldata: emits `log1(calldata, caller)`. CALLDATASIZE PUSH0 PUSH0
# CALLDATACOPY CALLER CALLDATASIZE PUSH0 LOG1 STOP.
RECORDER = bytes.fromhex("365f5f3733365fa100")


def code_of(contract: str, version: str) -> bytes:
    text = (CONTRACTS / f"{contract}-{version}.hex").read_text(encoding="ascii")
    return bytes.fromhex("".join(text.split()))


class Chain:
    """One state with a chain id."""

    def __init__(self, chain_id: int) -> None:
        configured = MiningChain.configure(
            vm_configuration=((0, CancunVM.configure(consensus_class=NoProofConsensus)),),
            chain_id=chain_id,
        )
        self._state: Any = configured.from_genesis(AtomicDB(), {"difficulty": 0}).get_vm().state

    def put(self, address: str, code: bytes) -> None:
        self._state.set_code(to_canonical_address(address), code)

    def put_safe(self, address: str, version: str, owner: str, nonce: int) -> None:
        """Put a Safe with one owner in place."""
        self.put(address, code_of("Safe", version))
        here = to_canonical_address(address)
        slots = {
            _slot(OWNERS_SLOT, SENTINEL): int(owner, 16),
            _slot(OWNERS_SLOT, int(owner, 16)): SENTINEL,
            OWNER_COUNT_SLOT: 1,
            THRESHOLD_SLOT: 1,
            NONCE_SLOT: nonce,
        }
        for slot, value in slots.items():
            self._state.set_storage(here, slot, value)

    def call(self, to: str, data: bytes) -> Any:
        state = self._state
        context = state.get_transaction_context_class()(gas_price=0, origin=ANYBODY)
        target = to_canonical_address(to)
        message = Message(GAS, target, ANYBODY, 0, data, state.get_code(target))
        return state.computation_class.apply_message(state, message, context)

    def transaction_hash(self, safe: str, tx: SafeTx) -> bytes:
        """Return what the Safe's own `getTransactionHash` says."""
        data = _call("getTransactionHash", (*TX_TYPES, "uint256"), (*_values(tx), tx.nonce))
        found = self.call(safe, data)
        assert found.is_success
        return bytes(found.output)

    def domain_separator(self, safe: str) -> bytes:
        return bytes(self.call(safe, keccak(text="domainSeparator()")[:4]).output)

    def execute(self, safe: str, tx: SafeTx, signature: bytes) -> list[tuple[str, str, bytes]]:
        """Let the Safe execute; return (callee, caller, calldata) of every recorded call."""
        data = _call("execTransaction", (*TX_TYPES, "bytes"), (*_values(tx), signature))
        found = self.call(safe, data)
        assert found.is_success, found.output
        assert decode(["bool"], found.output) == (True,)
        return [
            ("0x" + address.hex(), f"0x{topics[0]:040x}", content)
            for address, topics, content in found.get_log_entries()
            if address != to_canonical_address(safe)
        ]


def _values(tx: SafeTx) -> tuple[object, ...]:
    gas = (tx.safe_tx_gas, tx.base_gas, tx.gas_price)
    return (tx.to, tx.value, tx.data, tx.operation, *gas, tx.gas_token, tx.refund_receiver)


def _call(function: str, types: tuple[str, ...], values: tuple[object, ...]) -> bytes:
    return keccak(text=f"{function}({','.join(types)})")[:4] + encode(types, values)


def _slot(mapping: int, key: int) -> int:
    return int.from_bytes(keccak(key.to_bytes(32, "big") + mapping.to_bytes(32, "big")), "big")
