from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.audit.moments import timed
from rewards.audit.report.figures import Concentration, lorenz_points
from rewards.audit.report.scales import Linear, Logarithmic, decades, linear_from_zero, nines
from rewards.audit.report.words import decimal, exact_wct, percent, plain_wct, ratio
from rewards.rules.integers import WAD, WCT

amounts = st.lists(st.integers(1, 10**30), min_size=1, max_size=60).map(sorted).map(tuple)


def group(*values: int) -> Concentration:
    return Concentration("k", "k", tuple(sorted(values)))


def test_gini__by_hand() -> None:
    assert group(5).gini == 0
    assert group(3, 3, 3).gini == 0
    assert group(1, 3).gini == Fraction(1, 4)
    assert group(1, 1, 1, 97).gini == Fraction(18, 25)


@given(amounts)
def test_gini__equals_the_mean_difference(values: tuple[int, ...]) -> None:
    count, total = len(values), sum(values)
    differences = sum(abs(a - b) for a in values for b in values)
    assert group(*values).gini == Fraction(differences, 2 * count * total)


@given(amounts)
def test_lorenz__gini_is_twice_the_area_above_it(values: tuple[int, ...]) -> None:
    points = lorenz_points(values, 1_000)
    below = sum(
        ((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points)),
        start=Fraction(0),
    )
    assert 1 - 2 * below == group(*values).gini


@given(st.lists(st.integers(1, 10**20), min_size=500, max_size=700).map(sorted))
def test_lorenz__thinned__keeps_its_ends_and_its_points(values: list[int]) -> None:
    points = lorenz_points(values, 100)
    assert points[0] == (Fraction(0), Fraction(0))
    assert points[-1] == (Fraction(1), Fraction(1))
    assert len(points) == 101
    assert set(points) <= set(lorenz_points(values, 1_000))


def test_top_share_and_majority() -> None:
    spread = group(*range(1, 21))
    assert spread.top_share == Fraction(sum(range(11, 21)), 210)
    assert spread.majority == 7  # 20 + … + 14 = 119, 20 + … + 15 = 105 is exactly half
    assert group(10).majority == 1


def test_words_cut_off_and_never_round_up() -> None:
    assert plain_wct(1_999_999_999_999_999_999) == "1.9999"
    assert plain_wct(-12_345 * WCT - 1) == "−12,345.0000"  # noqa: RUF001
    assert plain_wct(1) == "< 0.0001"
    assert plain_wct(0) == "0.0000"
    assert percent(Fraction(2, 3)) == "66.66 %"
    assert decimal(Fraction(2, 3)) == "0.6666"
    assert ">0.7999</data>" in ratio(8 * WAD // 10 - 1)


def test_exact_wct__value_and_text_agree() -> None:
    text = exact_wct(1_234_000_000_000_000_000_007)
    assert 'value="1234000000000000000007"' in text
    assert '1,234<span class="f">.000000000000000007</span>' in text


def test_timed__seconds_become_times_and_nothing_else_changes() -> None:
    assert timed("score 0.36 < tau 0.8; confined until 1782950400") == (
        "score 0.36 < tau 0.8; confined until 2026-07-02 00:00 UTC"
    )
    assert timed("stake weight 1782950400") == "stake weight 1782950400"


@pytest.mark.parametrize("highest", [0, 1, 7, 99, 100, 101, 373_581_400_000_000_000_000])
def test_linear_axis__holds_its_values_and_few_round_ticks(highest: int) -> None:
    axis = linear_from_zero(highest, 1_000, -900)
    assert axis.place(0) == 1_000
    assert 100 <= axis.place(highest) <= 1_000
    assert 2 <= len(axis.ticks(5)) <= 6


@given(st.integers(1, 10**27), st.integers(1, 10**27))
def test_decades__hold_their_values(one: int, other: int) -> None:
    low, high = sorted((one, other))
    axis = decades(low, high, 0, 7_000)
    assert axis.low <= low
    assert high <= axis.high
    assert 0 <= axis.place(low) <= axis.place(high) <= 7_000
    assert axis.ticks()[0] == axis.low
    assert axis.ticks()[-1] == axis.high


def test_logarithmic_axis__decades_at_even_steps() -> None:
    axis = Logarithmic(10, 10_000, 0, 3_000)
    assert [axis.place(tick) for tick in axis.ticks()] == [0, 1_000, 2_000, 3_000]
    assert axis.place(0) == 0


@given(st.lists(st.integers(0, WAD), min_size=1))
def test_nines__in_order__whole_at_the_end(scores: list[int]) -> None:
    axis = nines(WAD, scores, 0, 6_000)
    places = [axis.place(score) for score in sorted(scores)]
    assert places == sorted(places)
    assert axis.place(0) == 0
    assert axis.place(WAD) == 6_000
    assert axis.ticks()[0] == 0
    assert axis.ticks()[-1] == WAD


def test_linear_axis__runs_backwards() -> None:
    assert Linear(0, 10, 100, -100).place(10) == 0
