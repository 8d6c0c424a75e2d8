"""A distribution of very many leaves, held as arrays; `merkle.distribution` is the reference."""

from __future__ import annotations

from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rewards.merkle.batch import blocks, build_tree_array, leaf_hashes
from rewards.merkle.tree import proof_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from rewards.merkle.batch import Octets
    from rewards.merkle.distribution import Domain


HASHED_AT_A_TIME = 1 << 18
"""Leaves whose accounts and amounts are put side by side, in bytes, at a time."""


class LargeDistribution:
    """The leaves of an epoch in address order, the sentinel among them.

    Attributes:
        domain: What every leaf is bound to.
        cumulative_total: The sentinel's amount.
    """

    def __init__(
        self,
        domain: Domain,
        accounts: Any,  # noqa: ANN401 - 20 bytes a row
        amounts: Any,  # noqa: ANN401 - a column with `sum` and `octets`
        payable: NDArray[np.int32],
    ) -> None:
        self.domain = domain
        self.cumulative_total: int = amounts.sum()
        self._accounts, self._amounts, self._payable = accounts, amounts, payable
        # The sentinel's row stands among the others, in its place.
        self._sentinel = np.array([list(bytes.fromhex(domain.distributor[2:]))], np.uint8)
        before = bisect_left(accounts, bytes(self._sentinel), key=bytes)
        self._place = int(np.searchsorted(payable, before))
        self._growing: Future[tuple[Octets, NDArray[np.int32]]] | None = None

    @classmethod
    def of(
        cls,
        domain: Domain,
        accounts: Octets,
        amounts: Any,  # noqa: ANN401 - a column with `sum` and `octets`
    ) -> LargeDistribution | None:
        """Return the distribution for amounts per account, in address order; None if all are 0."""
        payable = np.flatnonzero(amounts != 0).astype(np.int32)
        return cls(domain, accounts, amounts, payable) if len(payable) else None

    @property
    def leaf_count(self) -> int:
        """The number of leaves."""
        return len(self._payable) + 1

    def octets(self, rows: slice) -> tuple[Octets, Octets]:
        """Return the accounts, 20 bytes a row, and the amounts, 32 bytes, of some of the leaves."""
        start, stop, _ = rows.indices(self.leaf_count)
        place = self._place
        others = self._payable[start - (start > place) : stop - (stop > place)]
        accounts = np.take(self._accounts, others, axis=0)
        amounts = self._amounts[others].octets(32)
        if start <= place < stop:
            total = np.array([list(self.cumulative_total.to_bytes(32, "big"))], np.uint8)
            at = place - start
            accounts = np.concatenate([accounts[:at], self._sentinel, accounts[at:]])
            amounts = np.concatenate([amounts[:at], total, amounts[at:]])
        return accounts, amounts

    @property
    def leaves(self) -> tuple[tuple[str, int], ...]:
        """(account, cumulative), ascending by account."""
        return tuple(self.some_leaves(slice(None)))

    def some_leaves(self, rows: slice) -> list[tuple[str, int]]:
        """Return some of the leaves."""
        return [
            ("0x" + account.tobytes().hex(), int.from_bytes(amount.tobytes(), "big"))
            for account, amount in zip(*self.octets(rows), strict=True)
        ]

    def some_indices(self, rows: slice) -> list[int]:
        """Return the indices in the tree of some of the leaves."""
        indices: list[int] = self._tree[1][rows].tolist()
        return indices

    def proofs(self) -> Iterator[tuple[str, int, list[bytes]]]:
        """Yield account, cumulative amount and proof of every leaf, in address order."""
        nodes, width = self._tree[0].tobytes(), 32
        every = range(len(nodes) // width)
        for rows in blocks(self.leaf_count):
            leaves = zip(self.some_leaves(rows), self.some_indices(rows), strict=True)
            for (account, cumulative), index in leaves:
                path = proof_of(every, index)
                proof = [nodes[width * node : width * (node + 1)] for node in path]
                yield account, cumulative, proof

    def grow(self) -> None:
        """Begin to build the tree, which whoever asks for it then waits for."""
        with_others = ThreadPoolExecutor(1)
        self._growing = with_others.submit(self._build)
        with_others.shutdown(wait=False)

    @cached_property
    def _tree(self) -> tuple[Octets, NDArray[np.int32]]:
        return self._growing.result() if self._growing else self._build()

    def _build(self) -> tuple[Octets, NDArray[np.int32]]:
        return build_tree_array(self._leaf_hashes())

    def _leaf_hashes(self) -> Octets:
        hashes = np.empty((self.leaf_count, 32), np.uint8)
        for rows in blocks(self.leaf_count, HASHED_AT_A_TIME):
            hashes[rows] = leaf_hashes(self.domain, *self.octets(rows))
        return hashes

    @property
    def tree(self) -> list[bytes]:
        """The node array, root first."""
        return [node.tobytes() for node in self._tree[0]]

    @property
    def tree_indices(self) -> list[int]:
        """The index in `tree` of each leaf, in the order of `leaves`."""
        return self.some_indices(slice(None))

    def tree_blocks(self) -> Iterable[bytes]:
        """Return the bytes of the node array, root first, in blocks."""
        nodes, step = self._tree[0], 1 << 16
        return (nodes[start : start + step].tobytes() for start in range(0, len(nodes), step))

    @property
    def root(self) -> bytes:
        """The Merkle root."""
        return bytes(self._tree[0][0])

    def __contains__(self, account: str) -> bool:
        """Return whether the account has a leaf."""
        row = self._position(account)
        return (
            row < self.leaf_count and self.some_leaves(slice(row, row + 1))[0][0] == account.lower()
        )

    def _position(self, account: str) -> int:
        """Return where an account stands, or would stand, among the leaves."""
        return bisect_left(
            range(self.leaf_count),
            account.lower(),
            key=lambda row: self.some_leaves(slice(row, row + 1))[0][0],
        )

    def _row(self, account: str) -> int:
        if account not in self:
            raise KeyError(account)
        return self._position(account)

    def amount_of(self, account: str) -> int:
        """Return the account's cumulative amount.

        Raises:
            KeyError: The account has no leaf.
        """
        row = self._row(account)
        return self.some_leaves(slice(row, row + 1))[0][1]

    def proof(self, account: str) -> list[bytes]:
        """Return the account's proof.

        Raises:
            KeyError: The account has no leaf.
        """
        nodes, indices = self._tree
        path = proof_of(range(len(nodes)), int(indices[self._row(account)]))
        return [nodes[node].tobytes() for node in path]
