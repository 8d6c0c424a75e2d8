"""Section 4: node rewards from the pool R = pools.nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.rules.integers import WAD
from rewards.rules.records import Status
from rewards.rules.wct1.apportion import Apportionment, apportion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rewards.rules.records import Node, NodeState
    from rewards.rules.wct1.policy import NodePolicy
    from rewards.rules.wct1.scores import Performance


@dataclass(frozen=True, slots=True)
class NodePay:
    """What one node is due, in base units; `pay_factor` is a WAD."""

    pay_factor: int
    base: int
    bonus: int
    penalty: int
    debt_in: int
    debt_out: int
    withheld: int
    paid: int


@dataclass(frozen=True, slots=True)
class NodePool:
    """The pool and the sums over all nodes that the formulas of one node need."""

    pool: int
    base_pool: int
    bonus_pool: int
    base_weights: tuple[int, ...]
    bonus_weights: tuple[int, ...]
    full_bonus_weight: int
    """What the bonus weights would add up to if every paid node scored 1: Σ a_m f_m, a WAD."""
    apportionment: Apportionment | None
    """How the bonus pool was divided under `bonus_split = "pro_rata"`."""
    pays: tuple[NodePay, ...]

    @property
    def unallocated(self) -> int:
        """What of the pool was neither paid nor withheld."""
        return self.pool - sum(pay.paid + pay.withheld for pay in self.pays)


def pay_factor(status: Status, policy: NodePolicy) -> int:
    """Return f for a node's opening status."""
    if status is Status.ACTIVE:
        return WAD
    return policy.reserved_factor if status is Status.RESERVED else 0


def base_weight(factor: int, stake_weight: int, policy: NodePolicy) -> int:
    """Return c_n."""
    return factor * stake_weight if policy.base_weighting == "stake" else factor


def bonus_stake(stake_weight: int, policy: NodePolicy) -> int:
    """Return a_n."""
    return stake_weight if policy.weighting == "stake" else 1


def bonus_weight(stake: int, factor: int, score: int, tau: int) -> int:
    """Return b_n: nothing for a node that is not paid or whose score is below tau."""
    return stake * factor * score if factor > 0 and score >= tau else 0


def penalty(base: int, score: int, policy: NodePolicy) -> int:
    """Return the penalty of a paid node: in proportion to how far its score is below tau."""
    tau = policy.tau
    return base * policy.penalty_rate * (tau - score) // (tau * WAD) if score < tau else 0


def net(
    factor: int, base: int, bonus: int, penalty: int, debt_in: int, *, carry_debt: bool
) -> NodePay:
    """Net bonus and penalty, the one step that does: what is paid, withheld and still owed."""
    due = penalty + debt_in
    paid = max(base + bonus - due, 0)
    debt_out = max(due - base - bonus, 0) if carry_debt or factor == 0 else 0
    withheld = base + bonus - paid
    return NodePay(factor, base, bonus, penalty, debt_in, debt_out, withheld, paid)


def pay_nodes(
    pool: int,
    nodes: tuple[Node, ...],
    opening: Mapping[str, NodeState],
    performances: Mapping[str, Performance],
    policy: NodePolicy,
) -> NodePool:
    """Return what each node is paid, in the order of `nodes` (id order)."""
    factors = [pay_factor(opening[node.node_id].status, policy) for node in nodes]
    # Only a paid node's score counts, and a paid node always has one (section 1).
    scores = [
        performances[node.node_id].score if factor > 0 else 0
        for node, factor in zip(nodes, factors, strict=True)
    ]
    stakes = [bonus_stake(node.stake_weight, policy) for node in nodes]

    base_pool = pool * policy.alpha // WAD
    bonus_pool = pool - base_pool

    base_weights = tuple(
        base_weight(factor, node.stake_weight, policy)
        for node, factor in zip(nodes, factors, strict=True)
    )
    base_total = sum(base_weights)
    bases = [base_pool * c // base_total if base_total else 0 for c in base_weights]

    bonus_weights = tuple(
        bonus_weight(stake, factor, score, policy.tau)
        for stake, factor, score in zip(stakes, factors, scores, strict=True)
    )
    full = sum(stake * factor for stake, factor in zip(stakes, factors, strict=True))
    apportionment = None
    if policy.bonus_split == "pro_rata":
        apportionment = apportion(bonus_pool, bonus_weights, policy.share_cap)
        bonuses = list(apportionment.amounts)
    else:
        bonuses = [bonus_pool * b // (WAD * full) if full else 0 for b in bonus_weights]

    penalties = [
        penalty(base, score, policy) if factor > 0 else 0
        for base, score, factor in zip(bases, scores, factors, strict=True)
    ]
    pays = tuple(
        net(
            factor,
            base,
            bonus,
            fine,
            opening[node.node_id].debt,
            carry_debt=policy.carry_debt,
        )
        for node, factor, base, bonus, fine in zip(
            nodes, factors, bases, bonuses, penalties, strict=True
        )
    )
    return NodePool(
        pool, base_pool, bonus_pool, base_weights, bonus_weights, full, apportionment, pays
    )
