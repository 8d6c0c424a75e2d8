from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.rules.integers import WAD
from rewards.rules.wct1.scores import (
    Performance,
    combined_score,
    latency_score,
    performance,
    uptime_ratio,
)
from tests.builders import DAY, parameters, score, wad

TARGET, CEILING = 200_000, 2_000_000


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(0, 0, id="never up"),
        pytest.param(DAY, WAD, id="always up"),
        pytest.param(43_200, wad("0.5"), id="half a day"),
        # One second of 86,400 is 1.1574…e-5; the digits after the 18th place fall away.
        pytest.param(1, wad("0.000011574074074074"), id="one second, rounded down"),
        pytest.param(86_399, wad("0.999988425925925925"), id="all but one second"),
    ],
)
def test_uptime_ratio__of_a_day__is_floored(seconds: int, expected: int) -> None:
    assert uptime_ratio(seconds, DAY) == expected


@pytest.mark.parametrize(
    ("total_us", "requests", "expected"),
    [
        pytest.param(0, 0, 0, id="no request at all"),
        pytest.param(0, 1, WAD, id="instant"),
        pytest.param(3 * TARGET, 3, WAD, id="mean exactly at the target"),
        # One microsecond above the target, over three requests: (6,000,000 - 600,001) of
        # 1,800,000 * 3, which is 5,399,999 of 5,400,000 = 0.999999814814…
        pytest.param(3 * TARGET + 1, 3, wad("0.999999814814814814"), id="just above the target"),
        # Mean 1,100,000: halfway between 200,000 and 2,000,000.
        pytest.param(1_100_000, 1, wad("0.5"), id="halfway"),
        # Mean 800,000: (2,000,000 - 800,000) of 1,800,000 is two thirds.
        pytest.param(1_600_000, 2, wad("0.666666666666666666"), id="two thirds, floored"),
        # 13,999,999 over 7: (14,000,000 - 13,999,999) of 12,600,000 is 1 of 12,600,000.
        pytest.param(13_999_999, 7, wad("0.000000079365079365"), id="just below the ceiling"),
        pytest.param(7 * CEILING, 7, 0, id="mean exactly at the ceiling"),
        pytest.param(9 * CEILING, 7, 0, id="above the ceiling"),
    ],
)
def test_latency_score__by_mean_latency__follows_the_line(
    total_us: int, requests: int, expected: int
) -> None:
    assert latency_score(total_us, requests, TARGET, CEILING) == expected


def test_latency_score__target_zero__counts_from_zero() -> None:
    assert latency_score(0, 5, 0, 10) == WAD
    # Mean 2.5 of a ceiling of 10.
    assert latency_score(10, 4, 0, 10) == wad("0.75")


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**6))
def test_latency_score__more_response_time__never_scores_higher(a: int, b: int, n: int) -> None:
    low, high = sorted((a, b))
    better, worse = (latency_score(t, n, TARGET, CEILING) for t in (low, high))
    assert WAD >= better >= worse >= 0


def test_combined_score__product__multiplies() -> None:
    rules = parameters().performance
    assert combined_score(wad("0.9"), wad("0.5"), rules) == wad("0.45")
    assert combined_score(WAD, WAD, rules) == WAD
    assert combined_score(WAD, 0, rules) == 0
    # Nothing is lost before the one division: (1e18 - 1)^2 // 1e18 = 1e18 - 2.
    assert combined_score(WAD - 1, WAD - 1, rules) == WAD - 2


def test_combined_score__product_with_weights__scales_once() -> None:
    rules = parameters(
        {"performance.uptime_weight": wad("1.25"), "performance.latency_weight": wad("0.72")}
    ).performance
    # 1.25 * 0.72 = 0.9, times 0.8 * 0.5 = 0.4 makes 0.36.
    assert combined_score(wad("0.8"), wad("0.5"), rules) == wad("0.36")


def test_combined_score__product__divides_only_once() -> None:
    rules = parameters(
        {"performance.uptime_weight": 3, "performance.latency_weight": 7 * 10**35}
    ).performance
    # (3 * U) * (7e35 * L) // 1e54 with U = 1e18/2 and L = 1e18/3: 1.5e18 * 2.333…e53 // 1e54.
    # Dividing 3 * U by 1e18 first would have given 1 in place of 1.5.
    assert combined_score(5 * 10**17, WAD // 3, rules) == 349_999_999_999_999_999


def test_combined_score__weighted_mean__averages() -> None:
    rules = parameters(
        {
            "performance.combine": "weighted_mean",
            "performance.uptime_weight": wad("3"),
            "performance.latency_weight": wad("1"),
        }
    ).performance
    # (3 * 0.9 + 1 * 0.5) / 4 = 3.2 / 4.
    assert combined_score(wad("0.9"), wad("0.5"), rules) == wad("0.8")
    assert combined_score(WAD, WAD, rules) == WAD
    # (3 * 1 + 0) / 4 base units is 0.75, rounded down.
    assert combined_score(1, 0, rules) == 0


def test_combined_score__weighted_mean_one_weight_zero__is_the_other_score() -> None:
    rules = parameters(
        {"performance.combine": "weighted_mean", "performance.uptime_weight": 0}
    ).performance
    assert combined_score(wad("0.9"), wad("0.123"), rules) == wad("0.123")


def test_performance__row__gives_all_three_ratios() -> None:
    row = score("n", uptime=43_200, response_time_us=2_200_000, requests=2)
    assert performance(row, DAY, parameters().performance) == Performance(
        wad("0.5"), wad("0.5"), wad("0.25")
    )


def test_performance__row_of_zeros__scores_zero() -> None:
    row = score("n", uptime=0, response_time_us=0, requests=0)
    assert performance(row, DAY, parameters().performance) == Performance(0, 0, 0)
