"""The plan's bytes, its digest, and what a strict reader refuses."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rewards.chain.plan import PROXY, EpochRange, PlannedCall, call_document, plan_digest
from rewards.chain.plan_file import parse_plan, plan_bytes
from rewards.chain.safe.words import describe
from rewards.errors import InvalidInput, InvariantBroken
from rewards.files.documents import canonical_json
from rewards.merkle.keccak import keccak256, to_checksum
from tests.safe.plans import (
    DISTRIBUTOR,
    PLANS,
    SINGLE,
    TOKEN,
    account,
    entry,
    plan,
    propose,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENT: dict[str, Any] = json.loads(plan_bytes(SINGLE))


def sealed(document: dict[str, Any]) -> bytes:
    return canonical_json({**document, "digest": plan_digest(document)})


def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return the plan with a change and the digest that belongs to it."""
    document = json.loads(plan_bytes(SINGLE))
    change(document)
    return sealed(document)


def refusals(content: bytes) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        parse_plan(content)
    return [str(finding) for finding in caught.value.findings]


@pytest.mark.parametrize("name", sorted(PLANS))
def test_plan__is_read_back_as_it_was(name: str) -> None:
    made = PLANS[name]
    content = plan_bytes(made)
    assert parse_plan(content) == made
    assert plan_bytes(parse_plan(content)) == content


def test_digest__is_keccak_of_the_bytes_without_it() -> None:
    rest = {key: value for key, value in DOCUMENT.items() if key != "digest"}
    assert SINGLE.digest == "0x" + keccak256(canonical_json(rest)).hex() == DOCUMENT["digest"]


def test_integers__are_text() -> None:
    def numbers(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [found for inner in value.values() for found in numbers(inner)]
        if isinstance(value, list):
            return [found for inner in value for found in numbers(inner)]
        return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []

    assert not numbers(DOCUMENT)


def test_any_byte__changed__is_refused() -> None:
    content = plan_bytes(SINGLE)
    dice = random.Random(1)
    for _ in range(400):
        place = dice.randrange(len(content))
        other = bytes([content[place] ^ (1 << dice.randrange(8))])
        assert refusals(content[:place] + other + content[place + 1 :])


@pytest.mark.parametrize("key", sorted(DOCUMENT))
def test_field__missing__is_named(key: str) -> None:
    document = {name: value for name, value in DOCUMENT.items() if name != key}
    content = canonical_json(document) if key == "digest" else sealed(document)
    assert f"plan.json, {key}: is missing; take the file as it was exported" in refusals(content)


def test_field__unknown__is_named() -> None:
    assert "plan.json, signer: is no field of this format; take it out" in refusals(
        changed(lambda document: document.update(signer="0x"))
    )


def set_at(*path: Any) -> Callable[[dict[str, Any]], None]:
    *keys, last, value = path

    def change(document: Any) -> None:
        for key in keys:
            document = document[key]
        document[last] = value

    return change


PROPOSAL = ("calls", 0, "arguments", 0, "value")


@pytest.mark.parametrize(
    ("change", "column"),
    [
        pytest.param(set_at("format", "wct-plan-2"), "format", id="another format"),
        pytest.param(set_at("action", "transfer"), "action", id="an unknown action"),
        pytest.param(set_at("target", "merkl"), "target", id="an unknown target"),
        pytest.param(set_at("chain_id", 10), "chain_id", id="a number"),
        pytest.param(set_at("chain_id", "0xa"), "chain_id", id="hexadecimal"),
        pytest.param(set_at("chain_id", "0"), "chain_id", id="chain 0"),
        pytest.param(set_at("epochs", {"from": "5", "to": "4"}), "epochs", id="epochs reversed"),
        pytest.param(set_at("epochs", {"from": "5"}), "epochs.to", id="half a range"),
        pytest.param(set_at("epochs", None), "files", id="files of no epoch"),
        pytest.param(set_at("files", "124", {}), "files", id="files of another epoch"),
        pytest.param(set_at("files", "123", "../x", "0" * 64), "files", id="a path upwards"),
        pytest.param(set_at("files", "123", "a.csv", "0X"), "files", id="no SHA-256"),
        pytest.param(set_at("ruleset", 1), "ruleset", id="a ruleset that is no text"),
        pytest.param(set_at("merkle_root", "0x12"), "merkle_root", id="a short root"),
        pytest.param(
            set_at("contract", "address", "0xD15700000000000000000000000000000000B07E"),
            "contract.address",
            id="a checksummed address",
        ),
        pytest.param(set_at("contract", "code_hash", 0), "contract.code_hash", id="no hash"),
        pytest.param(set_at("token", "decimals", "256"), "token.decimals", id="256 decimals"),
        pytest.param(set_at("token", "symbol", "W\u202eCT"), "token.symbol", id="a turned symbol"),
        pytest.param(set_at("calls", []), "calls", id="no call"),
        pytest.param(set_at("calls", {}), "calls", id="calls that are no list"),
        pytest.param(set_at("calls", 0, "operation", "1"), "calls[0].operation", id="DELEGATECALL"),
        pytest.param(set_at("calls", 0, "operation", 0), "calls[0].operation", id="operation 0"),
        pytest.param(set_at("calls", 0, "to", "0x" + "00" * 20), "calls[0].to", id="to nobody"),
        pytest.param(set_at("calls", 0, "value", "-1"), "calls[0].value", id="a negative value"),
        pytest.param(set_at("calls", 0, "data", "0xABCD"), "calls[0].data", id="upper case"),
        pytest.param(set_at("calls", 0, "data", "0x123"), "calls[0].data", id="half a byte"),
        pytest.param(set_at("calls", 0, "function", "f(uint)"), "calls[0].function", id="no type"),
        pytest.param(set_at("calls", 0, "function", None), "calls[0].arguments", id="no function"),
        pytest.param(
            set_at("calls", 0, "data", DOCUMENT["calls"][0]["data"] + "00"),
            "calls[0].arguments",
            id="a byte after the data",
        ),
        pytest.param(
            set_at(*PROPOSAL, 1, "value", "124"), "calls[0].arguments", id="words unlike the bytes"
        ),
        pytest.param(
            set_at(*PROPOSAL, 1, "name", "attempt"), "calls[0].function", id="a wrong name"
        ),
        pytest.param(set_at(*PROPOSAL, 1, "type", 7), "calls[0].arguments", id="a type as number"),
        pytest.param(set_at(*PROPOSAL, 1, "value", 7), "calls[0].arguments", id="a bare number"),
        pytest.param(
            set_at("merkle_root", "0x" + "77" * 32),
            "calls[0].propose.proposal.root",
            id="a root that is not proposed",
        ),
        pytest.param(
            set_at("totals", "cumulative_total", "1"),
            "calls[0].propose.proposal.cumulativeTotal",
            id="a total that is not proposed",
        ),
        pytest.param(set_at("totals", "rise", 1), "totals", id="a total that is no text"),
        pytest.param(set_at("totals", "Σ", "1"), "totals", id="a total without a name"),
        pytest.param(set_at("caps", "gas_limit", "1e6"), "caps.gas_limit", id="an exponent"),
        pytest.param(set_at("caps", "max_fee_per_gas", "0"), "caps", id="tip above the fee"),
        pytest.param(set_at("gate", []), "gate", id="a gate that is a list"),
        pytest.param(set_at("gate", {"a": 1}), "gate", id="a number in the gate"),
        pytest.param(set_at("gate", {"a": "\x1b[2J"}), "gate", id="a control character"),
    ],
)
def test_field__wrong__is_named(change: Callable[[dict[str, Any]], None], column: str) -> None:
    assert any(line.startswith(f"plan.json, {column}:") for line in refusals(changed(change)))


def test_digest__of_another_plan__is_refused() -> None:
    content = canonical_json({**DOCUMENT, "digest": "0x" + "00" * 32})
    assert len(refusals(content)) == 1
    assert "is not the digest of this plan" in refusals(content)[0]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(json.dumps(DOCUMENT).encode(), id="compact"),
        pytest.param(plan_bytes(SINGLE) + b"\n", id="a line more"),
        pytest.param(plan_bytes(SINGLE).replace(b"\n", b"\r\n"), id="other line ends"),
    ],
)
def test_spelling__that_is_not_canonical__is_refused(content: bytes) -> None:
    assert refusals(content) == [
        "plan.json: is not in canonical form; take the plan as `rewards plan` wrote it"
    ]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"a": 1, "a": 2}', id="a key twice"),
        pytest.param(b'{"a": NaN}', id="NaN"),
        pytest.param(b'{"a": ' + b"[" * 100_000, id="100,000 brackets"),
        pytest.param(b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", id="200 lists"),
        pytest.param(b'{"a": "\\ud800"}', id="half a character"),
        pytest.param(b'{"a": 1' + b"0" * 5_000 + b"}", id="5,000 digits"),
    ],
)
def test_bytes__that_are_no_plan__are_refused(content: bytes) -> None:
    assert refusals(content)


def test_all_findings__come_together() -> None:
    def change(document: dict[str, Any]) -> None:
        document["chain_id"], document["action"] = "x", "y"
        document["calls"][0]["value"] = "z"

    assert len(refusals(changed(change))) == 3


def test_to_bytes__of_what_cannot_be_read_back__is_refused() -> None:
    with pytest.raises(InvariantBroken):
        plan_bytes(replace(SINGLE, chain_id=0))
    with pytest.raises(InvariantBroken):
        plan_bytes(replace(SINGLE, epochs=EpochRange(1, 2)))


def test_our_contract__called_by_an_unknown_function__is_refused() -> None:
    call = PlannedCall(DISTRIBUTOR, 0, bytes.fromhex("12345678"), None, ())
    with pytest.raises(InvariantBroken, match="is no function of EpochDistributor"):
        plan_bytes(plan("sweep", call))


@pytest.mark.parametrize(
    ("action", "function", "values"),
    [
        ("veto", "sweep", (TOKEN,)),
        ("pause", "unpause", (True, True)),
        ("configure", "sweep", (TOKEN,)),
        ("fund", "activate", (1, 1)),
        ("claim_many", "setRecipient", (account(1),)),
    ],
)
def test_one_step_under_the_title_of_another__is_refused(
    action: str, function: str, values: tuple[object, ...]
) -> None:
    call = PlannedCall.of(DISTRIBUTOR, entry("EpochDistributor", function), values)
    document = {**DOCUMENT, "action": action, "calls": [call_document(call)]}
    (line,) = refusals(sealed(document))
    assert f"calls[0].function: calls {function}, which is not {action}" in line


@pytest.mark.parametrize(
    ("to", "function", "values"),
    [
        (TOKEN, "transfer", (account(1), 5)),
        (TOKEN, "transferFrom", (DISTRIBUTOR, account(1), 5)),
        (TOKEN, "approve", (account(1), 5)),
        (TOKEN, "mint", (DISTRIBUTOR, 5)),
        (account(2), "transfer", (DISTRIBUTOR, 5)),
    ],
)
def test_tokens_for_anybody_but_the_contract__are_refused(
    to: str, function: str, values: tuple[object, ...]
) -> None:
    call = PlannedCall.of(to, entry("TestToken", function), values)
    document = {**DOCUMENT, "action": "fund", "calls": [call_document(call)]}
    (line,) = refusals(sealed(document))
    assert "is neither the contract nor its token, to pay it: not fund" in line
    good = PlannedCall.of(TOKEN, entry("TestToken", "transfer"), (DISTRIBUTOR, 5))
    parse_plan(sealed({**document, "calls": [call_document(good)]}))


CREATION = PLANS["deploy"].calls[0].data[32:]


def deployment(to: str | None, data: bytes, **changes: object) -> dict[str, Any]:
    document = json.loads(plan_bytes(PLANS["deploy"]))
    return {**document, "calls": [call_document(PlannedCall(to, 0, data, None, ()))], **changes}


def test_deployment__has_neither_callee_nor_function() -> None:
    assert parse_plan(sealed(deployment(None, CREATION))).calls[0].to is None


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (deployment(None, b"\x60\x00"), "creates no EpochDistributor of this version"),
        (deployment(None, CREATION + b"\0"), "has 1 byte after the arguments"),
        (deployment(PROXY, bytes(32) + b"\x60" + CREATION), "creates no EpochDistributor"),
        (deployment(PROXY, b"\1" * 32 + CREATION), "which is not the contract"),
        (deployment(DISTRIBUTOR, CREATION), "calls neither nobody nor the deployment proxy"),
        (
            {**(made := deployment(None, CREATION)), "calls": made["calls"] * 2},
            "is no deployment of one contract",
        ),
    ],
)
def test_deployment__of_anything_but_the_contract_named__is_refused(
    document: dict[str, Any], said: str
) -> None:
    (line,) = refusals(sealed(document))
    assert said in line


def test_deployment__is_told_with_its_settings() -> None:
    lines = "\n".join(describe(PLANS["deploy"]))
    where = to_checksum(PLANS["deploy"].contract.address)
    assert f"call 0: the deployment proxy, to create {where}" in lines
    assert f"config.admin = {to_checksum(account(2))}" in lines
    assert f"config.capBurst = {10**24} (1,000,000 WCT)" in lines
    assert f"config.guardians[1] = {to_checksum(account(6))}" in lines


def test_value__may_be_sent_along() -> None:
    made = plan("propose", replace(propose(), value=7))
    assert parse_plan(plan_bytes(made)).calls[0].value == 7
