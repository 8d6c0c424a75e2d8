"""The hashes against two other implementations: eth-account's EIP-712, and Safe's own bytecode."""

from __future__ import annotations

import random
from dataclasses import astuple
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from rewards.chain.safe.deployments import VERSIONS, _pins, multi_send_addresses
from rewards.chain.safe.export import safe_tx_of
from rewards.chain.safe.hashes import DOMAIN_TYPE, SAFE_TX_TYPE, SafeTx, domain_hash, hashes_of
from rewards.chain.safe.statements import DOMAIN_MEMBERS, SAFE_TX_MEMBERS
from rewards.merkle.keccak import keccak256
from tests.safe.evm import RECORDER, Chain, code_of
from tests.safe.plans import CHAIN_ID, NONCE, PLANS, SAFE

HANDLER = "CompatibilityFallbackHandler"
CODE_HASHES = {
    ("Safe", "1.3.0"): "bba688fbdb21ad2bb58bc320638b43d94e7d100f6f3ebaab0a4e4de6304b1c2e",
    ("Safe", "1.4.1"): "1fe2df852ba3299d6534ef416eefa406e56ced995bca886ab7a553e6d0c5e1c4",
    ("Safe", "1.5.0"): "dda019cbd7c867a533a2a86e5c53434fdc50b13122b5a5ddb4a8df61b31c20f2",
    (HANDLER, "1.3.0"): "03e69f7ce809e81687c69b19a7d7cca45b6d551ffdec73d9bb87178476de1abf",
    (HANDLER, "1.4.1"): "7c6007a5d711cea8dfd5d91f5940ec29c7f200fe511eb1fc1397b367af3c42f9",
    (HANDLER, "1.5.0"): "3c6a85bcf7b563daa624b884b4e9a1b9fa5371edde7be945d998071a48f28bbc",
}
"""`codeHash` of their canonical deployments in @safe-global/safe-deployments 1.37.63."""
OWNER = Account.from_key(keccak256(b"a key for tests only"))


def random_address(dice: random.Random) -> str:
    return "0x" + dice.randbytes(20).hex()


def random_tx(dice: random.Random) -> SafeTx:
    def amount() -> int:
        return dice.choice([0, 1, dice.getrandbits(64), 2**256 - 1])

    return SafeTx(
        to=random_address(dice),
        value=amount(),
        data=dice.randbytes(dice.choice([0, 1, 31, 32, 33, 500])),
        operation=dice.randrange(2),
        safe_tx_gas=amount(),
        base_gas=amount(),
        gas_price=amount(),
        gas_token=random_address(dice),
        refund_receiver=random_address(dice),
        nonce=amount(),
    )


def typed_data_of(chain_id: int, safe: str, tx: SafeTx) -> dict[str, Any]:
    return {
        "types": {
            "EIP712Domain": [{"name": n, "type": t} for n, t in DOMAIN_MEMBERS],
            "SafeTx": [{"name": n, "type": t} for n, t in SAFE_TX_MEMBERS],
        },
        "primaryType": "SafeTx",
        "domain": {"chainId": chain_id, "verifyingContract": safe},
        "message": dict(zip((name for name, _ in SAFE_TX_MEMBERS), astuple(tx), strict=True)),
    }


def test_type_hashes__are_the_constants_in_safes_source() -> None:
    # DOMAIN_SEPARATOR_TYPEHASH and SAFE_TX_TYPEHASH, the same in 1.3.0, 1.4.1 and 1.5.0.
    domain = "47e79534a245952e8b16893a336b85a3d9ea9fa8c573f3d803afb92a79469218"
    safe_tx = "bb8310d486368db6bd6f849402fdd73ad53d316b5a4b2644ad6efe0f941286d8"
    assert keccak256(DOMAIN_TYPE).hex() == domain
    assert keccak256(SAFE_TX_TYPE).hex() == safe_tx


@pytest.mark.parametrize("seed", range(25))
def test_hashes__equal_eth_accounts(seed: int) -> None:
    dice = random.Random(seed)
    chain_id, safe, tx = dice.choice([1, 10, 2**63]), random_address(dice), random_tx(dice)
    message = encode_typed_data(full_message=typed_data_of(chain_id, safe, tx))
    ours = hashes_of(chain_id, safe, tx)
    assert ours.domain_hash == "0x" + message.header.hex()
    assert ours.message_hash == "0x" + message.body.hex()
    whole = keccak256(b"\x19" + message.version + message.header + message.body)
    assert ours.safe_tx_hash == "0x" + whole.hex()


@pytest.mark.parametrize(("contract", "version"), CODE_HASHES)
def test_bytecode__is_what_safe_deployed(contract: str, version: str) -> None:
    assert keccak256(code_of(contract, version)).hex() == CODE_HASHES[contract, version]


@pytest.mark.parametrize("version", VERSIONS)
def test_multi_send_bytecode__is_what_is_pinned(version: str) -> None:
    pinned = _pins()["deployments"][version]["canonical"]["code_hash"]
    assert "0x" + keccak256(code_of("MultiSendCallOnly", version)).hex() == pinned


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("chain_id", [1, 10, 11_155_111])
def test_hashes__equal_those_of_the_safe_itself(version: str, chain_id: int) -> None:
    chain = Chain(chain_id)
    chain.put(SAFE, code_of("Safe", version))
    assert chain.domain_separator(SAFE) == domain_hash(chain_id, SAFE)
    dice = random.Random(chain_id)
    for _ in range(10):
        tx = random_tx(dice)
        theirs = "0x" + chain.transaction_hash(SAFE, tx).hex()
        assert hashes_of(chain_id, SAFE, tx).safe_tx_hash == theirs


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", sorted(PLANS))
def test_exported_transaction__executes_as_the_planned_calls(name: str, version: str) -> None:
    """The Safe accepts a signature of our hash, and makes the plan's calls in the plan's order."""
    plan = PLANS[name]
    tx = safe_tx_of(plan, SAFE, version, NONCE)
    chain = Chain(CHAIN_ID)
    chain.put_safe(SAFE, version, OWNER.address, NONCE)
    for address in multi_send_addresses(CHAIN_ID, version):
        chain.put(address, code_of("MultiSendCallOnly", version))
    for call in plan.calls:
        chain.put(str(call.to), RECORDER)
    digest = bytes.fromhex(hashes_of(CHAIN_ID, SAFE, tx).safe_tx_hash[2:])
    signature = OWNER.unsafe_sign_hash(digest).signature
    made = chain.execute(SAFE, tx, signature)
    assert made == [(call.to, SAFE, call.data) for call in plan.calls]


PUBLIC = [
    # Transactions as Safe's services published them: chain, Safe, callee, value, data, nonce, hash.
    pytest.param(
        1,
        "0x9b268cce1138d8f3db27881d294704ae2353b833",
        SafeTx.plain("0x8cf60b289f8d31f737049b590b5e4285ff0bd1d1", 10**15, b"", 0, 1),
        "0x71bbd1697aa1ff2e50cb9afb4f1b4abe59b8849f32bc58be1b3dbcbdb2330f1d",
        id="Ethereum, a transfer",
    ),
    pytest.param(
        11_155_111,
        "0x883ac919b42b9065c1bc1ea7560ba2924655762e",
        SafeTx.plain(
            "0x0a7e2ff54e76b8e6659aedc9103fb21c038050d0",
            0,
            bytes.fromhex(
                f"60d7a278{0x60:064x}{0:064x}{1:064x}{21:064x}"
                + "737472696e672064696f2c20626f6f6c206361726f".ljust(64, "0")
            ),
            0,
            0,
        ),
        "0xb5a92ad609917e361ccfb47d05123513b53218710be09912d03763336cbd6a22",
        id="Sepolia, a call",
    ),
]


@pytest.mark.parametrize(("chain_id", "safe", "tx", "expected"), PUBLIC)
def test_hashes__equal_published_ones(chain_id: int, safe: str, tx: SafeTx, expected: str) -> None:
    assert hashes_of(chain_id, safe, tx).safe_tx_hash == expected
