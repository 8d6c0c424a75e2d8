"""Predeploys of the OP stack, installed on a node that has none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rewards.chain.op_stack import GAS_PRICE_ORACLE, L1_BLOCK

if TYPE_CHECKING:
    from tests.chain.anvil import Anvil

HERE = Path(__file__).parent
L1_BASE_FEE = 20 * 10**9
BLOB_BASE_FEE = 10**9
SCALARS = 5_227 << 96 | 1_014_213 << 64
"""OP Mainnet's own, of base fee and blob base fee, as L1Block packs them."""


def install_predeploys(node: Anvil) -> None:
    """Have the node charge for L1 data, as Optimism has since Fjord; in words: it would say so."""
    for address, name in ((GAS_PRICE_ORACLE, "GasPriceOracle"), (L1_BLOCK, "L1Block")):
        node.ask("anvil_setCode", address, (HERE / f"{name}.hex").read_text().strip())
    words = {
        GAS_PRICE_ORACLE: {0: 0x0101},  # isEcotone, isFjord
        L1_BLOCK: {1: L1_BASE_FEE, 3: SCALARS, 7: BLOB_BASE_FEE},
    }
    for address, slots in words.items():
        for slot, word in slots.items():
            node.ask("anvil_setStorageAt", address, hex(slot), f"0x{word:064x}")
    node.ask("anvil_mine", "0x4")
