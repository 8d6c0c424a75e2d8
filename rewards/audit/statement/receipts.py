"""What the receipts of a season tell of the contract: settled, claimed, held.

A receipt names the epochs that it settles, so one that is missing between two is noticed, and the
manifest that was settled, so it is held against the published one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rewards.errors import Finding, FindingsError, RewardsError
from rewards.files.documents import parse_json
from rewards.files.folder import read_bytes
from rewards.files.grammar import parse_integer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rewards.audit.statement.attribution import History
    from rewards.files.manifest import Manifest

FOLDER = "settlements"
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
        first: The first of the epochs that it settles; None likewise.
        manifest_hash: Which manifest was settled; None likewise.
        chain_id: On which chain; None likewise.
    """

    name: str
    epoch: int
    settled: int
    claimed: int | None
    balance: int | None
    claims: Mapping[str, int] | None
    first: int | None = None
    manifest_hash: str | None = None
    chain_id: int | None = None

    @property
    def funded(self) -> int | None:
        """What was ever paid into the contract and not swept."""
        if self.claimed is None or self.balance is None:
            return None
        return self.claimed + self.balance


NOTHING_SETTLED = Receipt("before any settlement", 0, 0, 0, 0, {})
NOTHING_AS_FAR_AS_TOLD = replace(NOTHING_SETTLED, name="no receipt")
"""Where there are receipts, but none of an epoch before, and none tells which epochs it settles."""


@dataclass(frozen=True)
class Settlements:
    """What is known of the contract: the season's receipts, and the chain itself if it was asked.

    Attributes:
        receipts: As `settlements/` holds them, ascending.
        chain: What the contract itself says.
        unreadable: (name, why) of files that tell nothing, and are named as no receipt is.
        findings: What is wrong with receipts that the figures would rest on; those are left out.
    """

    receipts: Sequence[Receipt] = ()
    chain: Receipt | None = None
    unreadable: Sequence[tuple[str, str]] = ()
    findings: Sequence[Finding] = ()

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

    def settled_before(self, epoch: int) -> int | None:
        """Return which epoch was active before that one is settled, as its receipt tells it."""
        following = next((receipt for receipt in self.receipts if receipt.epoch >= epoch), None)
        if following is None or following.first is None:
            return None
        return following.first - 1

    def opening(self, first: Manifest, start: Manifest) -> Receipt | None:
        """Return what was settled before a range; None: not known.

        A season keeps a receipt of each settlement. Where it has some, but none before the range,
        nothing was settled: certainly, if the first one settles from the contract's first epoch on.

        Args:
            first: The range's first epoch.
            start: The first epoch at hand.
        """
        if first.previous_hash is None:
            return NOTHING_SETTLED
        found, active = self.before(first.epoch), self.settled_before(first.epoch)
        if active is None:
            return found or (NOTHING_AS_FAR_AS_TOLD if self.receipts else None)
        if found is not None:
            return found if found.epoch >= active else None
        first_of_contract = start.epoch if start.previous_hash is None else 1
        return NOTHING_SETTLED if active < first_of_contract else None

    def missing(self, start: int, last: int) -> Finding | None:
        """Return that the last receipt of a range is missing, if a later one says so.

        Args:
            start: The first epoch at hand.
            last: The last of the range.
        """
        found, active = self.before(last + 1), self.settled_before(last + 1)
        if self.chain or active is None or not start <= active <= last:
            return None
        if found is not None and found.epoch >= active:
            return None
        return Finding(
            f"{FOLDER}/{active:06d}.json",
            f"is missing: a later receipt tells that epoch {active} was settled before it",
            "put it back, or give --rpc to ask the chain",
        )


def read_settlements(
    folder: Path, manifests: Sequence[Manifest], chain: Receipt | None = None
) -> Settlements:
    """Return what a folder of receipts tells, beside the chain.

    Args:
        folder: The season's `settlements/`.
        manifests: Of the epochs at hand, ascending.
        chain: What the contract itself says.
    """
    last = manifests[-1].epoch
    receipts: list[Receipt] = []
    unreadable, findings = [], []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            read = _read(path)
        except (RewardsError, KeyError, TypeError, ValueError, AttributeError) as error:
            problem = f"tells no settlement that is known here: {_why(error)}"
            if path.stem.isdecimal() and int(path.stem) <= last:
                findings.append(_finding(path.name, problem))
            else:
                unreadable.append((path.name, problem))
            continue
        wrong = [finding for receipt in read for finding in _of_another(receipt, manifests)]
        findings += wrong
        receipts += [] if wrong else [one for one in read if _is_of_contract(one, manifests[0])]
    return Settlements(sorted(receipts, key=lambda r: r.epoch), chain, unreadable, findings)


def _of_another(receipt: Receipt, manifests: Sequence[Manifest]) -> list[Finding]:
    """Return in what a receipt of an epoch at hand is not the published epoch's."""
    found = []
    for manifest in manifests:
        if manifest.epoch != receipt.epoch:
            continue
        for column, told, own in (
            ("manifest_hash", receipt.manifest_hash, manifest.hash),
            ("chain_id", receipt.chain_id, manifest.chain_id),
        ):
            if told is not None and told != own:
                problem = f"is of another epoch {manifest.epoch} than the published one: {own}"
                found.append(_finding(receipt.name, problem, column, str(told)))
    return found


def _is_of_contract(receipt: Receipt, start: Manifest) -> bool:
    """Return whether a receipt is of the contract that the epochs at hand are settled by."""
    if receipt.chain_id not in (None, start.chain_id):
        return False
    # What was settled before a contract's first epoch was settled by the one before it.
    return start.previous_hash is not None or receipt.epoch >= start.epoch


def _why(error: Exception) -> str:
    if isinstance(error, FindingsError):
        return error.findings[0].problem
    return f"has no {error}" if isinstance(error, KeyError) else str(error)


def _finding(name: str, problem: str, column: str = "", value: str = "") -> Finding:
    return Finding(
        f"{FOLDER}/{name}",
        problem,
        "put back the receipt that was written, or move this file away and give --rpc",
        column=column,
        value=value,
    )


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


def _read(path: Path) -> list[Receipt]:
    document = parse_json(read_bytes(path, path.name, RECEIPT_LIMIT), path.name)
    if document.get("format") == SUBMITTED:
        return _submitted(path.name, document)
    return [_rehearsed(path.name, document)]


def _bound(document: Mapping[str, Any]) -> tuple[int | None, str | None, int | None]:
    """Return what a receipt is bound to: first epoch, manifest hash, chain; where it tells."""
    settles, chain_id = document.get("settles"), document.get("chain_id")
    named = document.get("manifest_hash")
    return (
        min(map(parse_integer, settles)) if settles else None,
        None if named is None else str(named).lower(),
        None if chain_id is None else parse_integer(chain_id),
    )


def _submitted(name: str, document: Mapping[str, Any]) -> list[Receipt]:
    """Return what a receipt of `rewards submit` tells: what was activated, not what is claimed."""
    actions = [(action["name"], action["state"]) for action in document["actions"]]
    if ("activate", "final") not in actions:
        return []
    settled = parse_integer(document["totals"]["cumulative_total"])
    epoch = parse_integer(document["epoch"])
    return [Receipt(name, epoch, settled, None, None, None, *_bound(document))]


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
        *_bound(document),
    )
