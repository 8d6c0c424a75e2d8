"""One proposal: which epochs it settles, its distribution, and what everybody must get by it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.chain.distributor import AMOUNT_LIMIT, EPOCH_LIMIT
from rewards.errors import CheckFailed, Finding
from rewards.files.grammar import format_epochs
from rewards.files.outputs import MANIFEST, manifest_hash
from rewards.merkle.distribution import Distribution, Domain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rewards.files.epoch import ComputedEpoch
    from rewards.rehearsal.epochs import Subject
    from rewards.rules.records import Settlement


@dataclass(frozen=True)
class Settling:
    """One proposal.

    Attributes:
        epochs: The epochs it settles; the last is the one that it names on chain.
        distribution: The leaves, bound to the rehearsal's chain and contract.
        manifest_hash: Of the last epoch's manifest.
        amounts: What it must pay, by account, in base units. It comes from the epochs under their
            own target, not from the distribution that it is held against.
        is_opening: Whether it only brings a fresh contract to where the predecessor had left off.
    """

    epochs: tuple[int, ...]
    distribution: Distribution
    manifest_hash: bytes
    amounts: Mapping[str, int]
    is_opening: bool = False

    @property
    def epoch(self) -> int:
        """The epoch that the proposal names."""
        return self.epochs[-1]

    @property
    def total(self) -> int:
        """What it must pay in all, in base units."""
        return sum(self.amounts.values())

    def __str__(self) -> str:
        """Return the epochs in words."""
        if self.is_opening:
            return f"predecessor (epoch {self.epoch})"
        return format_epochs(self.epochs[0], self.epoch)


def bundles(count: int, last: int) -> list[range]:
    """Return the positions of `count` epochs in groups: the last `last` together, others alone."""
    alone = max(count - last, 0)
    return [*(range(i, i + 1) for i in range(alone)), *([range(alone, count)] if count else [])]


def amounts_of(epochs: Iterable[ComputedEpoch]) -> dict[str, int]:
    """Return what epochs add to each account, in base units."""
    amounts: defaultdict[str, int] = defaultdict(int)
    for epoch in epochs:
        for row in epoch.result.allocations:
            amounts[row.account] += row.epoch_amount
    return dict(amounts)


def settling_of(own: Sequence[ComputedEpoch], bound: Sequence[ComputedEpoch]) -> Settling | None:
    """Return the proposal that settles epochs; None when nobody has a cumulative amount."""
    last = bound[-1]
    if last.distribution is None:
        return None
    return Settling(
        tuple(epoch.inputs.header.epoch for epoch in own),
        last.distribution,
        bytes.fromhex(manifest_hash(last.files[MANIFEST])[2:]),
        amounts_of(own),
    )


def opening_of(subject: Subject, target: Settlement) -> Settling | None:
    """Return the proposal that pays what was settled before; None when that is nothing.

    With it the epochs' own claims pay exactly their own amounts, as they will on the real contract.
    """
    if subject.opening is None:
        return None
    ledger = subject.opening.ledger.items()
    paid: dict[str, int] = {account: e.cumulative for account, e in ledger if e.cumulative}
    number = subject.opening.state.epoch
    distribution = Distribution.of(
        Domain(target.chain_id, target.distributor, number), paid.items()
    )
    if distribution is None:
        return None
    before = bytes.fromhex(subject.opening.manifest_hash[2:])
    return Settling((number,), distribution, before, paid, is_opening=True)


def require_fits(subject: Subject) -> None:
    """Check that the contract can hold the numbers at all.

    Raises:
        CheckFailed: An amount has more than 128 bits, or an epoch's number more than 48.
    """
    last = subject.epochs[-1]
    total = sum(row.cumulative for row in last.result.allocations)
    number = last.inputs.header.epoch
    findings = [
        Finding(
            "epoch.toml", f"is above what the contract can hold, {limit - 1}", remedy, 0, name, text
        )
        for name, value, limit, remedy, text in (
            ("pools", total, AMOUNT_LIMIT, "check the unit: whole WCT", f"total {total}"),
            ("epoch", number, EPOCH_LIMIT, "count epochs from 1", str(number)),
        )
        if value >= limit
    ]
    if findings:
        raise CheckFailed(findings)
