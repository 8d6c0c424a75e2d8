"""What the program asks of a chain, whatever stands behind it: an endpoint, or py-evm in process.

Addresses are lower-case `0x` text, hashes are `0x` text, times are UTC seconds, gas prices are wei.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LATEST = "latest"
FINALIZED = "finalized"


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a contract, not yet signed; `to` is None where it creates the contract."""

    to: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """A block, as far as it matters here; `base_fee` is wei per gas."""

    number: int
    hash: str
    timestamp: int
    base_fee: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction; `contract` is the address that it created."""

    transaction: str
    succeeded: bool
    gas: int
    block: int
    contract: str | None


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction offers, in wei per gas: at most `highest`, of it `tip` to the producer."""

    highest: int
    tip: int


@dataclass(frozen=True, slots=True)
class SimulatedBlock:
    """A block that is only imagined: its time, and who calls what in it, in order."""

    timestamp: int
    calls: Sequence[tuple[str, Call]]


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a simulated call came to: what it returned, or why the contract refused."""

    returned: bytes
    refusal: Exception | None = None


class Endpoint(ABC):
    """One source of answers about one chain.

    Every method raises EndpointTrouble when there is no usable answer, and Reverted when the
    contract refuses.
    """

    name: str
    """For messages: never holds a credential, though a URL may."""

    @abstractmethod
    def chain_id(self) -> int:
        """Return the chain's id."""

    @abstractmethod
    def block(self, tag: int | str = LATEST) -> Block:
        """Return a block by number or tag."""

    @abstractmethod
    def code(self, address: str, at: int | str = LATEST) -> bytes:
        """Return the code at an address; empty where there is none."""

    @abstractmethod
    def balance(self, address: str) -> int:
        """Return the latest balance of the chain's own coin, in wei."""

    @abstractmethod
    def next_nonce(self, address: str) -> int:
        """Return the nonce of an account's next transaction, those still waiting counted."""

    @abstractmethod
    def call(self, call: Call, at: int | str = LATEST, sender: str | None = None) -> bytes:
        """Return what a call would return, without sending anything."""

    @abstractmethod
    def call_many(
        self,
        calls: Sequence[Call],
        at: int | str = LATEST,
        progress: Callable[[int], None] | None = None,
    ) -> list[bytes]:
        """Return what many calls would return, in their order; `progress` gets how many more."""

    def codes(
        self,
        addresses: Sequence[str],
        at: int | str = LATEST,
        progress: Callable[[int], None] | None = None,
    ) -> list[bytes]:
        """Return the code at many addresses, in their order; `progress` gets how many more."""
        found = []
        for address in addresses:
            found.append(self.code(address, at))
            if progress:
                progress(1)
        return found

    def storage(self, address: str, slot: int, at: int) -> int | None:
        """Return a word of a contract's storage; None where the endpoint does not tell it."""
        del address, slot, at
        return None

    def simulate(
        self,
        blocks: Sequence[SimulatedBlock],
        at: int,
    ) -> list[list[Simulated]] | None:
        """Return what calls in imagined blocks on top of a block would come to.

        Nobody needs to sign or to have funds, and nothing stays.

        Returns:
            Per block, per call; None where the endpoint cannot simulate.
        """
        del blocks, at
        return None

    @abstractmethod
    def fees(self) -> Fees:
        """Return what a transaction should offer now."""

    @abstractmethod
    def gas_limit(self, call: Call, sender: str) -> int:
        """Return the gas that a transaction is to be given."""

    @abstractmethod
    def send_raw(self, raw: bytes) -> None:
        """Hand in a signed transaction; handing in the same bytes again does no harm."""

    @abstractmethod
    def receipt(self, transaction: str) -> Receipt | None:
        """Return a transaction's receipt; None while it has none."""

    @abstractmethod
    def wait_until(self, timestamp: int) -> None:
        """Return when the chain's clock has reached a time."""
