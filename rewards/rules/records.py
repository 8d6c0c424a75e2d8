"""The records that the rules take and give: plain, frozen, integers only.

Amounts are base units (10^-18 WCT), ratios are WADs, times are UTC seconds, latencies are
microseconds, addresses are lower-case `0x` text (whose order as text is the order of their bytes).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NewType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Address = NewType("Address", str)


class Status(StrEnum):
    """State of a node (rulebook, section 3). WalletConnect's documents: *reserve*, *jailed*."""

    ACTIVE = "active"
    RESERVED = "reserved"
    STANDBY = "standby"
    CONFINED = "confined"
    DEACTIVATED = "deactivated"


class Tier(StrEnum):
    """Tier of a wallet (rulebook, section 5)."""

    CERTIFIED = "certified"
    ELIGIBLE = "eligible"
    INELIGIBLE = "ineligible"


# --- what comes in (section 1) ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Window:
    """The half-open interval [start, end) in UTC seconds."""

    start: int
    end: int

    @property
    def seconds(self) -> int:
        """Length of the window, E in the formulas."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Pools:
    """What the treasury approved for the epoch, in base units."""

    nodes: int
    wallets_eligible: int
    wallets_certified: int


@dataclass(frozen=True, slots=True)
class EpochHeader:
    """`epoch.toml`."""

    epoch: int
    genesis: bool
    window: Window
    pools: Pools
    wallet_window: Window
    supersedes: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """`settlement.toml`: the chain and contract that a distribution is bound to."""

    chain_id: int
    distributor: Address
    token: Address
    decimals: int


@dataclass(frozen=True, slots=True)
class Policy:
    """`policy.toml`: the ruleset's own typed parameters beside their canonical text."""

    ruleset: str
    first_epoch: int
    approval: str
    parameters: Any
    canonical: Mapping[str, str]
    """Every key, the three above included, with its value as text: what equality means."""


@dataclass(frozen=True, slots=True)
class Node:
    """A row of `nodes.csv`; `status` is None where the cell is empty."""

    node_id: str
    payout_address: Address
    stake_weight: int
    machine_ready: bool
    exit_requested: bool
    status: Status | None


@dataclass(frozen=True, slots=True)
class NodeScore:
    """A row of `node_scores.csv`."""

    node_id: str
    uptime_seconds: int
    response_time_us: int
    requests: int


@dataclass(frozen=True, slots=True)
class Wallet:
    """A row of `wallet_scores.csv`."""

    wallet_id: str
    payout_address: Address
    connections: int
    signatures: int
    certified: bool
    ux_score: int
    stake_weight: int


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A row of `adjustments.csv`; `amount` is signed."""

    payout_address: Address
    amount: int
    reason: str
    approved_by: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that an epoch is computed from, in id order; None where a program does not run."""

    header: EpochHeader
    policy: Policy
    settlement: Settlement
    nodes: tuple[Node, ...] | None
    node_scores: tuple[NodeScore, ...] | None
    wallets: Sequence[Wallet] | None
    adjustments: tuple[Adjustment, ...] | None


# --- what one epoch hands to the next --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NodeState:
    """What is carried of a node: its status, the end of a confinement, its debt."""

    status: Status
    confined_until: int = 0
    debt: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """What the next epoch needs to know of this one, besides the ledger."""

    epoch: int
    end: int
    wallets_end: int
    """End of the last wallets' activity window, 0 when the wallet program never ran."""
    settlement: Settlement
    policy: Mapping[str, str]
    nodes: Mapping[str, NodeState]


@dataclass(frozen=True, slots=True)
class Account:
    """What is carried of an address: its cumulative amount and what is still to be recovered."""

    cumulative: int = 0
    recovery: int = 0


@dataclass(frozen=True, slots=True)
class Opening:
    """The predecessor as an epoch sees it."""

    state: State
    ledger: Mapping[Address, Account]
    manifest_hash: str


# --- what comes out, a row per row of the published tables -----------------------------------


@dataclass(frozen=True, slots=True)
class NodeResult:
    """A row of the published `nodes.csv`; the ratios are None where there was no score row."""

    node_id: str
    payout_address: Address
    opening_status: Status
    closing_status: Status
    confined_until: int | None
    uptime: int | None
    latency_score: int | None
    score: int | None
    pay_factor: int
    base: int
    bonus: int
    penalty: int
    debt_in: int
    debt_out: int
    withheld: int
    paid: int


@dataclass(frozen=True, slots=True)
class Transition:
    """A row of `transitions.csv`: one change of status and the numbers that decided it."""

    node_id: str
    step: str
    before: Status
    after: Status
    reason: str


@dataclass(frozen=True, slots=True)
class WalletResult:
    """A row of the published `wallets.csv`."""

    wallet_id: str
    payout_address: Address
    activity: int
    tier: Tier
    reason: str
    weight_eligible: int
    weight_certified: int
    amount_eligible: int
    amount_certified: int
    amount: int


@dataclass(frozen=True, slots=True)
class Allocation:
    """A row of `allocations.csv`; `adjustment` is signed."""

    account: Address
    previous_cumulative: int
    node_amount: int
    wallet_amount: int
    adjustment: int
    recovery_in: int
    recovery_out: int
    epoch_amount: int
    cumulative: int


@dataclass(frozen=True, slots=True)
class Identity:
    """A conservation identity: `whole = Σ plus - Σ minus`, exactly."""

    name: str
    whole: tuple[str, int]
    plus: Mapping[str, int]
    minus: Mapping[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether the identity holds, to the base unit."""
        return self.whole[1] == sum(self.plus.values()) - sum(self.minus.values())

    @property
    def formula(self) -> str:
        """The identity in words, e.g. `pool = paid + withheld + unallocated`."""
        return f"{self.whole[0]} = " + " - ".join((" + ".join(self.plus), *self.minus))


@dataclass(frozen=True, slots=True)
class EpochResult:
    """Every stage of one epoch, rows in id or address order."""

    nodes: tuple[NodeResult, ...]
    transitions: tuple[Transition, ...]
    wallets: Sequence[WalletResult]
    allocations: Sequence[Allocation]
    identities: tuple[Identity, ...]
    closing: State


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a rule calls an error, by file, record and column.

    `key` is the id or address of the record (files know on which line it stands); empty for TOML.
    `by_absence` marks what a record that is not there causes.
    """

    file: str
    problem: str
    remedy: str
    key: str = ""
    column: str = ""
    value: str = ""
    by_absence: bool = False


def column_of(rows: Sequence[Any], name: str) -> Sequence[Any]:
    """Return a field of every row; a table held by column has it at hand."""
    return getattr(rows, name) if hasattr(rows, "columns") else [getattr(r, name) for r in rows]


def sum_of(rows: Sequence[Any], name: str) -> int:
    """Return the exact sum of a field over all rows."""
    return rows.sum_of(name) if hasattr(rows, "sum_of") else sum(column_of(rows, name))
