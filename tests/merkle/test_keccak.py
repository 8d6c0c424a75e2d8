from __future__ import annotations

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from rewards.merkle.keccak import keccak256, to_checksum


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (b"transfer(address,uint256)", None),
    ],
)
def test_keccak256__known_vectors__match(message: bytes, digest: str | None) -> None:
    if digest is None:
        # The selector of ERC-20's transfer.
        assert keccak256(message)[:4].hex() == "a9059cbb"
    else:
        assert keccak256(message).hex() == digest


@pytest.mark.parametrize("length", [0, 1, 31, 32, 64, 134, 135, 136, 137, 160, 271, 272, 273])
def test_keccak256__around_the_rate__agrees_with_eth_utils(length: int) -> None:
    message = bytes(i % 251 for i in range(length))
    assert keccak256(message) == keccak(message)


@given(st.binary(max_size=600))
def test_keccak256__any_message__agrees_with_eth_utils(message: bytes) -> None:
    assert keccak256(message) == keccak(message)


@pytest.mark.parametrize(
    "address",
    [
        # The examples of EIP-55.
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_to_checksum__examples_of_eip_55__match(address: str) -> None:
    assert to_checksum(address.lower()) == address


@given(st.binary(min_size=20, max_size=20))
def test_to_checksum__any_address__agrees_with_eth_utils(raw: bytes) -> None:
    assert to_checksum("0x" + raw.hex()) == to_checksum_address(raw)
