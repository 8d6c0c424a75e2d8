"""M of N attesters sign the proposal itself: EIP-712, by key or by contract wallet."""

from collections.abc import Sequence

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from web3.logs import DISCARD
from web3.types import Wei

from tests.contracts.chain import ATTESTERS, Proposal, World, key_account, payees

ANN, BEN = payees(2)

FIELDS = [
    {"name": "previousEpoch", "type": "uint256"},
    {"name": "epoch", "type": "uint256"},
    {"name": "attempt", "type": "uint256"},
    {"name": "root", "type": "bytes32"},
    {"name": "cumulativeTotal", "type": "uint256"},
    {"name": "manifestHash", "type": "bytes32"},
    {"name": "rise", "type": "uint256"},
]


def typed_data(world: World, proposal: Proposal, rise: int) -> dict[str, object]:
    """What a hardware wallet shows."""
    values = (*proposal.encoded(), rise)
    return {
        "primaryType": "Attestation",
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Attestation": FIELDS,
        },
        "domain": {
            "name": "EpochDistributor",
            "version": "1",
            "chainId": world.chain.id,
            "verifyingContract": world.distributor.address,
        },
        "message": {field["name"]: value for field, value in zip(FIELDS, values, strict=True)},
    }


def eip712_digest(data: dict[str, object]) -> bytes:
    message = encode_typed_data(full_message=data)
    return keccak(b"\x19" + message.version + message.header + message.body)


def proposing(world: World, signed: Sequence[tuple[str, bytes]]) -> object:
    tree = world.tree(1, {ANN: 60, BEN: 40})
    return world.call.propose(world.proposal(tree).encoded(), tree.sentinel_proof, signed)


def attestations(world: World, count: int) -> list[tuple[str, bytes]]:
    return world.attest(world.proposal(world.tree(1, {ANN: 60, BEN: 40})), count)


def test_digest_is_that_of_eip_712(attested: World) -> None:
    rising = attested.proposal(attested.tree(1, {ANN: 60, BEN: 40}))
    digest = attested.read("attestationDigest", rising.encoded())
    assert digest == eip712_digest(typed_data(attested, rising, 100))
    attested.settle(1, {ANN: 60, BEN: 40})
    more = attested.proposal(attested.tree(3, {ANN: 60, BEN: 75}))
    digest = attested.read("attestationDigest", more.encoded())
    assert digest == eip712_digest(typed_data(attested, more, 35))
    falling = attested.proposal(attested.tree(3, {ANN: 60}))
    digest = attested.read("attestationDigest", falling.encoded())
    assert digest == eip712_digest(typed_data(attested, falling, 0))


def test_signatures_of_eth_account_are_accepted(attested: World) -> None:
    proposal = attested.proposal(attested.tree(1, {ANN: 60, BEN: 40}))
    data = typed_data(attested, proposal, 100)
    signed = [
        (who.address, Account.sign_typed_data(who.key, full_message=data).signature)
        for who in ATTESTERS[:2]
    ]
    receipt = attested.chain.send(proposing(attested, signed), attested.proposer)
    events = attested.distributor.events.Attested().process_receipt(receipt, DISCARD)
    assert [event["args"]["attester"] for event in events] == [who for who, _ in signed]


def test_the_domain_is_published(attested: World) -> None:
    fields, name, version, chain_id, contract, salt, extensions = attested.read("eip712Domain")
    assert (fields, name, version) == (b"\x0f", "EpochDistributor", "1")
    assert (chain_id, contract) == (attested.chain.id, attested.distributor.address)
    assert (salt, extensions) == (bytes(32), [])


def test_fewer_than_the_threshold_are_refused(attested: World) -> None:
    for count in (0, 1):
        call = proposing(attested, attestations(attested, count))
        refusal = attested.chain.refusal(call, attested.proposer)
        assert refusal == ("TooFewAttestations", count, 2)
    attested.chain.send(proposing(attested, attestations(attested, 3)), attested.proposer)


def test_one_attester_does_not_count_twice(attested: World) -> None:
    first, second = attestations(attested, 2)
    for signed in ([first, first], [second, first], [first, second, second]):
        refusal = attested.chain.refusal(proposing(attested, signed), attested.proposer)
        assert refusal == ("AttestersNotAscending", signed[-1][0].lower())


def test_strangers_and_revoked_attesters_are_refused(attested: World) -> None:
    digest = attested.read(
        "attestationDigest", attested.proposal(attested.tree(1, {ANN: 60, BEN: 40})).encoded()
    )
    stranger = key_account(9)
    signed = sorted(
        [
            *attestations(attested, 1),
            (stranger.address, bytes(stranger.unsafe_sign_hash(digest).signature)),
        ],
        key=lambda pair: pair[0].lower(),
    )
    refusal = attested.chain.refusal(proposing(attested, signed), attested.proposer)
    assert refusal == ("NotAttester", stranger.address.lower())
    good = attestations(attested, 2)
    attested.admin_sends(attested.call.setAttester(good[0][0], False))
    refusal = attested.chain.refusal(proposing(attested, good), attested.proposer)
    assert refusal == ("NotAttester", good[0][0].lower())


def test_a_signature_holds_for_one_proposal_only(attested: World) -> None:
    tree = attested.tree(1, {ANN: 60, BEN: 40})
    good = attested.proposal(tree)
    others = [
        attested.proposal(attested.tree(2, {ANN: 60, BEN: 40})),
        attested.proposal(attested.tree(1, {ANN: 61, BEN: 40})),
        attested.proposal(tree, attempt=2),
        attested.proposal(tree, previous_epoch=9),
        attested.proposal(tree, manifest_hash=bytes(32)),
    ]
    for other in others:
        signed = attested.attest(other)
        call = attested.call.propose(good.encoded(), tree.sentinel_proof, signed)
        refusal = attested.chain.refusal(call, attested.proposer)
        assert refusal == ("InvalidSignature", signed[0][0].lower())


def test_signatures_for_another_contract_or_chain_are_refused(attested: World) -> None:
    tree = attested.tree(1, {ANN: 60, BEN: 40})
    proposal = attested.proposal(tree)
    for change in (
        {"chainId": attested.chain.id + 1},
        {"verifyingContract": attested.token.address},
        {"version": "2"},
    ):
        data = typed_data(attested, proposal, 100)
        data["domain"] = {**data["domain"], **change}  # type: ignore[dict-item]
        signed = [
            (who.address, Account.sign_typed_data(who.key, full_message=data).signature)
            for who in ATTESTERS[:2]
        ]
        call = attested.call.propose(proposal.encoded(), tree.sentinel_proof, signed)
        refusal = attested.chain.refusal(call, attested.proposer)
        assert refusal == ("InvalidSignature", signed[0][0].lower())


def test_malformed_signatures_are_refused(attested: World) -> None:
    (who, good), second = attestations(attested, 2)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    flipped_s = (order - int.from_bytes(good[32:64], "big")).to_bytes(32, "big")
    high_s = good[:32] + flipped_s + bytes([55 - good[64]])
    for signature in (b"", good[:64], good + b"\0", bytes(65), high_s, good[:64] + b"\x05"):
        call = proposing(attested, [(who, signature), second])
        refusal = attested.chain.refusal(call, attested.proposer)
        assert refusal == ("InvalidSignature", who.lower())


def test_a_contract_wallet_attests(attested: World) -> None:
    owner = key_account(7)
    wallet = attested.chain.deploy("test/Wallet1271", owner.address)
    attested.change(attested.call.setAttester(wallet.address, True))
    proposal = attested.proposal(attested.tree(1, {ANN: 60, BEN: 40}))
    digest = attested.read("attestationDigest", proposal.encoded())

    def signed_by(key: bytes) -> list[tuple[str, bytes]]:
        signature = bytes(Account.unsafe_sign_hash(digest, key).signature)
        pairs = [*attestations(attested, 1), (wallet.address, signature)]
        return sorted(pairs, key=lambda pair: pair[0].lower())

    call = proposing(attested, signed_by(key_account(8).key))
    refusal = attested.chain.refusal(call, attested.proposer)
    assert refusal == ("InvalidSignature", wallet.address.lower())
    attested.chain.send(proposing(attested, signed_by(owner.key)), attested.proposer)


def test_an_attester_with_delegated_code_signs_with_its_key(attested: World) -> None:
    """EIP-7702: the account has code that knows nothing of ERC-1271, and still its key."""
    tester, w3 = attested.chain.tester, attested.chain.w3
    who = ATTESTERS[0]
    w3.eth.send_transaction({"from": attested.outsider, "to": who.address, "value": Wei(10**18)})
    authorization = Account.sign_authorization(
        {"chainId": attested.chain.id, "address": attested.token.address, "nonce": 1}, who.key
    )
    transaction = who.sign_transaction(
        {
            "chainId": attested.chain.id,
            "nonce": 0,
            "to": who.address,
            "value": 0,
            "gas": 200_000,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 0,
            "authorizationList": [authorization],
        }
    )
    tester.send_raw_transaction(transaction.raw_transaction.to_0x_hex())
    delegated = bytes.fromhex("ef0100" + attested.token.address[2:])
    assert bytes(w3.eth.get_code(who.address)) == delegated
    attested.chain.send(proposing(attested, attestations(attested, 2)), attested.proposer)
