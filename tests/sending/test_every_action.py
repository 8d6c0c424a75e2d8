"""Every action on every target, planned and submitted by the commands, by a key and by a real Safe.

The node says that it is Optimism, and charges for L1 data as that does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from eth_abi.abi import encode

from rewards.chain.deployment import Deployment, created_address, deploy_toml
from rewards.chain.distributor import Distributor, ProposalStatus, Token
from rewards.chain.endpoint import Call
from rewards.chain.plan import ACTIONS, TARGETS, Plan
from rewards.chain.plan_file import parse_plan
from rewards.chain.safe.deployments import multi_send_for
from rewards.targets.airdrop import Airdrop
from rewards.targets.reward_manager import RewardManager
from rewards.targets.urd import Urd
from tests.builders import address
from tests.plan.world import DELAY
from tests.sending.operators import Operator, SafeOperator, operating
from tests.sending.predeploys import install_predeploys
from tests.sending.safes import install
from tests.targets import epochs
from tests.targets.chain import CREATION, payee

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPTIMISM = 10
MANY = {address(number): number * 10**15 for number in range(1, 200)}
TOTAL = sum(MANY.values())


@dataclass
class Season:
    """An operator, and which actions were brought to their end."""

    operator: Operator
    done: set[str] = field(default_factory=set)

    def do(self, action: str, *arguments: object, options: tuple[object, ...] = ()) -> Plan:
        """Plan an action and submit the plan; it must end as final, on every endpoint."""
        operator = self.operator
        file = operator.plan(*arguments, "--action", action)
        told = operator.submit(file, *options)
        assert {step["state"] for step in told["steps"]} == {"final"}
        receipt = json.loads((operator.world.folder.parent / told["receipt"]).read_bytes())
        assert action in {one["name"] for one in receipt["actions"] if one["state"] == "final"}
        assert operator.submit(file, *options)["steps"] == told["steps"]  # and not once more
        self.done.add(action)
        return parse_plan(file.read_bytes())

    def travel(self, seconds: int) -> None:
        self.operator.node.ask("evm_increaseTime", seconds)
        self.operator.node.ask("anvil_mine", "0x4")


def by(*versions: str) -> pytest.MarkDecorator:
    """Send by a key and by Safes of these versions."""
    return pytest.mark.parametrize("season", ["key", *versions], indirect=True)


@pytest.fixture
def season(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Season]:
    version = "" if request.param == "key" else request.param
    made = operating(tmp_path, monkeypatch, chain_id=OPTIMISM, safe_version=version)
    with made as operator:
        install_predeploys(operator.node)
        if version:
            place = multi_send_for(OPTIMISM, version)
            install(operator.node, place, f"MultiSendCallOnly-{version}")
        yield Season(operator)


@by("1.3.0", "1.5.0")
def test_epoch_distributor__every_action(season: Season, tmp_path: Path) -> None:
    operator, world = season.operator, season.operator.world
    me = operator.sender
    world.publish(1, MANY)
    world.send(world.token.mint(me, 2 * TOTAL))
    sent = ("--sender", me)

    season.do("fund", 1, *sent)
    season.do("propose", 1, *sent)
    season.do("veto", "--reason", "wrong scores")
    assert world.distributor.pending().status is ProposalStatus.VETOED
    season.do("propose", 1, *sent)
    season.travel(DELAY + 1)
    season.do("activate", 1)
    claims = season.do("claim_many", 1, *sent)
    assert len(claims.calls) == 2
    assert {account: world.token.balance(account) for account in MANY} == MANY

    season.do("pause", "--no-activation")
    assert world.distributor.settings().claims_paused_until
    season.do("unpause", "--no-activation")
    assert not world.distributor.settings().claims_paused_until
    season.do("fund", *sent, "--amount", "7")
    season.do("sweep", *sent)
    assert world.token.balance(world.target.distributor) == 0

    change = ("--change", "setCap", "--with", str(10**25), "--with", "0")
    season.do("schedule", *change)
    season.travel(3)
    season.do("configure", *change)
    assert world.distributor.settings().cap_burst == 10**25
    season.do("schedule", "--change", "retire")
    season.do("cancel", "--change", "retire")
    # The very same call once more is a step of its own, and has to be asked for.
    again = operator.plan("--action", "schedule", "--change", "retire")
    assert operator.submit(again, "--again")["steps"][0]["attempt"] == "3"
    season.travel(3)
    season.do("retire")
    assert world.distributor.settings().retired

    config = tmp_path / "deploy.toml"
    deployment = Deployment(OPTIMISM, world.config(world.target.token), bytes(32))
    config.write_bytes(deploy_toml(deployment))
    deployed = season.do("deploy", "--config", config, *sent)
    contract = Distributor(world.endpoint, deployed.contract.address)
    assert contract.token() == world.target.token
    assert season.done == set(ACTIONS)


# --- other targets -----------------------------------------------------------------------------


def stand_in(season: Season, name: str, types: str, *values: Any) -> str:
    code = bytes.fromhex(CREATION[name][2:]) + encode(types.split(","), values)
    contract = season.operator.fresh().send(Call(None, code)).contract
    assert contract
    return contract


def published(season: Season, folder: Path, contract: str) -> Path:
    """Publish an epoch bound to a contract, outside of the season."""
    token = season.operator.world.target.token
    (epoch,) = epochs.publish(folder, 1, epochs.first(OPTIMISM, token, contract))
    return epoch.folder


@by("1.4.1")
def test_urd__every_action(season: Season, tmp_path: Path) -> None:
    operator, me = season.operator, season.operator.sender
    world = operator.world
    contract = stand_in(season, "StandInUrd", "address,uint256", me, 60)
    out = published(season, tmp_path / "urd", contract)
    operator.fresh().send(world.token.mint(contract, 10**26))
    asked = (out, "--target", "urd", "--sender", me, "--contract", contract)
    options = ("--out", out)

    season.do("propose", *asked, options=options)
    season.do("veto", *asked, options=options)
    # After a veto the same proposal may be made again; where it is the very same plan, expressly.
    file = operator.plan(*asked, "--action", "propose")
    told = operator.submit(file, *options, "--again")
    assert (told["steps"][0]["state"], told["steps"][0]["attempt"]) == ("final", "2")
    stale = operator.plan(*asked, "--action", "veto")
    season.travel(61)
    season.do("activate", *asked, options=options)
    code, said = operator.fails(
        "submit", stale, *options, *sign(operator), "--yes", "--again", "--wait", "0"
    )
    assert (code, "StalePlan: the pending root" in said) == (1, True), said
    assert season.done == set(Urd.actions)


def sign(operator: Operator) -> tuple[object, ...]:
    if isinstance(operator, SafeOperator) and operator.safe:
        return ("--safe", operator.sender, "--nonce", operator.safe.nonce())
    return ("--env-file", operator.env)


@by("1.4.1")
def test_airdrop__every_action(season: Season, tmp_path: Path) -> None:
    operator, me = season.operator, season.operator.sender
    world = operator.world
    operator.fresh().send(world.token.mint(me, 10**26))
    out = published(season, tmp_path / "airdrop", world.target.distributor)
    code = tmp_path / "airdrop.hex"
    code.write_text(CREATION["StandInAirdrop"])
    terms = [f"{name}={me}" for name in ("reserve", "admin", "pauser")]
    said = [word for term in (*terms, f"creation_code={code}") for word in ("--term", term)]
    asked = (out, "--target", "airdrop", "--sender", me, *said)
    options = ("--out", out)
    if isinstance(operator, SafeOperator):
        # A Safe calls; it cannot create. So anybody else deploys, and the Safe allows and pauses.
        file = operator.plan(*asked, "--action", "deploy")
        exit_code, text = operator.fails("submit", file, *options, *sign(operator), "--yes")
        assert (exit_code, "a Safe cannot do" in text) == (1, True)
        (call,) = parse_plan(file.read_bytes()).calls
        contract = operator.fresh().send(Call(None, call.data)).contract
        season.done.add("deploy")
    else:
        nonce = int(operator.node.ask("eth_getTransactionCount", me, "latest"), 16)
        contract = created_address(me, nonce)
        season.do("deploy", *asked, options=options)
    asked = (*asked, "--contract", contract)
    funding = season.do("fund", *asked, options=options)
    token = Token(world.endpoint, world.target.token)
    assert token.allowance(me, str(contract)) == funding.totals["total"]
    season.do("pause", *asked, options=options)
    assert season.done == set(Airdrop.actions)


@by("1.4.1")
def test_reward_manager__every_action(season: Season, tmp_path: Path) -> None:
    me = season.operator.sender
    registry = stand_in(
        season, "StandInRegistry", "uint8,address[]", 50, [payee(n) for n in range(9)]
    )
    types = "address,address,uint256"
    contract = stand_in(season, "StandInRewardManager", types, me, registry, 10**24)
    out = published(season, tmp_path / "manager", contract)
    asked = (out, "--target", "reward-manager", "--sender", me, "--contract", contract)
    season.do("propose", *asked, options=("--out", out))
    assert season.done == set(RewardManager.actions)


@by("1.4.1")
def test_caps__by_default_leave_room_for_what_optimism_charges(season: Season) -> None:
    """On a quiet chain the data on L1 costs more than the execution."""
    operator, world = season.operator, season.operator.world
    world.publish(1, MANY)
    world.send(world.token.mint(operator.sender, TOTAL))
    operator.node.ask("anvil_setNextBlockBaseFeePerGas", hex(10**6))
    operator.node.ask("anvil_mine", "0x5")
    file = operator.folder / "default.json"
    asked = (1, "--action", "fund", "--sender", operator.sender, "--rpc", operator.node.url)
    operator.does("plan", *asked, "--out", file)
    caps = parse_plan(file.read_bytes()).caps
    assert caps.total_fee > caps.gas_limit * caps.max_fee_per_gas
    assert operator.submit(file)["steps"][0]["state"] == "final"


def test_all_targets__are_here() -> None:
    assert {"epoch-distributor", Urd.kind, Airdrop.kind, RewardManager.kind} == set(TARGETS)
