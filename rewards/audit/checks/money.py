"""Checks on pools and parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewards.audit.checks.model import Hit, percent_text, wct_text
from rewards.files.grammar import counted, parse_decimal
from rewards.rules.integers import WAD, format_decimal
from rewards.rules.records import sum_of
from rewards.rules.tables import count_above_zero

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rewards.audit.checks.model import Evidence

PLANNED_POOLS = ("nodes", "wallets_eligible", "wallets_certified")
NOT_RULES = {"approval", "first_epoch"}
"""Keys of a policy that say where it comes from, not how it pays."""


def _paid(evidence: Evidence, pool: str) -> int:
    return next(i.plus["paid"] for i in evidence.result.identities if i.name == pool)


def _runs(evidence: Evidence, pool: str) -> bool:
    inputs = evidence.inputs
    return (inputs.nodes if pool == "nodes" else inputs.wallets) is not None


def pool_plan(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield pools that leave their plan by more than the limit's share, and a spent total."""
    for pool in PLANNED_POOLS:
        plan = limits[pool]
        if plan is None or not _runs(evidence, pool):
            continue
        approved: int = getattr(evidence.inputs.header.pools, pool)
        if abs(approved - plan) * WAD > limits["limit"] * plan:
            yield Hit(
                f"pool:{pool}",
                {
                    "approved": str(approved),
                    "paid": str(_paid(evidence, pool)),
                    "plan": str(plan),
                },
                format_decimal(limits["limit"]),
            )
    total = sum_of(evidence.result.allocations, "cumulative")
    if limits["total"] is not None and total > limits["total"]:
        yield Hit(
            "pool:total",
            {"cumulative_total": str(total), "plan": str(limits["total"])},
            format_decimal(limits["limit"]),
        )


def say_pool_plan(values: Mapping[str, str], limit: str | None) -> str:
    """Word a pool that left its plan."""
    plan = wct_text(values["plan"])
    if "cumulative_total" in values:
        return f"{wct_text(values['cumulative_total'])} allotted in total; the plan is {plan}"
    return (
        f"{wct_text(values['approved'])} approved, {wct_text(values['paid'])} of it paid; the plan "
        f"is {plan}, limit {percent_text(str(limit))} off it"
    )


def _capped_pools(evidence: Evidence) -> Iterator[tuple[str, int, int, str | None]]:
    """Yield (pool, amount, members with a weight, cap) of every pool that is apportioned."""
    pools, policy = evidence.inputs.header.pools, evidence.inputs.policy.canonical
    wallets = evidence.result.wallets
    for pool in ("wallets_eligible", "wallets_certified"):
        column = pool.replace("wallets", "weight")
        members = count_above_zero(wallets, column)
        yield pool, getattr(pools, pool), members, policy.get("wallets.share_cap")
    if policy.get("nodes.bonus_split") == "pro_rata":
        bonus_pool = pools.nodes - pools.nodes * parse_decimal(policy["nodes.alpha"]) // WAD
        members = sum(node.bonus > 0 for node in evidence.result.nodes)
        yield "nodes", bonus_pool, members, policy.get("nodes.share_cap")


def untakeable(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:
    """Yield pools of which nobody can take more than the limit: members times cap is below 1."""
    for pool, amount, members, cap in _capped_pools(evidence):
        takeable = amount if members else 0
        if cap is not None:
            takeable = min(takeable, members * (amount * parse_decimal(cap) // WAD))
        if amount - takeable > limits["limit"]:
            yield Hit(
                f"pool:{pool}",
                {
                    "pool": str(amount),
                    "members": str(members),
                    "cap": cap or "1",
                    "untakeable": str(amount - takeable),
                },
                format_decimal(limits["limit"]),
            )


def say_untakeable(values: Mapping[str, str], limit: str | None) -> str:  # noqa: ARG001
    """Word money that nobody can take."""
    members = counted(int(values["members"]), "member")
    return (
        f"{members} under a cap of {percent_text(values['cap'])} each: nobody "
        f"can take {wct_text(values['untakeable'])} of {wct_text(values['pool'])}"
    )


def policy_change(evidence: Evidence, limits: Mapping[str, Any]) -> Iterator[Hit]:  # noqa: ARG001
    """Yield parameters that differ from those of the epoch before."""
    if evidence.opening is None:
        return
    before, after = evidence.opening.state.policy, evidence.inputs.policy.canonical
    for key in sorted({*before, *after} - NOT_RULES):
        if before.get(key) != after.get(key):
            yield Hit(
                f"policy:{key}",
                {"before": before.get(key, "absent"), "after": after.get(key, "absent")},
            )


def say_policy_change(values: Mapping[str, str], limit: str | None) -> str:  # noqa: ARG001
    """Word a changed parameter."""
    return f"was {values['before']}, is {values['after']}: see `approval` in policy.toml"
