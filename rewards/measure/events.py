"""The aggregations over wallet events, written once as Ibis expressions (section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from rewards.measure.probes import is_inside, time_range

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from rewards.measure.records import MeasuredWindow

CONNECTION, SIGNATURE = "connection", "signature"


def census(events: ir.Table, window: MeasuredWindow) -> ir.Table:
    """Return one row: how many events there are, and what is wrong with them."""
    inside = is_inside(events, window)
    return events.aggregate(
        read=events.count(),
        inside=_rows(inside),
        broken=events.broken.count(),
        bad_kind=_rows(inside & ~is_kind(events)),
        failed=_rows(inside & ~events.ok),
        **time_range(events.ts_us, window),
    )


def is_kind(events: ir.Table) -> ir.BooleanValue:
    """Whether an event is of one of the two kinds."""
    return events.kind.isin([CONNECTION, SIGNATURE])


def distinct_events(events: ir.Table, window: MeasuredWindow) -> ir.Table:
    """Return the successful events inside the window, a row per event_id.

    Returns:
        event_id, wallet_id, kind; other_wallet and other_kind differ from them where an event_id
        is used twice.
    """
    t = events.filter(is_inside(events, window) & events.ok)
    return t.group_by("event_id").aggregate(
        wallet_id=t.wallet_id.min(),
        other_wallet=t.wallet_id.max(),
        kind=t.kind.min(),
        other_kind=t.kind.max(),
    )


def is_conflict(distinct: ir.Table) -> ir.BooleanValue:
    """Whether an event_id stands for two wallets or two kinds."""
    wallets = distinct.wallet_id != distinct.other_wallet
    return wallets | (distinct.kind != distinct.other_kind)


def activity(distinct: ir.Table) -> ir.Table:
    """Return per wallet its connections and signatures, and the conflicts among them."""
    return distinct.group_by("wallet_id").aggregate(
        connections=_rows(distinct.kind == CONNECTION),
        signatures=_rows(distinct.kind == SIGNATURE),
        conflicts=_rows(is_conflict(distinct)),
    )


def _rows(condition: ir.BooleanValue) -> ir.IntegerScalar:
    return ibis.ifelse(condition, 1, 0).cast("int64").sum().cast("int64").fill_null(0)
