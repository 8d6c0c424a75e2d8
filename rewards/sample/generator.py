"""Writes the sample season: the story as input files, complete and the same on every machine.

Every score is one that telemetry can come to (`rewards.sample.telemetry`), and is written as
`rewards measure` writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.files.csv_tables import canonical_csv
from rewards.files.grammar import format_time, parse_time
from rewards.files.inputs import ADJUSTMENTS, NODE_SCORES, NODES, WALLET_SCORES
from rewards.rules.integers import WCT, format_decimal
from rewards.rules.records import Status
from rewards.sample.dice import Dice, sample_address
from rewards.sample.story import (
    DAYS,
    GENESIS_NODES,
    LATENCY_BY_REGION_MS,
    Incident,
    operator_of,
)
from rewards.sample.wallets import wallets_of_month

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rewards.sample.story import Day, Operator

SEED = 20_260_624
FIRST_DAY = parse_time("2026-06-24T00:00:00Z")
DAY_SECONDS = 86_400
SLOT_SECONDS = 60
ORACLES = ("oracle-1.watchtower", "oracle-2.lookout", "oracle-3.beacon")
"""Who measures the nodes, once a minute; each has an operator of its own that runs no node."""
POLICY_CHANGE = 5
"""The epoch from which the second policy is in force."""

SEASON_TOML = """\
format = "wct-season-1"
name = "Sample season, June 2026: invented nodes, wallets and decisions; never approved, never paid"
"""

EPOCH_TOML = """\
# Sample: {headline}.
epoch = {epoch}
{genesis}start = {start}
end = {end}

[pools]
# WCT. The nodes' pool is chosen for the sample: a base of 150 WCT a day for an active node
# at first, about 2 million WCT a year for all.
nodes = "5400"
{wallets}"""

NO_WALLETS = """\
# The wallets' month is paid with the epoch of 2026-06-30.
wallets_eligible = "0"
wallets_certified = "0"
"""

WALLETS_OF_JUNE = """\
# A twelfth of 1.5 million and of 4 million WCT a year.
wallets_eligible = "125000"
wallets_certified = "333333.333333333333333333"

[wallets]
start = 2026-06-01T00:00:00Z
end = 2026-07-01T00:00:00Z
"""

POLICY_TOML = """\
ruleset = "wct-1"
first_epoch = {first_epoch}
approval = "{approval}"

[performance]
uptime_weight = "1"
latency_weight = "1"
latency_target_us = 200000
latency_ceiling_us = 2000000
combine = "product"

[nodes]
tau = "0.8"
active_target = 15
total_target = 21
confinement_seconds = 86400
alpha = "{alpha}"
reserved_factor = "0.5"
base_weighting = "equal"
weighting = "stake"
bonus_split = "absolute"
# Above 1 a day can cost more than it pays; the default is 1.
penalty_rate = "1.5"
carry_debt = true

[wallets]
threshold = 100000
threshold_rule = "over"
activity = "signatures"
measure = "total"
min_stake_eligible = "0"
min_stake_certified = "0"
certified_in_eligible_pool = true
eligible_exponent = "1/1"
certified_exponent = "5/4"
# No wallet takes more than a quarter of a pool; by default there is no cap.
share_cap = "0.25"
"""

FIRST_POLICY = {
    "first_epoch": "1",
    "approval": "Sample, decided by nobody: defaults, but penalty_rate 1.5 so that a debt arises,"
    " and wallets.share_cap 0.25 so that a cap applies",
    "alpha": "0.5",
}
SECOND_POLICY = {
    "first_epoch": str(POLICY_CHANGE),
    "approval": f"Sample, decided by nobody: from epoch {POLICY_CHANGE} on alpha is 0.6"
    " instead of 0.5, all else as before",
    "alpha": "0.6",
}

SETTLEMENT_TOML = """\
# OP Sepolia and the test WCT there. The distributor is a placeholder: nothing lies at this address.
chain_id = 11155420
distributor = "{distributor}"
token = "0x75bb6dcA2cD6F9a0189c478bBb8F7EE2fEF07C78"
decimals = 18
"""


def generate(target: Path, seed: int = SEED) -> None:
    """Write the season into a folder: `rewards.toml` and `inputs/000001` to `inputs/000007`.

    Files of the same names are replaced. The same seed gives the same bytes everywhere.
    """
    for name, content in season_files(seed):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def season_files(seed: int = SEED) -> Iterator[tuple[str, bytes]]:
    """Yield every file of the season: its name with `/`, and its bytes."""
    dice = Dice(seed)
    yield "rewards.toml", SEASON_TOML.encode()
    nodes = list(GENESIS_NODES)
    statuses = {node.node_id: node.status or Status.STANDBY for node in nodes}
    for epoch, day in enumerate(DAYS, start=1):
        nodes += day.joining
        statuses |= {node.node_id: Status.STANDBY for node in day.joining}
        folder = f"inputs/{epoch:06d}/"
        yield folder + "epoch.toml", _epoch_toml(epoch, day)
        yield folder + "policy.toml", _policy_toml(epoch)
        yield folder + "settlement.toml", _settlement_toml()
        yield folder + NODES.name, _nodes_csv(epoch, day, nodes, dice)
        yield folder + NODE_SCORES.name, _node_scores_csv(epoch, day, statuses, dice)
        if epoch == len(DAYS):
            yield folder + WALLET_SCORES.name, _wallet_scores_csv(dice)
        if day.corrections:
            yield folder + ADJUSTMENTS.name, _adjustments_csv(day)
        statuses |= {move.node_id: move.after for move in day.moves}


def _epoch_toml(epoch: int, day: Day) -> bytes:
    start = FIRST_DAY + (epoch - 1) * DAY_SECONDS
    return EPOCH_TOML.format(
        headline=day.headline,
        epoch=epoch,
        genesis="genesis = true\n" if epoch == 1 else "",
        start=format_time(start),
        end=format_time(start + DAY_SECONDS),
        wallets=WALLETS_OF_JUNE if epoch == len(DAYS) else NO_WALLETS,
    ).encode()


def _policy_toml(epoch: int) -> bytes:
    policy = FIRST_POLICY if epoch < POLICY_CHANGE else SECOND_POLICY
    return POLICY_TOML.format(**policy).encode()


def _settlement_toml() -> bytes:
    return SETTLEMENT_TOML.format(distributor=sample_address("distributor")).encode()


def _nodes_csv(epoch: int, day: Day, nodes: list[Operator], dice: Dice) -> bytes:
    """Return the registry; the status counts, and is given, only in the first epoch."""
    return canonical_csv(
        NODES.header,
        (
            (
                node.node_id,
                sample_address(node.payee),
                str(_stake_weight(node, dice)),
                _boolean(node.node_id not in day.without_machine),
                _boolean(node.node_id in day.exiting),
                node.status or "" if epoch == 1 else "",
            )
            for node in sorted(nodes, key=lambda node: node.node_id)
            if node.node_id not in day.left_out
        ),
    )


def _stake_weight(node: Operator, dice: Dice) -> int:
    """Return a stake weight in base units; on chain it is never a round number."""
    fraction = dice.below(WCT, node.node_id, "stake fraction")
    return node.stake * WCT + fraction


def _node_scores_csv(epoch: int, day: Day, statuses: Mapping[str, Status], dice: Dice) -> bytes:
    """Return a row for every node that is active or reserved when the epoch opens."""
    rows = []
    for node_id in sorted(statuses):
        if statuses[node_id] in (Status.ACTIVE, Status.RESERVED):
            incident = day.incidents.get(node_id, Incident())
            uptime = _uptime_seconds(epoch, node_id, incident, dice)
            requests = _requests(epoch, node_id, uptime, dice)
            total_us = _response_time_us(epoch, node_id, incident, requests, dice)
            rows.append((node_id, str(uptime), str(total_us), str(requests)))
    return canonical_csv(NODE_SCORES.header, rows)


def _uptime_seconds(epoch: int, node_id: str, incident: Incident, dice: Dice) -> int:
    """Return the time online, in whole slots: some minutes are lost, up to an hour in maintenance.

    Three oracles look once in a slot, so no shorter outage can be measured.
    """
    if incident.uptime_seconds is not None:
        return incident.uptime_seconds
    in_maintenance = dice.below(10, epoch, node_id, "maintenance") == 0
    lost = dice.below(61 if in_maintenance else 5, epoch, node_id, "minutes lost")
    return DAY_SECONDS - lost * SLOT_SECONDS


def _requests(epoch: int, node_id: str, uptime: int, dice: Dice) -> int:
    """Return the answered probes: those of every oracle in every slot that is up, less a few.

    A slot of which one probe is lost is up all the same, for two of three say so.
    """
    slots = uptime // SLOT_SECONDS
    return len(ORACLES) * slots - dice.below(slots // 50 + 1, epoch, node_id, "lost probes")


def _response_time_us(
    epoch: int, node_id: str, incident: Incident, requests: int, dice: Dice
) -> int:
    """Return the sum of all response times: requests times a mean that goes by the region."""
    if incident.latency_ms is not None:
        mean_us = incident.latency_ms * 1_000
    else:
        mean_us = LATENCY_BY_REGION_MS[node_id.partition("-")[0]] * 1_000
        mean_us += dice.below(25_000, node_id, "distance")
        mean_us += dice.below(12_000, epoch, node_id, "load")
    return requests * mean_us + (dice.below(requests, epoch, node_id, "rest") if requests else 0)


def _wallet_scores_csv(dice: Dice) -> bytes:
    return canonical_csv(
        WALLET_SCORES.header,
        (
            (
                month.wallet_id,
                month.payout_address.lower(),
                str(month.connections),
                str(month.signatures),
                _boolean(month.certified),
                format_decimal(month.ux_percent, places=2),
                str(month.stake_weight),
            )
            for month in wallets_of_month(dice)
        ),
    )


def _adjustments_csv(day: Day) -> bytes:
    return canonical_csv(
        ADJUSTMENTS.header,
        (
            (
                sample_address(operator_of(correction.node_id)),
                str(correction.amount),
                correction.reason,
                correction.approved_by,
            )
            for correction in day.corrections
        ),
    )


def _boolean(value: bool) -> str:  # noqa: FBT001
    return "true" if value else "false"
