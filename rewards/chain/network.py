"""A chain behind a JSON-RPC endpoint, and which chains may be rehearsed on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from web3 import HTTPProvider
from web3.exceptions import Web3Exception
from web3.providers.rpc.utils import ExceptionRetryConfiguration
from web3.types import RPCEndpoint

from rewards.chain.endpoint import (
    LATEST,
    Block,
    Call,
    Endpoint,
    Fees,
    Receipt,
    Simulated,
    SimulatedBlock,
)
from rewards.chain.errors import (
    EndpointTrouble,
    InsufficientFunds,
    Reverted,
    decode_revert,
    failed,
)
from rewards.errors import CheckFailed, Finding, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TEST_NETWORKS = {
    11155420: "OP Sepolia",
    11155111: "Sepolia",
    84532: "Base Sepolia",
    31337: "a local node",
    1337: "a local node",
}
"""Chains without value. On any other a rehearsal would hand out leaves that look like the real."""

TIMEOUT_SECONDS = 30
ATTEMPTS = 3
BATCH = 100
"""Reads asked at once; endpoints commonly allow that many."""
MESSAGE_LENGTH = 200
# What a node answers to bytes that it has already: no failure, the transaction is on its way.
ALREADY_KNOWN = ("already known", "already imported", "known transaction")
GAS_MARGIN_PERCENT = 25
UNKNOWN_METHOD = (-32601, -32004)
"""JSON-RPC's "method not found", and Ethereum's "method not supported"."""
UNKNOWN_METHOD_WORDS = ("not found", "not supported", "does not exist", "not available")
REVERTED_CODES = (3, -32000)
RUNNING = ("eth_call", "eth_estimateGas")
"""What runs a contract's code. An error of the EVM in it is the code's, not the node's."""
EVM_ERRORS = (
    *("invalidopcode", "invalidfeopcode", "opcodenotfound", "badinstruction"),
    *("outofgas", "stackunderflow", "stackoverflow", "stacklimitreached"),
    *("invalidjump", "badjump", "outofoffset", "returndataoutofbounds", "accessviolation"),
    *("writeprotection", "staticcallviolation", "statechangeduringstaticcall"),
)
"""How nodes name errors of the EVM, letters alone: geth and Erigon say `invalid opcode: INVALID`
and `stack underflow (0 <=> 1)`, Nethermind `Bad instruction fe` as data, anvil and Reth `EVM error
InvalidFEOpcode`, Besu and Hardhat as geth."""
NO_ALLOWANCE = "gasrequiredexceeds"
"""What an estimate says too where it is the sender who cannot pay for more gas."""


class JsonRpc(Endpoint):
    """A node's JSON-RPC endpoint over HTTP."""

    def __init__(self, url: str) -> None:
        """Prepare to ask; nothing is sent yet.

        Raises:
            InvalidInput: It is no HTTP address.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput(
                Finding("--rpc", "is no HTTP address", "give one like https://host/path")
            )
        # The host alone: path, query and user name commonly hold a provider's key.
        self.name = parts.hostname + (f":{parts.port}" if parts.port else "")
        self._session = requests.Session()
        self._provider = HTTPProvider(
            url,
            request_kwargs={"timeout": TIMEOUT_SECONDS},
            session=self._session,
            exception_retry_configuration=ExceptionRetryConfiguration(
                errors=(requests.ConnectionError, requests.HTTPError, requests.Timeout),
                retries=ATTEMPTS,
                backoff_factor=0.25,
            ),
        )

    def close(self) -> None:
        """Close the connections that are kept open between requests."""
        self._session.close()

    def chain_id(self) -> int:
        """Return the id of the chain that the node serves."""
        return self._quantity("eth_chainId")

    def block(self, tag: int | str = LATEST) -> Block:
        """Return a block."""
        block = self._ask("eth_getBlockByNumber", _tag(tag), False)  # noqa: FBT003 - the RPC's flag
        if block is None:
            raise EndpointTrouble(f"{self.name}: has no block {tag}; try another endpoint")
        try:
            return Block(
                int(block["number"], 16),
                block["hash"],
                int(block["timestamp"], 16),
                int(block.get("baseFeePerGas", "0x0"), 16),
            )
        except (KeyError, TypeError, ValueError):
            raise self._unusable("eth_getBlockByNumber") from None

    def code(self, address: str, at: int | str = LATEST) -> bytes:
        """Return the code at an address."""
        return self._content("eth_getCode", self._ask("eth_getCode", address, _tag(at)))

    def balance(self, address: str) -> int:
        """Return the latest balance in wei."""
        return self._quantity("eth_getBalance", address, LATEST)

    def next_nonce(self, address: str) -> int:
        """Return the next nonce, transactions that wait in the node's pool counted."""
        return self._quantity("eth_getTransactionCount", address, "pending")

    def call(self, call: Call, at: int | str = LATEST, sender: str | None = None) -> bytes:
        """Return what a call would return."""
        return self._content("eth_call", self._ask("eth_call", _request(call, sender), _tag(at)))

    def call_many(
        self,
        calls: Sequence[Call],
        at: int | str = LATEST,
        progress: Callable[[int], None] | None = None,
    ) -> list[bytes]:
        """Return what many calls would return, asked in batches."""
        return self._contents(
            "eth_call", [(_request(one, None), _tag(at)) for one in calls], progress
        )

    def codes(
        self,
        addresses: Sequence[str],
        at: int | str = LATEST,
        progress: Callable[[int], None] | None = None,
    ) -> list[bytes]:
        """Return the code at many addresses, asked in batches."""
        return self._contents("eth_getCode", [(one, _tag(at)) for one in addresses], progress)

    def _contents(
        self, method: str, parameters: Sequence[object], progress: Callable[[int], None] | None
    ) -> list[bytes]:
        returned: list[bytes] = []
        for start in range(0, len(parameters), BATCH):
            requested = [(method, some) for some in parameters[start : start + BATCH]]
            returned += [self._content(method, answer) for answer in self._ask_many(requested)]
            if progress:
                progress(len(requested))
        return returned

    def storage(self, address: str, slot: int, at: int) -> int | None:
        """Return a word of a contract's storage; None where the node does not have the method."""
        answer = self._provider_answer("eth_getStorageAt", address, hex(slot), _tag(at))
        if _is_unknown_method(answer):
            return None
        content = self._content("eth_getStorageAt", self._result("eth_getStorageAt", answer))
        return int.from_bytes(content, "big")

    def simulate(self, blocks: Sequence[SimulatedBlock], at: int) -> list[list[Simulated]] | None:
        """Return what `eth_simulateV1` tells; None where the node does not have it."""
        imagined = {
            "blockStateCalls": [
                {
                    # Both are always said: some nodes would otherwise start from zero.
                    "blockOverrides": {
                        "number": hex(at + 1 + place),
                        "time": hex(block.timestamp),
                    },
                    "calls": [_request(call, sender) for sender, call in block.calls],
                }
                for place, block in enumerate(blocks)
            ],
            "validation": False,
        }
        answer = self._provider_answer("eth_simulateV1", imagined, _tag(at))
        if _is_unknown_method(answer):
            return None
        told = self._result("eth_simulateV1", answer)
        try:
            return [
                [self._simulated(call) for _, call in zip(block.calls, said["calls"], strict=True)]
                for block, said in zip(blocks, told, strict=True)
            ]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._unusable("eth_simulateV1") from None

    def _simulated(self, call: Any) -> Simulated:  # noqa: ANN401 - JSON
        returned = bytes.fromhex(call["returnData"].removeprefix("0x"))
        if int(call["status"], 16) == 1:
            return Simulated(returned)
        error = call.get("error") or {}
        data = _revert_data(error.get("data")) or returned
        if data or error.get("code") in REVERTED_CODES:
            return Simulated(returned, decode_revert(data))
        return Simulated(returned, failed(str(error.get("message", ""))))

    def fees(self) -> Fees:
        """Return twice the base fee and the tip that the node suggests: several full blocks."""
        tip = self._quantity("eth_maxPriorityFeePerGas")
        return Fees(2 * self.block().base_fee + tip, tip)

    def gas_limit(self, call: Call, sender: str) -> int:
        """Return the node's estimate and a margin; a call that would revert does so here."""
        estimate = self._quantity("eth_estimateGas", _request(call, sender))
        return estimate * (100 + GAS_MARGIN_PERCENT) // 100

    def send_raw(self, raw: bytes) -> None:
        """Hand in a signed transaction; that the node has it already is fine."""
        try:
            self._ask("eth_sendRawTransaction", "0x" + raw.hex())
        except EndpointTrouble as error:
            if not any(known in str(error).lower() for known in ALREADY_KNOWN):
                raise

    def receipt(self, transaction: str) -> Receipt | None:
        """Return a receipt; None while the transaction waits."""
        receipt = self._ask("eth_getTransactionReceipt", transaction)
        if receipt is None:
            return None
        try:
            contract = receipt.get("contractAddress")
            return Receipt(
                transaction,
                succeeded=int(receipt["status"], 16) == 1,
                gas=int(receipt["gasUsed"], 16),
                block=int(receipt["blockNumber"], 16),
                contract=contract.lower() if contract else None,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._unusable("eth_getTransactionReceipt") from None

    def wait_until(self, timestamp: int) -> None:
        """Sleep until a block made now would carry the time.

        A chain without traffic makes no blocks, so its last block's time says only how far its
        clock is from ours at most; the rest is left to whoever asks the contract.
        """
        behind = timestamp - max(self.block().timestamp, int(time.time()))
        if behind > 0:
            time.sleep(behind)

    # --- asking --------------------------------------------------------------------------------

    def _ask(self, method: str, *parameters: object) -> Any:  # noqa: ANN401 - JSON
        return self._result(method, self._provider_answer(method, *parameters))

    def _provider_answer(self, method: str, *parameters: object) -> Any:  # noqa: ANN401 - JSON
        try:
            return self._provider.make_request(RPCEndpoint(method), list(parameters))
        except (requests.RequestException, Web3Exception, ValueError, OSError) as error:
            raise self._trouble(error) from None

    def _ask_many(self, requested: Sequence[tuple[str, object]]) -> Iterator[Any]:
        try:
            answers = self._provider.make_batch_request(
                [(RPCEndpoint(method), parameters) for method, parameters in requested]
            )
        except (requests.RequestException, Web3Exception, ValueError, OSError) as error:
            raise self._trouble(error) from None
        if not isinstance(answers, list):
            self._result("a batch of requests", answers)
            raise self._unusable("a batch of requests")
        if len(answers) != len(requested):
            raise self._unusable("a batch of requests")
        for (method, _), answer in zip(requested, answers, strict=True):
            yield self._result(method, answer)

    def _result(self, method: str, answer: Any) -> Any:  # noqa: ANN401 - JSON
        if not isinstance(answer, dict):
            raise self._unusable(method)
        if answer.get("error") is not None:
            raise self._refusal(method, answer["error"])
        if "result" not in answer:
            raise self._unusable(method)
        return answer["result"]

    def _refusal(self, method: str, error: Any) -> Exception:  # noqa: ANN401 - JSON
        """Tell the contract's refusals from the node's."""
        message = str(error.get("message", error) if isinstance(error, dict) else error)
        data = _revert_data(error.get("data")) if isinstance(error, dict) else None
        if data is not None and (data or "revert" in message.lower()):
            return decode_revert(data)
        if "revert" in message.lower():
            return Reverted("Revert", {})
        if method in RUNNING and (said := _evm_error(error)):
            return failed(said)
        if "insufficient funds" in message.lower():
            return InsufficientFunds(
                f"{self.name}: the sender cannot pay for the gas; send it some of the chain's coin"
            )
        return EndpointTrouble(f"{self.name}: {method} failed: {message[:MESSAGE_LENGTH]!a}")

    def _trouble(self, error: Exception) -> EndpointTrouble:
        """Word a transport failure by its kind: its own text would hold the whole URL."""
        kind = {
            requests.ConnectTimeout: "does not answer in time",
            requests.ReadTimeout: "does not answer in time",
            requests.exceptions.SSLError: "has no valid certificate",
            requests.ConnectionError: "cannot be reached",
        }
        said = next((words for known, words in kind.items() if isinstance(error, known)), None)
        if said is None and isinstance(error, requests.HTTPError) and error.response is not None:
            said = f"answers HTTP {error.response.status_code}"
        return EndpointTrouble(
            f"{self.name}: {said or 'sends something that is not JSON-RPC'}; "
            "check the address and that the node runs, or name another endpoint"
        )

    def _unusable(self, method: str) -> EndpointTrouble:
        return EndpointTrouble(f"{self.name}: no usable answer to {method}; try another endpoint")

    def _quantity(self, method: str, *parameters: object) -> int:
        try:
            return int(self._ask(method, *parameters), 16)
        except (TypeError, ValueError):
            raise self._unusable(method) from None

    def _content(self, method: str, text: Any) -> bytes:  # noqa: ANN401 - JSON
        try:
            return bytes.fromhex(text.removeprefix("0x"))
        except (AttributeError, ValueError):
            raise self._unusable(method) from None


def require_test_network(endpoint: Endpoint) -> int:
    """Return the id of the chain behind an endpoint, which is one of TEST_NETWORKS.

    Raises:
        CheckFailed: It is none: real chains are never rehearsed on.
    """
    chain_id = endpoint.chain_id()
    if chain_id not in TEST_NETWORKS:
        known = ", ".join(f"{name} ({number})" for number, name in TEST_NETWORKS.items())
        raise CheckFailed(
            Finding(
                endpoint.name,
                "NotATestNetwork: serves a chain that is not known to be a test network, "
                "so nothing is rehearsed on it",
                f"use one of {known}, or leave out --rpc for the embedded chain",
                column="chain id",
                value=str(chain_id),
            )
        )
    return chain_id


def _is_unknown_method(answer: Any) -> bool:  # noqa: ANN401 - JSON
    """Return whether a node answers that it does not have the method at all."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        return False
    message = str(error.get("message", "")).lower()
    return error.get("code") in UNKNOWN_METHOD or (
        "method" in message and any(words in message for words in UNKNOWN_METHOD_WORDS)
    )


def _evm_error(error: Any) -> str | None:  # noqa: ANN401 - JSON
    """Return how a node words an error of the EVM; None where it tells of something else."""
    given = (error.get("data"), error.get("message")) if isinstance(error, dict) else (error,)
    for words in given:
        letters = "".join(filter(str.isalpha, str(words))).lower()
        if NO_ALLOWANCE not in letters and any(known in letters for known in EVM_ERRORS):
            return str(words)
    return None


def _tag(at: int | str) -> str:
    return hex(at) if isinstance(at, int) else at


def _request(call: Call, sender: str | None) -> dict[str, str]:
    request = {"data": "0x" + call.data.hex()}
    if call.to is not None:
        request["to"] = call.to
    if sender is not None:
        request["from"] = sender
    return request


def _revert_data(data: object) -> bytes | None:
    """Return the bytes of a revert, which some nodes nest and others prefix with words."""
    if isinstance(data, dict):
        return _revert_data(data.get("data"))
    if not isinstance(data, str):
        return None
    try:
        return bytes.fromhex(data.rpartition("0x")[2])
    except ValueError:
        return None
