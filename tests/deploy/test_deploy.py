"""Deploying: by key on a test network, by plan anywhere, at one address, checked afterwards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from rewards.chain.accounts import developer_account
from rewards.chain.agreement import Sight
from rewards.chain.contract import DISTRIBUTOR, interface
from rewards.chain.deployed_code import code_difference, is_account
from rewards.chain.deployment import (
    Deployment,
    created_address,
    deploy_toml,
    deployment_findings,
    read_deployment,
    verification_files,
)
from rewards.chain.distributor import Distributor, Token
from rewards.chain.embedded import EmbeddedChain
from rewards.chain.endpoint import Call
from rewards.chain.network import JsonRpc
from rewards.chain.plan import PROXY
from rewards.chain.plan_file import parse_plan, plan_bytes
from rewards.chain.sender import Sender
from rewards.cli.deploy import command
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.publish import write_file
from rewards.settling.deploying import plan_deployment
from rewards.settling.plans import Limits
from tests.builders import address
from tests.chain.anvil import KEY, Anvil, running
from tests.plan.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with running() as node:
        yield node


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.create(EmbeddedChain(), tmp_path_factory.mktemp("world"), initial_epoch=3)


def deployment_of(token: str, chain_id: int = 31337) -> Deployment:
    world = World.__new__(World)
    world.sender, world.threshold = Sender.__new__(Sender), 2
    world.sender.address = address(11)
    return Deployment(chain_id, world.config(token), bytes(32))


@pytest.fixture(scope="module")
def deployed_token(node: Anvil) -> str:
    endpoint = JsonRpc(node.url)
    sender = Sender(endpoint, developer_account(KEY), 31337)
    contract = sender.send(Token.deployment()).contract
    endpoint.close()
    assert contract
    return contract


def season_in(folder: Path) -> Path:
    write_file(folder / "rewards.toml", b'format = "wct-season-1"\nname = "a season"\n')
    return folder


def run(*arguments: object) -> Any:
    return CliRunner().invoke(command, [str(one) for one in arguments])


# --- the file --------------------------------------------------------------------------------


def test_deploy_toml__is_read_back(tmp_path: Path) -> None:
    deployment = deployment_of(address(70))
    path = tmp_path / "deploy.toml"
    path.write_bytes(deploy_toml(deployment))
    assert read_deployment(path) == deployment


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("threshold = 2", "threshold = 4", "threshold"),
        ("threshold = 2", "treshold = 2", "treshold"),
        ('cap_burst = "1000000"', 'cap_burst = "0"', "cap_burst"),
        ('cap_burst = "1000000"', "cap_burst = 1000000", "cap_burst"),
        ("reduction_delay = 120", "reduction_delay = 59", "reduction_delay"),
        ("minimum_delay = 1\n", "minimum_delay = 61\n", "delay"),
        ("change_delay = 2", "change_delay = 9999999", "change_delay"),
        ('"0x9999999999999999999999999999999999999999", ', "", "guardians"),
        (f'proposers = ["{address(11)}"]', "proposers = []", "proposers"),
        (f'proposers = ["{address(11)}"]', 'proposers = ["0x12"]', "proposers"),
    ],
)
def test_deploy_toml__each_mistake_is_found(
    tmp_path: Path, old: str, new: str, column: str
) -> None:
    text = deploy_toml(deployment_of(address(70))).decode()
    assert old in text
    path = tmp_path / "deploy.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(InvalidInput) as caught:
        read_deployment(path)
    assert column in {finding.column for finding in caught.value.findings}


def test_proposer_as_its_own_attester__is_found(tmp_path: Path) -> None:
    deployment = deployment_of(address(70))
    config = replace(deployment.config, proposers=deployment.config.attesters[:2])
    path = tmp_path / "deploy.toml"
    path.write_bytes(deploy_toml(replace(deployment, config=config)))
    with pytest.raises(InvalidInput, match="attest for itself"):
        read_deployment(path)


# --- the check -------------------------------------------------------------------------------


def test_code__is_compared_outside_of_its_immutables(world: World) -> None:
    code = world.endpoint.code(world.target.distributor)
    assert code_difference(code) is None
    artifact = interface(DISTRIBUTOR).artifact
    kept = {
        place["start"] + i
        for places in artifact["immutableReferences"].values()
        for place in places
        for i in range(place["length"])
    }
    for place in (0, 100, len(code) - 1, next(iter(kept))):
        changed = bytearray(code)
        changed[place] ^= 1
        assert (code_difference(bytes(changed)) is None) == (place in kept), place
    assert code_difference(code + b"\0")
    assert code_difference(b"")


def test_delegated_account__is_an_account() -> None:
    assert is_account(b"")
    assert is_account(bytes.fromhex("ef0100") + bytes(20))
    assert not is_account(bytes.fromhex("ef0100") + bytes(21))
    assert not is_account(bytes(23))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("treasury", address(5)),
        ("initial_epoch", 4),
        ("minimum_delay", 2),
        ("delay", 61),
        ("threshold", 1),
        ("cap_burst", 10**24 - 1),
        ("guardians", ("0x" + "98" * 20,)),
        ("admin", address(5)),
    ],
)
def test_setting_that_is_not_as_configured__is_found(
    world: World, name: str, value: object
) -> None:
    config = world.config(world.target.token, 3)
    right = Deployment(world.target.chain_id, config, bytes(32))
    sight = Sight.at_latest_block([world.endpoint], world.target.chain_id)
    assert deployment_findings(sight, right, world.target.distributor) == []
    wrong = replace(right, config=replace(config, **{name: value}))  # type: ignore[arg-type]
    (found,) = deployment_findings(sight, wrong, world.target.distributor)
    assert name.rstrip("s") in found.column


def test_another_contract__is_found(world: World) -> None:
    right = Deployment(world.target.chain_id, world.config(world.target.token, 3), bytes(32))
    sight = Sight.at_latest_block([world.endpoint], world.target.chain_id)
    (found,) = deployment_findings(sight, right, world.target.token)
    assert "is not EpochDistributor" in str(found)


def test_created_address__is_where_it_comes_to_lie() -> None:
    chain = EmbeddedChain()
    sender = Sender(chain, developer_account((1).to_bytes(32, "big")), chain.chain_id())
    for nonce in (0, 1, 2):
        receipt = sender.send(Token.deployment())
        assert receipt.contract == created_address(sender.address, nonce)
    assert created_address(sender.address, 200) != created_address(sender.address, 201)


# --- on a node -------------------------------------------------------------------------------


def test_keystore_on_a_test_network__deploys_at_the_foreseen_address(
    node: Anvil, deployed_token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eth_account import Account

    deployment = deployment_of(deployed_token)
    config, keystore = tmp_path / "deploy.toml", tmp_path / "key.json"
    config.write_bytes(deploy_toml(deployment))
    keystore.write_text(json.dumps(Account.encrypt(KEY, PASSWORD, iterations=2)))
    monkeypatch.setenv("REWARDS_KEYSTORE_PASSWORD", PASSWORD)
    season = season_in(tmp_path / "season")
    place = ["--config", config, "--rpc", node.url, "--season", season]
    first = run(*place, "--keystore", keystore, "--yes", "--json")
    assert first.exit_code == 0, (first.output, first.exception)
    told = json.loads(first.stdout)
    assert told["distributor"] == deployment.deterministic_address
    settlement = (season / "settlement.toml").read_text()
    assert settlement == (
        f'chain_id = 31337\ndecimals = 18\ndistributor = "{told["distributor"]}"\n'
        f'token = "{deployed_token}"\n'
    )
    papers = sorted(
        path.name for path in (season / f"deployment-31337-{told['distributor'][2:10]}").iterdir()
    )
    assert papers == [
        "constructor_arguments.txt",
        "deploy.toml",
        "deployment.json",
        "sourcify.json",
        "standard-input.json",
    ]
    again = run(*place, "--json")  # without a key: it is there, and is checked
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["transaction"] is None


def test_key_in_a_file__deploys_and_is_told_nowhere(
    node: Anvil, deployed_token: str, tmp_path: Path
) -> None:
    deployment = replace(deployment_of(deployed_token), salt=b"\2" * 32)
    config, env_file = tmp_path / "deploy.toml", tmp_path / "key.env"
    config.write_bytes(deploy_toml(deployment))
    env_file.write_text(f"REWARDS_PRIVATE_KEY=0x{KEY.hex()}\n")
    season = season_in(tmp_path / "season")
    place = ["--config", config, "--rpc", node.url, "--season", season]
    without = run(*place, "--yes")
    assert without.exit_code == 2
    done = run(*place, "--env-file", env_file, "--yes", "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    assert json.loads(done.stdout)["distributor"] == deployment.deterministic_address
    written = b"".join(path.read_bytes() for path in season.rglob("*") if path.is_file())
    assert KEY.hex() not in done.output + written.decode()
    env_file.write_text("REWARDS_PRIVATE_KEY=0x12\n")
    wrong = run(*place[:-1], season_in(tmp_path / "other"), "--env-file", env_file, "--yes")
    assert wrong.exit_code == 0, "it is there already: no key is asked for"


def test_plan_for_a_safe__creates_the_same_contract_whoever_sends_it(
    node: Anvil, deployed_token: str, tmp_path: Path
) -> None:
    deployment = replace(deployment_of(deployed_token), salt=b"\1" * 32)
    config, file = tmp_path / "deploy.toml", tmp_path / "plan.json"
    config.write_bytes(deploy_toml(deployment))
    season = season_in(tmp_path / "season")
    place = ["--config", config, "--rpc", node.url, "--season", season]
    made = run(*place, "--safe", address(40), "--plan", file, "--json")
    assert made.exit_code == 0, made.output
    plan = parse_plan(file.read_bytes())
    assert (plan.action, plan.contract.code_hash) == ("deploy", None)
    (call,) = plan.calls
    assert call.to == PROXY
    endpoint = JsonRpc(node.url)
    sender = Sender(endpoint, developer_account(KEY), 31337)
    assert sender.send(Call(call.to, call.data)).gas < plan.caps.gas_limit
    endpoint.close()
    checked = run(*place, "--json")
    assert checked.exit_code == 0, checked.output
    assert json.loads(checked.stdout)["distributor"] == plan.contract.address


def test_key_on_a_real_chain__is_refused_and_a_plan_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWARDS_KEYSTORE_PASSWORD", PASSWORD)
    with running(chain_id=10) as real:
        endpoint = JsonRpc(real.url)
        token = Sender(endpoint, developer_account(KEY), 10).send(Token.deployment()).contract
        endpoint.close()
        assert token
        config = tmp_path / "deploy.toml"
        config.write_bytes(deploy_toml(deployment_of(token, 10)))
        season = season_in(tmp_path / "season")
        place = ["--config", config, "--rpc", real.url, "--season", season]
        refused = run(*place, "--keystore", tmp_path / "no-key.json", "--yes")
        assert isinstance(refused.exception, CheckFailed)
        assert "NotATestNetwork" in str(refused.exception)
        made = run(*place, "--sender", address(40), "--plan", tmp_path / "plan.json")
        assert made.exit_code == 0, made.output


def test_wrong_chain__is_refused(node: Anvil, deployed_token: str, tmp_path: Path) -> None:
    config = tmp_path / "deploy.toml"
    config.write_bytes(deploy_toml(deployment_of(deployed_token, 1)))
    place = ["--config", config, "--rpc", node.url, "--season", season_in(tmp_path / "season")]
    assert isinstance(run(*place).exception, CheckFailed)
    assert isinstance(run(*place, "--chain", 31337).exception, InvalidInput)


def test_chain_without_the_proxy__takes_a_plain_creation(world: World) -> None:
    config = world.config(world.target.token, 3)
    deployment = Deployment(world.target.chain_id, config, bytes(32))
    with pytest.raises(InvalidInput, match="--sender"):
        plan_deployment(deployment, [world.endpoint], Limits(), None)
    plan = plan_deployment(deployment, [world.endpoint], Limits(), world.me)
    (call,) = plan.calls
    assert call.to is None
    assert parse_plan(plan_bytes(plan)) == plan
    receipt = world.send(Call(None, call.data))
    assert receipt.contract == plan.contract.address
    assert Distributor(world.endpoint, plan.contract.address).initial_epoch() == 3


def test_deploy_toml_of_the_readme__is_one(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    text = readme.partition("takes its settings from a `deploy.toml`")[2].split("```")[1]
    numbers = iter(range(0x10_0000, 0x20_0000))
    while "0x…" in text:
        text = text.replace("0x…", f"0x{next(numbers):040x}", 1)
    path = tmp_path / "deploy.toml"
    path.write_text(text, "utf-8")
    assert read_deployment(path).config.threshold == 2


def test_verification_material__is_what_sourcify_asks_for(world: World) -> None:
    deployment = Deployment(10, world.config(world.target.token), bytes(32))
    files = verification_files(deployment, address(1), "0x" + "ab" * 32)
    body = json.loads(files["sourcify.json"])
    assert set(body) == {
        "stdJsonInput",
        "compilerVersion",
        "contractIdentifier",
        "creationTransactionHash",
    }
    assert body["compilerVersion"] == "0.8.37+commit.f401782d"
    assert body["contractIdentifier"] == "src/EpochDistributor.sol:EpochDistributor"
    assert "src/EpochDistributor.sol" in body["stdJsonInput"]["sources"]
    arguments = files["constructor_arguments.txt"].decode().strip()
    assert deployment.creation_code.hex().endswith(arguments)
