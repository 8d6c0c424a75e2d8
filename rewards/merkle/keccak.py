"""Keccak-256, and the two encodings that rest on it: EIP-55 and hex text."""

from __future__ import annotations

import sha3


def keccak256(message: bytes) -> bytes:
    """Return the Keccak-256 digest (Ethereum's, not NIST's SHA3-256)."""
    digest: bytes = sha3.keccak_256(message).digest()
    return digest


def to_checksum(address: str) -> str:
    """Return the EIP-55 spelling of a lower-case `0x` address."""
    digits = address[2:]
    nibbles = keccak256(digits.encode("ascii")).hex()
    return "0x" + "".join(
        digit.upper() if nibble >= "8" else digit
        for digit, nibble in zip(digits, nibbles, strict=False)
    )
