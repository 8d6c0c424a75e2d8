"""Somebody with a season, a node and a folder for plans and attestations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_account import Account

from rewards.chain.endpoint import Call
from rewards.chain.plan_file import parse_plan
from tests.commands import refused, run
from tests.plan.world import ATTESTERS

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.chain.plan import Plan
    from rewards.chain.sender import Sender
    from tests.chain.anvil import Anvil
    from tests.plan.world import World

PASSWORD = "correct horse"
"""Of every keystore here; REWARDS_KEYSTORE_PASSWORD must say it."""


@dataclass
class Operator:
    """Plans with the command line; whoever sends, sends the plan's calls and nothing else."""

    node: Anvil
    world: World
    folder: Path

    def path(self, name: str) -> Path:
        """Return the name of a file that is not there yet."""
        return self.folder / f"{len(list(self.folder.iterdir())):03d}-{name}"

    @property
    def place(self) -> tuple[object, ...]:
        """Where every command of the season looks."""
        return ("--season", self.world.folder, "--rpc", self.node.url)

    def plan_file(self, *words: object) -> Path:
        """Plan; return the plan's file."""
        self.node.finalize()
        file = self.path("plan.json")
        document = run("plan", *words, *self.place, "--out", file)
        assert document["digest"] == parse_plan(file.read_bytes()).digest
        return file

    def plan(self, *words: object, ok: bool = True) -> Any:
        """Return the plan; where it must be refused, what the command says instead."""
        if ok:
            return parse_plan(self.plan_file(*words).read_bytes())
        self.node.finalize()
        file = self.path("plan.json")
        said = refused("plan", *words, *self.place, "--out", file)
        assert not file.exists()
        return said

    def send(self, plan: Plan, sender: Sender | None = None) -> None:
        """Send a plan's calls."""
        for call in plan.calls:
            receipt = (sender or self.world.sender).send(Call(call.to, call.data))
            assert receipt.gas <= plan.caps.gas_limit
        self.node.finalize()

    def does(self, *words: object, sender: Sender | None = None) -> Plan:
        """Plan something, and do it."""
        plan: Plan = self.plan(*words)
        self.send(plan, sender)
        return plan

    def attest(self, epoch: int, *whose: int) -> list[object]:
        """Have attesters recompute an epoch and sign; return the options that name their files."""
        self.node.finalize()
        words: list[object] = []
        for number in whose:
            keystore = self.path("keystore.json")
            encrypted = Account.encrypt(ATTESTERS[number].key, PASSWORD, iterations=2)
            keystore.write_text(json.dumps(encrypted))
            file = self.path("attestation.json")
            run("attest", epoch, *self.place, "--keystore", keystore, "--out", file)
            words += ["--attestations", file]
        return words

    def travel(self, seconds: int) -> None:
        """Let time pass."""
        self.node.ask("evm_increaseTime", seconds)
        self.node.finalize()


def failed(document: dict[str, Any]) -> dict[str, str]:
    """Return what a refusal says of each check that failed."""
    checks = document["gate"]["checks"]
    return {check["name"]: check["detail"] for check in checks if not check["ok"]}
