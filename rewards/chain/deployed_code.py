"""Whether the code at an address is the contract that `contracts_abi` holds.

What a constructor fixes for ever (immutables) is written into the code itself, so the code of two
deployments differs there and nowhere else. `immutableReferences` of the artifact says where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.chain.contract import DISTRIBUTOR, interface
from rewards.files.grammar import counted
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Iterator

DELEGATION = bytes.fromhex("ef0100")
DELEGATION_LENGTH = 23


def code_hash(code: bytes) -> str:
    """Return keccak-256 of deployed code, as EXTCODEHASH gives it."""
    return "0x" + keccak256(code).hex()


def is_account(code: bytes) -> bool:
    """Return whether code is what an account has: none, or an EIP-7702 delegation.

    A delegated account still belongs to whoever holds its key, on every chain.
    """
    return not code or (len(code) == DELEGATION_LENGTH and code.startswith(DELEGATION))


def code_difference(code: bytes, name: str = DISTRIBUTOR) -> str | None:
    """Return in what deployed code differs from a contract's artifact; None when it does not."""
    artifact = interface(name).artifact
    expected = bytes.fromhex(artifact["deployedBytecode"].removeprefix("0x"))
    if not code:
        return "there is no code"
    if len(code) != len(expected):
        return f"the code has {counted(len(code), 'byte')}, {name} has {len(expected)}"
    ranges = list(_immutables(name))
    if _masked(code, ranges) == _masked(expected, ranges):
        return None
    kept = {place for start, length in ranges for place in range(start, start + length)}
    first = next(i for i in range(len(code)) if code[i] != expected[i] and i not in kept)
    return f"byte {first} of the code is not that of {name}"


def _immutables(name: str) -> Iterator[tuple[int, int]]:
    for places in interface(name).artifact["immutableReferences"].values():
        for place in places:
            yield place["start"], place["length"]


def _masked(code: bytes, ranges: list[tuple[int, int]]) -> bytes:
    masked = bytearray(code)
    for start, length in ranges:
        masked[start : start + length] = bytes(length)
    return bytes(masked)
