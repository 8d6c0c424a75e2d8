"""A straightforward Python version of the tree, as one writes it first: eth_abi and eth_hash."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from eth_abi.abi import encode
from eth_utils.crypto import keccak

TYPES = ("uint256", "address", "uint256", "address", "uint256")


def root_of(leaves: list[tuple[int, str, int, str, int]]) -> bytes:
    hashes = sorted(keccak(keccak(encode(TYPES, leaf))) for leaf in leaves)
    tree = [b""] * (len(hashes) - 1) + hashes[::-1]
    for node in range(len(hashes) - 2, -1, -1):
        tree[node] = keccak(b"".join(sorted(tree[2 * node + 1 : 2 * node + 3])))
    return tree[0]


if __name__ == "__main__":
    csv, chain_id, distributor, epoch = sys.argv[1:]
    given = []
    for line in Path(csv).read_text(encoding="ascii").splitlines():
        account, cumulative = line.split(",")
        given.append((int(chain_id), distributor, int(epoch), account, int(cumulative)))
    start = time.perf_counter()
    root = root_of(given)
    print(json.dumps({"seconds": time.perf_counter() - start, "root": "0x" + root.hex()}))
