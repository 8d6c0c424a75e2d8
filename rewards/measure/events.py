"""The aggregations over wallet events, written once as Ibis expressions (section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from rewards.measure.probes import is_inside, time_range

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from rewards.measure.records import MeasuredWindow

CONNECTION, SIGNATURE = "connection", "signature"
UNKNOWN = -1
"""The number of every wallet that `wallets.csv` lacks."""


def census(events: ir.Table, window: MeasuredWindow) -> ir.Table:
    """Return one row: how many events there are, and what is wrong with them."""
    inside = is_inside(events, window)
    return events.aggregate(
        read=events.count(),
        inside=_rows(inside),
        broken=events.broken.count(),
        bad_kind=_rows(inside & ~is_kind(events)),
        failed=_rows(inside & ~events.ok),
        **time_range(events.ts_us),
    )


def is_kind(events: ir.Table) -> ir.BooleanValue:
    """Whether an event is of one of the two kinds."""
    return events.kind.isin([CONNECTION, SIGNATURE])


def successful(events: ir.Table, wallets: ir.Table, window: MeasuredWindow) -> ir.Table:
    """Return the successful events inside the window.

    Args:
        events: All events.
        wallets: wallet_id and number of every known wallet.
        window: The window.

    Returns:
        event_id, wallet_id, kind, number (-1 for a wallet that is not known).
    """
    t = events.filter(is_inside(events, window) & events.ok).left_join(wallets, "wallet_id")
    return t.select("event_id", "wallet_id", "kind", number=t.number.fill_null(UNKNOWN))


def activity(succeeded: ir.Table) -> ir.Table:
    """Return per wallet and kind the distinct events, and conflicts among them.

    Returns:
        source (`2 * number`, one more for a signature), events, conflicts. Two wallets that are
        both unknown count as one here.
    """
    # One integer for wallet and kind: an event_id is all that is kept of many events.
    t = succeeded
    source = 2 * t.number + ibis.ifelse(t.kind == SIGNATURE, 1, 0)
    t = t.select("event_id", source=source.cast("int64"))
    each = t.group_by("event_id").aggregate(source=t.source.min(), other=t.source.max())
    return each.group_by("source").aggregate(
        events=each.count(), conflicts=_rows(each.source != each.other)
    )


def distinct_events(succeeded: ir.Table) -> ir.Table:
    """Return a row per event_id.

    Returns:
        event_id, wallet_id, kind; other_wallet and other_kind differ from them where an event_id
        is used twice.
    """
    t = succeeded
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


def _rows(condition: ir.BooleanValue) -> ir.IntegerScalar:
    return ibis.ifelse(condition, 1, 0).cast("int64").sum().cast("int64").fill_null(0)
