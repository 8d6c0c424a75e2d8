"""The last steps on their own: quorum, coverage, exact medians, percentiles, lost slots."""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.measure.percentiles import (
    FIRST_WIDTHS,
    PERCENTILES,
    finer_width,
    first_width,
    percentiles,
)
from rewards.measure.records import (
    LATENCY_LIMIT_US,
    UNOBSERVED,
    UP,
    OperatorReport,
    Ratio,
    SlotRange,
)
from rewards.measure.scores import lost_ranges, median_operator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rewards.measure.percentiles import Bucket, Histogram


def test_means_that_no_float_tells_apart_are_ordered_exactly() -> None:
    count = 10**18 + 9
    reports = {
        "a": OperatorReport(sum_us=2**40 * count, count=count),
        "b": OperatorReport(sum_us=2**40 * count - 1, count=count),
        "c": OperatorReport(sum_us=2**40 * count + 1, count=count),
    }
    assert median_operator(reports) == "a"


def test_equal_means_are_ordered_by_operator_id() -> None:
    reports = {
        "z": OperatorReport(sum_us=2, count=4),
        "B": OperatorReport(sum_us=1, count=2),
        "a": OperatorReport(sum_us=3, count=6),
        "no answer": OperatorReport(probes=5),
    }
    assert median_operator(reports) == "a"
    del reports["a"]
    assert median_operator(reports) == "B"


def test_nobody_answered() -> None:
    assert median_operator({"a": OperatorReport(probes=3)}) is None


@given(st.integers(1, 999), st.integers(1, 999), st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_ratio_is_exact(p: int, q: int, part: int, whole: int) -> None:
    ratio = Ratio(min(p, q), max(p, q), "")
    exact = Fraction(min(p, q), max(p, q))
    assert ratio.reached_by(part, whole) == (Fraction(part, whole) >= exact)
    ceiling = ratio.ceiling_of(whole)
    assert ceiling - 1 < exact * whole <= ceiling


latencies = st.one_of(st.integers(0, 5000), st.integers(0, 2**22), st.integers(0, LATENCY_LIMIT_US))


@given(st.dictionaries(st.integers(0, 3), st.lists(latencies, min_size=1, max_size=60)))
def test_percentiles_by_narrowing_are_nearest_rank(samples: dict[int, list[int]]) -> None:
    def look(buckets: Iterable[Bucket]) -> Histogram:
        counts: Histogram = defaultdict(Counter)
        for node, start, width in buckets:
            finer = finer_width(width)
            for value in samples[node]:
                if start <= value < start + width:
                    counts[node][value - value % finer] += 1
        return counts

    first: Histogram = {
        node: Counter(v - v % first_width(v) for v in values) for node, values in samples.items()
    }
    found = percentiles(first, look)
    for node, values in samples.items():
        ordered = sorted(values)
        for p in PERCENTILES:
            rank = next(i for i in range(1, len(ordered) + 1) if 100 * i >= p * len(ordered))
            assert found[node][p] == ordered[rank - 1]


def test_the_first_buckets_fit_into_each_other() -> None:
    for (below, width), (_, next_width) in pairwise(FIRST_WIDTHS):
        assert below % width == 0
        assert below % next_width == 0
        assert first_width(below - 1) == width
    assert FIRST_WIDTHS[-1][0] > LATENCY_LIMIT_US


@pytest.mark.parametrize(
    ("ranges", "lost"),
    [
        ([], [(0, 9, UNOBSERVED)]),
        ([(0, 9, UP)], []),
        (
            [(0, 2, UP), (3, 4, "down"), (4, 6, "down"), (6, 9, UP)],
            [(2, 3, UNOBSERVED), (3, 6, "down")],
        ),
        ([(1, 2, UNOBSERVED), (4, 9, UP)], [(0, 4, UNOBSERVED)]),
    ],
)
def test_lost_ranges(ranges: list[tuple[int, int, str]], lost: list[tuple[int, int, str]]) -> None:
    found = lost_ranges([SlotRange(*r) for r in ranges], 9)
    assert found == [SlotRange(*r) for r in lost]
