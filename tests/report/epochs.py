"""Published epochs for the tests of the report, and one of any size for measuring it."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rewards.files.epoch import compute, compute_folder, publish_epoch
from rewards.rules.integers import WAD, WCT
from rewards.rules.records import Address, Inputs, Pools, Status, Wallet
from tests import builders

if TYPE_CHECKING:
    from collections.abc import Mapping

SAMPLE = Path(__file__).resolve().parents[2] / "rewards" / "sample" / "season"

HOSTILE = "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>\"'&{{7*7}}"
"""What somebody might try in every text that a report shows."""


@dataclass(frozen=True, slots=True)
class Published:
    """A published epoch and the one before it."""

    folder: Path
    previous: Path | None


def publish_sample(root: Path) -> dict[int, Published]:
    """Publish the epochs of the sample season under a folder laid out as a season."""
    (root / "rewards.toml").write_text('format = "wct-season-1"\nname = "A season for tests"\n')
    published: dict[int, Published] = {}
    previous: Path | None = None
    for inputs in sorted((SAMPLE / "inputs").iterdir()):
        folder = root / "epochs" / inputs.name
        publish_epoch(compute_folder(inputs, previous), folder)
        published[int(inputs.name)] = Published(folder, previous)
        previous = folder
    return published


def payout(number: int) -> Address:
    """Return an address that looks like one: spread over the whole range."""
    return Address("0x" + hashlib.sha256(str(number).encode()).hexdigest()[:40])


def sized_inputs(count: int, policy: Mapping[str, object] | None = None) -> Inputs:
    """Return a first epoch with 21 nodes and so many wallets, nearly all of them paid."""
    chance = random.Random(7)
    wallets = []
    for i in range(count):
        signatures = int(99_900 * chance.paretovariate(1.2))
        wallets.append(
            Wallet(
                f"wallet-{i:06d}",
                payout(i),
                signatures * chance.randrange(50, 150) // 100,
                signatures,
                chance.random() < 0.05,
                chance.choice((WAD, 9 * WAD // 10, 7 * WAD // 10)),
                chance.randrange(50_000) * WCT,
            )
        )
    nodes = tuple(
        builders.node(
            f"node-{i:02d}",
            stake=(100 + i) * WCT,
            status=Status.ACTIVE if i < 15 else Status.RESERVED,
            payout=payout(-1 - i),
        )
        for i in range(21)
    )
    scores = tuple(builders.score(n.node_id, uptime=86_400 - 40 * i) for i, n in enumerate(nodes))
    return builders.inputs(
        head=builders.header(pools=Pools(5_400 * WCT, 125_000 * WCT, 1_000_000 * WCT // 3)),
        rules=builders.policy({"wallets.share_cap": WAD // 4, **(policy or {})}),
        nodes=nodes,
        node_scores=scores,
        wallets=tuple(wallets),
    )


def publish(inputs: Inputs, folder: Path) -> Path:
    """Compute and publish an epoch without a predecessor."""
    publish_epoch(compute(inputs, None), folder)
    return folder
