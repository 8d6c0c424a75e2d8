"""`rewards plan` for other contracts than ours, each signed by a real Safe, down to the last claim.

The contracts are stand-ins with the interface and the rules of the real ones.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from eth_abi.abi import encode

from rewards.chain.accounts import developer_account
from rewards.chain.distributor import Token
from rewards.chain.endpoint import Call
from rewards.chain.network import JsonRpc
from rewards.chain.plan_file import parse_plan
from rewards.chain.sender import Sender
from rewards.cli import rewards
from rewards.errors import InvalidInput
from rewards.files.documents import canonical_json
from rewards.files.published import PublishedEpoch
from rewards.targets.kinds import target_for
from rewards.targets.target import Terms
from tests.chain.anvil import KEY, running
from tests.commands import refused, run
from tests.files.folders import published
from tests.plan.operator import failed
from tests.safe.treasury import CHAIN_ID, SAFE, Treasury
from tests.targets import epochs
from tests.targets.chain import CREATION, calldata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rewards.chain.plan import Plan
    from tests.chain.anvil import Anvil

TIMELOCK = 60
MAX_REWARDS = 1_000 * 10**18
ETHER = hex(10**18)


class Operator:
    """A season for another contract; a Safe is its owner, its reserve and its pauser."""

    def __init__(self, node: Anvil, endpoint: JsonRpc, folder: Path) -> None:
        self.node, self.endpoint, self.folder = node, endpoint, folder
        self.season = folder / "season"
        self.treasury = Treasury.create(node, folder / "signers", "1.4.1")
        self.sender = Sender(endpoint, developer_account(KEY), CHAIN_ID)
        self.token = self.create(Token.deployment().data)
        self.folders: list[Path] = []

    # --- the chain -------------------------------------------------------------------------------

    def create(self, code: bytes) -> str:
        receipt = self.sender.send(Call(None, code))
        assert receipt.contract
        return receipt.contract

    def stand_in(self, name: str, types: str, *values: Any) -> str:
        code = bytes.fromhex(CREATION[name][2:])
        return self.create(code + encode(types.split(","), values))

    def mint(self, account: str, amount: int) -> None:
        self.sender.send(Token(self.endpoint, self.token).mint(account, amount))

    def balance(self, account: str) -> int:
        return Token(self.endpoint, self.token).balance(account)

    def ask(self, contract: str, signature: str) -> int:
        returned = self.endpoint.call(Call(contract, calldata(signature)))
        return int.from_bytes(returned[:32], "big")

    def claim_as_payee(self, payee: str, call: Call) -> None:
        """Send a claim from the payee's own account, as it would itself."""
        self.node.ask("anvil_setBalance", payee, ETHER)
        self.node.ask("anvil_impersonateAccount", payee)
        request = {"from": payee, "to": call.to, "data": "0x" + call.data.hex(), "gas": "0xf4240"}
        self.node.ask("eth_sendTransaction", request)
        self.node.finalize()

    def travel(self, seconds: int) -> None:
        self.node.ask("evm_increaseTime", seconds)
        self.node.finalize()

    # --- the season ------------------------------------------------------------------------------

    def publish(self, count: int, distributor: str) -> list[PublishedEpoch]:
        """Publish epochs 1 to `count` of a season that is bound to a contract."""
        self.season.mkdir(exist_ok=True)
        (self.season / "rewards.toml").write_text('format = "wct-season-1"\nname = "one"\n')
        files = epochs.first(CHAIN_ID, self.token, distributor)
        made: list[Path] = []
        for number in range(1, count + 1):
            inputs = files if number == 1 else epochs.later(number, files)
            out = published(self.folder / f"{number}", inputs, made[-1] if made else None)
            place = self.season / "epochs" / f"{number:06d}"
            place.parent.mkdir(exist_ok=True)
            out.rename(place)
            made.append(place)
        return [PublishedEpoch(folder) for folder in made]

    def plan(self, *words: object, code: int = 0) -> Any:
        """Plan; return the plan's file, or what the command says where it ends otherwise."""
        self.node.finalize()
        file = self.treasury.path("plan.json")
        place = ("--season", self.season, "--rpc", self.node.url, "--out", file, "--json")
        done = CliRunner().invoke(rewards, [*map(str, ("plan", *words, *place))])
        if code == 0:
            assert done.exit_code == 0, (done.output, done.exception)
            return file
        assert not file.exists()
        if done.exit_code != code:
            assert isinstance(done.exception, InvalidInput), (done.output, done.exception)
            assert code == 2
        return json.loads(done.stdout) if done.stdout else done.exception

    def does(self, *words: object) -> Plan:
        return self.treasury.carry_out(self.plan(*words))


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    with running(CHAIN_ID) as node:
        endpoint = JsonRpc(node.url)
        yield Operator(node, endpoint, tmp_path)
        endpoint.close()


def test_finding_that_blocks__keeps_another_target_from_being_planned_too(
    operator: Operator, tmp_path: Path
) -> None:
    *_, last = operator.publish(2, SAFE)
    operator.mint(SAFE, last.manifest.cumulative_total)
    code = tmp_path / "airdrop.hex"
    code.write_text(CREATION["StandInAirdrop"] + "\n")
    asked = ["2", "--target", "airdrop", "--action", "deploy", "--sender", operator.sender.address]
    asked += [f"--term={name}={SAFE}" for name in ("admin", "pauser", "reserve")]
    asked += ["--first", f"--term=creation_code={code}"]
    limits = '[concentration]\nseverity = "blocking"\nlimit = "0"\n'
    (operator.season / "checks.toml").write_text(limits)
    told = operator.plan(*asked, code=1)
    found = {check["name"]: check["detail"] for check in told["gate"]["checks"] if not check["ok"]}
    assert "concentration" in found["findings"]
    assert "blocks epoch 1" in found["findings"]  # not the last one alone
    (operator.season / "checks.toml").unlink()
    assert operator.plan(*asked)


# --- WalletConnect's Airdrop -----------------------------------------------------------------


def test_airdrop__two_settlements_pay_everybody_once(operator: Operator, tmp_path: Path) -> None:
    first, _, third = operator.publish(3, SAFE)
    operator.mint(SAFE, third.manifest.cumulative_total)
    code = tmp_path / "airdrop.hex"
    code.write_text(CREATION["StandInAirdrop"] + "\n")
    who = [f"--term={name}={SAFE}" for name in ("admin", "pauser", "reserve")]
    deploy = ["--target", "airdrop", "--action", "deploy", "--sender", operator.sender.address]
    deploy += [*who, f"--term=creation_code={code}"]
    earlier: list[str] = []
    for published_epoch, since in ((first, None), (third, first)):
        epoch, words = str(published_epoch.manifest.epoch), ["--since", "1"] if since else []
        named = [f"--term=earlier={contract}" for contract in earlier]
        plan = parse_plan(operator.plan(epoch, *words, *deploy, *named).read_bytes())
        target = target_for("airdrop", published_epoch, since)
        assert plan.merkle_root == "0x" + (target.root or b"").hex()
        assert plan.gate
        assert [check["name"] for check in plan.gate["checks"]] == ["epochs", "findings", "airdrop"]
        (call,) = plan.calls
        contract = operator.create(call.data)
        assert contract == plan.contract.address
        named = ["--contract", contract, *named]

        stranger = ("--target", "airdrop", "--action", "fund", "--sender", operator.sender.address)
        assert "airdrop" in failed(operator.plan(epoch, *words, *stranger, *named, code=1))
        fund = ("--target", "airdrop", "--action", "fund", "--sender", SAFE)
        assert operator.does(epoch, *words, *fund, *named).totals == target.totals
        assert "airdrop" in failed(operator.plan(epoch, *words, *fund, *named, code=1))
        place: list[object] = [epoch, *words, "--kind", "airdrop", "--season", operator.season]
        place += ["--rpc", operator.node.url, "--contract", contract, "--out"]
        assert run("target", *place, operator.treasury.path("claims.json"))["claims"]
        for claim in target.claims(Terms(contract=contract)):
            assert claim.sender == claim.account
            operator.claim_as_payee(claim.account, claim.call)
        earlier.append(contract)

    owed = {row.account: row.cumulative for row in third.allocations if row.cumulative}
    assert {account: operator.balance(account) for account in owed} == owed
    assert operator.balance(SAFE) == 0

    # The files of every epoch that the second one settles are bound, not the last one's alone.
    assert set(plan.files) == {2, 3}
    assert (plan.epochs.first, plan.epochs.last) == (2, 3)  # type: ignore[union-attr]
    pause = ("3", "--since", "1", "--target", "airdrop", "--action", "pause", "--sender", SAFE)
    operator.does(*pause, "--contract", contract)
    assert operator.ask(contract, "paused()") == 1
    file = operator.treasury.path("claims.json")
    assert "is paused" in str(refused("target", *place, file))
    assert not file.exists()


def test_airdrop__what_is_refused(operator: Operator, tmp_path: Path) -> None:
    operator.publish(2, SAFE)
    code = tmp_path / "airdrop.hex"
    code.write_text(CREATION["StandInAirdrop"])
    who = [f"--term={name}={SAFE}" for name in ("admin", "pauser", "reserve")]
    place = ("--target", "airdrop", "--sender", operator.sender.address, *who)
    deploy = (*place, "--action", "deploy", f"--term=creation_code={code}")
    # The reserve has nothing; and epoch 2 has a predecessor of which nothing is said.
    assert "reserve balance" in failed(operator.plan("1", *deploy, code=1))["airdrop"]
    assert "--since" in str(operator.plan("2", *deploy, code=2))
    for words in (
        (*place, "--action", "propose"),  # no action of this target
        (*place, "--action", "deploy"),  # without the code
        (*deploy, "--term", "colour=red"),
        (*deploy, "--term", "admin=0x12"),
    ):
        assert isinstance(operator.plan("1", *words, code=2), InvalidInput)
    operator.mint(SAFE, 10**30)
    code.write_text("0x5f5ffd")  # reverts
    assert "refuses to be created" in failed(operator.plan("1", *deploy, code=1))["airdrop"]


def forge(folder: Path) -> None:
    """Exchange two payees' amounts in the ledger, and put the manifest right as a forger would."""
    table = folder / "allocations.csv"
    header, *rows = table.read_text().splitlines()
    swapped = [row.split(",") for row in rows]
    swapped[0][1:], swapped[1][1:] = swapped[1][1:], swapped[0][1:]
    table.write_text("\n".join([header, *(",".join(row) for row in swapped)]) + "\n")
    manifest = folder / "manifest.json"
    document = json.loads(manifest.read_bytes())
    document["outputs"]["allocations.csv"] = hashlib.sha256(table.read_bytes()).hexdigest()
    del document["digest"]
    document["digest"] = hashlib.sha256(canonical_json(document)).hexdigest()
    manifest.write_bytes(canonical_json(document))


def test_folder_that_agrees_with_itself_alone__is_recomputed_and_refused(
    operator: Operator,
) -> None:
    contract = operator.stand_in("StandInUrd", "address,uint256", SAFE, TIMELOCK)
    (only,) = operator.publish(1, contract)
    operator.mint(contract, only.manifest.cumulative_total)
    forge(only.folder)
    propose = ("1", "--target", "urd", "--action", "propose", "--sender", SAFE)
    assert "epochs" in failed(operator.plan(*propose, code=1))


# --- Morpho's URD ----------------------------------------------------------------------------


def test_urd__from_the_proposal_to_the_last_claim(operator: Operator) -> None:
    contract = operator.stand_in("StandInUrd", "address,uint256", SAFE, TIMELOCK)
    first, second = operator.publish(2, contract)
    target = ("--target", "urd", "--sender", SAFE)
    propose, activate = (("--action", action, *target) for action in ("propose", "activate"))
    assert "balance" in failed(operator.plan("1", *propose, code=1))["urd"]
    operator.mint(contract, second.manifest.cumulative_total)

    operator.does("1", *propose)
    again = failed(operator.plan("1", *propose, code=1))
    assert "is pending: this epoch's root" in again["urd"]
    operator.does("1", "--action", "veto", *target)
    operator.does("1", *propose)
    assert "cannot be accepted before" in failed(operator.plan("1", *activate, code=1))["urd"]
    operator.travel(TIMELOCK)
    operator.does("1", *activate)
    assert operator.ask(contract, "root()") == int.from_bytes(
        target_for("urd", first).root or b"", "big"
    )

    # The second on top of the first: a forgotten or wrong predecessor is refused.
    assert "--since" in str(operator.plan("2", *propose, code=2))
    assert "urd" in failed(operator.plan("2", "--first", *propose, code=1))
    plan = operator.does("2", "--since", "1", *propose)
    assert plan.totals == target_for("urd", second, first).totals
    assert plan.gate
    assert plan.gate["facts"]["root"] == "0x" + (target_for("urd", first).root or b"").hex()
    operator.travel(TIMELOCK)
    operator.does("2", "--since", "1", *activate)
    for claim in target_for("urd", second, first).claims(Terms()):
        operator.sender.send(claim.call)
    owed = {row.account: row.cumulative for row in second.allocations if row.cumulative}
    assert {account: operator.balance(account) for account in owed} == owed
    assert operator.balance(contract) == 0

    other = operator.plan("2", "--since", "1", *propose, "--contract", SAFE, code=1)
    assert "bound to" in str(other)
    stranger = ("--target", "urd", "--action", "veto", "--sender", operator.sender.address)
    refusal = operator.plan("1", *stranger, code=1)
    assert "neither the owner" in failed(refusal)["urd"]


# --- WalletConnect's RewardManager -----------------------------------------------------------


def test_reward_manager__records_each_epoch_once(operator: Operator) -> None:
    registry = operator.stand_in("StandInRegistry", "uint8,address[]", 50, [])
    contract = operator.stand_in(
        "StandInRewardManager", "address,address,uint256", SAFE, registry, MAX_REWARDS
    )
    operator.publish(2, contract)
    propose = ["--target", "reward-manager", "--action", "propose", "--contract", contract]
    stranger = operator.plan("1", *propose, "--sender", operator.sender.address, code=1)
    assert "is not the owner" in failed(stranger)["reward-manager"]
    propose += ["--sender", SAFE]

    plan = operator.does("1", *propose)
    assert plan.merkle_root is None
    assert plan.gate
    assert any("pays nothing" in said for said in plan.gate["notes"])
    assert operator.ask(contract, "lastUpdatedEpoch()") == 1
    assert "rising epochs only" in failed(operator.plan("1", *propose, code=1))["reward-manager"]
    assert "reward-manager" in failed(operator.plan("2", "--first", *propose, code=1))

    plan = operator.does("2", "--since", "1", *propose, "--score-scale", "percent")
    (record,) = plan.calls[0].arguments
    performance = next(one for one in record.value if one.name == "performance")
    assert all(1 <= int(each) <= 200 for each in performance.value)
    assert operator.ask(contract, "lastUpdatedEpoch()") == 2
    contract_without = ("2", "--since", "1", "--target", "reward-manager", "--action", "propose")
    assert isinstance(operator.plan(*contract_without, "--sender", SAFE, code=2), InvalidInput)
    place = ("--kind", "reward-manager", "--season", operator.season, "--rpc", operator.node.url)
    assert refused("target", "1", *place, "--out", operator.treasury.path("record.json"))
