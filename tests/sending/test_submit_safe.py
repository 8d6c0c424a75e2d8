"""`rewards submit --safe`: the file for the owners, and what the command says afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from rewards.chain.plan_file import parse_plan, plan_bytes
from rewards.chain.safe.export import safe_tx_of
from rewards.chain.sending.clock import SystemClock
from rewards.chain.sending.reasons import Stopped
from rewards.cli.submit import command
from tests.sending.safes import SAFE, Safe
from tests.sending.world import WCT, World, chain

if TYPE_CHECKING:
    from pathlib import Path


def test_submit_safe__hands_over_and_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with chain() as node:
        slept = [0]

        def sleep(_: SystemClock, seconds: int) -> None:
            slept[0] += seconds
            node.ask("anvil_mine", "0x1")

        monkeypatch.setattr(SystemClock, "sleep", sleep)
        monkeypatch.setattr(SystemClock, "passed", lambda _: slept[0])
        monkeypatch.setattr(
            SystemClock,
            "now",
            lambda _: int(node.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16),
        )
        world = World.on(node, fund=1_000 * WCT, proposers=(SAFE,))
        safe = Safe.on(node, world.chain_id, "1.4.1")
        plan = world.propose()
        path = tmp_path / "propose.json"
        path.write_bytes(plan_bytes(plan))
        words = [str(path), "--rpc", node.url, "--safe", SAFE, "--nonce", "0", "--yes", "--json"]

        waiting = CliRunner().invoke(command, [*words, "--wait", "0"])
        assert isinstance(waiting.exception, Stopped)
        assert "SafeNotExecuted" in str(waiting.exception)
        handed = json.loads((tmp_path / "propose.safe-0.json").read_bytes())
        assert handed["plan_digest"] == plan.digest

        without = CliRunner().invoke(
            command, [str(path), "--rpc", node.url, "--yes", "--wait", "0"]
        )
        assert "OtherSender" in str(without.exception)
        assert "was handed to the Safe" in str(without.exception)

        tx = safe_tx_of(parse_plan(path.read_bytes()), SAFE, "1.4.1", 0)
        safe.execute(tx)
        done = CliRunner().invoke(command, words)
        assert done.exit_code == 0, (done.output, done.exception)
        step = json.loads(done.stdout)["steps"][0]
        assert step["state"] == "final"
        assert SAFE in step["note"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--bump", "--cancel"), "not both"),
        (("--fee-cap", "1"), "--fee-cap goes with"),
        (("--safe", SAFE), "needs --nonce"),
        (("--safe", SAFE, "--nonce", "1", "--cancel"), "without key"),
        (("--nonce", "1"), "--nonce goes with --safe"),
    ],
)
def test_submit__senseless_options(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    words = [str(tmp_path / "plan.json"), "--rpc", "http://127.0.0.1:1", *options]
    run = CliRunner().invoke(command, words)
    assert run.exit_code == 2
    assert said in run.output
