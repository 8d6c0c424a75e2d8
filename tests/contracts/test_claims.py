"""Claims: who is paid, what, once; and the proof that holds for one leaf only."""

import random

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3.logs import DISCARD

from tests.contracts.chain import DAY, ZERO, World, payees
from tests.contracts.merkle import Tree, leaf_hash

PEOPLE = payees(6)
ANN, BEN, CAT = PEOPLE[:3]


def test_anyone_claims_and_the_account_is_paid(world: World) -> None:
    tree = world.settle(1, {ANN: 70, BEN: 30})
    receipt = world.claim(tree, ANN)
    (claimed,) = world.distributor.events.Claimed().process_receipt(receipt, DISCARD)
    assert dict(claimed["args"]) == {
        "epoch": 1,
        "account": ANN,
        "recipient": ANN,
        "amount": 70,
        "cumulative": 70,
    }
    assert world.balance(ANN) == 70
    assert world.read("claimed", ANN) == 70


def test_a_second_claim_pays_zero_and_succeeds(world: World) -> None:
    tree = world.settle(1, {ANN: 70, BEN: 30})
    assert world.chain.read(world.claiming(tree, ANN)) == 70
    world.claim(tree, ANN)
    assert world.chain.read(world.claiming(tree, ANN)) == 0
    assert world.claim(tree, ANN)["logs"] == []
    assert world.balance(ANN) == 70


def test_later_epochs_pay_the_difference(world: World) -> None:
    world.claim(world.settle(1, {ANN: 70, BEN: 30}), ANN)
    tree = world.settle(2, {ANN: 100, BEN: 31})
    assert world.chain.read(world.claiming(tree, ANN)) == 30
    assert world.chain.read(world.claiming(tree, BEN)) == 31


def test_a_leaf_lowered_below_what_is_claimed_pays_zero(world: World) -> None:
    world.claim(world.settle(1, {ANN: 70, BEN: 30}), ANN)
    tree = world.settle(2, {ANN: 50, BEN: 100})
    assert world.chain.read(world.claiming(tree, ANN)) == 0
    assert world.read("claimed", ANN) == 70


def test_a_proof_of_another_epoch_tells_the_active_one(world: World) -> None:
    first = world.settle(1, {ANN: 70, BEN: 30})
    for epoch in (0, 2):
        call = world.call.claim(epoch, ANN, 70, first.proof(ANN))
        assert world.chain.refusal(call) == ("NotActiveEpoch", epoch, 1)
    world.settle(2, {ANN: 71, BEN: 30})
    assert world.chain.refusal(world.claiming(first, ANN)) == ("NotActiveEpoch", 1, 2)
    assert world.chain.refusal(world.call.claimMany(1, [])) == ("NotActiveEpoch", 1, 2)


def test_before_the_first_activation_nothing_can_be_claimed(world: World) -> None:
    tree = world.tree(1, {ANN: 70})
    world.propose(tree)
    assert world.chain.refusal(world.claiming(tree, ANN)) == ("NotActiveEpoch", 1, 0)
    call = world.call.claim(0, ANN, 0, [])
    assert world.chain.refusal(call) == ("InvalidProof", ANN.lower())


def test_a_proof_holds_for_one_leaf_only(world: World) -> None:
    amounts = {who: 10 + i for i, who in enumerate(PEOPLE)}
    tree = world.settle(1, amounts)
    proof = tree.proof(ANN)
    flipped = [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]]
    wrong = [
        (ANN, 11, proof),
        (ANN, 9, proof),
        (BEN, 10, proof),
        (ANN, 10, tree.proof(BEN)),
        (ANN, 10, proof[:-1]),
        (ANN, 10, proof[1:]),
        (ANN, 10, [*proof, tree.root]),
        (ANN, 10, flipped),
        (ANN, 10, proof[::-1]),
        (ANN, 10, []),
    ]
    for account, amount, path in wrong:
        call = world.call.claim(1, account, amount, path)
        assert world.chain.refusal(call) == ("InvalidProof", account.lower())


def test_leaves_of_another_chain_or_contract_do_not_pay(world: World) -> None:
    """The sentinel bars such a tree as a whole; a mixed tree gets past it, its leaves do not."""
    here = world.distributor.address
    foreign = [
        leaf_hash(world.chain.id + 1, here, 1, ANN, 50),
        leaf_hash(world.chain.id, world.token.address, 1, ANN, 50),
        leaf_hash(world.chain.id, here, 2, ANN, 50),
    ]
    sentinel = leaf_hash(world.chain.id, here, 1, here, 50)
    for leaf in foreign:
        taken = world.chain.tester.take_snapshot()
        root = keccak(b"".join(sorted([leaf, sentinel])))
        world.fund(50)
        world.chain.send(
            world.call.propose((0, 1, 1, root, 50, bytes(32)), [leaf], []), world.proposer
        )
        world.activate(1)
        call = world.call.claim(1, ANN, 50, [sentinel])
        assert world.chain.refusal(call) == ("InvalidProof", ANN.lower())
        world.chain.tester.revert_to_snapshot(taken)


def test_the_sentinel_and_other_unpayable_accounts_cannot_be_claimed(world: World) -> None:
    low = to_checksum_address("0x" + "00" * 18 + "ffff")
    edge = "0x0000000000000000000000000000000000010000"
    token, here = world.token.address, world.distributor.address
    tree = world.settle(1, {ANN: 1, ZERO: 1, low: 1, edge: 1, token: 1})
    for account in (ZERO, low, token):
        assert world.chain.refusal(world.claiming(tree, account)) == (
            "NotPayable",
            account.lower(),
        )
    call = world.call.claim(1, here, tree.total, tree.sentinel_proof)
    assert world.chain.refusal(call) == ("NotPayable", here.lower())
    world.claim(tree, edge)


def test_leaf_hash_is_that_of_the_standard_tree(world: World) -> None:
    args = (7, ANN, 123)
    expected = leaf_hash(world.chain.id, world.distributor.address, *args)
    assert world.read("leafHash", *args) == expected


def test_understated_total_fails_the_last_by_name_until_the_next_epoch(world: World) -> None:
    tree = world.settle(1, {ANN: 70, BEN: 31}, total=100)
    world.claim(tree, ANN)
    refusal = world.chain.refusal(world.claiming(tree, BEN))
    assert refusal == ("ExceedsOutstanding", BEN.lower(), 31, 30)
    mended = world.settle(2, {ANN: 70, BEN: 31})
    world.claim(mended, BEN)
    assert world.view("active")["outstanding"] == 0


def many(tree: Tree, accounts: list[str]) -> list[tuple[str, int, list[bytes]]]:
    return [(who, tree.amounts[who], tree.proof(who)) for who in accounts]


def test_claim_many_pays_each_and_passes_over_the_paid(world: World) -> None:
    tree = world.settle(1, {who: 10 + i for i, who in enumerate(PEOPLE)})
    world.claim(tree, BEN)
    call = world.call.claimMany(1, many(tree, PEOPLE))
    assert world.chain.read(call) == tree.total - 11
    receipt = world.chain.send(call, world.outsider)
    assert len(world.distributor.events.Claimed().process_receipt(receipt, DISCARD)) == 5
    assert [world.balance(who) for who in PEOPLE] == list(tree.amounts.values())
    assert world.view("active")["outstanding"] == 0
    assert world.balance(world.distributor.address) == 0


def test_claim_many_wants_ascending_accounts(world: World) -> None:
    tree = world.settle(1, dict.fromkeys(PEOPLE, 10))
    for accounts in ([BEN, ANN], [ANN, ANN], [ANN, CAT, BEN]):
        call = world.call.claimMany(1, many(tree, accounts))
        refusal = world.chain.refusal(call)
        assert refusal == ("AccountsNotAscending", accounts[-1].lower())
    call = world.call.claimMany(1, [(ZERO, 1, [])])
    assert world.chain.refusal(call) == ("AccountsNotAscending", ZERO)


def test_one_bad_claim_reverts_the_batch(world: World) -> None:
    tree = world.settle(1, dict.fromkeys(PEOPLE, 10))
    claims = [*many(tree, [ANN]), (BEN, 11, tree.proof(BEN))]
    assert world.chain.refusal(world.call.claimMany(1, claims)) == ("InvalidProof", BEN.lower())


@pytest.mark.parametrize("seed", range(4))
def test_order_and_batches_never_change_balances(world: World, seed: int) -> None:
    rng = random.Random(seed)
    for epoch in (1, 2):
        tree = world.settle(epoch, {who: 10 * epoch + i for i, who in enumerate(PEOPLE)})
        left = rng.sample(PEOPLE, len(PEOPLE))
        while left:
            batch = sorted(left[: rng.randint(1, 3)], key=str.lower)
            left = [who for who in left if who not in batch]
            if len(batch) == 1:
                world.claim(tree, batch[0])
            else:
                world.chain.send(world.call.claimMany(epoch, many(tree, batch)), world.outsider)
    assert [world.balance(who) for who in PEOPLE] == [20 + i for i in range(len(PEOPLE))]
    assert world.balance(world.distributor.address) == 0


def test_an_account_redirects_its_own_claims(world: World) -> None:
    who = world.chain.accounts[8]
    tree = world.settle(1, {who: 10, BEN: 5})
    receipt = world.chain.send(world.call.setRecipient(CAT), who)
    (event,) = world.distributor.events.RecipientSet().process_receipt(receipt)
    assert dict(event["args"]) == {"account": who, "recipient": CAT}
    assert world.read("recipientOf", who) == CAT
    receipt = world.claim(tree, who)
    (claimed,) = world.distributor.events.Claimed().process_receipt(receipt, DISCARD)
    assert (claimed["args"]["account"], claimed["args"]["recipient"]) == (who, CAT)
    assert (world.balance(who), world.balance(CAT)) == (0, 10)
    assert world.read("claimed", who) == 10
    assert world.read("claimed", CAT) == 0
    for undo in (ZERO, who):
        world.chain.send(world.call.setRecipient(CAT), who)
        world.chain.send(world.call.setRecipient(undo), who)
        assert world.read("recipientOf", who) == who
    world.claim(world.settle(2, {who: 13, BEN: 5}), who)
    assert world.balance(who) == 3


def test_a_recipient_must_be_payable(world: World) -> None:
    for to in (world.distributor.address, world.token.address, "0x" + "00" * 19 + "01"):
        refusal = world.chain.refusal(world.call.setRecipient(to), world.outsider)
        assert refusal == ("NotPayable", to.lower())


def test_claims_wait_while_paused(world: World) -> None:
    tree = world.settle(1, {ANN: 10, BEN: 5})
    at = world.chain.now
    world.chain.send(world.call.pause(True, False), world.guardian)
    for call in (world.claiming(tree, ANN), world.call.claimMany(1, [])):
        assert world.chain.refusal(call) == ("ClaimsPaused", at + 14 * DAY)
    world.chain.travel(to=at + 14 * DAY - 1)
    assert world.chain.refusal(world.claiming(tree, ANN)) == ("ClaimsPaused", at + 14 * DAY)
    world.chain.travel(to=at + 14 * DAY)
    world.claim(tree, ANN)
