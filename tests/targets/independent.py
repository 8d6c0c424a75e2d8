"""The trees and leaves of the targets, written from their definitions without the tool's code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eth_abi.abi import encode
from eth_abi.packed import encode_packed
from eth_utils.crypto import keccak

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def airdrop_leaf(index: int, account: str, amount: int) -> bytes:
    return keccak(encode_packed(["uint256", "address", "uint256"], [index, account, amount]))


def urd_leaf(account: str, reward: str, claimable: int) -> bytes:
    encoded = encode(["address", "address", "uint256"], [account, reward, claimable])
    return keccak(keccak(encoded))


def pair(a: bytes, b: bytes) -> bytes:
    return keccak(b"".join(sorted((a, b))))


def ordered_root(leaves: Sequence[bytes]) -> bytes:
    """Promoting odd nodes is the same as splitting at the largest power of two below the count."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return pair(ordered_root(leaves[:split]), ordered_root(leaves[split:]))


def folded(leaf: bytes, proof: Iterable[str]) -> str:
    """What MerkleProof.verify compares with the root."""
    node = leaf
    for sibling in proof:
        node = pair(node, bytes.fromhex(sibling[2:]))
    return "0x" + node.hex()
