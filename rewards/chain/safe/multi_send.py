"""Several calls in one Safe transaction: the calldata of `multiSend(bytes)`, strictly.

Each call is packed as operation (1 byte), address (20), value (32), length of the data (32), data.
Source: MultiSendCallOnly.sol 1.3.0, 1.4.1 and 1.5.0. The contract itself ends its loop up to 32
bytes before the end, so bytes after the last call are passed over on chain; here they are refused,
as is an operation other than CALL, which the contract would revert or skip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.chain.safe.calldata import decode, function_selector, parameters_of
from rewards.files.grammar import GrammarError, counted

if TYPE_CHECKING:
    from collections.abc import Iterable

MULTI_SEND = "multiSend(bytes)"
MULTI_SEND_SELECTOR = function_selector(MULTI_SEND)
WORD = 32
HEADER = 1 + 20 + 32 + 32


@dataclass(frozen=True, slots=True)
class InnerCall:
    """One call that a Safe makes."""

    to: str
    value: int
    data: bytes


def encode_multi_send(calls: Iterable[InnerCall]) -> bytes:
    """Return the calldata that makes these calls in this order."""
    packed = b"".join(
        bytes(1)
        + bytes.fromhex(call.to[2:])
        + call.value.to_bytes(WORD, "big")
        + len(call.data).to_bytes(WORD, "big")
        + call.data
        for call in calls
    )
    head = WORD.to_bytes(WORD, "big") + len(packed).to_bytes(WORD, "big")
    return MULTI_SEND_SELECTOR + head + packed + bytes(-len(packed) % WORD)


def decode_multi_send(calldata: bytes) -> list[InnerCall]:
    """Return the calls; `encode_multi_send` of them is the calldata again.

    Raises:
        GrammarError: Another function, another encoding, bytes left over, a DELEGATECALL inside.
    """
    selector = calldata[:4]
    if selector != MULTI_SEND_SELECTOR:
        raise GrammarError(f"calls 0x{selector.hex()}, not {MULTI_SEND}", "do not sign it")
    (text,) = decode(parameters_of(MULTI_SEND), calldata[4:])
    return _unpack(bytes.fromhex(text[2:]))


def _unpack(packed: bytes) -> list[InnerCall]:
    calls: list[InnerCall] = []
    place = 0
    while place < len(packed):
        header = packed[place : place + HEADER]
        length = int.from_bytes(header[53:], "big")
        if len(header) < HEADER or length > len(packed) - place - HEADER:
            after = f"after call {len(calls)} that"
            rest = counted(len(packed) - place, f"byte {after} is", f"bytes {after} are")
            raise GrammarError(f"has {rest} no call", "do not sign it")
        if header[0]:
            kind = "DELEGATECALL" if header[0] == 1 else f"operation {header[0]}"
            raise GrammarError(f"holds a {kind} as call {len(calls)}", "do not sign it")
        start = place + HEADER
        calls.append(
            InnerCall(
                "0x" + header[1:21].hex(),
                int.from_bytes(header[21:53], "big"),
                packed[start : start + length],
            )
        )
        place = start + length
    return calls
