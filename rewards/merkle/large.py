"""A distribution of very many leaves, held as arrays; `merkle.distribution` is the reference."""

from __future__ import annotations

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


class LargeDistribution:
    """The leaves of an epoch in address order, the sentinel among them.

    Attributes:
        domain: What every leaf is bound to.
        accounts: 20 bytes a row.
        cumulatives: 32 bytes a row, big-endian.
        cumulative_total: The sentinel's amount.
    """

    def __init__(self, domain: Domain, accounts: Octets, cumulatives: Octets, total: int) -> None:
        self.domain = domain
        self.accounts = accounts
        self.cumulatives = cumulatives
        self.cumulative_total = total
        self._growing: Future[tuple[Octets, NDArray[np.int64]]] | None = None

    @classmethod
    def of(
        cls,
        domain: Domain,
        accounts: Octets,
        amounts: Any,  # noqa: ANN401 - a column with `sum` and `octets`
    ) -> LargeDistribution | None:
        """Return the distribution for amounts per account, in address order; None if all are 0."""
        payable = np.flatnonzero(amounts != 0)
        if not len(payable):
            return None
        total, count = amounts.sum(), len(payable)
        # The sentinel's row stands among the others, in its place.
        sentinel = bytes.fromhex(domain.distributor[2:])
        place = int(np.searchsorted(payable, _position(accounts, sentinel)))
        all_accounts = np.empty((count + 1, 20), np.uint8)
        cumulatives = np.empty((count + 1, 32), np.uint8)
        all_accounts[place] = list(sentinel)
        cumulatives[place] = list(total.to_bytes(32, "big"))
        for first, last, moved in ((0, place, 0), (place, count, 1)):
            for block in blocks(last - first):
                rows = slice(first + block.start, first + block.stop)
                target = slice(rows.start + moved, rows.stop + moved)
                all_accounts[target] = accounts[payable[rows]]
                cumulatives[target] = amounts[payable[rows]].octets(32)
        return cls(domain, all_accounts, cumulatives, total)

    @property
    def leaf_count(self) -> int:
        """The number of leaves."""
        return len(self.accounts)

    @property
    def leaves(self) -> tuple[tuple[str, int], ...]:
        """(account, cumulative), ascending by account."""
        return tuple(self.some_leaves(slice(None)))

    def some_leaves(self, rows: slice) -> list[tuple[str, int]]:
        """Return some of the leaves."""
        return [
            ("0x" + account.tobytes().hex(), int.from_bytes(amount.tobytes(), "big"))
            for account, amount in zip(self.accounts[rows], self.cumulatives[rows], strict=True)
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
    def _tree(self) -> tuple[Octets, NDArray[np.int64]]:
        return self._growing.result() if self._growing else self._build()

    def _build(self) -> tuple[Octets, NDArray[np.int64]]:
        return build_tree_array(leaf_hashes(self.domain, self.accounts, self.cumulatives))

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
        wanted = bytes.fromhex(account[2:])
        place = _position(self.accounts, wanted)
        return place < len(self.accounts) and self.accounts[place].tobytes() == wanted

    def _row(self, account: str) -> int:
        if account not in self:
            raise KeyError(account)
        return _position(self.accounts, bytes.fromhex(account[2:]))

    def amount_of(self, account: str) -> int:
        """Return the account's cumulative amount.

        Raises:
            KeyError: The account has no leaf.
        """
        return int.from_bytes(self.cumulatives[self._row(account)].tobytes(), "big")

    def proof(self, account: str) -> list[bytes]:
        """Return the account's proof.

        Raises:
            KeyError: The account has no leaf.
        """
        nodes, indices = self._tree
        path = proof_of(range(len(nodes)), int(indices[self._row(account)]))
        return [nodes[node].tobytes() for node in path]


def _position(accounts: Octets, wanted: bytes) -> int:
    """Return where an account stands, or would stand, among accounts in order."""
    low, high = 0, len(accounts)
    while low < high:
        middle = (low + high) // 2
        if accounts[middle].tobytes() < wanted:
            low = middle + 1
        else:
            high = middle
    return low
