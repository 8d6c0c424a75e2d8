"""What a season knows of an epoch's settlement: its receipts, as they lie there.

A receipt is a JSON object in the season's `settlements/`. What a rehearsal or a submission writes
is shown by name: the actions with their gas, the amounts, whether it is of this very epoch. Any
other field is shown as it is, and a file that cannot be read is named, never fatal: receipts are no
part of the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rewards.errors import RewardsError
from rewards.files.documents import parse_json
from rewards.files.folder import read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rewards.files.published import Manifest

RECEIPT_LIMIT = 1 << 26
ACTIONS_SHOWN = 60
FIELDS_SHOWN = 300

AMOUNTS = {
    "paid": "Settled by it",
    "cumulative_total": "Activated in all",
    "claimed_total": "Claimed in all",
    "outstanding": "Still to be claimed",
    "distributor_balance": "Held by the contract",
}
"""The receipts' amounts in base units, of the receipt itself or of its reconciliation."""
COUNTS = {"leaves_claimed": "Leaves claimed", "accounts_paid": "Accounts paid"}
GAS_NAMES = ("gas", "gas_used", "gasUsed")
TRANSACTION_NAMES = ("transaction", "transaction_hash", "tx_hash", "hash")


@dataclass(frozen=True, slots=True)
class Action:
    """Something sent: what, in which transaction, at what cost, and how far it got."""

    name: str
    transaction: str
    gas: int | None
    state: str = ""


@dataclass(frozen=True)
class Receipt:
    """A file in a season's `settlements/`."""

    name: str
    document: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def actions(self) -> list[Action]:
        """What was sent, in order."""
        listed = self.document.get("actions", [])
        return [
            Action(
                _text(entry, ("name", "action")) or "?",
                _text(entry, TRANSACTION_NAMES),
                _whole(_text(entry, GAS_NAMES)),
                _text(entry, ("state",)),
            )
            for entry in (listed if isinstance(listed, list) else [])
            if isinstance(entry, dict)
        ]

    @property
    def gas(self) -> int | None:
        """The gas of everything in the receipt; None where it tells none."""
        used = [
            gas
            for name, value in flatten(self.document)
            if name.rpartition(".")[2] in GAS_NAMES and (gas := _whole(value)) is not None
        ]
        return sum(used) if used else None

    @property
    def amounts(self) -> list[tuple[str, int]]:
        """The amounts, by what they are."""
        return self._numbers(AMOUNTS)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """The counts, by what they are."""
        return self._numbers(COUNTS)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Every value by its dotted name."""
        return list(flatten(self.document))[:FIELDS_SHOWN]

    def is_of(self, manifest: Manifest) -> bool | None:
        """Return whether it names this very epoch; None where it names no manifest."""
        named = self.document.get("manifest_hash")
        return None if named is None else str(named).lower() == manifest.hash

    def _numbers(self, names: Mapping[str, str]) -> list[tuple[str, int]]:
        nested = self.document.get("reconciliation")
        found = {**self.document, **(nested if isinstance(nested, dict) else {})}
        totals = self.document.get("totals")
        if isinstance(totals, dict) and any(
            (action.name, action.state) == ("activate", "final") for action in self.actions
        ):
            found.setdefault("cumulative_total", totals.get("cumulative_total"))
        whole = ((label, _whole(str(found.get(name)))) for name, label in names.items())
        return [(label, number) for label, number in whole if number is not None]


def read_receipts(folder: Path, epoch: int) -> list[Receipt]:
    """Return the receipts that settle an epoch, by name; none without the folder.

    A receipt is named after the last epoch that it settles (`000123*.json`); one that settles
    several says so in `settles`.
    """
    receipts = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        number = _whole(path.name[:6])
        if number is None or number < epoch:
            continue
        receipt = _read(path)
        settles = receipt.document.get("settles")
        if number == epoch or (isinstance(settles, list) and str(epoch) in map(str, settles)):
            receipts.append(receipt)
    return receipts


def _read(path: Path) -> Receipt:
    try:
        document = parse_json(read_bytes(path, path.name, RECEIPT_LIMIT), path.name)
    except RewardsError as error:
        return Receipt(path.name, problem=str(error))
    return Receipt(path.name, document)


def _text(entry: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((str(entry[name]) for name in names if name in entry), "")


def _whole(text: str) -> int | None:
    digits = text.isascii() and text.isdigit() and len(text) <= 80
    return int(text) if digits else None


def flatten(value: Any, name: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """Yield every plain value of a JSON document with its dotted name."""
    if isinstance(value, dict):
        for key, inner in sorted(value.items()):
            yield from flatten(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from flatten(inner, f"{name}.{i}")
    elif value is not None:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)
