"""Checks on what the pay is computed from: scores, activity, certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewards.audit.checks.model import Hit, wct_text
from rewards.files.grammar import counted
from rewards.rules.integers import WAD, format_decimal
from rewards.rules.records import Tier
from rewards.rules.tables import rows_where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rewards.audit.checks.model import Evidence


def score_drift(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield nodes whose score moved by more than the limit since the last node epoch."""
    table = evidence.earlier.nodes
    if table is None:
        return
    for node in evidence.result.nodes:
        row = table.rows.get(node.node_id)
        if row is None or row.score is None or node.score is None:
            continue
        if abs(node.score - row.score) > limits["limit"]:
            yield Hit(
                f"node:{node.node_id}",
                {
                    "score_before": format_decimal(row.score),
                    "score_after": format_decimal(node.score),
                    "earlier_epoch": str(table.epoch),
                },
                format_decimal(limits["limit"]),
            )


def say_score_drift(values: Mapping[str, str], limit: str | None) -> str:
    """Word a drifting score."""
    return (
        f"score {values['score_before'][:6]} in epoch {values['earlier_epoch']}, now "
        f"{values['score_after'][:6]}; limit {limit}"
    )


def at_threshold(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield wallets whose activity is the threshold, or above it by at most the limit's share."""
    threshold = int(evidence.inputs.policy.canonical.get("wallets.threshold", "0"))
    highest = threshold + threshold * limits["limit"] // WAD
    for (wallet,) in rows_where(
        lambda wallet: (wallet.activity >= threshold) & (wallet.activity <= highest),
        evidence.result.wallets if threshold else (),
    ):
        yield Hit(
            f"wallet:{wallet.wallet_id}",
            {
                "activity": str(wallet.activity),
                "threshold": str(threshold),
                "amount": str(wallet.amount),
            },
            format_decimal(limits["limit"]),
        )


def say_at_threshold(values: Mapping[str, str], limit: str | None) -> str:  # noqa: ARG001
    """Word an activity at the threshold."""
    above = int(values["activity"]) - int(values["threshold"])
    where = f"{above} above" if above else "exactly at"
    return (
        f"activity {values['activity']}, {where} the threshold; gets {wct_text(values['amount'])}"
    )


def _wallets_where(
    evidence: Evidence, holds: Callable[[Any, Any], Any]
) -> Iterator[tuple[Any, ...]]:
    """Yield what is measured and what is paid of the wallets for which a condition holds."""
    return rows_where(holds, evidence.inputs.wallets or (), evidence.result.wallets)


def certified_without_stake(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield wallets paid as certified with no more stake than the limit."""
    for wallet, paid in _wallets_where(
        evidence,
        lambda wallet, paid: (
            (paid.tier == Tier.CERTIFIED) & (wallet.stake_weight <= limits["limit"])
        ),
    ):
        yield Hit(
            f"wallet:{wallet.wallet_id}",
            {"stake_weight": str(wallet.stake_weight), "amount": str(paid.amount)},
            format_decimal(limits["limit"]),
        )


def say_certified_without_stake(values: Mapping[str, str], limit: str | None) -> str:
    """Word a certificate without stake."""
    return (
        f"paid {wct_text(values['amount'])} as certified with a stake weight of "
        f"{wct_text(values['stake_weight'])}; limit {limit} WCT"
    )


def signatures_per_connection(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield paid wallets with more signatures per connection than the limit."""
    for wallet, paid in _wallets_where(
        evidence,
        lambda wallet, paid: (
            (paid.tier != Tier.INELIGIBLE)
            & (wallet.signatures * WAD > limits["limit"] * wallet.connections)
        ),
    ):
        yield Hit(
            f"wallet:{wallet.wallet_id}",
            {
                "signatures": str(wallet.signatures),
                "connections": str(wallet.connections),
                "amount": str(paid.amount),
            },
            format_decimal(limits["limit"]),
        )


def say_signatures_per_connection(values: Mapping[str, str], limit: str | None) -> str:
    """Word an unusual number of signatures."""
    signatures = counted(int(values["signatures"]), "signature")
    return (
        f"{signatures} on {counted(int(values['connections']), 'connection')}, "
        f"gets {wct_text(values['amount'])}; limit {limit} per connection"
    )
