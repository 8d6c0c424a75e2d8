"""Change one thing about a valid batch or transaction, and see that it is refused.

    python -m tests.safe.mutations --runs 10000 --seed 0

A mutation is either *consistent*: what is signed is changed and every hash, checksum and encoding
around it is computed anew, as an attacker would do; or *stale*: the file is changed and the rest
left as it was. Each changes what is signed, or how some reader could take it; one that changes
neither (a date, white space) is not counted. Prints a table by kind and exits 1 if one is accepted.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from rewards.chain.safe.calldata import Argument, encode_call
from rewards.chain.safe.check import check_file
from rewards.chain.safe.deployments import VERSIONS, multi_send_version
from rewards.chain.safe.export import batch_checksum, safe_tx_of
from rewards.chain.safe.hashes import DELEGATECALL, SafeTx, hashes_of
from rewards.chain.safe.multi_send import (
    MULTI_SEND_SELECTOR,
    InnerCall,
    encode_multi_send,
)
from rewards.files.documents import canonical_json
from rewards.merkle.keccak import to_checksum
from tests.safe.plans import EXPORTS, NONCE, PLANS, SAFE, forms_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rewards.chain.plan import Plan

ATTEMPTS = 200
"""Draws of a plan and a form until a kind of mutation applies."""
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
HEXADECIMAL = re.compile(r"0x[0-9a-f]*")
DECIMAL = re.compile(r"[0-9]+")
OPEN_FORMS = ("service v1", "service v2", "gateway")
"""Forms with fields that are not signed, which `verify` passes over."""
HASHLESS_FORMS = ("wallet", "typed-data")
"""Forms that state no hash: only --safe and --nonce tell another Safe and another nonce."""


@dataclass(frozen=True)
class Subject:
    """A valid file, and the plan that it is."""

    plan_name: str
    plan: Plan
    form: str
    version: str
    content: bytes

    @property
    def tx(self) -> SafeTx:
        return safe_tx_of(self.plan, SAFE, self.version, NONCE)

    @property
    def calls(self) -> list[InnerCall]:
        return [InnerCall(str(call.to), call.value, call.data) for call in self.plan.calls]


KINDS: dict[str, Callable[[random.Random, Subject], bytes | None]] = {}
NEEDS_OPTIONS: set[str] = set()


def kind(name: str, *, needs_options: bool = False) -> Callable[[Any], Any]:
    """Register a mutation; it returns None where it does not apply."""

    def register(mutate: Any) -> Any:
        KINDS[name] = mutate
        if needs_options:
            NEEDS_OPTIONS.add(name)
        return mutate

    return register


# --- consistent: what is signed changes, and everything around it with it -----------------------


def render(
    subject: Subject, tx: SafeTx, *, chain_id: int | None = None, safe: str = SAFE
) -> bytes | None:
    """Return a transaction in the subject's form, all hashes computed anew."""
    chain = subject.plan.chain_id if chain_id is None else chain_id
    if subject.form == "batch":
        return None
    if subject.form != "safe-tx":
        return EXPORTS[subject.form](tx, chain, safe)
    hashes = hashes_of(chain, safe, tx)
    document = {
        **json.loads(subject.content),
        "chain_id": str(chain),
        "safe": safe,
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
    return canonical_json(document)


def render_calls(subject: Subject, calls: list[InnerCall]) -> bytes | None:
    """Return other calls in the subject's form, all hashes and checksums computed anew."""
    if subject.form == "batch":
        document = json.loads(subject.content)
        document["transactions"] = [
            {
                "to": to_checksum(call.to),
                "value": str(call.value),
                "data": "0x" + call.data.hex(),
                "contractMethod": None,
                "contractInputsValues": None,
            }
            for call in calls
        ]
        return sealed(document)
    if subject.tx.operation == DELEGATECALL:
        return render(subject, replace(subject.tx, data=encode_multi_send(calls)))
    if len(calls) != 1:
        return None
    (call,) = calls
    return render(subject, replace(subject.tx, to=call.to, value=call.value, data=call.data))


def sealed(document: Any) -> bytes:
    """Return a batch with its checksum computed anew."""
    document["meta"]["checksum"] = batch_checksum(document)
    return canonical_json(document)


def flipped(dice: random.Random, content: bytes) -> bytes:
    place = dice.randrange(len(content))
    other = content[place] ^ (1 << dice.randrange(8))
    return content[:place] + bytes([other]) + content[place + 1 :]


def filler(dice: random.Random, length: int) -> bytes:
    return bytes(length) if dice.random() < 0.5 else dice.randbytes(length)


def other_address(dice: random.Random, address: str) -> str:
    return "0x" + flipped(dice, bytes.fromhex(address[2:])).hex()


def one_changed(
    dice: random.Random, subject: Subject, change: Callable[[InnerCall], InnerCall]
) -> bytes | None:
    calls = subject.calls
    place = dice.randrange(len(calls))
    calls[place] = change(calls[place])
    return None if calls == subject.calls else render_calls(subject, calls)


@kind("a bit of a call's data")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    return one_changed(dice, subject, lambda c: replace(c, data=flipped(dice, c.data)))


@kind("an argument, encoded anew")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    place = dice.randrange(len(subject.plan.calls))
    call = subject.plan.calls[place]
    arguments = changed_argument(dice, call.arguments)
    if arguments is None or call.function is None:
        return None
    calls = subject.calls
    calls[place] = replace(calls[place], data=encode_call(call.function, arguments))
    return render_calls(subject, calls)


def changed_argument(dice: random.Random, value: Any) -> Any:
    """Return arguments with one value changed, or one element of a list dropped or doubled."""
    if isinstance(value, Argument):
        inner = changed_argument(dice, value.value)
        return None if inner is None else replace(value, value=inner)
    if isinstance(value, tuple):
        if not value:
            return None
        place = dice.randrange(len(value))
        if not isinstance(value[0], Argument) and dice.random() < 0.3:
            extra = (value[place], value[place]) if dice.random() < 0.5 else ()
            return (*value[:place], *extra, *value[place + 1 :])
        inner = changed_argument(dice, value[place])
        return None if inner is None else (*value[:place], inner, *value[place + 1 :])
    return changed_text(dice, value)


def changed_text(dice: random.Random, value: str) -> str | None:
    if value in {"true", "false"}:
        return "false" if value == "true" else "true"
    if DECIMAL.fullmatch(value):
        number = int(value)
        near = [number + 1, number * 10, number // 10, number * 10**18, 2**256 - 1 - number]
        return str(dice.choice([n for n in near if n != number and n < 2**256]))
    if HEXADECIMAL.fullmatch(value):
        return "0x" + flipped(dice, bytes.fromhex(value[2:])).hex() if len(value) > 2 else None
    return value + "."


@kind("a call's value")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    wei = dice.choice([1, 10**18, 2**256 - 1])
    return one_changed(dice, subject, lambda call: replace(call, value=call.value ^ wei))


@kind("a call's contract")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    def change(call: InnerCall) -> InnerCall:
        return replace(call, to=dice.choice([other_address(dice, call.to), SAFE]))

    return one_changed(dice, subject, change)


@kind("bytes after a call's data")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    extra = filler(dice, dice.choice([1, 4, 31, 32, 33, 64]))
    return one_changed(dice, subject, lambda call: replace(call, data=call.data + extra))


@kind("a call's data cut short")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    return one_changed(
        dice, subject, lambda call: replace(call, data=call.data[: -dice.choice([1, 4, 31, 32])])
    )


@kind("a call more")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    calls = subject.calls
    transfer = bytes.fromhex("a9059cbb") + bytes(12) + dice.randbytes(20) + bytes(31) + b"\x01"
    new = dice.choice(
        [
            dice.choice(calls),
            InnerCall("0x" + dice.randbytes(20).hex(), 0, transfer),
            InnerCall(SAFE, 0, dice.randbytes(36)),
            InnerCall("0x" + dice.randbytes(20).hex(), 1, b""),
        ]
    )
    calls.insert(dice.randrange(len(calls) + 1), new)
    return render_calls(subject, calls)


@kind("a call less")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    calls = subject.calls
    del calls[dice.randrange(len(calls))]
    return render_calls(subject, calls)


@kind("calls in another order")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    calls = subject.calls
    dice.shuffle(calls)
    return None if calls == subject.calls else render_calls(subject, calls)


def packed(calls: list[InnerCall], operation: int = 0) -> bytes:
    """Return calls as multiSend packs them, with any operation."""
    whole = encode_multi_send(calls)
    content = whole[68 : 68 + int.from_bytes(whole[36:68], "big")]
    return bytes([operation]) + content[1:]


def wrapped(content: bytes, *, offset: int = 32, gap: bytes = b"", padding: bytes = b"") -> bytes:
    """Return the calldata of multiSend(bytes), with whatever is wrong about it."""
    fill = padding or bytes(-len(content) % 32)
    head = offset.to_bytes(32, "big") + gap + len(content).to_bytes(32, "big")
    return MULTI_SEND_SELECTOR + head + content + fill


def multi_send(subject: Subject, data: bytes) -> bytes | None:
    tx = subject.tx
    if tx.operation != DELEGATECALL or data == tx.data:
        return None
    return render(subject, replace(tx, data=data))


@kind("DELEGATECALL inside multiSend")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    calls = subject.calls
    place = dice.randrange(len(calls))
    before = packed(calls[:place]) if place else b""
    inner = packed(calls[place:], operation=dice.choice([1, 1, 2, 255]))
    return multi_send(subject, wrapped(before + inner))


@kind("bytes after the last call of multiSend")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    # Up to 32 of them are passed over by the contract itself.
    extra = filler(dice, dice.randrange(1, 86))
    return multi_send(subject, wrapped(packed(subject.calls) + extra))


@kind("another encoding of multiSend")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    content = packed(subject.calls)
    gap = bytes(32 * dice.randrange(1, 4))
    fill = -len(content) % 32
    spoilt = bytes(max(fill - 1, 0)) + b"\x01"
    return multi_send(
        subject,
        dice.choice(
            [
                wrapped(content, offset=32 + len(gap), gap=gap),
                wrapped(content, padding=spoilt) if fill else wrapped(content) + spoilt,
                wrapped(content) + bytes(dice.choice([1, 32])),
                wrapped(content)[: -dice.randrange(1, 33)],
                flipped(dice, wrapped(content)[:68]) + wrapped(content)[68:],
            ]
        ),
    )


@kind("a length inside multiSend")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    content = bytearray(packed(subject.calls))
    length = int.from_bytes(content[53:85], "big")
    other = dice.choice([length + 1, length - 1, 0, 2**256 - 1, length + 2**64])
    content[53:85] = other.to_bytes(32, "big")
    return multi_send(subject, wrapped(bytes(content)))


@kind("DELEGATECALL in place of CALL")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    tx = subject.tx
    if tx.operation == DELEGATECALL:
        return None
    return render(subject, replace(tx, operation=dice.choice([1, 2, 255])))


@kind("CALL in place of DELEGATECALL")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    tx = subject.tx
    if tx.operation != DELEGATECALL:
        return None
    return render(subject, replace(tx, operation=dice.choice([0, 2])))


@kind("DELEGATECALL to another contract")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    tx = subject.tx
    if tx.operation != DELEGATECALL:
        return None
    to = dice.choice(
        [
            other_address(dice, tx.to),
            "0x38869bf66a61cf6bdb996a6ae40d5853fd43b526",  # MultiSend 1.4.1: allows DELEGATECALL
            "0xa238cbeb142c10ef7ad8442c6d1f9e89e07e7761",  # MultiSend 1.3.0
            "0xf220d3b4dfb23c4ade8c88e526c1353abacbc38f",  # MultiSendCallOnly, zkSync's alone
            SAFE,
        ]
    )
    assert multi_send_version(subject.plan.chain_id, to) is None
    return render(subject, replace(tx, to=to))


@kind("MultiSendCallOnly of another version")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    if subject.tx.operation != DELEGATECALL or subject.form != "safe-tx":
        return None  # only our own file states the version
    version = dice.choice([one for one in VERSIONS if one != subject.version])
    other = safe_tx_of(subject.plan, SAFE, version, NONCE)
    return render(subject, other)


@kind("wei beside a DELEGATECALL")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    tx = subject.tx
    if tx.operation != DELEGATECALL:
        return None
    return render(subject, replace(tx, value=dice.choice([1, 10**18])))


@kind("a refund")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    amount, somebody = dice.choice([1, 21_000, 2**52]), "0x" + dice.randbytes(20).hex()
    tx = subject.tx
    changed = dice.choice(
        [
            replace(tx, safe_tx_gas=amount),
            replace(tx, base_gas=amount),
            replace(tx, gas_price=amount),
            replace(tx, gas_token=somebody),
            replace(tx, refund_receiver=somebody),
            replace(tx, base_gas=amount, gas_price=amount, refund_receiver=somebody),
        ]
    )
    return render(subject, changed)


@kind("another nonce", needs_options=True)
def _(dice: random.Random, subject: Subject) -> bytes | None:
    return render(subject, replace(subject.tx, nonce=dice.choice([0, NONCE - 1, NONCE + 1])))


@kind("another chain")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    chain_id = dice.choice([1, 100, 8453, 11_155_420])
    if subject.form == "batch":
        return sealed({**json.loads(subject.content), "chainId": str(chain_id)})
    # Without a chain or a hash in the file there is nothing that could be of another chain.
    return None if subject.form == "wallet" else render(subject, subject.tx, chain_id=chain_id)


@kind("another Safe", needs_options=True)
def _(dice: random.Random, subject: Subject) -> bytes | None:
    safe = other_address(dice, SAFE)
    if subject.form == "batch":
        document = json.loads(subject.content)
        document["meta"]["createdFromSafeAddress"] = to_checksum(safe)
        return sealed(document)
    return None if subject.form == "wallet" else render(subject, subject.tx, safe=safe)


@kind("a method beside a batch's data")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    if subject.form != "batch":
        return None
    document = json.loads(subject.content)
    call = dice.choice(document["transactions"])
    call["contractMethod"] = {"inputs": [], "name": "pause", "payable": False}
    call["contractInputsValues"] = {}
    if dice.random() < 0.5:
        call["data"] = None
    return sealed(document)


# --- stale: the file changes, and the rest is left as it was ------------------------------------


def leaves(form: str, value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value that is signed, or is a hash or checksum of it."""
    if form in OPEN_FORMS and path and path[0] not in SIGNIFICANT:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(form, inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(form, inner, (*path, place))
    elif path and path[-1] not in PASSED_OVER and value is not None:
        yield path


SIGNIFICANT = {
    *("safe", "to", "value", "data", "operation", "gasToken", "safeTxGas", "baseGas", "gasPrice"),
    *("refundReceiver", "nonce", "safeTxHash"),
    *("safeAddress", "txId", "txData", "detailedExecutionInfo"),
}
PASSED_OVER = {
    *("logoUri", "trusted", "submittedAt", "confirmationsRequired"),
    *("proposer", "signers", "executor", "trustedDelegateCallTarget", "addressInfoIndex"),
    "name",
}


def significant(form: str, document: Any) -> Any:
    """Return the part of a document that is signed, or that states what is."""
    if form == "batch":
        meta = {key: value for key, value in document["meta"].items() if key != "name"}
        return {**document, "meta": meta}
    if form not in OPEN_FORMS:
        return document
    part = {key: document[key] for key in SIGNIFICANT if key in document}
    call, rest = part.get("txData"), part.get("detailedExecutionInfo")
    if call is None or rest is None:
        return part
    part["txData"] = [call[key] for key in ("hexData", "value", "operation")] + [
        call["to"]["value"]
    ]
    keys = ("type", "nonce", "safeTxGas", "baseGas", "gasPrice", "gasToken", "safeTxHash")
    part["detailedExecutionInfo"] = [rest[key] for key in keys] + [rest["refundReceiver"]["value"]]
    return part


def edited(subject: Subject, path: tuple[Any, ...], value: Any) -> bytes:
    document = json.loads(subject.content)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return canonical_json(document) if subject.form == "safe-tx" else json.dumps(document).encode()


def value_at(subject: Subject, path: tuple[Any, ...]) -> Any:
    value = json.loads(subject.content)
    for key in path:
        value = value[key]
    return value


def signed_leaf(dice: random.Random, subject: Subject) -> tuple[Any, ...]:
    found = list(leaves(subject.form, json.loads(subject.content)))
    if subject.form in OPEN_FORMS and "detailedExecutionInfo" in json.loads(subject.content):
        found = [path for path in found if "signers" not in path and "proposer" not in path]
        found = [path for path in found if path[-1] != "type"]
    return dice.choice([path for path in found if path[:2] != ("meta", "name")])


@kind("a value, the rest left")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    path = signed_leaf(dice, subject)
    value = value_at(subject, path)
    if isinstance(value, bool):
        return edited(subject, path, not value)
    if isinstance(value, int):
        return edited(subject, path, value + dice.choice([1, 2, 1000]))
    other = changed_text(dice, value) if not ADDRESS.fullmatch(value) else None
    if ADDRESS.fullmatch(value):
        other = to_checksum(other_address(dice, value.lower()))
    return None if other is None or other == value else edited(subject, path, other)


@kind("a number in another spelling")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    path = signed_leaf(dice, subject)
    value = value_at(subject, path)
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]+", str(value)):
        return None
    number = int(value)
    spellings = [
        hex(number),
        f"0{number}",
        f"+{number}",
        f" {number}",
        f"{number} ",
        f"{number}.0",
        f"{number}e0",
        f"-{number or 1}",
        f"{number}_0",
        "".join(chr(0xFF10 + int(digit)) for digit in str(number)),
        "".join(chr(0x0660 + int(digit)) for digit in str(number)),
        f"{number}\u200b",
        f"{number}n",
        float(number),
        [str(number)],
        {"hex": hex(number)},
        bool(number),
        -number - 1,
        number + 2**256,
        str(number + 2**256),
        "",
    ]
    return edited(subject, path, dice.choice(spellings))


@kind("an address in another spelling")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    path = signed_leaf(dice, subject)
    value = value_at(subject, path)
    if not isinstance(value, str) or not ADDRESS.fullmatch(value):
        return None
    letters = [place for place in range(2, 42) if value[place].isalpha()]
    spellings = [
        value.replace("0x", "0X", 1),
        value[2:],
        f"oeth:{value}",
        f" {value}",
        f"{value}\n",
        value[:-1],
        value + "0",
        "0x" + "00" * 12 + value[2:],
        value[:-1] + chr(0xFF10 + dice.randrange(10)),
        [value],
        int(value, 16),
    ]
    if len(letters) > 2 and to_checksum(value.lower()) not in {value.lower(), value.upper()}:
        place = dice.choice(letters)
        wrong = value[:place] + value[place].swapcase() + value[place + 1 :]
        if wrong[2:] not in {wrong[2:].lower(), wrong[2:].upper()}:
            spellings += [wrong] * 6
    return edited(subject, path, dice.choice(spellings))


@kind("bytes in another spelling")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    path = signed_leaf(dice, subject)
    value = value_at(subject, path)
    if not isinstance(value, str) or not HEXADECIMAL.fullmatch(value) or ADDRESS.fullmatch(value):
        return None
    middle = len(value) // 2
    spellings = [
        value.replace("0x", "0X", 1),
        value[2:],
        value[:-1],
        value + "0",
        value[:middle] + " " + value[middle:],
        value[:middle] + "\u200b" + value[middle:],
        value + "\n",
        "0x" + value,
        value.replace("a", "\u0430", 1),
        [value],
        None,
    ]
    if value.upper() != value.replace("x", "X"):
        spellings += [f"0x{value[2:].upper()}"] * 3
    chosen = dice.choice(spellings)
    return None if chosen == value else edited(subject, path, chosen)


def key_text(dice: random.Random, subject: Subject) -> tuple[str, str, str]:
    """Return the file as text with the key and value of one signed field."""
    path = signed_leaf(dice, subject)
    while not isinstance(path[-1], str):
        path = path[:-1]
    return subject.content.decode(), path[-1], json.dumps(value_at(subject, path))


@kind("a key there twice")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    text, key, value = key_text(dice, subject)
    places = [match.start() for match in re.finditer(re.escape(f'"{key}":'), text)]
    second = dice.choice([value, '"0"', "0", "null", '"0x' + "11" * 20 + '"'])
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in key) if dice.random() < 0.3 else key
    place = dice.choice(places)
    return (text[:place] + f'"{escaped}": {second}, ' + text[place:]).encode()


@kind("a key that looks like another")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    text, key, value = key_text(dice, subject)
    if key == "value" and subject.form in OPEN_FORMS:
        return None  # `VALUE` may then stand in an object that is passed over
    look = dice.choice([key.upper(), key.capitalize(), f"{key} ", f"_{key}", key + "\u200b"])
    if look == key or (subject.form in OPEN_FORMS and text.count(f'"{key}":') != 1):
        return None
    place = text.index(f'"{key}":')
    return (text[:place] + f'"{look}": {value}, ' + text[place:]).encode()


@kind("a field missing")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    path = signed_leaf(dice, subject)
    if isinstance(path[-1], int) or path[-1] in {"description", "txBuilderVersion"}:
        return None
    document = json.loads(subject.content)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    optional = {"createdFromSafeAddress", "createdFromOwnerAddress"}
    if path[-1] in optional:
        return None
    return canonical_json(document)


@kind("text that is no JSON, or two")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    content = subject.content
    return dice.choice(
        [
            content + b"{}",
            content + content,
            b"\xef\xbb\xbf" + content,
            content[: dice.randrange(1, len(content.rstrip()))],
            b"[" + content + b"]",
            b"// a note\n" + content,
            content.replace(b":", b": NaN," if dice.random() < 0.5 else b": 1e3,", 1),
            content.decode().encode("utf-16"),
            content.replace(b'"', b"'"),
            content.replace(b"\n}", b",\n}", 1),
            content.rstrip()[:-1] + b', "deep": ' + b"[" * 5000 + b"]" * 5000 + b"}",
            content.rstrip()[:-1] + b', "half": "\\ud800"}',
            b"",
        ]
    )


@kind("any byte of the file")
def _(dice: random.Random, subject: Subject) -> bytes | None:
    content = bytearray(subject.content)
    content[dice.randrange(len(content))] = dice.randrange(256)
    try:
        before = significant(subject.form, json.loads(subject.content))
        after = significant(subject.form, json.loads(bytes(content)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return bytes(content)  # no such document any more
    return None if before == after else bytes(content)


# --- the campaign --------------------------------------------------------------------------------


@cache
def subjects() -> tuple[Subject, ...]:
    """Every plan in every form, for every version of Safe."""
    return tuple(
        Subject(name, plan, form, version, content)
        for name, plan in PLANS.items()
        for version in VERSIONS
        for form, content in forms_of(plan, version).items()
    )


def mutate(dice: random.Random, name: str) -> tuple[Subject, bytes]:
    """Return a subject and what the mutation makes of it."""
    for _attempt in range(ATTEMPTS):
        subject = dice.choice(subjects())
        content = KINDS[name](dice, subject)
        if content is not None and content != subject.content:
            return subject, content
    raise AssertionError(f"{name} applies to nothing")


def refused(dice: random.Random, name: str, subject: Subject, content: bytes) -> bool:
    """Whether the file is refused: with --safe and --nonce, or where possible without."""
    options: tuple[Any, ...] = (SAFE, NONCE)
    if name not in NEEDS_OPTIONS and subject.form not in HASHLESS_FORMS and dice.random() < 0.5:
        options = ()
    return bool(check_file(content, "file.json", subject.plan, *options).findings)


def run(runs: int, seed: int) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Return how many were refused by kind and form, and what was accepted."""
    counts: Counter[tuple[str, str]] = Counter()
    accepted = []
    names = list(KINDS)
    for number in range(runs):
        dice = random.Random(f"{seed} {number}")
        name = names[number % len(names)]
        subject, content = mutate(dice, name)
        if refused(dice, name, subject, content):
            counts[name, subject.form] += 1
        else:
            accepted.append(f"run {number}: {name}: {subject.plan_name}, {subject.form}")
    return counts, accepted


def print_table(counts: Counter[tuple[str, str]]) -> None:
    forms = ["batch", "safe-tx", *EXPORTS]
    print(f"{'refused':<42}" + "".join(f"{form:>12}" for form in forms) + f"{'all':>8}")
    for name in KINDS:
        row = [counts[name, form] for form in forms]
        print(f"{name:<42}" + "".join(f"{n or '':>12}" for n in row) + f"{sum(row):>8}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    valid = [
        not check_file(subject.content, "file.json", subject.plan, SAFE, NONCE).findings
        for subject in subjects()
    ]
    started = time.monotonic()
    counts, accepted = run(options.runs, options.seed)
    print_table(counts)
    print(f"unchanged: {sum(valid)} of {len(valid)} accepted")
    print(
        f"changed: {sum(counts.values())} of {options.runs} refused, {len(accepted)} accepted, "
        f"seed {options.seed}, {time.monotonic() - started:.0f} s"
    )
    for line in accepted:
        print(f"ACCEPTED {line}")
    return 0 if all(valid) and not accepted else 1


if __name__ == "__main__":
    sys.exit(main())
