"""Input folders of any size for benchmarks: two epochs, each with that many wallets.

Nearly every wallet is paid, a fifth is certified, most addresses are in mixed case (so that every
checksum has to be hashed), the rows lie in no order: the dear case of each step.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from rewards.merkle.keccak import keccak256, to_checksum

if TYPE_CHECKING:
    from pathlib import Path

POLICY = """ruleset = "wct-1"
first_epoch = 1
approval = "benchmark"
"""
SETTLEMENT = """chain_id = 10
distributor = "0x00000000000000000000000000000000d15713b0"
token = "0xef4461891dfb3ac8572ccf7c794664a8dd927945"
decimals = 18
"""
EPOCH = """epoch = {epoch}
{genesis}start = 2026-06-0{epoch}T00:00:00Z
end = 2026-06-0{next}T00:00:00Z

[pools]
nodes = "0"
wallets_eligible = "2500000.5"
wallets_certified = "1000000"
"""
HEADER = "wallet_id,payout_address,connections,signatures,certified,ux_score,stake_weight\n"


def write_epochs(folder: Path, wallets: int) -> tuple[Path, Path]:
    """Write the inputs of two consecutive epochs; nine of ten addresses are in both."""
    addresses = [_address(number) for number in range(wallets + wallets // 10)]
    return (
        _write(folder / "inputs-1", 1, addresses[:wallets], 0),
        _write(folder / "inputs-2", 2, addresses[wallets // 10 :], wallets // 10),
    )


def _address(number: int) -> str:
    address = "0x" + keccak256(number.to_bytes(8, "big"))[:20].hex()
    return to_checksum(address) if number % 10 else address


def _write(folder: Path, epoch: int, addresses: list[str], first: int) -> Path:
    """Write an input folder; the ids count from `first`, so that a wallet keeps its address."""
    folder.mkdir(parents=True)
    genesis = "genesis = true\n" if epoch == 1 else ""
    (folder / "epoch.toml").write_text(EPOCH.format(epoch=epoch, next=epoch + 1, genesis=genesis))
    (folder / "policy.toml").write_text(POLICY)
    (folder / "settlement.toml").write_text(SETTLEMENT)
    source = random.Random(epoch)
    count = len(addresses)
    with (folder / "wallet_scores.csv").open("w", newline="") as file:
        file.write(HEADER)
        for number in source.sample(range(count), count):
            # One wallet in twenty shares its neighbour's address.
            address = addresses[number - 1 if number % 20 == 0 else number]
            signatures = int(100_000 * (0.95 + source.paretovariate(1.2) - 1))
            certified = "true" if number % 5 == 0 else "false"
            ux_score = "1" if number % 3 else f"0.{source.randrange(1000, 10000)}"
            file.write(
                f"wallet-{first + number:08d},{address},{signatures // 7},{signatures},{certified},"
                f"{ux_score},{source.randrange(10**24)}\n"
            )
    return folder
