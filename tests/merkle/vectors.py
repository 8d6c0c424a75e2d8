"""Distributions for the tests of the tree."""

from __future__ import annotations

import random

from rewards.merkle.distribution import Distribution, Domain
from tests.builders import DISTRIBUTOR

DOMAIN = Domain(10, DISTRIBUTOR, 7)


def distribution(leaf_count: int, seed: int = 1) -> Distribution:
    """Return a distribution with that many leaves, the sentinel among them."""
    source = random.Random(seed)
    accounts = {f"0x{source.randrange(2**17, 2**160):040x}" for _ in range(leaf_count - 1)}
    amounts = [source.choice([1, source.randrange(1, 10**27), 2**200]) for _ in accounts]
    built = Distribution.of(DOMAIN, zip(sorted(accounts), amounts, strict=True))
    assert built
    assert len(built.leaves) == leaf_count
    return built
