"""The aggregations over probes, written once as Ibis expressions (section 1).

Only integers, and no division: a slot is named by its first microsecond, a latency's bucket by its
smallest latency, and a sum of latencies travels as two halves that cannot leave 64 bits. DuckDB and
Spark therefore compute the same values, whatever order the rows come in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from rewards.measure.percentiles import FIRST_WIDTHS
from rewards.measure.records import DOWN, LATENCY_LIMIT_US, MICROSECONDS, UNOBSERVED, UP

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from rewards.measure.records import MeasuredWindow

HALF_BITS = 20
"""A latency is at most 2^40: each half of it stays below 2^21, a sum of 2^42 halves below 2^63."""
HALF_MASK = (1 << HALF_BITS) - 1
OWN = -1
"""The operator of a self-report."""


@dataclass(frozen=True, slots=True)
class Machines:
    """What `operators.csv` says, as tables of the engine, with numbers in place of ids.

    Attributes:
        reporters: reporter_id, reporter, reporter_operator, measures (it has the mode's role).
        nodes: node_id, node, node_operator, is_node, needed (the node's quorum).
    """

    reporters: ir.Table
    nodes: ir.Table


def labelled(probes: ir.Table, machines: Machines) -> ir.Table:
    """Return every probe with what `operators.csv` knows; null where it knows nothing."""
    return probes.left_join(machines.reporters, "reporter_id").left_join(machines.nodes, "node_id")


def census(probes: ir.Table, machines: Machines, window: MeasuredWindow) -> ir.Table:
    """Return one row: what the telemetry holds, and how much of it is wrong (steps 1 and 4)."""
    t = labelled(probes, machines)
    inside = is_inside(t, window)
    own = t.reporter_operator == t.node_operator
    return t.aggregate(
        read=t.count(),
        inside=_rows(inside),
        broken=t.broken.count(),
        faulty=_rows(inside & (is_unknown(t) | ~t.is_node | is_bad_latency(t))),
        other_role=_rows(inside & ~t.measures),
        self_reports=_rows(inside & t.measures & own),
        **time_range(t.ts_us),
    )


def faults(probes: ir.Table, machines: Machines, window: MeasuredWindow) -> ir.Table:
    """Return one row: what is wrong with the faulty probes of a census."""
    t = labelled(probes, machines)
    t = t.filter(is_inside(t, window))
    return t.aggregate(
        unknown=_rows(is_unknown(t)),
        not_node=_rows(~t.is_node),
        bad_latency=_rows(is_bad_latency(t)),
    )


def time_range(ts_us: ir.IntegerColumn) -> dict[str, ir.IntegerScalar]:
    """Return the extremes of a time column."""
    return {"first": ts_us.min().fill_null(0), "last": ts_us.max().fill_null(0)}


def is_far(counts: Mapping[str, int], window: MeasuredWindow) -> bool:
    """Whether a time lies so far outside that it may be one in another unit."""
    low, high = window.start_us - FAR_US, window.end_us + FAR_US
    return counts["first"] < low or counts["last"] >= high


def in_other_units(rows: ir.Table, window: MeasuredWindow) -> ir.Table:
    """Return one row: how often a far time would fit the window in another unit."""
    ts_us = rows.ts_us
    far = (ts_us < window.start_us - FAR_US) | (ts_us >= window.end_us + FAR_US)
    return rows.aggregate(
        **{
            f"as_{unit}": _rows(far & (ts_us >= low) & (ts_us < high))
            for unit, low, high in other_units(window)
        }
    )


FAR_US = 366 * 86_400 * MICROSECONDS
"""How far outside the window a time must lie to be taken for one in another unit: a year."""


def other_units(window: MeasuredWindow) -> list[tuple[str, int, int]]:
    """Return the window in the units that timestamps are mistaken for."""
    return [
        (unit, window.start * per_second, window.end * per_second)
        for unit, per_second in (("seconds", 1), ("milliseconds", 10**3), ("nanoseconds", 10**9))
        if window.end * per_second < 1 << 63
    ]


def is_inside(t: ir.Table, window: MeasuredWindow) -> ir.BooleanValue:
    """Whether a row lies in the window `[start, end)`."""
    return (t.ts_us >= window.start_us) & (t.ts_us < window.end_us)


def is_unknown(t: ir.Table) -> ir.BooleanValue:
    """Whether `operators.csv` lacks the reporter or the probed id."""
    return t.reporter_operator.isnull() | t.node.isnull()


def is_bad_latency(t: ir.Table) -> ir.BooleanValue:
    """Whether an answered probe has no latency, a negative one, or one over 2^40."""
    outside = (t.latency_us < 0) | (t.latency_us > LATENCY_LIMIT_US)
    return t.ok & (t.latency_us.isnull() | outside)


def kept(
    probes: ir.Table, machines: Machines, window: MeasuredWindow, config_slot: int, *, unique: bool
) -> ir.Table:
    """Return the probes of a stretch of the window by its reporters, each once (steps 1 and 2).

    Args:
        probes: All probes.
        machines: The lookup tables.
        window: A stretch of the window that begins at a slot's beginning.
        config_slot: Length of a slot in microseconds.
        unique: Whether no probe can be there twice.

    Returns:
        node, operator (OWN for a self-report: leave these out), slot (first microsecond since the
        stretch began), ok, latency_us (0 where not ok).
    """
    t = probes.filter(is_inside(probes, window))
    t = t.inner_join(machines.reporters.filter(machines.reporters.measures), "reporter_id")
    t = t.inner_join(machines.nodes, "node_id")
    # Marked and not filtered: a condition between the two small tables makes DuckDB join them with
    # each other first, and then every probe by two texts at once, which costs twice as much.
    own = t.reporter_operator == t.node_operator
    t = t.mutate(operator=ibis.ifelse(own, OWN, t.reporter_operator).cast("int64"))
    if not unique:
        t = t.group_by(["reporter", "operator", "node", "ts_us"]).aggregate(
            ok=t.ok.all(), latency_us=t.latency_us.max(where=t.ok)
        )
    offset = t.ts_us - window.start_us
    return t.select(
        node=t.node,
        operator=t.operator,
        slot=offset - offset % config_slot,
        ok=t.ok,
        latency_us=ibis.ifelse(t.ok, t.latency_us, 0).fill_null(0),
    )


def rows_per_stretch(probes: ir.Table, window: MeasuredWindow, width_us: int) -> ir.Table:
    """Return how many probes lie in each stretch of the window, by its first microsecond."""
    t = probes.filter(is_inside(probes, window))
    offset = t.ts_us - window.start_us
    t = t.select(stretch=offset - offset % width_us)
    return t.group_by("stretch").aggregate(n=t.count())


def answers(kept_rows: ir.Table) -> ir.Table:
    """Return node and latency_us of the ok probes."""
    return kept_rows.filter(kept_rows.ok).select("node", "latency_us")


def reports(kept_rows: ir.Table) -> ir.Table:
    """Return per node and operator: probes, ok probes, and the latency sum in two halves."""
    t = kept_rows
    return t.group_by(["node", "operator"]).aggregate(
        probes=t.count(),
        ok_probes=_rows(t.ok),
        high=_sum(t.latency_us >> HALF_BITS),
        low=_sum(t.latency_us & HALF_MASK),
    )


def votes(kept_rows: ir.Table) -> ir.Table:
    """Return per node, slot and operator its one vote (step 3): up is 1 or 0."""
    t = kept_rows
    # Good less bad: above 0 exactly when 2 * good > all. One sum is cheaper than two counts.
    balance = ibis.ifelse(t.ok, 1, -1).sum()
    counted = t.group_by(["node", "slot", "operator"]).aggregate(balance=balance)
    return counted.select("node", "slot", "operator", up=_flag(counted.balance > 0))


def votes_by_operator(vote_rows: ir.Table) -> ir.Table:
    """Return per node and operator in how many slots it voted, and voted up."""
    t = vote_rows
    return t.group_by(["node", "operator"]).aggregate(voted=t.count(), ups=_sum(t.up))


def slot_ranges(vote_rows: ir.Table, machines: Machines, slot_us: int) -> ir.Table:
    """Return ranges of consecutive slots of one state per node (step 3).

    A slot is observed when `needed` operators voted (the node's quorum), and then up when more
    than half of the votes are. Consecutive slots of one state have one difference between the
    slot and its rank among the node's slots of that state.

    Returns:
        node, state, first (slot), slots (how many).
    """
    t = vote_rows.group_by(["node", "slot"]).aggregate(
        voters=vote_rows.count(), ups=_sum(vote_rows.up)
    )
    t = t.inner_join(machines.nodes.select("node", "needed"), "node")
    t = t.select(
        "node",
        "slot",
        state=ibis.cases((t.voters < t.needed, UNOBSERVED), (2 * t.ups > t.voters, UP), else_=DOWN),
    )
    # A running count and not `row_number`, which has 32 bits on Spark: the product needs 64.
    so_far = ibis.cumulative_window(group_by=[t.node, t.state], order_by=t.slot)
    t = t.mutate(run=t.slot - t.slot.count().over(so_far) * slot_us)
    return t.group_by(["node", "state", "run"]).aggregate(first=t.slot.min(), slots=t.count())


def latency_buckets(answered: ir.Table, sought: ir.Table | None) -> ir.Table:
    """Return per node how many ok probes lie in each bucket of latencies.

    Args:
        answered: The ok probes, as of `answers`.
        sought: (node, bucket, width, finer) to look only inside these buckets, at `finer` widths;
            None for a first look everywhere.

    Returns:
        node, bucket (its smallest latency), n. First buckets are as FIRST_WIDTHS says.
    """
    t = answered
    if sought is None:
        t = t.select("node", bucket=first_bucket(t.latency_us))
    else:
        t = t.inner_join(sought, [t.node == sought.node]).filter(
            lambda j: (j.latency_us >= j.bucket) & (j.latency_us < j.bucket + j.width)
        )
        t = t.select("node", bucket=t.latency_us - t.latency_us % t.finer)
    return t.group_by(["node", "bucket"]).aggregate(n=t.count())


def first_bucket(latency_us: ir.IntegerValue) -> ir.IntegerValue:
    """Return the smallest latency of the bucket that a latency lies in at first."""
    return ibis.cases(
        *((latency_us < below, latency_us - latency_us % w) for below, w in FIRST_WIDTHS),
        else_=latency_us,
    )


def _flag(condition: ir.BooleanValue) -> ir.IntegerValue:
    return ibis.ifelse(condition, 1, 0)


def _rows(condition: ir.BooleanValue) -> ir.IntegerScalar:
    """Return in how many rows a condition holds; null counts as not."""
    return _sum(_flag(condition))


def _sum(values: ir.IntegerValue) -> ir.IntegerScalar:
    return values.cast("int64").sum().cast("int64").fill_null(0)
