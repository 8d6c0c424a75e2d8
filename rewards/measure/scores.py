"""From a node's tally to its score: the rules' last steps, in Python integers (section 1)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from rewards.measure.records import (
    DOWN,
    ORACLES,
    ROLE_OF_MODE,
    UNOBSERVED,
    UP,
    Score,
    SlotRange,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rewards.measure.records import (
        Config,
        Machine,
        MeasuredWindow,
        NodeTally,
        OperatorReport,
        Override,
    )


@dataclass(frozen=True, slots=True)
class NodeResult:
    """A node's measurement.

    Attributes:
        node_id: The node.
        voters: `K`, how many operators could vote.
        needed: How many had to, for a slot to be observed.
        slots: Slots of the window.
        observed: Slots that were observed.
        up: Slots that were up.
        tally: What was counted.
        measured: The score; None where the data are insufficient.
        median: The operator whose latency is the median; None for pooled latencies.
        override: What replaces the measurement, if anything.
    """

    node_id: str
    voters: int
    needed: int
    slots: int
    observed: int
    up: int
    tally: NodeTally
    measured: Score | None
    median: str | None
    override: Override | None

    @property
    def score(self) -> Score | None:
        """The row that is published; None where there is none."""
        if self.override is None:
            return self.measured
        return Score(
            self.node_id,
            self.override.uptime_seconds,
            self.override.response_time_us,
            self.override.requests,
        )

    @property
    def flag(self) -> str:
        """The word in the evidence: empty, `insufficient` or `override`."""
        if self.override is not None:
            return "override"
        return "" if self.measured else "insufficient"


def voters_of(node: Machine, machines: Iterable[Machine], config: Config) -> int:
    """Return `K`: the operators with the mode's role, less the node's own (step 3)."""
    role = ROLE_OF_MODE[config.mode]
    operators = {machine.operator_id for machine in machines if machine.role == role}
    return len(operators - {node.operator_id})


def quorum_of(voters: int, config: Config) -> int:
    """Return how many operators make a slot observed: `ceil(quorum * K)`, at least one."""
    return max(1, config.quorum.ceiling_of(voters))


def score_node(
    node_id: str,
    voters: int,
    tally: NodeTally,
    config: Config,
    window: MeasuredWindow,
    override: Override | None,
) -> NodeResult:
    """Return a node's measurement from its tally (steps 3 to 6)."""
    slots = window.seconds // config.slot_seconds
    lengths = {UP: 0, DOWN: 0, UNOBSERVED: 0}
    for stretch in tally.slots:
        lengths[stretch.state] += stretch.end - stretch.first
    up, observed = lengths[UP], lengths[UP] + lengths[DOWN]
    median = None if config.mode == ORACLES else median_operator(tally.reports)
    measured = None
    if config.min_coverage.reached_by(observed, slots):
        measured = Score(
            node_id, window.seconds * up // observed, *_latency(tally.reports, config.mode, median)
        )
    needed = quorum_of(voters, config)
    return NodeResult(
        node_id, voters, needed, slots, observed, up, tally, measured, median, override
    )


def _latency(
    reports: Mapping[str, OperatorReport], mode: str, median: str | None
) -> tuple[int, int]:
    """Return (response_time_us, requests): pooled from oracles, the median's from peers."""
    if mode == ORACLES:
        return sum(r.sum_us for r in reports.values()), sum(r.count for r in reports.values())
    if median is None:
        return 0, 0
    return reports[median].sum_us, reports[median].count


def median_operator(reports: Mapping[str, OperatorReport]) -> str | None:
    """Return the operator with the lower median of the mean latencies (step 6).

    The means are compared as exact fractions, ties by operator id.
    """
    ordered = sorted(
        (Fraction(report.sum_us, report.count), operator_id)
        for operator_id, report in reports.items()
        if report.count
    )
    return ordered[(len(ordered) - 1) // 2][1] if ordered else None


def lost_ranges(ranges: Sequence[SlotRange], slots: int) -> list[SlotRange]:
    """Return every stretch of the window that is not up; without a vote it is unobserved."""
    lost: list[SlotRange] = []
    position = 0
    for stretch in ranges:
        if position < stretch.first:
            _extend(lost, SlotRange(position, stretch.first, UNOBSERVED))
        if stretch.state != UP:
            _extend(lost, stretch)
        position = stretch.end
    if position < slots:
        _extend(lost, SlotRange(position, slots, UNOBSERVED))
    return lost


def _extend(ranges: list[SlotRange], stretch: SlotRange) -> None:
    """Append a range, or lengthen the last one where it goes on in the same state."""
    last = ranges[-1] if ranges else None
    if last and last.end == stretch.first and last.state == stretch.state:
        ranges[-1] = SlotRange(last.first, stretch.end, stretch.state)
    else:
        ranges.append(stretch)
