"""Attesting: the digest is the contract's, the folder is enough, and only good ones count."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from rewards.chain.agreement import Sight
from rewards.chain.attestation import Attestation, Statement, recovered, sign
from rewards.chain.embedded import EmbeddedChain
from rewards.cli.attest import command
from rewards.cli.verify import command as verify_command
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.published import PublishedEpoch
from rewards.settling.attesting import (
    Place,
    count_offline,
    count_on_chain,
    place_on_chain,
    recomputed_statement,
)
from rewards.settling.gate import ProposalGate, Request
from rewards.settling.history import within
from tests.builders import address
from tests.plan.world import ATTESTERS, World, key

if TYPE_CHECKING:
    from pathlib import Path

ANN, BEN = address(1), address(2)
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two of three attesters are needed; epoch 1 is settled, epochs 2 and 3 are published."""
    folder = tmp_path_factory.mktemp("season")
    world = World.create(EmbeddedChain(), folder, threshold=2)
    world.publish(1, {ANN: 700})
    statement = recomputed_statement(world.published(1), Place(0, 1), within(world.season))
    world.settle(1, tuple(sign(statement, one) for one in ATTESTERS[:2]))
    world.publish(2, {BEN: 300})
    world.publish(3, {BEN: 5})
    world.fund(305)
    return world


def alone(_: PublishedEpoch) -> None:
    """Find no predecessor: an auditor has the one folder."""


def statement_of(world: World, epoch: int = 2) -> Statement:
    return recomputed_statement(world.published(epoch), Place(1, 1), within(world.season))


def sight(world: World) -> Sight:
    return Sight.at_final_block([world.endpoint], world.target.chain_id)


@pytest.mark.parametrize("epoch", [2, 3])
def test_digest__is_that_of_the_contract(world: World, epoch: int) -> None:
    statement = statement_of(world, epoch)
    assert statement.digest == world.distributor.attestation_digest(statement.proposal)
    assert statement.rise == (300 if epoch == 2 else 305)


def test_folder_alone__is_enough_for_the_next_epoch(world: World) -> None:
    alone_ = recomputed_statement(world.published(2), Place(1, 1), alone)
    assert alone_ == statement_of(world)


def test_folder_alone__is_not_enough_for_several_epochs(world: World) -> None:
    with pytest.raises(CheckFailed, match="not at hand"):
        recomputed_statement(world.published(3), Place(1, 1), alone)


def test_altered_folder__is_not_attested(world: World, tmp_path: Path) -> None:
    copy = tmp_path / "000002"
    shutil.copytree(world.season.epoch(2), copy)
    table = copy / "allocations.csv"
    table.write_bytes(table.read_bytes().replace(b"300", b"301"))
    with pytest.raises((CheckFailed, InvalidInput)):
        recomputed_statement(PublishedEpoch(copy), Place(1, 1), alone)


def test_place__is_taken_from_the_chain_and_held_against_what_was_said(world: World) -> None:
    place = place_on_chain(sight(world), world.published(2), None, None)
    assert (place.previous_epoch, place.attempt) == (1, 1)
    with pytest.raises(CheckFailed, match="--attempt"):
        place_on_chain(sight(world), world.published(2), 1, 2)


def test_another_history_than_the_chains__is_not_attested(world: World, tmp_path: Path) -> None:
    other = World.create(EmbeddedChain(), tmp_path)
    other.target = world.target
    other.publish(1, {ANN: 699})
    other.publish(2, {BEN: 300})
    place = place_on_chain(sight(world), other.published(2), None, None)
    for find in (alone, within(other.season)):
        with pytest.raises(CheckFailed, match=r"predecessor|activated"):
            recomputed_statement(other.published(2), place, find)


def test_file__is_read_back__and_a_changed_byte_is_refused(world: World) -> None:
    attestation = sign(statement_of(world), ATTESTERS[0])
    content = attestation.to_bytes()
    assert Attestation.from_bytes(content, "a.json") == attestation
    others = {ATTESTERS[0].address.lower()}
    for place in range(0, len(content), 2):
        changed = bytearray(content)
        changed[place] ^= 1
        try:
            read = Attestation.from_bytes(bytes(changed), "a.json")
        except InvalidInput:
            continue
        assert count_offline(world.published(2), [read], others, 1).findings, place


def test_m_of_n__offline(world: World) -> None:
    published, statement = world.published(2), statement_of(world)
    named = [one.address.lower() for one in ATTESTERS]
    first, second = (sign(statement, one) for one in ATTESTERS[:2])
    assert not count_offline(published, [first, second], named, 2).findings
    few = count_offline(published, [first, first], named, 2)
    assert few.good == (first.attester,)
    assert "too few" in str(few.findings[0])
    stranger = sign(statement, key(9))
    assert "nobody among" in str(count_offline(published, [stranger], named, 1).findings[0])
    stolen = replace(first, attester=second.attester)
    assert "not signed" in str(count_offline(published, [stolen], named, 1).findings[0])
    other_epoch = sign(statement_of(world, 3), ATTESTERS[0])
    assert count_offline(published, [other_epoch], named, 1).findings


def test_twin_of_a_signature__is_refused_as_the_contract_does(world: World) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    good = sign(statement_of(world), ATTESTERS[0])
    s = order - int.from_bytes(good.signature[32:64], "big")
    twin = good.signature[:32] + s.to_bytes(32, "big") + bytes([55 - good.signature[64]])
    assert recovered(replace(good, signature=twin)) is None
    assert recovered(replace(good, signature=good.signature[:64])) is None


def test_m_of_n__by_the_contracts_own_list(world: World) -> None:
    published, statement = world.published(2), statement_of(world)
    good = [sign(statement, one) for one in ATTESTERS[:2]]
    counted = count_on_chain(published, good, sight(world))
    assert (counted.threshold, counted.findings) == (2, ())
    stranger = sign(statement, key(9))
    counted = count_on_chain(published, [*good, stranger], sight(world))
    assert "no attester of the contract" in str(counted.findings[0])
    second_try = replace(statement, proposal=replace(statement.proposal, attempt=2))
    counted = count_on_chain(published, [sign(second_try, ATTESTERS[0])], sight(world))
    assert "attempt 2" in str(counted.findings[0])


def test_gate__asks_for_attestations_and_proposes_with_them(world: World) -> None:
    statement = statement_of(world)
    good = tuple(sign(statement, one) for one in ATTESTERS)
    request = Request(world.published(2), within(world.season), world.me)
    without = ProposalGate(request, sight(world)).run()
    assert {c.name for c in without.checks if not c.ok} == {"attestations", "simulation"}
    gate = ProposalGate(replace(request, attestations=good), sight(world))
    assert gate.run().ok
    assert len(gate.attestations) == 2  # each costs gas; the contract needs no more


def test_wallet_with_code__attests_by_erc_1271(tmp_path: Path) -> None:
    from rewards.chain.contract import encode
    from rewards.chain.endpoint import Call
    from tests.contracts.chain import artifact

    chain = EmbeddedChain()
    world = World.create(chain, tmp_path / "first")
    creation = bytes.fromhex(artifact("test/Wallet1271")["bytecode"].removeprefix("0x"))
    owner = encode(["address"], [ATTESTERS[0].address])
    wallet = world.created(Call(None, creation + owner))
    world = World.create(chain, tmp_path / "second", threshold=1, attesters=(wallet,))
    published = world.publish(1, {ANN: 7})
    world.fund(7)
    statement = recomputed_statement(published, Place(0, 1), alone)
    attestation = replace(sign(statement, ATTESTERS[0]), attester=wallet)
    assert "needs --rpc" in str(count_offline(published, [attestation], [wallet], 1).findings[0])
    assert not count_on_chain(published, [attestation], sight(world)).findings
    request = Request(published, alone, world.me, attestations=(attestation,))
    assert ProposalGate(request, sight(world)).run().ok
    forged = replace(sign(statement, ATTESTERS[1]), attester=wallet)
    assert count_on_chain(published, [forged], sight(world)).findings


# --- the command -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from eth_account import Account

    path = tmp_path_factory.mktemp("keys") / "key.json"
    path.write_text(json.dumps(Account.encrypt(ATTESTERS[0].key, PASSWORD, iterations=2)))
    return path


def test_command__attests__and_verify_counts(
    world: World, keystore: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWARDS_KEYSTORE_PASSWORD", PASSWORD)
    out, file = str(world.season.epoch(2)), tmp_path / "mine.json"
    place = ["--previous-epoch", "1", "--attempt", "1"]
    run = CliRunner().invoke(
        command, [out, *place, "--keystore", str(keystore), "--out", str(file), "--json"]
    )
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["rise"] == "300"
    named = ["--attestations", str(file), "--attesters", ATTESTERS[0].address]
    verified = CliRunner().invoke(verify_command, [out, *named, "--threshold", "1", "--json"])
    assert verified.exit_code == 0, verified.output
    assert json.loads(verified.stdout)["attestations"]["good"] == [ATTESTERS[0].address.lower()]
    other = ["--attestations", str(file), "--attesters", ATTESTERS[1].address]
    verified = CliRunner().invoke(verify_command, [out, *other, "--threshold", "1", "--json"])
    assert verified.exit_code == 1


def test_command__typed_data_signed_elsewhere_comes_back_as_an_attestation(
    world: World, tmp_path: Path
) -> None:
    from eth_account import Account

    out, file = str(world.season.epoch(2)), tmp_path / "to-sign.json"
    place = ["--previous-epoch", "1", "--attempt", "1"]
    run = CliRunner().invoke(command, [out, *place, "--typed-data", "--out", str(file)])
    assert run.exit_code == 0, run.output
    typed = json.loads(file.read_text())
    typed["domain"]["chainId"] = int(typed["domain"]["chainId"])
    signed = Account.sign_typed_data(ATTESTERS[2].key, full_message=typed)
    back = tmp_path / "theirs.json"
    signature = "0x" + bytes(signed.signature).hex()
    who = ["--attester", ATTESTERS[2].address, "--signature", signature]
    run = CliRunner().invoke(command, [out, *place, *who, "--out", str(back)])
    assert run.exit_code == 0, run.output
    read = Attestation.from_bytes(back.read_bytes(), "theirs.json")
    assert recovered(read) == ATTESTERS[2].address.lower()


NEW_PAYEE = '[new_payee]\nseverity = "blocking"\nlimit = "0"\n'
WAIVER = (
    f'[[waiver]]\ncheck = "new_payee"\nsubject = "{BEN}"\nepoch = 2\n'
    'reason = "known since ticket 17"\napprover = "Council"\n'
)


def test_command__holds_the_epoch_against_the_checks_of_the_season(
    world: World, tmp_path: Path
) -> None:
    season = tmp_path / "season"
    shutil.copytree(world.folder, season)
    (season / "checks.toml").write_text(NEW_PAYEE)
    file = tmp_path / "to-sign.json"
    asked = [
        *(str(season / "epochs" / "000002"), "--previous-epoch", "1", "--attempt", "1"),
        *("--typed-data", "--out", str(file), "--json"),
    ]
    run = CliRunner().invoke(command, asked)
    assert isinstance(run.exception, CheckFailed)
    (finding,) = run.exception.findings
    assert (finding.file, finding.value) == ("check new_payee", BEN)
    assert "`rewards restate`" in finding.remedy
    assert not file.exists()

    waivers = tmp_path / "waivers.toml"
    waivers.write_text(WAIVER)
    run = CliRunner().invoke(command, [*asked, "--waivers", str(waivers)])
    assert run.exit_code == 0, (run.output, run.exception)
    told = json.loads(run.stdout)
    assert told["checks"] == "1 waived"
    assert told["notes"] == [
        f"epoch 2: new_payee of {BEN} is waived by Council: known since ticket 17"
    ]


def test_command__takes_the_place_from_the_chain(
    keystore: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rewards.chain.network import JsonRpc
    from tests.chain.anvil import KEY, running

    monkeypatch.setenv("REWARDS_KEYSTORE_PASSWORD", PASSWORD)
    with running() as node:
        endpoint = JsonRpc(node.url)
        world = World.create(endpoint, tmp_path / "season", key=KEY, threshold=1)
        published = world.publish(1, {ANN: 5})
        node.finalize()
        out, file = str(published.folder), str(tmp_path / "mine.json")
        asked = [out, "--rpc", node.url, "--keystore", str(keystore), "--out", file, "--json"]
        run = CliRunner().invoke(command, asked)
        assert run.exit_code == 0, (run.output, run.exception)
        told = json.loads(run.stdout)
        assert (told["previous_epoch"], told["attempt"], told["rise"]) == ("0", "1", "5")
        checked = CliRunner().invoke(
            verify_command, [out, "--rpc", node.url, "--attestations", file, "--json"]
        )
        assert checked.exit_code == 0, checked.output
        assert json.loads(checked.stdout)["attestations"]["threshold"] == "1"
        endpoint.close()
