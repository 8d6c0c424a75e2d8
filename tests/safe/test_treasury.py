"""Every step that a treasury's Safe takes, from the plan to the state of the contract.

The Safe is proposer, guardian, administrator and treasury; its bytecode is Safe's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from rewards.chain.contract import DISTRIBUTOR, TOKEN, interface
from rewards.chain.deployment import Deployment, deploy_toml
from rewards.chain.distributor import CLAIMS_PER_CALL, ProposalStatus
from rewards.chain.network import JsonRpc
from rewards.chain.safe.deployments import VERSIONS
from rewards.chain.safe.export import safe_tx_of
from rewards.chain.safe.hashes import DELEGATECALL
from rewards.errors import CheckFailed
from tests.builders import address
from tests.chain.anvil import KEY, running
from tests.commands import refused, run
from tests.plan.operator import PASSWORD, Operator
from tests.plan.world import ATTESTERS, BURST, DELAY, World
from tests.safe.treasury import CHAIN_ID, COUNCIL, SAFE, Treasury

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rewards.chain.plan import Plan
    from rewards.chain.sender import Sender

SECOND_GUARDIAN = "0x" + "99" * 20
PAYEES = {address(number): number * 10**18 for number in range(1, CLAIMS_PER_CALL + 8)}
TOTAL = sum(PAYEES.values())


@dataclass
class Office(Operator):
    """Prepares what the Safe's owners sign; holds no key that could do anything."""

    treasury: Treasury

    def does(self, *words: object, sender: Sender | None = None) -> Plan:
        """Plan something and have the Safe do it."""
        assert sender is None
        return self.treasury.carry_out(self.plan_file(*words))


@pytest.fixture(params=VERSIONS)
def operator(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Office]:
    """A Safe with all the tokens, and a contract that the Safe itself has deployed."""
    monkeypatch.setenv("REWARDS_KEYSTORE_PASSWORD", PASSWORD)
    with running(CHAIN_ID) as node:
        endpoint = JsonRpc(node.url)
        treasury = Treasury.create(node, tmp_path / "signers", request.param)
        world = World.create(endpoint, tmp_path / "season", key=KEY, threshold=2)
        world.send(world.token.mint(SAFE, 2 * TOTAL))
        config = replace(
            world.config(world.target.token),
            admin=SAFE,
            treasury=SAFE,
            proposers=(SAFE,),
            guardians=tuple(sorted((SAFE, SECOND_GUARDIAN))),
            attesters=tuple(sorted((COUNCIL, *(one.address.lower() for one in ATTESTERS)))),
        )
        file = tmp_path / "deploy.toml"
        file.write_bytes(deploy_toml(Deployment(CHAIN_ID, config, bytes(32))))
        place = ("--config", file, "--rpc", node.url, "--season", world.folder)
        plan = treasury.path("deploy.json")
        planned = run("deploy", *place, "--safe", SAFE, "--plan", plan)
        treasury.carry_out(plan)
        deployed = run("deploy", *place)
        assert deployed["distributor"] == planned["distributor"]
        assert deployed["deterministic"] is True
        world.target = world.season.settlement()
        assert world.target.distributor == deployed["distributor"]
        yield Office(node, world, treasury.folder, treasury)
        endpoint.close()


def test_season__from_the_deployment_to_the_last_sweep(operator: Office) -> None:
    world, does = operator.world, operator.does
    contract = world.distributor
    published = world.publish(1, PAYEES)
    manifest = published.manifest

    # Fund, propose with two attestations, veto, propose again.
    assert does("--action", "fund", 1, "--sender", SAFE).totals["amount"] == TOTAL
    assert world.token.balance(contract.address) == TOTAL
    propose = ("--action", "propose", 1, "--sender", SAFE)
    does(*propose, *operator.attest(1, 0, 2))
    pending = contract.pending()
    there = ("0x" + pending.root.hex(), "0x" + pending.manifest_hash.hex(), pending.attempt)
    assert there == (manifest.root, manifest.hash, 1)
    does("--action", "veto", "--reason", "a drill")
    assert contract.pending().status is ProposalStatus.VETOED
    again = does(*propose, *operator.attest(1, 0, 1))
    assert again.totals["attempt"] == contract.pending().attempt == 2

    operator.travel(DELAY)
    does("--action", "activate", 1)
    active = contract.active()
    assert (active.epoch, active.cumulative_total) == (1, TOTAL)

    # All claims: several calls, hence MultiSendCallOnly.
    claims = does("--action", "claim_many", 1, "--sender", SAFE)
    assert len(claims.calls) == 2
    assert safe_tx_of(claims, SAFE, operator.treasury.version, 0).operation == DELEGATECALL
    assert contract.active().outstanding == 0
    assert {a: world.token.balance(a) for a in PAYEES} == PAYEES

    # The brakes.
    does("--action", "pause", "--no-activation")
    settings = contract.settings()
    assert settings.claims_paused_until > settings.activation_paused_until == 0
    does("--action", "unpause")
    assert contract.settings().claims_paused_until == 0

    # The admin: a larger cap, announced, withdrawn, announced again and made.
    change = ("--change", "setCap", "--with", 2 * BURST, "--with", 5)
    does("--action", "schedule", *change)
    does("--action", "cancel", *change)
    does("--action", "schedule", *change)
    operator.travel(3)
    does("--action", "configure", *change)
    assert (contract.settings().cap_burst, contract.settings().cap_per_day) == (2 * BURST, 5)
    does("--action", "configure", "--change", "setProposer", "--with", SAFE, "--with", "false")
    retire = interface(DISTRIBUTOR).call(contract.address, "retire")
    does("--action", "schedule", "--change", "retire")
    assert contract.scheduled_at(retire.data)

    # What was sent too much goes back; and what is left once the contract is retired.
    does("--action", "fund", "--sender", SAFE, "--amount", 7)
    swept = does("--action", "sweep", "--sender", SAFE)
    assert swept.totals["amount"] == 7 * 10**18
    assert world.token.balance(contract.address) == 0
    assert world.token.balance(SAFE) == TOTAL
    operator.travel(3)
    does("--action", "retire")
    assert contract.settings().retired


def test_proposal__is_attested_by_a_safe(operator: Office) -> None:
    """A council that is a Safe signs on its owners' devices; contract and commands accept it."""
    world, place = operator.world, operator.place
    council = Treasury.create(
        operator.node, operator.folder / "council", operator.treasury.version, COUNCIL
    )
    world.publish(1, {address(1): 5})
    operator.does("--action", "fund", 1, "--sender", SAFE)
    to_sign, file = council.path("to-sign.json"), council.path("attestation.json")
    digest = run("attest", 1, *place, "--typed-data", "--out", to_sign)["digest"]
    signature = council.sign_message(bytes.fromhex(digest[2:]))
    words = ("attest", 1, *place, "--attester", COUNCIL, "--out", file, "--signature")
    wrong = refused(*words, "0x" + signature[:-1].hex() + "1d")
    assert isinstance(wrong, CheckFailed)
    run(*words, "0x" + signature.hex())
    attested = [*operator.attest(1, 1), "--attestations", file]
    counted = run("verify", 1, *place, *attested)
    assert sorted(counted["attestations"]["good"]) == sorted(
        (COUNCIL, ATTESTERS[1].address.lower())
    )
    operator.does("--action", "propose", 1, "--sender", SAFE, *attested)
    assert world.distributor.pending().status is ProposalStatus.PENDING


def test_fund__takes_from_a_funder_who_allowed_it(operator: Office) -> None:
    world = operator.world
    world.publish(1, {address(1): 5})
    world.send(world.token.mint(world.me, 5))
    fund: tuple[Any, ...] = ("--action", "fund", 1, "--sender", SAFE, "--funder", world.me)
    approve = interface(TOKEN).call(world.target.token, "approve", SAFE, 5)
    world.send(approve)
    operator.does(*fund)
    assert world.token.balance(world.target.distributor) == 5
