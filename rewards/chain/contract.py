"""From arguments to calldata and back, by the ABI in `contracts_abi`."""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError

import contracts_abi
from rewards.chain.endpoint import Call
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DISTRIBUTOR = "EpochDistributor"
TOKEN = "TestToken"  # noqa: S105 - the name of a contract


class Interface:
    """One contract's functions and errors. Structs are tuples in the order of their fields."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._artifact = contracts_abi.load(name)

    @cached_property
    def errors(self) -> dict[bytes, tuple[str, Sequence[Mapping[str, Any]]]]:
        """Name and parameters of each custom error, by selector."""
        return {
            _selector(entry): (entry["name"], entry["inputs"])
            for entry in self._artifact["abi"]
            if entry["type"] == "error"
        }

    @cached_property
    def _functions(self) -> dict[str, Mapping[str, Any]]:
        return {e["name"]: e for e in self._artifact["abi"] if e["type"] == "function"}

    @cached_property
    def _constructor(self) -> Sequence[Mapping[str, Any]]:
        entries = self._artifact["abi"]
        return next((e["inputs"] for e in entries if e["type"] == "constructor"), ())

    @property
    def artifact(self) -> Mapping[str, Any]:
        """The compiled contract, as `contracts_abi` holds it."""
        return self._artifact

    def entry(self, function: str) -> Mapping[str, Any]:
        """Return a function's entry in the ABI.

        Raises:
            KeyError: The contract has no such function.
        """
        return self._functions[function]

    def creation_code(self, *arguments: object) -> bytes:
        """Return the bytes that create the contract: its creation code and the arguments."""
        return self.deployment(*arguments).data

    def constructor_arguments(self, *arguments: object) -> bytes:
        """Return `abi.encode` of the constructor's arguments."""
        return encode(_types(self._constructor), arguments)

    def deployment(self, *arguments: object) -> Call:
        """Return the transaction that creates the contract."""
        code = bytes.fromhex(self._artifact["bytecode"].removeprefix("0x"))
        return Call(None, code + encode(_types(self._constructor), arguments))

    def call(self, address: str, function: str, *arguments: object) -> Call:
        """Return a call of one of the contract's functions."""
        entry = self._functions[function]
        return Call(address, _selector(entry) + encode(_types(entry["inputs"]), arguments))

    def in_words(self, data: bytes) -> str:
        """Return calldata as `function(name=value, …)`; what is no call of this contract as hex."""
        entry = next((e for e in self._functions.values() if _selector(e) == data[:4]), None)
        if entry is None:
            return "0x" + data.hex()
        values = decode(_types(entry["inputs"]), data[4:])
        named = zip((parameter["name"] for parameter in entry["inputs"]), values, strict=True)
        return f"{entry['name']}({', '.join(f'{name}={value}' for name, value in named)})"

    def result(self, function: str, returned: bytes) -> tuple[Any, ...]:
        """Return the values that a function returned.

        Raises:
            ValueError: The bytes are not what this function returns: another contract answered.
        """
        return decode(_types(self._functions[function]["outputs"]), returned)


@cache
def interface(name: str) -> Interface:
    """Return the interface of a contract in `contracts_abi`, read once."""
    return Interface(name)


def encode(types: Sequence[str], values: Sequence[object]) -> bytes:
    """Return `abi.encode` of the values."""
    return abi_encode(types, values)


def decode(types: Sequence[str], content: bytes) -> tuple[Any, ...]:
    """Return the values that `abi.encode` made these bytes of; addresses in lower case.

    Raises:
        ValueError: The bytes hold no such values.
    """
    try:
        return tuple(abi_decode(types, content))
    except (DecodingError, OverflowError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error


def _types(parameters: Sequence[Mapping[str, Any]]) -> list[str]:
    return [_type(parameter) for parameter in parameters]


def _type(parameter: Mapping[str, Any]) -> str:
    """Return a parameter's canonical type, a struct spelled out as the tuple of its fields."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_types(parameter['components']))}){kind.removeprefix('tuple')}"


def _selector(entry: Mapping[str, Any]) -> bytes:
    signature = f"{entry['name']}({','.join(_types(entry['inputs']))})"
    return keccak256(signature.encode("ascii"))[:4]
