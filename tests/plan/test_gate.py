"""The gate: it passes what is right, and each check catches what it is there for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rewards.audit.checks.reviewer import reviewer_for
from rewards.chain.agreement import Sight
from rewards.chain.embedded import EmbeddedChain
from rewards.chain.endpoint import Simulated
from rewards.chain.errors import decode_revert
from rewards.settling.gate import ProposalGate, Request
from rewards.settling.history import within
from tests.builders import address
from tests.plan.world import BURST, World

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.chain.endpoint import Call, Endpoint
    from rewards.settling.verdict import Verdict

ANN, BEN, EVE = address(1), address(2), address(3)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Epoch 1 is settled and half claimed, epochs 2 and 3 are published."""
    return settled_world(tmp_path)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The same, for tests that change nothing."""
    return settled_world(tmp_path_factory.mktemp("settled"))


def settled_world(folder: Path) -> World:
    world = World.create(EmbeddedChain(), folder)
    world.publish(1, {ANN: 700, BEN: 300})
    world.settle(1)
    world.claim(1, ANN)
    world.publish(2, {BEN: 50})
    world.publish(3, {EVE: 30})
    world.fund(80)
    return world


def gate(world: World, epoch: int = 3, **changes: object) -> Verdict:
    sight = Sight.at_final_block([world.endpoint], world.target.chain_id)
    request = Request(world.published(epoch), within(world.season), world.me)
    return ProposalGate(replace(request, **changes), sight).run()  # type: ignore[arg-type]


def failed(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if not check.ok}


def detail(verdict: Verdict, name: str) -> str:
    return next(check.detail for check in verdict.checks if check.name == name)


def test_two_epochs_on_top_of_the_active_one__pass(settled: World) -> None:
    verdict = gate(settled)
    assert not failed(verdict), verdict.as_json()
    assert "epochs 2 to 3, on top of epoch 1" in detail(verdict, "history")
    assert "3 claims" in detail(verdict, "simulation")
    assert "0.00000000000000038 " in detail(verdict, "simulation")  # 350 + 30 base units


def test_epoch_1__from_nothing(tmp_path: Path) -> None:
    world = World.create(EmbeddedChain(), tmp_path)
    world.publish(1, {ANN: 7})
    world.fund(7)
    verdict = gate(world, 1)
    assert not failed(verdict), verdict.as_json()
    assert "from the first one on" in detail(verdict, "history")


def test_predecessor_not_at_hand__fails(settled: World) -> None:
    verdict = gate(settled, find=lambda _: None)
    assert "history" in failed(verdict)
    assert "not at hand" in detail(verdict, "history")


def test_gap_at_the_first_epoch__fails(tmp_path: Path) -> None:
    world = World.create(EmbeddedChain(), tmp_path, initial_epoch=4)
    world.publish(1, {ANN: 7})
    world.fund(7)
    assert "history" in failed(gate(world, 1))


def test_another_history_than_the_activated_one__fails(settled: World, tmp_path: Path) -> None:
    other = World.create(EmbeddedChain(), tmp_path / "other")
    other.target = settled.target
    other.publish(1, {ANN: 699, BEN: 301})
    other.publish(2, {BEN: 50})
    verdict = gate(settled, last=other.published(2), find=within(other.season))
    assert "is not what was activated" in detail(verdict, "history")
    assert {"simulation", "claimed"} <= failed(verdict)  # not made on a wrong history


def test_altered_file_of_an_epoch_in_between__fails(world: World) -> None:
    table = world.season.epoch(2) / "nodes.csv"
    table.write_bytes(table.read_bytes() + b"\n")
    assert "history" in failed(gate(world))


def test_settled_epoch__fails(settled: World) -> None:
    assert "settled already" in detail(gate(settled, 1), "history")


def test_pending_proposal__fails(world: World) -> None:
    world.propose(2)
    assert failed(gate(world)) == {"nothing_pending", "simulation"}


def test_vetoed_proposal__is_proposed_as_the_next_attempt(world: World) -> None:
    world.propose(2)
    from rewards.chain.contract import DISTRIBUTOR, interface

    veto = interface(DISTRIBUTOR).call(world.target.distributor, "veto", 2, 1, "wrong")
    world.send(veto)
    sight = Sight.at_final_block([world.endpoint], world.target.chain_id)
    made = ProposalGate(Request(world.published(3), within(world.season), world.me), sight)
    assert not failed(made.run())
    assert made.proposal.attempt == 2


def test_epoch_that_has_not_ended__fails(world: World) -> None:
    from rewards.files.epoch import compute_folder, publish_epoch
    from rewards.files.inputs import canonical_inputs
    from rewards.files.publish import publish
    from rewards.rules.records import Window
    from tests.builders import DAY, START, header

    head = header(epoch=4, genesis=False, window=Window(START + 3 * DAY, START + 10_000 * DAY))
    publish(world.season.inputs(4), canonical_inputs(world.inputs_of(4, {ANN: 1}, header=head)))
    made = compute_folder(world.season.inputs(4), world.season.previous(4))
    publish_epoch(made, world.season.epoch(4))
    world.fund(1)
    assert failed(gate(world, 4)) == {"epoch_ended"}


def test_missing_funds__fail_unless_a_funder_has_them(world: World) -> None:
    world.publish(4, {ANN: 1000})
    verdict = gate(world, 4)
    assert failed(verdict) == {"funding", "simulation"}
    assert "0.000000000000001 TEST are missing" in detail(verdict, "funding").replace(
        "tWCT", "TEST"
    )
    world.send(world.token.mint(world.me, 1000))
    verdict = gate(world, 4, funder=world.me)
    assert not failed(verdict), verdict.as_json()


def test_funder_that_allows_too_little__fails(world: World) -> None:
    world.publish(4, {ANN: 1000})
    other = address(77)
    world.send(world.token.mint(other, 5000))
    assert "funding" in failed(gate(world, 4, funder=other))


def test_stranger_as_sender__fails(settled: World) -> None:
    assert failed(gate(settled, sender=address(9))) == {"sender", "simulation"}


def test_rise_above_the_cap__fails(world: World) -> None:
    world.publish(4, {ANN: BURST})
    world.fund(BURST)
    assert failed(gate(world, 4)) == {"cap", "simulation"}


def test_retired_contract__fails(world: World) -> None:
    from rewards.chain.contract import DISTRIBUTOR, interface

    retire = interface(DISTRIBUTOR).call(world.target.distributor, "retire")
    schedule = interface(DISTRIBUTOR).call(world.target.distributor, "schedule", retire.data)
    world.send(schedule)
    world.endpoint.wait_until(world.distributor.scheduled_at(retire.data))
    world.send(retire)
    assert failed(gate(world)) == {"contract"}


def test_another_contract__fails(tmp_path: Path) -> None:
    world = World.create(EmbeddedChain(), tmp_path)
    world.target = replace(world.target, distributor=world.target.token, token=address(5))
    world.publish(1, {ANN: 1})
    verdict = gate(world, 1)
    assert failed(verdict) == {"contract"}
    assert "no EpochDistributor of this version" in detail(verdict, "contract")


def test_account_paid_more_than_it_is_entitled_to__fails(settled: World) -> None:
    sight = Sight.at_final_block([settled.endpoint], settled.target.chain_id)
    made = ProposalGate(Request(settled.published(3), within(settled.season), settled.me), sight)
    made.__dict__["claimed"] = {ANN: 701, BEN: 0, EVE: 0}
    verdict = made.run()
    assert "claimed" in failed(verdict)
    assert ANN in detail(verdict, "claimed")


def test_payee_with_code_on_another_chain_alone__fails_unless_accepted(tmp_path: Path) -> None:
    from rewards.chain.accounts import developer_account
    from rewards.chain.distributor import Token
    from rewards.chain.embedded import DEVELOPER_KEYS
    from rewards.chain.sender import Sender

    other = EmbeddedChain()
    elsewhere = Sender(other, developer_account(DEVELOPER_KEYS[1]), other.chain_id())
    wallet = elsewhere.send(Token.deployment()).contract
    assert wallet
    world = World.create(EmbeddedChain(), tmp_path)
    world.publish(1, {ANN: 7, wallet: 3})  # type: ignore[dict-item]
    world.fund(10)
    verdict = gate(world, 1, others=(other,))
    assert failed(verdict) == {"payees"}
    assert wallet in detail(verdict, "payees")
    assert not failed(gate(world, 1, others=(other,), accepted=frozenset({wallet})))


def test_restricted_token__is_seen_before_and_in_the_simulation(tmp_path: Path) -> None:
    from rewards.chain.endpoint import Call
    from rewards.merkle.keccak import keccak256
    from tests.contracts.chain import artifact

    chain = EmbeddedChain()
    world = World.create(chain, tmp_path / "first")
    creation = bytes.fromhex(artifact("test/RestrictedToken")["bytecode"].removeprefix("0x"))
    token = world.created(Call(None, creation))
    world = World.create(chain, tmp_path / "second", token=token)
    world.publish(1, {ANN: 7, BEN: 3})
    world.fund(10)
    verdict = gate(world, 1)
    assert failed(verdict) == {"transfers", "simulation"}
    assert "TransferRestricted" in detail(verdict, "simulation")
    allow = keccak256(b"setAllowedFrom(address,bool)")[:4]
    words = bytes.fromhex(world.target.distributor[2:]).rjust(32, b"\0") + b"\1".rjust(32, b"\0")
    world.send(Call(token, allow + words))
    assert not failed(gate(world, 1))


class Liar:
    """An endpoint that agrees on the block and lies about a balance."""

    name = "liar.example"

    def __init__(self, truth: EmbeddedChain) -> None:
        self._truth = truth

    def __getattr__(self, name: str) -> object:
        return getattr(self._truth, name)

    def call(self, call: Call, at: int | str = "latest", sender: str | None = None) -> bytes:
        returned = self._truth.call(call, at, sender)
        lies = call.data[:4] == BALANCE_OF and len(returned) == 32
        return (int.from_bytes(returned, "big") + 1).to_bytes(32, "big") if lies else returned


BALANCE_OF = bytes.fromhex("70a08231")


def test_endpoints_that_disagree__fail(settled: World) -> None:
    chain = settled.endpoint
    assert isinstance(chain, EmbeddedChain)
    sight = Sight.at_final_block([chain, Liar(chain)], settled.target.chain_id)  # type: ignore[list-item]
    request = Request(settled.published(3), within(settled.season), settled.me)
    verdict = ProposalGate(request, sight).run()
    assert "liar.example" in detail(verdict, "contract")


def test_simulation_that_is_not_offered__is_a_named_refusal(settled: World) -> None:
    verdict = seen_by(settled, copy_of(settled, "plain.example", simulate=lambda *_: None))
    assert failed(verdict) == {"simulation"}
    assert "NoSimulation" in detail(verdict, "simulation")


def copy_of(world: World, name: str, **altered: object) -> EmbeddedChain:
    """Return another endpoint of the same chain, with answers of its own."""

    class Copy(EmbeddedChain):
        def __init__(self) -> None:
            self.__dict__.update(world.endpoint.__dict__)

    Copy.name = name
    for method, answer in altered.items():
        setattr(Copy, method, answer)
    return Copy()


def seen_by(world: World, *endpoints: Endpoint) -> Verdict:
    sight = Sight.at_final_block(endpoints, world.target.chain_id)
    request = Request(world.published(3), within(world.season), world.me)
    return ProposalGate(request, sight).run()


def test_simulation__is_run_by_every_endpoint(settled: World) -> None:
    verdict = seen_by(settled, settled.endpoint, copy_of(settled, "second.example"))
    assert not failed(verdict), verdict.as_json()
    assert "run by the embedded chain, second.example at" in detail(verdict, "simulation")


@pytest.mark.parametrize("liar_first", [True, False])
def test_simulation__an_endpoint_that_comes_to_something_else__fails(
    settled: World, liar_first: bool
) -> None:
    def simulate(self: EmbeddedChain, *asked: Any) -> list[list[Simulated]]:
        *before, after = EmbeddedChain.simulate(self, *asked)
        return [*before, [Simulated(b"", decode_revert(b"")), *after[1:]]]

    endpoints = [settled.endpoint, copy_of(settled, "second.example", simulate=simulate)]
    verdict = seen_by(settled, *(endpoints[::-1] if liar_first else endpoints))
    assert failed(verdict) == {"simulation"}
    said = detail(verdict, "simulation")
    for part in (
        "second.example",
        "the embedded chain",
        "3 claims for 380 base units and 0 refusals",
        "1 refusal",
        f"simulated: {min(ANN, BEN, EVE)}: the contract refuses with Revert()",
    ):
        assert part in said


def test_simulation__an_endpoint_that_cannot__is_named(settled: World) -> None:
    unable = copy_of(settled, "second.example", simulate=lambda *_: None)
    verdict = seen_by(settled, settled.endpoint, unable)
    assert not failed(verdict)
    said = detail(verdict, "simulation")
    assert "run by the embedded chain (second.example can simulate nothing)" in said


# --- the checks, under the limits that hold when the proposal is planned ------------------------

NEW_PAYEE = '[new_payee]\nseverity = "blocking"\nlimit = "0"\n'


def waiver(subject: str, epoch: int) -> str:
    return (
        f'[[waiver]]\ncheck = "new_payee"\nsubject = "{subject}"\nepoch = {epoch}\n'
        'reason = "known since ticket 17"\napprover = "Council"\n'
    )


def reviewed(world: World, epoch: int, checks: str, waivers: str = "") -> Verdict:
    (world.folder / "checks.toml").write_text(checks)
    (world.folder / "waivers.toml").write_text(waivers)
    return gate(world, epoch, reviewer=reviewer_for(None, season=world.folder))


def test_finding_under_the_present_limits__blocks_until_it_is_waived(world: World) -> None:
    world.publish(4, {BEN: 1})
    world.fund(1)
    assert detail(gate(world, 4), "findings") == "nothing found"
    verdict = reviewed(world, 4, NEW_PAYEE)
    assert failed(verdict) == {"findings"}
    blocked = next(check for check in verdict.checks if check.name == "findings")
    assert f"check new_payee: '{EVE}' blocks epoch 3" in blocked.detail
    assert "`rewards restate`" in blocked.remedy
    assert "waivers.toml" in blocked.remedy

    of_another_epoch = reviewed(world, 4, NEW_PAYEE, waiver(EVE, 4))
    assert failed(of_another_epoch) == {"findings"}
    waived = reviewed(world, 4, NEW_PAYEE, waiver(EVE, 3))
    assert not failed(waived), waived.as_json()
    assert detail(waived, "findings") == "1 waived"
    assert waived.notes == [
        f"epoch 3: new_payee of {EVE} is waived by Council: known since ticket 17"
    ]


def test_finding_that_does_not_block__is_counted(settled: World, tmp_path: Path) -> None:
    (tmp_path / "checks.toml").write_text(NEW_PAYEE.replace("blocking", "warning"))
    loud = reviewer_for(None, checks=tmp_path / "checks.toml")
    verdict = gate(settled, reviewer=loud)
    assert not failed(verdict)
    assert detail(verdict, "findings") == "1 warning"


def test_waiver_that_was_withdrawn_after_publication__is_missed(tmp_path: Path) -> None:
    world = World.create(EmbeddedChain(), tmp_path)
    (tmp_path / "checks.toml").write_text(NEW_PAYEE)
    many = [address(number) for number in range(10, 18)]
    (tmp_path / "waivers.toml").write_text("\n".join(waiver(account, 2) for account in many))
    world.publish(1, {ANN: 7})
    world.publish(2, dict.fromkeys(many, 1))
    world.fund(15)
    assert detail(gate(world, 2), "findings") == "8 waived"  # as it was published
    verdict = reviewed(world, 2, NEW_PAYEE)
    assert failed(verdict) == {"findings"}
    assert all(f"'{account}' blocks epoch 2" in detail(verdict, "findings") for account in many)
    assert not failed(reviewed(world, 2, ""))  # no limit blocks
