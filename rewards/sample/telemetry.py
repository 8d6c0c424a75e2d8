"""Telemetry of the sample season: probes and events that measure to exactly its scores.

Three oracles probe every node in service once a minute; who answers when, and how fast, is chosen
so that the measurement is the season's score to the microsecond. A wallet's month is as many events
as the season pays it for. Some rows arrive twice, some attempts fail: both count for nothing.

Written as Parquet, whose bytes may differ between versions of the library; what is measured from
it does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rewards.files.csv_tables import canonical_csv
from rewards.files.inputs import read_inputs
from rewards.files.season import Season
from rewards.rules.integers import format_decimal
from rewards.sample.dice import Dice
from rewards.sample.generator import ORACLES, SEED, SLOT_SECONDS
from rewards.sample.story import operator_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rewards.rules.records import EpochHeader, NodeScore, Wallet, Window

MICROSECONDS = 1_000_000
REPLAYED = 97
"""Every so many rows one arrives twice, as happens when a log is shipped again."""
FAILED = 50
"""For so many events that succeed there is one that fails."""
ROWS_AT_ONCE = 1 << 20

PROBES, EVENTS = "probes.parquet", "events.parquet"
OPERATORS, WALLETS, CONFIG = "operators.csv", "wallets.csv", "measurement.toml"
NODE_FILES = {"--probes": PROBES, "--operators": OPERATORS, "--config": CONFIG}
WALLET_FILES = {"--events": EVENTS, "--wallets": WALLETS}
"""What `rewards measure nodes` and `wallets` are told, by option."""
MEASUREMENT_TOML = f"""\
# Sample: trusted oracles measure (phase 1).
mode = "oracles"
slot_seconds = {SLOT_SECONDS}
quorum = "2/3"
min_coverage = "0.9"
"""
PROBE_SCHEMA = pa.schema(
    [
        ("reporter_id", pa.string()),
        ("node_id", pa.string()),
        ("ts_us", pa.int64()),
        ("ok", pa.bool_()),
        ("latency_us", pa.int64()),
    ]
)
EVENT_SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("wallet_id", pa.string()),
        ("kind", pa.string()),
        ("ts_us", pa.int64()),
        ("ok", pa.bool_()),
    ]
)
KINDS = ("connection", "signature")
FIRST_EVENT = 10**11
TELEMETRY = "telemetry"
"""The folder of a season in which the raw telemetry lies here; a real one's lies elsewhere."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What was made for one epoch of a season.

    Attributes:
        header: The epoch, with the windows of nodes and wallets.
        folder: `telemetry/NNNNNN` in the season.
        has_events: Whether wallets were active too.
    """

    header: EpochHeader
    folder: Path
    has_events: bool


def write_telemetry(root: Path, seed: int = SEED) -> Iterator[Telemetry]:
    """Write `telemetry/NNNNNN` for each epoch of a sample season, one after the other.

    Args:
        root: The season, as copied or generated.
        seed: The same seed gives the same rows.

    Raises:
        ValueError: A score is one to which no probes of three oracles come.
    """
    season, dice = Season.open(root), Dice(seed)
    for epoch in season.with_inputs():
        inputs = read_inputs(season.inputs(epoch)).inputs
        if inputs is None or inputs.node_scores is None:
            raise ValueError(f"{season.inputs(epoch)} is no epoch of the sample")
        folder = root / TELEMETRY / f"{epoch:06d}"
        folder.mkdir(parents=True)
        write_probes(folder, inputs.header.window, inputs.node_scores, dice)
        if inputs.wallets is not None:
            write_events(folder, inputs.header.wallet_window, inputs.wallets)
        yield Telemetry(inputs.header, folder, has_events=inputs.wallets is not None)


# --- nodes -----------------------------------------------------------------------------------


def write_probes(folder: Path, window: Window, scores: Sequence[NodeScore], dice: Dice) -> None:
    """Write what `measure nodes` takes: probes, operators and settings.

    Args:
        folder: Where to.
        window: The epoch.
        scores: Of the nodes in service; uptime in whole slots, and two or three answered probes
            for each of them.
        dice: Decides what the scores leave open.
    """
    made = [_probes_of(number, score, window, dice) for number, score in enumerate(scores)]
    columns = [np.concatenate(parts) for parts in zip(*made, strict=True)]
    oracle, node, ts_us, ok, latency = columns
    # By time like a log, and some of it again at the end.
    order = np.argsort(ts_us, kind="stable")
    order = np.concatenate([order, order[::REPLAYED]])
    arrays = [
        _names(ORACLES, oracle[order]),
        _names([score.node_id for score in scores], node[order]),
        pa.array(ts_us[order]),
        pa.array(ok[order]),
        pa.array(latency[order], mask=~ok[order]),
    ]
    pq.write_table(pa.table(arrays, schema=PROBE_SCHEMA), folder / PROBES, compression="zstd")
    machines = [(score.node_id, operator_of(score.node_id), "node") for score in scores]
    machines += [(oracle, operator_of(oracle), "oracle") for oracle in ORACLES]
    table = canonical_csv(("id", "operator_id", "role"), sorted(machines))
    (folder / OPERATORS).write_bytes(table)
    (folder / CONFIG).write_text(MEASUREMENT_TOML, encoding="utf-8")


def _probes_of(number: int, score: NodeScore, window: Window, dice: Dice) -> tuple[Any, ...]:
    """Return oracle, node, ts_us, ok and latency_us of a probe of each oracle in each slot."""
    slots, voices = window.seconds // SLOT_SECONDS, len(ORACLES)
    up = score.uptime_seconds // SLOT_SECONDS
    lost = voices * up - score.requests
    if score.uptime_seconds % SLOT_SECONDS or not 0 <= lost <= up:
        raise ValueError(f"{score.node_id}: no probes of {voices} oracles come to this score")
    key = (window.start, score.node_id)
    first_down = dice.below(up + 1, *key, "outage")
    answered = np.ones((slots, voices), dtype=bool)
    answered[first_down : first_down + slots - up] = False
    # In some slots that are up one oracle gets no answer; two of three outvote it.
    alone = np.flatnonzero(answered[:, 0])[np.argsort(_noise(up, dice, *key, "lost"))[:lost]]
    answered[alone, _noise(lost, dice, *key, "whose") % voices] = False
    ok = answered.reshape(-1)
    latency = np.zeros(slots * voices, dtype=np.int64)
    latency[ok] = _latencies(score, dice, key)
    seconds = np.arange(slots)[:, None] * SLOT_SECONDS + 7 + 13 * np.arange(voices)
    jitter = _noise(slots * voices, dice, *key, "jitter") % MICROSECONDS
    ts_us = (window.start + seconds.reshape(-1)) * MICROSECONDS + jitter
    oracle = np.tile(np.arange(voices), slots)
    return oracle, np.full(slots * voices, number), ts_us, ok, latency


def _latencies(score: NodeScore, dice: Dice, key: tuple[int, str]) -> Any:  # noqa: ANN401 - array
    """Return the latencies of all answers: around the mean, with exactly the score's sum."""
    if not score.requests:
        return np.zeros(0, dtype=np.int64)
    mean, rest = divmod(score.response_time_us, score.requests)
    latency = np.full(score.requests, mean, dtype=np.int64)
    latency[:rest] += 1
    # In pairs, one as much above the mean as the other below it.
    pairs = score.requests // 2
    swing = _noise(pairs, dice, *key, "swing") % (mean // 3 + 1)
    latency[0 : 2 * pairs : 2] += swing
    latency[1::2] -= swing
    return latency


# --- wallets ---------------------------------------------------------------------------------


def write_events(folder: Path, window: Window, wallets: Sequence[Wallet]) -> None:
    """Write what `measure wallets` takes: events and wallets.

    Args:
        folder: Where to.
        window: The wallets' window.
        wallets: What the events are to measure to.
    """
    counts = [n for wallet in wallets for n in (wallet.connections, wallet.signatures)]
    ends, total = np.cumsum(counts), sum(counts)
    stride, apart = _coprime(total), window.seconds * MICROSECONDS // max(1, total)
    ids = [wallet.wallet_id for wallet in wallets]
    with pq.ParquetWriter(
        folder / EVENTS,
        EVENT_SCHEMA,
        compression="zstd",
        use_dictionary=["wallet_id", "kind"],
        # Ids that count up and times that go on differ little from one row to the next.
        column_encoding={"event_id": "DELTA_BYTE_ARRAY", "ts_us": "DELTA_BINARY_PACKED"},
    ) as writer:
        for first in range(0, total, ROWS_AT_ONCE):
            events = np.arange(first, min(first + ROWS_AT_ONCE, total))
            # A failed attempt has an id of its own, a repeated event that of the first.
            taken = [events, events[::FAILED], events[::REPLAYED]]
            number = np.concatenate(taken)
            ok = np.repeat([True, False, True], [len(part) for part in taken])
            # All events of a wallet lie together in `ends`; the stride spreads them over time.
            source = np.searchsorted(ends, number * stride % total, side="right")
            arrays = [
                pa.array(FIRST_EVENT + number + np.where(ok, 0, total)).cast(pa.string()),
                _names(ids, source // 2),
                _names(KINDS, source % 2),
                pa.array(window.start * MICROSECONDS + number * apart),
                pa.array(ok),
            ]
            writer.write_table(pa.table(arrays, schema=EVENT_SCHEMA))
    table = canonical_csv(
        ("wallet_id", "payout_address", "certified", "ux_score", "stake_weight"),
        (
            (
                wallet.wallet_id,
                wallet.payout_address,
                "true" if wallet.certified else "false",
                format_decimal(wallet.ux_score),
                str(wallet.stake_weight),
            )
            for wallet in wallets
        ),
    )
    (folder / WALLETS).write_bytes(table)


def _coprime(total: int) -> int:
    """Return a stride that comes to every number below `total` once before it returns."""
    return next(n for n in count(max(1, total * 618 // 1000)) if gcd(n, total) == 1)


# --- both ------------------------------------------------------------------------------------


def _names(names: Sequence[str], numbers: Any) -> Any:  # noqa: ANN401 - arrays
    """Return the names that the numbers stand for, as a column of text."""
    indices = pa.array(numbers.astype(np.int32))
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(names))).cast(pa.string())


def _noise(count: int, dice: Dice, *purpose: str | int) -> Any:  # noqa: ANN401 - an array
    """Return integers in [0, 2^63) that look drawn: SplitMix64 from a seed that the dice give."""
    step, first, second = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(step)
    z += np.uint64(dice.below(1 << 64, *purpose))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(first)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(second)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(1)).astype(np.int64)
