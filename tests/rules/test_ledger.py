from __future__ import annotations

import pytest

from rewards.rules.records import Account, Address, Allocation
from rewards.rules.wct1.ledger import Entry, allocate, is_payable, sums
from tests.builders import DISTRIBUTOR, TOKEN, address, adjustment

A, B, C = address(1), address(2), address(3)


@pytest.mark.parametrize(
    ("payee", "expected"),
    [
        pytest.param(Address("0x" + "0" * 40), False, id="zero"),
        pytest.param(Address(f"0x{1:040x}"), False, id="first precompile"),
        pytest.param(Address(f"0x{0xFFFF:040x}"), False, id="last precompile"),
        pytest.param(Address(f"0x{0x10000:040x}"), True, id="after the precompiles"),
        pytest.param(DISTRIBUTOR, False, id="distributor"),
        pytest.param(TOKEN, False, id="token"),
        pytest.param(Address("0x" + "f" * 40), True, id="last address"),
    ],
)
def test_is_payable__special_addresses__are_refused(payee: Address, expected: bool) -> None:
    assert is_payable(payee, DISTRIBUTOR, TOKEN) is expected


@pytest.mark.parametrize(
    ("earned", "owed", "epoch_amount", "recovery_out"),
    [(0, 0, 0, 0), (10, 0, 10, 0), (10, 4, 6, 0), (10, 10, 0, 0), (10, 14, 0, 4), (0, 5, 0, 5)],
)
def test_entry__earned_against_owed__pays_or_recovers_later(
    earned: int, owed: int, epoch_amount: int, recovery_out: int
) -> None:
    entry = Entry(earned, owed)
    assert (entry.epoch_amount, entry.recovery_out) == (epoch_amount, recovery_out)


def test_sums__shared_addresses__add_up() -> None:
    assert sums([(A, 1), (B, 2), (A, 3)]) == {A: 4, B: 2}


def test_allocate__node_and_wallet_of_one_address__make_one_row() -> None:
    assert allocate({A: 5}, {A: 7, B: 1}, [], {}) == (
        Allocation(A, 0, 5, 7, 0, 0, 0, 12, 12),
        Allocation(B, 0, 0, 1, 0, 0, 0, 1, 1),
    )


def test_allocate__rows__stand_in_address_order() -> None:
    rows = allocate({C: 1, A: 1}, {B: 1}, [], {})
    assert [row.account for row in rows] == [A, B, C]


def test_allocate__adjustments_of_both_signs__are_earned_and_owed() -> None:
    # Earned 10 + 3, owed 4: 9. The column is the signed sum.
    (row,) = allocate({A: 10}, {}, [adjustment(A, 3), adjustment(A, -4)], {})
    assert row == Allocation(A, 0, 10, 0, -1, 0, 0, 9, 9)


def test_allocate__adjustments_that_cancel__still_have_a_row() -> None:
    (row,) = allocate({}, {}, [adjustment(A, 3), adjustment(A, -3)], {})
    assert row == Allocation(A, 0, 0, 0, 0, 0, 0, 0, 0)


def test_allocate__correction_above_the_pay__is_recovered_over_epochs() -> None:
    # 100 are owed: 30 in the first epoch, 30 in the second, 40 of 60 in the third.
    ledger: dict[Address, Account] = {A: Account(cumulative=500)}
    expected = [(0, 500, 70), (0, 500, 40), (20, 520, 0)]
    for paid, corrections, (amount, cumulative, left) in zip(
        (30, 30, 60), ([adjustment(A, -100)], [], []), expected, strict=True
    ):
        (row,) = allocate({A: paid}, {}, corrections, ledger)
        assert (row.epoch_amount, row.cumulative, row.recovery_out) == (amount, cumulative, left)
        ledger = {A: Account(row.cumulative, row.recovery_out)}


def test_allocate__recovery_of_an_absent_payee__is_kept() -> None:
    (row,) = allocate({}, {}, [], {A: Account(0, 9)})
    assert row == Allocation(A, 0, 0, 0, 0, 9, 9, 0, 0)


def test_allocate__positive_adjustment__pays_off_a_recovery_first() -> None:
    (row,) = allocate({}, {}, [adjustment(A, 10)], {A: Account(5, 8)})
    assert row == Allocation(A, 5, 0, 0, 10, 8, 0, 2, 7)


def test_allocate__nothing_earned_owed_or_held__has_no_row() -> None:
    assert allocate({A: 0}, {B: 0}, [adjustment(C, 0)], {}) == ()


def test_allocate__earlier_cumulative_amount__keeps_its_row() -> None:
    assert allocate({}, {}, [], {A: Account(5)}) == (Allocation(A, 5, 0, 0, 0, 0, 0, 0, 5),)
