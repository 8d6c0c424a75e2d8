"""Section 1: what makes the inputs of an epoch acceptable.

Files have already been read by their grammar; here stand the conditions that tie rows, files and
the predecessor together. Every condition yields what violates it; nothing stops at the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.rules.records import NodeState, Problem, Status
from rewards.rules.wct1.ledger import is_payable
from rewards.rules.wct1.lifecycle import opening_states

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rewards.rules.records import Address, Inputs, Node, Opening, Wallet

DECIMALS = 18
PAID_STATUSES = (Status.ACTIVE, Status.RESERVED)


def input_problems(inputs: Inputs, opening: Opening | None) -> Iterator[Problem]:
    """Yield every problem of the inputs, file by file."""
    yield from _settlement(inputs, opening)
    yield from _windows(inputs, opening)
    yield from _predecessor(inputs, opening)
    yield from _pools(inputs)
    yield from _policy(inputs, opening)
    yield from _payees(inputs)
    if inputs.nodes is not None and inputs.node_scores is not None:
        if opening or inputs.header.genesis:  # else the one cause is reported already
            yield from _nodes(inputs.nodes, opening)
        yield from _node_scores(inputs, opening)


def _settlement(inputs: Inputs, opening: Opening | None) -> Iterator[Problem]:
    here = inputs.settlement
    if here.decimals != DECIMALS:
        yield Problem(
            "settlement.toml",
            "is not 18",
            "WCT has 18 decimals on EVM chains; another token needs another ruleset",
            column="decimals",
            value=str(here.decimals),
        )
    for column, address in (("distributor", here.distributor), ("token", here.token)):
        if int(address, 16) == 0:
            yield Problem(
                "settlement.toml",
                "is the zero address",
                "name the contract on the chain",
                column=column,
                value=address,
            )
    if here.distributor == here.token:
        yield Problem(
            "settlement.toml",
            "is the token's address too",
            "distributor and token are two contracts",
            column="distributor",
            value=here.distributor,
        )
    if opening is None:
        return
    before = opening.state.settlement
    for column in ("chain_id", "distributor", "token", "decimals"):
        if getattr(here, column) != getattr(before, column):
            yield Problem(
                "settlement.toml",
                f"differs from the predecessor's {getattr(before, column)}",
                "keep the predecessor's target: another contract would pay all cumulative "
                "amounts again",
                column=column,
                value=str(getattr(here, column)),
            )


def _windows(inputs: Inputs, opening: Opening | None) -> Iterator[Problem]:
    header = inputs.header
    if header.window.start >= header.window.end:
        yield Problem(
            "epoch.toml",
            "is not after start",
            "an epoch is the half-open interval [start, end)",
            column="end",
            value=str(header.window.end),
        )
    active = header.wallet_window
    if active == header.window:
        return
    if active.start >= active.end:
        yield Problem(
            "epoch.toml",
            "is not after wallets.start",
            "the wallets' activity window must not be empty",
            column="wallets.end",
            value=str(active.end),
        )
    if active.end > header.window.end:
        yield Problem(
            "epoch.toml",
            f"lies after the epoch's end {header.window.end}",
            "the wallets' activity window ends by the epoch's end",
            column="wallets.end",
            value=str(active.end),
        )
    if opening and active.start < opening.state.wallets_end:
        yield Problem(
            "epoch.toml",
            f"lies before {opening.state.wallets_end}, where the last paid window ended",
            "no activity is paid twice: start where the last window ended, or later",
            column="wallets.start",
            value=str(active.start),
        )


def _predecessor(inputs: Inputs, opening: Opening | None) -> Iterator[Problem]:
    header = inputs.header
    if opening is None:
        if not header.genesis:
            yield Problem(
                "epoch.toml",
                "has no predecessor and does not say genesis = true",
                "give the predecessor with --previous, or say genesis = true in a first epoch",
                column="genesis",
            )
        return
    if header.genesis:
        yield Problem(
            "epoch.toml",
            "is true in an epoch with a predecessor",
            "remove it, or leave out --previous if this really is the first epoch",
            column="genesis",
            value="true",
        )
    before = opening.state
    if header.epoch != before.epoch + 1:
        yield Problem(
            "epoch.toml",
            f"does not follow the predecessor's epoch {before.epoch}",
            f"epoch {before.epoch + 1} comes next; check which folder is the predecessor",
            column="epoch",
            value=str(header.epoch),
        )
    if header.window.start != before.end:
        kind = "leaves a gap after" if header.window.start > before.end else "overlaps"
        yield Problem(
            "epoch.toml",
            f"{kind} the predecessor, which ended at {before.end}",
            "an epoch starts where its predecessor ended",
            column="start",
            value=str(header.window.start),
        )


def _pools(inputs: Inputs) -> Iterator[Problem]:
    pools = inputs.header.pools
    if inputs.wallets is None:
        for name in ("wallets_eligible", "wallets_certified"):
            if getattr(pools, name):
                yield Problem(
                    "epoch.toml",
                    "is not 0 although there is no wallet_scores.csv",
                    "add wallet_scores.csv, or set the pool to 0: the program does not run",
                    column=f"pools.{name}",
                    value=str(getattr(pools, name)),
                )
    if (inputs.nodes is None) != (inputs.node_scores is None):
        absent = "nodes.csv" if inputs.nodes is None else "node_scores.csv"
        yield Problem(
            absent, "is missing although the other node file is there", "give both or none"
        )
    elif inputs.nodes is None and pools.nodes:
        yield Problem(
            "epoch.toml",
            "is not 0 although there are no node files",
            "add nodes.csv and node_scores.csv, or set the pool to 0: the program does not run",
            column="pools.nodes",
            value=str(pools.nodes),
        )


def _policy(inputs: Inputs, opening: Opening | None) -> Iterator[Problem]:
    policy, epoch = inputs.policy, inputs.header.epoch
    if opening is None:
        if policy.first_epoch > epoch:
            yield Problem(
                "policy.toml",
                f"lies after this epoch {epoch}",
                "use the policy that was in force in this epoch",
                column="first_epoch",
                value=str(policy.first_epoch),
            )
        return
    if policy.first_epoch == epoch:
        return
    before = opening.state.policy
    for key in sorted({*policy.canonical, *before}):
        here, there = policy.canonical.get(key, ""), before.get(key, "")
        if here != there:
            yield Problem(
                "policy.toml",
                f"differs from the predecessor's {there or 'absence'}",
                f"keep the predecessor's policy, or say first_epoch = {epoch} and where the "
                "change was approved",
                column=key,
                value=here,
            )


def _payees(inputs: Inputs) -> Iterator[Problem]:
    distributor, token = inputs.settlement.distributor, inputs.settlement.token
    wallets: Iterable[Wallet] = inputs.wallets or ()
    if not isinstance(wallets, tuple):
        from rewards.rules.wct1 import columns  # noqa: PLC0415 - a small epoch needs no numpy

        wallets = columns.unpayable(wallets, distributor, token)
    payees: list[tuple[str, str, Address]] = [
        *(("nodes.csv", node.node_id, node.payout_address) for node in inputs.nodes or ()),
        *(("wallet_scores.csv", w.wallet_id, w.payout_address) for w in wallets),
        *(
            ("adjustments.csv", adjustment.payout_address, adjustment.payout_address)
            for adjustment in inputs.adjustments or ()
        ),
    ]
    for file, key, address in payees:
        if not is_payable(address, distributor, token):
            yield Problem(
                file,
                "cannot be paid: the zero address, a precompile (up to 0xffff), the distributor "
                "or the token",
                "give the payee's own address",
                key=key,
                column="payout_address",
                value=address,
            )


def _nodes(nodes: tuple[Node, ...], opening: Opening | None) -> Iterator[Problem]:
    if opening is None:
        for node in nodes:
            if node.status is None or node.status is Status.CONFINED:
                yield Problem(
                    "nodes.csv",
                    "is no opening status of a first epoch",
                    "say active, reserved, standby or deactivated",
                    key=node.node_id,
                    column="status",
                    value=node.status or "",
                )
        return
    known = opening.state.nodes
    for node in nodes:
        if node.status is None:
            continue
        expected = known[node.node_id].status if node.node_id in known else Status.STANDBY
        if node.status is not expected:
            why = "the predecessor closed" if node.node_id in known else "a new node starts"
            yield Problem(
                "nodes.csv",
                f"contradicts the status {expected} with which {why}",
                "leave the cell empty, or correct the predecessor",
                key=node.node_id,
                column="status",
                value=node.status,
            )
    listed = {node.node_id for node in nodes}
    for node_id, state in sorted(known.items()):
        if node_id not in listed and state.status is not Status.DEACTIVATED:
            yield Problem(
                "nodes.csv",
                f"lacks the node {node_id}, which the predecessor closed as {state.status}",
                "list it; a node leaves with exit_requested = true",
                column="node_id",
                value=node_id,
                by_absence=True,
            )


def _node_scores(inputs: Inputs, opening: Opening | None) -> Iterator[Problem]:
    nodes, seconds = inputs.nodes or (), inputs.header.window.seconds
    carried: dict[str, NodeState] | None = dict(opening.state.nodes) if opening else None
    states = opening_states(nodes, carried)
    scored = set()
    for row in inputs.node_scores or ():
        scored.add(row.node_id)
        if row.node_id not in states:
            yield Problem(
                "node_scores.csv",
                "is not in nodes.csv",
                "add the node to nodes.csv, or remove its score",
                key=row.node_id,
                column="node_id",
                value=row.node_id,
                by_absence=True,
            )
        if row.uptime_seconds > seconds > 0:
            yield Problem(
                "node_scores.csv",
                f"is longer than the epoch's {seconds} seconds",
                "uptime is counted in seconds within the epoch",
                key=row.node_id,
                column="uptime_seconds",
                value=str(row.uptime_seconds),
            )
        if row.requests == 0 and row.response_time_us > 0:
            yield Problem(
                "node_scores.csv",
                "is a response time without a request",
                "response_time_us is the sum over all requests: 0 when requests is 0",
                key=row.node_id,
                column="response_time_us",
                value=str(row.response_time_us),
            )
    for node in nodes:
        status = states[node.node_id].status
        if status in PAID_STATUSES and node.node_id not in scored:
            yield Problem(
                "node_scores.csv",
                f"lacks the node {node.node_id}, which opens as {status}",
                "add its row; a node without telemetry has a row of zeros",
                column="node_id",
                value=node.node_id,
                by_absence=True,
            )
