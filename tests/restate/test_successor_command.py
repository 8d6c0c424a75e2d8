"""`rewards successor` against a real node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from rewards.chain.contract import DISTRIBUTOR, interface
from rewards.chain.network import JsonRpc
from rewards.cli.successor import command
from rewards.errors import CheckFailed
from rewards.files.epoch import compute_folder
from rewards.files.inputs import canonical_inputs
from rewards.files.publish import publish, write_file
from rewards.files.toml_documents import canonical_toml
from tests.builders import address
from tests.chain.anvil import KEY, running
from tests.plan.world import World

if TYPE_CHECKING:
    from pathlib import Path


def test_command__writes_the_first_epoch_of_the_new_season(tmp_path: Path) -> None:
    with running() as node:
        endpoint = JsonRpc(node.url)
        old = World.create(endpoint, tmp_path / "old", key=KEY, delay=1, reduction_delay=1)
        old.publish(1, {address(1): 7, address(2): 3})
        old.settle(1)
        old.claim(1, address(1))
        new = World.create(
            endpoint, tmp_path / "new", key=KEY, token=old.target.token, initial_epoch=1
        )
        old.sender = new.sender  # one account, one count of its transactions
        target: dict[str, str | int | bool] = {
            "chain_id": new.target.chain_id,
            "distributor": new.target.distributor,
            "token": new.target.token,
            "decimals": 18,
        }
        write_file(tmp_path / "new" / "settlement.toml", canonical_toml(target))
        publish(tmp_path / "next", canonical_inputs(old.inputs_of(2, {address(2): 4})))
        node.finalize()
        seasons = ["--season", str(tmp_path / "new"), "--after", str(tmp_path / "old")]
        asked = [str(tmp_path / "next"), *seasons, "--rpc", node.url, "--approved-by", "vote 7"]
        living = CliRunner().invoke(command, asked)
        assert isinstance(living.exception, CheckFailed)
        retire = interface(DISTRIBUTOR).call(old.target.distributor, "retire")
        contract = old.target.distributor
        old.send(interface(DISTRIBUTOR).call(contract, "schedule", retire.data))
        node.ask("evm_increaseTime", 5)
        old.send(retire)
        node.finalize()
        run = CliRunner().invoke(command, [*asked, "--json"])
        assert run.exit_code == 0, (run.output, run.exception)
        told = json.loads(run.stdout)
        assert (told["epoch"], told["taken_over"], told["initial_epoch"]) == ("2", "3", "1")
        epoch = compute_folder(new.season.inputs(2), None)
        assert [(r.account, r.cumulative) for r in epoch.result.allocations] == [(address(2), 7)]
        endpoint.close()
