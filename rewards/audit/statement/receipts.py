"""What the receipts of a season tell of the contract: settled, claimed, held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.errors import RewardsError
from rewards.files.documents import parse_json
from rewards.files.folder import read_bytes
from rewards.files.grammar import parse_integer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RECEIPT_LIMIT = 1 << 28
SUBMITTED = "wct-receipt-1"
"""The format of a receipt that `rewards submit` writes."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of the contract: from a settlement's receipt, or read from the chain.

    Attributes:
        name: The file, or the block.
        epoch: The epoch that was activated.
        settled: The cumulative total that was activated.
        claimed: What the contract has paid, ever; None where the receipt does not tell.
        balance: What it held; None likewise.
        claims: What each account had claimed; None where the receipt does not tell.
    """

    name: str
    epoch: int
    settled: int
    claimed: int | None
    balance: int | None
    claims: Mapping[str, int] | None

    @property
    def funded(self) -> int | None:
        """What was ever paid into the contract and not swept."""
        if self.claimed is None or self.balance is None:
            return None
        return self.claimed + self.balance


def read_receipts(folder: Path) -> tuple[list[Receipt], list[tuple[str, str]]]:
    """Return the receipts of what was settled, and (name, why) of files that tell nothing."""
    receipts, unreadable = [], []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            document = parse_json(read_bytes(path, path.name, RECEIPT_LIMIT), path.name)
            if document.get("format") == SUBMITTED:
                receipts += _submitted(path.name, document)
            else:
                receipts.append(_rehearsed(path.name, document))
        except (RewardsError, KeyError, TypeError, ValueError, AttributeError) as error:
            unreadable.append((path.name, f"tells no settlement that is known here: {error}"))
    return receipts, unreadable


def _submitted(name: str, document: Mapping[str, Any]) -> list[Receipt]:
    """Return what a receipt of `rewards submit` tells: what was activated, not what is claimed."""
    actions = [(action["name"], action["state"]) for action in document["actions"]]
    if ("activate", "final") not in actions:
        return []
    settled = parse_integer(document["totals"]["cumulative_total"])
    return [Receipt(name, parse_integer(document["epoch"]), settled, None, None, None)]


def _rehearsed(name: str, document: Mapping[str, Any]) -> Receipt:
    """Return what a receipt with a reconciliation tells, as a rehearsal writes it."""
    found = {**document, **document.get("reconciliation", {})}
    claims = found.get("claims")
    return Receipt(
        name,
        parse_integer(found["epoch"]),
        parse_integer(found["cumulative_total"]),
        parse_integer(found["claimed_total"]),
        parse_integer(found["distributor_balance"]),
        {account.lower(): parse_integer(amount) for account, amount in claims.items()}
        if isinstance(claims, dict)
        else None,
    )
