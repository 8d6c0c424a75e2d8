"""A change of contract changes nobody's amount: random seasons, gone on with and taken over."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rewards.chain.embedded import EmbeddedChain
from rewards.errors import CheckFailed
from rewards.files.epoch import compute_folder, publish_epoch
from rewards.files.inputs import canonical_inputs, read_inputs
from rewards.files.publish import publish, write_file
from rewards.files.season import Season
from rewards.rules.records import Address, Pools, Status, Window
from rewards.settling.succession import Retired, succeed
from tests.builders import DAY, START, address, header, node, policy, score, settlement, wallet
from tests.plan.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.files.published import PublishedEpoch
    from rewards.rules.records import Inputs
    from rewards.settling.succession import Succession

ACCOUNTS = [address(number) for number in range(1, 9)]
NODES = ("n1", "n2", "n3")
LAST = 2
NEW = replace(settlement(), distributor=Address("0x" + "ee" * 20))


def season_in(folder: Path) -> World:
    """A season without a chain."""
    world = World(EmbeddedChain.__new__(EmbeddedChain), folder, None)  # type: ignore[arg-type]
    world.target = settlement()
    write_file(folder / "rewards.toml", b'format = "wct-season-1"\nname = "a season"\n')
    world.season = Season.open(folder)
    return world


def random_inputs(dice: random.Random, world: World, epoch: int, *, debts: bool) -> Inputs:
    """Adjustments either way, wallets, and nodes that are often down and then owe a penalty."""
    start = START + (epoch - 1) * DAY
    amounts = {a: dice.randint(-300, 300) for a in ACCOUNTS if dice.random() < 0.6}
    made = world.inputs_of(epoch, amounts)
    rules = {"nodes.active_target": 2, "nodes.total_target": 3, "nodes.weighting": "equal"}
    wallets = tuple(
        wallet(f"w{i}", payout=account, signatures=100_001 + dice.randint(0, 10**6))
        for i, account in enumerate(ACCOUNTS[:4])
        if dice.random() < 0.5
    )
    # Addresses of their own: the rest of a node's debt is owed by the address, not by the node.
    payouts = ACCOUNTS[5:] if debts else ACCOUNTS[:3]
    status = {"n1": Status.ACTIVE, "n2": Status.ACTIVE, "n3": Status.RESERVED}
    return replace(
        made,
        header=header(
            epoch=epoch,
            genesis=epoch == 1,
            window=Window(start, start + DAY),
            pools=Pools(dice.randint(0, 500), 200 if wallets else 0, 0),
        ),
        policy=policy({**rules, "nodes.penalty_rate": (9 if debts else 0) * 10**18}),
        wallets=wallets or None,
        nodes=tuple(
            node(name, payout=payout, status=status[name] if epoch == 1 else None)
            for name, payout in zip(NODES, payouts, strict=True)
        ),
        node_scores=tuple(score(name, uptime=dice.choice([0, DAY // 2, DAY])) for name in NODES),
    )


def publish_as(world: World, epoch: int, made: Inputs) -> PublishedEpoch:
    publish(world.season.inputs(epoch), canonical_inputs(made))
    previous = world.season.previous(epoch)
    computed = compute_folder(world.season.inputs(epoch), previous)
    publish_epoch(computed, world.season.epoch(epoch))
    return world.published(epoch)


def with_scores(made: Inputs, before: PublishedEpoch) -> Inputs:
    """Return inputs with scores for the nodes in service alone, as the rules ask for."""
    states = before.opening_for_successor().state.nodes
    serving = {n for n, s in states.items() if s.status in (Status.ACTIVE, Status.RESERVED)}
    return replace(
        made, node_scores=tuple(row for row in made.node_scores or () if row.node_id in serving)
    )


def cumulative(epoch: PublishedEpoch) -> dict[str, int]:
    return {row.account: row.cumulative for row in epoch.allocations if row.cumulative}


def taken_over(
    tmp_path: Path, seed: int, *, debts: bool
) -> tuple[World, World, Retired, Succession]:
    """An old season that goes on with one more epoch, and a new one that takes over instead."""
    dice = random.Random(seed)
    old, new = season_in(tmp_path / "old"), season_in(tmp_path / "new")
    new.target = NEW
    last = publish_as(old, 1, random_inputs(dice, old, 1, debts=debts))
    for epoch in range(2, LAST + 1):
        last = publish_as(
            old, epoch, with_scores(random_inputs(dice, old, epoch, debts=debts), last)
        )
    held = cumulative(last)
    claimed = {a: dice.choice([0, amount, dice.randint(0, amount)]) for a, amount in held.items()}
    retired = Retired(old.target.distributor, claimed)
    following = with_scores(random_inputs(dice, old, LAST + 1, debts=debts), last)
    publish_as(old, LAST + 1, following)
    made = succeed(old.season.inputs(LAST + 1), last, retired, NEW, "council 42")
    publish_as(new, LAST + 1, made.inputs)
    return old, new, retired, made


def owed_there(old: World, retired: Retired, epoch: int) -> dict[str, int]:
    """Return what the old contract would still have owed after an epoch."""
    amounts = cumulative(old.published(epoch))
    owed = {
        account: amount - retired.claimed.get(account, 0) for account, amount in amounts.items()
    }
    return {account: amount for account, amount in owed.items() if amount}


@pytest.mark.parametrize("debts", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_first_epoch__owes_what_the_old_contract_would_have(
    tmp_path: Path, seed: int, debts: bool
) -> None:
    old, new, retired, _ = taken_over(tmp_path, seed, debts=debts)
    assert cumulative(new.published(LAST + 1)) == owed_there(old, retired, LAST + 1)


@pytest.mark.parametrize("seed", range(12))
def test_epoch_after_it__too_with_what_is_carried(tmp_path: Path, seed: int) -> None:
    old, new, retired, made = taken_over(tmp_path, seed, debts=False)
    assert made.carried or seed, "some seeds carry something"
    epoch = LAST + 2
    dice = random.Random(1000 + seed)
    base = replace(random_inputs(dice, old, epoch, debts=False), nodes=None, node_scores=None)
    base = replace(base, header=replace(base.header, pools=replace(base.header.pools, nodes=0)))
    publish_as(old, epoch, base)
    rows = (*(base.adjustments or ()), *made.carried)
    publish_as(new, epoch, replace(base, settlement=NEW, adjustments=rows))
    assert cumulative(new.published(epoch)) == owed_there(old, retired, epoch)
    # And what is then still to be recovered is the same as well.
    open_there = {r.account: r.recovery_out for r in old.published(epoch).allocations}
    open_here = {r.account: r.recovery_out for r in new.published(epoch).allocations}
    assert {a: r for a, r in open_here.items() if r} == {a: r for a, r in open_there.items() if r}


def test_nodes_debts__are_left_over_to_the_last_unit(tmp_path: Path) -> None:
    """Not recovered twice, not forgiven: what is open here is what is open there."""

    def still_open(epoch: PublishedEpoch) -> int:
        opening = epoch.opening_for_successor()
        debts = sum(node.debt for node in opening.state.nodes.values())
        return debts + sum(account.recovery for account in opening.ledger.values())

    reasons = []
    for seed in range(12):
        old, new, _, made = taken_over(tmp_path / str(seed), seed, debts=True)
        carried = -sum(row.amount for row in made.carried)
        here, there = still_open(new.published(LAST + 1)), still_open(old.published(LAST + 1))
        assert here + carried == there
        reasons += [row.reason for row in made.carried]
    assert any("debt of node" in reason for reason in reasons)


def test_account_that_was_paid_too_much__stops_it(tmp_path: Path) -> None:
    old, _, retired, _ = taken_over(tmp_path, 1, debts=False)
    last = old.published(LAST)
    account, amount = next(iter(cumulative(last).items()))
    wrong = Retired(retired.address, {**retired.claimed, account: amount + 1})
    with pytest.raises(CheckFailed, match="more than its cumulative amount"):
        succeed(old.season.inputs(LAST + 1), last, wrong, NEW, "council 42")


def test_inputs_of_the_first_epoch__hold_the_operators_own_rows_untouched(tmp_path: Path) -> None:
    old, new, _, _ = taken_over(tmp_path, 3, debts=False)
    own = read_inputs(old.season.inputs(LAST + 1)).inputs
    made = read_inputs(new.season.inputs(LAST + 1)).inputs
    assert own
    assert made
    assert set(own.adjustments or ()) <= set(made.adjustments or ())
