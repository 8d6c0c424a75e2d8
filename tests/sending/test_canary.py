"""A key that is searched for in all that a process leaves behind, however the process ends.

Each way of giving a key, each way of ending: done, refused, endpoints that fail once the key is at
work, a crash with the key in hand, an abort by signal. Searched are stdout and stderr with their
tracebacks, a log of everything at its most talkative, every file written, and the arguments of the
process and of its children.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from eth_account import Account

from rewards.chain.accounts import PASSWORD_VARIABLE
from rewards.chain.plan_file import plan_bytes
from rewards.chain.sending.keys import KEY_VARIABLE
from tests.chain.anvil import KEY
from tests.sending.world import WCT, World, chain

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "a passphrase that must be seen nowhere either"
GIVEN = ("keystore", "env file", "environment")
ENDINGS = ("no endpoint", "endpoint fails", "crash", "abort")
NEEDLES = (
    KEY,
    KEY.hex().encode(),
    KEY.hex().upper().encode(),
    str(int.from_bytes(KEY, "big")).encode(),
    repr(KEY)[2:-1].encode(),
    PASSWORD.encode(),
)
# Loaded by Python itself at the start of the process: what no user can do, and a defect might.
SABOTAGE = """
import logging, os, sys
logging.basicConfig(level=0, filename=os.environ["CANARY_LOG"])
if os.environ["CANARY_END"] in ("crash", "abort", "endpoint fails"):
    from rewards.chain.errors import EndpointTrouble
    from rewards.chain.sending import signing
    from rewards.chain.sending.node import Node

    def crash(variant):
        if os.environ["CANARY_END"] == "abort":
            os.abort()
        raise RuntimeError("with the key in the caller's hands")

    def fail(self, call, value, sender):
        raise EndpointTrouble("stopped answering")

    if os.environ["CANARY_END"] == "endpoint fails":
        Node.estimate = fail
    else:
        signing._require_readable = crash
"""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with chain() as node:
        made = World.on(node, fund=10 * WCT)
        node.ask("evm_setIntervalMining", 1)
        yield made


@pytest.mark.parametrize(
    ("given", "ending"), [("keystore", "final"), *((g, e) for e in ENDINGS for g in GIVEN)]
)
def test_key__is_left_nowhere(world: World, tmp_path: Path, given: str, ending: str) -> None:
    place, secrets = tmp_path / "place", tmp_path / "secrets"
    for folder in (place, secrets, tmp_path / "site"):
        folder.mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SABOTAGE)
    plan = place / "fund.json"
    plan.write_bytes(plan_bytes(world.fund(WCT)))
    options, environment = _giving(given, secrets)
    url = "http://127.0.0.1:9" if ending == "no endpoint" else world.node.url
    environment |= {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), *sys.path]),
        "PYTHONFAULTHANDLER": "1",
        "CANARY_LOG": str(place / "log"),
        "CANARY_END": ending,
    }
    words = [str(plan), "--rpc", url, *options, "--yes"]
    words += ["--wait", "1" if ending == "final" else "0"]
    code, said, arguments = _run(words, environment, place)
    expected = {"final": 0, "no endpoint": 3, "endpoint fails": 3, "crash": 1, "abort": -6}
    assert code == expected[ending], said
    if ending in ("crash", "abort"):
        assert b"signing" in said, "it did not end while it signed"
    left = {"said": said, "arguments": arguments}
    left |= {str(file): file.read_bytes() for file in place.rglob("*") if file.is_file()}
    assert str(place / "log") in left
    for name, content in left.items():
        for needle in NEEDLES:
            assert needle not in content, name


def _giving(given: str, secrets: Path) -> tuple[list[str], dict[str, str]]:
    """Return options and environment that give the key."""
    if given == "environment":
        return [], {KEY_VARIABLE: "0x" + KEY.hex()}
    env_file = secrets / "secret.env"
    if given == "env file":
        env_file.write_text(f"{KEY_VARIABLE}={KEY.hex()}\n")
        return ["--env-file", str(env_file)], {}
    keystore = secrets / "key.json"
    keystore.write_text(json.dumps(Account.encrypt(KEY, PASSWORD, iterations=2)))
    env_file.write_text(f"{PASSWORD_VARIABLE}='{PASSWORD}'\n")
    return ["--keystore", str(keystore), "--env-file", str(env_file)], {}


def _run(words: list[str], environment: dict[str, str], place: Path) -> tuple[int, bytes, bytes]:
    """Run `rewards submit` in a process of its own, looking at its arguments all the while."""
    seen: set[bytes] = set()
    command = [sys.executable, "-m", "rewards", "submit", *words]
    with subprocess.Popen(
        command, env=environment, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        over = threading.Event()

        def look() -> None:
            while not over.is_set():
                seen.update(_arguments(process.pid))
                time.sleep(0.25)

        watcher = threading.Thread(target=look)
        watcher.start()
        said, _ = process.communicate(timeout=120)
        over.set()
        watcher.join()
    assert any(b"submit" in one for one in seen)
    return process.returncode, said, b"\n".join(sorted(seen))


def _arguments(parent: int) -> Iterator[bytes]:
    """Yield the arguments of a process and of its children."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            if parent in (int(fields[1]), int(status.parent.name)):
                yield (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
