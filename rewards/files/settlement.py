"""`settlement.toml`: the chain and contract that a distribution is bound to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.files.grammar import parse_address
from rewards.rules.integers import UINT256_LIMIT
from rewards.rules.records import Settlement

if TYPE_CHECKING:
    from rewards.files.toml_documents import Document


def read_settlement(source: Document) -> Settlement | None:
    """Return the target in a `settlement.toml`; None, with findings, where it is wrong."""
    chain_id = source.integer("chain_id", low=1, high=UINT256_LIMIT - 1)
    distributor = source.parse("distributor", parse_address)
    token = source.parse("token", parse_address)
    decimals = source.integer("decimals", low=0, high=255)
    if chain_id is None or distributor is None or token is None or decimals is None:
        return None
    return Settlement(chain_id, distributor, token, decimals)
