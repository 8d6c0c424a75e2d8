"""What a file says that a Safe is to sign, whichever of the known forms it has.

| form | from |
|---|---|
| `batch` | the Transaction Builder, or `rewards safe export` |
| `safe-tx` | `rewards safe export --nonce` |
| `service` | the Safe Transaction Service, `/multisig-transactions/{safeTxHash}/`, v1 and v2 |
| `gateway` | the Safe Client Gateway, `/transactions/{id}`: what Safe{Wallet} itself reads |
| `wallet` | the JSON view of a transaction in Safe{Wallet}; names neither chain nor Safe |
| `typed-data` | EIP-712 typed data, as a wallet is asked to sign it |

Fields of the services that are not signed (dates, confirmations, `dataDecoded`) are passed over:
what the service says of a transaction is no evidence of what is in it.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Any

from rewards.chain.safe.deployments import VERSIONS
from rewards.chain.safe.export import (
    BATCH_CALLS_LIMIT,
    BATCH_VERSION,
    SAFE_TX_FORMAT,
    batch_checksum,
)
from rewards.chain.safe.fields import (
    Fields,
    exactly,
    null_or,
    number,
    parse_data,
    parse_lower_address,
    read_document,
    text_as,
)
from rewards.chain.safe.hashes import ZERO_ADDRESS, SafeTx
from rewards.chain.safe.multi_send import InnerCall
from rewards.errors import Finding, InvalidInput
from rewards.files.documents import canonical_json
from rewards.files.grammar import (
    GrammarError,
    choice_of,
    parse_address,
    parse_hash,
    parse_integer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HASH_NAMES = ("domain_hash", "message_hash", "safe_tx_hash")

SAFE_TX_MEMBERS = (
    ("to", "address"),
    ("value", "uint256"),
    ("data", "bytes"),
    ("operation", "uint8"),
    ("safeTxGas", "uint256"),
    ("baseGas", "uint256"),
    ("gasPrice", "uint256"),
    ("gasToken", "address"),
    ("refundReceiver", "address"),
    ("nonce", "uint256"),
)
DOMAIN_MEMBERS = (("chainId", "uint256"), ("verifyingContract", "address"))


@dataclass(frozen=True, slots=True)
class Statement:
    """What a file says; None where it does not say it.

    Attributes:
        form: One of the forms above.
        tx: The transaction; None for a batch, which is not one yet.
        calls: The calls of a batch; empty for a transaction.
        chain_id: The chain.
        safe: The Safe.
        version: The Safe's version.
        plan_digest: The plan that it was made from.
        hashes: What it states of the three hashes: where, which of HASH_NAMES, its value.
        notes: What a signer should know besides.
    """

    form: str
    tx: SafeTx | None = None
    calls: tuple[InnerCall, ...] = ()
    chain_id: int | None = None
    safe: str | None = None
    version: str | None = None
    plan_digest: str | None = None
    hashes: tuple[tuple[str, str, str], ...] = ()
    notes: tuple[str, ...] = field(default=())


def read_statement(content: bytes, name: str) -> tuple[Statement | None, list[Finding]]:
    """Return what a file says, and everything that is wrong with it as a file.

    There is no statement where a part of what is signed cannot be read.
    """
    try:
        document = read_document(content, name)
    except InvalidInput as error:
        return None, list(error.findings)
    findings: list[Finding] = []
    reader = _reader_for(document)
    if reader is None:
        problem = "is no batch, SafeTx or exported transaction that is known here"
        return None, [Finding(name, problem, "export it again; see `rewards safe --help`")]
    statement = reader(document, content, name, findings)
    signed = [statement.tx] if statement.tx else list(statement.calls)
    whole = all(None not in astuple(part) for part in signed)
    return (statement if whole else None), findings


def _reader_for(
    document: Mapping[str, Any],
) -> Callable[[Mapping[str, Any], bytes, str, list[Finding]], Statement] | None:
    """Return the reader of the form whose marks the document bears."""
    if "format" in document:
        return _read_safe_tx
    marks = {
        "transactions": _read_batch,
        "detailedExecutionInfo": _read_gateway,
        "primaryType": _read_typed_data,
        "safe": _read_service,
        "to": _read_wallet,
    }
    return next((reader for mark, reader in marks.items() if mark in document), None)


# --- the Transaction Builder's batch -----------------------------------------------------------


def _read_batch(
    document: Mapping[str, Any], _: bytes, name: str, findings: list[Finding]
) -> Statement:
    batch = Fields(
        document,
        name,
        findings,
        required=("version", "chainId", "createdAt", "meta", "transactions"),
    )
    batch.text("version", exactly(BATCH_VERSION))
    batch.take("createdAt", number)
    chain_id = batch.text("chainId", parse_integer)
    meta = batch.child(
        "meta",
        required=("name", "checksum"),
        optional=(
            "description",
            "txBuilderVersion",
            "createdFromSafeAddress",
            "createdFromOwnerAddress",
        ),
    )
    for key in ("name", "description", "txBuilderVersion", "createdFromOwnerAddress"):
        meta.text(key, str)
    safe = meta.text("createdFromSafeAddress", _address_or_blank)
    if meta.complete:
        meta.text("checksum", exactly(batch_checksum(document)))
    calls = [
        _read_batch_call(call)
        for call in batch.children(
            "transactions",
            required=("to", "value", "data"),
            optional=("contractMethod", "contractInputsValues"),
        )
    ]
    if len(calls) > BATCH_CALLS_LIMIT:
        problem = f"has {len(calls)} calls, more than {BATCH_CALLS_LIMIT}"
        findings.append(Finding(name, problem, "split it", column="transactions"))
    return Statement("batch", calls=tuple(calls), chain_id=chain_id, safe=safe)


def _read_batch_call(call: Fields) -> InnerCall:
    # With `data`, the builder passes over the method; without, it encodes the arguments itself.
    # Either way a file with a method says two things, of which one is signed.
    for key in ("contractMethod", "contractInputsValues"):
        call.take(key, _null)
    return InnerCall(
        call.text("to", parse_address),
        call.text("value", parse_integer),
        call.text("data", parse_data),
    )


def _null(value: object) -> None:
    if value is not None:
        raise GrammarError("is there besides `data`", "export the batch with its data alone")


def _address_or_blank(text: str) -> str | None:
    return parse_address(text) if text else None


# --- our SafeTx --------------------------------------------------------------------------------


_SAFE_TX_FIELDS = (
    *("format", "plan_digest", "chain_id", "safe", "safe_version"),
    *("to", "value", "data", "operation", "safe_tx_gas", "base_gas", "gas_price"),
    *("gas_token", "refund_receiver", "nonce"),
    *HASH_NAMES,
)


def _read_safe_tx(
    document: Mapping[str, Any], content: bytes, name: str, findings: list[Finding]
) -> Statement:
    fields = Fields(document, name, findings, required=_SAFE_TX_FIELDS)
    fields.text("format", exactly(SAFE_TX_FORMAT))
    if canonical_json(document) != content:
        findings.append(Finding(name, "is not in canonical form", "export it again"))
    integer, address = text_as(parse_integer), text_as(parse_lower_address)
    return Statement(
        "safe-tx",
        tx=SafeTx(
            to=fields.take("to", address),
            value=fields.take("value", integer),
            data=fields.text("data", parse_data),
            operation=fields.take("operation", integer),
            safe_tx_gas=fields.take("safe_tx_gas", integer),
            base_gas=fields.take("base_gas", integer),
            gas_price=fields.take("gas_price", integer),
            gas_token=fields.take("gas_token", address),
            refund_receiver=fields.take("refund_receiver", address),
            nonce=fields.take("nonce", integer),
        ),
        chain_id=fields.take("chain_id", integer),
        safe=fields.take("safe", address),
        version=fields.text("safe_version", choice_of(*VERSIONS)),
        plan_digest=fields.text("plan_digest", parse_hash),
        hashes=_stated(fields, {key: key for key in HASH_NAMES}),
    )


def _stated(fields: Fields, names: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    """Return the hashes that a file states: its field's name, which hash, and its value."""
    values = [(key, hash_name, fields.text(key, parse_hash)) for key, hash_name in names.items()]
    return tuple((key, hash_name, value) for key, hash_name, value in values if value is not None)


# --- what Safe's services and wallet export ----------------------------------------------------

_SIGNED = tuple(name for name, _ in SAFE_TX_MEMBERS)
_zero_or_address = null_or(text_as(parse_address), ZERO_ADDRESS)
_data = null_or(text_as(parse_data), b"")


def _read_members(fields: Fields) -> SafeTx:
    """Return the transaction whose fields are named as in Safe's `SafeTx`."""
    return SafeTx(
        to=fields.text("to", parse_address),
        value=fields.take("value", number),
        data=fields.take("data", _data),
        operation=fields.take("operation", number),
        safe_tx_gas=fields.take("safeTxGas", number),
        base_gas=fields.take("baseGas", number),
        gas_price=fields.take("gasPrice", number),
        gas_token=fields.take("gasToken", _zero_or_address),
        refund_receiver=fields.take("refundReceiver", _zero_or_address),
        nonce=fields.take("nonce", number),
    )


def _read_service(
    document: Mapping[str, Any], _: bytes, name: str, findings: list[Finding]
) -> Statement:
    hash_names = ("safeTxHash", "contractTransactionHash")  # the second in what is posted to it
    fields = Fields(
        document,
        name,
        findings,
        required=("safe", *_SIGNED),
        optional=(*hash_names, "isExecuted"),
        others=True,
    )
    hashes = _stated(fields, dict.fromkeys(hash_names, "safe_tx_hash"))
    if not hashes:
        findings.append(Finding(name, "states no safeTxHash", "export it again"))
    executed = fields.known.get("isExecuted") is True
    return Statement(
        "service",
        tx=_read_members(fields),
        safe=fields.text("safe", parse_address),
        hashes=hashes,
        notes=("the service says that it has been executed already",) if executed else (),
    )


def _read_gateway(
    document: Mapping[str, Any], _: bytes, name: str, findings: list[Finding]
) -> Statement:
    details = Fields(
        document,
        name,
        findings,
        required=("safeAddress", "txId", "txData", "detailedExecutionInfo"),
        others=True,
    )
    call = details.child("txData", required=("hexData", "to", "value", "operation"), others=True)
    rest = details.child(
        "detailedExecutionInfo",
        required=(
            *("type", "nonce", "safeTxGas", "baseGas", "gasPrice", "gasToken"),
            *("refundReceiver", "safeTxHash"),
        ),
        others=True,
    )
    rest.text("type", exactly("MULTISIG"))
    safe = details.text("safeAddress", parse_address)
    tx = SafeTx(
        to=_named_address(call, "to"),
        value=call.take("value", null_or(number, 0)),
        data=call.take("hexData", _data),
        operation=call.take("operation", number),
        safe_tx_gas=rest.take("safeTxGas", number),
        base_gas=rest.take("baseGas", number),
        gas_price=rest.take("gasPrice", number),
        gas_token=rest.take("gasToken", _zero_or_address),
        refund_receiver=_named_address(rest, "refundReceiver"),
        nonce=rest.take("nonce", number),
    )
    hashes = _stated(rest, {"safeTxHash": "safe_tx_hash"})
    if safe and hashes:
        expected = f"multisig_{document['safeAddress']}_{hashes[0][2]}"
        details.text("txId", exactly(expected))
    return Statement("gateway", tx=tx, safe=safe, hashes=hashes)


def _named_address(fields: Fields, key: str) -> Any:  # noqa: ANN401
    """Return the address of an `AddressInfo`: `{"value": …, "name": …, "logoUri": …}`."""
    return fields.child(key, required=("value",), others=True).text("value", parse_address)


def _read_wallet(
    document: Mapping[str, Any], _: bytes, name: str, findings: list[Finding]
) -> Statement:
    fields = Fields(document, name, findings, required=_SIGNED)
    return Statement("wallet", tx=_read_members(fields))


def _read_typed_data(
    document: Mapping[str, Any], _: bytes, name: str, findings: list[Finding]
) -> Statement:
    fields = Fields(
        document, name, findings, required=("types", "primaryType", "domain", "message")
    )
    fields.text("primaryType", exactly("SafeTx"))
    fields.take("types", _require_types)
    domain = fields.child("domain", required=("chainId", "verifyingContract"))
    message = fields.child("message", required=_SIGNED)
    return Statement(
        "typed-data",
        tx=_read_members(message),
        chain_id=domain.take("chainId", number),
        safe=domain.text("verifyingContract", parse_address),
    )


def _require_types(value: object) -> None:
    """Refuse other types: they would give the same fields another hash."""
    expected = {
        "EIP712Domain": [{"name": name, "type": kind} for name, kind in DOMAIN_MEMBERS],
        "SafeTx": [{"name": name, "type": kind} for name, kind in SAFE_TX_MEMBERS],
    }
    if value != expected:
        raise GrammarError("are not those of a Safe from 1.3.0 on", "do not sign it")
