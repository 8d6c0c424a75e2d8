"""Section 3: the status of nodes, six steps at the end of an epoch."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from rewards.rules.integers import format_decimal
from rewards.rules.records import NodeState, Status, Transition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rewards.rules.records import Node
    from rewards.rules.wct1.policy import NodePolicy
    from rewards.rules.wct1.scores import Performance

ACTIVE, RESERVED, STANDBY = Status.ACTIVE, Status.RESERVED, Status.STANDBY
CONFINED, DEACTIVATED = Status.CONFINED, Status.DEACTIVATED


def opening_states(
    nodes: tuple[Node, ...], carried: Mapping[str, NodeState] | None
) -> dict[str, NodeState]:
    """Return the state in which each listed node enters the epoch.

    The predecessor's closing state rules; a node that it does not know is new and on standby.
    Without a predecessor the status column rules.
    """
    if carried is None:
        return {node.node_id: NodeState(node.status or STANDBY) for node in nodes}
    return {node.node_id: carried.get(node.node_id, NodeState(STANDBY)) for node in nodes}


def rank(node: Node) -> tuple[int, str]:
    """Return the sort key of a rank: higher stake weight first, then id order."""
    return (-node.stake_weight, node.node_id)


class Lifecycle:
    """The roster while the six steps of the rulebook go over it.

    Attributes:
        states: State per node id; opening at first, closing after `close`.
        counts: How many nodes are in each status.
        transitions: Every change, in the order in which it happened.
    """

    def __init__(
        self,
        nodes: tuple[Node, ...],
        opening: Mapping[str, NodeState],
        performances: Mapping[str, Performance],
        policy: NodePolicy,
        end: int,
    ) -> None:
        self.ranked = sorted(nodes, key=rank)
        self.in_id_order = sorted(nodes, key=lambda node: node.node_id)
        self.opening = opening
        self.performances = performances
        self.policy = policy
        self.end = end
        self.states = dict(opening)
        self.counts = Counter(state.status for state in opening.values())
        self.transitions: list[Transition] = []

    def close(self) -> None:
        """Take the six steps, in the order of the rulebook."""
        self.exit_and_reentry()
        self.release_and_unready()
        self.confine()
        self.call_up()
        self.promote()
        self.surplus()

    def exit_and_reentry(self) -> None:
        """Step 1: leave on request; a deactivated node with a machine comes back on standby."""
        for node in self.in_id_order:
            status = self.opening[node.node_id].status
            if node.exit_requested and status is not DEACTIVATED:
                self._move(node, "exit", DEACTIVATED, "exit requested")
            elif status is DEACTIVATED and not node.exit_requested and node.machine_ready:
                self._move(node, "reentry", STANDBY, "machine ready and no exit requested")

    def release_and_unready(self) -> None:
        """Step 2: a served confinement ends on reserved; a reserved node needs its machine."""
        for node in self.in_id_order:
            state = self.states[node.node_id]
            if state.status is CONFINED and state.confined_until <= self.end:
                reason = f"confined until {state.confined_until} <= epoch end {self.end}"
                self._move(node, "release", RESERVED, reason)
            elif state.status is RESERVED and not node.machine_ready:
                self._move(node, "unready", STANDBY, "reserved without a ready machine")

    def confine(self) -> None:
        """Step 3: an active node whose score is below tau is confined."""
        tau = self.policy.tau
        for node in self.in_id_order:
            if self.states[node.node_id].status is not ACTIVE:
                continue
            score = self.performances[node.node_id].score
            if score < tau:
                until = self.end + self.policy.confinement_seconds
                reason = (
                    f"score {format_decimal(score)} < tau {format_decimal(tau)}; "
                    f"confined until {until}"
                )
                self._move(node, "confine", CONFINED, reason, confined_until=until)

    def call_up(self) -> None:
        """Step 4: fill up to the total target from standby; who has no machine is deactivated."""
        target = self.policy.total_target
        made_standby = {move.node_id for move in self.transitions if move.after is STANDBY}
        for node in self._ranked(STANDBY):
            filled = self.counts[ACTIVE] + self.counts[RESERVED]
            if filled >= target:
                return
            if node.node_id in made_standby:
                continue
            reason = f"active and reserved {filled} < total target {target}; {_ranked_by(node)}"
            if node.machine_ready:
                self._move(node, "call_up", RESERVED, f"{reason}; machine ready")
            else:
                self._move(node, "call_up", DEACTIVATED, f"{reason}; no machine ready")

    def promote(self) -> None:
        """Step 5: fill up to the active target with the best ranked fit reserved nodes."""
        target = self.policy.active_target
        for node in self._ranked(RESERVED):
            active = self.counts[ACTIVE]
            if active >= target:
                return
            if self._fit(node):
                reason = f"active {active} < active target {target}; {_ranked_by(node)}"
                self._move(node, "promote", ACTIVE, reason)

    def surplus(self) -> None:
        """Step 6: above the total target, the lowest ranked reserved nodes go to standby."""
        target = self.policy.total_target
        for node in reversed(list(self._ranked(RESERVED))):
            filled = self.counts[ACTIVE] + self.counts[RESERVED]
            if filled <= target:
                return
            reason = f"active and reserved {filled} > total target {target}; {_ranked_by(node)}"
            self._move(node, "surplus", STANDBY, reason)

    def _fit(self, node: Node) -> bool:
        scored = self.performances.get(node.node_id)
        return node.machine_ready and (scored is None or scored.score >= self.policy.tau)

    def _ranked(self, status: Status) -> Iterator[Node]:
        return iter([n for n in self.ranked if self.states[n.node_id].status is status])

    def _move(
        self, node: Node, step: str, after: Status, reason: str, *, confined_until: int = 0
    ) -> None:
        state = self.states[node.node_id]
        self.transitions.append(Transition(node.node_id, step, state.status, after, reason))
        self.counts[state.status] -= 1
        self.counts[after] += 1
        self.states[node.node_id] = replace(state, status=after, confined_until=confined_until)


def _ranked_by(node: Node) -> str:
    return f"stake weight {format_decimal(node.stake_weight)}"
