"""What measurement speaks about: machines, the window, settings, counts, a node's measurement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RULES = "measure-1"
"""Name of the measurement rules that this package implements."""

MICROSECONDS = 1_000_000
LATENCY_LIMIT_US = 1 << 40
"""The largest latency that a probe may report: over twelve days, so beyond it is an error."""

ORACLE, NODE = "oracle", "node"
UP, DOWN, UNOBSERVED = "up", "down", "unobserved"
"""What a slot can be."""
ORACLES, PEERS = "oracles", "peers"
ROLE_OF_MODE = {ORACLES: ORACLE, PEERS: NODE}
"""Which machines measure, by mode."""


@dataclass(frozen=True, slots=True)
class MeasuredWindow:
    """The half-open window `[start, end)` in UTC seconds."""

    start: int
    end: int

    @property
    def seconds(self) -> int:
        """The window's length `E`."""
        return self.end - self.start

    @property
    def start_us(self) -> int:
        """The first microsecond inside."""
        return self.start * MICROSECONDS

    @property
    def end_us(self) -> int:
        """The first microsecond after it."""
        return self.end * MICROSECONDS


@dataclass(frozen=True, slots=True)
class Ratio:
    """An exact ratio above 0 and at most 1, and how it was written."""

    numerator: int
    denominator: int
    text: str

    def ceiling_of(self, whole: int) -> int:
        """Return the smallest integer that is at least this part of `whole`."""
        return -(-self.numerator * whole // self.denominator)

    def reached_by(self, part: int, whole: int) -> bool:
        """Return whether `part` of `whole` is at least this ratio."""
        return part * self.denominator >= self.numerator * whole


@dataclass(frozen=True, slots=True)
class Config:
    """`measurement.toml` (section 1).

    Attributes:
        mode: Who measures: `oracles` or `peers`.
        slot_seconds: Length of a slot; divides the window.
        quorum: Part of the operators that must vote for a slot to be observed.
        min_coverage: Part of the slots that must be observed.
        unique: Whether ingestion guarantees that no probe is there twice (`trusted_unique`).
    """

    mode: str
    slot_seconds: int
    quorum: Ratio
    min_coverage: Ratio
    unique: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """A row of `operators.csv`: a node or an oracle, and who operates it."""

    id: str
    operator_id: str
    role: str


@dataclass(frozen=True, slots=True)
class Override:
    """A row of `overrides.csv`: a score that somebody answers for instead of a measurement."""

    node_id: str
    uptime_seconds: int
    response_time_us: int
    requests: int
    reason: str
    approved_by: str


@dataclass(frozen=True, slots=True)
class Score:
    """A row of `node_scores.csv`."""

    node_id: str
    uptime_seconds: int
    response_time_us: int
    requests: int


@dataclass(slots=True)
class OperatorReport:
    """What one operator said about one node; filled while the telemetry is tallied.

    Attributes:
        probes: Kept probes, answered or not.
        sum_us: Sum of the latencies of its `ok` probes.
        count: Number of its `ok` probes.
        voted: Slots in which it voted.
        up: Slots in which it voted up.
    """

    probes: int = 0
    sum_us: int = 0
    count: int = 0
    voted: int = 0
    up: int = 0


@dataclass(frozen=True, slots=True)
class SlotRange:
    """Consecutive slots of one state, by the number of the first and of the one after the last."""

    first: int
    end: int
    state: str


@dataclass(slots=True)
class NodeTally:
    """Everything that the engine counted about one node.

    Attributes:
        reports: By operator id.
        slots: Ranges of slots in which anybody voted, in time order.
        percentiles: p → latency (rule 1, evidence); empty without an `ok` probe.
    """

    reports: dict[str, OperatorReport] = field(default_factory=dict)
    slots: list[SlotRange] = field(default_factory=list)
    percentiles: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowCounts:
    """What became of the rows read; they add up to `read` (section 4).

    Attributes:
        read: All rows.
        outside: Outside the window.
        other_role: Inside, from a machine that does not measure in this mode.
        self_reports: Reporter and node of one operator.
        repeats: Further copies of a probe already counted.
        kept: The rest, which is measured.
    """

    read: int
    outside: int
    other_role: int
    self_reports: int
    repeats: int
    kept: int

    def as_json(self) -> Mapping[str, str]:
        """Return the counts as the manifest holds them."""
        return {
            "read": str(self.read),
            "outside_window": str(self.outside),
            "other_role": str(self.other_role),
            "self_reports": str(self.self_reports),
            "repeats": str(self.repeats),
            "kept": str(self.kept),
        }
