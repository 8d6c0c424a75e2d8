from __future__ import annotations

from dataclasses import replace

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from rewards.merkle.distribution import LEAF_ENCODING, Distribution, Domain
from rewards.merkle.tree import root_from_proof
from tests.builders import DISTRIBUTOR, address
from tests.merkle.vectors import DOMAIN, distribution

words = st.integers(0, 2**256 - 1)
accounts = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


@given(words, accounts, words, accounts, words)
def test_encode__any_leaf__agrees_with_eth_abi(
    chain_id: int, distributor: str, epoch: int, account: str, cumulative: int
) -> None:
    domain = Domain(chain_id, distributor, epoch)
    expected = encode(LEAF_ENCODING, [chain_id, distributor, epoch, account, cumulative])
    assert domain.encode(account, cumulative) == expected
    assert len(expected) == 160
    assert domain.leaf_hash(account, cumulative) == keccak(keccak(expected))


def test_of__nothing_payable__is_none() -> None:
    assert Distribution.of(DOMAIN, []) is None
    assert Distribution.of(DOMAIN, [(address(1), 0), (address(2), 0)]) is None


def test_of__one_payee__has_the_sentinel_as_second_leaf() -> None:
    built = Distribution.of(DOMAIN, [(address(1), 5), (address(2), 0)])
    assert built
    assert built.leaves == ((address(1), 5), (DISTRIBUTOR, 5))
    assert built.cumulative_total == 5
    assert address(1) in built
    assert address(2) not in built


def test_of__payees_around_the_distributor__stand_in_address_order() -> None:
    low, high = "0x" + "00" * 17 + "010000", "0x" + "ff" * 20
    built = Distribution.of(DOMAIN, [(high, 1), (low, 2)])
    assert built
    assert built.leaves == ((low, 2), (DISTRIBUTOR, 3), (high, 1))


def test_amount_of__no_leaf__raises() -> None:
    with pytest.raises(KeyError):
        distribution(3).amount_of(address(99))
    with pytest.raises(KeyError):
        distribution(3).proof(address(99))


@pytest.mark.parametrize("count", [2, 3, 5, 8, 33])
def test_proof__every_leaf__leads_to_the_root_and_no_altered_leaf_does(count: int) -> None:
    built = distribution(count)
    for account, cumulative in built.leaves:
        proof = built.proof(account)
        assert root_from_proof(DOMAIN.leaf_hash(account, cumulative), proof) == built.root
        for other in (
            DOMAIN.leaf_hash(account, cumulative + 1),
            DOMAIN.leaf_hash(account, cumulative - 1),
            DOMAIN.leaf_hash(address(12_345), cumulative),
            replace(DOMAIN, chain_id=11).leaf_hash(account, cumulative),
            replace(DOMAIN, epoch=8).leaf_hash(account, cumulative),
            replace(DOMAIN, distributor=address(3)).leaf_hash(account, cumulative),
            keccak(DOMAIN.encode(account, cumulative)),
        ):
            assert root_from_proof(other, proof) != built.root


@pytest.mark.parametrize("count", [2, 3, 8, 33])
def test_proof__inner_nodes__cannot_pass_for_leaves(count: int) -> None:
    # The root's path from an inner node is a valid path of hashes; what keeps it from being a
    # leaf is that a leaf is a double hash of 160 bytes, while a node is a hash of 64.
    built = distribution(count)
    leaves = {DOMAIN.leaf_hash(*leaf) for leaf in built.leaves}
    inner = built.tree[: count - 1]
    assert not leaves & set(inner)
    for node, (left, right) in zip(
        inner,
        ((built.tree[2 * i + 1], built.tree[2 * i + 2]) for i in range(count - 1)),
        strict=True,
    ):
        claimed = keccak(keccak(left + right)), keccak(keccak(right + left))
        assert node not in claimed
