"""What the receipts of a season tell of the contract: settled, claimed, held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.errors import RewardsError
from rewards.files.documents import parse_json
from rewards.files.folder import read_bytes
from rewards.files.grammar import parse_integer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rewards.audit.statement.attribution import History

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


NOTHING_SETTLED = Receipt("before any settlement", 0, 0, 0, 0, {})


@dataclass(frozen=True)
class Settlements:
    """What is known of the contract: the season's receipts, and the chain itself if it was asked.

    Attributes:
        receipts: As `settlements/` holds them.
        chain: What the contract itself says.
        unreadable: (name, why) of files that tell nothing.
    """

    receipts: Sequence[Receipt] = ()
    chain: Receipt | None = None
    unreadable: Sequence[tuple[str, str]] = ()

    @property
    def known(self) -> list[Receipt]:
        """All that tells something."""
        return [*([self.chain] if self.chain else []), *self.receipts]

    def before(self, epoch: int) -> Receipt | None:
        """Return the last receipt of an epoch before that one; None: not settled."""
        # What tells more of one epoch goes before what tells less.
        return max(
            (receipt for receipt in self.known if receipt.epoch < epoch),
            key=lambda r: (r.epoch, -1 if r.claimed is None else r.claimed, r.claims is not None),
            default=None,
        )


def read_settlements(folder: Path, chain: Receipt | None = None) -> Settlements:
    """Return what a folder of receipts tells, beside the chain."""
    receipts: list[Receipt] = []
    unreadable = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            document = parse_json(read_bytes(path, path.name, RECEIPT_LIMIT), path.name)
            if document.get("format") == SUBMITTED:
                receipts += _submitted(path.name, document)
            else:
                receipts.append(_rehearsed(path.name, document))
        except (RewardsError, KeyError, TypeError, ValueError, AttributeError) as error:
            unreadable.append((path.name, f"tells no settlement that is known here: {error}"))
    return Settlements(receipts, chain, unreadable)


def claims_of(receipt: Receipt, history: History) -> Mapping[str, int] | None:
    """Return what each account has claimed, where a receipt tells or leaves no doubt."""
    if receipt.claims is not None:
        return receipt.claims
    if receipt.claimed == 0:
        return {}
    if receipt.claimed != receipt.settled:
        return None
    if not history.start - 1 <= receipt.epoch <= history.end:
        return None
    # Everything settled was claimed, so everybody has what was settled.
    return history.until(receipt.epoch + 1).cumulative


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
