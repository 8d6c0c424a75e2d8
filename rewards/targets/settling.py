"""What is to be settled: the published epoch, and what the last settled one had settled already.

A target that pays cumulative amounts (URD) needs the new ones and, for its checks, the old. One
that pays once (Airdrop) gets the difference: cumulative now minus cumulative then, per address.
Either is exact only if both epochs belong to one history, so that is checked first.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.outputs import ALLOCATIONS_CSV

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rewards.files.published import PublishedEpoch

FORMAT = "wct-target-1"
SHOWN_ACCOUNTS = 20
OTHER_HISTORY = "name the folder of the epoch that was settled last, of this same history"

Amounts = tuple[tuple[str, int], ...]
"""(account, base units), ascending by address, each account once, each amount above 0."""


@dataclass(frozen=True, slots=True)
class Since:
    """The last settled epoch."""

    epoch: int
    manifest_hash: str


@dataclass(frozen=True, slots=True)
class Settling:
    """What is being settled, and since when; amounts are base units.

    Attributes:
        chain_id: The chain that the epoch is bound to.
        token: The token paid.
        decimals: What the token must say its decimals are.
        distributor: The contract that `settlement.toml` names.
        epoch: The epoch up to which is settled.
        manifest_hash: keccak-256 of its manifest.
        since: The last settled epoch; None when nothing was settled before.
        cumulative: What each account got up to this epoch.
        settled: What each account had got up to `since`.
    """

    chain_id: int
    token: str
    decimals: int
    distributor: str
    epoch: int
    manifest_hash: str
    since: Since | None
    cumulative: Amounts
    settled: Amounts

    @property
    def period(self) -> Amounts:
        """What each account got since the last settled epoch; who got nothing is left out."""
        before = dict(self.settled)
        gained = ((account, now - before.get(account, 0)) for account, now in self.cumulative)
        return tuple((account, amount) for account, amount in gained if amount > 0)

    def header(self, kind: str, contract: str | None) -> dict[str, str]:
        """Return what every distribution file says of where it comes from, as flat text."""
        header = {
            "format": FORMAT,
            "target": kind,
            "chain_id": str(self.chain_id),
            "token": self.token,
            "decimals": str(self.decimals),
            "epoch": str(self.epoch),
            "manifest_hash": self.manifest_hash,
        }
        if self.since:
            header["since_epoch"] = str(self.since.epoch)
            header["since_manifest_hash"] = self.since.manifest_hash
        if contract:
            header["contract"] = contract
        return header


def total(amounts: Amounts) -> int:
    """Return the sum of the amounts."""
    return sum(amount for _, amount in amounts)


def read_settling(
    published: PublishedEpoch,
    since: PublishedEpoch | None = None,
    *,
    between: Sequence[PublishedEpoch] = (),
    first: bool = False,
) -> Settling:
    """Return what is to be settled.

    Args:
        published: The epoch up to which is settled. `rewards verify` recomputes it; here its files
            are only held against its manifest.
        since: The epoch that was settled last.
        between: The epochs from one to the other, as far as they are at hand, ascending.
        first: Nothing was settled before, though the epoch has predecessors.

    Raises:
        InvalidInput: Both `since` and `first`, or neither where the epoch has a predecessor: a
            forgotten `since` would pay everything again.
        CheckFailed: A file is altered, or the two are not of one history.
    """
    _require_beginning(published, since, first=first)
    chain = [epoch for epoch in (since, *between, published) if epoch is not None]
    for epoch in chain:
        epoch.require_unaltered()
    findings = [finding for pair in pairwise(chain) for finding in _broken_link(*pair)]
    cumulative, settled = _cumulative(published), _cumulative(since) if since else ()
    findings += _fallen(settled, dict(cumulative))
    if total(cumulative) != published.manifest.cumulative_total:
        problem = "does not add up to the manifest's cumulative_total"
        findings.append(Finding(ALLOCATIONS_CSV, problem, "run `rewards verify` on the folder"))
    if findings:
        raise CheckFailed(findings)
    manifest = published.manifest
    return Settling(
        manifest.chain_id,
        str(manifest.document["token"]),
        int(manifest.document["decimals"]),
        manifest.distributor,
        manifest.epoch,
        manifest.hash,
        Since(since.manifest.epoch, since.manifest.hash) if since else None,
        cumulative,
        settled,
    )


def unlinked(chain: Sequence[PublishedEpoch]) -> list[tuple[int, int]]:
    """Return the pairs of epochs between which others are missing: taken on trust."""
    numbers = [epoch.manifest.epoch for epoch in chain]
    return [(before, after) for before, after in pairwise(numbers) if after != before + 1]


def _require_beginning(
    published: PublishedEpoch, since: PublishedEpoch | None, *, first: bool
) -> None:
    if since and first:
        problem = "is given, and yet nothing is said to have been settled before"
        raise InvalidInput(Finding("--since", problem, "give one of --since and --first"))
    if not since and not first and published.manifest.previous_hash is not None:
        raise InvalidInput(
            Finding(
                "--since",
                f"is needed: epoch {published.manifest.epoch} has a predecessor",
                "name the epoch that was settled last, or say --first if none ever was: "
                "everything earned so far is paid then",
            )
        )


def _broken_link(before: PublishedEpoch, after: PublishedEpoch) -> Iterator[Finding]:
    """Yield why one epoch cannot come before the other in one history."""
    earlier, later = before.manifest, after.manifest
    if earlier.epoch >= later.epoch:
        problem = f"is epoch {earlier.epoch}, which does not come before epoch {later.epoch}"
        yield Finding(str(before), problem, OTHER_HISTORY)
    elif earlier.epoch + 1 == later.epoch and later.previous_hash != earlier.hash:
        problem = f"is not the epoch {earlier.epoch} that epoch {later.epoch} was computed on"
        yield Finding(str(before), problem, OTHER_HISTORY, value=earlier.hash)
    for name in ("chain_id", "distributor", "token", "decimals"):
        if earlier.document[name] != later.document[name]:
            yield Finding(
                str(before),
                f"is not epoch {later.epoch}'s {later.document[name]}",
                OTHER_HISTORY,
                column=name,
                value=str(earlier.document[name]),
            )


def _fallen(before: Amounts, after: dict[str, int]) -> list[Finding]:
    """Return the accounts whose cumulative amount fell: they are of another history."""
    fallen = [account for account, amount in before if after.get(account, 0) < amount]
    findings = [
        Finding(
            ALLOCATIONS_CSV,
            "has less now than when it was settled last; a cumulative amount never falls",
            OTHER_HISTORY,
            column="cumulative",
            value=account,
        )
        for account in fallen[:SHOWN_ACCOUNTS]
    ]
    if len(fallen) > SHOWN_ACCOUNTS:
        problem = f"has {len(fallen)} such accounts; the first {SHOWN_ACCOUNTS} are shown"
        findings.append(Finding(ALLOCATIONS_CSV, problem, OTHER_HISTORY))
    return findings


def _cumulative(published: PublishedEpoch) -> Amounts:
    rows = published.allocations
    return tuple(sorted((str(row.account), row.cumulative) for row in rows if row.cumulative))
