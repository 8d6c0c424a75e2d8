"""Every runbook of the README, walked with its commands on a real node, from trouble to end."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rewards.chain.accounts import developer_account
from rewards.chain.contract import DISTRIBUTOR, interface
from rewards.chain.deployment import Deployment, deploy_toml
from rewards.chain.distributor import Distributor, Role
from rewards.chain.network import JsonRpc
from rewards.chain.plan import EpochRange
from rewards.chain.plan_file import parse_plan
from rewards.chain.sender import Sender
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.inputs import canonical_inputs, read_inputs
from rewards.files.publish import publish, write_file
from rewards.rules.records import Address, Pools, Status, Window
from tests.builders import DAY, START, address, header, node, policy, score, wallet
from tests.chain.anvil import KEY, OTHER_KEY, Anvil, running
from tests.commands import refused, run
from tests.plan.operator import PASSWORD, Operator, failed
from tests.plan.world import ATTESTERS, DELAY, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rewards.rules.records import Inputs

ANN, BEN, EVE = address(1), address(2), address(3)
THIRD_KEY = bytes.fromhex("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a")
"""Another of anvil's own developer accounts."""
SECOND_GUARDIAN = "0x" + "99" * 20
CHANGE_DELAY = 2


@pytest.fixture(scope="module")
def chain() -> Iterator[Anvil]:
    with running() as node:
        yield node


class Keeper(Operator):
    """An operator who settles a season, whose proposals need one attestation."""

    @property
    def contract(self) -> Distributor:
        return self.world.distributor

    def person(self, key: bytes) -> Sender:
        """Return somebody else with an account on the chain."""
        return Sender(self.world.endpoint, developer_account(key), self.world.target.chain_id)

    def balance(self, *accounts: str) -> list[int]:
        return [self.world.token.balance(account) for account in accounts]

    def correct(self, epoch: int, old: str, new: str, name: str = "adjustments.csv") -> None:
        """Edit an input file by hand."""
        path = self.world.season.inputs(epoch) / name
        text = path.read_text()
        assert text.count(old) == 1, text
        path.write_text(text.replace(old, new))

    def compute(self, epoch: int, amounts: Mapping[Any, int], **changes: object) -> None:
        """Write the inputs of an epoch and compute it."""
        made = self.world.inputs_of(epoch, amounts, **changes)
        publish(self.world.season.inputs(epoch), canonical_inputs(made))
        assert run("compute", "--season", self.world.folder)["epoch"] == str(epoch)

    def propose(self, epoch: int) -> None:
        """Fund, attest, plan and send a proposal."""
        words = ("--action", "propose", epoch, "--sender", self.world.me)
        self.does(*words, *self.attest(epoch, 0))

    def fund(self, epoch: int) -> None:
        """Send what is missing for an epoch."""
        total = self.world.published(epoch).manifest.cumulative_total
        self.world.send(self.world.token.mint(self.world.me, total))
        self.does("--action", "fund", epoch, "--sender", self.world.me)

    def activate(self, epoch: int) -> None:
        self.travel(DELAY)
        self.does("--action", "activate", epoch)

    def settle(self, epoch: int) -> None:
        self.fund(epoch)
        self.propose(epoch)
        self.activate(epoch)

    def claim_all(self, epoch: int) -> None:
        self.does("--action", "claim_many", epoch, "--sender", self.world.me)

    def change(self, name: str, *values: str) -> None:
        """Make a loosening change: announce it, wait, make it."""
        words = ["--change", name, *(word for value in values for word in ("--with", value))]
        self.does("--action", "schedule", *words)
        self.travel(CHANGE_DELAY + 1)
        self.does("--action", "configure", *words)

    def tighten(self, name: str, *values: str) -> None:
        words = [word for value in values for word in ("--with", value)]
        self.does("--action", "configure", "--change", name, *words)


@pytest.fixture
def keeper(chain: Anvil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    """Epoch 1 is settled and claimed; epoch 2 is published and funded."""
    monkeypatch.setenv("REWARDS_KEYSTORE_PASSWORD", PASSWORD)
    (tmp_path / "files").mkdir()
    endpoint = JsonRpc(chain.url)
    world = World.create(
        endpoint,
        tmp_path / "season",
        key=KEY,
        threshold=1,
        change_delay=CHANGE_DELAY,
        guardians=tuple(sorted((developer(KEY), SECOND_GUARDIAN))),
    )
    keeper = Keeper(chain, world, tmp_path / "files")
    keeper.compute(1, {ANN: 700, BEN: 300})
    keeper.settle(1)
    keeper.claim_all(1)
    keeper.compute(2, {ANN: 10, BEN: 20})
    keeper.fund(2)
    yield keeper
    endpoint.close()


def developer(key: bytes) -> str:
    return str(developer_account(key).address).lower()


def restate(keeper: Keeper, first: int, reason: str) -> tuple[object, ...]:
    return ("restate", "--from", first, "--reason", reason, *keeper.place)


# --- wrong scores, not activated; a vetoed week ----------------------------------------------


def test_wrong_scores_not_activated__are_vetoed_restated_and_proposed_again(
    keeper: Keeper,
) -> None:
    before = keeper.balance(ANN, BEN, EVE)
    keeper.compute(3, {EVE: 7})
    keeper.fund(3)
    old = keeper.attest(3, 0)
    keeper.does("--action", "propose", 3, "--sender", keeper.world.me, *old)
    keeper.correct(2, ",20,", ",19,")
    pending = refused(*restate(keeper, 2, "wrong scores"))
    assert isinstance(pending, CheckFailed)
    assert "vetoed first" in str(pending)

    keeper.does("--action", "veto", "--reason", "wrong scores in epoch 2")
    restated = run(*restate(keeper, 2, "wrong scores"))["restated"]
    assert [one["epoch"] for one in restated] == ["2", "3"]
    run("verify", "--season", keeper.world.folder)
    # What was attested before is of no use; the attempt comes from the chain.
    words = ("--action", "propose", 3, "--sender", keeper.world.me)
    assert "attestations" in failed(keeper.plan(*words, *old, ok=False))
    plan = keeper.does(*words, *keeper.attest(3, 1))
    assert plan.totals["attempt"] == 2
    assert plan.epochs == EpochRange(2, 3)
    keeper.activate(3)
    keeper.claim_all(3)
    assert keeper.balance(ANN, BEN, EVE) == [before[0] + 10, before[1] + 19, before[2] + 7]


def test_vetoed_week_that_was_right__is_planned_again_from_the_same_folder(
    keeper: Keeper,
) -> None:
    keeper.propose(2)
    keeper.does("--action", "veto", "--reason", "a wrong alarm")
    published = keeper.world.published(2).manifest.hash
    keeper.propose(2)
    assert keeper.contract.pending().attempt == 2
    keeper.activate(2)
    assert "0x" + keeper.contract.active().manifest_hash.hex() == published


# --- wrong scores, activated -----------------------------------------------------------------


def test_wrong_scores_activated__are_corrected_by_adjustments(keeper: Keeper) -> None:
    keeper.propose(2)
    keeper.activate(2)
    keeper.correct(2, ",20,", ",5,")
    settled = refused(*restate(keeper, 2, "too late"))
    assert isinstance(settled, CheckFailed)
    assert "adjustments.csv" in str(settled)
    keeper.correct(2, ",5,", ",20,")
    # BEN got 15 too many: they are taken from what it gets next, over two epochs.
    keeper.compute(3, {BEN: -15, ANN: 1})
    keeper.compute(4, {BEN: 40})
    (ben,) = (row for row in keeper.world.published(3).allocations if row.account == BEN)
    assert (ben.epoch_amount, ben.recovery_out) == (0, 15)
    keeper.settle(4)
    keeper.claim_all(4)
    assert keeper.balance(ANN, BEN) == [711, 300 + 20 + 25]


# --- a lost key ------------------------------------------------------------------------------


def test_lost_proposer_key__is_revoked_at_once_and_replaced_after_the_delay(
    keeper: Keeper,
) -> None:
    other = keeper.person(OTHER_KEY)
    keeper.tighten("setProposer", keeper.world.me, "false")
    signed = keeper.attest(2, 0)
    lost = keeper.plan("--action", "propose", 2, "--sender", keeper.world.me, *signed, ok=False)
    assert "sender" in failed(lost)
    keeper.change("setProposer", other.address, "true")
    assert keeper.contract.has_role(Role.PROPOSER, other.address)
    keeper.does("--action", "propose", 2, "--sender", other.address, *signed, sender=other)
    keeper.activate(2)
    assert keeper.contract.active().epoch == 2


def test_lost_attester_key__is_revoked_at_once_and_replaced_after_the_delay(
    keeper: Keeper,
) -> None:
    lost, other = ATTESTERS[0].address.lower(), EVE
    signed = keeper.attest(2, 0)
    keeper.tighten("setAttester", lost, "false")
    keeper.change("setAttester", other, "true")
    words = ("--action", "propose", 2, "--sender", keeper.world.me)
    assert "attestations" in failed(keeper.plan(*words, *signed, ok=False))
    keeper.does(*words, *keeper.attest(2, 2))
    assert keeper.contract.has_role(Role.ATTESTER, other)


def test_lost_guardian_key__is_replaced_at_once_and_removed_after_the_delay(
    keeper: Keeper,
) -> None:
    other = keeper.person(OTHER_KEY)
    keeper.tighten("setGuardian", other.address, "true")
    keeper.change("setGuardian", SECOND_GUARDIAN, "false")
    assert not keeper.contract.has_role(Role.GUARDIAN, SECOND_GUARDIAN)
    keeper.propose(2)
    keeper.does("--action", "veto", "--reason", "a drill", sender=other)


def test_lost_admin_key__the_heir_accepts_and_acts(keeper: Keeper) -> None:
    heir = keeper.person(THIRD_KEY)
    keeper.change("transferAdmin", heir.address)
    assert keeper.contract.settings().admin == keeper.world.me
    keeper.does("--action", "configure", "--change", "acceptAdmin", sender=heir)
    assert keeper.contract.settings().admin == heir.address
    cap = ("--action", "configure", "--change", "setCap", "--with", "5", "--with", "0")
    keeper.does(*cap, sender=heir)
    assert keeper.contract.settings().cap_burst == 5


# --- a changed payout address ----------------------------------------------------------------


def test_changed_payout_address__moves_new_pay_and_leaves_the_old_claimable(
    keeper: Keeper,
) -> None:
    owner = keeper.person(OTHER_KEY)

    def paid_to(account: str) -> dict[str, object]:
        return {"wallets": (wallet("w", payout=Address(account), signatures=200_000),)}

    def wallets(epoch: int) -> dict[str, object]:
        start = START + (epoch - 1) * DAY
        window = Window(start, start + DAY)
        return {"header": header(epoch=epoch, genesis=False, window=window, pools=Pools(0, 40, 0))}

    keeper.compute(3, {}, **wallets(3), **paid_to(owner.address))
    keeper.compute(4, {}, **wallets(4), **paid_to(EVE))  # the registry names another address
    keeper.settle(4)
    # The old address keeps what it has; its owner sends it elsewhere without anybody's help.
    contract = keeper.world.target.distributor
    owner.send(interface(DISTRIBUTOR).call(contract, "setRecipient", address(4)))
    keeper.claim_all(4)
    assert keeper.balance(owner.address, address(4), EVE) == [0, 40, 40]


# --- a new ruleset by vote -------------------------------------------------------------------


def test_new_policy_by_vote__holds_from_its_first_epoch_and_not_before(keeper: Keeper) -> None:
    def voted(first_epoch: int) -> Any:
        made = policy({"nodes.alpha": 10**17}, first_epoch=first_epoch)
        canonical = {**made.canonical, "approval": "vote 42"}
        return replace(made, approval="vote 42", canonical=canonical)

    season = keeper.world.season
    too_early = keeper.world.inputs_of(3, {ANN: 1}, policy=voted(4))
    publish(season.inputs(3), canonical_inputs(too_early))
    early = refused("compute", "--season", season.root)
    assert isinstance(early, InvalidInput)
    assert "first_epoch" in str(early)
    keeper.correct(3, "first_epoch = 4", "first_epoch = 3", "policy.toml")
    run("compute", "--season", season.root)
    keeper.settle(3)
    # Every old epoch still recomputes under its own.
    verified = run("verify", "--season", season.root)
    assert verified["ok"] is True


# --- a new contract --------------------------------------------------------------------------


def node_inputs(world: World, epoch: int, amounts: Mapping[Any, int], **changes: Any) -> Inputs:
    """An epoch with two nodes, of which `n1` is paid to EVE."""
    start = START + (epoch - 1) * DAY
    rules = {
        "nodes.active_target": 2,
        "nodes.total_target": 2,
        "nodes.penalty_rate": 10 * 10**18,
        "nodes.weighting": "equal",
    }
    made = world.inputs_of(epoch, amounts)
    active = Status.ACTIVE if epoch == 1 else None
    return replace(
        made,
        header=header(
            epoch=epoch,
            genesis=epoch == 1,
            window=Window(start, start + DAY),
            pools=Pools(1000, 0, 0),
        ),
        policy=policy(rules),
        nodes=(node("n1", payout=EVE, status=active), node("n2", payout=BEN, status=active)),
        **changes,
    )


def deploy_successor(world: World, season: Path, keeper: Keeper, initial_epoch: int) -> None:
    """Deploy the successor with its command."""
    config = replace(world.config(world.target.token, initial_epoch), threshold=1)
    file = keeper.path("deploy.toml")
    file.write_bytes(deploy_toml(Deployment(world.target.chain_id, config, bytes(31) + b"\1")))
    place = ("--config", file, "--rpc", keeper.node.url, "--season", season)
    plan = keeper.path("deploy.json")
    run("deploy", *place, "--sender", world.me, "--plan", plan)
    keeper.send(parse_plan(plan.read_bytes()))
    run("deploy", *place)


def test_new_contract__nobody_is_paid_twice_and_nobody_loses(
    chain: Anvil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWARDS_KEYSTORE_PASSWORD", PASSWORD)
    endpoint = JsonRpc(chain.url)
    old = World.create(endpoint, tmp_path / "old", key=KEY, threshold=1)
    (tmp_path / "files").mkdir()
    keeper = Keeper(chain, old, tmp_path / "files")
    down = (score("n1", uptime=0), score("n2"))
    publish(
        old.season.inputs(1),
        canonical_inputs(node_inputs(old, 1, {ANN: 700, BEN: 300}, node_scores=down)),
    )
    run("compute", "--season", old.folder)
    keeper.settle(1)
    old.claim(1, ANN)
    # Published and never activated: BEN owes more than it gets, and n1 a penalty.
    second = node_inputs(old, 2, {BEN: -1900}, node_scores=(score("n2"),))
    publish(old.season.inputs(2), canonical_inputs(second))
    run("compute", "--season", old.folder)
    state = old.published(2).opening_for_successor()
    debt, owed = state.state.nodes["n1"].debt, state.ledger[BEN]
    assert (state.state.nodes["n1"].status, debt > 0) == (Status.ACTIVE, True)
    unclaimed = owed.cumulative
    following = node_inputs(old, 3, {ANN: 11, BEN: 30}, node_scores=(score("n1"), score("n2")))
    publish(tmp_path / "next", canonical_inputs(following))

    # Retire it; holders can claim until then. Sweep what is unclaimed.
    season = tmp_path / "new"
    write_file(season / "rewards.toml", b'format = "wct-season-1"\nname = "new"\n')
    deploy_successor(old, season, keeper, initial_epoch=2)
    successor = ["successor", tmp_path / "next", "--season", season, "--after", old.folder]
    successor += ["--rpc", chain.url, "--approved-by", "council 42"]
    assert "is not retired" in str(refused(*successor))
    keeper.does("--action", "schedule", "--change", "retire")
    keeper.travel(CHANGE_DELAY + 1)
    keeper.does("--action", "retire")
    swept = keeper.does("--action", "sweep", "--sender", old.me).totals["amount"]

    # The first epoch on the new one; taken over twice it is the same, and other inputs are refused.
    told = run(*successor)
    assert run(*successor) == told
    publish(tmp_path / "other", canonical_inputs(replace(following, adjustments=None)))
    other = refused("successor", tmp_path / "other", *successor[2:])
    assert "to take over anew" in str(other)
    assert (told["epoch"], told["initial_epoch"]) == ("3", "2")
    assert int(told["taken_over"]) >= unclaimed
    new = World(endpoint, season, old.sender, threshold=1)
    new.season = old.season.open(season)
    new.target = new.season.settlement()
    keeper.world = new
    run("compute", "--season", season)
    went_on = replace(following, settlement=old.target)
    publish(old.season.inputs(3), canonical_inputs(went_on))
    run("compute", "--season", old.folder)
    there = {
        row.account: row.cumulative - old.distributor.claimed([row.account])[0]
        for row in old.published(3).allocations
    }
    here = {row.account: row.cumulative for row in new.published(3).allocations if row.cumulative}
    assert here == {account: amount for account, amount in there.items() if amount}
    assert here[BEN] >= unclaimed, "what is unclaimed is owed in full, whatever BEN owes"
    assert swept <= sum(here.values())
    keeper.settle(3)
    keeper.claim_all(3)
    assert new.distributor.active().outstanding == 0

    # What is left to be recovered is in the next epoch's adjustments, or that is not computed.
    carried = new.season.carried(4)
    assert told["carried_to"] == str(carried)
    assert int(told["carried"]) > 0
    last = node_inputs(new, 4, {BEN: 5000}, node_scores=(score("n1"), score("n2")))
    publish(new.season.inputs(4), canonical_inputs(last))
    forgotten = refused("compute", "--season", season)
    assert isinstance(forgotten, InvalidInput)
    assert "lacks a row of carried/000004.csv" in str(forgotten)
    (finding,) = refused("next", "--season", season)["findings"]
    assert "lacks a row of carried/000004.csv" in finding["problem"]
    by_hand = new.season.inputs(4), "--previous", new.season.epoch(3)
    shutil.copytree(new.season.inputs(4), tmp_path / "copied")
    for words in (
        ("compute", *by_hand, "--out", tmp_path / "outside"),
        ("compute", tmp_path / "copied", *by_hand[1:], "--out", new.season.epoch(4)),
        ("dry-run", *by_hand),
        ("dry-run", "--season", season),
    ):
        assert "lacks a row of carried/000004.csv" in str(refused(*words)), words
    assert not new.season.epoch(4).exists()
    rows = carried.read_text().splitlines()[1:]
    table = new.season.inputs(4) / "adjustments.csv"
    table.write_text("\n".join([*table.read_text().splitlines(), *rows]) + "\n")
    run("compute", "--season", season)
    endpoint.close()


def test_new_contract__inputs_and_target_are_held_against_the_old_one(keeper: Keeper) -> None:
    keeper.does("--action", "schedule", "--change", "retire")
    keeper.travel(CHANGE_DELAY + 1)
    keeper.does("--action", "retire")
    world, files = keeper.world, keeper.folder
    season = files / "new"
    write_file(season / "rewards.toml", b'format = "wct-season-1"\nname = "new"\n')
    settlement = world.season.epoch(2) / "inputs" / "settlement.toml"
    write_file(season / "settlement.toml", settlement.read_bytes())
    publish(files / "next", canonical_inputs(world.inputs_of(3, {ANN: 1})))
    publish(files / "later", canonical_inputs(world.inputs_of(4, {ANN: 1})))
    words = ["--season", season, "--after", world.folder, "--rpc", keeper.node.url]
    words += ["--approved-by", "council 42"]
    assert "names the old contract" in str(refused("successor", files / "next", *words))
    assert read_inputs(files / "later").inputs
    other = settlement.read_text().replace(world.target.distributor, EVE)
    write_file(season / "settlement.toml", other.encode())
    assert isinstance(refused("successor", files / "later", *words), InvalidInput)
    assert not (season / "inputs").exists()
