"""Wide columns are Python's integers: every operation, at any width, row by row."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rewards.rules.columns import joined, stored
from rewards.rules.integers import above_zero
from rewards.rules.wide import LIMB, TOP_LIMIT, Wide, column_from, exact_sum, same_integers

if TYPE_CHECKING:
    from collections.abc import Callable

BORDERS = [
    border + step
    for border in (0, 10**9, LIMB, TOP_LIMIT, 2**63, 2**64, LIMB**2, LIMB * TOP_LIMIT, 2**255)
    for step in (-1, 0, 1)
]
naturals = st.one_of(
    st.integers(0, 2**256 - 1), st.integers(0, 2**62), st.sampled_from(BORDERS).map(abs)
)
integers = st.one_of(naturals, naturals.map(operator.neg))
columns = st.lists(integers, max_size=12)
natural_columns = st.lists(naturals, max_size=12)
pairs = st.lists(st.tuples(integers, integers), max_size=12)
OPERATORS = [operator.add, operator.sub, operator.mul]
COMPARISONS = [operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge]


@given(columns)
@example([])
@example([2**62])
@example([-(2**62)])
def test_column__holds_the_integers(values: list[int]) -> None:
    column = column_from(values)
    assert column.tolist() == values
    assert list(column.exact()) == values
    assert np.asarray(column).tolist() == values
    assert len(column) == len(values)
    assert [column[row] for row in range(len(values))] == values
    assert all((limb >= 0).all() and (limb < LIMB).all() for limb in column.limbs[:-1])
    assert (abs(column.limbs[-1]) < TOP_LIMIT).all()
    assert column.any_below_zero() == any(value < 0 for value in values)


@pytest.mark.parametrize("operate", [*OPERATORS, *COMPARISONS])
@given(pairs, integers)
def test_operators__between_columns_and_with_a_number(
    operate: Callable[[Any, Any], Any], both: list[tuple[int, int]], number: int
) -> None:
    left, right = [a for a, _ in both], [b for _, b in both]
    a, b = column_from(left), column_from(right)
    results = operate(a, b)
    assert results.tolist() == [operate(x, y) for x, y in both]
    assert isinstance(results, Wide if operate in OPERATORS else np.ndarray)
    assert operate(a, a).tolist() == [operate(x, x) for x in left]
    assert operate(a, number).tolist() == [operate(x, number) for x in left]
    assert operate(number, a).tolist() == [operate(number, x) for x in left]


@given(columns, st.integers(1, 2**256))
@example([LIMB**3 - 1, 0, 1], LIMB**3)
@example([2**256 - 1], 1)
def test_quotient_and_remainder__are_rounded_down(values: list[int], divisor: int) -> None:
    column = column_from(values)
    quotients, remainders = divmod(column, divisor)
    assert quotients.tolist() == [value // divisor for value in values]
    assert remainders.tolist() == [value % divisor for value in values]
    assert (column // divisor).tolist() == quotients.tolist()
    assert (column % divisor).tolist() == remainders.tolist()


@given(st.integers(1, 2**300), st.integers(0, 2**200), st.integers(-2, 2))
def test_quotient__beside_a_multiple__is_not_one_off(divisor: int, times: int, step: int) -> None:
    value = max(divisor * times + step, 0)
    quotients, remainders = divmod(column_from([value, 0]), divisor)
    assert (quotients[0], remainders[0]) == divmod(value, divisor)


@pytest.mark.parametrize("divisor", [*range(2, 40), LIMB - 1, 10**27 + 7])
def test_quotient__of_the_largest_digits__is_rounded_down(divisor: int) -> None:
    # Just below a power of the base, what a rounded reciprocal loses is as large as can be.
    values = [10 ** (9 * halves) - step for halves in (1, 2, 3, 5, 8) for step in range(1, 9)]
    values += [-value for value in values]
    quotients, remainders = divmod(column_from(values), divisor)
    assert quotients.tolist() == [value // divisor for value in values]
    assert remainders.tolist() == [value % divisor for value in values]


@given(columns, st.integers(1, 2**256))
def test_other_operations__are_those_of_the_integers(values: list[int], number: int) -> None:
    column = column_from(values)
    assert (column >> 3).tolist() == [value >> 3 for value in values]
    assert (column & 0xFF).tolist() == [value & 0xFF for value in values]
    assert (number // (column * column + 1)).tolist() == [number // (x * x + 1) for x in values]
    with pytest.raises(ZeroDivisionError):
        column_from([number]) // 0


@given(st.lists(st.integers(-(2**200), 2**200), max_size=6), st.integers(1, 9))
def test_power(values: list[int], exponent: int) -> None:
    assert (column_from(values) ** exponent).tolist() == [value**exponent for value in values]


@given(columns)
def test_sum_rank_and_order(values: list[int]) -> None:
    column = column_from(values)
    assert column.sum() == sum(values)
    assert column.ranked_sum() == sum(rank * value for rank, value in enumerate(values, start=1))
    assert column.ascending().tolist() == sorted(values)
    order = column.order().tolist()
    assert order == sorted(range(len(values)), key=values.__getitem__)
    assert above_zero(column).tolist() == [max(value, 0) for value in values]


def test_ascending__where_leading_bits_decide__sorts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Wide, "order")
    for width in (1, 2, 3, 12):
        values = [(number * 7919 % 997) * LIMB**width // 1000 for number in range(500)]
        values += values[:50]
        assert column_from(values).ascending().tolist() == sorted(values)


@pytest.mark.parametrize("values", [[5, 1, 3], [1, 5, 3], [3, 5, 1]])
def test_ascending__where_leading_bits_are_the_same(values: list[int]) -> None:
    near = [2**200 + value for value in values]
    assert column_from([*near, 7]).ascending().tolist() == sorted([*near, 7])


@given(st.lists(columns.filter(bool), min_size=1, max_size=5))
def test_sums_from__each_start(groups: list[list[int]]) -> None:
    column = column_from([value for group in groups for value in group])
    starts = np.cumsum([0, *map(len, groups[:-1])])
    assert column.sums_from(starts).tolist() == [sum(group) for group in groups]


@given(natural_columns, natural_columns)
def test_leading_bits__never_stand_against_the_order(left: list[int], right: list[int]) -> None:
    limit = max([*left, *right], default=0) + 1
    # Of two columns, as two blocks of one are: what one needs fewer limbs for is compared too.
    keys = [
        *column_from(left).leading(limit).tolist(),
        *column_from(right).leading(limit).tolist(),
    ]
    ranked = sorted(zip([*left, *right], keys, strict=True))
    assert [key for _, key in ranked] == sorted(keys)
    same = dict(ranked)
    assert all(same[value] == key for value, key in ranked)


@pytest.mark.parametrize("limit", [1000, 2**40, LIMB, TOP_LIMIT, 2**64, 10**27, LIMB**2, 2**200])
def test_leading_bits__tell_a_thousand_steps_apart(limit: int) -> None:
    keys = column_from([limit * step // 1000 for step in range(1000)]).leading(limit).tolist()
    assert keys == sorted(set(keys))
    assert len(keys) == 1000


@given(natural_columns)
def test_octets__are_the_big_endian_words(values: list[int]) -> None:
    words = column_from(values).octets(32)
    assert words.tobytes() == b"".join(value.to_bytes(32, "big") for value in values)


@pytest.mark.parametrize(("value", "width"), [(2**256, 32), (-1, 32), (2**32, 4)])
def test_octets__of_what_does_not_fit__are_refused(value: int, width: int) -> None:
    with pytest.raises(OverflowError):
        column_from([1, value]).octets(width)
    assert column_from([1, 2**32 - 1]).octets(4).tolist() == [[0, 0, 0, 1], [255] * 4]


@given(columns, columns, st.data())
def test_rows__are_taken_set_and_joined(
    values: list[int], others: list[int], data: st.DataObject
) -> None:
    column = column_from(values)
    rows = data.draw(st.lists(st.integers(0, max(len(values) - 1, 0)), max_size=len(values)))
    chosen = np.array(rows, np.int64)
    assert column[chosen].tolist() == [values[row] for row in rows]
    assert column.take(chosen).tolist() == [values[row] for row in rows]
    assert column[1:4].tolist() == values[1:4]
    assert column[column > 0].tolist() == [value for value in values if value > 0]
    assert Wide.joined([column, column_from(others)]).tolist() == [*values, *others]
    changed, once = Wide.zeros(len(values)), np.array(sorted(set(rows)), np.int64)
    changed[once] = column[once]
    assert changed.tolist() == [
        value if row in set(rows) else 0 for row, value in enumerate(values)
    ]


@given(columns, columns)
def test_same_integers__whatever_they_are_kept_in(values: list[int], others: list[int]) -> None:
    assert same_integers(column_from(values), stored(column_from(values)))
    assert same_integers(column_from(values), column_from(others)) == (values == others)


@given(columns)
def test_stored__loses_nothing_and_is_joined_with_others(values: list[int]) -> None:
    kept = stored(column_from(values))
    assert kept.tolist() == values
    assert joined([kept, np.array([5, 6]), stored(column_from([0]))]).tolist() == [*values, 5, 6, 0]


@pytest.mark.parametrize(
    ("values", "bytes_a_row"),
    [([0, 0], 1), ([2**31 - 1, -(2**31)], 4), ([2**31, 0], 8), ([-(2**31) - 1], 8), ([2**70], 16)],
)
def test_stored__takes_few_bytes(values: list[int], bytes_a_row: int) -> None:
    kept = stored(column_from(values))
    held = kept.limbs if isinstance(kept, Wide) else kept
    assert held.nbytes == bytes_a_row * len(values)
    assert kept.tolist() == values


def test_stored__of_a_difference__takes_no_more_limbs_than_needed() -> None:
    high, low = column_from([2**200, 5]), column_from([2**200 - 5, 0])
    kept = stored(high - low)
    assert kept.tolist() == [5, 5]
    assert kept.dtype == np.int32
    assert len(stored(high - column_from([2**200 - 2**70, 0])).limbs) == 2


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64])
def test_exact_sum__of_extreme_numbers__does_not_wrap(kind: type) -> None:
    high = int(np.iinfo(kind).max)
    values = [high, high, high, -1, 0]
    assert exact_sum(np.array(values, kind)) == sum(values)
    assert exact_sum(-np.array(values, kind)) == -sum(values)
    assert exact_sum(np.array([], kind)) == 0
    assert Wide.of(np.array(values, kind)).sum() == sum(values)


@pytest.mark.parametrize("first", [1, -1, TOP_LIMIT - 1, 1 - TOP_LIMIT, LIMB])
def test_sums_of_sums__do_not_wrap(first: int) -> None:
    column, value = Wide.of(np.array([first, 0])), first
    for _ in range(300):
        column, value = column + column, value + value
        assert column.tolist() == [value, 0]
        assert (column - Wide.of(0)).tolist() == [value, 0]


def test_many_rows__do_not_wrap() -> None:
    top = Wide.of(np.full(300_000, TOP_LIMIT - 1))
    assert top.sum() == 300_000 * (TOP_LIMIT - 1)
    assert top.sums_from(np.array([0, 5])).tolist() == [
        5 * (TOP_LIMIT - 1),
        299_995 * (TOP_LIMIT - 1),
    ]
    assert top.ranked_sum() == (TOP_LIMIT - 1) * 300_000 * 300_001 // 2


def test_what_is_no_integer__or_changes_a_column_in_place__is_refused() -> None:
    with pytest.raises(TypeError, match="holds no integers"):
        Wide.of(np.array([0.5]))
    with pytest.raises(ValueError, match="at 0 only"):
        column_from([1]).clip(5)
    column = column_from([LIMB - 1])
    with pytest.raises(TypeError):
        column += column  # the sum may need a limb that the column does not have
    unsigned = np.array([2**64 - 1], np.uint64)
    assert Wide.of(unsigned).tolist() == [2**64 - 1]
    assert Wide.of(2**64 - 1).tolist() == [2**64 - 1]
    assert (column_from([5]) * np.array([True])).tolist() == [5]


@pytest.mark.parametrize("halves", [1, 2, 7, 8, 9, 10, 16, 17, 24])
def test_product__of_the_largest_digits__does_not_wrap(halves: int) -> None:
    most = 10 ** (9 * halves) - 1  # every product of two digits is as large as can be
    column = column_from([most, -most, 0])
    assert (column * most).tolist() == [most**2, -(most**2), 0]
    assert (column * column).tolist() == [most**2, most**2, 0]
    assert divmod(column_from([most**2 + most - 1]), most)[0].tolist() == [most]
    assert divmod(column_from([most**2 + most - 1]), most)[1].tolist() == [most - 1]
