"""OpenZeppelin's standard tree in a few lines, so that these tests rest on no code of the tool."""

from collections.abc import Mapping

from eth_abi.abi import encode
from eth_utils.crypto import keccak

LEAF_TYPES = ["uint256", "address", "uint256", "address", "uint256"]


def leaf_hash(chain_id: int, distributor: str, epoch: int, account: str, cumulative: int) -> bytes:
    values = (chain_id, distributor, epoch, account, cumulative)
    return keccak(keccak(encode(LEAF_TYPES, values)))


class Tree:
    """The tree of one epoch; `amounts` without the sentinel, which is added."""

    def __init__(
        self,
        chain_id: int,
        distributor: str,
        epoch: int,
        amounts: Mapping[str, int],
        total: int | None = None,
    ) -> None:
        self.epoch = epoch
        self.distributor = distributor
        self.amounts = dict(amounts)
        self.total = sum(amounts.values()) if total is None else total
        rows = {**self.amounts, distributor: self.total}
        hashed = sorted((leaf_hash(chain_id, distributor, epoch, a, c), a) for a, c in rows.items())
        self._nodes = [b""] * (len(hashed) - 1) + [h for h, _ in reversed(hashed)]
        last = len(self._nodes) - 1
        self._index = {account: last - i for i, (_, account) in enumerate(hashed)}
        for i in range(len(hashed) - 2, -1, -1):
            self._nodes[i] = keccak(b"".join(sorted(self._nodes[2 * i + 1 : 2 * i + 3])))

    @property
    def root(self) -> bytes:
        return self._nodes[0]

    def proof(self, account: str) -> list[bytes]:
        i, siblings = self._index[account], []
        while i > 0:
            siblings.append(self._nodes[i + 1 if i % 2 else i - 1])
            i = (i - 1) // 2
        return siblings

    @property
    def sentinel_proof(self) -> list[bytes]:
        return self.proof(self.distributor)
