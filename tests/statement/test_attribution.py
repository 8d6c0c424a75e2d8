"""Whose program a claimed amount belongs to: random seasons, and the same told another way."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rewards.audit.pools import PoolRow
from rewards.audit.statement.attribution import (
    LINES,
    NOTHING,
    Accrual,
    History,
    accrual_of,
    attributed,
    covered,
    minus,
    part_of,
    plus,
    shares,
    standings_of,
    together,
    total,
)
from rewards.audit.statement.books import EpochBooks
from rewards.audit.statement.receipts import Receipt, claims_of
from rewards.rules.wct1.apportion import apportion
from tests.strategies import seasons

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rewards.audit.statement.attribution import Lines
    from tests.strategies import Step


def books_of(step: Step) -> EpochBooks:
    """Return the books of a computed epoch, as if they were read from its tables."""
    paid: dict[str, defaultdict[str, int]] = {
        name: defaultdict(int) for name in ("nodes", "wallets_eligible", "wallets_certified")
    }
    for node in step.result.nodes:
        paid["nodes"][node.payout_address] += node.paid
    for wallet in step.result.wallets:
        paid["wallets_eligible"][wallet.payout_address] += wallet.amount_eligible
        paid["wallets_certified"][wallet.payout_address] += wallet.amount_certified
    published: Any = SimpleNamespace(manifest=SimpleNamespace(epoch=step.inputs.header.epoch))
    pools = {name: PoolRow(paid=sum(amounts.values())) for name, amounts in paid.items()}
    return EpochBooks(published, pools, paid, {}, step.result.allocations)


def history_of(steps: Sequence[Step]) -> History:
    first = steps[0].result.allocations
    before: dict[str, int] = {row.account: row.previous_cumulative for row in first}
    accruals = [accrual_of(books_of(step)) for step in steps]
    return History(before, steps[0].inputs.header.epoch, accruals)


@st.composite
def claimed_seasons(draw: st.DrawFn) -> tuple[list[Step], dict[str, int], int]:
    """A season, what each account has claimed of it at will, and what the contract holds."""
    steps = draw(seasons())
    claims: dict[str, int] = {
        row.account: draw(st.integers(0, row.cumulative) | st.just(row.cumulative))
        for row in steps[-1].result.allocations
    }
    still = sum(row.cumulative for row in steps[-1].result.allocations) - sum(claims.values())
    balance = draw(st.integers(0, still) | st.integers(still, 2 * still + 5) | st.just(still))
    return steps, claims, balance


def known(lines: Lines | None) -> Lines:
    assert lines is not None
    return lines


# --- laws --------------------------------------------------------------------------------------


@given(claimed_seasons())
def test_every_sum__is_exact_by_payee_by_epoch_and_in_all(
    drawn: tuple[list[Step], dict[str, int], int],
) -> None:
    steps, claims, balance = drawn
    history = history_of(steps)
    standings = standings_of(history, claims, balance)
    last = {row.account: row.cumulative for row in steps[-1].result.allocations}
    covers = standings.covers or {}
    for account, cumulative in last.items():
        own = standings.standing(account)
        assert sum(own.allotted) == cumulative
        assert sum(known(own.claimed)) == claims[account]
        assert sum(known(own.open)) == cumulative - claims[account]
        assert sum(known(own.funded)) == claims[account] + covers.get(account, 0)
        assert 0 <= covers.get(account, 0) <= cumulative - claims[account]
    whole = standings.total
    assert sum(known(whole.funded)) + (standings.surplus or 0) == sum(claims.values()) + balance
    assert whole.allotted == history.stated
    assert together(standings.by_account.values()) == whole
    assert together(standings.by_epoch.values()) == whole
    for step in steps:
        in_epoch = standings.by_epoch[step.inputs.header.epoch]
        amount = sum(row.epoch_amount for row in step.result.allocations)
        assert sum(in_epoch.allotted) == amount
        assert sum(known(in_epoch.claimed)) + sum(known(in_epoch.open)) == amount


@given(claimed_seasons())
def test_what_a_program_paid__is_never_claimed_or_funded_beyond(
    drawn: tuple[list[Step], dict[str, int], int],
) -> None:
    steps, claims, balance = drawn
    for standing in standings_of(history_of(steps), claims, balance).by_account.values():
        for lines in (known(standing.claimed), known(standing.funded)):
            for paid, part in zip(standing.allotted[:3], lines[:3], strict=True):
                assert 0 <= part <= paid


@given(claimed_seasons(), st.data())
def test_a_later_start__tells_the_same_of_the_epochs_at_hand(
    drawn: tuple[list[Step], dict[str, int], int], data: st.DataObject
) -> None:
    """What lies before is one line; of the rest nothing changes, to the wei."""
    steps, claims, balance = drawn
    skipped = data.draw(st.integers(0, len(steps) - 1))
    whole = standings_of(history_of(steps), claims, balance)
    later = standings_of(history_of(steps[skipped:]), claims, balance)
    assert later.claims == whole.claims
    for step in steps[skipped:]:
        number = step.inputs.header.epoch
        assert later.by_epoch[number].allotted == whole.by_epoch[number].allotted
        assert later.by_epoch[number].claimed == whole.by_epoch[number].claimed
        assert later.by_epoch[number].funded == whole.by_epoch[number].funded
    assert sum(later.total.allotted) == sum(whole.total.allotted)
    assert sum(known(later.total.claimed)) == sum(known(whole.total.claimed))
    assert later.surplus == whole.surplus


@given(claimed_seasons(), st.data())
def test_before_and_movement__make_what_is_open_at_the_end(
    drawn: tuple[list[Step], dict[str, int], int], data: st.DataObject
) -> None:
    steps, claims, _ = drawn
    history = history_of(steps)
    first = data.draw(st.sampled_from([step.inputs.header.epoch for step in steps]))
    opened = history.until(first)
    had = {
        account: data.draw(st.integers(0, min(claims.get(account, 0), amount)))
        for account, amount in opened.cumulative.items()
    }
    opening, closing = standings_of(opened, had, None), standings_of(history, claims, None)
    added = total(a.stated for a in history.accruals if a.epoch >= first)
    in_range = minus(known(closing.total.claimed), known(opening.total.claimed))
    assert sum(in_range) == sum(claims.values()) - sum(had.values())
    assert minus(plus(known(opening.total.open), added), in_range) == closing.total.open


# --- the same, told another way ------------------------------------------------------------------


@given(seasons(), st.data())
def test_contract__what_was_claimed_is_what_the_epochs_up_to_the_claimed_one_paid(
    steps: list[Step], data: st.DataObject
) -> None:
    """Claims against active epochs, as the contract takes them, and sums of the tables."""
    claimed: dict[str, int] = {}
    through: dict[str, int] = {}
    for i, step in enumerate(steps):
        if not data.draw(st.booleans()):
            continue  # settled together with a later one
        for row in step.result.allocations:
            if row.cumulative and data.draw(st.booleans()):
                claimed[row.account] = row.cumulative
                through[row.account] = i
    history = history_of(steps)
    standings = standings_of(history, claimed, None)
    assert standings.divided == 0
    for account in history.credits:
        paid = [lines_of(step, account) for step in steps]
        upto = through.get(account, -1)
        # What is wholly set off needs no claim.
        while upto + 1 < len(paid) and sum(paid[upto + 1]) == 0:
            upto += 1
        expected = tuple(map(sum, zip(*paid[: upto + 1], strict=True))) or NOTHING
        assert standings.standing(account).claimed == expected


def lines_of(step: Step, account: str) -> Lines:
    """Return an account's lines in an epoch, from the rows that pay it."""
    nodes = sum(n.paid for n in step.result.nodes if n.payout_address == account)
    own = [w for w in step.result.wallets if w.payout_address == account]
    rows = [row for row in step.result.allocations if row.account == account]
    return (
        nodes,
        sum(w.amount_eligible for w in own),
        sum(w.amount_certified for w in own),
        sum(row.adjustment for row in rows),
        sum(row.recovery_out - row.recovery_in for row in rows),
        0,
    )


small = st.tuples(*[st.integers(0, 4)] * 3, st.integers(-3, 4), st.integers(-3, 0), st.just(0))


@given(small, st.data())
def test_part_of_an_epoch__is_the_nearest_to_the_exact_proportion(
    lines: tuple[int, ...], data: st.DataObject
) -> None:
    """Of all ways to divide whole wei the one nearest to the fractions; a tie to the first line."""
    assume(sum(lines) > 1)
    amount = data.draw(st.integers(1, sum(lines) - 1))
    added = [max(line, 0) for line in lines]
    deducted = [min(line, 0) for line in lines]
    pool = amount - sum(deducted)
    exact = [Fraction(pool * weight, sum(added)) for weight in added]
    ways = [way for way in product(*(range(weight + 1) for weight in added)) if sum(way) == pool]
    nearest = max(
        ways, key=lambda way: (-sum((a - b) ** 2 for a, b in zip(way, exact, strict=True)), way)
    )
    assert part_of(lines, amount) == plus(nearest, tuple(deducted))


@given(st.integers(0, 10**30), st.lists(st.integers(0, 10**25) | st.integers(0, 3), min_size=1))
def test_shares__are_those_of_the_rules(amount: int, weights: list[int]) -> None:
    assume(any(weights))
    assert tuple(shares(amount, weights)) == apportion(amount, weights, None).amounts


def test_wei_by_wei__oldest_first() -> None:
    """Two epochs of 3 + 1 and of 2 + 2 - 1 wei: claimed one by one."""
    credits_ = [(1, (3, 1, 0, 0, 0, 0)), (2, (2, 0, 2, -1, 0, 0))]
    taken = [total(lines for _, lines in attributed(credits_, amount)) for amount in range(8)]
    assert taken == [
        (0, 0, 0, 0, 0, 0),
        (1, 0, 0, 0, 0, 0),
        (2, 0, 0, 0, 0, 0),  # 1.5 and 0.5: the tie goes to the first line
        (2, 1, 0, 0, 0, 0),  # 2.25 and 0.75
        (3, 1, 0, 0, 0, 0),
        (4, 1, 1, -1, 0, 0),  # the deduction first, then 2 of 4
        (5, 1, 1, -1, 0, 0),  # 3 of 4: again a tie
        (5, 1, 2, -1, 0, 0),
    ]


@given(claimed_seasons())
def test_balance__covers_the_oldest_epoch_of_all_payees_first(
    drawn: tuple[list[Step], dict[str, int], int],
) -> None:
    steps, claims, balance = drawn
    history = history_of(steps)
    covers, left = covered(history, claims, balance)
    held = balance
    rest = dict(covers)
    for step in steps:
        unpaid = {}
        for row in step.result.allocations:
            paid = (
                min(max(claims[row.account] - row.previous_cumulative, 0), row.epoch_amount)
                if (row.account in claims)
                else 0
            )
            if row.epoch_amount > paid:
                unpaid[row.account] = row.epoch_amount - paid
        goes = min(held, sum(unpaid.values()))
        for account, amount in unpaid.items():
            share = min(rest.get(account, 0), amount)
            assert abs(share - Fraction(goes * amount, sum(unpaid.values()))) < 1
            rest[account] = rest.get(account, 0) - share
        held -= goes
    assert held == left
    assert not any(rest.values())


# --- corners -----------------------------------------------------------------------------------


def history(*epochs: Mapping[str, Lines], before: Mapping[str, int] | None = None) -> History:
    return History(
        before or {},
        1,
        [Accrual(i, epoch, total(epoch.values())) for i, epoch in enumerate(epochs, start=1)],
    )


def test_set_off__counts_as_claimed_once_all_before_it_is() -> None:
    """Epoch 2 pays 5, all of which is taken back; epoch 3 pays 4."""
    epochs = history(
        {"a": (7, 0, 0, 0, 0, 0)}, {"a": (5, 0, 0, -8, 3, 0)}, {"a": (4, 3, 0, 0, -3, 0)}
    )
    assert standings_of(epochs, {}, None).total.claimed == NOTHING
    assert standings_of(epochs, {"a": 7}, None).total.claimed == (12, 0, 0, -8, 3, 0)
    whole = standings_of(epochs, {"a": 11}, None)
    assert whole.total.claimed == (16, 3, 0, -8, 0, 0)
    assert whole.total.open == NOTHING


@pytest.mark.parametrize(("claimed", "divided"), [(0, 0), (6, 1), (7, 0), (8, 1), (11, 0), (12, 0)])
def test_claims_within_an_epoch__are_counted(claimed: int, divided: int) -> None:
    epochs = history({"a": (7, 0, 0, 0, 0, 0)}, {"a": (0, 4, 0, 0, 0, 0)})
    assert standings_of(epochs, {"a": claimed}, None).divided == divided


def test_claimed_beyond_everything__is_left_over_for_an_identity_to_find() -> None:
    found = standings_of(history({"a": (7, 0, 0, 0, 0, 0)}), {"a": 9}, 1)
    assert found.total.claimed == (7, 0, 0, 0, 0, 0)
    assert (found.covers, found.surplus) == ({}, 1)


def test_accounts_that_never_claimed__need_no_entry() -> None:
    epochs = history({"a": (7, 0, 0, 0, 0, 0), "b": (0, 2, 0, 0, 0, 0)}, {"b": (3, 0, 0, 0, 0, 0)})
    assert covered(epochs, {}, 10) == ({"a": 7, "b": 3}, 0)
    assert covered(epochs, {"a": 7}, 3) == ({"b": 3}, 0)
    found = standings_of(epochs, {"b": 2}, 8)
    assert found.standing("a").funded == (7, 0, 0, 0, 0, 0)
    assert found.standing("b").funded == (1, 2, 0, 0, 0, 0)
    assert found.standing("nobody").funded == found.standing("nobody").open == NOTHING


def test_an_account_that_never_claimed__may_be_covered_in_part() -> None:
    found = standings_of(history({"a": (7, 0, 0, 0, 0, 0)}), {}, 3)
    assert found.standing("a").funded == (3, 0, 0, 0, 0, 0)


def test_history__ends_with_its_last_epoch_and_begins_after_what_lies_before() -> None:
    epochs = history(*[{"a": (7, 0, 0, 0, 0, 0)}] * 3, before={"a": 10})
    assert (epochs.end, epochs.until(3).end, epochs.until(1).end) == (3, 2, 0)
    later = History({"a": 10}, 5, ())
    assert later.end == 4
    assert later.credits == {"a": [(4, (0, 0, 0, 0, 0, 10))]}


def test_before_all_epochs_at_hand__is_a_line_of_its_own_and_the_oldest() -> None:
    epochs = history({"a": (7, 0, 0, 0, 0, 0)}, before={"a": 10, "b": 2})
    found = standings_of(epochs, {"a": 12}, 3)
    assert found.total.claimed == (2, 0, 0, 0, 0, 10)
    assert found.total.funded == (3, 0, 0, 0, 0, 12)
    assert standings_of(epochs, {"a": 9}, None).divided == 0  # where in it is not known
    assert len(LINES) == len(NOTHING)


@pytest.mark.parametrize(
    ("receipt", "claims"),
    [
        (Receipt("r", 1, 7, 7, 0, None), {"a": 7}),
        (Receipt("r", 2, 11, 11, 0, None), {"a": 11}),
        (Receipt("r", 2, 11, 0, 0, None), {}),
        (Receipt("r", 2, 11, 7, 0, None), None),
        (Receipt("r", 2, 11, None, None, None), None),
        (Receipt("r", 2, 11, 7, 0, {"a": 7}), {"a": 7}),
        (Receipt("r", 3, 11, 11, 0, None), None),
    ],
)
def test_claims__where_a_receipt_tells_or_leaves_no_doubt(
    receipt: Receipt, claims: dict[str, int] | None
) -> None:
    epochs = history({"a": (7, 0, 0, 0, 0, 0)}, {"a": (0, 4, 0, 0, 0, 0)})
    assert claims_of(receipt, epochs) == claims
