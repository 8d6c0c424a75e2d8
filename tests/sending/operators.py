"""Somebody who gives the commands: with a key, or for a Safe whose owner executes what it gets."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner, Result
from eth_account import Account

from rewards.chain.network import JsonRpc
from rewards.chain.safe.hashes import SafeTx
from rewards.chain.sending.clock import SystemClock
from rewards.chain.sending.keys import KEY_VARIABLE
from rewards.cli import claim, plan, push, status, submit, unclaimed
from rewards.cli.console import exit_code
from rewards.errors import FindingsError, RewardsError
from rewards.merkle.keccak import keccak256
from tests.chain.anvil import Anvil, running
from tests.plan.world import World
from tests.sending.safes import SAFE, Safe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

COMMANDS = {
    "plan": plan,
    "submit": submit,
    "push": push,
    "status": status,
    "claim": claim,
    "unclaimed": unclaimed,
}
CANARY = keccak256(b"a key that must be seen nowhere")


@dataclass
class Operator:
    """Somebody with a season, a node, a key in an env file."""

    node: Anvil
    world: World
    folder: Path
    still: bool = False
    """Whether no block is made while the program sleeps."""

    @property
    def rpc(self) -> list[str]:
        other = self.node.url.replace("127.0.0.1", "localhost")
        return ["--rpc", self.node.url, "--rpc", other]

    @property
    def sender(self) -> str:
        """Who sends."""
        return self.world.me

    def run(self, name: str, *arguments: object) -> Result:
        words = [str(one) for one in arguments]
        if name != "plan" and "--rpc" not in words:
            words += self.rpc
        if "--season" not in words:
            words += ["--season", str(self.world.folder)]
        return CliRunner().invoke(COMMANDS[name].command, [*words, "--json"])

    def does(self, name: str, *arguments: object) -> Any:
        run = self.run(name, *arguments)
        assert run.exit_code == 0, (run.output, run.exception)
        return json.loads(run.stdout)

    def fails(self, name: str, *arguments: object) -> tuple[int, str]:
        run = self.run(name, *arguments)
        if isinstance(run.exception, RewardsError):
            error = run.exception
            remedies = all(f.remedy for f in getattr(error, "findings", ()))
            assert remedies or not isinstance(error, FindingsError)
            return exit_code(error), str(error)
        return run.exit_code, run.output

    def plan(self, *arguments: object) -> Path:
        self.node.ask("anvil_mine", "0x4")
        file = self.folder / f"{len(list(self.folder.iterdir()))}.json"
        # Prices for a bump: by default a plan allows no more than what is offered now.
        caps = ["--max-fee", "50", "--max-priority-fee", "5", "--rpc", self.node.url]
        self.does("plan", *arguments, *caps, "--out", file)
        return file

    def submit(self, file: Path, *options: object) -> Any:
        return self.does("submit", file, "--env-file", self.env, "--yes", *options)

    def fresh(self) -> World:
        """The world, whose own sender may have been overtaken by the program's sending."""
        self.world.sender._nonce = self.world.endpoint.next_nonce(self.world.me)
        return self.world

    @property
    def env(self) -> Path:
        return self.folder.parent / "secret.env"


@dataclass
class SafeOperator(Operator):
    """Somebody who prepares what a Safe is to do; its owner executes the file, nothing else."""

    safe: Safe | None = None

    @property
    def sender(self) -> str:
        return SAFE

    def submit(self, file: Path, *options: object) -> Any:
        assert self.safe
        nonce = self.safe.nonce()
        version = ("--safe", SAFE, "--nonce", nonce, "--safe-version", self.safe.version)
        words = (file, *version, "--yes", *options)
        code, said = self.fails("submit", *words, "--wait", "0")
        if (code, "SafeNotExecuted" in said) == (3, True):
            self.safe.execute(read_safe_tx(file.with_suffix(f".safe-{nonce}.json")))
        return self.does("submit", *words)


def read_safe_tx(file: Path) -> SafeTx:
    """Return what a file for a Safe's owners says, read without the program."""
    fields = json.loads(file.read_bytes())
    return SafeTx(
        to=fields["to"],
        value=int(fields["value"]),
        data=bytes.fromhex(fields["data"][2:]),
        operation=int(fields["operation"]),
        safe_tx_gas=int(fields["safe_tx_gas"]),
        base_gas=int(fields["base_gas"]),
        gas_price=int(fields["gas_price"]),
        gas_token=fields["gas_token"],
        refund_receiver=fields["refund_receiver"],
        nonce=int(fields["nonce"]),
    )


@contextmanager
def operating(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    chain_id: int = 31337,
    safe_version: str = "",
) -> Iterator[Operator]:
    """Run a node and set up a season; through a Safe, that is admin, proposer and guardian."""
    with running(chain_id=chain_id) as node:
        slept = [0]

        def sleep(_: SystemClock, seconds: int) -> None:
            slept[0] += seconds
            if not made.still:
                node.ask("anvil_mine", "0x1")

        monkeypatch.setattr(SystemClock, "sleep", sleep)
        monkeypatch.setattr(SystemClock, "passed", lambda _: slept[0])
        monkeypatch.setattr(
            SystemClock,
            "now",
            lambda _: int(node.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16),
        )
        node.ask("anvil_setBalance", Account.from_key(CANARY).address, hex(10**22))
        endpoint = JsonRpc(node.url)
        (folder / "plans").mkdir()
        made: Operator
        if safe_version:
            world = World.create(
                endpoint,
                folder / "season",
                key=CANARY,
                admin=SAFE,
                treasury=SAFE,
                proposers=(SAFE,),
                guardians=tuple(sorted((SAFE, "0x" + "99" * 20))),
            )
            safe = Safe.on(node, chain_id, safe_version)
            made = SafeOperator(node, world, folder / "plans", safe=safe)
        else:
            world = World.create(endpoint, folder / "season", key=CANARY)
            made = Operator(node, world, folder / "plans")
            made.env.write_text(f"{KEY_VARIABLE}=0x{CANARY.hex()}\n")
        yield made
        endpoint.close()
