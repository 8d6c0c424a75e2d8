"""The division of a pool, explained from the weights alone: caps, floors, every last unit."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rewards.audit.explain.derivation import Derivation, PublishedColumn
from rewards.audit.explain.wct1.sharing import apportioned
from rewards.rules.integers import WAD
from rewards.rules.wct1.apportion import apportion
from tests.audit.test_explain import evaluate

GIVEN = {"pool", "cap", "WAD", "w", "weights", "position"}
"""What a step may take from outside: the epoch's numbers, the member's own, a published column."""


def explained(pool: int, weights: list[int], cap: int | None, member: int) -> Derivation:
    own = Derivation("wallet", "w")
    divided = apportion(pool, weights, cap)
    column = PublishedColumn("wallets.csv", "weight_eligible", weights)
    amount = divided.amounts[member]
    own.amount = apportioned(own, "amount", divided, pool, cap, column, member, amount, "5")
    return own


def require_derived(own: Derivation) -> None:
    """Require that nothing is taken for granted but GIVEN, and evaluate every step anew."""
    values: dict[str, int | str] = {}
    for step in own.steps:
        names: dict[str, Any] = {}
        for name, value in step.inputs.items():
            if name not in GIVEN:
                assert values[name] == value, f"{step.symbol} takes {name} from nowhere"
            names[name] = list(value.values) if isinstance(value, PublishedColumn) else value
        assert step.when is None or evaluate(step.when, names)
        assert evaluate(step.formula, names) == step.value
        values[step.symbol] = step.value


@given(
    pool=st.integers(0, 200),
    weights=st.lists(st.sampled_from([0, 1, 1, 2, 3, 5, 8, 40]), min_size=1, max_size=8),
    cap=st.none() | st.integers(1, 8).map(lambda parts: WAD // parts) | st.integers(1, WAD),
)
def test_every_member__derived_to_the_last_unit(
    pool: int, weights: list[int], cap: int | None
) -> None:
    owns = [explained(pool, weights, cap, member) for member in range(len(weights))]
    for own in owns:
        require_derived(own)
    assert tuple(own.amount for own in owns) == apportion(pool, weights, cap).amounts


def test_equal_remainders__the_unit_goes_in_id_order__and_the_steps_say_so() -> None:
    owns = [explained(100, [7, 7, 7], None, member) for member in range(3)]
    assert [own.amount for own in owns] == [34, 33, 33]
    one = next(step for step in owns[1].steps if step.symbol == "one")
    assert one.when == "r == last_r and position > last_position"
    assert one.inputs["last_position"] == 0


def test_two_rounds_of_the_cap__each_is_told() -> None:
    # 40 % each: the first leaves at once, the second when the first has left.
    own = explained(100, [80, 45, 10, 10], 4 * WAD // 10, 2)
    assert [step.value for step in own.steps if step.symbol == "left"] == [1, 2, 2]
    assert own.amount == 10
