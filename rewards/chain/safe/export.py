"""A plan in the two forms in which a Safe takes it: a Transaction Builder batch, and a SafeTx.

Both are canonical bytes and depend on the plan and the options alone, so that everybody who exports
the same plan for the same Safe holds the same file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rewards.chain.safe.deployments import multi_send_for
from rewards.chain.safe.hashes import CALL, DELEGATECALL, SafeTx, hashes_of
from rewards.chain.safe.multi_send import InnerCall, encode_multi_send
from rewards.errors import CheckFailed, Finding
from rewards.files.documents import canonical_json
from rewards.merkle.keccak import keccak256, to_checksum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rewards.chain.plan import Plan

SAFE_TX_FORMAT = "wct-safe-tx-1"
BATCH_VERSION = "1.0"
BATCH_CALLS_LIMIT = 100
"""Calls in one batch: more of them pass what a block's gas and a person's patience allow."""
BATCH_BUILDER_VERSION = "2.0.1"
"""The release of the Transaction Builder whose file format and checksum this follows."""
BATCH_CREATED_AT = 0
"""`createdAt` is shown nowhere and checked nowhere; a clock would make each export another file."""


def calls_of(plan: Plan, safe: str) -> list[InnerCall]:
    """Return the plan's calls as the Safe makes them.

    Raises:
        CheckFailed: A Safe cannot or should not make them; all findings together.
    """
    findings = _refusals(plan, safe)
    if findings:
        raise CheckFailed(findings)
    return [InnerCall(call.to, call.value, call.data) for call in plan.calls if call.to]


def _refusals(plan: Plan, safe: str) -> list[Finding]:
    findings = []
    if plan.sender not in (None, safe):
        problem = f"was made for {plan.sender} to send, not for this Safe"
        remedy = "make the plan anew with --sender and the Safe's address"
        findings.append(Finding("plan", problem, remedy, column="sender", value=safe))
    if len(plan.calls) > BATCH_CALLS_LIMIT:
        problem = f"has {len(plan.calls)} calls, more than {BATCH_CALLS_LIMIT}"
        findings.append(Finding("plan", problem, "split it into several plans", column="calls"))
    for number, call in enumerate(plan.calls):
        place = f"calls[{number}].to"
        if call.to is None:
            problem = "creates a contract, which a Safe cannot do by a call"
            remedy = "send this one from a key: whoever creates the contract gets no right in it"
            findings.append(Finding("plan", problem, remedy, column=place))
        elif call.to == safe:
            problem = "calls the Safe itself, which would change its own settings"
            findings.append(Finding("plan", problem, "do not sign it", column=place))
    return findings


# --- the Transaction Builder's batch -----------------------------------------------------------


def batch_file(plan: Plan, safe: str) -> bytes:
    """Return the plan as a file that the Transaction Builder imports.

    Only the bytes are given, never a `contractMethod`: the builder would encode its arguments anew,
    with a reader of its own for lists and numbers.
    """
    epochs = f" {plan.epochs}" if plan.epochs else ""
    document: dict[str, Any] = {
        "version": BATCH_VERSION,
        "chainId": str(plan.chain_id),
        "createdAt": BATCH_CREATED_AT,
        "meta": {
            "name": f"{plan.action}{epochs}",
            "description": f"plan {plan.digest}",
            "txBuilderVersion": BATCH_BUILDER_VERSION,
            "createdFromSafeAddress": to_checksum(safe),
            "createdFromOwnerAddress": "",
        },
        "transactions": [
            {
                "to": to_checksum(call.to),
                "value": str(call.value),
                "data": "0x" + call.data.hex(),
                "contractMethod": None,
                "contractInputsValues": None,
            }
            for call in calls_of(plan, safe)
        ],
    }
    document["meta"]["checksum"] = batch_checksum(document)
    return canonical_json(document)


def batch_checksum(document: Mapping[str, Any]) -> str:
    """Return a batch's checksum as the Transaction Builder computes it.

    Keccak-256 of a serialisation of its own: a list as `[a,b]`, an object as `{["key",…]value,…,}`
    with sorted keys, all else as `JSON.stringify` does. `meta.name` counts as null, so that a batch
    may be renamed, and `meta.checksum` not at all. The Transaction Builder only warns where it is
    wrong, and whoever changes a batch can compute it anew: it finds damage, not intent.

    Source: `calculateChecksumWithoutMeta` in apps/tx-builder/src/lib/checksum.ts,
    safe-global/safe-wallet-monorepo.
    """
    meta = {key: value for key, value in document["meta"].items() if key != "checksum"}
    serialised = _serialise({**document, "meta": {**meta, "name": None}})
    return "0x" + keccak256(serialised.encode()).hex()


def _serialise(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, list):
        return "[" + ",".join(map(_serialise, value)) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))  # as JavaScript sorts
        inside = "".join(_serialise(value[key]) + "," for key in keys)
        return "{" + _stringify(keys) + inside + "}"
    return _stringify(value)


def _stringify(value: Any) -> str:  # noqa: ANN401
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# --- the SafeTx --------------------------------------------------------------------------------


def safe_tx_of(plan: Plan, safe: str, version: str, nonce: int) -> SafeTx:
    """Return the transaction to sign: one call as it is, several through MultiSendCallOnly.

    Raises:
        CheckFailed: A Safe cannot or should not make these calls.
        InvalidInput: Several calls, and no MultiSendCallOnly of this version on this chain.
    """
    calls = calls_of(plan, safe)
    if len(calls) == 1:
        (call,) = calls
        return SafeTx.plain(call.to, call.value, call.data, CALL, nonce)
    to = multi_send_for(plan.chain_id, version)
    return SafeTx.plain(to, 0, encode_multi_send(calls), DELEGATECALL, nonce)


def safe_tx_file(plan: Plan, safe: str, version: str, nonce: int) -> bytes:
    """Return the SafeTx with its hashes as a file."""
    tx = safe_tx_of(plan, safe, version, nonce)
    hashes = hashes_of(plan.chain_id, safe, tx)
    return canonical_json(
        {
            "format": SAFE_TX_FORMAT,
            "plan_digest": plan.digest,
            "chain_id": str(plan.chain_id),
            "safe": safe,
            "safe_version": version,
            "to": tx.to,
            "value": str(tx.value),
            "data": "0x" + tx.data.hex(),
            "operation": str(tx.operation),
            "safe_tx_gas": str(tx.safe_tx_gas),
            "base_gas": str(tx.base_gas),
            "gas_price": str(tx.gas_price),
            "gas_token": tx.gas_token,
            "refund_receiver": tx.refund_receiver,
            "nonce": str(tx.nonce),
            "domain_hash": hashes.domain_hash,
            "message_hash": hashes.message_hash,
            "safe_tx_hash": hashes.safe_tx_hash,
        }
    )
