"""A bare EVM for many calls: pyrevm where it is installed, else py-evm, about 50 times slower."""

import re
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

from eth.chains.base import MiningChain
from eth.consensus.noproof import NoProofConsensus
from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.db.atomic import AtomicDB
from eth.vm.forks.cancun import CancunVM
from eth.vm.message import Message
from eth_typing import Address
from eth_utils.address import to_canonical_address, to_checksum_address
from eth_utils.crypto import keccak

# It has no wheels for some versions of Python.
pyrevm: Any = import_module("pyrevm") if find_spec("pyrevm") else None

GAS = 30_000_000
DEPLOYER = to_checksum_address(keccak(text="deployer")[:20])


class Log(NamedTuple):
    topics: tuple[bytes, ...]
    data: bytes


class Outcome(NamedTuple):
    ok: bool
    data: bytes
    logs: Sequence[tuple[str, Log]]


class Machine(Protocol):
    """Chain id 1; each call is a transaction of its own, at the time set before."""

    name: str

    def set_time(self, timestamp: int) -> None: ...

    def deploy(self, code: bytes) -> str: ...

    def call(self, sender: str, to: str, data: bytes, *, static: bool = False) -> Outcome: ...


class RevmMachine:
    name = "pyrevm"

    def __init__(self) -> None:
        self._evm = pyrevm.EVM(gas_limit=GAS, spec_id="CANCUN")

    def set_time(self, timestamp: int) -> None:
        self._evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=timestamp, gas_limit=GAS))

    def deploy(self, code: bytes) -> str:
        return to_checksum_address(self._evm.deploy(DEPLOYER, code))

    def call(self, sender: str, to: str, data: bytes, *, static: bool = False) -> Outcome:
        try:
            output = self._evm.message_call(sender, to, data, is_static=static)
        except RuntimeError as failure:
            revert = re.search(r"Revert .*output: 0x([0-9a-f]*)", str(failure))
            if revert is None:
                raise
            return Outcome(ok=False, data=bytes.fromhex(revert[1]), logs=[])
        finally:
            self._evm.reset_transient_storage()
        if static:
            return Outcome(ok=True, data=output, logs=[])
        logs = [
            (log.address, Log(tuple(bytes(topic) for topic in log.data[0]), log.data[1]))
            for log in self._evm.result.logs
        ]
        return Outcome(ok=True, data=output, logs=logs)


class PyEvmMachine:
    name = "py-evm"

    def __init__(self) -> None:
        configured = MiningChain.configure(
            vm_configuration=((0, CancunVM.configure(consensus_class=NoProofConsensus)),),
            chain_id=1,
        )
        self._state: Any = configured.from_genesis(AtomicDB(), {"difficulty": 0}).get_vm().state
        self._created = 0

    def set_time(self, timestamp: int) -> None:
        self._state.execution_context._timestamp = timestamp

    def _run(self, sender: str, to: str | None, data: bytes, *, static: bool) -> Outcome:
        state, origin = self._state, to_canonical_address(sender)
        context = state.get_transaction_context_class()(gas_price=0, origin=origin)
        if to is None:
            created = Address(keccak(text=f"created {self._created}")[:20])
            message = Message(GAS, CREATE_CONTRACT_ADDRESS, origin, 0, b"", data, 0, created)
            computation = state.computation_class.apply_create_message(state, message, context)
            assert computation.is_success
            self._created += 1
            return Outcome(ok=True, data=created, logs=[])
        target = to_canonical_address(to)
        message = Message(GAS, target, origin, 0, data, state.get_code(target), is_static=static)
        computation = state.computation_class.apply_message(state, message, context)
        state.clear_transient_storage()
        logs = [
            (to_checksum_address(address), Log(tuple(t.to_bytes(32, "big") for t in topics), blob))
            for address, topics, blob in computation.get_log_entries()
        ]
        return Outcome(ok=computation.is_success, data=computation.output, logs=logs)

    def deploy(self, code: bytes) -> str:
        return to_checksum_address(self._run(DEPLOYER, None, code, static=False).data)

    def call(self, sender: str, to: str, data: bytes, *, static: bool = False) -> Outcome:
        return self._run(sender, to, data, static=static)


def machine() -> Machine:
    return PyEvmMachine() if pyrevm is None else RevmMachine()
