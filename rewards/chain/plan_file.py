"""The plan's file: one file whose digest binds all that a settlement step depends on and does.

What is signed later, by a key or by a Safe, is compared with this file. Its bytes are canonical
(`rewards.files.documents.canonical_json`: sorted keys, integers as decimal text), and `digest` is
keccak-256 of those bytes without the digest itself. A file in any other spelling is refused, so a
plan has one digest and one appearance.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import contracts_abi
from rewards.chain.plan import (
    ACTIONS,
    CALL,
    CHANGES,
    DEPLOY,
    EPOCH_DISTRIBUTOR,
    PLAN_FORMAT,
    PROXY,
    SALT_LENGTH,
    TARGETS,
    Caps,
    EpochRange,
    Plan,
    PlannedCall,
    PlannedContract,
    PlannedToken,
    plan_digest,
    plan_document,
)
from rewards.chain.safe.calldata import (
    Argument,
    decode_as,
    encode_call,
    parameters_of,
    signature_of,
)
from rewards.chain.safe.fields import (
    Fields,
    exactly,
    null_or,
    parse_data,
    parse_lower_address,
    read_document,
    text_as,
)
from rewards.errors import Finding, InvalidInput, InvariantBroken
from rewards.files.documents import canonical_json
from rewards.files.folder import read_bytes
from rewards.files.grammar import (
    GrammarError,
    choice_of,
    parse_hash,
    parse_identifier,
    parse_integer,
    parse_signed,
    parse_text,
)
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PLAN_LIMIT = 64 * 2**20
"""Bytes of the largest plan that is read: 15,000 claims with their proofs take about 36 MiB."""
FUNCTIONS = {
    **{action: (action,) for action in ACTIONS if action not in (DEPLOY, "fund")},
    "claim_many": ("claim", "claimMany"),
    "configure": CHANGES,
}
"""What each action calls on an EpochDistributor; `fund` calls the token."""
RECEIVERS = {
    "approve(address,uint256)": 0,
    "transfer(address,uint256)": 0,
    "transferFrom(address,address,uint256)": 1,
}
"""What may be called on the token, and which argument then says who receives."""
ZERO_ADDRESS = "0x" + "00" * 20

PLAN_REMEDY = "take the plan as `rewards plan` wrote it"

_FILE_NAME = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*(?:/[a-z0-9_]+(?:\.[a-z0-9_]+)*)*", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def plan_bytes(plan: Plan) -> bytes:
    """Return a plan's canonical bytes.

    Raises:
        InvariantBroken: They would not be read back as this plan.
    """
    document = plan_document(plan)
    content = canonical_json({**document, "digest": plan_digest(document)})
    try:
        same = parse_plan(content) == plan
    except InvalidInput as error:
        raise InvariantBroken(f"a plan that cannot be read back: {error}") from error
    if not same:
        raise InvariantBroken("a plan that is read back as another one")
    return content


def read_plan(path: Path) -> Plan:
    """Return the plan in a file.

    Raises:
        InvalidInput: It cannot be read, or is no plan.
    """
    return parse_plan(read_bytes(path, str(path), PLAN_LIMIT), str(path))


def parse_plan(content: bytes, name: str = "plan.json") -> Plan:
    """Return the plan that these bytes are.

    Raises:
        InvalidInput: They are no plan, not canonical, or do not have the digest they state; all
            findings together.
    """
    document = read_document(content, name)
    findings: list[Finding] = []
    plan = _read(document, name, findings)
    if not findings:
        findings += _check_bytes(document, content, name)
    if findings or plan is None:
        raise InvalidInput(findings)
    return plan


def _check_bytes(document: Mapping[str, Any], content: bytes, name: str) -> list[Finding]:
    if document["digest"] != plan_digest(document):
        problem = f"is not the digest of this plan, {plan_digest(document)}"
        return [Finding(name, problem, PLAN_REMEDY, column="digest", value=document["digest"])]
    if canonical_json(document) != content:
        return [Finding(name, "is not in canonical form", PLAN_REMEDY)]
    return []


# --- reading ---------------------------------------------------------------------------------

_FIELDS = (
    "action",
    "calls",
    "caps",
    "chain_id",
    "contract",
    "digest",
    "epochs",
    "files",
    "format",
    "gate",
    "manifest_hash",
    "merkle_root",
    "previous_manifest_hash",
    "ruleset",
    "sender",
    "target",
    "token",
    "totals",
)
_CALL_FIELDS = ("arguments", "data", "function", "operation", "to", "value")
_TOKEN_FIELDS = ("address", "code_hash", "decimals", "symbol")
_CAPS_FIELDS = ("gas_limit", "max_fee_per_gas", "max_priority_fee_per_gas", "total_fee")


def _read(document: Mapping[str, Any], name: str, findings: list[Finding]) -> Plan | None:
    plan = Fields(document, name, findings, required=_FIELDS)
    plan.text("format", exactly(PLAN_FORMAT))
    plan.text("digest", parse_hash)
    optional_hash = null_or(text_as(parse_hash))
    epochs = _read_epochs(plan)
    parts = {
        "action": plan.text("action", choice_of(*ACTIONS)),
        "target": plan.text("target", choice_of(*TARGETS)),
        "chain_id": plan.text("chain_id", _positive),
        "epochs": epochs,
        "ruleset": plan.take("ruleset", null_or(text_as(parse_identifier))),
        "manifest_hash": plan.take("manifest_hash", optional_hash),
        "previous_manifest_hash": plan.take("previous_manifest_hash", optional_hash),
        "merkle_root": plan.take("merkle_root", optional_hash),
        "files": plan.take("files", lambda value: _parse_files(value, epochs)),
        "contract": _read_contract(plan),
        "token": _read_token(plan),
        "calls": tuple(_read_call(call) for call in plan.children("calls", required=_CALL_FIELDS)),
        "totals": plan.take("totals", _parse_totals),
        "caps": _read_caps(plan),
        "gate": plan.take("gate", _parse_gate),
        "sender": plan.take("sender", null_or(text_as(parse_lower_address))),
    }
    if not findings and not parts["calls"]:
        findings.append(Finding(name, "calls nothing", "plan at least one call", column="calls"))
    if findings:
        return None
    made = Plan(**parts)
    findings += _check_meaning(made, name)
    return made


def _read_epochs(plan: Fields) -> EpochRange | None:
    if plan.known.get("epochs") is None:
        return None
    epochs = plan.child("epochs", required=("from", "to"))
    first, last = epochs.text("from", parse_integer), epochs.text("to", parse_integer)
    if first is None or last is None:
        return None
    plan.take("epochs", lambda _: _require(first <= last, "end before they begin"))
    return EpochRange(first, last)


def _read_contract(plan: Fields) -> PlannedContract:
    contract = plan.child("contract", required=("address", "code_hash"))
    return PlannedContract(
        contract.text("address", parse_lower_address),
        contract.take("code_hash", null_or(text_as(parse_hash))),
    )


def _read_token(plan: Fields) -> PlannedToken | None:
    if plan.known.get("token") is None:
        return None
    token = plan.child("token", required=_TOKEN_FIELDS)
    return PlannedToken(
        address=token.text("address", parse_lower_address),
        symbol=token.text("symbol", parse_text),
        decimals=token.text("decimals", _parse_decimals),
        code_hash=token.text("code_hash", parse_hash),
    )


def _read_caps(plan: Fields) -> Caps:
    caps = plan.child("caps", required=_CAPS_FIELDS)
    values = {key: caps.text(key, parse_integer) for key in _CAPS_FIELDS}
    if None not in values.values():
        fits = values["max_priority_fee_per_gas"] <= values["max_fee_per_gas"]
        plan.take("caps", lambda _: _require(fits, "offer more priority fee than fee"))
    return Caps(**values)


def _read_call(call: Fields) -> PlannedCall:
    call.text("operation", exactly(CALL))
    planned = PlannedCall(
        to=call.take("to", null_or(text_as(_parse_callee))),
        value=call.text("value", parse_integer),
        data=call.text("data", parse_data),
        function=call.take("function", null_or(text_as(_parse_function))),
        arguments=call.take("arguments", _parse_arguments),
    )
    if call.complete and None not in (planned.value, planned.data, planned.arguments):
        call.take("arguments", lambda _: _check_words(planned))
    return planned


def _check_words(call: PlannedCall) -> None:
    """Hold the words against the bytes: whoever reads the one must know the other."""
    if call.function is None:
        _require(not call.arguments, "are there without a function")
    elif encode_call(call.function, call.arguments) != call.data:
        raise GrammarError("do not encode to `data`", PLAN_REMEDY)


# --- what the calls of our own contract say ----------------------------------------------------


@cache
def _functions() -> dict[str, Mapping[str, Any]]:
    """The functions of EpochDistributor by signature."""
    abi = contracts_abi.load("EpochDistributor")["abi"]
    return {signature_of(entry): entry for entry in abi if entry["type"] == "function"}


def _check_meaning(plan: Plan, name: str) -> list[Finding]:
    """Hold the words of a plan for an EpochDistributor against each other and against its ABI.

    The bytes bind values and types alone. A sweep under the title of a veto, tokens for somebody
    else, an argument under another's name or a root beside another plan's epochs would be signed as
    it stands and read as something else.
    """
    findings: list[Finding] = []
    if plan.target != EPOCH_DISTRIBUTOR:
        return findings
    if plan.action == DEPLOY:
        return _check_deployment(plan, name)
    for number, call in enumerate(plan.calls):
        place = f"calls[{number}]"
        if call.to == plan.contract.address:
            findings += _check_call_of_ours(plan, call, name, place)
        elif not plan.token or call.to != plan.token.address or not _pays(plan.contract, call):
            problem = f"is neither the contract nor its token, to pay it: not {plan.action}"
            findings.append(Finding(name, problem, PLAN_REMEDY, column=f"{place}.to"))
    return findings


def _check_deployment(plan: Plan, name: str) -> list[Finding]:
    """Find what a deployment would create besides, or in place of, the contract that it names."""
    if len(plan.calls) != 1:
        return [Finding(name, "is no deployment of one contract", PLAN_REMEDY, column="calls")]
    (call,) = plan.calls
    try:
        constructor_arguments(call)
    except GrammarError as error:
        return [Finding(name, error.problem, error.remedy, column="calls[0].data")]
    address = created_by_proxy(call.data)
    if call.to is None or address == plan.contract.address:
        return []
    problem = f"creates {address}, which is not the contract"
    return [Finding(name, problem, PLAN_REMEDY, column="calls[0].data")]


def created_by_proxy(data: bytes) -> str:
    """Return where the proxy creates the contract of this calldata. EIP-1014."""
    salt, code = data[:SALT_LENGTH], data[SALT_LENGTH:]
    content = b"\xff" + bytes.fromhex(PROXY[2:]) + salt + keccak256(code)
    return "0x" + keccak256(content)[12:].hex()


def constructor_arguments(call: PlannedCall) -> tuple[Argument, ...]:
    """Return with what settings a call creates an EpochDistributor.

    Raises:
        GrammarError: It creates another contract, or none.
    """
    _require(call.to in (None, PROXY), "calls neither nobody nor the deployment proxy")
    code = call.data if call.to is None else call.data[SALT_LENGTH:]
    artifact = contracts_abi.load("EpochDistributor")
    creation = bytes.fromhex(artifact["bytecode"][2:])
    _require(code.startswith(creation), "creates no EpochDistributor of this version")
    (constructor,) = (entry for entry in artifact["abi"] if entry["type"] == "constructor")
    return decode_as(constructor["inputs"], code[len(creation) :])


def _check_call_of_ours(plan: Plan, call: PlannedCall, name: str, place: str) -> list[Finding]:
    entry = _functions().get(call.function or "")
    if entry is None or not _named_as(entry["inputs"], call.arguments):
        problem = "is no function of EpochDistributor with arguments of these names"
        return [Finding(name, problem, PLAN_REMEDY, column=f"{place}.function")]
    if entry["name"] not in FUNCTIONS.get(plan.action, ()):
        problem = f"calls {entry['name']}, which is not {plan.action}"
        return [Finding(name, problem, PLAN_REMEDY, column=f"{place}.function")]
    return _check_proposal(plan, call, name, place) if entry["name"] == "propose" else []


def _pays(contract: PlannedContract, call: PlannedCall) -> bool:
    """Return whether a call of the token gives or allows something to the contract alone."""
    place = RECEIVERS.get(call.function or "")
    return place is not None and call.arguments[place].value == contract.address


def _named_as(parameters: Sequence[Mapping[str, Any]], arguments: tuple[Argument, ...]) -> bool:
    return len(parameters) == len(arguments) and all(
        argument.name == parameter["name"] and _inside_named_as(parameter, argument.value)
        for parameter, argument in zip(parameters, arguments, strict=True)
    )


def _inside_named_as(parameter: Mapping[str, Any], value: Any) -> bool:  # noqa: ANN401
    if "components" not in parameter:
        return True
    if value and isinstance(value[0], Argument):
        return _named_as(parameter["components"], value)
    return all(_inside_named_as(parameter, element) for element in value)


def _check_proposal(plan: Plan, call: PlannedCall, name: str, place: str) -> list[Finding]:
    """Compare a proposal with the epochs, hashes and totals that the plan gives for it."""
    proposal = {argument.name: argument.value for argument in call.arguments[0].value}
    total = plan.totals.get("cumulative_total")
    expected = {
        "epoch": plan.epochs and str(plan.epochs.last),
        "root": plan.merkle_root,
        "manifestHash": plan.manifest_hash,
        "cumulativeTotal": None if total is None else str(total),
    }
    return [
        Finding(
            name,
            f"is not what the plan gives for it, {value}",
            PLAN_REMEDY,
            column=f"{place}.propose.proposal.{key}",
            value=proposal[key],
        )
        for key, value in expected.items()
        if proposal[key] != value
    ]


def _require(holds: bool, problem: str) -> None:  # noqa: FBT001
    if not holds:
        raise GrammarError(problem, PLAN_REMEDY)


def _positive(text: str) -> int:
    value = parse_integer(text)
    _require(value > 0, "is 0")
    return value


def _parse_decimals(text: str) -> int:
    value = parse_integer(text)
    _require(value <= 255, "is more than 255")
    return value


def _parse_callee(text: str) -> str:
    # MultiSendCallOnly 1.5.0 takes the zero address for the Safe itself.
    _require(parse_lower_address(text) != ZERO_ADDRESS, "is the zero address")
    return text


def _parse_function(text: str) -> str:
    parameters_of(text)
    return text


def _parse_arguments(value: Any) -> tuple[Argument, ...]:  # noqa: ANN401
    if not isinstance(value, list):
        raise GrammarError("is no list", PLAN_REMEDY)
    return tuple(_parse_argument(argument) for argument in value)


def _parse_argument(value: Any) -> Argument:  # noqa: ANN401
    _require(isinstance(value, dict) and set(value) == {"name", "type", "value"}, "is no argument")
    _require(isinstance(value["name"], str), "has a name that is no text")
    _require(isinstance(value["type"], str), "has a type that is no text")
    return Argument(value["name"], value["type"], _parse_value(value["value"]))


def _parse_value(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return _parse_argument(value)
    if isinstance(value, list):
        return tuple(_parse_value(element) for element in value)
    _require(isinstance(value, str), "holds a value that is no text")
    return value


def _parse_files(value: Any, epochs: EpochRange | None) -> dict[int, dict[str, str]]:  # noqa: ANN401
    _require(isinstance(value, dict), "is no object")
    files = {}
    for key, names in value.items():
        epoch = parse_integer(key)
        bound = epochs is not None and epochs.first <= epoch <= epochs.last
        _require(bound, f"names epoch {epoch}, which is not settled here")
        _require(isinstance(names, dict), f"of epoch {epoch} are no object")
        for name, digest in names.items():
            _require(_FILE_NAME.fullmatch(name) is not None, f"hold {name!a}, no file name")
            known = isinstance(digest, str) and _SHA256.fullmatch(digest) is not None
            _require(known, f"give {name} no SHA-256")
        files[epoch] = names
    return files


def _parse_totals(value: Any) -> dict[str, int]:  # noqa: ANN401
    _require(isinstance(value, dict), "is no object")
    _require(all(isinstance(amount, str) for amount in value.values()), "hold what is no text")
    return {parse_identifier(name): parse_signed(amount) for name, amount in value.items()}


def _parse_gate(value: Any) -> Any:  # noqa: ANN401
    """Return the gate's verdict: an object of text, booleans and nulls, however nested."""
    _require(value is None or isinstance(value, dict), "is no object")
    _require_words(value)
    return value


def _require_words(value: Any) -> None:  # noqa: ANN401
    if isinstance(value, dict):
        for key, inner in value.items():
            _require_words(key)
            _require_words(inner)
    elif isinstance(value, list):
        for inner in value:
            _require_words(inner)
    elif isinstance(value, str):
        _require(value.isprintable(), "holds a character that cannot be printed")
    else:
        _require(value is None or isinstance(value, bool), "holds a number: write it as text")
