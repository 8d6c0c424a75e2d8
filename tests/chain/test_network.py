"""Endpoints that are down, lie about their format or serve a real chain; no URL in any message."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from rewards.chain.endpoint import Call, SimulatedBlock
from rewards.chain.errors import EndpointTrouble, InsufficientFunds, Reverted
from rewards.chain.local_fork import LocalFork
from rewards.chain.network import TEST_NETWORKS, JsonRpc, require_test_network
from rewards.errors import CheckFailed, InvalidInput
from tests.builders import address
from tests.chain.anvil import Anvil, free_port
from tests.chain.stub_node import stub_node

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "an-api-key"
CALL = Call(address(1), b"\x01\x02\x03\x04")


def result(value: Any) -> Callable[[Any], Any]:
    def answer(request: Any) -> Any:
        if isinstance(request, list):
            return [{"jsonrpc": "2.0", "id": one["id"], "result": value} for one in request]
        return {"jsonrpc": "2.0", "id": request["id"], "result": value}

    return answer


def error(message: str, data: object = None) -> Callable[[Any], Any]:
    def answer(request: Any) -> Any:
        failure = {"code": 3, "message": message, **({"data": data} if data else {})}
        return {"jsonrpc": "2.0", "id": request["id"], "error": failure}

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda _: b"<html>", id="not-json"),
        pytest.param(lambda _: b"\xff\xfe", id="not-utf-8"),
        pytest.param(lambda _: [], id="a-list"),
        pytest.param(lambda _: {"jsonrpc": "2.0", "id": 0}, id="no-result"),
        pytest.param(result(None), id="null"),
        pytest.param(result("0xzz"), id="no-hex"),
        pytest.param(result({"number": 7}), id="an-object"),
        pytest.param(error("nope"), id="error"),
        pytest.param(lambda _: {"id": 0, "error": "nope"}, id="error-as-text"),
    ],
)
def test_unusable_answers__are_endpoint_trouble(answer: Callable[[Any], Any]) -> None:
    with stub_node(answer) as url, closing(JsonRpc(f"{url}/?key={SECRET}")) as endpoint:
        asked: list[Callable[[], object]] = [
            endpoint.chain_id,
            endpoint.block,
            lambda: endpoint.code(address(1)),
            lambda: endpoint.call(CALL),
            lambda: endpoint.call_many([CALL, CALL]),
        ]
        for ask in asked:
            with pytest.raises(EndpointTrouble) as trouble:
                ask()
            assert SECRET not in str(trouble.value)


def test_http_error__is_told_without_the_url() -> None:
    with stub_node(result("0x1"), status=403) as url, closing(JsonRpc(f"{url}/{SECRET}")) as node:
        with pytest.raises(EndpointTrouble, match="HTTP 403") as trouble:
            node.chain_id()
        assert SECRET not in str(trouble.value)
        assert trouble.value.__suppress_context__


def test_endpoint_down__is_told_without_the_url() -> None:
    with closing(JsonRpc(f"http://127.0.0.1:{free_port()}/{SECRET}")) as node:
        with pytest.raises(EndpointTrouble, match="cannot be reached") as trouble:
            node.chain_id()
        assert SECRET not in str(trouble.value)


@pytest.mark.parametrize("url", ["", "localhost:8545", "file:///etc/passwd", "http://"])
def test_no_http_address__is_wrong_usage(url: str) -> None:
    with pytest.raises(InvalidInput):
        JsonRpc(url)


@pytest.mark.parametrize(
    ("message", "data"),
    [
        pytest.param("execution reverted", "0x2a35a324" + "00" * 32, id="geth"),
        pytest.param("VM Exception", {"data": "0x2a35a324" + "00" * 32}, id="nested"),
        pytest.param("VM error", "Reverted 0x2a35a324" + "00" * 32, id="with-words"),
    ],
)
def test_reverts__of_every_node__are_decoded(message: str, data: object) -> None:
    with stub_node(error(message, data)) as url, closing(JsonRpc(url)) as node:
        with pytest.raises(Reverted) as refused:
            node.call(CALL)
        assert refused.value.error == "TooEarly"


def test_revert_without_data__is_still_a_revert() -> None:
    with (
        stub_node(error("execution reverted")) as url,
        closing(JsonRpc(url)) as node,
        pytest.raises(Reverted),
    ):
        node.call(CALL)


@pytest.mark.parametrize(
    ("message", "data"),
    [
        pytest.param("invalid opcode: INVALID", None, id="geth-invalid"),
        pytest.param("out of gas", None, id="geth-gas"),
        pytest.param("stack underflow (0 <=> 1)", None, id="geth-stack"),
        pytest.param("invalid jump destination", None, id="geth-jump"),
        pytest.param("write protection", None, id="geth-static"),
        pytest.param("VM execution error.", "Bad instruction fe", id="nethermind"),
        pytest.param("VM execution error.", "OutOfGas", id="nethermind-gas"),
        pytest.param("Invalid opcode: 0xfe", None, id="besu"),
        pytest.param("EVM error InvalidFEOpcode", None, id="anvil"),
        pytest.param("EVM error: OutOfGas(Basic)", None, id="reth"),
        pytest.param(
            "VM Exception while processing transaction: invalid opcode", None, id="hardhat"
        ),
    ],
)
def test_errors_of_the_evm__of_every_node__are_the_contracts_refusal(
    message: str, data: object
) -> None:
    with stub_node(error(message, data)) as url, closing(JsonRpc(url)) as node:
        for run_code in (lambda: node.call(CALL), lambda: node.gas_limit(CALL, address(1))):
            with pytest.raises(Reverted) as refused:
                run_code()
            assert refused.value.error == "Failed"
            assert str(data or message) in str(refused.value)
        with pytest.raises(EndpointTrouble):
            node.code(address(1))  # which runs no code, so that only the node can have failed


@pytest.mark.parametrize(
    "message",
    [
        "execution aborted (timeout = 5s)",
        "missing trie node",
        "header not found",
        "gas required exceeds allowance (0)",
        "Out of gas: gas required exceeds allowance: 30000000",
    ],
)
def test_what_the_node_or_the_sender_lacks__is_no_refusal(message: str) -> None:
    with (
        stub_node(error(message)) as url,
        closing(JsonRpc(url)) as node,
        pytest.raises(EndpointTrouble),
    ):
        node.gas_limit(CALL, address(1))


def test_errors_of_the_evm__of_a_real_node__are_the_contracts_refusal(anvil: Anvil) -> None:
    with closing(JsonRpc(anvil.url)) as node:
        codes = {"0xfe": "InvalidFEOpcode", "0x0c": "OpcodeNotFound", "0x5b600056": "OutOfGas"}
        for code, reason in {**codes, "0x50": "StackUnderflow", "0x600056": "InvalidJump"}.items():
            anvil.ask("anvil_setCode", CALL.to, code)
            with pytest.raises(Reverted, match=reason):
                node.call(CALL)
            (outcome,) = node.simulate(
                [SimulatedBlock(node.block().timestamp + 1, [(address(2), CALL)])],
                node.block().number,
            )[0]  # type: ignore[index]
            assert isinstance(outcome.refusal, Reverted)
            (outcome,) = LocalFork(node, node.block().number).simulate(
                [SimulatedBlock(node.block().timestamp + 1, [(address(2), CALL)])]
            )[0]
            assert isinstance(outcome.refusal, Reverted)
            assert outcome.refusal.error == "Failed"
        anvil.ask("anvil_setCode", CALL.to, "0x")


def test_insufficient_funds__is_named() -> None:
    with (
        stub_node(error("insufficient funds for gas * price")) as url,
        closing(JsonRpc(url)) as node,
        pytest.raises(InsufficientFunds),
    ):
        node.gas_limit(CALL, address(1))


def test_send_raw__known_already__is_fine() -> None:
    with stub_node(error("already known")) as url, closing(JsonRpc(url)) as node:
        node.send_raw(b"\x02")
    with (
        stub_node(error("nonce too low")) as url,
        closing(JsonRpc(url)) as node,
        pytest.raises(EndpointTrouble, match="nonce too low"),
    ):
        node.send_raw(b"\x02")


def test_call_many__asks_in_batches_and_keeps_the_order() -> None:
    sizes = []

    def answer(requests: Any) -> Any:
        sizes.append(len(requests))
        answers = [
            {"jsonrpc": "2.0", "id": one["id"], "result": one["params"][0]["data"]}
            for one in requests
        ]
        return answers[::-1]

    calls = [Call(address(1), number.to_bytes(4, "big")) for number in range(250)]
    with stub_node(answer) as url, closing(JsonRpc(url)) as node:
        assert node.call_many(calls) == [call.data for call in calls]
    assert sizes == [100, 100, 50]


@pytest.mark.parametrize("chain_id", [1, 10, 8453, 42161, 5, 0])
def test_real_and_unknown_chains__are_refused(chain_id: int) -> None:
    with (
        stub_node(result(hex(chain_id))) as url,
        closing(JsonRpc(url)) as node,
        pytest.raises(CheckFailed, match="NotATestNetwork"),
    ):
        require_test_network(node)


@pytest.mark.parametrize("chain_id", TEST_NETWORKS)
def test_test_networks__are_let_through(chain_id: int) -> None:
    with stub_node(result(hex(chain_id))) as url, closing(JsonRpc(url)) as node:
        assert require_test_network(node) == chain_id
