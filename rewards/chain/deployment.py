"""Deploying a distributor: its configuration, where it will lie, and whether it is what was meant.

The address is that of CREATE2 through the deterministic deployment proxy where the chain has one:
it then follows from the code and the configuration alone, so it is known before anything is sent,
and whoever sends the transaction (a key, a Safe, a stranger) creates the same contract there.
Source: https://github.com/Arachnid/deterministic-deployment-proxy; EIP-1014.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import contracts_abi
from rewards.chain.attestation import Statement
from rewards.chain.contract import DISTRIBUTOR, interface
from rewards.chain.deployed_code import code_difference
from rewards.chain.distributor import (
    AMOUNT_LIMIT,
    EPOCH_LIMIT,
    MAX_DELAY,
    Config,
    Distributor,
    Proposal,
    Role,
)
from rewards.chain.endpoint import Call
from rewards.chain.plan import PROXY
from rewards.chain.plan_file import created_by_proxy
from rewards.errors import Finding, InvalidInput
from rewards.files.documents import canonical_json
from rewards.files.grammar import GrammarError, counted, parse_address, parse_decimal, parse_hash
from rewards.files.outputs import format_wct
from rewards.files.toml_documents import Document, canonical_toml
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rewards.chain.agreement import Sight
    from rewards.chain.endpoint import Endpoint

NO_SALT = bytes(32)
MAX_CHANGE_DELAY = 30 * 86_400
MOST_ATTESTERS = 255
FEWEST_GUARDIANS = 2
ZERO_ADDRESS = "0x" + "00" * 20

SETTLEMENT = "settlement.toml"
DEPLOYED = "deployment.json"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is to be deployed, and where.

    Attributes:
        chain_id: The chain.
        config: The constructor's argument.
        salt: 32 bytes that, with code and configuration, decide the address.
    """

    chain_id: int
    config: Config
    salt: bytes

    @property
    def creation_code(self) -> bytes:
        """The contract's creation code and its argument."""
        return Distributor.deployment(self.config).data

    @property
    def deterministic_address(self) -> str:
        """Where CREATE2 through the proxy puts it."""
        return created_by_proxy(self.deterministic_call.data)

    @property
    def deterministic_call(self) -> Call:
        """The transaction to the proxy that creates it."""
        return Call(PROXY, self.salt + self.creation_code)


def read_deployment(path: Path) -> Deployment:
    """Return the deployment that a `deploy.toml` describes.

    Raises:
        InvalidInput: With every finding.
    """
    findings: list[Finding] = []
    document = Document(path, path.name, findings)
    chain_id = document.integer("chain_id", low=1, high=2**256 - 1)
    config = _read_config(document)
    salt = document.parse("salt", parse_hash, required=False)
    if document.readable:
        document.refuse_unknown()
    if not findings:
        _judge(document, config)
    if findings or chain_id is None:
        raise InvalidInput(findings)
    return Deployment(chain_id, config, bytes.fromhex(salt[2:]) if salt else NO_SALT)


def _read_config(document: Document) -> Config:
    """Return the configuration; what is missing or wrong is None in it, and found."""

    def seconds(key: str, high: int) -> Any:  # noqa: ANN401
        return document.integer(key, low=1, high=high)

    return Config(
        token=document.parse("token", parse_address),
        treasury=document.parse("treasury", parse_address),
        admin=document.parse("admin", parse_address),
        initial_epoch=_number(document.integer("initial_epoch", low=0, high=EPOCH_LIMIT - 1)),
        minimum_delay=seconds("minimum_delay", MAX_DELAY),
        change_delay=seconds("change_delay", MAX_CHANGE_DELAY),
        delay=seconds("delay", MAX_DELAY),
        reduction_delay=seconds("reduction_delay", MAX_DELAY),
        threshold=_number(document.integer("threshold", low=0, high=MOST_ATTESTERS)),
        cap_burst=document.parse("cap_burst", parse_decimal),
        cap_per_day=document.parse("cap_per_day", parse_decimal),
        proposers=_addresses(document, "proposers"),
        attesters=_addresses(document, "attesters"),
        guardians=_addresses(document, "guardians"),
    )


def _number(value: int | None) -> int:
    return 0 if value is None else value  # a missing one is found already


def _addresses(document: Document, key: str) -> tuple[str, ...]:
    listed = document.take(key, list)
    accounts: list[str] = []
    for entry in listed or ():
        try:
            account = parse_address(entry if isinstance(entry, str) else "")
        except GrammarError as error:
            document.find(key, entry, error.problem, error.remedy)
            continue
        if account in accounts:
            document.find(key, entry, "is there twice", "name each account once")
        accounts.append(account)
    return tuple(sorted(accounts))


def _judge(document: Document, config: Config) -> None:
    """Find what the constructor would refuse, and what would be unwise for ever."""
    for lower, upper in pairwise(("minimum_delay", "delay", "reduction_delay")):
        if getattr(config, lower) > getattr(config, upper):
            document.find(upper, getattr(config, upper), f"is less than {lower}", "raise it")
    if config.change_delay < config.minimum_delay:
        document.find("change_delay", config.change_delay, "is less than minimum_delay", "raise it")
    if config.threshold > len(config.attesters):
        many = f"is more than the {counted(len(config.attesters), 'attester')}"
        document.find("threshold", config.threshold, many, "lower it, or name more attesters")
    for key in ("cap_burst", "cap_per_day"):
        if getattr(config, key) >= AMOUNT_LIMIT:
            document.find(key, getattr(config, key), "is not below 2^128", "check the unit: WCT")
    if not config.cap_burst:
        document.find("cap_burst", 0, "lets nothing be proposed", "set the largest rise at once")
    if not config.proposers:
        document.find("proposers", None, "names nobody", "name who may propose")
    if len(config.guardians) < FEWEST_GUARDIANS:
        few = "names fewer than two: a lone bad one could not be stopped for long"
        document.find("guardians", len(config.guardians), few, "name at least two")
    apart = set(config.attesters) - set(config.proposers)
    if config.threshold > len(apart):
        alone = "lets a proposer attest for itself"
        document.find("attesters", None, alone, "name attesters who are no proposers")
    for key in ("treasury", "admin"):
        if int(getattr(config, key), 16) <= 0xFFFF or getattr(config, key) == config.token:
            document.find(key, getattr(config, key), "cannot be meant", "name the account")


def created_address(sender: str, nonce: int) -> str:
    """Return where CREATE puts what a sender creates: keccak of the RLP of sender and nonce."""
    raw = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    number = raw if len(raw) == 1 and raw[0] < 0x80 else bytes([0x80 + len(raw)]) + raw
    content = b"\x94" + bytes.fromhex(sender[2:]) + number
    return "0x" + keccak256(bytes([0xC0 + len(content)]) + content)[12:].hex()


def has_proxy(endpoint: Endpoint) -> bool:
    """Return whether the chain has the deterministic deployment proxy."""
    return bool(endpoint.code(PROXY))


# --- whether it is what was meant ------------------------------------------------------------


def deployment_findings(sight: Sight, deployment: Deployment, address: str) -> list[Finding]:
    """Return in what the contract at an address is not the one that was to be deployed.

    The code is compared outside of its immutables; those, and everything that can be set, are read
    back. The EIP-712 domain, which is immutable too, is held by a digest.
    """
    code = sight.read("code", lambda endpoint, at: endpoint.code(address, at))
    difference = code_difference(code)
    if difference:
        remedy = "do not use it: it is another contract"
        return [Finding(address, f"is not EpochDistributor: {difference}", remedy)]
    there = sight.read("settings", lambda e, at: list(_read_back(e, at, deployment, address)))
    return [
        Finding(address, f"is not {expected}", "do not use it", column=name, value=str(value))
        for name, value, expected in there
        if value != expected
    ]


def _read_back(
    endpoint: Endpoint, at: int, deployment: Deployment, address: str
) -> Iterator[tuple[str, object, object]]:
    """Yield name, what is there, and what was configured."""
    config, contract = deployment.config, Distributor(endpoint, address)
    settings = contract.settings(at)
    yield "token", contract.token(at), config.token
    yield "treasury", contract.treasury(at), config.treasury
    yield "initial_epoch", contract.initial_epoch(at), config.initial_epoch
    yield "minimum_delay", contract.minimum_delay(at), config.minimum_delay
    yield "change_delay", contract.change_delay(at), config.change_delay
    for name in ("admin", "delay", "reduction_delay", "threshold", "cap_burst", "cap_per_day"):
        yield name, getattr(settings, name), getattr(config, name)
    yield "pending_admin", settings.pending_admin, ZERO_ADDRESS
    yield "attester_count", settings.attester_count, len(config.attesters)
    yield "retired", settings.retired, False
    for role, accounts in (
        (Role.PROPOSER, config.proposers),
        (Role.ATTESTER, config.attesters),
        (Role.GUARDIAN, config.guardians),
    ):
        for account in accounts:
            name = f"{role.name.lower()} {account}"
            yield name, contract.has_role(role, account, at), True
    proposal = Proposal(0, 1, 1, bytes(32), 1, bytes(32))
    active = contract.active(at)
    rise = max(1 - active.cumulative_total, 0)
    statement = Statement(deployment.chain_id, address, proposal, rise)
    digest = contract.attestation_digest(proposal, at)
    yield "attestation digest", digest.hex(), statement.digest.hex()


# --- what is written down --------------------------------------------------------------------


def settlement_toml(deployment: Deployment, address: str, decimals: int) -> bytes:
    """Return the canonical `settlement.toml` for the contract."""
    return canonical_toml(
        {
            "chain_id": deployment.chain_id,
            "distributor": address,
            "token": deployment.config.token,
            "decimals": decimals,
        }
    )


def deploy_toml(deployment: Deployment) -> bytes:
    """Return the canonical `deploy.toml`."""
    config = deployment.config
    numbers = ("initial_epoch", "minimum_delay", "change_delay", "delay", "reduction_delay")
    lines = {
        "chain_id": str(deployment.chain_id),
        "salt": json.dumps("0x" + deployment.salt.hex()),
        "threshold": str(config.threshold),
        **{name: str(getattr(config, name)) for name in numbers},
        **{name: json.dumps(getattr(config, name)) for name in ("token", "treasury", "admin")},
        **{
            name: json.dumps(format_wct(getattr(config, name)))
            for name in ("cap_burst", "cap_per_day")
        },
        **{
            name: json.dumps(list(getattr(config, name)))
            for name in ("proposers", "attesters", "guardians")
        },
    }
    return "".join(f"{name} = {value}\n" for name, value in sorted(lines.items())).encode()


def verification_files(
    deployment: Deployment, address: str, transaction: str | None
) -> dict[str, bytes]:
    """Return what a source verifier asks for, and what was deployed with it.

    `sourcify.json` is the body of `POST https://sourcify.dev/server/v2/verify/{chain}/{address}`.
    """
    artifact = interface(DISTRIBUTOR).artifact
    standard_input = contracts_abi.load("standard-input")
    arguments = interface(DISTRIBUTOR).constructor_arguments(astuple(deployment.config))
    version = str(artifact["compiler"]["version"]).split(".Emscripten", maxsplit=1)[0]
    identifier = f"{artifact['sourceName']}:{artifact['contractName']}"
    request: dict[str, Any] = {
        "stdJsonInput": standard_input,
        "compilerVersion": version,
        "contractIdentifier": identifier,
    }
    if transaction:
        request["creationTransactionHash"] = transaction
    facts = {
        "format": "wct-deployment-1",
        "chain_id": str(deployment.chain_id),
        "distributor": address,
        "deterministic": address == deployment.deterministic_address,
        "transaction": transaction,
        "compiler": version,
        "contract": identifier,
        "constructor_arguments": "0x" + arguments.hex(),
        "creation_code_hash": "0x" + keccak256(deployment.creation_code).hex(),
    }
    return {
        "deploy.toml": deploy_toml(deployment),
        DEPLOYED: canonical_json(facts),
        "constructor_arguments.txt": arguments.hex().encode() + b"\n",
        "standard-input.json": canonical_json(standard_input),
        "sourcify.json": canonical_json(request),
    }


def require_chain(deployment: Deployment, given: int | None, config: Path) -> None:
    """Refuse a chain other than the one that the configuration names.

    Raises:
        InvalidInput: They differ.
    """
    if given is not None and given != deployment.chain_id:
        raise InvalidInput(
            Finding(
                config.name,
                f"is for chain {deployment.chain_id}, not {given}",
                "name the configuration of this chain",
                column="chain_id",
            )
        )


def transactions(deployment: Deployment, *, deterministic: bool) -> Sequence[Call]:
    """Return what is to be sent to create the contract."""
    if deterministic:
        return (deployment.deterministic_call,)
    return (Call(None, deployment.creation_code),)
