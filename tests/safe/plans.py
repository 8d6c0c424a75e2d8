"""Plans to test with, small and valid, and the forms in which a Safe's services would show them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import contracts_abi
from rewards.chain.contract import interface
from rewards.chain.plan import (
    PROXY,
    Caps,
    EpochRange,
    Plan,
    PlannedCall,
    PlannedContract,
    PlannedToken,
)
from rewards.chain.plan_file import created_by_proxy
from rewards.chain.safe.export import batch_file, safe_tx_file, safe_tx_of
from rewards.chain.safe.hashes import SafeTx, hashes_of
from rewards.chain.safe.statements import DOMAIN_MEMBERS, SAFE_TX_MEMBERS
from rewards.merkle.keccak import keccak256, to_checksum

if TYPE_CHECKING:
    from collections.abc import Mapping

CHAIN_ID = 10
SAFE = "0x5afe00000000000000000000000000000000ab1e"
DISTRIBUTOR = "0xd15700000000000000000000000000000000b07e"
TOKEN = "0x7070e40000000000000000000000000000abcdef"
NONCE = 17
VERSION = "1.4.1"
TOTAL = 1_234_567_890_123_456_789_012


def digest(text: str) -> str:
    return "0x" + keccak256(text.encode()).hex()


def entry(contract: str, function: str) -> Mapping[str, Any]:
    """Return a function's ABI entry."""
    found: Mapping[str, Any] = next(
        one
        for one in contracts_abi.load(contract)["abi"]
        if one["type"] == "function" and one["name"] == function
    )
    return found


APPROVE: dict[str, Any] = {
    "name": "approve",
    "inputs": [{"name": "spender", "type": "address"}, {"name": "amount", "type": "uint256"}],
}


def account(number: int) -> str:
    return "0x" + keccak256(b"account %d" % number).hex()[:40]


def proof(seed: int, length: int) -> list[bytes]:
    return [keccak256(b"proof %d %d" % (seed, place)) for place in range(length)]


def propose(total: int = TOTAL) -> PlannedCall:
    proposal = (
        122,
        123,
        1,
        bytes.fromhex(digest("root")[2:]),
        total,
        bytes.fromhex(digest("manifest")[2:]),
    )
    attestations = [(account(1), bytes(65)), (account(2), bytes(range(65)))]
    values = (proposal, proof(0, 3), attestations)
    return PlannedCall.of(DISTRIBUTOR, entry("EpochDistributor", "propose"), values)


def claim_many(number: int, claims: int = 3) -> PlannedCall:
    accounts = sorted(account(number * 1000 + place) for place in range(claims))
    rows = [(one, 10**18 + place, proof(place, 2)) for place, one in enumerate(accounts)]
    return PlannedCall.of(DISTRIBUTOR, entry("EpochDistributor", "claimMany"), (123, rows))


def plan(action: str, *calls: PlannedCall, **changes: Any) -> Plan:
    """Return a plan with these calls."""
    made = Plan(
        action=action,
        target="epoch-distributor",
        chain_id=CHAIN_ID,
        epochs=EpochRange(122, 123),
        ruleset="wct-1",
        manifest_hash=digest("manifest"),
        previous_manifest_hash=digest("previous"),
        merkle_root=digest("root"),
        files={
            epoch: {"inputs/nodes.csv": digest("nodes")[2:], "manifest.json": digest("m")[2:]}
            for epoch in (122, 123)
        },
        contract=PlannedContract(DISTRIBUTOR, digest("code")),
        token=PlannedToken(TOKEN, "WCT", 18, digest("token code")),
        calls=calls,
        totals={"cumulative_total": TOTAL, "epoch_amount": 10**20, "rise": 10**20},
        caps=Caps(500_000, 10**10, 10**9, 5 * 10**15),
        gate={"ok": True, "checks": {"chain": "passed"}},
    )
    return replace(made, **changes)


def pause() -> Plan:
    call = PlannedCall.of(DISTRIBUTOR, entry("EpochDistributor", "pause"), (True, False))
    return plan("pause", call, epochs=None, files={}, merkle_root=None, gate=None)


def veto() -> Plan:
    values = (123, 1, "wrong scores: node-7 \u2013 see the report")
    return plan("veto", PlannedCall.of(DISTRIBUTOR, entry("EpochDistributor", "veto"), values))


def fund_and_propose() -> Plan:
    fund = PlannedCall.of(TOKEN, APPROVE, (DISTRIBUTOR, 10**20))
    return plan("propose", fund, propose())


def payouts(calls: int = 4) -> Plan:
    return plan("claim_many", *(claim_many(number) for number in range(calls)))


def deploy() -> Plan:
    """Return a deployment through the proxy: no function is called."""
    guardians = (account(5), account(6))
    config = (
        *(TOKEN, account(1), account(2), 0, 86_400, 604_800, 86_400, 172_800, 2, 10**24, 10**23),
        *((account(3),), (account(3), account(4)), guardians),
    )
    data = bytes(32) + interface("EpochDistributor").deployment(config).data
    contract = PlannedContract(created_by_proxy(data), None)
    call = PlannedCall(PROXY, 0, data, None, ())
    return plan("deploy", call, epochs=None, files={}, contract=contract)


SINGLE = plan("propose", propose())
PLANS = {
    "propose": SINGLE,
    "pause": pause(),
    "veto": veto(),
    "fund+propose": fund_and_propose(),
    "claim_many": payouts(),
    "deploy": deploy(),
}

# --- the forms -----------------------------------------------------------------------------------


def pretty(document: object) -> bytes:
    return json.dumps(document, indent=2).encode()


def members(tx: SafeTx, *, text: bool) -> dict[str, Any]:
    """Return the transaction as Safe's SDK and services write it; v2 has gas and nonce as text."""
    number: Any = str if text else int
    return {
        "to": to_checksum(tx.to),
        "value": str(tx.value),
        "data": "0x" + tx.data.hex() if tx.data else None,
        "operation": tx.operation,
        "gasToken": to_checksum(tx.gas_token),
        "safeTxGas": number(tx.safe_tx_gas),
        "baseGas": number(tx.base_gas),
        "gasPrice": str(tx.gas_price),
        "refundReceiver": to_checksum(tx.refund_receiver),
        "nonce": number(tx.nonce),
    }


def service(tx: SafeTx, chain_id: int, safe: str, *, text: bool = False) -> bytes:
    """Return the Safe Transaction Service's answer, v1 or (`text`) v2."""
    stated = hashes_of(chain_id, safe, tx).safe_tx_hash
    return pretty(
        {
            "safe": to_checksum(safe),
            **members(tx, text=text),
            "executionDate": None,
            "submissionDate": "2026-06-02T09:00:00.000000Z",
            "modified": "2026-06-02T09:00:01.000000Z",
            "blockNumber": None,
            "transactionHash": None,
            "safeTxHash": stated,
            "proposer": to_checksum(account(7)),
            "proposedByDelegate": None,
            "executor": None,
            "isExecuted": False,
            "isSuccessful": None,
            "ethGasPrice": None,
            "maxFeePerGas": None,
            "maxPriorityFeePerGas": None,
            "gasUsed": None,
            "fee": None,
            "payment": None,
            "origin": '{"url": "https://apps-portal.safe.global/tx-builder"}',
            "dataDecoded": None,
            "confirmationsRequired": 2,
            "confirmations": [],
            "trusted": True,
            "signatures": None,
        }
    )


def gateway(tx: SafeTx, chain_id: int, safe: str) -> bytes:
    """Return the Safe Client Gateway's answer, as Safe{Wallet} reads it."""
    stated = hashes_of(chain_id, safe, tx).safe_tx_hash

    def info(address: str) -> dict[str, Any]:
        return {"value": to_checksum(address), "name": None, "logoUri": None}

    return pretty(
        {
            "safeAddress": to_checksum(safe),
            "txId": f"multisig_{to_checksum(safe)}_{stated}",
            "executedAt": None,
            "txStatus": "AWAITING_CONFIRMATIONS",
            "txInfo": {"type": "Custom", "to": info(tx.to), "value": "0", "isCancellation": False},
            "txData": {
                "hexData": "0x" + tx.data.hex() if tx.data else None,
                "dataDecoded": None,
                "to": info(tx.to),
                "value": str(tx.value),
                "operation": tx.operation,
                "trustedDelegateCallTarget": None,
                "addressInfoIndex": None,
            },
            "detailedExecutionInfo": {
                "type": "MULTISIG",
                "submittedAt": 1780390800000,
                "nonce": tx.nonce,
                "safeTxGas": str(tx.safe_tx_gas),
                "baseGas": str(tx.base_gas),
                "gasPrice": str(tx.gas_price),
                "gasToken": to_checksum(tx.gas_token),
                "refundReceiver": info(tx.refund_receiver),
                "safeTxHash": stated,
                "executor": None,
                "signers": [info(account(7))],
                "confirmationsRequired": 2,
                "confirmations": [],
                "rejectors": [],
                "gasTokenInfo": None,
                "trusted": True,
                "proposer": info(account(7)),
                "proposedByDelegate": None,
            },
            "txHash": None,
            "safeAppInfo": None,
            "note": None,
        }
    )


def wallet(tx: SafeTx, _chain_id: int, _safe: str) -> bytes:
    """Return the JSON view of Safe{Wallet}."""
    document = {**members(tx, text=False), "safeTxGas": "0", "baseGas": "0"}
    document["safeTxGas"], document["baseGas"] = str(tx.safe_tx_gas), str(tx.base_gas)
    return pretty({**document, "data": "0x" + tx.data.hex()})


def typed_data(tx: SafeTx, chain_id: int, safe: str) -> bytes:
    """Return the EIP-712 typed data."""
    return pretty(
        {
            "types": {
                "EIP712Domain": [{"name": n, "type": t} for n, t in DOMAIN_MEMBERS],
                "SafeTx": [{"name": n, "type": t} for n, t in SAFE_TX_MEMBERS],
            },
            "primaryType": "SafeTx",
            "domain": {"chainId": chain_id, "verifyingContract": to_checksum(safe)},
            "message": {**members(tx, text=True), "data": "0x" + tx.data.hex()},
        }
    )


EXPORTS = {
    "service v1": service,
    "service v2": lambda tx, chain_id, safe: service(tx, chain_id, safe, text=True),
    "gateway": gateway,
    "wallet": wallet,
    "typed-data": typed_data,
}


def forms_of(made: Plan, version: str = VERSION) -> dict[str, bytes]:
    """Return a plan in every form that `verify` reads."""
    tx = safe_tx_of(made, SAFE, version, NONCE)
    return {
        "batch": batch_file(made, SAFE),
        "safe-tx": safe_tx_file(made, SAFE, version, NONCE),
        **{name: write(tx, made.chain_id, SAFE) for name, write in EXPORTS.items()},
    }
