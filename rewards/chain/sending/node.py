"""One endpoint, as sending needs it: strict about every answer, silent about its address.

An answer counts only if it carries the id of the question. A node, a proxy or a cache that repeats
an earlier answer is noticed by that.
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from rewards.chain.endpoint import LATEST
from rewards.chain.network import JsonRpc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rewards.chain.endpoint import Call

TIMEOUT_SECONDS = 20
ANSWER_LIMIT = 1 << 27
DEPTH_LIMIT = 100
_BRACKET = re.compile(rb"[\[\]{}]")


@dataclass(frozen=True, slots=True)
class Landed:
    """A receipt: the block in which a transaction is, and what became of it.

    `fee` is wei: execution, and on the OP stack the L1 data fee. No receipt tells the operator fee.
    """

    transaction: str
    block: int
    block_hash: str
    succeeded: bool
    gas: int
    fee: int


@dataclass(frozen=True, slots=True)
class Log:
    """An event's log."""

    topics: tuple[str, ...]
    data: bytes
    block: int
    transaction: str


class Node(JsonRpc):
    """A node's JSON-RPC endpoint."""

    def __init__(self, url: str, timeout: float = TIMEOUT_SECONDS) -> None:
        """Prepare to ask; nothing is sent yet.

        Raises:
            InvalidInput: It is no HTTP address.
        """
        super().__init__(url)
        self.address = url
        self._timeout = timeout
        self._ids = itertools.count(1)

    # --- what is asked -------------------------------------------------------------------------

    def nonce(self, account: str, at: int | str = LATEST) -> int:
        """Return how many transactions of an account a block and those before it hold."""
        tag = hex(at) if isinstance(at, int) else at
        return self._quantity("eth_getTransactionCount", account, tag)

    def estimate(self, call: Call, value: int, sender: str) -> int:
        """Return the gas that a transaction would use; one that would revert does so here."""
        return self._quantity("eth_estimateGas", _request(call, value, sender))

    def tip(self) -> int:
        """Return what the node suggests to pay the producer, wei per gas."""
        return self._quantity("eth_maxPriorityFeePerGas")

    def landed(self, transaction: str) -> Landed | None:
        """Return a transaction's receipt; None while it has none."""
        method = "eth_getTransactionReceipt"
        receipt = self._ask(method, transaction)
        if receipt is None:
            return None
        try:
            if receipt["transactionHash"] != transaction:
                raise self._unusable(method)
            gas = int(receipt["gasUsed"], 16)
            fee = gas * int(receipt["effectiveGasPrice"], 16)
            fee += int(receipt.get("l1Fee") or "0x0", 16)
            return Landed(
                transaction,
                int(receipt["blockNumber"], 16),
                receipt["blockHash"],
                succeeded=int(receipt["status"], 16) == 1,
                gas=gas,
                fee=fee,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._unusable(method) from None

    def transactions(self, block: int) -> list[tuple[str, int, str]]:
        """Return (sender, nonce, hash) of every transaction in a block."""
        method = "eth_getBlockByNumber"
        answer = self._ask(method, hex(block), True)  # noqa: FBT003 - the RPC's flag
        try:
            return [
                (entry["from"].lower(), int(entry["nonce"], 16), entry["hash"])
                for entry in answer["transactions"]
            ]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._unusable(method) from None

    def logs(self, contract: str, topics: Sequence[str], first: int, last: int) -> list[Log]:
        """Return a contract's logs whose first topic is one of `topics`, in a range of blocks."""
        query = {
            "address": contract,
            "topics": [list(topics)],
            "fromBlock": hex(first),
            "toBlock": hex(last),
        }
        answer = self._ask("eth_getLogs", query)
        try:
            return [
                Log(
                    tuple(entry["topics"]),
                    bytes.fromhex(entry["data"][2:]),
                    int(entry["blockNumber"], 16),
                    entry["transactionHash"],
                )
                for entry in answer
                if entry["address"].lower() == contract
            ]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._unusable("eth_getLogs") from None

    # --- how it is asked -----------------------------------------------------------------------

    def _provider_answer(self, method: str, *parameters: object) -> Any:  # noqa: ANN401 - JSON
        question = self._question(method, list(parameters))
        answer = self._post(question)
        if not isinstance(answer, dict) or answer.get("id") != question["id"]:
            raise self._unusable(method)
        return answer

    def _ask_many(self, requested: Sequence[tuple[str, object]]) -> Iterator[Any]:
        questions = [self._question(method, parameters) for method, parameters in requested]
        answers = self._post(questions)
        if not isinstance(answers, list) or not all(isinstance(a, dict) for a in answers):
            raise self._unusable("a batch of requests")
        by_id = {answer.get("id"): answer for answer in answers}
        if len(answers) != len(questions) or set(by_id) != {q["id"] for q in questions}:
            raise self._unusable("a batch of requests")
        for question in questions:
            yield self._result(question["method"], by_id[question["id"]])

    def _question(self, method: str, parameters: object) -> dict[str, Any]:
        number = next(self._ids)
        return {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}

    def _post(self, question: object) -> Any:  # noqa: ANN401 - JSON
        try:
            with self._session.post(
                self.address,
                data=json.dumps(question),
                headers={"Content-Type": "application/json"},
                timeout=self._timeout,
                stream=True,
            ) as response:
                response.raise_for_status()
                content = response.raw.read(ANSWER_LIMIT, decode_content=True)
            _require_flat(content)
            return json.loads(content)
        except (requests.RequestException, ValueError, OSError, RecursionError) as error:
            raise self._trouble(error) from None
        except Exception as error:  # urllib3's own, which requests does not wrap while streaming
            if type(error).__module__.startswith("urllib3"):
                raise self._trouble(error) from None
            raise


def _require_flat(content: bytes) -> None:
    """Refuse an answer nested so deeply that Python's reader would end the process.

    Raises:
        ValueError: It is.
    """
    depth = 0
    for match in _BRACKET.finditer(content):
        depth += 1 if match[0] in b"[{" else -1
        if depth > DEPTH_LIMIT:
            raise ValueError("nested too deeply")


def _request(call: Call, value: int, sender: str) -> dict[str, str]:
    request = {"from": sender, "data": "0x" + call.data.hex(), "value": hex(value)}
    return request if call.to is None else {**request, "to": call.to}
