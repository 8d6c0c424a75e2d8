"""A plan as a batch and as a SafeTx, and the pinned contracts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rewards.chain.plan import PlannedCall
from rewards.chain.safe.deployments import (
    VERSIONS,
    _pins,
    multi_send_addresses,
    multi_send_for,
    multi_send_version,
)
from rewards.chain.safe.export import batch_checksum, batch_file, safe_tx_file, safe_tx_of
from rewards.chain.safe.multi_send import decode_multi_send
from rewards.errors import CheckFailed, InvalidInput
from tests.safe.plans import DISTRIBUTOR, NONCE, PLANS, SAFE, SINGLE, payouts, plan, propose


def test_batch__is_what_the_transaction_builder_reads() -> None:
    document = json.loads(batch_file(SINGLE, SAFE))
    (call,) = document["transactions"]
    assert (document["version"], document["chainId"], document["createdAt"]) == ("1.0", "10", 0)
    assert document["meta"]["createdFromSafeAddress"].lower() == SAFE
    assert document["meta"]["description"] == f"plan {SINGLE.digest}"
    assert call == {
        "to": "0xd15700000000000000000000000000000000B07E",
        "value": "0",
        "data": "0x" + SINGLE.calls[0].data.hex(),
        "contractMethod": None,
        "contractInputsValues": None,
    }


BATCH = {
    "version": "1.0",
    "chainId": "10",
    "createdAt": 1_780_390_800_000,
    "meta": {
        "name": "renamed at will",
        "description": "½ “quoted” \\ \u2028 \u0001 \U0001f600",
        "txBuilderVersion": "2.0.1",
        "createdFromSafeAddress": "",
        "createdFromOwnerAddress": "",
        "checksum": "0x",
    },
    "transactions": [
        {"to": DISTRIBUTOR, "value": "0", "data": "0x", "list": [1, [], {}, True, None]},
        {"\uffee": 1, "\U0001f600": 2, "Z": 3, "a": 4},
    ],
}


def test_checksum__is_the_one_that_safes_own_code_computes() -> None:
    # `addChecksum` of apps/tx-builder/src/lib/checksum.ts (2.0.1), run on this very document.
    assert batch_checksum(BATCH) == (
        "0x6190dfce63bbcb2d35ec0be205cb0f1ecbe66e34ee7a2f3e0108708252038c8b"
    )


def test_checksum__passes_over_name_and_itself_alone() -> None:
    meta = {**BATCH["meta"], "name": "x", "checksum": "y"}  # type: ignore[dict-item]
    assert batch_checksum({**BATCH, "meta": meta}) == batch_checksum(BATCH)
    assert batch_checksum({**BATCH, "createdAt": 1}) != batch_checksum(BATCH)


@pytest.mark.parametrize("name", sorted(PLANS))
def test_export__depends_on_the_plan_alone(name: str) -> None:
    made = PLANS[name]
    assert batch_file(made, SAFE) == batch_file(made, SAFE)
    assert safe_tx_file(made, SAFE, "1.4.1", 1) == safe_tx_file(made, SAFE, "1.4.1", 1)
    assert safe_tx_file(made, SAFE, "1.4.1", 1) != safe_tx_file(made, SAFE, "1.4.1", 2)


def test_safe_tx__one_call_is_direct() -> None:
    tx = safe_tx_of(SINGLE, SAFE, "1.4.1", NONCE)
    assert (tx.to, tx.operation, tx.data) == (DISTRIBUTOR, 0, SINGLE.calls[0].data)


@pytest.mark.parametrize("version", VERSIONS)
def test_safe_tx__several_calls_go_through_the_pinned_contract(version: str) -> None:
    made = payouts()
    tx = safe_tx_of(made, SAFE, version, NONCE)
    assert (tx.to, tx.operation, tx.value) == (multi_send_for(10, version), 1, 0)
    calls = [(call.to, call.value, call.data) for call in made.calls]
    assert [(c.to, c.value, c.data) for c in decode_multi_send(tx.data)] == calls


def test_a_hundred_calls__are_the_most() -> None:
    assert len(json.loads(batch_file(payouts(100), SAFE))["transactions"]) == 100
    for export in (batch_file, lambda made, safe: safe_tx_file(made, safe, "1.4.1", 0)):
        with pytest.raises(CheckFailed, match="has 101 calls, more than 100"):
            export(payouts(101), SAFE)


def test_what_a_safe_cannot_do__is_refused() -> None:
    deploy = plan("deploy", PlannedCall(None, 0, b"\x60", None, ()), epochs=None, files={})
    with pytest.raises(CheckFailed, match="creates a contract"):
        batch_file(deploy, SAFE)
    with pytest.raises(CheckFailed, match="calls the Safe itself"):
        batch_file(plan("propose", replace(propose(), to=SAFE)), SAFE)


def test_a_plan_made_for_another_sender__is_refused() -> None:
    bound = plan("propose", propose(), sender="0x" + "ab" * 20)
    for export in (lambda: batch_file(bound, SAFE), lambda: safe_tx_of(bound, SAFE, "1.4.1", 1)):
        with pytest.raises(CheckFailed, match="was made for 0xabab"):
            export()
    ours = plan("propose", propose(), sender=SAFE)
    assert safe_tx_of(ours, SAFE, "1.4.1", 1).data == ours.calls[0].data


def test_a_chain_without_multi_send__is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"has no MultiSendCallOnly 1\.5\.0"):
        safe_tx_of(replace(payouts(), chain_id=11_155_420), SAFE, "1.5.0", 0)
    assert safe_tx_of(replace(SINGLE, chain_id=11_155_420), SAFE, "1.5.0", 0).operation == 0


def test_pins__are_safes_published_addresses() -> None:
    assert multi_send_addresses(1, "1.3.0") == (
        "0x40a2accbd92bca938b02010e17a5b8929b49130d",
        "0xa1dabef33b3b82c7814b6d82a79e50f4ac44102b",
    )
    # Optimism lists the other address first: it is the one that Safe{Wallet} takes there.
    assert multi_send_for(10, "1.3.0") == "0xa1dabef33b3b82c7814b6d82a79e50f4ac44102b"
    assert multi_send_for(10, "1.4.1") == "0x9641d764fc13c8b624c04430c7356c1c7c8102e2"
    assert multi_send_for(10, "1.5.0") == "0xa83c336b20401af773b6219ba5027174338d1836"
    assert multi_send_for(324, "1.4.1") == "0x0408ef011960d02349d50286d20531229bcef773"
    assert multi_send_version(10, "0x0408ef011960d02349d50286d20531229bcef773") is None
    assert multi_send_addresses(31_337, "1.4.1") == ()


@pytest.mark.parametrize("version", VERSIONS)
def test_pins__name_no_variant_that_is_not_there(version: str) -> None:
    deployments, chains = _pins()["deployments"][version], _pins()["chains"][version]
    assert len(chains) > 100
    assert {v for variants in chains.values() for v in variants.split()} <= set(deployments)
    assert all(entry["address"] == entry["address"].lower() for entry in deployments.values())
