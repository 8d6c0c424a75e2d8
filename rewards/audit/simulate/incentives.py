"""What an operator would gain by splitting one id in two, or by merging two into one.

Everybody else stays as measured. Halves: activity and stake are divided (the odd unit stays with
the first), score, certificate and status are kept by both. Merged: activity and stake add up, the
larger one's score, certificate and status count. A node's second half takes an additional place;
its debt stays with the first. So these are upper bounds where ids are permissioned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from rewards.rules import RULESETS
from rewards.rules.records import NodeState, Status, Tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rewards.audit.simulate.replay import EpochRun, Run
    from rewards.rules.records import EpochResult, Inputs, Node, NodeScore, Opening, Wallet

SPLIT, MERGE = "split", "merge"
PAIRS = 3
SECOND = ":second-half"


@dataclass(frozen=True, slots=True)
class Incentive:
    """What one operator gets as things are, and after splitting or merging, in one epoch.

    Attributes:
        program: `nodes` or `wallets`.
        action: `split` or `merge`.
        ids: The id that is split, or the two that are merged.
        group: Where it stands: the tier, or the status.
        apart: What is paid as things are.
        changed: What would be paid.
    """

    program: str
    action: str
    ids: tuple[str, ...]
    group: str
    epoch: int
    apart: int
    changed: int

    @property
    def gain(self) -> int:
        """What the operator gains; negative for a loss."""
        return self.changed - self.apart


Case = tuple[str, str, tuple[str, ...], str]
"""(program, action, ids, group): which question is asked, the same one of every scenario."""


def cases_of(run: Run) -> list[Case]:
    """Return the questions: of every group the largest, the quarters and the smallest.

    Merging is asked of neighbours in size: the largest of each tier, and the largest wallets that
    miss the threshold and would pass it together.
    """
    cases: list[Case] = []
    wallets = _last(run, "wallets")
    if wallets:
        cases += list(_wallet_cases(wallets))
    nodes = _last(run, "nodes")
    if nodes:
        cases += list(_node_cases(nodes))
    return cases


def incentives_of(run: Run, cases: Sequence[Case]) -> list[Incentive]:
    """Return the answers under a run, in the last epoch in which the program pays."""
    answers = []
    for program, action, ids, group in cases:
        epoch = _last(run, program)
        if epoch is None:
            continue
        answer = _wallet_pay if program == "wallets" else _node_pay
        apart, changed = answer(epoch, action, ids)
        answers.append(Incentive(program, action, ids, group, epoch.epoch, apart, changed))
    return answers


def _last(run: Run, program: str) -> EpochRun | None:
    """Return the last epoch in which a program pays anybody."""
    for epoch in reversed(run.epochs):
        rows = epoch.result.nodes if program == "nodes" else epoch.result.wallets
        if rows:
            return epoch
    return None


def _spread(names: Sequence[str]) -> list[str]:
    """Return the first three, the quarters and the last of a list ordered by size."""
    last = len(names) - 1
    places = sorted({0, 1, 2, last // 4, last // 2, 3 * last // 4, last})
    return [names[place] for place in places if 0 <= place <= last]


def _wallet_cases(epoch: EpochRun) -> Iterator[Case]:
    def by_activity(tier: Tier) -> list[str]:
        rows = [row for row in epoch.result.wallets if row.tier is tier]
        return [row.wallet_id for row in sorted(rows, key=lambda r: (-r.activity, r.wallet_id))]

    for tier in (Tier.CERTIFIED, Tier.ELIGIBLE):
        names = by_activity(tier)
        for name in _spread(names):
            yield "wallets", SPLIT, (name,), str(tier)
        for pair in list(pairwise(names))[:PAIRS]:
            yield "wallets", MERGE, pair, str(tier)
    for pair in list(pairwise(by_activity(Tier.INELIGIBLE)))[:PAIRS]:
        yield "wallets", MERGE, pair, str(Tier.INELIGIBLE)


def _node_cases(epoch: EpochRun) -> Iterator[Case]:
    stakes = {node.node_id: node.stake_weight for node in epoch.inputs.nodes or ()}
    for status in (Status.ACTIVE, Status.RESERVED):
        rows = [row for row in epoch.result.nodes if row.opening_status is status]
        ordered = sorted(rows, key=lambda row: (-stakes[row.node_id], row.node_id))
        names = [row.node_id for row in ordered]
        for name in _spread(names)[:: 2 if len(names) > 3 else 1]:
            yield "nodes", SPLIT, (name,), str(status)
        for pair in list(pairwise(names))[:1]:
            yield "nodes", MERGE, pair, str(status)


def _halves(amount: int) -> tuple[int, int]:
    return amount - amount // 2, amount // 2


# --- wallets ---------------------------------------------------------------------------------


def _wallet_pay(epoch: EpochRun, action: str, ids: tuple[str, ...]) -> tuple[int, int]:
    """Return what wallets are paid as they are, and after the change."""
    named = [w for w in epoch.inputs.wallets or () if w.wallet_id in ids]
    paid = {row.wallet_id: row.amount for row in epoch.result.wallets}
    weighty = {
        row.wallet_id for row in epoch.result.wallets if row.tier is not Tier.INELIGIBLE
    } - set(ids)
    # Wallets without a weight change nobody's share, so they can be left out.
    others = [w for w in epoch.inputs.wallets or () if w.wallet_id in weighty]
    changed = _split_wallet(named[0]) if action == SPLIT else [_merged_wallet(named)]
    wallets = tuple(sorted([*others, *changed], key=lambda w: w.wallet_id))
    header = epoch.inputs.header
    inputs = replace(
        epoch.inputs,
        header=replace(header, pools=replace(header.pools, nodes=0)),
        nodes=None,
        node_scores=None,
        adjustments=None,
        wallets=wallets,
    )
    result = _compute(inputs, None)
    names = {wallet.wallet_id for wallet in changed}
    after = sum(row.amount for row in result.wallets if row.wallet_id in names)
    return sum(paid[name] for name in ids), after


def _split_wallet(wallet: Wallet) -> list[Wallet]:
    pairs = [_halves(n) for n in (wallet.connections, wallet.signatures, wallet.stake_weight)]
    return [
        replace(
            wallet,
            wallet_id=wallet.wallet_id + mark,
            connections=connections,
            signatures=signatures,
            stake_weight=stake,
        )
        for mark, connections, signatures, stake in zip(("", SECOND), *pairs, strict=True)
    ]


def _merged_wallet(wallets: Sequence[Wallet]) -> Wallet:
    larger = max(wallets, key=lambda w: (w.signatures, w.connections, w.wallet_id))
    return replace(
        larger,
        connections=sum(w.connections for w in wallets),
        signatures=sum(w.signatures for w in wallets),
        stake_weight=sum(w.stake_weight for w in wallets),
    )


# --- nodes -----------------------------------------------------------------------------------


def _node_pay(epoch: EpochRun, action: str, ids: tuple[str, ...]) -> tuple[int, int]:
    """Return what nodes are paid as they are, and after the change."""
    paid = {row.node_id: row.paid for row in epoch.result.nodes}
    nodes = {node.node_id: node for node in epoch.inputs.nodes or ()}
    scores = {row.node_id: row for row in epoch.inputs.node_scores or ()}
    states = dict(epoch.opening.state.nodes) if epoch.opening else {}
    first = max((nodes[name] for name in ids), key=lambda node: node.stake_weight)
    if action == SPLIT:
        second = first.node_id + SECOND
        stake, rest = _halves(first.stake_weight)
        nodes[first.node_id] = replace(first, stake_weight=stake)
        nodes[second] = replace(first, node_id=second, stake_weight=rest)
        if first.node_id in scores:
            scores[second] = replace(scores[first.node_id], node_id=second)
        if first.node_id in states:
            states[second] = replace(states[first.node_id], debt=0)
        names = {first.node_id, second}
    else:
        nodes[first.node_id] = replace(
            first, stake_weight=sum(nodes[name].stake_weight for name in ids)
        )
        if first.node_id in states:
            debt = sum(states.get(name, NodeState(Status.STANDBY)).debt for name in ids)
            states[first.node_id] = replace(states[first.node_id], debt=debt)
        for name in set(ids) - {first.node_id}:
            del nodes[name]
            scores.pop(name, None)
        names = {first.node_id}
    result = _compute(
        _nodes_only(epoch.inputs, nodes.values(), scores.values()), _opening(epoch, states)
    )
    after = sum(row.paid for row in result.nodes if row.node_id in names)
    return sum(paid[name] for name in ids), after


def _nodes_only(inputs: Inputs, nodes: Iterable[Node], scores: Iterable[NodeScore]) -> Inputs:
    pools = replace(inputs.header.pools, wallets_eligible=0, wallets_certified=0)
    return replace(
        inputs,
        header=replace(inputs.header, pools=pools),
        nodes=tuple(sorted(nodes, key=lambda node: node.node_id)),
        node_scores=tuple(sorted(scores, key=lambda row: row.node_id)),
        wallets=None,
        adjustments=None,
    )


def _opening(epoch: EpochRun, states: Mapping[str, NodeState]) -> Opening | None:
    if epoch.opening is None:
        return None
    return replace(epoch.opening, state=replace(epoch.opening.state, nodes=states))


def _compute(inputs: Inputs, opening: Opening | None) -> EpochResult:
    return RULESETS[inputs.policy.ruleset].compute_epoch(inputs, opening)
