"""What `verify` says: each difference by its name, and nothing about what is the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from rewards.chain.safe.check import check_file
from rewards.chain.safe.deployments import VERSIONS
from rewards.chain.safe.export import batch_checksum, batch_file, safe_tx_file, safe_tx_of
from rewards.chain.safe.hashes import SafeTx, hashes_of
from rewards.chain.safe.multi_send import InnerCall, encode_multi_send
from rewards.files.documents import canonical_json
from tests.safe.plans import (
    CHAIN_ID,
    DISTRIBUTOR,
    EXPORTS,
    NONCE,
    PLANS,
    SAFE,
    SINGLE,
    TOKEN,
    TOTAL,
    VERSION,
    account,
    claim_many,
    forms_of,
    fund_and_propose,
    payouts,
    plan,
    propose,
    service,
)

BOTH = fund_and_propose()


def findings(content: bytes, made: Any = SINGLE, *options: Any) -> list[str]:
    verdict = check_file(content, "f", made, *(options or (SAFE, NONCE)))
    return [str(finding) for finding in verdict.findings]


def as_service(tx: SafeTx) -> bytes:
    return service(tx, CHAIN_ID, SAFE)


def batch_with(change: Any) -> bytes:
    document = json.loads(batch_file(SINGLE, SAFE))
    change(document)
    document["meta"]["checksum"] = batch_checksum(document)
    return canonical_json(document)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", sorted(PLANS))
def test_hashes__are_computed_for_each_version(name: str, version: str) -> None:
    made = PLANS[name]
    expected = hashes_of(CHAIN_ID, SAFE, safe_tx_of(made, SAFE, version, NONCE))
    for form, content in forms_of(made, version).items():
        verdict = check_file(content, "f", made, SAFE, NONCE)
        assert not verdict.findings
        assert verdict.hashes is not None
        assert list(verdict.hashes) == list(VERSIONS)
        assert verdict.domain_hash == expected.domain_hash
        # A batch is no transaction yet: each version's MultiSendCallOnly makes it another one.
        shown = verdict.hashes.values() if form != "batch" else [verdict.hashes[version]]
        assert set(shown) == {expected}


def test_a_changed_amount__is_named_with_both() -> None:
    other = safe_tx_of(
        plan("propose", propose(1), totals={"cumulative_total": 1}), SAFE, VERSION, NONCE
    )
    (line,) = findings(as_service(other))
    assert line.startswith("f, calls[0].propose.proposal.cumulativeTotal: '1' is not ")
    assert f"'{TOTAL}', as planned" in line


def test_a_changed_list__is_named_by_its_length() -> None:
    shorter = plan("claim_many", claim_many(0, claims=2))
    (line, *rest) = findings(batch_file(shorter, SAFE), plan("claim_many", claim_many(0)))
    assert line == "f, calls[0].claimMany.claims: '2' elements, not 3; do not sign it"
    assert all("calls[0].claimMany.claims[" in other for other in rest)


def test_another_function__is_named() -> None:
    tx = replace(safe_tx_of(SINGLE, SAFE, VERSION, NONCE), data=bytes.fromhex("a9059cbb"))
    (line,) = findings(as_service(tx))
    assert line.startswith("f, calls[0].propose: calls 0xa9059cbb, not propose((uint256,")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"to": account(9)}, f"is called; the plan calls {DISTRIBUTOR}"),
        ({"to": SAFE}, "is the Safe itself: the call would change its own settings"),
        ({"value": 5}, "'5' wei are sent, not 0"),
        ({"operation": 1}, "is no MultiSendCallOnly of Safe's, and is DELEGATECALLed"),
        ({"operation": 2}, "is neither CALL nor DELEGATECALL"),
        ({"safe_tx_gas": 1}, "safeTxGas: '1' is not 0: gas would be refunded out of the Safe"),
        ({"base_gas": 1}, "baseGas: '1' is not 0: gas would be refunded out of the Safe"),
        ({"gas_price": 1}, "gasPrice: '1' is not 0: gas would be refunded out of the Safe"),
        ({"gas_token": TOKEN}, "gasToken: "),
        ({"refund_receiver": TOKEN}, "refundReceiver: "),
        ({"nonce": 3}, "nonce: '3' is not the nonce 17"),
    ],
)
def test_a_changed_field__is_named(change: dict[str, Any], expected: str) -> None:
    tx = replace(safe_tx_of(SINGLE, SAFE, VERSION, NONCE), **change)
    listed = findings(as_service(tx))
    assert any(expected in line for line in listed), listed


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([0], "calls[1]: is missing: the plan calls 0xd157"),
        ([0, 1, 1], "calls[2]: '0xd15700000000000000000000000000000000b07e' is called and is not"),
        ([1, 0], "calls[0].to: '0xd15700000000000000000000000000000000b07e' is called; the plan"),
        ([], "calls[0]: is missing"),
    ],
)
def test_a_call_more_or_less__is_named(calls: list[int], expected: str) -> None:
    made = [InnerCall(str(call.to), call.value, call.data) for call in BOTH.calls]
    tx = safe_tx_of(BOTH, SAFE, VERSION, NONCE)
    tx = replace(tx, data=encode_multi_send(made[place] for place in calls))
    assert any(expected in line for line in findings(as_service(tx), BOTH))


@pytest.mark.parametrize("length", [1, 31, 32, 33, 64])
def test_bytes_after_the_last_call__are_refused_though_the_contract_ignores_them(
    length: int,
) -> None:
    tx = safe_tx_of(BOTH, SAFE, VERSION, NONCE)
    size = int.from_bytes(tx.data[36:68], "big") + length
    packed = tx.data[68 : 68 + size - length] + bytes(length)
    data = tx.data[:36] + size.to_bytes(32, "big") + packed + bytes(-size % 32)
    (line,) = findings(as_service(replace(tx, data=data)), BOTH)
    bytes_are = "byte after call 2 that is" if length == 1 else "bytes after call 2 that are"
    assert line == f"f, data: has {length} {bytes_are} no call; do not sign it"


def test_a_plan_made_for_another_sender__is_named() -> None:
    content = batch_file(SINGLE, SAFE)
    verdict = check_file(content, "f", replace(SINGLE, sender="0x" + "ab" * 20), SAFE, NONCE)
    assert any("for whom the plan was made" in finding.problem for finding in verdict.findings)


def test_a_multi_send_of_another_chain__is_refused() -> None:
    # MultiSendCallOnly 1.5.0 is not in Safe's list for Optimism Sepolia.
    there = replace(BOTH, chain_id=11_155_420)
    tx = replace(
        safe_tx_of(there, SAFE, "1.4.1", NONCE), to="0xa83c336b20401af773b6219ba5027174338d1836"
    )
    (line,) = findings(service(tx, 11_155_420, SAFE), there)
    assert "is no MultiSendCallOnly of Safe's" in line


def test_an_exported_transaction__of_another_safe_version__is_refused() -> None:
    document = json.loads(safe_tx_file(BOTH, SAFE, "1.4.1", NONCE))
    document["safe_version"] = "1.5.0"
    (line,) = findings(canonical_json(document), BOTH)
    assert "is the MultiSendCallOnly of 1.4.1, not of 1.5.0" in line


def test_a_refund_in_the_tokens_of_the_safe__is_refused() -> None:
    """Safe{Wallet} can have the Safe itself pay the executor's gas: that is in what is signed."""
    tx = safe_tx_of(SINGLE, SAFE, VERSION, NONCE)
    paid = replace(tx, base_gas=50_000, gas_price=10**9, gas_token=TOKEN, refund_receiver=TOKEN)
    assert len(findings(as_service(paid))) == 4


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d.update(chainId="1"), "chain: '1' is not the plan's chain 10"),
        (lambda d: d.update(chainId=10), "chainId: '10' is no text"),
        (lambda d: d.update(version="1.1"), "version: '1.1' is not '1.0'"),
        (lambda d: d["meta"].update(createdFromSafeAddress=account(3)), "is not the Safe"),
        (lambda d: d["transactions"][0].update(operation=1), "is no field of this format"),
        (lambda d: d["transactions"][0].update(data=None), "data: 'None' is no text"),
        (lambda d: d["transactions"][0].update(value="0x0"), "is not a non-negative integer"),
        (
            lambda d: d["transactions"][0].update(contractMethod={"name": "pause"}),
            "is there besides `data`",
        ),
        (lambda d: d.update(transactions=d["transactions"] * 101), "101 calls, more than 100"),
    ],
)
def test_a_changed_batch__is_named_though_its_checksum_is_right(change: Any, expected: str) -> None:
    listed = findings(batch_with(change))
    assert any(expected in line for line in listed), listed


def test_a_damaged_batch__has_a_wrong_checksum() -> None:
    document = json.loads(batch_file(SINGLE, SAFE))
    document["meta"]["description"] = "another"
    (line,) = findings(canonical_json(document))
    assert "meta.checksum" in line


def test_a_damaged_batch__is_compared_all_the_same() -> None:
    document = json.loads(batch_file(SINGLE, SAFE))
    document["chainId"] = "1"
    checksum, chain = findings(canonical_json(document))
    assert "meta.checksum" in checksum
    assert "is not the plan's chain 10" in chain


def test_many_calls_more__are_counted() -> None:
    listed = findings(batch_file(payouts(90), SAFE), payouts(4))
    assert listed[-1] == "f, calls: '86' calls in all are not in the plan; do not sign it"
    assert len(listed) == 21


def test_a_renamed_batch_in_another_layout__is_the_same_batch() -> None:
    document = json.loads(batch_file(SINGLE, SAFE))
    document["meta"]["name"] = "renamed in the Transaction Builder"
    assert not findings(json.dumps(dict(reversed(document.items()))).encode())


@pytest.mark.parametrize("form", ["service v1", "service v2", "gateway"])
def test_a_stated_hash__that_is_wrong__is_named(form: str) -> None:
    tx = safe_tx_of(SINGLE, SAFE, VERSION, NONCE)
    good = hashes_of(CHAIN_ID, SAFE, tx).safe_tx_hash
    content = EXPORTS[form](tx, CHAIN_ID, SAFE).replace(good.encode(), b"0x" + b"12" * 32)
    (line,) = findings(content)
    assert f"is not the hash of this transaction, {good}" in line


def test_fields_that_are_not_signed__are_passed_over() -> None:
    document = json.loads(forms_of(SINGLE)["service v1"])
    document |= {"dataDecoded": {"method": "pause"}, "aFieldOfNextYear": [1], "isExecuted": True}
    verdict = check_file(json.dumps(document).encode(), "f", SINGLE, SAFE, NONCE)
    assert not verdict.findings
    assert verdict.notes == ("the service says that it has been executed already",)


@pytest.mark.parametrize("key", ["To", "SAFE", "safe_tx_gas", "refundreceiver", "nonc\u0435"])
def test_fields_that_look_like_signed_ones__are_refused(key: str) -> None:
    document = {**json.loads(forms_of(SINGLE)["service v1"]), key: "0"}
    (line,) = findings(json.dumps(document).encode())
    assert "is no field of this format" in line


def test_without_options__the_files_word_is_taken_and_noted() -> None:
    content = forms_of(SINGLE)["service v1"]
    verdict = check_file(content, "f", SINGLE)
    assert not verdict.findings
    assert (verdict.safe, verdict.nonce) == (SAFE, NONCE)
    assert verdict.notes == (
        "which Safe signs was taken from the file: give --safe to check it",
        "the nonce was taken from the file: give --nonce to check it",
    )


def test_the_wallets_json__needs_the_safe() -> None:
    content = forms_of(SINGLE)["wallet"]
    assert [f.remedy for f in check_file(content, "f", SINGLE).findings] == [
        "say which it is: --safe ADDRESS"
    ]
    verdict = check_file(content, "f", SINGLE, SAFE)
    assert "the file names no chain: compare the domain hash" in verdict.notes[-1]


def test_typed_data__with_other_types__is_refused() -> None:
    document = json.loads(forms_of(SINGLE)["typed-data"])
    document["types"]["SafeTx"].append({"name": "note", "type": "string"})
    (line,) = findings(json.dumps(document).encode())
    assert "are not those of a Safe from 1.3.0 on" in line


def test_a_call_without_a_function__is_compared_byte_by_byte() -> None:
    made = PLANS["deploy"]
    tx = safe_tx_of(made, SAFE, VERSION, NONCE)
    (line,) = findings(as_service(replace(tx, data=tx.data[:-1] + b"\x01")), made)
    assert line == "f, calls[0].data: differs from the plan's bytes; do not sign it"


def test_a_safe_tx_of_another_plan_with_the_same_calls__is_refused() -> None:
    content = safe_tx_file(SINGLE, SAFE, VERSION, NONCE)
    (line,) = findings(content, replace(SINGLE, ruleset="wct-2"))
    assert line.startswith(f"f, plan_digest: '{SINGLE.digest}' is not this plan, 0x")


def test_a_safe_tx_in_another_spelling__is_refused() -> None:
    content = safe_tx_file(SINGLE, SAFE, VERSION, NONCE)
    assert findings(content + b"\n") == ["f: is not in canonical form; export it again"]


@pytest.mark.parametrize(
    ("form", "path", "value"),
    [
        ("safe-tx", ("format",), "wct-safe-tx-2"),
        ("typed-data", ("primaryType",), "SafeMessage"),
        ("gateway", ("detailedExecutionInfo", "type"), "MODULE"),
        ("gateway", ("txId",), "multisig_0x_0x"),
        ("service v1", ("safeTxHash",), None),
        ("batch", ("createdAt",), "yesterday"),
        ("batch", ("createdAt",), 2**53),
    ],
)
def test_a_mark_of_the_form__that_is_wrong__is_refused(
    form: str, path: tuple[str, ...], value: Any
) -> None:
    document = json.loads(forms_of(SINGLE)[form])
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    if form == "batch":
        document["meta"]["checksum"] = batch_checksum(document)
    assert any(f", {'.'.join(path)}: " in line for line in findings(canonical_json(document)))


def test_a_service_without_a_hash__is_refused() -> None:
    document = json.loads(forms_of(SINGLE)["service v1"])
    del document["safeTxHash"]
    assert findings(json.dumps(document).encode()) == ["f: states no safeTxHash; export it again"]


@pytest.mark.parametrize("content", [b"{}", b'{"results": []}', b"[]", b"", b"\xff"])
def test_what_is_not_known__is_refused(content: bytes) -> None:
    assert len(findings(content)) == 1


def test_a_plan_that_calls_the_safe__is_refused_even_if_the_file_is_that_plan() -> None:
    call = replace(propose(), to=account(5))
    made = plan("propose", call)
    (line,) = findings(
        service(SafeTx.plain(account(5), 0, call.data, 0, 0), 10, account(5)), made, account(5), 0
    )
    assert "is the Safe itself" in line
