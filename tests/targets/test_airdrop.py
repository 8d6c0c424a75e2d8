"""WalletConnect's Airdrop: the claims file, every claim on a chain, and the checks before it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from eth_abi.abi import encode

from rewards.chain.distributor import Config, Distributor, Proposal
from rewards.chain.endpoint import Call
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.documents import canonical_json
from rewards.merkle.distribution import Distribution, Domain
from rewards.targets.airdrop import CLAIM_TOKENS, Airdrop
from rewards.targets.settling import Since, read_settling
from rewards.targets.target import Terms
from tests.targets import epochs
from tests.targets.chain import CREATION, Chain, Refused, calldata, payee
from tests.targets.independent import airdrop_leaf, folded, ordered_root

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.files.published import PublishedEpoch

ADMIN, PAUSER, RESERVE, STRANGER = 1, 2, 3, 4


@dataclass
class World:
    """A settlement with its contract deployed, funded by the reserve."""

    chain: Chain
    airdrop: Airdrop
    terms: Terms

    def check(self, action: str, **changes: Any) -> list[str]:
        """The columns of what the checks found."""
        checks = self.airdrop.check(action, replace(self.terms, **changes), self.chain)
        return [finding.column for finding in checks.findings]

    def send(self, action: str, sender: str) -> Any:
        (planned,) = self.airdrop.calls(action, self.terms)
        return self.chain.send(sender, Call(planned.to, planned.data), planned.value)


def people_of(chain: Chain) -> Terms:
    return Terms(
        reserve=chain.people[RESERVE],
        admin=chain.people[ADMIN],
        pauser=chain.people[PAUSER],
        creation_code=bytes.fromhex(CREATION["StandInAirdrop"][2:]),
    )


def undeployed(chain: Chain, amounts: list[int], settled: list[int] | None = None) -> World:
    settling = epochs.settling(amounts, settled or (), chain_id=chain.chain_id(), token=chain.token)
    airdrop = Airdrop(settling)
    chain.mint(chain.people[RESERVE], airdrop.total)
    return World(chain, airdrop, people_of(chain))


def deployed(chain: Chain, amounts: list[int], settled: list[int] | None = None) -> World:
    world = undeployed(chain, amounts, settled)
    contract = world.send("deploy", chain.people[0])["contract_address"].lower()
    world.terms = replace(world.terms, contract=contract)
    return world


def opened(chain: Chain, amounts: list[int]) -> World:
    world = deployed(chain, amounts)
    world.send("fund", chain.people[RESERVE])
    return world


def claim_all(chain: Chain, contract: str, document: dict[str, Any]) -> int:
    """Claim from the file alone, each payee for itself."""
    paid = 0
    for entry in document["claimsWithProof"]:
        index, amount = (int(entry["claim"][name], 16) for name in ("index", "amount"))
        who, before = entry["claim"]["recipient"], chain.balance_of(entry["claim"]["recipient"])
        proof = [bytes.fromhex(node[2:]) for node in entry["proof"]]
        claim = Call(contract, CLAIM_TOKENS_CALL(index, amount, proof))
        chain.send(who, claim)
        assert chain.balance_of(who) - before == amount
        paid += amount
        with pytest.raises(Refused):
            chain.send(who, claim)
    return paid


def CLAIM_TOKENS_CALL(index: int, amount: int, proof: list[bytes]) -> bytes:  # noqa: N802
    return calldata("claimTokens(uint256,uint256,bytes32[])", index, amount, proof)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_leaf__is_claimed_on_a_chain(chain: Chain, count: int) -> None:
    world = opened(chain, [10**18 + 7 * i for i in range(count)])
    contract = world.terms.need("contract")
    assert claim_all(chain, contract, world.airdrop.document()) == world.airdrop.total
    assert chain.balance_of(chain.people[RESERVE]) == 0
    allowance = chain.ask(
        chain.token, "allowance(address,address)", "uint256", chain.people[RESERVE], contract
    )
    assert allowance == 0


def test_published_epochs__are_settled_by_one_contract_each(chain: Chain, tmp_path: Path) -> None:
    files = epochs.first(chain.chain_id(), chain.token, distributor=chain.people[RESERVE])
    published = epochs.publish(tmp_path, 3, files)
    for epoch, since in ((published[0], None), (published[2], published[0])):
        airdrop = Airdrop(read_settling(epoch, since))
        world = World(chain, airdrop, people_of(chain))
        chain.mint(chain.people[RESERVE], airdrop.total)
        assert world.check("deploy") == []
        contract = world.send("deploy", chain.people[0])["contract_address"].lower()
        world.terms = replace(world.terms, contract=contract)
        assert world.check("fund") == []
        world.send("fund", chain.people[RESERVE])
        assert world.check("claim") == []
        claim_all(chain, contract, airdrop.document())
    for row in published[2].allocations:
        assert chain.balance_of(row.account) == row.cumulative


def test_a_leaf_altered_or_claimed_by_another__is_refused(chain: Chain) -> None:
    world = opened(chain, [5, 6, 7])
    index, (who, amount) = 1, world.airdrop.leaves[1]
    proof = world.airdrop.proof(index)
    other = world.airdrop.leaves[0][0]
    for sender, values in (
        (who, (index, amount + 1, proof)),
        (who, (index + 1, amount, proof)),
        (who, (index, amount, proof[::-1])),
        (other, (index, amount, proof)),
    ):
        with pytest.raises(Refused):
            chain.send(sender, Call(world.terms.contract, CLAIM_TOKENS_CALL(*values)))


# --- the file --------------------------------------------------------------------------------


def test_document__has_the_form_of_the_contracts_own_claims_file(
    three: list[PublishedEpoch],
) -> None:
    airdrop = Airdrop(read_settling(three[2], three[1]))
    document = airdrop.document()
    assert list(document) == ["claimsWithProof", "merkleRoot", "settlement"]
    first = document["claimsWithProof"][0]
    assert list(first) == ["claim", "proof"]
    assert list(first["claim"]) == ["amount", "index", "recipient"]
    claims = [entry["claim"] for entry in document["claimsWithProof"]]
    assert [claim["index"] for claim in claims] == [hex(i) for i in range(len(claims))]
    recipients = [claim["recipient"] for claim in claims]
    assert recipients == sorted(set(recipients))
    assert document["settlement"]["since_epoch"] == "2"
    total = sum(int(claim["amount"], 16) for claim in claims)
    assert document["settlement"]["total"] == str(total) == str(airdrop.total)


def test_document__proofs_hold_by_independent_code(three: list[PublishedEpoch]) -> None:
    document = json.loads(canonical_json(Airdrop(read_settling(three[0])).document()))
    leaves = [
        airdrop_leaf(
            int(entry["claim"]["index"], 16),
            entry["claim"]["recipient"],
            int(entry["claim"]["amount"], 16),
        )
        for entry in document["claimsWithProof"]
    ]
    assert document["merkleRoot"] == "0x" + ordered_root(leaves).hex()
    for leaf, entry in zip(leaves, document["claimsWithProof"], strict=True):
        assert folded(leaf, entry["proof"]) == document["merkleRoot"]


def test_nothing_earned__is_nothing_to_settle() -> None:
    with pytest.raises(CheckFailed, match="nothing to settle"):
        Airdrop(epochs.settling([5, 6], [5, 6]))


# --- the plan --------------------------------------------------------------------------------


def test_calls__are_what_an_outside_encoder_makes(chain: Chain) -> None:
    world = deployed(chain, [5, 6])
    people, airdrop = chain.people, world.airdrop
    (deploy,) = airdrop.calls("deploy", world.terms)
    arguments = (people[ADMIN], people[PAUSER], people[RESERVE], airdrop.root, chain.token)
    types = ["address", "address", "address", "bytes32", "address"]
    assert deploy.to is None
    assert deploy.data == world.terms.creation_code + encode(types, arguments)
    (fund,) = airdrop.calls("fund", world.terms)
    assert fund.to == chain.token
    assert fund.data == calldata("approve(address,uint256)", world.terms.contract, 11)
    assert [argument.value for argument in fund.arguments] == [world.terms.contract, "11"]
    (pause,) = airdrop.calls("pause", world.terms)
    assert (pause.to, pause.data) == (world.terms.contract, calldata("pause()"))
    claim = airdrop.claims(world.terms)[1]
    assert claim.call.data == CLAIM_TOKENS_CALL(1, claim.amount, airdrop.proof(1))
    assert claim.sender == claim.account
    assert CLAIM_TOKENS.selector.hex() == "b69d1a08"
    assert airdrop.totals == {"total": 11}


@pytest.mark.parametrize("missing", ["creation_code", "admin", "pauser", "reserve"])
def test_deploy__names_the_missing_term(missing: str) -> None:
    given: dict[str, Any] = {"creation_code": b"1"} | dict.fromkeys(
        ("admin", "pauser", "reserve"), payee(0)
    )
    del given[missing]
    cut = Terms(**given)
    with pytest.raises(InvalidInput) as caught:
        Airdrop(epochs.settling([5])).calls("deploy", cut)
    assert caught.value.findings[0].file == missing


def test_unknown_action__is_refused(chain: Chain) -> None:
    world = undeployed(chain, [5])
    with pytest.raises(InvalidInput, match="it has deploy, fund, pause"):
        world.airdrop.calls("sweep", world.terms)
    with pytest.raises(InvalidInput):
        world.airdrop.check("sweep", world.terms, chain)


# --- the checks ------------------------------------------------------------------------------


def test_checks__of_a_sound_settlement__find_nothing(chain: Chain) -> None:
    world = undeployed(chain, [5, 6])
    assert world.check("deploy") == []
    world = deployed(chain, [5, 6])
    checks = world.airdrop.check("fund", world.terms, chain)
    assert checks.findings == []
    assert checks.facts["allowance"] == "0"
    assert any("must send its claim itself" in note for note in checks.notes)
    assert world.check("pause", sender=chain.people[PAUSER]) == []
    world.send("fund", chain.people[RESERVE])
    assert world.check("claim") == []


def test_deploy__without_the_tokens__is_found(chain: Chain) -> None:
    world = undeployed(chain, [5, 6])
    chain.act(chain.people[RESERVE], chain.token, "transfer(address,uint256)", chain.people[0], 1)
    assert world.check("deploy") == ["reserve balance"]


def test_deploy__counts_what_earlier_contracts_may_still_draw(chain: Chain) -> None:
    earlier = opened(chain, [50, 60])
    world = undeployed(chain, [5, 6])
    contract = earlier.terms.need("contract")
    assert world.check("deploy", earlier=(contract,)) == []
    # The reserve has the tokens of one of the two only.
    chain.act(chain.people[RESERVE], chain.token, "transfer(address,uint256)", chain.people[0], 11)
    assert world.check("deploy") == []
    assert world.check("deploy", earlier=(contract,)) == ["reserve balance"]


def test_a_second_contract_of_the_same_root__is_found(chain: Chain) -> None:
    once = deployed(chain, [5, 6])
    again = undeployed(chain, [5, 6])
    assert again.check("deploy", earlier=(once.terms.need("contract"),)) == ["earlier"]
    twice = deployed(chain, [5, 6])
    assert twice.check("fund", earlier=(once.terms.need("contract"),)) == ["earlier"]


def test_a_payee_as_reserve__is_found(chain: Chain) -> None:
    world = undeployed(chain, [5, 6])
    chain.mint(payee(0), 11)
    assert world.check("deploy", reserve=payee(0)) == ["reserve"]


def test_creation_code__that_reverts_or_is_no_airdrop__is_found(chain: Chain) -> None:
    world, known = undeployed(chain, [5, 6]), deployed(chain, [7])
    reference = known.terms.contract
    assert world.check("deploy", reference=reference) == []
    strange = bytes.fromhex(CREATION["StrangeAirdrop"][2:])
    assert world.check("deploy", creation_code=strange) == []
    assert world.check("deploy", creation_code=strange, reference=reference) == ["contract"]
    assert world.check("deploy", creation_code=b"\xfe") == ["contract"]


def test_fund__another_code_than_the_known_one__is_found(chain: Chain) -> None:
    known = deployed(chain, [7, 8, 9])
    world = deployed(chain, [5, 6])
    assert world.check("fund", reference=known.terms.contract) == []
    world.terms = replace(
        world.terms, creation_code=bytes.fromhex(CREATION["StrangeAirdrop"][2:]), contract=None
    )
    contract = world.send("deploy", chain.people[0])["contract_address"].lower()
    assert world.check("fund", contract=contract) == []
    assert world.check("fund", contract=contract, reference=known.terms.contract) == ["contract"]


def test_fund__of_a_contract_that_is_not_fresh__is_found(chain: Chain) -> None:
    world = opened(chain, [5, 6])
    assert world.check("fund") == ["allowance"]
    claim = world.airdrop.claims(world.terms)[0]
    chain.send(claim.account, claim.call)
    chain.mint(chain.people[RESERVE], 20)
    assert world.check("fund") == ["payees", "allowance"]


def test_fund__of_another_settlements_contract__is_found(chain: Chain) -> None:
    other = deployed(chain, [5, 7])
    world = deployed(chain, [5, 6])
    assert world.check("fund", contract=other.terms.contract) == ["merkle root"]
    assert world.check("fund", contract=chain.token) == ["contract"]
    assert world.check("fund", contract=payee(1)) == ["contract"]


def test_fund__by_another_than_the_reserve__is_found(chain: Chain) -> None:
    world = deployed(chain, [5, 6])
    assert world.check("fund", sender=chain.people[STRANGER]) == ["sender"]
    assert world.check("fund", reserve=chain.people[STRANGER]) == ["reserve"]
    assert world.check("fund", reserve=None, sender=chain.people[RESERVE]) == []


def test_pause__stops_claims_and_is_seen(chain: Chain) -> None:
    world = opened(chain, [5, 6])
    assert world.check("pause", sender=chain.people[STRANGER]) == ["sender"]
    world.send("pause", chain.people[PAUSER])
    # The contract is paused, and so each claim is refused.
    assert world.check("claim") == ["contract", "claim", "claim"]


def test_claim__an_allowance_or_balance_too_small__is_found(chain: Chain) -> None:
    world = opened(chain, [5, 6])
    reserve, contract = chain.people[RESERVE], world.terms.contract
    chain.act(reserve, chain.token, "approve(address,uint256)", contract, 10)
    assert world.check("claim") == ["allowance"]
    chain.act(reserve, chain.token, "approve(address,uint256)", contract, 3)
    assert world.check("claim") == ["allowance", "claim", "claim"]
    chain.act(reserve, chain.token, "approve(address,uint256)", contract, 11)
    chain.act(reserve, chain.token, "transfer(address,uint256)", chain.people[0], 1)
    assert world.check("claim") == ["reserve balance"]


def test_claim__what_is_claimed_needs_no_cover(chain: Chain) -> None:
    world = opened(chain, [5, 6])
    claim = world.airdrop.claims(world.terms)[0]
    chain.send(claim.account, claim.call)
    checks = world.airdrop.check("claim", world.terms, chain)
    assert checks.findings == []
    assert checks.facts["unclaimed"] == str(11 - claim.amount)


def test_another_chain_or_token__is_found(chain: Chain) -> None:
    world = deployed(chain, [5, 6])
    for change, column in (
        ({"chain_id": 10}, "chain id"),
        ({"token": payee(1)}, "token"),
        ({"decimals": 6}, "decimals"),
    ):
        airdrop = Airdrop(replace(world.airdrop.settling, **change))
        found = airdrop.check("fund", world.terms, chain).findings
        assert [finding.column for finding in found] == [column]


def test_an_epoch_that_its_own_distributor_pays__is_found(chain: Chain) -> None:
    me, who, amount = chain.people[0], payee(0), 11
    settings = {"minimum_delay": 1, "change_delay": 86_400, "delay": 1, "reduction_delay": 86_400}
    config = Config(
        **settings,
        token=chain.token,
        treasury=me,
        admin=me,
        initial_epoch=0,
        threshold=0,
        cap_burst=amount,
        cap_per_day=0,
        proposers=(me,),
        attesters=(),
        guardians=(),
    )
    contract = chain.create(Distributor.deployment(config).data)
    distributor = Distributor(chain, contract)
    chain.mint(contract, amount)
    world = undeployed(chain, [amount])
    settling = replace(world.airdrop.settling, distributor=contract)
    world.airdrop = Airdrop(settling)
    assert world.check("deploy") == [], "nothing is active there"

    tree = Distribution.of(Domain(chain.chain_id(), contract, 2), [(who, amount)])
    assert tree is not None
    proposal = Proposal(0, 2, distributor.pending().next_attempt, tree.root, amount, b"\1" * 32)
    chain.send(me, distributor.propose(proposal, tree.proof(contract)))
    chain.travel(1)
    chain.send(me, distributor.activate(2, proposal.attempt))
    assert world.check("deploy") == ["distributor"]
    # What that contract settled is not settled again, where a season moves on from it.
    world.airdrop = Airdrop(replace(settling, since=Since(2, "0x" + "11" * 32), epoch=3))
    assert world.check("deploy") == []
