"""A real node for tests: anvil from npm, on a free port, ended with the test run."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = Path(__file__).parents[2] / "contracts_abi" / "node_modules" / "@foundry-rs"
# anvil's own developer accounts, printed by every anvil when it starts.
KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
OTHER_KEY = bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
LONGEST_START = 20.0


@dataclass(frozen=True)
class Anvil:
    """A running node."""

    url: str

    def ask(self, method: str, *parameters: object) -> Any:
        """Return a result from the node, anvil's own methods included."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        request = Request(  # noqa: S310 - our own node
            self.url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            document = json.loads(answer.read())
        assert "error" not in document, document
        return document["result"]

    def finalize(self) -> None:
        """Make blocks until what was sent is final: with one slot an epoch, two are enough."""
        self.ask("anvil_mine", "0x3")


def executable() -> Path:
    """Return anvil's binary for this platform."""
    found = sorted(PACKAGES.glob("anvil-*/bin/anvil*"))
    if not found:
        pytest.fail(f"no anvil in {PACKAGES}: run `make test`, which installs it", pytrace=False)
    return found[0]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(chain_id: int = 31337) -> Iterator[Anvil]:
    """Run a node while the test does."""
    port = free_port()
    options = ["--port", str(port), "--chain-id", str(chain_id), "--slots-in-an-epoch", "1"]
    with subprocess.Popen([executable(), "--silent", *options]) as process:
        try:
            node = Anvil(f"http://127.0.0.1:{port}")
            _await(node)
            yield node
        finally:
            process.terminate()


def _await(node: Anvil) -> None:
    deadline = time.monotonic() + LONGEST_START
    while True:
        try:
            node.ask("eth_chainId")
        except OSError:
            assert time.monotonic() < deadline, "anvil does not start"
            time.sleep(0.05)
        else:
            return
