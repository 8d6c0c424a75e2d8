"""The three hashes that a signer of a Safe compares: domain hash, message hash, safeTxHash.

EIP-712 (https://eips.ethereum.org/EIPS/eip-712): `keccak256(0x1901 ‖ domain hash ‖ message hash)`.
The types are those of `domainSeparator` and `encodeTransactionData` in GnosisSafe.sol 1.3.0,
Safe.sol 1.4.1 and Safe.sol 1.5.0; they did not change between these versions. Before 1.3.0 the
domain held no chain id, so the same signature was good on every chain: not supported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Iterable

ZERO_ADDRESS = "0x" + "00" * 20
CALL, DELEGATECALL = 0, 1

DOMAIN_TYPE = b"EIP712Domain(uint256 chainId,address verifyingContract)"
SAFE_TX_TYPE = (
    b"SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,"
    b"uint256 baseGas,uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)"
)


@dataclass(frozen=True, slots=True)
class SafeTx:
    """What the owners of a Safe sign; the fields of Safe's `SafeTx`, in its order."""

    to: str
    value: int
    data: bytes
    operation: int
    safe_tx_gas: int
    base_gas: int
    gas_price: int
    gas_token: str
    refund_receiver: str
    nonce: int

    @classmethod
    def plain(cls, to: str, value: int, data: bytes, operation: int, nonce: int) -> SafeTx:
        """Return a transaction that refunds nobody: whoever executes it pays for its gas."""
        return cls(to, value, data, operation, 0, 0, 0, ZERO_ADDRESS, ZERO_ADDRESS, nonce)


@dataclass(frozen=True, slots=True)
class Hashes:
    """The three hashes, as `0x` text."""

    domain_hash: str
    message_hash: str
    safe_tx_hash: str


def domain_hash(chain_id: int, safe: str) -> bytes:
    """Return the hash of the domain: the chain and the Safe."""
    return _hash_words((keccak256(DOMAIN_TYPE), chain_id, safe))


def message_hash(tx: SafeTx) -> bytes:
    """Return the hash of the transaction without its domain."""
    return _hash_words(
        (
            keccak256(SAFE_TX_TYPE),
            tx.to,
            tx.value,
            keccak256(tx.data),  # EIP-712: a dynamic `bytes` goes in as its hash
            tx.operation,
            tx.safe_tx_gas,
            tx.base_gas,
            tx.gas_price,
            tx.gas_token,
            tx.refund_receiver,
            tx.nonce,
        )
    )


def hashes_of(chain_id: int, safe: str, tx: SafeTx) -> Hashes:
    """Return the hashes of a transaction for a Safe of version 1.3.0, 1.4.1 or 1.5.0."""
    domain, message = domain_hash(chain_id, safe), message_hash(tx)
    whole = keccak256(b"\x19\x01" + domain + message)
    return Hashes("0x" + domain.hex(), "0x" + message.hex(), "0x" + whole.hex())


def _hash_words(words: Iterable[bytes | int | str]) -> bytes:
    """Return keccak-256 of 32-byte words: hashes, integers, addresses as `0x` text."""
    return keccak256(b"".join(_word(word) for word in words))


def _word(value: bytes | int | str) -> bytes:
    if isinstance(value, bytes):
        return value
    number = int(value, 16) if isinstance(value, str) else value
    return number.to_bytes(32, "big")
