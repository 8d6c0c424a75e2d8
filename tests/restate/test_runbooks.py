"""Every runbook of the README, rehearsed on the embedded chain from the trouble to its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rewards.audit.verify import verify_epoch
from rewards.chain.accounts import developer_account
from rewards.chain.agreement import Sight
from rewards.chain.contract import DISTRIBUTOR, interface
from rewards.chain.distributor import ProposalStatus, Role
from rewards.chain.embedded import DEVELOPER_KEYS, EmbeddedChain
from rewards.chain.endpoint import Call
from rewards.chain.errors import Reverted
from rewards.chain.sender import Sender
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.epoch import compute_folder, publish_epoch
from rewards.files.inputs import canonical_inputs, read_inputs
from rewards.files.publish import publish, write_file
from rewards.settling.gate import Request
from rewards.settling.history import within
from rewards.settling.onchain import read_contract
from rewards.settling.plans import Limits, Planner
from rewards.settling.restate import restate
from rewards.settling.succession import read_retired, succeed
from tests.builders import DAY, START, address, header, inputs, node, policy, score
from tests.plan.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.chain.plan_file import Plan
    from rewards.files.published import PublishedEpoch
    from rewards.rules.records import Policy, Window

ANN, BEN, EVE = address(1), address(2), address(3)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Epoch 1 is settled and claimed; epoch 2 is published and funded."""
    world = World.create(EmbeddedChain(), tmp_path / "season")
    world.publish(1, {ANN: 700, BEN: 300})
    world.settle(1)
    world.claim(1)
    world.publish(2, {ANN: 10, BEN: 20})
    world.fund(30)
    return world


def sight(world: World) -> Sight:
    return Sight.at_final_block([world.endpoint], world.target.chain_id)


def planner(world: World) -> Planner:
    return Planner(sight(world), world.target.distributor, Limits())


def proposal(world: World, published: PublishedEpoch) -> Plan:
    request = Request(published, within(world.season), world.me)
    return planner(world).propose(request).plan


def send(world: World, plan: Plan, sender: Sender | None = None) -> None:
    for call in plan.calls:
        (sender or world.sender).send(Call(call.to, call.data))


def propose_and_activate(world: World, epoch: int) -> None:
    send(world, proposal(world, world.published(epoch)))
    world.endpoint.wait_until(world.distributor.pending().activatable_at)
    send(world, planner(world).activate(world.published(epoch)).plan)


def change(world: World, name: str, *values: str) -> None:
    """Make an admin's change as planned: announced, waited for, made."""
    send(world, planner(world).change("schedule", name, values).plan)
    world.endpoint.wait_until(world.endpoint.block().timestamp + 3)
    send(world, planner(world).change("configure", name, values).plan)


def correct(world: World, epoch: int, old: bytes, new: bytes) -> None:
    path = world.season.inputs(epoch) / "adjustments.csv"
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


# --- wrong scores, a vetoed week -------------------------------------------------------------


def test_vetoed_week__is_restated_and_proposed_as_the_next_attempt(world: World) -> None:
    world.publish(3, {EVE: 7})
    world.fund(7)
    send(world, proposal(world, world.published(3)))
    correct(world, 2, b",20,", b",19,")
    contract = read_contract(sight(world), world.target.distributor)
    with pytest.raises(CheckFailed, match="vetoed first"):
        restate(world.season, 2, "wrong scores", 0, contract)
    send(world, planner(world).veto("wrong scores in epoch 2", None, None).plan)
    contract = read_contract(sight(world), world.target.distributor)
    assert contract.pending.status is ProposalStatus.VETOED
    restated = restate(world.season, 2, "wrong scores", 0, contract)
    assert [one.epoch for one in restated] == [2, 3]
    plan = proposal(world, world.published(3))
    assert plan.totals["attempt"] == 2
    assert (plan.epochs.first, plan.epochs.last) == (2, 3)  # type: ignore[union-attr]
    send(world, plan)
    world.activate(3)
    world.claim(3)
    assert [world.token.balance(a) for a in (ANN, BEN, EVE)] == [710, 319, 7]


def test_wrong_scores_in_an_activated_epoch__are_corrected_by_adjustments(world: World) -> None:
    propose_and_activate(world, 2)
    correct(world, 2, b",20,", b",5,")
    contract = read_contract(sight(world), world.target.distributor)
    with pytest.raises(CheckFailed, match=r"adjustments\.csv"):
        restate(world.season, 2, "too late", 0, contract)
    correct(world, 2, b",5,", b",20,")
    # BEN got 15 too many: they are taken from what it gets next, over two epochs.
    world.publish(3, {BEN: -15, ANN: 1})
    world.publish(4, {BEN: 40})
    (ann, ben) = (row for row in world.published(3).allocations if row.account in (ANN, BEN))
    assert (ann.epoch_amount, ben.epoch_amount, ben.recovery_out) == (1, 0, 15)
    world.fund(26)
    propose_and_activate(world, 4)
    world.claim(4)
    assert [world.token.balance(a) for a in (ANN, BEN)] == [711, 300 + 20 + 25]


# --- a lost key ------------------------------------------------------------------------------


def test_lost_proposer_key__is_revoked_at_once_and_replaced_after_the_delay(world: World) -> None:
    other = Sender(world.endpoint, developer_account(DEVELOPER_KEYS[1]), world.target.chain_id)
    revoked = planner(world).change("configure", "setProposer", (world.me, "false")).plan
    send(world, revoked)  # tightening: nothing to wait for
    with pytest.raises(CheckFailed) as caught:
        proposal(world, world.published(2))
    assert "gate: sender" in {finding.file for finding in caught.value.findings}
    grant = (other.address, "true")
    unannounced = planner(world).change("configure", "setProposer", grant).plan
    with pytest.raises(Reverted, match="NotScheduled"):
        send(world, unannounced)
    change(world, "setProposer", *grant)
    assert world.distributor.has_role(Role.PROPOSER, other.address)
    request = Request(world.published(2), within(world.season), other.address)
    send(world, planner(world).propose(request).plan, other)
    world.activate(2)
    assert world.distributor.active().epoch == 2


@pytest.mark.parametrize(("name", "role"), [("setAttester", 1), ("setGuardian", 2)])
def test_lost_attester_or_guardian__is_replaced(world: World, name: str, role: int) -> None:
    old = {1: world.config(world.target.token).attesters[0], 2: "0x" + "99" * 20}[role]
    if role == Role.ATTESTER:  # fewer attesters is tightening, a new one is loosening
        send(world, planner(world).change("configure", name, (old, "false")).plan)
        change(world, name, EVE, "true")
    else:  # the other way about
        send(world, planner(world).change("configure", name, (EVE, "true")).plan)
        change(world, name, old, "false")
    assert not world.distributor.has_role(Role(role), old)
    assert world.distributor.has_role(Role(role), EVE)


def test_admin__is_handed_over_in_two_steps(world: World) -> None:
    heir = Sender(world.endpoint, developer_account(DEVELOPER_KEYS[3]), world.target.chain_id)
    change(world, "transferAdmin", heir.address)
    assert world.distributor.settings().admin == world.me
    send(world, planner(world).change("configure", "acceptAdmin", ()).plan, heir)
    assert world.distributor.settings().admin == heir.address


# --- a changed payout address ----------------------------------------------------------------


def test_changed_payout_address__moves_new_pay_and_leaves_the_old_claimable(world: World) -> None:
    propose_and_activate(world, 2)  # BEN has 20 unclaimed on the old address
    world.publish(3, {EVE: 40})  # from now on the node's registry names EVE
    world.fund(40)
    propose_and_activate(world, 3)
    world.claim(3)
    assert [world.token.balance(a) for a in (BEN, EVE)] == [320, 40]


def test_owner_of_the_old_address__may_redirect_it_without_anybody(world: World) -> None:
    owner = Sender(world.endpoint, developer_account(DEVELOPER_KEYS[2]), world.target.chain_id)
    world.publish(3, {owner.address: 8})  # type: ignore[dict-item]
    world.fund(8)
    propose_and_activate(world, 3)
    owner.send(interface(DISTRIBUTOR).call(world.target.distributor, "setRecipient", EVE))
    world.claim(3)
    assert (world.token.balance(owner.address), world.token.balance(EVE)) == (0, 8)


# --- a new ruleset by vote -------------------------------------------------------------------


def test_new_policy_by_vote__holds_from_its_first_epoch_and_not_before(world: World) -> None:
    def voted(first_epoch: int) -> Policy:
        made = policy({"nodes.alpha": 10**17}, first_epoch=first_epoch)
        return replace(
            made, approval="vote 42", canonical={**made.canonical, "approval": "vote 42"}
        )

    too_early = world.inputs_of(3, {ANN: 1}, policy=voted(4))
    publish(world.season.inputs(3), canonical_inputs(too_early))
    with pytest.raises(InvalidInput, match="first_epoch"):
        compute_folder(world.season.inputs(3), world.season.epoch(2))
    for name, content in canonical_inputs(world.inputs_of(3, {ANN: 1}, policy=voted(3))).items():
        write_file(world.season.inputs(3) / name, content)
    publish_epoch(
        compute_folder(world.season.inputs(3), world.season.epoch(2)), world.season.epoch(3)
    )
    world.fund(1)
    propose_and_activate(world, 3)
    for epoch in (1, 2, 3):  # every old epoch still recomputes under its own
        assert verify_epoch(world.season.epoch(epoch), world.season.previous(epoch)) == []


# --- a new contract --------------------------------------------------------------------------


def nodes_inputs(world: World, epoch: int, *, confined: bool = False) -> None:
    """Write an epoch with two nodes; `n1` is down in the first, and owes a penalty."""
    start = START + (epoch - 1) * DAY
    from rewards.rules.records import Pools, Status, Window

    head = header(
        epoch=epoch,
        genesis=epoch == 1,
        window=Window(start, start + DAY),
        pools=Pools(1000, 0, 0),
    )
    active = Status.ACTIVE if epoch == 1 else None
    rules = policy(
        {
            "nodes.active_target": 2,
            "nodes.total_target": 2,
            "nodes.penalty_rate": 10 * 10**18,
            "nodes.weighting": "equal",
        }
    )
    made = inputs(
        head=head,
        rules=rules,
        target=world.target,
        nodes=(
            node("n1", payout=ANN, status=active),
            node("n2", payout=BEN, status=active),
        ),
        node_scores=() if epoch > 1 and not confined else (score("n1", uptime=0), score("n2")),
    )
    publish(world.season.inputs(epoch), canonical_inputs(made))


def test_new_contract__nobody_is_paid_twice_and_nobody_loses(tmp_path: Path) -> None:
    chain = EmbeddedChain()
    old = World.create(chain, tmp_path / "old")
    old.publish(1, {ANN: 700, BEN: 300, EVE: 50})
    old.settle(1)
    old.claim(1, ANN)
    # Published, never activated: BEN owes 120, EVE earned 5; both are carried as well.
    old.publish(2, {BEN: -120, EVE: 5})
    following = tmp_path / "next"
    publish(following, canonical_inputs(old.inputs_of(3, {ANN: 11, BEN: 30})))
    with pytest.raises(CheckFailed, match="is not retired"):
        read_retired(sight(old), old.season, old.published(2))

    change_retire(old)
    with pytest.raises(Reverted, match="AlreadyRetired"):
        old.claim(1, BEN)
    released = planner(old).sweep(old.target.token, old.me).plan
    assert released.totals["amount"] == 350  # all that was unclaimed, to fund the successor
    send(old, released)

    new = World.create(chain, tmp_path / "new", token=old.target.token, initial_epoch=2)
    retired = read_retired(sight(old), old.season, old.published(2))
    made = succeed(following, old.published(2), retired, new.target, "council 42")
    assert (made.taken_over, made.recovered) == (355, 120)
    publish(new.season.inputs(3), canonical_inputs(made.inputs))
    publish_epoch(compute_folder(new.season.inputs(3), None), new.season.epoch(3))
    owed = {row.account: row.cumulative for row in new.published(3).allocations}
    assert owed == {ANN: 11, BEN: 300 - 120 + 30, EVE: 55}
    total = sum(owed.values())
    new.send(new.token.transfer(new.target.distributor, min(total, 350)))
    request = Request(new.published(3), within(new.season), new.me)
    plan = planner(new).propose(request).plan
    assert (plan.totals["rise"], plan.previous_manifest_hash) == (total, None)
    send(new, plan)
    new.activate(3)
    new.claim(3)
    # Each has all that it ever earned, once, less what it owed.
    balances = [new.token.balance(a) for a in (ANN, BEN, EVE)]
    assert balances == [700 + 11, 300 + 30 - 120, 50 + 5]
    assert new.distributor.active().outstanding == 0


def change_retire(world: World) -> None:
    send(world, planner(world).change("schedule", "retire", ()).plan)
    world.endpoint.wait_until(world.endpoint.block().timestamp + 3)
    send(world, planner(world).change("retire", "retire", ()).plan)
    assert world.distributor.settings().retired


def test_new_contract__is_not_started_beside_a_living_one(world: World, tmp_path: Path) -> None:
    publish(tmp_path / "next", canonical_inputs(world.inputs_of(3, {ANN: 1})))
    change_retire(world)
    last = world.published(2)
    retired = read_retired(sight(world), world.season, last)
    with pytest.raises(InvalidInput, match="names the old contract"):
        succeed(tmp_path / "next", last, retired, world.target, "council 42")
    # The wrong epoch's inputs are refused by the rules of any successor.
    publish(tmp_path / "later", canonical_inputs(world.inputs_of(4, {ANN: 1})))
    other = replace(world.target, distributor=EVE)
    with pytest.raises(InvalidInput):
        succeed(tmp_path / "later", last, retired, other, "council 42")


def test_new_contract__carries_the_nodes_states_and_debts(tmp_path: Path) -> None:
    chain = EmbeddedChain()
    old = World.create(chain, tmp_path / "old")
    nodes_inputs(old, 1)
    publish_epoch(compute_folder(old.season.inputs(1), None), old.season.epoch(1))
    old.settle(1)
    change_retire(old)
    closing = old.published(1).opening_for_successor().state.nodes
    assert (closing["n1"].status, closing["n2"].status) == ("confined", "active")
    assert closing["n1"].debt > 0
    head = header(epoch=2, genesis=False, window=window_of(2))
    rules = read_inputs(old.season.inputs(1)).inputs
    assert rules
    following = replace(
        rules,
        header=head,
        nodes=(node("n1", payout=ANN), node("n2", payout=BEN)),
        node_scores=(score("n2"),),
    )
    publish(tmp_path / "next", canonical_inputs(following))
    new = World.create(chain, tmp_path / "new", token=old.target.token, initial_epoch=1)
    retired = read_retired(sight(old), old.season, old.published(1))
    made = succeed(tmp_path / "next", old.published(1), retired, new.target, "council 42")
    assert made.recovered == closing["n1"].debt
    assert "n1 was confined" in made.notes[0]
    publish(new.season.inputs(2), canonical_inputs(made.inputs))
    epoch = compute_folder(new.season.inputs(2), None)
    publish_epoch(epoch, new.season.epoch(2))
    assert {n.node_id: str(n.opening_status) for n in epoch.result.nodes} == {
        "n1": "standby",
        "n2": "active",
    }
    assert verify_epoch(new.season.epoch(2)) == []


def window_of(epoch: int) -> Window:
    from rewards.rules.records import Window

    return Window(START + (epoch - 1) * DAY, START + epoch * DAY)
