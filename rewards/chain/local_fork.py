"""A local fork: py-evm in this process, on the state that a node tells as it is asked for it.

For nodes without `eth_simulateV1`. It runs the very code of the contracts with the storage that the
node has at one block; what is written stays here. Each slot is asked for once, one request each, so
it is slower than a node's own simulation by far, and just as strict.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from rewards.chain.endpoint import Simulated
from rewards.chain.errors import EndpointTrouble, Reverted, decode_revert, failed
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.chain.endpoint import Call, Endpoint, SimulatedBlock

CALL_GAS = 28_000_000
EMPTY_ROOT = keccak256(b"\x80")
"""The root of an empty trie: py-evm wants one and never looks at it here."""


class NoSimulation(EndpointTrouble):
    """The endpoint has no `eth_simulateV1`, and its state cannot be read for a local fork."""


class LocalFork:
    """The state of an endpoint's chain at one block, and what was done to it here."""

    def __init__(self, endpoint: Endpoint, at: int) -> None:
        """Prepare; nothing is read yet."""
        self.name = f"a local fork of {endpoint.name}"
        self._chain_id = endpoint.chain_id()
        self._at = at
        self._remote = _Remote(endpoint, at)

    def simulate(self, blocks: Sequence[SimulatedBlock]) -> list[list[Simulated]]:
        """Return what calls in imagined blocks come to; each time from the same beginning.

        Raises:
            NoSimulation: The endpoint does not tell its storage.
        """
        state = self._state()
        outcomes = []
        for block in blocks:
            # The only part of the imagined header that the contracts look at.
            state.execution_context._timestamp = block.timestamp  # noqa: SLF001
            outcomes.append([execute(state, sender, call) for sender, call in block.calls])
        return outcomes

    def _state(self) -> Any:  # noqa: ANN401 - py-evm's
        from eth.db.atomic import AtomicDB  # noqa: PLC0415
        from eth.vm.execution_context import ExecutionContext  # noqa: PLC0415
        from eth.vm.forks.prague.state import PragueState  # noqa: PLC0415
        from eth_typing import Address, BlockNumber, Hash32  # noqa: PLC0415

        context = ExecutionContext(
            coinbase=Address(bytes(20)),
            timestamp=0,
            block_number=BlockNumber(self._at + 1),
            difficulty=0,
            mix_hash=Hash32(bytes(32)),
            gas_limit=CALL_GAS,
            prev_hashes=(),
            chain_id=self._chain_id,
            base_fee_per_gas=0,
            excess_blob_gas=0,
        )
        state: Any = PragueState(AtomicDB(), context, Hash32(EMPTY_ROOT))
        state._account_db = _Accounts(self._remote)  # noqa: SLF001 - the one way to give it ours
        return state


def execute(state: Any, sender: str, call: Call) -> Simulated:  # noqa: ANN401 - py-evm's
    """Return what a call does to a state of py-evm; what it changes stays in that state."""
    from eth.vm.message import Message  # noqa: PLC0415
    from eth_typing import Address  # noqa: PLC0415

    to, origin = (Address(bytes.fromhex(a[2:])) for a in (call.to or "0x" + "00" * 20, sender))
    message = Message(
        gas=CALL_GAS, to=to, sender=origin, value=0, data=call.data, code=state.get_code(to)
    )
    context = state.transaction_context_class(gas_price=0, origin=origin)
    ended = state.computation_class.apply_message(state, message, context)
    state.clear_transient_storage()
    output = bytes(ended.output)
    return Simulated(output, None if ended.is_success else _refusal(ended.error, output))


def _refusal(error: Exception, output: bytes) -> Reverted:
    from eth.exceptions import Revert  # noqa: PLC0415

    return decode_revert(output) if isinstance(error, Revert) else failed(str(error))


class _Remote:
    """What the endpoint says of the block, each thing asked once."""

    def __init__(self, endpoint: Endpoint, at: int) -> None:
        self._endpoint, self._at = endpoint, at
        self._slots: dict[tuple[bytes, int], int] = {}
        self._codes: dict[bytes, bytes] = {}

    def slot(self, address: bytes, slot: int) -> int:
        key = (address, slot)
        if key not in self._slots:
            value = self._endpoint.storage("0x" + address.hex(), slot, self._at)
            if value is None:
                raise NoSimulation(
                    f"{self._endpoint.name}: NoSimulation: has no eth_simulateV1, and does not "
                    "tell its storage for a local fork; name an endpoint that has either"
                )
            self._slots[key] = value
        return self._slots[key]

    def code(self, address: bytes) -> bytes:
        if address not in self._codes:
            self._codes[address] = self._endpoint.code("0x" + address.hex(), self._at)
        return self._codes[address]


class _Accounts:
    """py-evm's account database, as far as calls need it: layers of changes over the endpoint.

    Coins are of no account here: nobody pays for gas, and no call carries any.
    """

    state_root = EMPTY_ROOT

    def __init__(self, remote: _Remote) -> None:
        self._remote = remote
        self._layers: list[tuple[int, dict[Any, Any]]] = [(0, {})]
        self._warm: set[Any] = set()

    # --- layers ------------------------------------------------------------------------------

    def record(self) -> int:
        mark = uuid.uuid4().int
        self._layers.append((mark, {}))
        return mark

    def discard(self, mark: int) -> None:
        while self._layers.pop()[0] != mark:
            pass

    def commit(self, mark: int) -> None:
        changed: list[dict[Any, Any]] = []
        while True:
            at, changes = self._layers.pop()
            changed.append(changes)
            if at == mark:
                break
        for changes in reversed(changed):
            self._layers[-1][1].update(changes)

    def _held(self, key: Any) -> Any:  # noqa: ANN401
        return next((held[key] for _, held in reversed(self._layers) if key in held), None)

    def _hold(self, key: Any, value: Any) -> None:  # noqa: ANN401
        self._layers[-1][1][key] = value

    # --- storage and code --------------------------------------------------------------------

    def get_storage(self, address: bytes, slot: int, from_journal: bool = True) -> int:  # noqa: FBT001, FBT002
        held = self._held((address, slot)) if from_journal else None
        return self._remote.slot(address, slot) if held is None else int(held)

    def set_storage(self, address: bytes, slot: int, value: int) -> None:
        self._hold((address, slot), value)

    def get_code(self, address: bytes) -> bytes:
        held = self._held(("code", address))
        return self._remote.code(address) if held is None else bytes(held)

    def set_code(self, address: bytes, code: bytes) -> None:
        self._hold(("code", address), code)

    def get_code_hash(self, address: bytes) -> bytes:
        return keccak256(self.get_code(address))

    # --- accounts ----------------------------------------------------------------------------

    def get_balance(self, address: bytes) -> int:
        return int(self._held(("balance", address)) or 0)

    def set_balance(self, address: bytes, balance: int) -> None:
        self._hold(("balance", address), balance)

    def get_nonce(self, address: bytes) -> int:
        return int(self._held(("nonce", address)) or 0)

    def set_nonce(self, address: bytes, nonce: int) -> None:
        self._hold(("nonce", address), nonce)

    def increment_nonce(self, address: bytes) -> None:
        self.set_nonce(address, self.get_nonce(address) + 1)

    def account_has_code_or_nonce(self, address: bytes) -> bool:
        return bool(self.get_code(address) or self.get_nonce(address))

    def account_exists(self, address: bytes) -> bool:
        return self.account_has_code_or_nonce(address)

    def account_is_empty(self, address: bytes) -> bool:
        return not self.account_exists(address)

    def touch_account(self, address: bytes) -> None:
        pass

    # --- what only costs gas -----------------------------------------------------------------

    def is_storage_warm(self, address: bytes, slot: int) -> bool:
        return (address, slot) in self._warm

    def mark_storage_warm(self, address: bytes, slot: int) -> None:
        self._warm.add((address, slot))

    def is_address_warm(self, address: bytes) -> bool:
        return address in self._warm

    def mark_address_warm(self, address: bytes) -> None:
        self._warm.add(address)
