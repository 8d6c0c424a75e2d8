"""The bindings against the contract itself, on the embedded chain and on a node."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from rewards.chain.accounts import developer_account
from rewards.chain.distributor import (
    Claim,
    Config,
    Distributor,
    Proposal,
    ProposalStatus,
    Token,
    batches,
    claims_of,
)
from rewards.chain.embedded import DEVELOPER_KEYS, EmbeddedChain
from rewards.chain.errors import EndpointTrouble, InsufficientFunds, Reverted
from rewards.chain.network import JsonRpc
from rewards.chain.sender import Sender
from rewards.merkle.distribution import Distribution, Domain
from tests.builders import address
from tests.chain.anvil import KEY, Anvil

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rewards.chain.endpoint import Endpoint

DELAY = 1
MANIFEST_HASH = b"\x4d" * 32


class Scene:
    """A funded distributor for epoch 5, and its distribution: three accounts, 60 base units."""

    def __init__(self, endpoint: Endpoint, key: bytes) -> None:
        self.endpoint = endpoint
        self.sender = Sender(endpoint, developer_account(key), endpoint.chain_id())
        me = self.sender.address
        self.token = Token(endpoint, self.created(Token.deployment()))
        config = Config(
            self.token.address, me, me, 4, DELAY, DELAY, DELAY, DELAY, 0, 100, 0, (me,), (), ()
        )
        self.distributor = Distributor(endpoint, self.created(Distributor.deployment(config)))
        domain = Domain(endpoint.chain_id(), self.distributor.address, 5)
        leaves = [(address(n), 10 * n) for n in (1, 2, 3)]
        distribution = Distribution.of(domain, leaves)
        assert distribution is not None
        self.distribution = distribution
        self.claims = claims_of(distribution)

    def created(self, call: object) -> str:
        contract = self.sender.send(call).contract  # type: ignore[arg-type]
        assert contract is not None
        return contract

    def propose(self, **changes: int) -> None:
        values = {"previous_epoch": 0, "epoch": 5, "attempt": 1, "cumulative_total": 60, **changes}
        proposal = Proposal(root=self.distribution.root, manifest_hash=MANIFEST_HASH, **values)
        proof = self.distribution.proof(self.distributor.address)
        self.sender.send(self.distributor.propose(proposal, proof))

    def activate(self) -> None:
        self.endpoint.wait_until(self.distributor.pending().activatable_at + 1)
        self.sender.send(self.distributor.activate(5, 1))


@pytest.fixture(params=["embedded", "anvil"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    if request.param == "embedded":
        yield Scene(EmbeddedChain(), DEVELOPER_KEYS[0])
        return
    node: Anvil = request.getfixturevalue("anvil")
    with closing(JsonRpc(node.url)) as endpoint:
        yield Scene(endpoint, KEY)


def test_the_whole_way__state_is_read_field_by_field(scene: Scene) -> None:
    distributor, token = scene.distributor, scene.token
    assert distributor.token() == token.address
    assert distributor.active().epoch == 0
    assert distributor.pending().status is ProposalStatus.NONE
    assert distributor.settings().delay == DELAY
    assert distributor.settings().cap_burst == 100
    assert distributor.settings().retired is False

    scene.propose()
    pending = distributor.pending()
    assert (pending.status, pending.epoch, pending.attempt) == (ProposalStatus.PENDING, 5, 1)
    assert (pending.root, pending.manifest_hash) == (scene.distribution.root, MANIFEST_HASH)
    assert (pending.cumulative_total, pending.required, pending.next_attempt) == (60, 60, 2)

    scene.sender.send(token.mint(distributor.address, 60))
    scene.activate()
    active = distributor.active()
    assert (active.epoch, active.root) == (5, scene.distribution.root)
    assert (active.cumulative_total, active.claimed_total, active.outstanding) == (60, 0, 60)

    call = distributor.claim_many(5, scene.claims)
    assert distributor.paid_by(call, scene.sender.address) == 60
    scene.sender.send(call)
    assert distributor.paid_by(call, scene.sender.address) == 0
    accounts = [claim.account for claim in scene.claims]
    seen: list[int] = []
    assert distributor.claimed(accounts, progress=seen.append) == [10, 20, 30]
    assert sum(seen) == 3
    assert token.balances([*accounts, distributor.address]) == [10, 20, 30, 0]


def test_send__a_refusal__is_named(scene: Scene) -> None:
    with pytest.raises(Reverted) as refused:
        scene.propose(cumulative_total=61)
    assert refused.value.error == "InvalidSentinelProof"
    with pytest.raises(Reverted) as refused:
        scene.propose(attempt=2)
    assert refused.value.arguments == {"given": 2, "expected": 1}
    scene.propose()
    with pytest.raises(Reverted) as refused:
        scene.activate()
    assert refused.value.error == "Underfunded"
    assert refused.value.arguments == {"balance": 0, "required": 60}


def test_claims__what_is_not_a_leaf__is_refused(scene: Scene) -> None:
    scene.sender.send(scene.token.mint(scene.distributor.address, 60))
    scene.propose()
    scene.activate()
    first = scene.claims[0]
    sentinel = scene.distributor.address
    proof = tuple(scene.distribution.proof(sentinel))
    for claim, name in (
        (Claim(first.account, first.cumulative + 1, first.proof), "InvalidProof"),
        (Claim(first.account, first.cumulative, first.proof[1:]), "InvalidProof"),
        (Claim(sentinel, 60, proof), "NotPayable"),
    ):
        with pytest.raises(Reverted) as refused:
            scene.endpoint.call(scene.distributor.claim(5, claim))
        assert refused.value.error == name
    with pytest.raises(Reverted, match="epoch 5 is the active one"):
        scene.endpoint.call(scene.distributor.claim(4, first))


def test_read__where_no_distributor_is__names_the_address(scene: Scene) -> None:
    for place in (address(7), scene.token.address):
        with pytest.raises((EndpointTrouble, Reverted)) as trouble:
            Distributor(scene.endpoint, place).active()
        assert isinstance(trouble.value, Reverted) or place in str(trouble.value)


def test_send__without_funds__says_who_needs_some(anvil: Anvil) -> None:
    with closing(JsonRpc(anvil.url)) as endpoint:
        poor = Sender(endpoint, developer_account(b"\x07" * 32), 31337)
        with pytest.raises(InsufficientFunds, match=poor.address):
            poor.send(Token.deployment())


def test_batches__keep_every_claim_in_order() -> None:
    claims = [Claim(address(n), n, ()) for n in range(1, 8)]
    assert [len(batch) for batch in batches(claims, 3)] == [3, 3, 1]
    assert [claim for batch in batches(claims, 3) for claim in batch] == claims
    assert batches([]) == []


def test_embedded_chain__same_transactions__same_hashes_and_gas() -> None:
    def receipts() -> list[object]:
        chain = EmbeddedChain()
        sender = Sender(chain, developer_account(DEVELOPER_KEYS[0]), chain.chain_id())
        return [sender.send(Token.deployment()) for _ in range(2)]

    assert receipts() == receipts()


def test_sender__signs_for_the_chain_agreed_to_alone(anvil: Anvil) -> None:
    with closing(JsonRpc(anvil.url)) as endpoint:
        sender = Sender(endpoint, developer_account(KEY), 11155111)
        with pytest.raises(EndpointTrouble, match="chain"):
            sender.send(Token.deployment())
