"""Second program for ruleset ``wct-1``, written from the rules page alone.

It shares no line with the program that it checks, and computes another way where it can:

* every ratio is an exact rational in its natural unit (0.8 is 4/5, not 8 * 10**17); a value is
  cut to the WAD grid only where the rules name a floor,
* roots come from bisection on an exact comparison, without the inner floor,
* ``apportion`` peels the heaviest member off a sorted list instead of going round by round,
* the status steps work on queues that are cut to length instead of loops with counters,
* Keccak-256 runs over many messages at once, and the tree is built level by level.

It is a reference for numbers. It refuses much invalid input, but its messages are terse, and it
does not promise to find everything that is wrong with a folder.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import tomllib
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Row = dict[str, str]
Tables = dict[str, list[Row]]

WAD = 10**18
LIMIT = 2**256
ZERO = Fraction(0)
ONE = Fraction(1)


class RuleError(ValueError):
    """The input breaks a sentence of the rules."""


def need(condition: bool, message: str) -> None:
    if not condition:
        raise RuleError(message)


# --------------------------------------------------------------------------- Keccak-256


def _round_constants() -> list[int]:
    """The iota constants from the LFSR x^8 + x^6 + x^5 + x^4 + 1."""
    constants = []
    lfsr = 1
    for _ in range(24):
        word = 0
        for j in range(7):
            if lfsr & 1:
                word |= 1 << ((1 << j) - 1)
            lfsr <<= 1
            if lfsr & 0x100:
                lfsr ^= 0x171
        constants.append(word)
    return constants


def _moves() -> list[tuple[int, int, int]]:
    """(source lane, target lane, rotation) of rho and pi together; lane (x, y) is x + 5 * y."""
    moves = [(0, 0, 0)]
    x, y, turn = 1, 0, 0
    for step in range(24):
        turn += step + 1
        moves.append((x + 5 * y, y + 5 * ((2 * x + 3 * y) % 5), turn % 64))
        x, y = y, (2 * x + 3 * y) % 5
    return moves


_IOTA = _round_constants()
_RHO_PI = _moves()
_RATE = 136


def keccak256_many(messages: Sequence[bytes], *, domain: int = 0x01) -> list[bytes]:
    """Keccak-256 of messages of one length; word k of every lane belongs to message k.

    With ``domain = 0x06`` it is SHA3-256, which the standard library has too.
    """
    count = len(messages)
    if count == 0:
        return []
    length = len(messages[0])
    need(all(len(m) == length for m in messages), "keccak256_many: lengths differ")
    fill = _RATE - length % _RATE
    tail = bytearray(fill)
    tail[0] |= domain
    tail[-1] |= 0x80
    padded = [m + tail for m in messages]
    ones = sum(1 << (64 * k) for k in range(count))
    full = ones * (2**64 - 1)
    low = [ones * ((1 << r) - 1) for r in range(65)]

    def rotate(lane: int, r: int) -> int:
        if r == 0:
            return lane
        return ((lane & low[64 - r]) << r) | ((lane >> (64 - r)) & low[r])

    lanes = [0] * 25
    for offset in range(0, length + fill, _RATE):
        for i in range(_RATE // 8):
            at = offset + 8 * i
            lanes[i] ^= int.from_bytes(b"".join(p[at : at + 8] for p in padded), "little")
        for constant in _IOTA:
            parity = [
                lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]
                for x in range(5)
            ]
            theta = [parity[x - 1] ^ rotate(parity[(x + 1) % 5], 1) for x in range(5)]
            moved = [0] * 25
            for source, target, turn in _RHO_PI:
                moved[target] = rotate(lanes[source] ^ theta[source % 5], turn)
            for y in range(0, 25, 5):
                row = moved[y : y + 5]
                for x in range(5):
                    lanes[y + x] = row[x] ^ ((row[(x + 1) % 5] ^ full) & row[(x + 2) % 5])
            lanes[0] ^= constant * ones
    words = [lane.to_bytes(8 * count, "little") for lane in lanes[:4]]
    return [b"".join(word[8 * k : 8 * k + 8] for word in words) for k in range(count)]


def keccak256(message: bytes) -> bytes:
    return keccak256_many([message])[0]


# --------------------------------------------------------------------------- Merkle tree


def _abi_word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _hash_pairs(pairs: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    return keccak256_many([min(a, b) + max(a, b) for a, b in pairs])


def merkle_root(leaf_hashes: Iterable[bytes]) -> bytes:
    """Root of OpenZeppelin's tree: node i has the children 2i+1 and 2i+2, and the sorted leaves
    fill the array of 2n-1 nodes from its end. Built here level by level, deepest first."""
    leaves = sorted(leaf_hashes)
    size = 2 * len(leaves) - 1
    nodes: dict[int, bytes] = {size - 1 - i: leaf for i, leaf in enumerate(leaves)}
    levels: dict[int, list[int]] = defaultdict(list)
    for index in range(len(leaves) - 1):
        levels[(index + 1).bit_length()].append(index)
    for depth in sorted(levels, reverse=True):
        indices = levels[depth]
        hashed = _hash_pairs([(nodes[2 * i + 1], nodes[2 * i + 2]) for i in indices])
        nodes.update(zip(indices, hashed, strict=True))
    return nodes[0]


def leaf_hashes(values: Sequence[tuple[int, int, int, int, int]]) -> list[bytes]:
    once = keccak256_many([b"".join(_abi_word(v) for v in value) for value in values])
    return keccak256_many(once)


# --------------------------------------------------------------------------- plain texts

_INTEGER = re.compile(r"0|[1-9][0-9]*")
_DECIMAL = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]{1,18}))?")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_EXPONENT = re.compile(r"([1-8])/([1-8])")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.0+)?(?:[Zz]|[+-]00:00)")
_EPOCH_ZERO = datetime(1970, 1, 1, tzinfo=UTC)

_checksums: dict[str, str] = {}


def checksums(addresses: Iterable[str]) -> list[str]:
    """The EIP-55 forms of addresses."""
    wanted = [a.lower() for a in addresses]
    missing = sorted({a for a in wanted if a not in _checksums})
    if len(_checksums) > 200_000:
        _checksums.clear()
        missing = sorted(set(wanted))
    hashes = keccak256_many([a[2:].encode() for a in missing])
    for address, digest in zip(missing, hashes, strict=True):
        nibbles = digest.hex()
        _checksums[address] = "0x" + "".join(
            c.upper() if int(nibbles[i], 16) >= 8 else c for i, c in enumerate(address[2:])
        )
    return [_checksums[a] for a in wanted]


def parse_address(text: str) -> str:
    need(_ADDRESS.fullmatch(text) is not None, f"not an address: {text!r}")
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()):
        need(checksums([text])[0] == text, f"wrong checksum: {text}")
    return text.lower()


def parse_id(text: str) -> str:
    need(_ID.fullmatch(text) is not None, f"not an id: {text!r}")
    need(_ADDRESS.fullmatch(text) is None, f"id looks like an address: {text}")
    return text


def parse_int(text: str) -> int:
    need(_INTEGER.fullmatch(text) is not None, f"not an integer: {text!r}")
    value = int(text)
    need(value < LIMIT, f"integer too large: {text}")
    return value


def parse_signed(text: str) -> int:
    if text.startswith("-"):
        value = parse_int(text[1:])
        need(value > 0, "minus zero")
        return -value
    return parse_int(text)


def parse_bool(text: str) -> bool:
    need(text in ("true", "false"), f"not a boolean: {text!r}")
    return text == "true"


def parse_decimal(value: object) -> Fraction:
    need(isinstance(value, str), f"decimal must be text: {value!r}")
    text = str(value)
    match = _DECIMAL.fullmatch(text)
    need(match is not None, f"not a decimal: {text!r}")
    return Fraction(text)


def parse_units(value: object) -> int:
    """WCT in decimal text -> base units."""
    units = parse_decimal(value) * WAD
    need(units.denominator == 1 and units < LIMIT, f"amount out of range: {value!r}")
    return units.numerator


def parse_time(value: object) -> int:
    if isinstance(value, str):
        match = _TIME.fullmatch(value)
        need(match is not None, f"not a UTC time: {value!r}")
        assert match is not None
        value = datetime.fromisoformat(f"{match[1]}T{match[2]}+00:00")
    if not isinstance(value, datetime) or value.utcoffset() != timedelta(0):
        raise RuleError(f"not a UTC time: {value!r}")
    need(value.microsecond == 0, f"not a whole second: {value!r}")
    return (value - _EPOCH_ZERO) // timedelta(seconds=1)


def id_key(text: str) -> bytes:
    return text.encode()


# --------------------------------------------------------------------------- files


def read_csv(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
    text = path.read_bytes().decode("utf-8-sig")
    records = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    need(bool(records), f"{path.name}: no header")
    header = records[0]
    need(len(set(header)) == len(header), f"{path.name}: column twice")
    need(set(required) <= set(header), f"{path.name}: column missing")
    need(set(header) <= {*required, *optional}, f"{path.name}: unknown column")
    need(all(len(r) == len(header) for r in records), f"{path.name}: ragged row")
    return [dict(zip(header, r, strict=True)) for r in records[1:]]


def read_toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _keys(table: Mapping[str, object], known: Iterable[str], where: str) -> None:
    extra = set(table) - set(known)
    need(not extra, f"{where}: unknown key {sorted(extra)}")


def _whole(value: object, at_least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise RuleError(f"not an integer: {value!r}")
    need(at_least <= value < LIMIT, f"integer out of bounds: {value}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise RuleError(f"not a boolean: {value!r}")
    return value


def _word(value: object, *known: str) -> str:
    need(value in known, f"{value!r} is not one of {known}")
    return str(value)


def _exponent(value: object) -> tuple[int, int]:
    match = _EXPONENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise RuleError(f"not an exponent: {value!r}")
    return int(match[1]), int(match[2])


@dataclass(frozen=True)
class Policy:
    """All ratios in natural units."""

    first_epoch: int
    approval: str
    uptime_weight: Fraction
    latency_weight: Fraction
    latency_target: int
    latency_ceiling: int
    combine: str
    tau: Fraction
    active_target: int
    total_target: int
    confinement_seconds: int
    alpha: Fraction
    reserved_factor: Fraction
    base_weighting: str
    weighting: str
    bonus_split: str
    penalty_rate: Fraction
    carry_debt: bool
    node_cap: Fraction | None
    wallet_cap: Fraction | None
    threshold: int
    threshold_rule: str
    activity: str
    measure: str
    min_stake_eligible: int
    min_stake_certified: int
    certified_in_eligible_pool: bool
    eligible_exponent: tuple[int, int]
    certified_exponent: tuple[int, int]


_DEFAULTS: dict[str, dict[str, object]] = {
    "performance": {
        "uptime_weight": "1",
        "latency_weight": "1",
        "latency_target_us": 200_000,
        "latency_ceiling_us": 2_000_000,
        "combine": "product",
    },
    "nodes": {
        "tau": "0.8",
        "active_target": 15,
        "total_target": 21,
        "confinement_seconds": 86_400,
        "alpha": "0.5",
        "reserved_factor": "0.5",
        "base_weighting": "equal",
        "weighting": "stake",
        "bonus_split": "absolute",
        "penalty_rate": "1",
        "carry_debt": True,
        "share_cap": None,
    },
    "wallets": {
        "threshold": 100_000,
        "threshold_rule": "over",
        "activity": "signatures",
        "measure": "total",
        "min_stake_eligible": "0",
        "min_stake_certified": "0",
        "certified_in_eligible_pool": True,
        "eligible_exponent": "1/1",
        "certified_exponent": "5/4",
        "share_cap": None,
    },
}


def _cap(value: object) -> Fraction | None:
    if value is None:
        return None
    cap = parse_decimal(value)
    need(0 < cap <= 1, "share_cap out of bounds")
    return cap


def read_policy(data: Mapping[str, Any]) -> Policy:
    _keys(data, ["ruleset", "first_epoch", "approval", *_DEFAULTS], "policy.toml")
    need(data.get("ruleset") == "wct-1", "ruleset is not wct-1")
    approval = data.get("approval")
    need(isinstance(approval, str), "approval missing")
    given: dict[str, dict[str, Any]] = {}
    for section, defaults in _DEFAULTS.items():
        table = data.get(section, {})
        need(isinstance(table, dict), f"{section} is not a table")
        _keys(table, defaults, section)
        given[section] = {**defaults, **table}
    perf, nodes, wallets = given["performance"], given["nodes"], given["wallets"]
    policy = Policy(
        first_epoch=_whole(data.get("first_epoch"), 1),
        approval=str(approval),
        uptime_weight=parse_decimal(perf["uptime_weight"]),
        latency_weight=parse_decimal(perf["latency_weight"]),
        latency_target=_whole(perf["latency_target_us"]),
        latency_ceiling=_whole(perf["latency_ceiling_us"]),
        combine=_word(perf["combine"], "product", "weighted_mean"),
        tau=parse_decimal(nodes["tau"]),
        active_target=_whole(nodes["active_target"], 1),
        total_target=_whole(nodes["total_target"], 1),
        confinement_seconds=_whole(nodes["confinement_seconds"], 1),
        alpha=parse_decimal(nodes["alpha"]),
        reserved_factor=parse_decimal(nodes["reserved_factor"]),
        base_weighting=_word(nodes["base_weighting"], "equal", "stake"),
        weighting=_word(nodes["weighting"], "stake", "equal"),
        bonus_split=_word(nodes["bonus_split"], "absolute", "pro_rata"),
        penalty_rate=parse_decimal(nodes["penalty_rate"]),
        carry_debt=_flag(nodes["carry_debt"]),
        node_cap=_cap(nodes["share_cap"]),
        wallet_cap=_cap(wallets["share_cap"]),
        threshold=_whole(wallets["threshold"]),
        threshold_rule=_word(wallets["threshold_rule"], "over", "at_least"),
        activity=_word(wallets["activity"], "signatures", "connections", "sum"),
        measure=_word(wallets["measure"], "total", "excess"),
        min_stake_eligible=parse_units(wallets["min_stake_eligible"]),
        min_stake_certified=parse_units(wallets["min_stake_certified"]),
        certified_in_eligible_pool=_flag(wallets["certified_in_eligible_pool"]),
        eligible_exponent=_exponent(wallets["eligible_exponent"]),
        certified_exponent=_exponent(wallets["certified_exponent"]),
    )
    need(policy.latency_target < policy.latency_ceiling, "latency target >= ceiling")
    need(0 < policy.tau < 1, "tau out of bounds")
    need(policy.active_target <= policy.total_target, "active_target > total_target")
    need(policy.alpha <= 1 and policy.reserved_factor <= 1, "alpha or reserved_factor > 1")
    need(policy.penalty_rate <= 10, "penalty_rate > 10")
    need(policy.uptime_weight + policy.latency_weight > 0, "both weights zero")
    if policy.combine == "product":
        product = policy.uptime_weight * policy.latency_weight
        need(policy.tau <= product <= 1, "product of the weights out of bounds")
    return policy


@dataclass(frozen=True)
class Header:
    epoch: int
    genesis: bool
    start: int
    end: int
    pool_nodes: int
    pool_eligible: int
    pool_certified: int
    window: tuple[int, int]


def read_header(data: Mapping[str, Any]) -> Header:
    _keys(
        data,
        ["epoch", "genesis", "start", "end", "pools", "wallets", "supersedes", "reason"],
        "epoch.toml",
    )
    pools = data.get("pools", {})
    names = ["nodes", "wallets_eligible", "wallets_certified"]
    need(isinstance(pools, dict) and set(pools) == set(names), "pools: wrong keys")
    start, end = parse_time(data.get("start")), parse_time(data.get("end"))
    need(start < end, "the epoch is empty")
    window = (start, end)
    if "wallets" in data:
        given = data["wallets"]
        need(isinstance(given, dict) and set(given) == {"start", "end"}, "wallets: wrong keys")
        window = (parse_time(given["start"]), parse_time(given["end"]))
    need(window[0] < window[1] <= end, "wallet window empty or after the epoch")
    need(("supersedes" in data) == ("reason" in data), "supersedes goes with reason")
    amounts = [parse_units(pools[name]) for name in names]
    return Header(
        epoch=_whole(data.get("epoch"), 1),
        genesis=_flag(data.get("genesis", False)),
        start=start,
        end=end,
        pool_nodes=amounts[0],
        pool_eligible=amounts[1],
        pool_certified=amounts[2],
        window=window,
    )


def read_settlement(data: Mapping[str, Any]) -> tuple[int, str, str]:
    names = {"chain_id", "distributor", "token", "decimals"}
    need(set(data) == names, "settlement.toml: wrong keys")
    need(_whole(data["decimals"]) == 18, "decimals is not 18")
    texts = (data["distributor"], data["token"])
    need(all(isinstance(t, str) for t in texts), "settlement addresses must be text")
    return _whole(data["chain_id"]), parse_address(texts[0]), parse_address(texts[1])


# --------------------------------------------------------------------------- arithmetic


def on_grid(x: Fraction) -> Fraction:
    """The largest multiple of 1/WAD that is not above x."""
    return Fraction(math.floor(x * WAD), WAD)


def wad(x: Fraction) -> str:
    scaled = x * WAD
    assert scaled.denominator == 1
    return str(scaled.numerator)


@dataclass(frozen=True)
class Score:
    uptime: Fraction
    latency: Fraction
    total: Fraction


def score(policy: Policy, seconds: int, uptime: int, response_us: int, requests: int) -> Score:
    u = on_grid(Fraction(uptime, seconds))
    if requests == 0:
        latency = ZERO
    else:
        mean = Fraction(response_us, requests)
        span = policy.latency_ceiling - policy.latency_target
        latency = on_grid(min(ONE, max(ZERO, (policy.latency_ceiling - mean) / span)))
    wu, wl = policy.uptime_weight, policy.latency_weight
    if policy.combine == "product":
        return Score(u, latency, on_grid(wu * u * wl * latency))
    return Score(u, latency, on_grid((wu * u + wl * latency) / (wu + wl)))


def curve(x: Fraction, exponent: tuple[int, int]) -> int:
    """floor(WAD * x ** (p/q)) by bisection: the largest r with (r / WAD) ** q <= x ** p."""
    p, q = exponent
    target = x**p * WAD**q
    top, bottom = target.numerator, target.denominator
    low, high = 0, 1
    while high**q * bottom <= top:
        high *= 2
    while high - low > 1:
        middle = (low + high) // 2
        if middle**q * bottom <= top:
            low = middle
        else:
            high = middle
    return low


def apportion(
    pool: int, weights: Mapping[str, Fraction], cap: Fraction | None
) -> tuple[dict[str, int], int]:
    """Amounts per id and what is left.

    Who is capped: taking out a member whose share is above the cap raises the share of each
    other one, so the order of taking does not matter, and the heaviest decides: when it is not
    above the cap, nobody is.
    """
    amounts = dict.fromkeys(weights, 0)
    queue = sorted((k for k in weights if weights[k] > 0), key=lambda k: (weights[k], id_key(k)))
    total = sum((weights[k] for k in queue), ZERO)
    left = pool
    if cap is not None:
        ceiling = math.floor(pool * cap)
        while queue and left * weights[queue[-1]] / total > ceiling:
            heaviest = queue.pop()
            amounts[heaviest] = ceiling
            left -= ceiling
            total -= weights[heaviest]
    if not queue:
        return amounts, left
    exact = {k: left * weights[k] / total for k in queue}
    for k in queue:
        amounts[k] = math.floor(exact[k])
    units = left - sum(amounts[k] for k in queue)
    by_rest = sorted(queue, key=lambda k: (amounts[k] - exact[k], id_key(k)))
    for k in by_rest[:units]:
        amounts[k] += 1
    return amounts, 0


# --------------------------------------------------------------------------- status


@dataclass(frozen=True)
class NodeState:
    status: str = "standby"
    confined_until: int | None = None
    debt: int = 0


@dataclass(frozen=True)
class Node:
    node_id: str
    address: str
    stake: int
    ready: bool
    exit: bool
    opening: NodeState
    score: Score | None

    def fit(self, tau: Fraction) -> bool:
        return self.ready and (self.score is None or self.score.total >= tau)


def _rank(node: Node) -> tuple[int, bytes]:
    return (-node.stake, id_key(node.node_id))


class _Steps:
    """The six steps over one epoch's nodes; ``moves`` holds the transitions as taken."""

    def __init__(self, policy: Policy, end: int, nodes: Sequence[Node]) -> None:
        self.policy = policy
        self.end = end
        self.by_id = sorted(nodes, key=lambda n: id_key(n.node_id))
        self.ranked = sorted(nodes, key=_rank)
        self.now = {n.node_id: n.opening for n in nodes}
        self.moves: list[Row] = []

    def move(self, node: Node, step: str, to: str, reason: str) -> None:
        k = node.node_id
        was = self.now[k].status
        self.moves.append({"node_id": k, "step": step, "from": was, "to": to, "reason": reason})
        until = self.end + self.policy.confinement_seconds if to == "confined" else None
        self.now[k] = replace(self.now[k], status=to, confined_until=until)

    def still(self, status: str, nodes: Sequence[Node]) -> list[Node]:
        """Those that opened in this status and have not moved."""
        return [n for n in nodes if n.opening.status == self.now[n.node_id].status == status]

    def having(self, status: str) -> list[Node]:
        return [n for n in self.ranked if self.now[n.node_id].status == status]

    def filled(self) -> int:
        return len(self.having("active")) + len(self.having("reserved"))

    def leave_and_return(self) -> None:
        for n in self.by_id:
            if n.exit and n.opening.status != "deactivated":
                self.move(n, "exit", "deactivated", "exit requested")
        for n in self.by_id:
            if n.opening.status == "deactivated" and n.ready and not n.exit:
                self.move(n, "reentry", "standby", "machine ready again")

    def release_and_unready(self) -> None:
        for n in self.still("confined", self.by_id):
            until = n.opening.confined_until
            if until is not None and until <= self.end:
                self.move(n, "release", "reserved", "confinement over")
        for n in self.still("reserved", self.by_id):
            if not n.ready:
                self.move(n, "unready", "standby", "machine not ready")

    def confine(self) -> None:
        for n in self.still("active", self.by_id):
            if n.score is not None and n.score.total < self.policy.tau:
                self.move(n, "confine", "confined", "score below tau")

    def call_up(self) -> None:
        room = self.policy.total_target - self.filled()
        for n in self.still("standby", self.ranked):
            if room <= 0:
                break
            if n.ready:
                self.move(n, "call_up", "reserved", "best ranked standby")
                room -= 1
            else:
                self.move(n, "call_up", "deactivated", "called up, machine not ready")

    def promote(self) -> None:
        seats = max(self.policy.active_target - len(self.having("active")), 0)
        fit = [n for n in self.having("reserved") if n.fit(self.policy.tau)]
        for n in fit[:seats]:
            self.move(n, "promote", "active", "best ranked fit reserved")

    def surplus(self) -> None:
        excess = max(self.filled() - self.policy.total_target, 0)
        for n in list(reversed(self.having("reserved")))[:excess]:
            self.move(n, "surplus", "standby", "lowest ranked reserved")


def next_states(
    policy: Policy, end: int, nodes: Sequence[Node]
) -> tuple[dict[str, NodeState], list[Row]]:
    """Closing states (the debts still those of the opening) and the transitions as taken."""
    steps = _Steps(policy, end, nodes)
    steps.leave_and_return()
    steps.release_and_unready()
    steps.confine()
    steps.call_up()
    steps.promote()
    steps.surplus()
    return steps.now, steps.moves


# --------------------------------------------------------------------------- the programs


@dataclass(frozen=True)
class NodeRun:
    rows: list[Row] = field(default_factory=list)
    moves: list[Row] = field(default_factory=list)
    paid: dict[str, int] = field(default_factory=dict)
    withheld: int = 0
    states: dict[str, NodeState] = field(default_factory=dict)


def run_nodes(policy: Policy, header: Header, nodes: Sequence[Node]) -> NodeRun:
    factors = {"active": ONE, "reserved": policy.reserved_factor}
    f = {n.node_id: factors.get(n.opening.status, ZERO) for n in nodes}
    base_pool = math.floor(header.pool_nodes * policy.alpha)
    bonus_pool = header.pool_nodes - base_pool

    def sized(node: Node, how: str) -> Fraction:
        return f[node.node_id] * (node.stake if how == "stake" else 1)

    c = {n.node_id: sized(n, policy.base_weighting) for n in nodes}
    c_sum = sum(c.values(), ZERO)
    base = {k: math.floor(base_pool * v / c_sum) if c_sum else 0 for k, v in c.items()}

    full = {n.node_id: sized(n, policy.weighting) for n in nodes}
    full_sum = sum(full.values(), ZERO)
    b: dict[str, Fraction] = {}
    for n in nodes:
        passes = f[n.node_id] > 0 and n.score is not None and n.score.total >= policy.tau
        b[n.node_id] = full[n.node_id] * n.score.total if passes and n.score else ZERO
    if policy.bonus_split == "pro_rata":
        bonus, _ = apportion(bonus_pool, b, policy.node_cap)
    else:
        bonus = {k: math.floor(bonus_pool * v / full_sum) if full_sum else 0 for k, v in b.items()}

    closing, moves = next_states(policy, header.end, nodes)
    rows: list[Row] = []
    paid: dict[str, int] = defaultdict(int)
    withheld_sum = 0
    states: dict[str, NodeState] = {}
    for n in sorted(nodes, key=lambda n: id_key(n.node_id)):
        k = n.node_id
        gross = base[k] + bonus[k]
        penalty = 0
        if f[k] > 0 and n.score is not None and n.score.total < policy.tau:
            shortfall = (policy.tau - n.score.total) / policy.tau
            penalty = math.floor(base[k] * policy.penalty_rate * shortfall)
        balance = gross - penalty - n.opening.debt
        pay = max(balance, 0)
        debt = n.opening.debt
        if f[k] > 0:
            debt = max(-balance, 0) if policy.carry_debt else 0
        states[k] = replace(closing[k], debt=debt)
        until = closing[k].confined_until
        paid[n.address] += pay
        withheld_sum += gross - pay
        rows.append(
            {
                "node_id": k,
                "payout_address": n.address,
                "opening_status": n.opening.status,
                "closing_status": closing[k].status,
                "confined_until": "" if until is None else str(until),
                "uptime": wad(n.score.uptime) if n.score else "",
                "latency_score": wad(n.score.latency) if n.score else "",
                "score": wad(n.score.total) if n.score else "",
                "pay_factor": wad(f[k]),
                "base": str(base[k]),
                "bonus": str(bonus[k]),
                "penalty": str(penalty),
                "debt_in": str(n.opening.debt),
                "debt_out": str(debt),
                "withheld": str(gross - pay),
                "paid": str(pay),
            }
        )
    return NodeRun(rows, moves, dict(paid), withheld_sum, states)


@dataclass(frozen=True)
class WalletRun:
    rows: list[Row] = field(default_factory=list)
    amounts: dict[str, int] = field(default_factory=dict)
    left_eligible: int = 0
    left_certified: int = 0


def run_wallets(policy: Policy, header: Header, given: Sequence[Row]) -> WalletRun:
    address: dict[str, str] = {}
    activity: dict[str, int] = {}
    tier: dict[str, str] = {}
    reason: dict[str, str] = {}
    w_eligible: dict[str, Fraction] = {}
    w_certified: dict[str, Fraction] = {}
    for row in given:
        k = parse_id(row["wallet_id"])
        need(k not in address, f"wallet twice: {k}")
        address[k] = parse_address(row["payout_address"])
        counts = {
            "connections": parse_int(row["connections"]),
            "signatures": parse_int(row["signatures"]),
        }
        certified = parse_bool(row["certified"])
        ux = parse_decimal(row.get("ux_score", "1"))
        need(ux <= 1, "ux_score > 1")
        stake = parse_int(row.get("stake_weight", "0"))
        activity[k] = sum(counts.values()) if policy.activity == "sum" else counts[policy.activity]
        gap = activity[k] - policy.threshold
        reason[k] = ""
        if gap < 0 or (gap == 0 and policy.threshold_rule == "over"):
            tier[k], reason[k] = "ineligible", "below_threshold"
        elif certified and stake >= policy.min_stake_certified:
            tier[k] = "certified"
        elif stake >= policy.min_stake_eligible:
            tier[k] = "eligible"
        else:
            tier[k], reason[k] = "ineligible", "insufficient_stake"
        pools = {"ineligible": "", "eligible": "e", "certified": "c"}[tier[k]]
        if pools == "c" and policy.certified_in_eligible_pool:
            pools = "ec"
        x = (gap if policy.measure == "excess" else activity[k]) * ux / (policy.threshold or 1)
        w_eligible[k] = Fraction(curve(x, policy.eligible_exponent)) if "e" in pools else ZERO
        w_certified[k] = Fraction(curve(x, policy.certified_exponent)) if "c" in pools else ZERO
    a_eligible, left_eligible = apportion(header.pool_eligible, w_eligible, policy.wallet_cap)
    a_certified, left_certified = apportion(header.pool_certified, w_certified, policy.wallet_cap)
    rows: list[Row] = []
    amounts: dict[str, int] = defaultdict(int)
    for k in sorted(address, key=id_key):
        amount = a_eligible[k] + a_certified[k]
        amounts[address[k]] += amount
        rows.append(
            {
                "wallet_id": k,
                "payout_address": address[k],
                "activity": str(activity[k]),
                "tier": tier[k],
                "reason": reason[k],
                "weight_eligible": str(w_eligible[k]),
                "weight_certified": str(w_certified[k]),
                "amount_eligible": str(a_eligible[k]),
                "amount_certified": str(a_certified[k]),
                "amount": str(amount),
            }
        )
    return WalletRun(rows, dict(amounts), left_eligible, left_certified)


# --------------------------------------------------------------------------- the season


@dataclass(frozen=True)
class Previous:
    """What an epoch leaves to its successor."""

    epoch: int
    end: int
    policy: Policy
    settlement: tuple[int, str, str]
    window_end: int | None
    nodes: dict[str, NodeState]
    cumulative: dict[str, int]
    recovery: dict[str, int]


_NODES = ["node_id", "payout_address", "stake_weight", "machine_ready", "exit_requested", "status"]
_SCORES = ["node_id", "uptime_seconds", "response_time_us", "requests"]
_WALLETS = ["wallet_id", "payout_address", "connections", "signatures", "certified"]
_ADJUST = ["payout_address", "amount", "reason", "approved_by"]
_STATUSES = ("active", "reserved", "standby", "deactivated")
_FILES = {
    "epoch.toml",
    "policy.toml",
    "settlement.toml",
    "nodes.csv",
    "node_scores.csv",
    "wallet_scores.csv",
    "adjustments.csv",
}


class Season:
    """Consecutive epochs; a failed epoch leaves the state as it was."""

    def __init__(self, previous: Previous | None = None, *, tree: bool = True) -> None:
        self.previous = previous
        self._tree = tree

    @property
    def nodes(self) -> dict[str, NodeState]:
        return {} if self.previous is None else dict(self.previous.nodes)

    def _opening(self, node_id: str, status: str) -> NodeState:
        if self.previous is None:
            need(status in _STATUSES, f"{node_id}: status {status!r} in a first epoch")
            return NodeState(status)
        known = self.previous.nodes.get(node_id)
        if known is None:
            need(status in ("", "standby"), f"{node_id}: new, but status {status!r}")
            return NodeState()
        need(status in ("", known.status), f"{node_id}: is {known.status}, not {status!r}")
        return known

    def _nodes(self, folder: Path, policy: Policy, seconds: int) -> list[Node]:
        scores: dict[str, Score] = {}
        for row in read_csv(folder / "node_scores.csv", _SCORES):
            k = parse_id(row["node_id"])
            need(k not in scores, f"{k}: two score rows")
            uptime = parse_int(row["uptime_seconds"])
            response_us = parse_int(row["response_time_us"])
            requests = parse_int(row["requests"])
            need(uptime <= seconds, f"{k}: uptime longer than the epoch")
            need(requests > 0 or response_us == 0, f"{k}: response time without requests")
            scores[k] = score(policy, seconds, uptime, response_us, requests)
        nodes: dict[str, Node] = {}
        for row in read_csv(folder / "nodes.csv", _NODES):
            k = parse_id(row["node_id"])
            need(k not in nodes, f"{k}: twice")
            node = Node(
                node_id=k,
                address=parse_address(row["payout_address"]),
                stake=parse_int(row["stake_weight"]),
                ready=parse_bool(row["machine_ready"]),
                exit=parse_bool(row["exit_requested"]),
                opening=self._opening(k, row["status"]),
                score=scores.get(k),
            )
            if node.opening.status in ("active", "reserved"):
                need(node.score is not None, f"{k}: no score row")
            nodes[k] = node
        need(set(scores) <= set(nodes), "score row of an unknown node")
        for k, state in self.nodes.items():
            need(k in nodes or state.status == "deactivated", f"{k}: known but not listed")
        return list(nodes.values())

    def _ledger(
        self, inputs: Path, settlement: tuple[int, str, str], run: NodeRun, wallets: WalletRun
    ) -> tuple[list[Row], dict[str, int], dict[str, int]]:
        """The rows, and the new cumulative amounts and recoveries (without zeros)."""
        plus: dict[str, int] = defaultdict(int)
        minus: dict[str, int] = defaultdict(int)
        if (inputs / "adjustments.csv").exists():
            for row in read_csv(inputs / "adjustments.csv", _ADJUST):
                amount = parse_signed(row["amount"])
                address = parse_address(row["payout_address"])
                plus[address] += max(amount, 0)
                minus[address] += max(-amount, 0)
        cumulative = {} if self.previous is None else dict(self.previous.cumulative)
        recovery = {} if self.previous is None else dict(self.previous.recovery)
        everyone = {*cumulative, *recovery, *run.paid, *wallets.amounts, *plus}
        for address in everyone:
            need(int(address, 16) > 0xFFFF, f"not payable: {address}")
            need(address not in settlement, f"not payable: {address}")
        rows: list[Row] = []
        identity = 0
        for address in sorted(everyone):
            node_amount = run.paid.get(address, 0)
            wallet_amount = wallets.amounts.get(address, 0)
            old, old_recovery = cumulative.get(address, 0), recovery.get(address, 0)
            earned = node_amount + wallet_amount + plus[address]
            owed = old_recovery + minus[address]
            if earned == owed == old == 0:
                continue
            settled = min(earned, owed)
            cumulative[address] = old + earned - settled
            recovery[address] = owed - settled
            adjustment = plus[address] - minus[address]
            identity += node_amount + wallet_amount + adjustment
            identity += recovery[address] - old_recovery - (earned - settled)
            rows.append(
                {
                    "account": address,
                    "previous_cumulative": str(old),
                    "node_amount": str(node_amount),
                    "wallet_amount": str(wallet_amount),
                    "adjustment": str(adjustment),
                    "recovery_in": str(old_recovery),
                    "recovery_out": str(recovery[address]),
                    "epoch_amount": str(earned - settled),
                    "cumulative": str(cumulative[address]),
                }
            )
        assert identity == 0
        return rows, _positive(cumulative), _positive(recovery)

    def _check_succession(
        self, header: Header, policy: Policy, settlement: tuple[int, str, str]
    ) -> None:
        before = self.previous
        need(header.genesis == (before is None), "genesis does not fit the predecessor")
        if before is None:
            need(policy.first_epoch <= header.epoch, "policy not yet in force")
            return
        need(header.epoch == before.epoch + 1, "epoch number does not follow")
        need(header.start == before.end, "epoch does not start where the last one ended")
        need(settlement == before.settlement, "another settlement target")
        same = policy == before.policy
        need(same or policy.first_epoch == header.epoch, "another policy")

    def epoch(self, inputs: Path) -> Tables:
        before = self.previous
        files = {p.name for p in inputs.iterdir()}
        need(files <= _FILES, f"unknown file {sorted(files - _FILES)}")
        header = read_header(read_toml(inputs / "epoch.toml"))
        policy = read_policy(read_toml(inputs / "policy.toml"))
        settlement = read_settlement(read_toml(inputs / "settlement.toml"))
        self._check_succession(header, policy, settlement)

        # The node program.
        node_files = files & {"nodes.csv", "node_scores.csv"}
        need(len(node_files) != 1, "one node file without the other")
        run = NodeRun()
        states = self.nodes
        if node_files:
            nodes = self._nodes(inputs, policy, header.end - header.start)
            run = run_nodes(policy, header, nodes)
            states.update(run.states)
        else:
            need(header.pool_nodes == 0, "node pool without the node program")

        # The wallet program.
        wallets = WalletRun()
        window_end = None if before is None else before.window_end
        if "wallet_scores.csv" in files:
            need(window_end is None or header.window[0] >= window_end, "window paid before")
            window_end = header.window[1]
            given = read_csv(inputs / "wallet_scores.csv", _WALLETS, ["ux_score", "stake_weight"])
            wallets = run_wallets(policy, header, given)
        else:
            pools = header.pool_eligible + header.pool_certified
            need(pools == 0, "wallet pools without the wallet program")

        allocations, cumulative, recovery = self._ledger(inputs, settlement, run, wallets)
        epoch_amount = sum(int(row["epoch_amount"]) for row in allocations)
        total = sum(cumulative.values())
        need(total < LIMIT, "cumulative total too large")

        # The distribution.
        chain_id, distributor, _ = settlement
        leaves = list(cumulative.items())
        if leaves:
            leaves.append((distributor, total))
        root = ""
        if leaves and self._tree:
            tuples = [
                (chain_id, int(distributor, 16), header.epoch, int(address, 16), amount)
                for address, amount in leaves
            ]
            root = "0x" + merkle_root(leaf_hashes(tuples)).hex()

        paid = sum(run.paid.values())
        self.previous = Previous(
            epoch=header.epoch,
            end=header.end,
            policy=policy,
            settlement=settlement,
            window_end=window_end,
            nodes=states,
            cumulative=cumulative,
            recovery=recovery,
        )
        return {
            "nodes": run.rows,
            "transitions": run.moves,
            "wallets": wallets.rows,
            "allocations": allocations,
            "totals": [
                {
                    "cumulative_total": str(total),
                    "epoch_amount": str(epoch_amount),
                    "leaf_count": str(len(leaves)),
                    "merkle_root": root,
                }
            ],
            "pools": [
                _pool("nodes", header.pool_nodes, paid, run.withheld),
                _pool(
                    "wallets_eligible",
                    header.pool_eligible,
                    header.pool_eligible - wallets.left_eligible,
                    0,
                ),
                _pool(
                    "wallets_certified",
                    header.pool_certified,
                    header.pool_certified - wallets.left_certified,
                    0,
                ),
            ],
        }


def _positive(amounts: Mapping[str, int]) -> dict[str, int]:
    return {k: v for k, v in amounts.items() if v}


def _pool(name: str, pool: int, paid: int, withheld: int) -> Row:
    left = pool - paid - withheld
    assert left >= 0
    return {
        "pool": name,
        "amount": str(pool),
        "paid": str(paid),
        "withheld": str(withheld),
        "unallocated": str(left),
    }


def season_from_published(folder: Path, *, tree: bool = True) -> Season:
    """A season that goes on after a published epoch.

    The published tables do not show a deactivated node that was left out, nor any node of an
    epoch without the node program, nor a wallet window before the last epoch. Where those
    matter, chain ``Season.epoch`` from the first epoch instead.
    """
    inputs = folder / "inputs"
    header = read_header(read_toml(inputs / "epoch.toml"))
    nodes: dict[str, NodeState] = {}
    if (folder / "nodes.csv").exists():
        for row in _published(folder / "nodes.csv"):
            until = int(row["confined_until"]) if row["confined_until"] else None
            nodes[row["node_id"]] = NodeState(row["closing_status"], until, int(row["debt_out"]))
    ledger = _published(folder / "allocations.csv")
    wallets_ran = (inputs / "wallet_scores.csv").exists()
    previous = Previous(
        epoch=header.epoch,
        end=header.end,
        policy=read_policy(read_toml(inputs / "policy.toml")),
        settlement=read_settlement(read_toml(inputs / "settlement.toml")),
        window_end=header.window[1] if wallets_ran else None,
        nodes=nodes,
        cumulative=_positive({r["account"].lower(): int(r["cumulative"]) for r in ledger}),
        recovery=_positive({r["account"].lower(): int(r["recovery_out"]) for r in ledger}),
    )
    return Season(previous, tree=tree)


def _published(path: Path) -> list[Row]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


def epoch_tables(inputs: Path, previous: Path | None) -> Tables:
    """One epoch; ``previous`` is the published folder of the predecessor."""
    season = Season() if previous is None else season_from_published(previous)
    return season.epoch(inputs)


# --------------------------------------------------------------------------- comparison


def _find(document: object, key: str) -> object:
    """The first value of this key anywhere in a JSON document, ``...`` when there is none."""
    if isinstance(document, dict):
        if key in document:
            return document[key]
        children = list(document.values())
    else:
        children = document if isinstance(document, list) else []
    found = (_find(child, key) for child in children)
    return next((value for value in found if value is not ...), ...)


def differences(
    tables: Tables, published: Path, *, in_order: Sequence[str] = ("nodes", "wallets")
) -> list[str]:
    """Every cell in which a published folder departs from these tables; empty when none does.

    A table that is not named in ``in_order`` (transitions) is compared node by node, each
    node's rows in their order. A published table that is absent counts as empty.
    """
    found: list[str] = []
    for name in ("nodes", "transitions", "wallets", "allocations"):
        path = published / f"{name}.csv"
        theirs = _published(path) if path.exists() else []
        ours = tables[name]
        if name not in (*in_order, "allocations"):
            ours = sorted(ours, key=lambda r: id_key(r["node_id"]))
            theirs = sorted(theirs, key=lambda r: id_key(r["node_id"]))
        if len(ours) != len(theirs):
            found.append(f"{name}: {len(ours)} rows here, {len(theirs)} there")
        for number, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
            free = {"reason"} if name == "transitions" else set()
            for column in sorted({*mine, *other} - free):
                a, b = mine.get(column), other.get(column)
                if a != b:
                    key = next(iter(mine.values()))
                    found.append(f"{name} row {number} ({key}) {column}: {a} here, {b} there")
    manifest = json.loads((published / "manifest.json").read_text(encoding="utf-8"))
    for key, mine_text in tables["totals"][0].items():
        value = _find(manifest, key)
        text = "" if value is None else str(value)
        if text != mine_text:
            found.append(f"manifest {key}: {mine_text or None} here, {text or None} there")
    return found
