"""Nearest-rank percentiles by narrowing: counts per bucket, then per finer bucket where it matters.

Percentile p is the smallest latency `v` with `100 * #{latency <= v} >= p * count` (section 1). No
engine sorts anything: each look counts the probes in buckets, and only the buckets that hold a
percentile are looked into again, until a bucket is one latency wide.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.errors import InvariantBroken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

PERCENTILES = (50, 95, 99)
FIRST_WIDTHS = ((1 << 21, 1 << 12), (1 << 30, 1 << 21), (1 << 41, 1 << 30))
"""(latencies below, width of a bucket): about 2,000 buckets for latencies up to 2^40."""
NARROWING = 64
"""How much finer each further look is."""

Histogram = dict[int, dict[int, int]]
"""Node → bucket (its smallest latency) → probes."""
Bucket = tuple[int, int, int]
"""(node, smallest latency, width)."""


@dataclass(frozen=True, slots=True)
class _Place:
    """The bucket that holds a percentile: probes below it, and the rank sought."""

    bucket: int
    width: int
    below: int
    rank: int


def percentiles(
    first: Histogram, look: Callable[[Iterable[Bucket]], Histogram]
) -> dict[int, dict[int, int]]:
    """Return node → p → latency.

    Args:
        first: The counts of the first buckets.
        look: Counts again inside some buckets, `NARROWING` times finer.
    """
    places = {
        (node, p): _first_place(counts, p) for node, counts in first.items() for p in PERCENTILES
    }
    while wide := {(node, at.bucket, at.width) for (node, _), at in places.items() if at.width > 1}:
        finer = look(sorted(wide))
        places = {
            (node, p): _narrowed(at, finer[node]) if at.width > 1 else at
            for (node, p), at in places.items()
        }
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for (node, p), at in places.items():
        found[node][p] = at.bucket
    return dict(found)


def first_width(bucket: int) -> int:
    """Return the width of the first bucket that begins at a latency."""
    return next(width for below, width in FIRST_WIDTHS if bucket < below)


def finer_width(width: int) -> int:
    """Return the width of the buckets inside a bucket."""
    return max(1, width // NARROWING)


def _first_place(counts: Mapping[int, int], p: int) -> _Place:
    rank = -(-p * sum(counts.values()) // 100)
    bucket, below = _bucket_of(counts, rank, 0)
    return _Place(bucket, first_width(bucket), below, rank)


def _narrowed(at: _Place, counts: Mapping[int, int]) -> _Place:
    inside = {b: n for b, n in counts.items() if at.bucket <= b < at.bucket + at.width}
    bucket, below = _bucket_of(inside, at.rank, at.below)
    return _Place(bucket, finer_width(at.width), below, at.rank)


def _bucket_of(counts: Mapping[int, int], rank: int, below: int) -> tuple[int, int]:
    """Return the bucket in which the count reaches the rank, and the probes below it."""
    for bucket in sorted(counts):
        if below + counts[bucket] >= rank:
            return bucket, below
        below += counts[bucket]
    raise InvariantBroken("the counts of a look add up to less than those of the one before")
