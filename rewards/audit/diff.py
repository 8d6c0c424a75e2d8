"""What changed between two published epochs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.audit.svg import Bar, bars, signed_wct
from rewards.errors import Finding, InvalidInput
from rewards.files.csv_tables import read_columns_of
from rewards.files.grammar import counted
from rewards.files.outputs import ALLOCATIONS_CSV, MANIFEST
from rewards.merkle.keccak import to_checksum

if TYPE_CHECKING:
    from rewards.audit.checks.review import CheckReport
    from rewards.files.published import PublishedEpoch


@dataclass(frozen=True, slots=True)
class Change:
    """A named value in both epochs; None where it has none."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class AccountChange:
    """An account's amounts in both epochs, in base units.

    `kind` is `new` (first amount ever), `vanished` (earned in the first, nothing in the second),
    `returned` (the reverse, but with an older cumulative amount) or `changed`.
    """

    account: str
    kind: str
    amount_before: int
    amount_after: int
    cumulative_before: int
    cumulative_after: int

    @property
    def delta(self) -> int:
        """The change of the epoch amount."""
        return self.amount_after - self.amount_before


@dataclass(frozen=True, slots=True)
class EpochDiff:
    """Everything that changed, each list in a stable order."""

    before: int
    after: int
    parameters: list[Change]
    pools: list[Change]
    statuses: list[Change]
    payout_addresses: list[Change]
    accounts: list[AccountChange]
    findings: list[Finding]
    checks: CheckReport | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong and no check blocks."""
        return not self.findings and not (self.checks and self.checks.blocking)

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as a JSON document, amounts as decimal strings."""

        def listed(changes: list[Change]) -> list[dict[str, str | None]]:
            return [{"name": c.name, "before": c.before, "after": c.after} for c in changes]

        return {
            "ok": self.ok,
            "before": str(self.before),
            "after": str(self.after),
            "parameters": listed(self.parameters),
            "pools": listed(self.pools),
            "statuses": listed(self.statuses),
            "payout_addresses": listed(self.payout_addresses),
            "accounts": [
                {
                    "account": row.account,
                    "kind": row.kind,
                    "epoch_amount_before": str(row.amount_before),
                    "epoch_amount_after": str(row.amount_after),
                    "delta": str(row.delta),
                    "cumulative_before": str(row.cumulative_before),
                    "cumulative_after": str(row.cumulative_after),
                }
                for row in self.accounts
            ],
            "findings": [finding.as_json() for finding in self.findings],
            "checks": self.checks.as_json() if self.checks else None,
        }


def compare(
    first: PublishedEpoch, second: PublishedEpoch, checks: CheckReport | None = None
) -> EpochDiff:
    """Return what changed from the first published epoch to the second.

    A cumulative amount that falls is a finding: in a right chain of epochs it never does.
    Both are taken as they stand: whoever calls this has verified them (`require_verified`).
    `checks` is what the checks find in the second against the first.

    Raises:
        InvalidInput: The two are bound to different chains or contracts.
    """
    _require_same_target(first, second)
    accounts = _accounts(first, second)
    later = second.manifest.epoch >= first.manifest.epoch
    return EpochDiff(
        first.manifest.epoch,
        second.manifest.epoch,
        parameters=_changes(_policy(first), _policy(second)),
        pools=_changes(_pools(first), _pools(second)),
        statuses=_changes(
            _column(first, "nodes.csv", "node_id", "closing_status"),
            _column(second, "nodes.csv", "node_id", "closing_status"),
        ),
        payout_addresses=_payout_changes(first, second),
        accounts=accounts,
        findings=[
            Finding(
                ALLOCATIONS_CSV,
                f"falls from {row.cumulative_before} to {row.cumulative_after}",
                "a cumulative amount never falls: these are not epochs of one chain of epochs",
                column="cumulative",
                value=row.account,
            )
            for row in accounts
            if later and row.cumulative_after < row.cumulative_before
        ],
        checks=checks,
    )


def plot_moves(difference: EpochDiff, top: int) -> bytes:
    """Return an SVG with a bar for each of the largest moves of an account's epoch amount."""
    moves = sorted(difference.accounts[:top], key=lambda row: (-row.delta, row.account))
    return bars(
        f"What changed from epoch {difference.before} to epoch {difference.after}",
        [
            Bar(f"{_short(row.account)} {row.kind}", row.delta, signed_wct(row.delta))
            for row in moves
        ],
        f"WCT, the {counted(len(moves), 'largest move')} of {len(difference.accounts)}",
    )


def _short(account: str) -> str:
    checksummed = to_checksum(account)
    return f"{checksummed[:10]}…{checksummed[-6:]}"


def _require_same_target(first: PublishedEpoch, second: PublishedEpoch) -> None:
    here, there = (
        (epoch.manifest.chain_id, epoch.manifest.distributor) for epoch in (first, second)
    )
    if here != there:
        raise InvalidInput(
            Finding(
                str(second.folder / MANIFEST),
                f"is bound to chain and contract {there}, the other epoch to {here}",
                "compare epochs of one settlement target",
            )
        )


def _policy(epoch: PublishedEpoch) -> dict[str, str]:
    return dict(epoch.state["closing"]["policy"])


def _pools(epoch: PublishedEpoch) -> dict[str, str]:
    totals = epoch.manifest.document["totals"]
    return {
        f"{name}.{part}": amount
        for name, total in totals.items()
        if "pool" in total
        for part, amount in total.items()
        if part != "identity"
    }


def _column(epoch: PublishedEpoch, table: str, key: str, column: str) -> dict[str, str]:
    rows = read_columns_of(epoch.folder / table, table, (key, column))
    return {subject: value for subject, value in rows}  # noqa: C416 - pairs, for the type


def _changes(before: dict[str, str], after: dict[str, str]) -> list[Change]:
    return [
        Change(name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _payout_changes(first: PublishedEpoch, second: PublishedEpoch) -> list[Change]:
    """Return the ids of both epochs whose payout address is another one."""
    return [
        change
        for table, key in (("nodes.csv", "node_id"), ("wallets.csv", "wallet_id"))
        for change in _changes(
            _column(first, table, key, "payout_address"),
            _column(second, table, key, "payout_address"),
        )
        if change.before and change.after
    ]


def _accounts(first: PublishedEpoch, second: PublishedEpoch) -> list[AccountChange]:
    """Return the accounts whose amount or cumulative changed, the largest move first."""
    before, after = (_amounts(epoch) for epoch in (first, second))
    rows = []
    for account in {**before, **after}:
        (a0, c0), (a1, c1) = before.get(account, (0, 0)), after.get(account, (0, 0))
        if a0 != a1 or c1 < c0:
            rows.append(AccountChange(account, _kind(a0, a1, c0), a0, a1, c0, c1))
    return sorted(rows, key=lambda row: (-abs(row.delta), row.account))


def _amounts(epoch: PublishedEpoch) -> dict[str, tuple[int, int]]:
    """Return epoch amount and cumulative amount per account."""
    columns = ("account", "epoch_amount", "cumulative")
    rows = read_columns_of(epoch.folder / ALLOCATIONS_CSV, ALLOCATIONS_CSV, columns, columns[1:])
    return {account: (int(amount), int(cumulative)) for account, amount, cumulative in rows}


def _kind(before: int, after: int, cumulative_before: int) -> str:
    if before == 0:
        return "returned" if cumulative_before else "new"
    return "vanished" if after == 0 else "changed"
