"""Our tree over arrays, a second time so that the kernels are loaded, and the hash rates."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rewards.merkle.batch import build_tree_array, kernels, leaf_hashes
from rewards.merkle.distribution import Domain

if TYPE_CHECKING:
    from collections.abc import Callable


def best_of(times: int, work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def hash_rates() -> dict[str, float]:
    """Return hashes per second of one core: the permutation alone, and with its messages."""
    import numba

    compiled = kernels()
    if compiled is None:
        return {}
    permute_lanes, constants = compiled._permute_lanes, compiled.ROUND_CONSTANTS
    state = np.zeros(25 * compiled.LANES, np.uint64)
    pairs = np.frombuffer(np.random.default_rng(1).bytes(64 << 16), np.uint64).reshape(-1, 8)
    hashes = np.empty((len(pairs), 4), np.uint64)

    times = 10_000

    def permute(state: object, times: int) -> None:
        for _ in range(times):
            permute_lanes(state, constants)

    permute_often: Any = numba.njit(permute)  # calls from Python would cost as much as they measure
    permute_often(state, 1)
    limit = times * compiled.LANES / best_of(9, lambda: permute_often(state, times))
    compiled.hash_pairs(pairs, constants, hashes)
    reached = len(pairs) / best_of(9, lambda: compiled.hash_pairs(pairs, constants, hashes))
    return {"limit": limit, "reached": reached}


if __name__ == "__main__":
    csv, chain_id, distributor, epoch, kernel = sys.argv[1:]
    cells = [line.split(",") for line in Path(csv).read_text(encoding="ascii").splitlines()]
    accounts = np.frombuffer(bytes.fromhex("".join(a[2:] for a, _ in cells)), np.uint8)
    amounts = np.frombuffer(b"".join(int(c).to_bytes(32, "big") for _, c in cells), np.uint8)
    del cells
    domain = Domain(int(chain_id), distributor, int(epoch))

    def build() -> bytes:
        hashes = leaf_hashes(
            domain, accounts.reshape(-1, 20), amounts.reshape(-1, 32), kernel=kernel == "yes"
        )
        return bytes(build_tree_array(hashes, kernel=kernel == "yes")[0][0])

    start = time.perf_counter()
    root = build()
    seconds = time.perf_counter() - start
    answer: dict[str, object] = {"seconds": seconds, "root": "0x" + root.hex()}
    if kernel == "yes":
        # The first time loads the kernels, or even compiles them.
        answer |= {"seconds": best_of(3, build), **hash_rates()}
    print(json.dumps(answer))
