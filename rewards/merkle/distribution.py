"""An epoch's distribution: one leaf per account, the sentinel, the tree over them.

Source: rulebook, section 6. The leaf tuple is
`(uint256 chainId, address distributor, uint256 epoch, address account, uint256 cumulative)`,
`abi.encode`d (five 32-byte words) and hashed twice, so that no inner node can pass for a leaf.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from rewards.merkle.keccak import keccak256
from rewards.merkle.tree import build_tree, proof_of

if TYPE_CHECKING:
    from collections.abc import Iterable

LEAF_ENCODING = ("uint256", "address", "uint256", "address", "uint256")


@dataclass(frozen=True, slots=True)
class Domain:
    """What a leaf is bound to: one chain, one contract, one epoch."""

    chain_id: int
    distributor: str
    epoch: int

    def encode(self, account: str, cumulative: int) -> bytes:
        """Return the 160 bytes of `abi.encode` of the leaf tuple."""
        return b"".join(
            (
                self.chain_id.to_bytes(32, "big"),
                bytes(12) + bytes.fromhex(self.distributor[2:]),
                self.epoch.to_bytes(32, "big"),
                bytes(12) + bytes.fromhex(account[2:]),
                cumulative.to_bytes(32, "big"),
            )
        )

    def leaf_hash(self, account: str, cumulative: int) -> bytes:
        """Return the leaf's hash: keccak-256 twice."""
        return keccak256(keccak256(self.encode(account, cumulative)))


@dataclass(frozen=True)
class Distribution:
    """The leaves of an epoch in address order, the sentinel among them.

    Attributes:
        domain: What every leaf is bound to.
        leaves: (account, cumulative), ascending by account.
    """

    domain: Domain
    leaves: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, domain: Domain, cumulatives: Iterable[tuple[str, int]]) -> Distribution | None:
        """Return the distribution for cumulative amounts per account; None when all are 0.

        The sentinel carries the distributor as account and the sum as amount, so a tree has at
        least two leaves and its total can be proven on chain.
        """
        payable = [(account, amount) for account, amount in cumulatives if amount > 0]
        if not payable:
            return None
        sentinel = (domain.distributor, sum(amount for _, amount in payable))
        return cls(domain, tuple(sorted([*payable, sentinel])))

    @property
    def leaf_count(self) -> int:
        """The number of leaves."""
        return len(self.leaves)

    @property
    def cumulative_total(self) -> int:
        """The sentinel's amount: the sum of all cumulative amounts."""
        return self.amount_of(self.domain.distributor)

    @cached_property
    def _tree(self) -> tuple[list[bytes], list[int]]:
        return build_tree([self.domain.leaf_hash(*leaf) for leaf in self.leaves])

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {account: i for i, (account, _) in enumerate(self.leaves)}

    @property
    def tree(self) -> list[bytes]:
        """The node array, root first."""
        return self._tree[0]

    @property
    def tree_indices(self) -> list[int]:
        """The index in `tree` of each leaf, in the order of `leaves`."""
        return self._tree[1]

    def tree_blocks(self) -> Iterable[bytes]:
        """Return the bytes of the node array, root first."""
        return (b"".join(self.tree),)

    @property
    def root(self) -> bytes:
        """The Merkle root."""
        return self.tree[0]

    def __contains__(self, account: str) -> bool:
        """Return whether the account has a leaf."""
        return account in self._positions

    def amount_of(self, account: str) -> int:
        """Return the account's cumulative amount.

        Raises:
            KeyError: The account has no leaf.
        """
        return self.leaves[self._positions[account]][1]

    def proof(self, account: str) -> list[bytes]:
        """Return the account's proof.

        Raises:
            KeyError: The account has no leaf.
        """
        return proof_of(self.tree, self.tree_indices[self._positions[account]])
