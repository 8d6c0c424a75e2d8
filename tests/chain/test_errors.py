"""What the chain refuses arrives as a name, its numbers and a next step."""

from __future__ import annotations

import string

import pytest
from eth_abi.abi import encode

from rewards.chain.contract import DISTRIBUTOR, TOKEN, interface
from rewards.chain.errors import LOOK_IT_UP, NEXT_STEP, decode_embedded, decode_revert
from rewards.merkle.keccak import keccak256


def revert(signature: str, *values: object) -> bytes:
    types = signature.partition("(")[2].removesuffix(")")
    return keccak256(signature.encode())[:4] + encode(types.split(",") if types else [], values)


def test_decode_revert__names_error_arguments_and_next_step() -> None:
    error = decode_revert(revert("Underfunded(uint256,uint256)", 5, 7))
    assert error.error == "Underfunded"
    assert error.arguments == {"balance": 5, "required": 7}
    assert "until it holds 7 base units" in error.next_step
    assert str(error) == f"{error.refusal}; {error.next_step}"


def test_decode_revert__shows_times_as_dates() -> None:
    assert "2026-06-02T00:00:00Z" in str(decode_revert(revert("TooEarly(uint256)", 1_780_358_400)))


def test_decode_revert__time_beyond_the_calendar__stays_a_number() -> None:
    assert str(2**255) in decode_revert(revert("TooEarly(uint256)", 2**255)).next_step


@pytest.mark.parametrize(
    ("data", "name", "arguments"),
    [
        pytest.param(b"", "Revert", {}, id="no-data"),
        pytest.param(b"\x01\x02\x03\x04\x05", "Unknown", {"data": "0x0102030405"}, id="unknown"),
        pytest.param(revert("Error(string)", "no"), "Error", {"reason": "no"}, id="string"),
        pytest.param(revert("Panic(uint256)", 17), "Panic", {"reason": 17}, id="panic"),
        pytest.param(bytes.fromhex("e827105e"), "TransferRestricted", {}, id="real-token"),
        pytest.param(
            revert("TooEarly(uint256)", 1)[:9], "TooEarly", {"data": "0x0000000000"}, id="cut-off"
        ),
    ],
)
def test_decode_revert__other_data(data: bytes, name: str, arguments: dict[str, object]) -> None:
    error = decode_revert(data)
    assert (error.error, error.arguments) == (name, arguments)


@pytest.mark.parametrize("name", [DISTRIBUTOR, TOKEN])
def test_decode_revert__every_error_of_the_contracts(name: str) -> None:
    zero = {"string": "", "address": "0x" + "0" * 40, "bytes32": bytes(32)}
    for selector, (error, parameters) in interface(name).errors.items():
        types = [parameter["type"] for parameter in parameters]
        body = encode(types, [zero.get(kind, 0) for kind in types])
        decoded = decode_revert(selector + body)
        assert decoded.error == error
        assert list(decoded.arguments) == [parameter["name"] for parameter in parameters]
        assert "<" not in decoded.next_step


def test_next_steps__use_arguments_that_their_errors_have() -> None:
    known = {
        error: {parameter["name"] for parameter in parameters}
        for name in (DISTRIBUTOR, TOKEN)
        for error, parameters in interface(name).errors.values()
    }
    known |= {"TransferRestricted": set(), "Revert": set(), "Failed": {"reason"}}
    for error, text in NEXT_STEP.items():
        used = {field for _, field, _, _ in string.Formatter().parse(text) if field}
        assert used <= known[error], error


def test_decode_embedded__raw_bytes_and_words() -> None:
    data = revert("NotPayable(address)", "0x" + "11" * 20)
    assert decode_embedded(f"execution reverted: {data!r}").error == "NotPayable"
    assert decode_embedded(str(data)).arguments == {"account": "0x" + "11" * 20}
    words = decode_embedded("execution reverted: it's late")
    assert (words.error, words.arguments) == ("Error", {"reason": "it's late"})


def test_unnamed_next_step__points_to_the_interface() -> None:
    assert decode_revert(revert("NothingToPause()")).next_step == LOOK_IT_UP
