"""What checks look at and what they say: records, no logic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rewards.audit.concentration import Spread
from rewards.rules.integers import WAD, format_decimal
from rewards.rules.records import sum_of
from rewards.rules.tables import ascending_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction

    from rewards.rules.parameters import Parameter
    from rewards.rules.records import Address, EpochResult, Inputs, Opening


class Severity(StrEnum):
    """What a finding does: nothing at all, be told, be told loudly, stop the publication."""

    OFF = "off"
    INFO = "info"
    WARNING = "warning"
    BLOCKING = "blocking"


@dataclass(frozen=True, slots=True)
class EarlierRow:
    """An id in the last published table of its program; `score` is None for a wallet."""

    payout_address: Address
    amount: int
    score: int | None = None


@dataclass(frozen=True, slots=True)
class EarlierTable:
    """The last published table of a program.

    Attributes:
        epoch: Of which epoch.
        manifest_hash: Of its manifest.
        rows: Its rows by id, or where they are very many a table by column in id order.
    """

    epoch: int
    manifest_hash: str
    rows: Any

    @property
    def paid(self) -> int:
        """What the program paid then."""
        if isinstance(self.rows, Mapping):
            return sum(row.amount for row in self.rows.values())
        return sum_of(self.rows, "amount")

    def known(self, rows: Sequence[Any], key: str) -> tuple[Any, Any]:
        """Return those of some rows in id order whose id has a row here, and these rows."""
        if not isinstance(self.rows, Mapping) and hasattr(rows, "columns"):
            from rewards.files.column_tables import with_same  # noqa: PLC0415 - needs Arrow

            table: Any = rows
            return with_same(key, table, self.rows)
        before = (
            self.rows
            if isinstance(self.rows, Mapping)
            else dict(zip(self.rows.columns[key].tolist(), self.rows, strict=True))
        )
        both = [row for row in rows if getattr(row, key) in before]
        return both, [before[getattr(row, key)] for row in both]


@dataclass(frozen=True, slots=True)
class Earlier:
    """Per program the last published epoch in which it ran; None when it never did.

    Wallets are paid by the month and nodes by the day, so these are two epochs as a rule.
    """

    nodes: EarlierTable | None = None
    wallets: EarlierTable | None = None

    def references(self) -> dict[str, dict[str, str] | None]:
        """Return which epochs these are, as a published document."""
        return {
            name: None
            if table is None
            else {"epoch": str(table.epoch), "manifest_hash": table.manifest_hash}
            for name, table in (("nodes", self.nodes), ("wallets", self.wallets))
        }


@dataclass(frozen=True)
class Evidence:
    """Everything that a check may look at."""

    inputs: Inputs
    opening: Opening | None
    result: EpochResult
    earlier: Earlier = field(default_factory=Earlier)

    @cached_property
    def known(self) -> Mapping[str, tuple[Sequence[Any], Sequence[Any]]]:
        """Per program the rows whose id is in its earlier table, and the rows there."""
        return {
            name: table.known(rows, key) if table else ((), ())
            for name, key, table, rows in (
                ("nodes", "node_id", self.earlier.nodes, self.result.nodes),
                ("wallets", "wallet_id", self.earlier.wallets, self.result.wallets),
            )
        }

    @cached_property
    def spreads(self) -> Mapping[str, Spread]:
        """How each program's pay is spread over addresses, by the field of the allocations."""
        return {
            name: Spread(ascending_of(self.result.allocations, name))
            for name in ("node_amount", "wallet_amount")
        }


@dataclass(frozen=True, slots=True)
class Hit:
    """A subject that a check's limit does not allow, with the exact numbers."""

    subject: str
    values: Mapping[str, str]
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """A hit with the name and the severity of its check; `waived` when a waiver lets it pass.

    Attributes:
        subject: `node:ID`, `wallet:ID`, an address, `program:NAME`, `pool:NAME`, `policy:KEY`.
        values: Exact texts: amounts in base units, ratios as decimals of at most 18 places.
        limit: The limit as `checks.toml` gives it; None for a check that has none.
    """

    check: str
    severity: Severity
    subject: str
    values: Mapping[str, str]
    limit: str | None
    waived: bool = False

    @property
    def blocks(self) -> bool:
        """Whether nothing may be published because of it."""
        return self.severity is Severity.BLOCKING and not self.waived

    def as_json(self) -> dict[str, Any]:
        """Return the finding as it is published."""
        return {
            "check": self.check,
            "severity": str(self.severity),
            "subject": self.subject,
            "values": dict(self.values),
            "limit": self.limit,
            "waived": self.waived,
        }


@dataclass(frozen=True, slots=True)
class Check:
    """A named check.

    Attributes:
        name: As in `checks.toml`.
        meaning: What it finds, in one line.
        severity: Unless `checks.toml` says otherwise.
        parameters: Its limits; the first one is called `limit` unless the check has none.
        find: Yields what the limits (typed, by parameter key) do not allow.
        say: Words a finding's values and limit for a person.
        needs_earlier: Whether it looks at an earlier epoch's tables.
    """

    name: str
    meaning: str
    severity: Severity
    parameters: tuple[Parameter, ...]
    find: Callable[[Evidence, Mapping[str, Any]], Iterator[Hit]]
    say: Callable[[Mapping[str, str], str | None], str]
    needs_earlier: bool = False


def ratio_text(ratio: Fraction) -> str:
    """Return a non-negative ratio as a decimal of at most 18 places, cut off."""
    return format_decimal(ratio.numerator * WAD // ratio.denominator)


def wct_text(amount: str) -> str:
    """Return base units as WCT with two places, cut off, for a sentence."""
    whole, fraction = divmod(abs(int(amount)), WAD)
    return f"{'-' if amount.startswith('-') else ''}{whole:,}.{fraction // 10**16:02d} WCT"


def percent_text(ratio: str) -> str:
    """Return a decimal ratio as per cent with two places, cut off, for a sentence."""
    whole, _, places = ratio.partition(".")
    hundredths = int(whole) * 10_000 + int(places.ljust(4, "0")[:4])
    return f"{hundredths // 100}.{hundredths % 100:02d}%"
