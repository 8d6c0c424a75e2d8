"""Functions of other people's contracts: from arguments to calldata and back.

Written down from the contracts' published interfaces; no code of theirs is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rewards.chain.contract import decode, encode
from rewards.chain.endpoint import Call
from rewards.chain.plan import PlannedCall
from rewards.chain.safe.calldata import function_selector, signature_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Parameter = tuple[str, str]
"""Name and canonical ABI type."""


@dataclass(frozen=True)
class Function:
    """One function: its name, what it takes and the types that it returns.

    Attributes:
        name: Its name.
        inputs: What it takes.
        outputs: The types that it returns.
        struct: The name of the one argument, where that is a struct of `inputs`.
    """

    name: str
    inputs: tuple[Parameter, ...] = ()
    outputs: tuple[str, ...] = ()
    struct: str = ""

    @cached_property
    def entry(self) -> dict[str, Any]:
        """The function's entry in an ABI."""
        inputs = [{"name": name, "type": kind} for name, kind in self.inputs]
        if self.struct:
            inputs = [{"name": self.struct, "type": "tuple", "components": inputs}]  # type: ignore[dict-item]
        return {"name": self.name, "inputs": inputs}

    @cached_property
    def signature(self) -> str:
        """Name and types, as the selector is made of them."""
        return signature_of(self.entry)

    @cached_property
    def selector(self) -> bytes:
        """The first four bytes of every call."""
        return function_selector(self.signature)

    def call(self, contract: str, *values: object) -> Call:
        """Return a call of the function; a struct is given as its fields."""
        types = [kind for _, kind in self.inputs]
        if self.struct:
            return Call(contract, self.selector + encode([f"({','.join(types)})"], [values]))
        return Call(contract, self.selector + encode(types, values))

    def planned(self, contract: str, *values: object) -> PlannedCall:
        """Return a call as a plan holds it: the same bytes, and in words."""
        return PlannedCall.of(contract, self.entry, [values] if self.struct else values)

    def result(self, returned: bytes) -> tuple[Any, ...]:
        """Return the values that the function returned.

        Raises:
            ValueError: The bytes are not what this function returns.
        """
        return decode(self.outputs, returned)


def creation(types: Sequence[str], code: bytes, *values: object) -> PlannedCall:
    """Return the transaction that creates a contract: its creation code, then the arguments."""
    return PlannedCall(None, 0, code + encode(types, values), None, ())


# ERC-20, as far as a settlement needs it.
BALANCE_OF = Function("balanceOf", (("account", "address"),), ("uint256",))
ALLOWANCE = Function("allowance", (("owner", "address"), ("spender", "address")), ("uint256",))
DECIMALS = Function("decimals", (), ("uint8",))
APPROVE = Function("approve", (("spender", "address"), ("value", "uint256")), ("bool",))
