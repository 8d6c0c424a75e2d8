"""Seeded seasons of valid inputs for ruleset ``wct-1``, made to hit its edges.

``write_season(seed, root)`` writes 1 to 6 consecutive input folders below ``root`` (named by
their epoch number, six digits) and returns them in order. The same seed gives the same bytes.
Only what the rules allow without a second reading is written: every policy parameter but an
absent cap, no empty cell in an optional column, no exact double of an adjustment, no id that
serves for a node and a wallet, no wallet window in an epoch without the wallet program, and a
changed policy in an epoch always says so in its ``first_epoch``.
"""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from . import wct1

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WAD = 10**18
MAX = 2**256 - 1

Literal = str  # a TOML literal, ready to be written
Section = dict[str, Literal]


@dataclass
class _Node:
    address: str
    stake: int


@dataclass
class _Plan:
    """What stays the same over a season, or moves slowly."""

    rng: random.Random
    tau_measure: tuple[int, int, int, int]  # seconds, uptime, response time, requests
    addresses: list[str]
    node_ids: list[str]
    wallet_ids: list[str]
    stakes: list[int]
    huge: bool
    ready: float
    exits: float
    quality: float
    wallets_run: float
    nodes_run: float
    adjust: float
    nodes: dict[str, _Node] = field(default_factory=dict)
    wallet_address: dict[str, str] = field(default_factory=dict)


# --------------------------------------------------------------------------- literals


def _text(value: str) -> Literal:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(wads: int) -> str:
    """A WAD integer as decimal text without needless digits."""
    whole, rest = divmod(wads, WAD)
    return f"{whole}.{rest:018d}".rstrip("0").rstrip(".") if rest else str(whole)


def _decimal(rng: random.Random, wads: int) -> str:
    """The same value, now and then with zeros at its end."""
    text = _plain(wads)
    if rng.random() < 0.15:
        digits = len(text.partition(".")[2])
        if digits == 0:
            text += "."
        text += "0" * rng.randint(1 if digits == 0 else 0, 18 - digits)
    return text


def _flag(value: object) -> Literal:
    return "true" if value else "false"


def _time(rng: random.Random, seconds: int) -> Literal:
    stamp = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    stamp += "+00:00" if rng.random() < 0.1 else "Z"
    return stamp if rng.random() < 0.5 else _text(stamp)


def _address(rng: random.Random, address: str) -> str:
    how = rng.randrange(3)
    if how == 0:
        return address
    if how == 1:
        return "0x" + address[2:].upper()
    return wct1.checksums([address])[0]


def _toml(rng: random.Random, top: Section, sections: dict[str, Section]) -> bytes:
    eol = "\r\n" if rng.random() < 0.1 else "\n"
    lines: list[str] = []
    for name, table in [("", top), *_shuffled(rng, list(sections.items()))]:
        if name:
            lines += ["", f"[{name}]"]
        if rng.random() < 0.1:
            lines.append("# a remark")
        pad = rng.choice([" ", " ", ""])
        lines += [f"{key}{pad}={pad}{value}" for key, value in _shuffled(rng, list(table.items()))]
    return (eol.join(lines) + eol).encode()


def _csv(rng: random.Random, columns: Sequence[str], rows: Sequence[dict[str, str]]) -> bytes:
    eol = "\r\n" if rng.random() < 0.25 else "\n"
    quote_all = rng.random() < 0.05
    header = _shuffled(rng, list(columns))

    def cell(value: str) -> str:
        if quote_all or any(c in value for c in ',"\r\n'):
            return '"' + value.replace('"', '""') + '"'
        return value

    lines = [",".join(cell(c) for c in header)]
    lines += [",".join(cell(row[c]) for c in header) for row in _shuffled(rng, list(rows))]
    text = eol.join(lines) + (eol if rng.random() < 0.8 else "")
    return (b"\xef\xbb\xbf" if rng.random() < 0.2 else b"") + text.encode()


def _shuffled(rng: random.Random, items: list[Any]) -> list[Any]:
    return rng.sample(items, len(items))


# --------------------------------------------------------------------------- values


def _wads(rng: random.Random, low: int, high: int) -> int:
    """A WAD integer in [low, high], often at an end or with few digits."""
    how = rng.randrange(6)
    if how == 0:
        return low
    if how == 1:
        return high
    if how == 2:
        return min(high, low + rng.randint(0, 3))
    if how == 3:
        return max(low, high - rng.randint(0, 3))
    value = rng.randint(low, high)
    if how == 4:
        step = 10 ** rng.choice([15, 16, 17])
        rounded = value // step * step
        return rounded if rounded >= low else value
    return value


def _amount(rng: random.Random, *, huge: bool) -> int:
    how = rng.randrange(10)
    if how == 0:
        return 0
    if how == 1:
        return 1
    if how == 2:
        return rng.randint(2, 60)
    if how == 3:
        return rng.randint(1, 1000) * WAD
    if how == 4 or huge:
        return rng.randint(2**190, 2**200)
    return rng.randint(1, 10 ** rng.randint(1, 26))


def _stake(rng: random.Random, *, huge: bool) -> int:
    how = rng.randrange(8)
    if how == 0:
        return 0
    if how == 1:
        return rng.randint(1, 5)
    if how == 2 and huge:
        return MAX - rng.randint(0, 1)
    if how == 3:
        return rng.randint(1, 20) * 1000 * WAD
    return rng.randint(1, 10 ** rng.randint(1, 27))


def _id(rng: random.Random, used: set[str]) -> str:
    first = "ABCXYZabcxyz0189"
    more = first + "._:-"
    while True:
        length = rng.choice([1, 2, 2, 3, 3, 5, 12, 64])
        text = rng.choice(first) + "".join(rng.choice(more) for _ in range(length - 1))
        if not text.lower().startswith("0x") and text not in used:
            used.add(text)
            return text


# --------------------------------------------------------------------------- policy


def _policy(plan: _Plan, first_epoch: int) -> tuple[Section, dict[str, Section]]:
    """A policy as TOML literals; every parameter is written except an absent cap."""
    rng = plan.rng
    combine = rng.choice(["product", "product", "weighted_mean"])
    target = rng.choice([0, 1, 1000, 200_000, 200_000, rng.randint(0, 10**6)])
    ceiling = target + rng.choice([1, 2, 3, 7, 1_800_000, rng.randint(1, 10**7)])
    tau = rng.choice([1, WAD - 1, WAD // 2, 8 * WAD // 10, 8 * WAD // 10, rng.randint(1, WAD - 1)])
    if combine == "product":
        goal = rng.choice([WAD, WAD, WAD, tau, rng.randint(tau, WAD)]) * WAD
        uptime_weight = rng.choice([WAD, WAD, 2 * WAD, WAD // 2, rng.randint(WAD // 4, 4 * WAD)])
        latency_weight = goal // uptime_weight
        if not tau * WAD <= uptime_weight * latency_weight <= WAD * WAD:
            uptime_weight = latency_weight = WAD
    else:
        uptime_weight = rng.choice([0, 1, WAD, 3 * WAD, rng.randint(0, 100 * WAD)])
        latency_weight = rng.choice([WAD, 1, rng.randint(1, 100 * WAD)])
        if uptime_weight and rng.random() < 0.15:
            latency_weight = 0
    total = rng.choice([1, 2, 3, 5, 8, 21, 40, rng.randint(1, 25)])
    active = rng.choice([1, total, max(1, total * 15 // 21), rng.randint(1, total)])
    policy: dict[str, Section] = {
        "performance": {
            "uptime_weight": _text(_plain(uptime_weight)),
            "latency_weight": _text(_plain(latency_weight)),
            "latency_target_us": str(target),
            "latency_ceiling_us": str(ceiling),
            "combine": _text(combine),
        },
        "nodes": {
            "tau": _text(_plain(tau)),
            "active_target": str(active),
            "total_target": str(total),
            "confinement_seconds": str(
                rng.choice([1, 3600, 86_399, 86_400, 86_401, 10**9, rng.randint(1, 40 * 86_400)])
            ),
            "alpha": _text(_plain(_wads(rng, 0, WAD))),
            "reserved_factor": _text(_plain(_wads(rng, 0, WAD))),
            "base_weighting": _text(rng.choice(["equal", "stake"])),
            "weighting": _text(rng.choice(["stake", "equal"])),
            "bonus_split": _text(rng.choice(["absolute", "pro_rata"])),
            "penalty_rate": _text(_plain(rng.choice([WAD, 10 * WAD, _wads(rng, 0, 10 * WAD)]))),
            "carry_debt": _flag(rng.random() < 0.7),
        },
        "wallets": {
            "threshold": str(rng.choice([0, 1, 2, 100, 100_000, 100_000, rng.randint(0, 10**12)])),
            "threshold_rule": _text(rng.choice(["over", "at_least"])),
            "activity": _text(rng.choice(["signatures", "signatures", "connections", "sum"])),
            "measure": _text(rng.choice(["total", "excess"])),
            "min_stake_eligible": _text(_plain(_min_stake(rng))),
            "min_stake_certified": _text(_plain(_min_stake(rng))),
            "certified_in_eligible_pool": _flag(rng.random() < 0.6),
            "eligible_exponent": _text(_exponent(rng, "1/1")),
            "certified_exponent": _text(_exponent(rng, "5/4")),
        },
    }
    for section in ("nodes", "wallets"):
        if rng.random() < 0.5:
            policy[section]["share_cap"] = _text(_plain(_cap(rng)))
    top = {
        "ruleset": _text("wct-1"),
        "first_epoch": str(first_epoch),
        "approval": _text(f'decision {rng.randint(1, 999)} of "the council"'),
    }
    _snap_tau(plan, top, policy)
    return top, policy


def _min_stake(rng: random.Random) -> int:
    return rng.choice([0, 0, 1, 5000 * WAD, 12_500 * WAD, rng.randint(0, 10**24)])


def _exponent(rng: random.Random, default: str) -> str:
    return default if rng.random() < 0.3 else f"{rng.randint(1, 8)}/{rng.randint(1, 8)}"


def _cap(rng: random.Random) -> int:
    parts = rng.randint(2, 12)
    return rng.choice([1, 7, WAD, WAD - 1, WAD // parts, WAD // parts + 1, rng.randint(1, WAD)])


def _snap_tau(plan: _Plan, top: Section, policy: dict[str, Section]) -> None:
    """Often move tau onto a score that the season can measure."""
    if plan.rng.random() < 0.4:
        return
    parsed = _parsed(top, policy)
    total = wct1.score(parsed, *plan.tau_measure).total
    if 0 < total < 1:
        policy["nodes"]["tau"] = _text(_plain(int(total * WAD)))


def _parsed(top: Section, policy: dict[str, Section]) -> wct1.Policy:
    text = "\n".join(f"{k} = {v}" for k, v in top.items())
    for name, table in policy.items():
        text += f"\n[{name}]\n" + "\n".join(f"{k} = {v}" for k, v in table.items())
    return wct1.read_policy(tomllib.loads(text))


def _altered(
    plan: _Plan, old: tuple[Section, dict[str, Section]], epoch: int
) -> tuple[Section, dict[str, Section]]:
    """A new policy, or the old one with a section or one or two settings replaced."""
    rng = plan.rng
    top, policy = _policy(plan, epoch)
    how = rng.randrange(5)
    # ``performance`` and ``tau`` are bound to each other, so they go together.
    if how == 0:
        policy = {**old[1], "wallets": policy["wallets"]}
    elif how == 1:
        policy = {**policy, "wallets": old[1]["wallets"]}
    elif how < 4:
        carry_debt = _flag(old[1]["nodes"]["carry_debt"] == "false")
        nodes = {**old[1]["nodes"], "carry_debt": carry_debt}
        if rng.random() < 0.3:
            nodes["reserved_factor"] = _text("0")
        policy = {**old[1], "nodes": nodes}
    return top, policy


# --------------------------------------------------------------------------- rows


def _measurement(plan: _Plan, policy: wct1.Policy, seconds: int) -> tuple[int, int, int]:
    """Uptime, response time, requests."""
    rng = plan.rng
    if rng.random() < 0.35 and plan.tau_measure[0] == seconds:
        _, uptime, response, requests = plan.tau_measure
        nudge = rng.randrange(6)
        if nudge == 0 and uptime > 0:
            uptime -= 1
        elif nudge == 1 and uptime < seconds:
            uptime += 1
        elif nudge == 2 and requests:
            response += 1
        elif nudge == 3 and response:
            response -= 1
        return uptime, response, requests
    requests = rng.choice([1, 2, 3, rng.randint(1, 10**6), rng.randint(1, 10**12)])
    low, high = policy.latency_target * requests, policy.latency_ceiling * requests
    if rng.random() < plan.quality:
        return seconds, rng.choice([low, low, rng.randint(0, low)]), requests
    uptime = rng.choice([seconds, 0, rng.randint(0, seconds), seconds - seconds // 50])
    how = rng.randrange(6)
    response = rng.randint(low, high)
    if how == 0:
        requests = response = 0
    elif how == 1:
        response = rng.choice([low, low + 1, max(low - 1, 0), high, high - 1, high + 1])
    elif how == 2:
        response = rng.choice([0, 2 * high, MAX])
    return uptime, response, requests


def _node_files(
    plan: _Plan, season: wct1.Season, policy: wct1.Policy, seconds: int
) -> dict[str, bytes]:
    rng = plan.rng
    known = season.nodes
    listed = [k for k, s in known.items() if s.status != "deactivated" or rng.random() < 0.5]
    fresh = [k for k in plan.node_ids if k not in known]
    share = rng.choice([0.5, 1, 1]) if season.previous is None else rng.choice([0, 0, 0.3, 1])
    listed += rng.sample(fresh, round(share * len(fresh)))
    drift = rng.choice([0, 0.1, 0.5])
    rows: list[dict[str, str]] = []
    scores: list[dict[str, str]] = []
    for k in listed:
        node = plan.nodes.get(k)
        if node is None:
            node = plan.nodes[k] = _Node(rng.choice(plan.addresses), rng.choice(plan.stakes))
        elif rng.random() < drift:
            node.stake = rng.choice(plan.stakes)
            if rng.random() < 0.3:
                node.address = rng.choice(plan.addresses)
        if season.previous is None:
            opening = rng.choice(
                ["active", "active", "active", "reserved", "reserved", "standby", "deactivated"]
            )
            status = opening
        elif k in known:
            opening = known[k].status
            status = rng.choice(["", opening])
        else:
            opening = "standby"
            status = rng.choice(["", opening])
        rows.append(
            {
                "node_id": k,
                "payout_address": _address(rng, node.address),
                "stake_weight": str(node.stake),
                "machine_ready": _flag(rng.random() < plan.ready),
                "exit_requested": _flag(rng.random() < plan.exits),
                "status": status,
            }
        )
        if opening in ("active", "reserved") or rng.random() < 0.5:
            uptime, response, requests = _measurement(plan, policy, seconds)
            scores.append(
                {
                    "node_id": k,
                    "uptime_seconds": str(uptime),
                    "response_time_us": str(response),
                    "requests": str(requests),
                }
            )
    node_columns = [
        "node_id",
        "payout_address",
        "stake_weight",
        "machine_ready",
        "exit_requested",
        "status",
    ]
    score_columns = ["node_id", "uptime_seconds", "response_time_us", "requests"]
    return {
        "nodes.csv": _csv(rng, node_columns, rows),
        "node_scores.csv": _csv(rng, score_columns, scores),
    }


def _count(rng: random.Random, threshold: int) -> int:
    how = rng.randrange(8)
    if how < 3:
        return max(0, threshold + rng.choice([-1, 0, 1, 2]))
    if how == 3:
        return 0
    if how == 4:
        return rng.randint(0, threshold)
    if how == 5:
        return rng.choice([2**64, 2**128 + 1, MAX]) if rng.random() < 0.1 else threshold * 8
    return threshold + rng.randint(0, 10 * threshold + 10)


def _wallet_file(plan: _Plan, policy: wct1.Policy) -> bytes:
    rng = plan.rng
    columns = ["wallet_id", "payout_address", "connections", "signatures", "certified"]
    has_ux, has_stake = rng.random() < 0.6, rng.random() < 0.7
    columns += ["ux_score"] * has_ux + ["stake_weight"] * has_stake
    ids = rng.sample(plan.wallet_ids, round(rng.choice([0, 0.3, 0.8, 1, 1]) * len(plan.wallet_ids)))
    same = rng.random() < 0.2  # all weights equal
    count = _count(rng, policy.threshold)
    rows: list[dict[str, str]] = []
    for k in ids:
        if k not in plan.wallet_address or rng.random() < 0.1:
            plan.wallet_address[k] = rng.choice(plan.addresses)
        ux = WAD if same else rng.choice([WAD, WAD, 0, 1, WAD // 2, rng.randint(0, WAD)])
        minima = (policy.min_stake_eligible, policy.min_stake_certified)
        stake = max(0, rng.choice(minima) + rng.choice([-1, 0, 0, 1, 10**22]))
        rows.append(
            {
                "wallet_id": k,
                "payout_address": _address(rng, plan.wallet_address[k]),
                "connections": str(count if same else _count(rng, policy.threshold)),
                "signatures": str(count if same else _count(rng, policy.threshold)),
                "certified": _flag(rng.random() < 0.5),
                "ux_score": _decimal(rng, ux),
                "stake_weight": str(stake),
            }
        )
    return _csv(rng, columns, rows)


def _adjustment_file(plan: _Plan) -> bytes:
    rng = plan.rng
    columns = ["payout_address", "amount", "reason", "approved_by"]
    rows: list[dict[str, str]] = []
    for number in range(rng.choice([0, 1, 1, 2, 5])):
        amount = _amount(rng, huge=plan.huge) or 1
        if rng.random() < 0.7:
            amount = -amount * rng.choice([1, 1, 2, 3])
        rows.append(
            {
                "payout_address": _address(rng, rng.choice(plan.addresses)),
                "amount": str(amount),
                "reason": rng.choice(["overpaid", 'a, "quoted" one', "Rückforderung"])
                + f" {number}",
                "approved_by": rng.choice(["council", "A. B."]),
            }
        )
    return _csv(rng, columns, rows)


# --------------------------------------------------------------------------- the season


def _plan(rng: random.Random) -> _Plan:
    huge = rng.random() < 0.15
    node_count = rng.choice([0, 1, 2, 3, 5, *(rng.randint(3, top) for top in (8, 12, 20, 30))])
    wallet_count = rng.choice([0, 1, 2, 3, 5, *(rng.randint(3, top) for top in (8, 12, 20, 40))])
    people = max(1, round((node_count + wallet_count) * rng.choice([0.1, 0.6, 1, 2])))
    addresses = [f"0x{rng.getrandbits(160):040x}" for _ in range(people)]
    addresses += rng.sample(["0x" + "0" * 35 + "10000", "0x" + "f" * 40], rng.choice([0, 0, 1, 2]))
    wct1.checksums(addresses)
    used: set[str] = set()
    stakes = [_stake(rng, huge=huge) for _ in range(rng.choice([1, 2, 3, 30]))]
    seconds = rng.choice([1, 2, 60, 3600, 86_400, 86_400, 7 * 86_400, 30 * 86_400])
    seconds = rng.choice([seconds, seconds, rng.randint(1, 30 * 86_400)])
    requests = rng.choice([1, 7, rng.randint(1, 10**6)])
    uptime = rng.choice([seconds, seconds * 4 // 5, seconds * 9 // 10, rng.randint(0, seconds)])
    response = requests * rng.choice([0, 200_000, 560_000, rng.randint(0, 10**6)])
    return _Plan(
        rng=rng,
        tau_measure=(seconds, uptime, response, requests),
        addresses=addresses,
        node_ids=[_id(rng, used) for _ in range(node_count)],
        wallet_ids=[_id(rng, used) for _ in range(wallet_count)],
        stakes=stakes,
        huge=huge,
        ready=rng.choice([0, 0.5, 0.8, 0.95, 1]),
        exits=rng.choice([0, 0, 0.05, 0.1, 0.4]),
        quality=rng.choice([0, 0.3, 0.7, 0.7, 0.95]),
        wallets_run=rng.choice([0, 0.6, *[1] * 8]),
        nodes_run=rng.choice([0, 0.6, *[1] * 8]),
        adjust=rng.choice([0, 0.2, 0.8]),
    )


def _window(rng: random.Random, season: wct1.Season, start: int, end: int) -> tuple[int, int]:
    last = season.previous.window_end if season.previous else None
    earliest = start - 40 * 86_400 if last is None else last
    latest = rng.choice([end, end, rng.randint(min(earliest, end - 1) + 1, end)])
    return rng.choice([earliest, rng.randint(earliest, latest - 1)]), latest


def write_season(seed: int, root: Path) -> list[Path]:
    """Write the season of this seed; returns its input folders in order."""
    rng = random.Random(seed)
    plan = _plan(rng)
    season = wct1.Season(tree=False)
    distributor, token = (f"0x{rng.getrandbits(160) | 1 << 100:040x}" for _ in range(2))
    chain_id = rng.choice([1, 10, 31_337, 11_155_111, 11_155_420, rng.randint(1, 2**31)])
    number = rng.choice([1, 1, 2, rng.randint(1, 999_000)])
    start = 1_700_000_000 + rng.randint(0, 10**8)
    fixed_length = rng.random() < 0.7
    policy = _policy(plan, rng.choice([1, number, rng.randint(1, number)]))
    folders: list[Path] = []
    for index in range(rng.randint(1, 6)):
        epoch = number + index
        if index and rng.random() < 0.2:
            policy = _altered(plan, policy, epoch)
        seconds = plan.tau_measure[0]
        if not fixed_length:
            seconds = rng.choice([seconds, 1, 3600, rng.randint(1, 30 * 86_400)])
        end = start + seconds
        parsed = _parsed(*policy)
        files: dict[str, bytes] = {"policy.toml": _toml(rng, *policy)}
        pools = {"nodes": 0, "wallets_eligible": 0, "wallets_certified": 0}
        sections: dict[str, Section] = {}
        if rng.random() < plan.nodes_run:
            files |= _node_files(plan, season, parsed, seconds)
            pools["nodes"] = _amount(rng, huge=plan.huge)
        if rng.random() < plan.wallets_run:
            files["wallet_scores.csv"] = _wallet_file(plan, parsed)
            pools["wallets_eligible"] = _amount(rng, huge=plan.huge)
            pools["wallets_certified"] = _amount(rng, huge=plan.huge)
            if rng.random() < 0.4:
                low, high = _window(rng, season, start, end)
                sections["wallets"] = {"start": _time(rng, low), "end": _time(rng, high)}
        if rng.random() < plan.adjust:
            files["adjustments.csv"] = _adjustment_file(plan)
        top = {"epoch": str(epoch), "start": _time(rng, start), "end": _time(rng, end)}
        if index == 0:
            top["genesis"] = "true"
        elif rng.random() < 0.1:
            top["genesis"] = "false"
        if rng.random() < 0.02:
            top["supersedes"] = _text(f"0x{rng.getrandbits(256):064x}")
            top["reason"] = _text("a late measurement")
        sections["pools"] = {k: _text(_decimal(rng, v)) for k, v in pools.items()}
        files["epoch.toml"] = _toml(rng, top, sections)
        files["settlement.toml"] = _toml(
            rng,
            {
                "chain_id": str(chain_id),
                "distributor": _text(_address(rng, distributor)),
                "token": _text(_address(rng, token)),
                "decimals": "18",
            },
            {},
        )
        folder = root / f"{epoch:06d}"
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        folders.append(folder)
        season.epoch(folder)
        start = end
    return folders
