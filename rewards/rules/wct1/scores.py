"""Section 2: the performance score of a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.rules.integers import WAD

if TYPE_CHECKING:
    from rewards.rules.records import NodeScore
    from rewards.rules.wct1.policy import PerformancePolicy


@dataclass(frozen=True, slots=True)
class Performance:
    """U, L and P of one node, WADs."""

    uptime: int
    latency_score: int
    score: int


def uptime_ratio(uptime_seconds: int, epoch_seconds: int) -> int:
    """Return U, the share of the epoch that the node was up, rounded down."""
    return uptime_seconds * WAD // epoch_seconds


def latency_score(response_time_us: int, requests: int, target_us: int, ceiling_us: int) -> int:
    """Return L: 1 up to the target mean latency, 0 from the ceiling on, linear in between."""
    if requests == 0 or response_time_us >= ceiling_us * requests:
        return 0
    if response_time_us <= target_us * requests:
        return WAD
    return (ceiling_us * requests - response_time_us) * WAD // ((ceiling_us - target_us) * requests)


def combined_score(uptime: int, latency: int, policy: PerformancePolicy) -> int:
    """Return P: the product of the weighted scores, or their weighted mean."""
    w_u, w_l = policy.uptime_weight, policy.latency_weight
    if policy.combine == "weighted_mean":
        return (w_u * uptime + w_l * latency) // (w_u + w_l)
    return (w_u * uptime) * (w_l * latency) // WAD**3


def performance(row: NodeScore, epoch_seconds: int, policy: PerformancePolicy) -> Performance:
    """Return U, L and P for a row of `node_scores.csv`."""
    uptime = uptime_ratio(row.uptime_seconds, epoch_seconds)
    latency = latency_score(
        row.response_time_us, row.requests, policy.latency_target_us, policy.latency_ceiling_us
    )
    return Performance(uptime, latency, combined_score(uptime, latency, policy))
