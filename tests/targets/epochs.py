"""Published epochs to settle, bound to any chain; and settlements made of bare amounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.files.published import PublishedEpoch
from rewards.targets.settling import Settling, Since
from tests.files.folders import FIRST, SECOND, Files, published
from tests.targets.chain import payee

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TOKEN = "0x" + "70" * 20
DISTRIBUTOR = "0x" + "d1" * 20
WALLETS = 6
"""How many wallets are paid in the first epoch, and in it alone."""


def nodes_csv(status: tuple[str, str, str, str]) -> str:
    """Ant and cow are paid to the same address."""
    lines = ["node_id,payout_address,stake_weight,machine_ready,exit_requested,status"]
    for (name, stake, who), now in zip(
        (("ant", 30, 0), ("bee", 20, 1), ("cow", 10, 0), ("dog", 5, 2)), status, strict=True
    ):
        lines.append(f"{name},{payee(who)},{stake}000000000000000000,true,false,{now}")
    return "\n".join(lines) + "\n"


def first(chain_id: int = 10, token: str = TOKEN, distributor: str = DISTRIBUTOR) -> Files:
    wallets = ["wallet_id,payout_address,connections,signatures,certified"]
    for number in range(WALLETS):
        signatures, certified = 100_001 + 7_919 * number, "true" if number % 2 else "false"
        wallets.append(f"w{number},{payee(3 + number)},0,{signatures},{certified}")
    settlement = (
        f'chain_id = {chain_id}\ndistributor = "{distributor}"\ntoken = "{token}"\ndecimals = 18\n'
    )
    files = {
        **FIRST,
        "settlement.toml": settlement,
        "nodes.csv": nodes_csv(("active", "active", "reserved", "standby")),
        "wallet_scores.csv": "\n".join(wallets) + "\n",
    }
    del files["adjustments.csv"]
    return files


def later(number: int, files: Files) -> Files:
    """An epoch after the first: the nodes' pool alone."""
    days = (f"2026-06-{number:02d}", f"2026-06-{number + 1:02d}")
    return {
        **{name: files[name] for name in ("settlement.toml", "policy.toml")},
        "epoch.toml": SECOND["epoch.toml"]
        .replace("epoch = 2", f"epoch = {number}")
        .replace("2026-06-03", days[1])
        .replace("2026-06-02", days[0]),
        "nodes.csv": nodes_csv(("", "", "", "")),
        "node_scores.csv": SECOND["node_scores.csv"],
    }


def publish(root: Path, count: int, files: Files) -> list[PublishedEpoch]:
    """Publish epochs 1 to `count`."""
    folders: list[Path] = []
    for number in range(1, count + 1):
        inputs = files if number == 1 else later(number, files)
        previous = folders[-1] if folders else None
        folders.append(published(root / str(number), inputs, previous))
    return [PublishedEpoch(folder) for folder in folders]


def settling(
    amounts: Sequence[int],
    settled: Sequence[int] = (),
    *,
    chain_id: int = 10,
    token: str = TOKEN,
    distributor: str = DISTRIBUTOR,
) -> Settling:
    """Amounts for payees 0, 1, 2, …: cumulative, and what of it was settled in epoch 1."""

    def by_address(values: Sequence[int]) -> tuple[tuple[str, int], ...]:
        return tuple(sorted((payee(i), value) for i, value in enumerate(values) if value))

    since = Since(1, "0x" + "11" * 32) if settled else None
    manifest_hash = "0x" + "22" * 32
    return Settling(
        chain_id,
        token,
        18,
        distributor,
        2,
        manifest_hash,
        since,
        by_address(amounts),
        by_address(settled),
    )
