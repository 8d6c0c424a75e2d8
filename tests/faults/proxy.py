"""A proxy between the program and a node that breaks answers as it is told.

Two endpoints lie before one node, each on its own port. What is broken, how, and in which state of
the journal, is said by rules; every fault is counted. The proxy runs in a process of its own.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

KINDS = (
    "timeout_before",
    "timeout_after",
    "http_5xx",
    "truncated",
    "stale",
    "wrong",
    "duplicate",
    "rate_limit",
)
CLIENT_TIMEOUT = 0.25
STALL = 0.30
STATE_HEADER = "X-Journal-State"


@dataclass(frozen=True)
class Rule:
    """One fault: the `nth` request (from 0) of a method to an endpoint, and `times` after it."""

    method: str | None
    kind: str
    endpoint: int | None = None
    state: str | None = None
    nth: int = 0
    times: int = 1


def name_of(request: Any) -> str:
    """Return a request's method; batches and whole blocks are told apart."""
    if isinstance(request, list):
        return f"{request[0]['method']}[]"
    if request["method"] == "eth_getBlockByNumber" and request["params"][1]:
        return "eth_getBlockByNumber+"
    return str(request["method"])


class _Broken:
    """The rules in force, and what they did."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.set([], 0)
        self.counts: dict[str, int] = {}
        self.asked: dict[str, int] = {}

    def set(self, rules: list[Rule], seed: int) -> None:
        self.rules, self.matched = rules, [0] * len(rules)
        self.random = random.Random(seed)

    def kind_for(self, method: str, endpoint: int, state: str) -> str | None:
        with self.lock:
            place_and_time = f"{method} asked {state}"
            self.asked[place_and_time] = self.asked.get(place_and_time, 0) + 1
            for place, rule in enumerate(self.rules):
                fits = (
                    rule.method in (None, method)
                    and rule.endpoint in (None, endpoint)
                    and rule.state in (None, state)
                )
                if not fits:
                    continue
                self.matched[place] += 1
                if rule.nth < self.matched[place] <= rule.nth + rule.times:
                    mark = f"{method} {rule.kind} {state}"
                    self.counts[mark] = self.counts.get(mark, 0) + 1
                    return rule.kind
        return None


class _Upstream(threading.local):
    """A connection to the node for each thread."""

    connection: HTTPConnection | None = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    broken: _Broken
    port: int
    number: int
    upstream = _Upstream()
    last: dict[str, bytes]
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = json.loads(body)
        method = name_of(request)
        state = self.headers.get(STATE_HEADER, "none")
        kind = self.broken.kind_for(method, self.number, state)
        if kind is None:
            answer = self.forward(body)
            self.last[method] = answer
            self.reply(answer)
        else:
            getattr(self, f"_{kind}")(method, request, body)

    # --- faults --------------------------------------------------------------------------------

    def _timeout_before(self, method: str, request: Any, body: bytes) -> None:
        del method, request, body
        time.sleep(STALL)
        self.close_connection = True

    def _timeout_after(self, method: str, request: Any, body: bytes) -> None:
        del method, request
        self.forward(body)
        time.sleep(STALL)
        self.close_connection = True

    def _http_5xx(self, method: str, request: Any, body: bytes) -> None:
        del method, request
        if self.broken.random.random() < 0.5:
            self.forward(body)
        self.reply(b"<html>bad gateway</html>", 502)

    def _rate_limit(self, method: str, request: Any, body: bytes) -> None:
        del method, request, body
        self.reply(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"limit"}}', 429)

    def _truncated(self, method: str, request: Any, body: bytes) -> None:
        del method, request
        answer = self.forward(body)
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer[: len(answer) // 2])
        self.close_connection = True

    def _duplicate(self, method: str, request: Any, body: bytes) -> None:
        del request
        if method == "eth_sendRawTransaction":
            self.forward(body)
            self.reply(self.forward(body))
            return
        before = self.last.get(method)
        self.reply(before if before is not None else self.forward(body))

    def _stale(self, method: str, request: Any, body: bytes) -> None:
        """Answer as a node that is some blocks behind."""
        if isinstance(request, list) or method == "eth_sendRawTransaction":
            self.reply(self.forward(body))
            return
        number = request["id"]
        if method == "eth_getTransactionReceipt":
            self.reply(json.dumps({"jsonrpc": "2.0", "id": number, "result": None}).encode())
            return
        behind = self.broken.random.choice((1, 2, 5, 30))
        request["params"] = [self._older(p, behind) for p in request["params"]]
        self.reply(self.forward(json.dumps(request).encode()))

    def _older(self, parameter: Any, behind: int) -> Any:
        if parameter not in ("latest", "finalized", "safe", "pending"):
            return parameter
        asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber"}
        tag = "latest" if parameter == "pending" else parameter
        answer = json.loads(self.forward(json.dumps({**asked, "params": [tag, False]}).encode()))
        return hex(max(int(answer["result"]["number"], 16) - behind, 0))

    def _wrong(self, method: str, request: Any, body: bytes) -> None:
        """Answer in due form what is not so."""
        chance = self.broken.random
        if method == "eth_sendRawTransaction":
            result: Any = "0x" + chance.randbytes(32).hex()
            if chance.random() < 0.5:  # taken, and denied
                self.forward(body)
                error = {"code": -32000, "message": "nonce too low"}
                answer = {"jsonrpc": "2.0", "id": request["id"], "error": error}
                self.reply(json.dumps(answer).encode())
                return
            answer = {"jsonrpc": "2.0", "id": request["id"], "result": result}
            self.reply(json.dumps(answer).encode())
            return
        answer = json.loads(self.forward(body))
        for one in answer if isinstance(answer, list) else [answer]:
            if "result" in one:
                one["result"] = _lie(one["result"], chance)
        self.reply(json.dumps(answer).encode())

    # --- plumbing ------------------------------------------------------------------------------

    def forward(self, body: bytes) -> bytes:
        for _ in range(2):
            connection = self.upstream.connection
            if connection is None or connection.port != self.port:
                connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
                self.upstream.connection = connection
            try:
                connection.request("POST", "/", body, {"Content-Type": "application/json"})
                return connection.getresponse().read()
            except (OSError, HTTPException):
                connection.close()
                self.upstream.connection = None
        return b""

    def reply(self, content: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _lie(result: Any, chance: random.Random) -> Any:
    """Return something else of the same form."""
    if isinstance(result, str) and result.startswith("0x"):
        if len(result) <= 18 or len(result) % 2:
            shift = chance.choice((-1, 1, 2, 1000))
            return hex(max(int(result, 16) + shift, 0) if result != "0x" else 1)
        content = bytearray.fromhex(result[2:])
        if chance.random() < 0.3:
            return "0x" + bytes(len(content)).hex()
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        return "0x" + content.hex()
    if isinstance(result, dict):
        changed = dict(result)
        known = ("hash", "number", "status", "blockNumber", "blockHash", "gasUsed", "timestamp")
        name = chance.choice([n for n in known if n in changed] or list(changed))
        value = changed[name]
        if name == "status":
            changed[name] = "0x0" if value == "0x1" else "0x1"
        else:
            changed[name] = _lie(value, chance)
        return changed
    if isinstance(result, list):
        return result[:-1]
    return "0x0" if result is None else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def _serve(upstreams: list[tuple[int, int, int]], channel: Connection) -> None:
    broken = _Broken()
    for port, upstream, number in upstreams:
        fields = {"broken": broken, "port": upstream, "number": number, "last": {}}
        handler = type("Handler", (_Handler,), fields)
        server = _Server(("127.0.0.1", port), handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    channel.send("ready")
    while (message := channel.recv()) is not None:
        rules, seed = message
        with broken.lock:
            told = (broken.counts, broken.asked)
            broken.counts, broken.asked = {}, {}
            broken.set(rules, seed)
        channel.send(told)


class Proxy:
    """The proxy's process, and how it is told what to break."""

    def __init__(self, nodes: list[int], ports: Iterator[int]) -> None:
        """Start two endpoints before each node, given by its port."""
        self.ports = {node: (next(ports), next(ports)) for node in nodes}
        upstreams = [
            (port, node, number)
            for node, pair in self.ports.items()
            for number, port in enumerate(pair)
        ]
        context = multiprocessing.get_context("fork")
        self._channel, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(upstreams, theirs), daemon=True)
        self._process.start()
        assert self._channel.recv() == "ready"

    def urls(self, node: int) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports[node]]

    def set(self, rules: list[Rule], seed: int = 0) -> dict[str, int]:
        """Put rules in force, and return the faults since the last time, by what and when."""
        return self.exchange(rules, seed)[0]

    def exchange(self, rules: list[Rule], seed: int) -> tuple[dict[str, int], dict[str, int]]:
        """Put rules in force, and return the faults and the requests since the last time."""
        self._channel.send((rules, seed))
        faults, asked = self._channel.recv()
        return faults, asked

    def close(self) -> None:
        self._channel.send(None)
        self._process.join(2)
        if self._process.is_alive():
            self._process.kill()
