"""What the receipts of a season tell of the contract: settled, claimed, held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.errors import RewardsError
from rewards.files.documents import parse_json
from rewards.files.folder import read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RECEIPT_LIMIT = 1 << 28


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a settlement's receipt says of the contract when it was written.

    Attributes:
        name: The file.
        epoch: The epoch that was activated.
        settled: The cumulative total that was activated.
        claimed: What the contract has paid, ever.
        balance: What it held.
        claims: What each account had claimed; None where the receipt does not tell.
    """

    name: str
    epoch: int
    settled: int
    claimed: int
    balance: int
    claims: Mapping[str, int] | None

    @property
    def funded(self) -> int:
        """What was ever paid into the contract and not swept."""
        return self.claimed + self.balance


def read_receipts(folder: Path) -> tuple[list[Receipt], list[tuple[str, str]]]:
    """Return the receipts that tell a total, and (name, why) of those that do not."""
    receipts, unreadable = [], []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            document = parse_json(read_bytes(path, path.name, RECEIPT_LIMIT), path.name)
            receipts.append(_receipt(path.name, document))
        except (RewardsError, KeyError, TypeError, ValueError, AttributeError) as error:
            unreadable.append((path.name, f"tells no settlement that is known here: {error}"))
    return receipts, unreadable


def _receipt(name: str, document: Mapping[str, Any]) -> Receipt:
    found = {**document, **document.get("reconciliation", {})}
    claims = found.get("claims")
    settled, claimed = int(found["cumulative_total"]), int(found["claimed_total"])
    return Receipt(
        name,
        int(found["epoch"]),
        settled,
        claimed,
        int(found["distributor_balance"]),
        {account.lower(): int(amount) for account, amount in claims.items()}
        if isinstance(claims, dict)
        else None,
    )
