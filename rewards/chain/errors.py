"""What the chain refuses, in words: each error of the contracts with its numbers and a next step.

Refused
└── Reverted            the contract refuses, and says why; or its code failed
ChainError
├── EndpointTrouble     no usable answer from the endpoint
├── NotConfirmed        a transaction was handed in, and what became of it is not known
├── InsufficientFunds   the sender cannot pay for the gas
└── WrongChain          the endpoint serves another chain than the one meant
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from rewards.chain.contract import DISTRIBUTOR, TOKEN, decode, interface
from rewards.errors import ChainError, Refused, printable
from rewards.files.grammar import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping

SELECTOR_LENGTH = 4
LATEST_TIME = 253_402_300_799
"""The last second of the year 9999, up to which a time is shown as a date."""

# Errors that are not in our ABI and still arrive: Solidity's own, and those of the real token.
OTHER_ERRORS: dict[bytes, tuple[str, tuple[str, ...]]] = {
    bytes.fromhex("08c379a0"): ("Error", ("string",)),
    bytes.fromhex("4e487b71"): ("Panic", ("uint256",)),
    bytes.fromhex("e827105e"): ("TransferRestricted", ()),
}

NEXT_STEP = {
    "AccountsNotAscending": "give the accounts of a batch in ascending order, each once",
    "ActivationPaused": "activation is paused until {until}; ask the guardians why",
    "AlreadyPending": "activate epoch {epoch}, attempt {attempt}, or have it vetoed first",
    "AlreadyRetired": "this contract has ended for good; settle on its successor",
    "CapExceeded": "the total may rise by {available} base units now; wait, or have the cap raised",
    "ClaimsPaused": "claims are paused until {until}; ask the guardians why",
    "EpochOutOfRange": "propose an epoch from {lowest} to {highest}",
    "ERC20InsufficientBalance": "send tokens to {sender} first: it has {balance} base units",
    "ExceedsOutstanding": "{outstanding} base units are outstanding; the leaves sum up to more than"
    " the proposed total: correct it with the next epoch",
    "Failed": "no contract of ours fails so: check the address, and what code is there",
    "InvalidProof": "take amount and proof of {account} from the distribution of the active epoch",
    "InvalidSentinelProof": "compute the epoch for this chain and this contract: the root is bound"
    " to another chain, contract, epoch or total",
    "MissingRole": "send from an account that holds this role; {caller} does not",
    "NotAToken": "name the address of a token contract; there is no code at {token}",
    "NotActiveEpoch": "epoch {active} is the active one: take that epoch's proof",
    "NotPayable": "{account} cannot be paid: zero, a precompile, the token or the distributor",
    "NotPending": "look which epoch and attempt are pending now",
    "OwnableUnauthorizedAccount": "only the token's owner may mint",
    "Revert": "no reason is given: check that this is the contract meant, then its state",
    "SafeERC20FailedOperation": "the token {token} refuses the transfer; simulate each payee alone",
    "TooEarly": "it can be activated from {activatableAt} on",
    "TooFewAttestations": "attestations needed: {threshold}; collect the missing ones",
    "TotalBelowClaimed": "{claimedTotal} base units are claimed already; the total cannot be less",
    "TransferRestricted": "the token restricts transfers: ask its manager to allow the distributor",
    "Underfunded": "send tokens to the distributor until it holds {required} base units",
    "WrongAttempt": "propose as attempt {expected}",
    "WrongPreviousEpoch": "epoch {active} was activated last: build the proposal on top of it",
}
FAILED = "Failed"
REASON_LENGTH = 200
LOOK_IT_UP = "see the error of this name in contracts_abi/src/IEpochDistributor.sol"


class EndpointTrouble(ChainError):  # noqa: N818 - reads as what it says
    """No usable answer: it is down, refuses, or sends something that is not an answer."""


class NotConfirmed(ChainError):  # noqa: N818
    """A transaction was handed in and has no receipt yet: it may still land."""


class InsufficientFunds(ChainError):  # noqa: N818
    """The sender cannot pay for the gas."""


class WrongChain(ChainError):  # noqa: N818
    """The endpoint serves another chain than the one meant."""


class Reverted(Refused):
    """The contract refuses.

    Attributes:
        error: The error's name, e.g. `Underfunded`; `Revert` where the contract gave no reason,
            `Failed` where its code ended in an error of the EVM, such as an invalid opcode.
        arguments: Its arguments by name; hashes and addresses as `0x` text.
        next_step: What to do about it.
    """

    def __init__(self, error: str, arguments: Mapping[str, Any]) -> None:
        self.error = error
        self.arguments = dict(arguments)
        self.next_step = NEXT_STEP.get(error, LOOK_IT_UP).format_map(_Shown(self.arguments))
        super().__init__(f"{self.refusal}; {self.next_step}")

    @property
    def refusal(self) -> str:
        """The error with its arguments, as in `Underfunded(balance=1, required=2)`."""
        listed = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"the contract refuses with {self.error}({listed})"


class _Shown(dict[str, Any]):
    """The arguments as a next step shows them: times as dates, what is not there as it stands."""

    TIMES = ("until", "activatableAt", "readyAt", "lapsedAt")

    def __getitem__(self, name: str) -> object:
        value = super().__getitem__(name)
        is_date = name in self.TIMES and isinstance(value, int) and value <= LATEST_TIME
        return format_time(value) if is_date else value

    def __missing__(self, name: str) -> str:
        return f"<{name}>"


def decode_revert(data: bytes) -> Reverted:
    """Return a revert's data as an error; what is in no ABI here keeps its bytes as argument."""
    selector, body = data[:SELECTOR_LENGTH], data[SELECTOR_LENGTH:]
    for name in (DISTRIBUTOR, TOKEN):
        if selector in interface(name).errors:
            error, parameters = interface(name).errors[selector]
            types = [parameter["type"] for parameter in parameters]
            names = [parameter["name"] for parameter in parameters]
            return _reverted(error, names, types, body)
    if selector in OTHER_ERRORS:
        error, known_types = OTHER_ERRORS[selector]
        return _reverted(error, ["reason"] * len(known_types), list(known_types), body)
    return Reverted("Unknown", {"data": _text(data)}) if data else Reverted("Revert", {})


def failed(reason: str) -> Reverted:
    """Return an error of the EVM, in the words of whoever ran the code, as the refusal it is."""
    return Reverted(FAILED, {"reason": printable(reason[:REASON_LENGTH])})


def _reverted(error: str, names: list[str], types: list[str], body: bytes) -> Reverted:
    try:
        values = decode(types, body)
    except ValueError:
        return Reverted(error, {"data": _text(body)})
    return Reverted(error, {n: _text(v) for n, v in zip(names, values, strict=True)})


def _text(value: Any) -> Any:  # noqa: ANN401 - whatever an ABI holds
    return "0x" + value.hex() if isinstance(value, bytes) else value


def decode_embedded(message: str) -> Reverted:
    """Return what eth-tester's TransactionFailed says as an error.

    It carries the revert's bytes as Python would print them; a reason given as a string has
    already been decoded.
    """
    text = message.removeprefix("execution reverted: ")
    try:
        data = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        data = None
    if isinstance(data, bytes):
        return decode_revert(data)
    return Reverted("Error", {"reason": text})
