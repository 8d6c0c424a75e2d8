"""The laws of the rulebook, over random valid seasons. HYPOTHESIS_PROFILE=deep searches longer."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from rewards.files.epoch import compute
from rewards.files.inputs import canonical_inputs, check_inputs, read_inputs
from rewards.merkle.distribution import Distribution, Domain
from rewards.merkle.tree import root_from_proof
from rewards.rules.integers import WAD
from rewards.rules.records import EpochResult, Inputs, Pools, Status, Tier
from rewards.rules.wct1 import compute_epoch, input_problems
from tests.builders import DAY, DISTRIBUTOR
from tests.strategies import epochs, policies, seasons

if TYPE_CHECKING:
    import random

    from tests.strategies import Step

absolute = functools.partial(policies, split="absolute")
uncapped = functools.partial(policies, uncapped=True)


@given(seasons())
def test_seasons__drawn__are_valid_input(season: list[Step]) -> None:
    for step in season:
        assert list(input_problems(step.inputs, step.opening)) == []


# --- conservation ----------------------------------------------------------------------------


@given(seasons())
def test_conservation__node_pool__is_an_equality(season: list[Step]) -> None:
    for step in season:
        rows, pool = step.result.nodes, step.inputs.header.pools.nodes
        paid, withheld = sum(r.paid for r in rows), sum(r.withheld for r in rows)
        assert 0 <= paid + withheld <= pool
        (identity,) = (i for i in step.result.identities if i.name == "nodes")
        assert identity.plus["unallocated"] == pool - paid - withheld
        for row in rows:
            assert row.paid + row.withheld == row.base + row.bonus
            assert min(row.paid, row.withheld, row.debt_out, row.penalty, row.debt_in) >= 0


@given(seasons())
def test_conservation__wallet_pools__are_equalities(season: list[Step]) -> None:
    for step in season:
        rows, given_pools = step.result.wallets, step.inputs.header.pools
        for name in ("eligible", "certified"):
            pool = getattr(given_pools, f"wallets_{name}")
            paid = sum(getattr(row, f"amount_{name}") for row in rows)
            (identity,) = (i for i in step.result.identities if i.name == f"wallets_{name}")
            assert identity.plus["unallocated"] == pool - paid >= 0
            if step.inputs.policy.parameters.wallets.share_cap is None:
                taken = any(getattr(row, f"weight_{name}") for row in rows)
                assert paid == (pool if taken else 0)


@given(seasons())
def test_conservation__ledger__is_an_equality(season: list[Step]) -> None:
    for step in season:
        result = step.result
        rows = result.allocations
        assert sum(r.epoch_amount for r in rows) == (
            sum(r.paid for r in result.nodes)
            + sum(r.amount for r in result.wallets)
            + sum(a.amount for a in step.inputs.adjustments or ())
            + sum(r.recovery_out for r in rows)
            - sum(r.recovery_in for r in rows)
        )
        assert all(identity.holds for identity in result.identities)


@given(seasons())
def test_conservation__over_a_season__no_recovery_is_lost(season: list[Step]) -> None:
    # Over all epochs: what accounts hold, less what they still owe, is all that was ever given.
    given_out = sum(
        sum(r.paid for r in step.result.nodes)
        + sum(r.amount for r in step.result.wallets)
        + sum(a.amount for a in step.inputs.adjustments or ())
        for step in season
    )
    rows = season[-1].result.allocations
    assert sum(r.cumulative for r in rows) - sum(r.recovery_out for r in rows) == given_out


@given(seasons())
def test_conservation__debts__change_only_by_penalties_and_pay(season: list[Step]) -> None:
    for step in season:
        carry = step.inputs.policy.parameters.nodes.carry_debt
        for row in step.result.nodes:
            settled = row.penalty + row.debt_in - row.debt_out
            if carry or row.pay_factor == 0:
                assert settled == row.withheld
            else:
                assert row.debt_out == 0


# --- cumulative amounts ----------------------------------------------------------------------


@given(seasons(length=4))
def test_cumulative__from_epoch_to_epoch__never_falls(season: list[Step]) -> None:
    held: dict[str, int] = {}
    for step in season:
        rows = {row.account: row for row in step.result.allocations}
        assert set(held) <= set(rows)
        for account, row in rows.items():
            assert row.previous_cumulative == held.get(account, 0)
            assert row.cumulative == row.previous_cumulative + row.epoch_amount
            assert row.epoch_amount >= 0
            assert row.epoch_amount == 0 or row.recovery_out == 0
        held = {account: row.cumulative for account, row in rows.items() if row.cumulative}


@given(seasons(length=4))
def test_states__from_epoch_to_epoch__are_handed_on(season: list[Step]) -> None:
    for before, after in itertools.pairwise(season):
        for row in after.result.nodes:
            carried = before.result.closing.nodes.get(row.node_id)
            assert row.opening_status == (carried.status if carried else Status.STANDBY)
            assert row.debt_in == (carried.debt if carried else 0)
        assert set(before.result.closing.nodes) <= set(after.result.closing.nodes)


@given(seasons())
def test_lifecycle__after_every_epoch__the_roster_is_full_or_nobody_is_left(
    season: list[Step],
) -> None:
    for step in season:
        if step.inputs.nodes is None:
            continue
        rules = step.inputs.policy.parameters.nodes
        closing = [row.closing_status for row in step.result.nodes]
        active, reserved = closing.count(Status.ACTIVE), closing.count(Status.RESERVED)
        opened = sum(row.opening_status is Status.ACTIVE for row in step.result.nodes)
        assert active <= max(rules.active_target, opened)
        assert reserved == 0 or active + reserved <= rules.total_target
        moved = {t.node_id for t in step.result.transitions if t.after is Status.STANDBY}
        waiting = {r.node_id for r in step.result.nodes if r.closing_status is Status.STANDBY}
        assert waiting <= moved or active + reserved >= rules.total_target


@given(seasons())
def test_transitions__replayed__lead_from_opening_to_closing(season: list[Step]) -> None:
    for step in season:
        states = {row.node_id: row.opening_status for row in step.result.nodes}
        for move in step.result.transitions:
            assert states[move.node_id] is move.before is not move.after
            states[move.node_id] = move.after
        assert states == {row.node_id: row.closing_status for row in step.result.nodes}


# --- order and names -------------------------------------------------------------------------


def shuffled(content: bytes, random_: random.Random) -> bytes:
    """Return a canonical CSV with its rows and columns in another order."""
    lines = content.decode().splitlines()
    order = list(range(lines[0].count(",") + 1))
    random_.shuffle(order)
    rows = [[line.split(",")[i] for i in order] for line in lines]
    body = rows[1:]
    random_.shuffle(body)
    return ("\r\n".join(",".join(row) for row in [rows[0], *body])).encode()


@given(epochs(), st.randoms(use_true_random=False))
def test_order__rows_and_columns_shuffled__changes_no_byte(
    inputs: Inputs, random_: random.Random
) -> None:
    with TemporaryDirectory() as folder:
        for name, content in canonical_inputs(inputs).items():
            text = shuffled(content, random_) if name.endswith(".csv") else content
            (Path(folder) / name).write_bytes(text)
        again = check_inputs(read_inputs(Path(folder)), None)
    assert again == inputs
    assert compute(again, None).files == compute(inputs, None).files


def renamed(inputs: Inputs) -> Inputs:
    """Return the inputs with other ids in the same order."""
    nodes = {n.node_id: f"n{i:03}" for i, n in enumerate(inputs.nodes or ())}
    wallets = {w.wallet_id: f"w{i:03}" for i, w in enumerate(inputs.wallets or ())}
    return replace(
        inputs,
        nodes=inputs.nodes and tuple(replace(n, node_id=nodes[n.node_id]) for n in inputs.nodes),
        node_scores=inputs.node_scores
        and tuple(replace(s, node_id=nodes[s.node_id]) for s in inputs.node_scores),
        wallets=inputs.wallets
        and tuple(replace(w, wallet_id=wallets[w.wallet_id]) for w in inputs.wallets),
    )


@given(epochs())
def test_names__renamed_in_the_same_order__changes_no_amount(inputs: Inputs) -> None:
    one, other = compute_epoch(inputs, None), compute_epoch(renamed(inputs), None)
    assert one.allocations == other.allocations
    assert [replace(r, node_id="") for r in one.nodes] == [
        replace(r, node_id="") for r in other.nodes
    ]
    assert [replace(r, wallet_id="") for r in one.wallets] == [
        replace(r, wallet_id="") for r in other.wallets
    ]
    assert [replace(t, node_id="") for t in one.transitions] == [
        replace(t, node_id="") for t in other.transitions
    ]


# --- monotone in one's own score -------------------------------------------------------------


@given(epochs(None, absolute), st.data())
def test_monotone__own_score_rises__own_pay_never_falls_and_no_other_changes(
    inputs: Inputs, data: st.DataObject
) -> None:
    assume(inputs.node_scores)
    assert inputs.node_scores
    i = data.draw(st.integers(0, len(inputs.node_scores) - 1))
    row = inputs.node_scores[i]
    better = replace(
        row,
        uptime_seconds=data.draw(st.integers(row.uptime_seconds, DAY)),
        response_time_us=data.draw(st.integers(0, row.response_time_us)),
    )
    improved = replace(
        inputs, node_scores=(*inputs.node_scores[:i], better, *inputs.node_scores[i + 1 :])
    )
    for before, after in zip(
        compute_epoch(inputs, None).nodes, compute_epoch(improved, None).nodes, strict=True
    ):
        if before.node_id == row.node_id:
            assert (before.score or 0) <= (after.score or 0)
            assert before.paid <= after.paid
            assert before.debt_out >= after.debt_out
        else:
            assert before.paid == after.paid


@given(epochs(None, uncapped), st.data())
def test_monotone__own_activity_rises__own_amount_never_falls(
    inputs: Inputs, data: st.DataObject
) -> None:
    assume(inputs.wallets)
    assert inputs.wallets
    i = data.draw(st.integers(0, len(inputs.wallets) - 1))
    row = inputs.wallets[i]
    busier = replace(
        row,
        signatures=row.signatures + data.draw(st.integers(0, 10**6)),
        connections=row.connections + data.draw(st.integers(0, 10**6)),
        ux_score=data.draw(st.integers(row.ux_score, WAD)),
    )
    more = replace(inputs, wallets=(*inputs.wallets[:i], busier, *inputs.wallets[i + 1 :]))
    before, after = compute_epoch(inputs, None), compute_epoch(more, None)
    assert before.wallets[i].amount_eligible <= after.wallets[i].amount_eligible
    assert before.wallets[i].amount_certified <= after.wallets[i].amount_certified


# --- zero and caps ---------------------------------------------------------------------------


@given(seasons())
def test_zero__no_score_no_activity_no_pool__is_no_pay(season: list[Step]) -> None:
    for step in season:
        for row in step.result.nodes:
            if row.pay_factor == 0:
                assert row.base == row.bonus == row.penalty == row.paid == 0
            if not row.score:
                assert row.bonus == 0
        for wallet in step.result.wallets:
            if wallet.tier is Tier.INELIGIBLE or wallet.activity == 0:
                assert wallet.amount == 0
        if step.inputs.header.pools == Pools(0, 0, 0):
            assert not any(row.paid for row in step.result.nodes)
            assert not any(row.amount for row in step.result.wallets)


@given(seasons())
def test_caps__every_member__gets_at_most_its_share(season: list[Step]) -> None:
    for step in season:
        rules, given_pools = step.inputs.policy.parameters, step.inputs.header.pools
        cap = rules.wallets.share_cap
        if cap is not None:
            for row in step.result.wallets:
                assert row.amount_eligible <= given_pools.wallets_eligible * cap // WAD
                assert row.amount_certified <= given_pools.wallets_certified * cap // WAD
        cap = rules.nodes.share_cap
        if cap is not None and rules.nodes.bonus_split == "pro_rata":
            bonus_pool = given_pools.nodes - given_pools.nodes * rules.nodes.alpha // WAD
            assert all(row.bonus <= bonus_pool * cap // WAD for row in step.result.nodes)


# --- leaves ----------------------------------------------------------------------------------


def distribution_of(step: Step) -> Distribution | None:
    domain = Domain(10, DISTRIBUTOR, step.inputs.header.epoch)
    rows: EpochResult = step.result
    return Distribution.of(domain, ((r.account, r.cumulative) for r in rows.allocations))


@given(seasons())
def test_leaves__every_cumulative_amount__is_provable_and_nothing_else(season: list[Step]) -> None:
    step = season[-1]
    distribution = distribution_of(step)
    held = {row.account: row.cumulative for row in step.result.allocations if row.cumulative}
    if distribution is None:
        assert not held
        return
    assert dict(distribution.leaves) == {**held, DISTRIBUTOR: sum(held.values())}
    for account, cumulative in distribution.leaves:
        proof = distribution.proof(account)
        domain = distribution.domain
        assert root_from_proof(domain.leaf_hash(account, cumulative), proof) == distribution.root
        for altered in (
            domain.leaf_hash(account, cumulative + 1),
            domain.leaf_hash(account, cumulative - 1),
            domain.leaf_hash(account[:-1] + ("0" if account[-1] != "0" else "1"), cumulative),
            replace(domain, epoch=domain.epoch + 1).leaf_hash(account, cumulative),
            replace(domain, chain_id=domain.chain_id + 1).leaf_hash(account, cumulative),
            replace(domain, distributor=account).leaf_hash(account, cumulative)
            if account != DISTRIBUTOR
            else b"",
        ):
            assert root_from_proof(altered, proof) != distribution.root
