"""The measurement rules once more, straight from their text: dicts, Fractions, one pass in Python.

Nothing here imports the package. Slow and plain on purpose; both engines are held against it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction

Probe = tuple[str, str, int, bool, "int | None"]
"""reporter_id, node_id, ts_us, ok, latency_us"""
Event = tuple[str, str, str, int, bool]
"""event_id, wallet_id, kind, ts_us, ok"""


class BadInput(Exception):  # noqa: N818
    """The rules call this input an error."""


@dataclass
class Expected:
    """What must be published: rows as text, in order."""

    scores: list[list[str]]
    evidence: list[list[str]]
    rows: dict[str, int]
    medians: dict[str, str | None]


def measure_nodes(
    probes: list[Probe],
    operators: list[tuple[str, str, str]],
    *,
    mode: str,
    start: int,
    end: int,
    slot_seconds: int,
    quorum: Fraction,
    min_coverage: Fraction,
    trusted_unique: bool = False,
    overrides: dict[str, tuple[int, int, int]] | None = None,
) -> Expected:
    """Section 1."""
    operator_of = {name: operator for name, operator, _ in operators}
    role_of = {name: role for name, _, role in operators}
    measuring = {"oracles": "oracle", "peers": "node"}[mode]
    e = end - start
    assert e % slot_seconds == 0
    slots = e // slot_seconds

    # 1
    rows = dict.fromkeys(
        ("read", "outside_window", "other_role", "self_reports", "repeats", "kept"), 0
    )
    counted: dict[tuple[str, str, int], list[tuple[bool, int | None]]] = defaultdict(list)
    rows["read"] = len(probes)
    for reporter, node, ts, ok, latency in probes:
        if not start * 10**6 <= ts < end * 10**6:
            rows["outside_window"] += 1
            continue
        if reporter not in role_of or node not in role_of or role_of[node] != "node":
            raise BadInput
        if ok and (latency is None or not 0 <= latency <= 2**40):
            raise BadInput
        if role_of[reporter] != measuring:
            rows["other_role"] += 1
        elif operator_of[reporter] == operator_of[node]:
            rows["self_reports"] += 1
        else:
            counted[reporter, node, ts].append((ok, latency))
    if rows["read"] == rows["outside_window"]:
        raise BadInput

    # 2
    kept: list[tuple[str, str, int, bool, int | None]] = []
    for (reporter, node, ts), copies in counted.items():
        if trusted_unique:
            kept += [(operator_of[reporter], node, ts, ok, latency) for ok, latency in copies]
            continue
        rows["repeats"] += len(copies) - 1
        ok = all(good for good, _ in copies)
        latency = max(latency for _, latency in copies if latency is not None) if ok else None
        kept.append((operator_of[reporter], node, ts, ok, latency))
    rows["kept"] = len(kept)

    expected = Expected([], [], rows, {})
    for name, own, role in sorted(operators):
        if role != "node":
            continue
        mine = [probe for probe in kept if probe[1] == name]

        # 3
        k = len({o for _, o, r in operators if r == measuring} - {own})
        said: dict[int, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
        for operator, _, ts, ok, _ in mine:
            said[(ts - start * 10**6) // (slot_seconds * 10**6)][operator].append(ok)
        observed = up = 0
        for voters in said.values():
            votes = [2 * sum(oks) > len(oks) for oks in voters.values()]
            if len(votes) >= max(1, math.ceil(quorum * k)):
                observed += 1
                up += 2 * sum(votes) > len(votes)

        # 6
        totals: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for operator, _, _, ok, latency in mine:
            if ok:
                assert latency is not None
                total, count = totals[operator]
                totals[operator] = (total + latency, count + 1)
        all_sum = sum(total for total, _ in totals.values())
        all_count = sum(count for _, count in totals.values())
        expected.medians[name] = None
        if mode == "oracles":
            response, requests = all_sum, all_count
        elif totals:
            order = sorted(totals, key=lambda o: (Fraction(*totals[o]), o))
            expected.medians[name] = chosen = order[(len(order) - 1) // 2]
            response, requests = totals[chosen]
        else:
            response, requests = 0, 0

        # 4 and 5
        row = None
        flag = "insufficient"
        if Fraction(observed, slots) >= min_coverage:
            row = [name, str(e * up // observed), str(response), str(requests)]
            flag = ""
        if overrides and name in overrides:
            row = [name, *map(str, overrides[name])]
            flag = "override"
        if row:
            expected.scores.append(row)

        latencies = sorted(latency for *_, ok, latency in mine if ok and latency is not None)
        expected.evidence.append(
            [
                name,
                str(slots),
                str(observed),
                str(up),
                str(len({probe[0] for probe in mine})),
                str(all_sum),
                str(all_count),
                *(_percentile(latencies, p) for p in (50, 95, 99)),
                flag,
            ]
        )
    return expected


def _percentile(latencies: list[int], p: int) -> str:
    for v in latencies:
        if 100 * sum(latency <= v for latency in latencies) >= p * len(latencies):
            return str(v)
    return ""


def measure_wallets(
    events: list[Event],
    wallets: list[tuple[str, str, bool, str, int]],
    *,
    start: int,
    end: int,
) -> tuple[list[list[str]], list[str], dict[str, int]]:
    """Section 2: rows, unknown wallets, counts."""
    rows = dict.fromkeys(
        ("read", "outside_window", "failed", "repeats", "unknown_wallet", "kept"), 0
    )
    rows["read"] = len(events)
    seen: dict[str, tuple[str, str]] = {}
    for event_id, wallet, kind, ts, ok in events:
        if not start * 10**6 <= ts < end * 10**6:
            rows["outside_window"] += 1
            continue
        if kind not in ("connection", "signature"):
            raise BadInput
        if not ok:
            rows["failed"] += 1
        elif event_id not in seen:
            seen[event_id] = (wallet, kind)
        elif seen[event_id] == (wallet, kind):
            rows["repeats"] += 1
        else:
            raise BadInput
    if rows["read"] == rows["outside_window"]:
        raise BadInput
    known = {wallet[0] for wallet in wallets}
    rows["unknown_wallet"] = sum(wallet not in known for wallet, _ in seen.values())
    rows["kept"] = len(seen) - rows["unknown_wallet"]
    count: dict[tuple[str, str], int] = defaultdict(int)
    for wallet_and_kind in seen.values():
        count[wallet_and_kind] += 1
    result = [
        [
            name,
            payout,
            str(count[name, "connection"]),
            str(count[name, "signature"]),
            "true" if certified else "false",
            ux,
            str(stake),
        ]
        for name, payout, certified, ux, stake in sorted(wallets)
    ]
    unknown = sorted({wallet for wallet, _ in seen.values()} - known)
    return result, unknown, rows
