"""The plan as records: one step of a settlement, and the document whose digest binds it.

`rewards.chain.plan_file` writes it and reads it back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rewards.chain.safe.calldata import Argument, arguments_of, encode_call, signature_of
from rewards.files.documents import canonical_json
from rewards.files.grammar import format_epochs
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLAN_FORMAT = "wct-plan-1"

ACTIONS = (
    "activate",
    "cancel",
    "claim_many",
    "configure",
    "deploy",
    "fund",
    "pause",
    "propose",
    "retire",
    "schedule",
    "sweep",
    "unpause",
    "veto",
)
DEPLOY = "deploy"
PROXY = "0x4e59b44847b379578588920ca78fbf26c0b4956c"
"""The deterministic deployment proxy: the same contract on nearly every chain.

It creates by CREATE2 what follows on the 32 bytes of salt.
Source: https://github.com/Arachnid/deterministic-deployment-proxy
"""
SALT_LENGTH = 32
CHANGES = (
    "setProposer",
    "setAttester",
    "setGuardian",
    "setDelays",
    "setThreshold",
    "setCap",
    "transferAdmin",
    "acceptAdmin",
    "retire",
)
"""What the admin may change; `schedule` announces exactly the call that `configure` makes."""
EPOCH_DISTRIBUTOR = "epoch-distributor"
TARGETS = ("airdrop", EPOCH_DISTRIBUTOR, "reward-manager", "urd")

CALL = "0"
"""Safe's `Enum.Operation.Call`. A plan never holds a DELEGATECALL: it would run as the caller."""


@dataclass(frozen=True, slots=True)
class EpochRange:
    """The epochs that one step settles: amounts are cumulative, so it may be several."""

    first: int
    last: int

    def __str__(self) -> str:
        """Return the epochs in words."""
        return format_epochs(self.first, self.last)


@dataclass(frozen=True, slots=True)
class PlannedContract:
    """The contract that is settled on; `code_hash` is None where it is yet to be deployed."""

    address: str
    code_hash: str | None


@dataclass(frozen=True, slots=True)
class PlannedToken:
    """The token paid out, as read from the chain."""

    address: str
    symbol: str
    decimals: int
    code_hash: str


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call, in bytes and in words that encode to the same bytes.

    Attributes:
        to: Lower-case address; None where the transaction creates a contract.
        value: Wei sent along.
        data: The calldata.
        function: The canonical signature; None where the data is no function call (a deployment).
        arguments: The decoded arguments; empty without a function.
    """

    to: str | None
    value: int
    data: bytes
    function: str | None
    arguments: tuple[Argument, ...]

    @classmethod
    def of(
        cls, to: str, entry: Mapping[str, Any], values: Sequence[Any], value: int = 0
    ) -> PlannedCall:
        """Return the call of a function, given its ABI entry and its arguments' values.

        Raises:
            GrammarError: A value does not fit its type.
        """
        function, arguments = signature_of(entry), arguments_of(entry["inputs"], values)
        return cls(to.lower(), value, encode_call(function, arguments), function, arguments)


@dataclass(frozen=True, slots=True)
class Caps:
    """What each transaction may cost at most: gas, and wei."""

    gas_limit: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int
    total_fee: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One step of a settlement, ready to be signed.

    Attributes:
        action: One of ACTIONS.
        target: One of TARGETS.
        chain_id: The chain.
        epochs: Which epochs it settles; None where it concerns none (`sweep`, `deploy`).
        ruleset: Under which they were computed.
        manifest_hash: Of the last of them.
        previous_manifest_hash: Of the epoch that they build on; None at the first.
        merkle_root: Of the last of them.
        files: SHA-256 of every file of each epoch's folder, by epoch and name.
        contract: The contract settled on.
        token: The token paid out; None where the target has none.
        calls: What is called, in order.
        totals: Amounts in base units by name, e.g. `epoch_amount`, `cumulative_total`, `rise`.
        caps: What it may cost.
        gate: The checks' verdict, any JSON without numbers; None where no gate is asked for.
        sender: Who alone may send it; None: anybody whom the contract lets. Lower-case address.
    """

    action: str
    target: str
    chain_id: int
    epochs: EpochRange | None
    ruleset: str | None
    manifest_hash: str | None
    previous_manifest_hash: str | None
    merkle_root: str | None
    files: Mapping[int, Mapping[str, str]]
    contract: PlannedContract
    token: PlannedToken | None
    calls: tuple[PlannedCall, ...]
    totals: Mapping[str, int]
    caps: Caps
    gate: Mapping[str, Any] | None = field(default=None)
    sender: str | None = None

    @property
    def digest(self) -> str:
        """The digest that binds the whole plan, as `0x` text."""
        return plan_digest(plan_document(self))


def plan_digest(document: Mapping[str, Any]) -> str:
    """Return keccak-256 of a plan's canonical bytes without its `digest`."""
    rest = {key: value for key, value in document.items() if key != "digest"}
    return "0x" + keccak256(canonical_json(rest)).hex()


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return the plan as its file holds it, without the digest."""
    epochs, token = plan.epochs, plan.token
    return {
        "format": PLAN_FORMAT,
        "action": plan.action,
        "target": plan.target,
        "chain_id": str(plan.chain_id),
        "epochs": epochs and {"from": str(epochs.first), "to": str(epochs.last)},
        "ruleset": plan.ruleset,
        "manifest_hash": plan.manifest_hash,
        "previous_manifest_hash": plan.previous_manifest_hash,
        "merkle_root": plan.merkle_root,
        "files": {str(epoch): dict(names) for epoch, names in plan.files.items()},
        "contract": {"address": plan.contract.address, "code_hash": plan.contract.code_hash},
        "token": token
        and {
            "address": token.address,
            "symbol": token.symbol,
            "decimals": str(token.decimals),
            "code_hash": token.code_hash,
        },
        "calls": [call_document(call) for call in plan.calls],
        "totals": {name: str(amount) for name, amount in plan.totals.items()},
        "caps": {
            "gas_limit": str(plan.caps.gas_limit),
            "max_fee_per_gas": str(plan.caps.max_fee_per_gas),
            "max_priority_fee_per_gas": str(plan.caps.max_priority_fee_per_gas),
            "total_fee": str(plan.caps.total_fee),
        },
        "gate": plan.gate,
        "sender": plan.sender,
    }


def call_document(call: PlannedCall) -> dict[str, Any]:
    """Return a call as the plan holds it."""
    return {
        "to": call.to,
        "value": str(call.value),
        "data": "0x" + call.data.hex(),
        "operation": CALL,
        "function": call.function,
        "arguments": [_argument_document(argument) for argument in call.arguments],
    }


def _argument_document(argument: Argument) -> dict[str, Any]:
    return {
        "name": argument.name,
        "type": argument.type,
        "value": _value_document(argument.value),
    }


def _value_document(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Argument):
        return _argument_document(value)
    if isinstance(value, tuple):
        return [_value_document(element) for element in value]
    return value
