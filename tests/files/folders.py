"""A valid input folder as text, for tests to change one thing in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rewards.errors import Finding, InvalidInput
from rewards.files.epoch import compute_folder, load_epoch, publish_epoch
from rewards.merkle.keccak import to_checksum
from tests.builders import address

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Files = dict[str, str]

MIXED = to_checksum("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")
"""An address whose spelling carries a checksum."""

FIRST: Files = {
    "epoch.toml": """\
epoch = 1
genesis = true
start = 2026-06-01T00:00:00Z
end = 2026-06-02T00:00:00Z

[pools]
nodes = "1000.5"
wallets_eligible = "300"
wallets_certified = "200"

[wallets]
start = "2026-05-01T00:00:00Z"
end = "2026-06-01T00:00:00Z"
""",
    "policy.toml": """\
ruleset = "wct-1"
first_epoch = 1
approval = "Vote 7 of the council"

[nodes]
active_target = 2
total_target = 3
tau = "0.8"

[wallets]
threshold = 100000
""",
    "settlement.toml": """\
chain_id = 10
distributor = "0xd1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1"
token = "0x7070707070707070707070707070707070707070"
decimals = 18
""",
    "nodes.csv": f"""\
node_id,payout_address,stake_weight,machine_ready,exit_requested,status
ant,{MIXED},30000000000000000000,true,false,active
bee,{address(2)},20000000000000000000,true,false,active
cow,{address(3)},10000000000000000000,true,false,reserved
dog,{address(4)},5,true,false,standby
""",
    "node_scores.csv": """\
node_id,uptime_seconds,response_time_us,requests
ant,86400,0,10
bee,43200,1000000,10
cow,86400,3000000,10
""",
    "wallet_scores.csv": f"""\
wallet_id,payout_address,connections,signatures,certified,ux_score,stake_weight
owl,{address(5)},7,100001,true,1,0
pig,{MIXED},8,250000,false,0.5,0
rat,{address(6)},9,100000,false,1,0
""",
    "adjustments.csv": f"""\
payout_address,amount,reason,approved_by
{address(2)},-1000000000000000000,"Paid twice, in May",Vote 6
{address(7)},25,A missed payment,Vote 7
""",
}

SECOND: Files = {
    **FIRST,
    "epoch.toml": """\
epoch = 2
start = "2026-06-02T00:00:00Z"
end = "2026-06-03T00:00:00Z"

[pools]
nodes = "1000"
wallets_eligible = "0"
wallets_certified = "0"
""",
    "nodes.csv": FIRST["nodes.csv"]
    .replace(",active", ",")
    .replace(",reserved", ",")
    .replace(",standby", ","),
    "node_scores.csv": FIRST["node_scores.csv"] + "dog,86400,0,1\n",
}
del SECOND["wallet_scores.csv"], SECOND["adjustments.csv"]


def changed(files: Files, name: str, old: str, new: str) -> Files:
    """Return the files with one occurrence of a text replaced."""
    assert files[name].count(old) == 1, (name, old, files[name].count(old))
    return {**files, name: files[name].replace(old, new)}


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write a folder of inputs; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        raw = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(raw)
    return folder


def published(folder: Path, files: Mapping[str, str | bytes], previous: Path | None = None) -> Path:
    """Compute and publish an epoch; return the published folder."""
    inputs, out = write(folder / "inputs", files), folder / "out"
    assert publish_epoch(compute_folder(inputs, previous), out)
    return out


def refused(inputs: Path, previous: Path | None = None) -> list[Finding]:
    """Return the findings with which an input folder is refused; it must be."""
    with pytest.raises(InvalidInput) as caught:
        load_epoch(inputs, previous)
    findings = list(caught.value.findings)
    assert findings
    for finding in findings:
        assert finding.file
        assert finding.problem
        assert finding.remedy
        assert str(finding).isprintable(), str(finding)
    return findings


def places(findings: list[Finding]) -> list[tuple[str, int, str, str]]:
    """Return file, row, column and value of each finding."""
    return [(f.file, f.row, f.column, f.value) for f in findings]
