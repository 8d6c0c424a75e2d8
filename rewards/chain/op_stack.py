"""What the OP stack charges beside execution: for the data on L1, and for its operator.

Predeploys tell both: https://specs.optimism.io/protocol/predeploys.html#gaspriceoracle
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.chain.endpoint import Call
from rewards.chain.errors import EndpointTrouble, Reverted
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from rewards.chain.endpoint import Endpoint

GAS_PRICE_ORACLE = "0x420000000000000000000000000000000000000f"
L1_BLOCK = "0x4200000000000000000000000000000000000015"
GET_L1_FEE = keccak256(b"getL1Fee(bytes)")[:4]
"""Wei, for the bytes of a transaction; it follows their compressed length and L1's fees."""
GET_OPERATOR_FEE = keccak256(b"getOperatorFee(uint256)")[:4]
"""Wei, for the gas used; there since Isthmus."""
ENVELOPE = 256
"""Bytes of a signed transaction beside its calldata, rounded up."""


def fee_beside_execution(endpoint: Endpoint, data: bytes, gas: int) -> int:
    """Return what a transaction would be charged now beside execution, wei; 0 on other chains.

    Args:
        endpoint: Whom to ask.
        data: Its calldata.
        gas: The gas that it may use.

    Raises:
        EndpointTrouble: The endpoint gives no usable answer.
    """
    if not endpoint.code(GAS_PRICE_ORACLE):
        return 0
    raw = _as_signed(data)
    head = (32).to_bytes(32, "big") + len(raw).to_bytes(32, "big")
    padded = raw + bytes(-len(raw) % 32)
    data_fee = endpoint.call(Call(GAS_PRICE_ORACLE, GET_L1_FEE + head + padded))
    if len(data_fee) != 32:
        raise EndpointTrouble(f"{endpoint.name}: no usable answer to getL1Fee; try another")
    return int.from_bytes(data_fee, "big") + _operator_fee(endpoint, gas)


def _operator_fee(endpoint: Endpoint, gas: int) -> int:
    """Return the operator's fee; a predeploy from before Isthmus has none."""
    call = Call(GAS_PRICE_ORACLE, GET_OPERATOR_FEE + gas.to_bytes(32, "big"))
    try:
        fee = endpoint.call(call)
    except Reverted:
        return 0
    return int.from_bytes(fee, "big") if len(fee) == 32 else 0


def _as_signed(data: bytes) -> bytes:
    """Return bytes that cost at least as much on L1 as the signed transaction with this calldata.

    The fee follows the compressed length, so what stands for the envelope must not compress.
    """
    noise = b"".join(keccak256(bytes([i])) for i in range(ENVELOPE // 32))
    return data + noise
