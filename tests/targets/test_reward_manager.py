"""WalletConnect's RewardManager: who is recorded, what the contract makes of it, the checks."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from eth_abi.abi import decode, encode
from eth_utils.abi import function_signature_to_4byte_selector

from rewards.chain.endpoint import Call
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.documents import canonical_json
from rewards.rules.integers import WAD
from rewards.targets.kinds import target_for
from rewards.targets.reward_manager import (
    POST_RECORDS,
    Entry,
    NodeScore,
    RewardManager,
    ScoreScale,
    merged,
    read_scores,
    shares,
)
from rewards.targets.settling import Since, read_settling
from rewards.targets.target import Terms
from tests.targets import epochs
from tests.targets.chain import Chain, Refused, payee

if TYPE_CHECKING:
    from rewards.files.published import PublishedEpoch

OWNER, STRANGER = 1, 2
NOBODY = "0x" + "00" * 20
MAX_REWARDS = 1_000 * 10**18 + 1


@dataclass
class World:
    chain: Chain
    terms: Terms

    @classmethod
    def create(
        cls, chain: Chain, most: int = 50, max_rewards: int = MAX_REWARDS, *, registry: bool = True
    ) -> World:
        known = [payee(number) for number in range(2)]
        config = chain.stand_in("StandInRegistry", "uint8,address[]", most, known)
        contract = chain.stand_in(
            "StandInRewardManager",
            "address,address,uint256",
            chain.people[OWNER],
            config if registry else NOBODY,
            max_rewards,
        )
        return cls(chain, Terms(contract=contract, sender=chain.people[OWNER]))

    def target(self, *performance: int, epoch: int = 1, since: int = 0) -> RewardManager:
        entries = sorted((payee(i), value) for i, value in enumerate(performance))
        settling = epochs.settling([1], chain_id=self.chain.chain_id(), token=self.chain.token)
        before = Since(since, "0x" + "33" * 32) if since else None
        return RewardManager(
            replace(settling, epoch=epoch, since=before),
            tuple(Entry(address, value, ("a",)) for address, value in entries),
        )

    def post(self, target: RewardManager, who: int = OWNER) -> dict[str, int]:
        """Send it; return the shares that the stand-in worked out."""
        (planned,) = target.calls("propose", self.terms)
        receipt = self.chain.send(self.chain.people[who], Call(planned.to, planned.data))
        events = (bytes.fromhex(log["data"][2:]) for log in receipt["logs"])
        return dict(decode(["address", "uint256"], event) for event in events)

    def columns(self, target: RewardManager, **changes: Any) -> list[str]:
        checks = target.check("propose", replace(self.terms, **changes), self.chain)
        return [finding.column for finding in checks.findings]


@pytest.fixture
def world(chain: Chain) -> World:
    return World.create(chain)


# --- on a chain ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "performance", [(1,), (1, 1, 1), (WAD, WAD // 2, 1), (7 * 10**17, 3 * 10**17, WAD, 123_456_789)]
)
def test_shares__are_floored_and_the_rest_is_nobodys(
    world: World, performance: tuple[int, ...]
) -> None:
    target = world.target(*performance)
    worked_out = world.post(target)
    assert worked_out == dict(
        zip(target.nodes, shares(target.performance, MAX_REWARDS), strict=True)
    )
    for address, share in worked_out.items():
        exact = Fraction(
            MAX_REWARDS * target.performance[target.nodes.index(address)], sum(performance)
        )
        assert share <= exact < share + 1
    rest = MAX_REWARDS - sum(worked_out.values())
    assert 0 <= rest < len(performance)
    checks = world.target(*performance, epoch=2, since=1).check("propose", world.terms, world.chain)
    assert checks.facts["unassigned"] == str(rest)


def test_published_epochs__are_posted_in_order(chain: Chain, tmp_path: Any) -> None:
    world = World.create(chain)
    published = epochs.publish(tmp_path, 3, epochs.first(chain.chain_id(), chain.token))
    for epoch, since in zip(published, [None, *published[:2]], strict=True):
        target = target_for("reward-manager", epoch, since)
        assert isinstance(target, RewardManager)
        assert world.columns(target) == []
        assert list(world.post(target)) == target.nodes
        assert world.columns(target) == ["last epoch"]
        with pytest.raises(Refused):
            world.post(target)


# --- who is recorded -------------------------------------------------------------------------


def test_record__is_the_nodes_in_service_and_one_entry_per_payee(
    three: list[PublishedEpoch],
) -> None:
    expected: dict[str, int] = {}
    for epoch in three:
        with (epoch.folder / "nodes.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        expected = {}
        for row in rows:
            if row["opening_status"] in {"active", "reserved"} and int(row["score"] or 0):
                address = row["payout_address"]
                expected[address] = expected.get(address, 0) + int(row["score"])
        since = None if epoch is three[0] else three[0]
        if epoch is three[0] or epoch is three[1]:
            document = target_for("reward-manager", epoch, since).document()
            data = document["data"]
            performance = map(int, data["performance"])
            assert dict(zip(data["nodes"], performance, strict=True)) == expected
            assert data["nodes"] == sorted(data["nodes"])
            assert data["reportingEpoch"] == str(epoch.manifest.epoch)


def test_one_payee_with_two_nodes__is_merged(three: list[PublishedEpoch]) -> None:
    scores = {score.node_id: score for score in read_scores(three[0])}
    assert scores["ant"].payout_address == scores["cow"].payout_address
    document = target_for("reward-manager", three[0]).document()
    assert document["merged"][payee(0)] == ["ant", "cow"]
    place = document["data"]["nodes"].index(payee(0))
    assert int(document["data"]["performance"][place]) == scores["ant"].score + scores["cow"].score


def test_duplicates__unmerged__the_contract_would_take(world: World) -> None:
    data = encode(["(address[],uint256[],uint256)"], [([payee(0), payee(0)], [1, 1], 1)])
    call = Call(world.terms.contract, POST_RECORDS.selector + data)
    receipt = world.chain.send(world.chain.people[OWNER], call)
    assert len(receipt["logs"]) == 2


def test_document__says_that_it_pays_nothing(three: list[PublishedEpoch]) -> None:
    target = target_for("reward-manager", three[0])
    document = json.loads(canonical_json(target.document()))
    assert document["pays"] == "nothing"
    assert document["settlement"]["score_scale"] == "wad"
    assert target.root is None
    assert target.totals == {}
    assert target.claims(Terms()) == []


def test_percent__rounds_up_as_the_first_oracle_did() -> None:
    assert [ScoreScale.PERCENT.of(score) for score in (1, WAD // 1000, WAD // 2, WAD)] == [
        1,
        1,
        50,
        100,
    ]
    two = [NodeScore("a", payee(0), WAD // 1000), NodeScore("b", payee(0), WAD)]
    assert merged(two, ScoreScale.PERCENT)[0].performance == 101
    assert merged(two, ScoreScale.WAD)[0].performance == WAD + WAD // 1000


def test_record__that_the_contract_or_its_readers_cannot_take__is_refused() -> None:
    settling = epochs.settling([1])
    with pytest.raises(CheckFailed, match="no node in service"):
        RewardManager(settling, ())
    many = tuple(Entry(f"0x{i:040x}", 1, ("a",)) for i in range(256))
    with pytest.raises(CheckFailed, match="255"):
        RewardManager(settling, many)
    assert len(RewardManager(settling, many[:255]).nodes) == 255
    for performance in (0, WAD + 1):
        with pytest.raises(CheckFailed, match="scale wad"):
            RewardManager(settling, (Entry(payee(0), performance, ("a",)),))
    with pytest.raises(CheckFailed, match="scale percent"):
        RewardManager(settling, (Entry(payee(0), 101, ("a",)),), ScoreScale.PERCENT)
    two_nodes = RewardManager(settling, (Entry(payee(0), 2 * WAD, ("a", "b")),))
    assert two_nodes.performance == [2 * WAD]


# --- the plan and the checks -----------------------------------------------------------------


def test_call__is_what_an_outside_encoder_makes(world: World) -> None:
    target = world.target(5, 6, epoch=7)
    (planned,) = target.calls("propose", world.terms)
    signature = "postPerformanceRecords((address[],uint256[],uint256))"
    assert planned.function == signature
    assert planned.data[:4] == function_signature_to_4byte_selector(signature)
    assert planned.data[:4].hex() == "7755e6b5"
    record = (target.nodes, target.performance, 7)
    assert planned.data[4:] == encode(["(address[],uint256[],uint256)"], [record])
    assert POST_RECORDS.call(str(planned.to), *record).data == planned.data
    assert [argument.name for argument in planned.arguments[0].value] == [
        "nodes",
        "performance",
        "reportingEpoch",
    ]
    with pytest.raises(InvalidInput):
        target.calls("activate", world.terms)
    with pytest.raises(InvalidInput):
        target.calls("propose", Terms())


def test_sender__who_is_not_the_owner__is_found(world: World) -> None:
    assert world.columns(world.target(5)) == []
    assert world.columns(world.target(5), sender=world.chain.people[STRANGER]) == ["sender"]


def test_epochs__must_rise_and_follow_the_last_one_posted(world: World) -> None:
    world.post(world.target(5, epoch=4))
    assert world.columns(world.target(5, epoch=4, since=3)) == ["last epoch"]
    assert world.columns(world.target(5, epoch=3, since=2)) == ["last epoch"]
    assert world.columns(world.target(5, epoch=6)) == ["last epoch"], "--since is missing"
    assert world.columns(world.target(5, epoch=6, since=3)) == ["last epoch"]
    checks = world.target(5, epoch=7, since=4).check("propose", world.terms, world.chain)
    assert not checks.findings
    assert "epochs 5 to 6 will never be recorded" in checks.notes
    assert any("pays nothing" in note for note in checks.notes)


def test_nodes__more_than_the_registry_takes__are_found(chain: Chain) -> None:
    world = World.create(chain, most=2)
    assert world.columns(world.target(5, 6)) == []
    assert world.columns(world.target(5, 6, 7)) == ["nodes"]
    checks = world.target(5, 6, 7).check("propose", world.terms, chain)
    assert any(payee(2) in note for note in checks.notes)


def test_registry__that_is_not_there__is_said(chain: Chain) -> None:
    world = World.create(chain, registry=False)
    checks = world.target(5).check("propose", world.terms, chain)
    assert not checks.findings
    assert any("max nodes is not checked" in note for note in checks.notes)


def test_shares__that_overflow__are_found(chain: Chain) -> None:
    world = World.create(chain, max_rewards=2**200)
    assert world.columns(world.target(WAD)) == ["max rewards per epoch"]
    with pytest.raises(Refused):
        world.post(world.target(WAD))


def test_an_address_that_is_no_reward_manager__is_found(world: World) -> None:
    for contract in (world.chain.token, payee(1)):
        found = world.columns(world.target(5), contract=contract)
        assert found in (["contract"], ["sender", "contract"])


def test_another_chain__is_found(world: World, three: list[PublishedEpoch]) -> None:
    target = RewardManager(read_settling(three[0]), (Entry(payee(0), 1, ("a",)),))
    assert world.columns(target) == ["chain id"]
