"""`rewards plan` against a real node: propose, activate, claim for all, and what needs no gate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from rewards.chain.contract import DISTRIBUTOR, interface
from rewards.chain.distributor import ProposalStatus
from rewards.chain.network import JsonRpc
from rewards.cli.plan import ACTIONS, TARGETS, command
from rewards.errors import CheckFailed, InvalidInput
from tests.builders import address
from tests.chain.anvil import KEY, Anvil, running
from tests.plan.operator import Operator, failed
from tests.plan.world import DELAY, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANY = {address(number): number for number in range(1, 320)}


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    with running() as node:
        endpoint = JsonRpc(node.url)
        world = World.create(endpoint, tmp_path / "season", key=KEY)
        (tmp_path / "plans").mkdir()
        yield Operator(node, world, tmp_path / "plans")
        endpoint.close()


def test_words_of_the_command__are_those_of_the_plan() -> None:
    from rewards.chain import plan

    assert sorted(ACTIONS) == sorted(plan.ACTIONS)
    assert sorted(TARGETS) == sorted(plan.TARGETS)


def test_epoch__from_the_proposal_to_the_last_claim(operator: Operator) -> None:
    world, me = operator.world, operator.world.me
    published = world.publish(1, MANY)
    total = sum(MANY.values())

    refused = operator.plan(1, "--action", "propose", "--sender", me, ok=False)
    assert set(failed(refused)) == {"funding", "simulation"}

    world.send(world.token.mint(me, total))
    funding = operator.plan(1, "--action", "fund", "--sender", me)
    assert funding.totals == {"amount": total, "received": 0}
    assert funding.sender == me
    operator.send(funding)

    plan = operator.plan(
        1, "--action", "propose", "--sender", me, "--max-fee", "7.5", "--gas-limit", "300000"
    )
    manifest = published.manifest
    assert (plan.manifest_hash, plan.merkle_root) == (manifest.hash, manifest.root)
    assert set(plan.files[1]) == {*manifest.files, "manifest.json"}
    assert (plan.epochs.first, plan.epochs.last, plan.ruleset) == (1, 1, "wct-1")
    assert plan.totals["rise"] == plan.totals["outstanding"] == total
    assert plan.caps.max_fee_per_gas == 7_500_000_000
    assert plan.caps.total_fee == 7_500_000_000 * 300_000
    assert plan.token.symbol
    assert plan.gate["ok"] is True
    simulated = next(c for c in plan.gate["checks"] if c["name"] == "simulation")
    assert "319 claims" in simulated["detail"]
    operator.send(plan)

    # What is pending is not proposed again; and it can be activated only once the delay is over.
    again = operator.plan(1, "--action", "propose", "--sender", me, ok=False)
    assert "nothing_pending" in failed(again)
    activation = operator.plan(1, "--action", "activate")
    assert activation.manifest_hash == manifest.hash
    operator.travel(DELAY + 1)
    operator.send(activation)

    claims = operator.plan(1, "--action", "claim_many", "--sender", me)
    assert len(claims.calls) == 3
    operator.send(claims)
    assert world.distributor.active().outstanding == 0
    assert [world.token.balance(a) for a in list(MANY)[:3]] == [1, 2, 3]
    nobody = operator.plan(1, "--action", "claim_many", "--sender", me, ok=False)
    assert set(failed(nobody)) == {"owed"}


def test_proposal_that_is_not_final_yet__is_noticed(operator: Operator) -> None:
    world = operator.world
    world.publish(1, {address(1): 5})
    world.fund(5)
    operator.node.finalize()
    world.propose(1)
    file = operator.folder / "late.json"
    place = ["--rpc", operator.node.url, "--season", str(world.folder), "--out", str(file)]
    asked = ["1", "--action", "propose", "--sender", world.me, "--json"]
    run = CliRunner().invoke(command, [*asked, *place])
    assert run.exit_code == 1
    assert set(failed(json.loads(run.stdout))) == {"nothing_pending", "simulation"}
    assert "not final yet" in run.stdout


def test_proposal__is_held_against_the_checks_of_the_season(operator: Operator) -> None:
    world, me = operator.world, operator.world.me
    world.publish(1, {address(1): 5})
    published = world.publish(2, {address(2): 3})
    world.fund(8)
    asked = ("--action", "propose", "--sender", me)
    counted = operator.plan(2, *asked)
    assert {c["name"]: c["detail"] for c in counted.gate["checks"]}["findings"] == "nothing found"

    (world.folder / "checks.toml").write_text('[new_payee]\nseverity = "blocking"\nlimit = "0"\n')
    for out in (2, published.folder):
        blocked = failed(operator.plan(out, *asked, ok=False))
        assert set(blocked) == {"findings"}
        assert f"'{address(2)}' blocks epoch 2" in blocked["findings"]

    waivers = operator.folder / "waivers.toml"
    waivers.write_text(
        f'[[waiver]]\ncheck = "new_payee"\nsubject = "{address(2)}"\nepoch = 2\n'
        'reason = "known"\napprover = "Council"\n'
    )
    waived = operator.plan(2, *asked, "--waivers", waivers)
    assert "waived by Council" in waived.gate["notes"][0]
    lax = operator.folder / "checks.toml"
    lax.write_text("")
    assert operator.plan(2, *asked, "--checks", lax).gate["ok"] is True


def test_deployment__is_planned_like_any_other_step(operator: Operator, tmp_path: Path) -> None:
    from rewards.chain.deployment import Deployment, deploy_toml

    world = operator.world
    deployment = Deployment(31337, world.config(world.target.token), b"\7" * 32)
    config = tmp_path / "deploy.toml"
    config.write_bytes(deploy_toml(deployment))
    plan = operator.plan("--action", "deploy", "--config", config)
    assert plan.contract.address == deployment.deterministic_address
    operator.send(plan)
    assert world.endpoint.code(plan.contract.address)
    again = operator.plan("--action", "deploy", "--config", config, ok=False)
    assert "deployed already" in str(again)


def test_brakes_and_changes__need_no_gate(operator: Operator) -> None:
    world, me = operator.world, operator.world.me
    world.publish(1, {address(1): 5})
    world.fund(9)
    nothing = operator.plan("--action", "veto", "--reason", "wrong", ok=False)
    assert isinstance(nothing, CheckFailed)
    world.propose(1)  # not final: a veto looks at the latest block
    veto = operator.plan("--action", "veto", "--reason", "wrong scores")
    assert (veto.epochs.last, veto.totals["attempt"], veto.gate) == (1, 1, None)
    operator.send(veto)
    assert world.distributor.pending().status is ProposalStatus.VETOED

    operator.send(operator.plan("--action", "pause", "--no-claims"))
    assert world.distributor.settings().activation_paused_until
    operator.send(operator.plan("--action", "unpause"))
    assert not world.distributor.settings().activation_paused_until

    swept = operator.plan("--action", "sweep", "--sender", me)
    assert swept.totals == {"amount": 9, "received": world.token.balance(swept.contract.address)}
    assert swept.sender == me
    operator.send(swept)
    stranger = operator.plan("--action", "sweep", "--sender", address(3), ok=False)
    assert set(failed(stranger)) == {"surplus", "sender"}

    change = ["--change", "setCap", "--with", str(10**25), "--with", "0"]
    operator.send(operator.plan("--action", "schedule", *change))
    operator.travel(3)
    operator.send(operator.plan("--action", "configure", *change))
    assert world.distributor.settings().cap_burst == 10**25
    operator.send(operator.plan("--action", "schedule", "--change", "retire"))
    operator.send(operator.plan("--action", "cancel", "--change", "retire"))
    retire = interface(DISTRIBUTOR).call(world.target.distributor, "retire")
    assert world.distributor.scheduled_at(retire.data) == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["1", "--action", "propose"], SystemExit),
        (["--action", "veto"], SystemExit),
        (["--action", "schedule", "--change", "setToken"], InvalidInput),
        (["--action", "schedule", "--change", "setCap", "--with", "1"], InvalidInput),
        (["--action", "schedule", "--change", "setThreshold", "--with", "-1"], InvalidInput),
    ],
)
def test_wrong_words__are_refused(
    node: Anvil, shared: World, tmp_path: Path, arguments: list[str], error: type
) -> None:
    place = ["--rpc", node.url, "--season", str(shared.folder), "--out", str(tmp_path / "p.json")]
    run = CliRunner().invoke(command, [*arguments, *place])
    assert isinstance(run.exception, error)
    assert run.exit_code in (1, 2)


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with running() as node:
        yield node


@pytest.fixture(scope="module")
def shared(node: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    endpoint = JsonRpc(node.url)
    world = World.create(endpoint, tmp_path_factory.mktemp("season"), key=KEY)
    world.publish(1, {address(1): 5})
    node.finalize()
    yield world
    endpoint.close()


def test_plan__is_never_overwritten(node: Anvil, shared: World, tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_bytes(b"{}")
    place = ["--rpc", node.url, "--season", str(shared.folder), "--out", str(file)]
    run = CliRunner().invoke(command, ["--action", "pause", *place])
    assert isinstance(run.exception, InvalidInput)
    assert file.read_bytes() == b"{}"


@pytest.mark.parametrize("missing", ["eth_simulateV1", "eth_getStorageAt"])
def test_node_without_eth_simulate_v1__is_forked_or_named(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    world = operator.world
    world.publish(1, {address(1): 5, address(2): 6})
    world.fund(11)
    world.propose(1)
    operator.travel(DELAY + 1)
    world.activate(1)
    world.claim(1, address(1))
    world.publish(2, {address(1): 1, address(3): 2})
    world.fund(3)
    ask = JsonRpc._provider_answer

    def without(self: JsonRpc, method: str, *parameters: object) -> Any:
        if method in ("eth_simulateV1", missing):
            method = "eth_noSuchMethod"
        return ask(self, method, *parameters)

    monkeypatch.setattr(JsonRpc, "_provider_answer", without)
    arguments = (2, "--action", "propose", "--sender", world.me)
    if missing == "eth_getStorageAt":
        refused = operator.plan(*arguments, ok=False)
        assert set(failed(refused)) == {"simulation"}
        assert "NoSimulation" in json.dumps(refused)
        return
    plan = operator.plan(*arguments)
    simulated = next(c for c in plan.gate["checks"] if c["name"] == "simulation")
    assert "3 claims" in simulated["detail"]
    assert "a local fork of 127.0.0.1" in simulated["detail"]


def test_local_fork__judges_as_the_node_does(operator: Operator) -> None:
    """The same blocks, some refused: outcome for outcome the same."""
    from rewards.chain.endpoint import SimulatedBlock
    from rewards.chain.local_fork import LocalFork

    world = operator.world
    world.publish(1, {address(1): 5, address(2): 6})
    world.fund(11)
    world.propose(1)
    contract, me, latest = world.distributor, world.me, world.endpoint.block()
    good, other = world.claims(1)
    early = [(me, contract.activate(1, 1)), (me, contract.claim(1, good))]
    late = [
        (me, contract.activate(1, 2)),
        (me, contract.activate(1, 1)),
        (me, contract.claim(1, good)),
        (me, contract.claim(1, good)),
        (me, contract.claim_many(1, [other, good])),
        (me, contract.claim_many(1, [good, other])),
        (address(9), interface(DISTRIBUTOR).call(contract.address, "pause", True, True)),
    ]
    blocks = [
        SimulatedBlock(latest.timestamp + 1, early),
        SimulatedBlock(latest.timestamp + 1 + DELAY, late),
    ]
    told = world.endpoint.simulate(blocks, latest.number)
    assert told is not None
    forked = LocalFork(world.endpoint, latest.number).simulate(blocks)

    def words(outcomes: Any) -> list[Any]:
        return [
            (one.returned if one.refusal is None else b"", str(one.refusal)) for one in outcomes
        ]

    for there, here in zip(told, forked, strict=True):
        assert words(there) == words(here)
    assert [one.refusal is None for one in told[1]] == [False, True, True, True, False, True, False]
