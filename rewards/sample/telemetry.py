"""Telemetry of the sample season: probes and events from which `measure` comes to its scores.

Three oracles probe every node once a minute; who answers when, and how fast, is chosen so that the
measurement is exactly a given score. A score is `measurable` when it is one that such probes can
come to: whole minutes of uptime, two or three answers in every minute that is up and at most one
in a minute that is not.

A month of wallet events would be twenty million rows, so for wallets there is one hour instead: the
month's average, a file of its own that shows the command and pays nobody.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rewards.files.csv_tables import canonical_csv
from rewards.sample.dice import Dice
from rewards.sample.story import operator_of
from rewards.sample.wallets import wallets_of_month

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rewards.rules.records import NodeScore
    from rewards.sample.wallets import WalletMonth

SLOT_SECONDS = 60
MICROSECONDS = 1_000_000
ORACLES = ("oracle-1.watchtower", "oracle-2.lookout", "oracle-3.beacon")
"""Each with an operator of its own that runs no node."""
MAJORITY = 2
REPLAYED = 97
"""Every so many probes one arrives twice, as happens when a log is shipped again."""
HOURS_OF_JUNE = 30 * 24

MEASUREMENT_TOML = """\
# Sample: trusted oracles measure (phase 1).
mode = "oracles"
slot_seconds = 60
quorum = "2/3"
min_coverage = "0.9"
"""

Probe = tuple[str, str, str, str, str]


def measurable(score: NodeScore, seconds: int) -> NodeScore:
    """Return the score, or the nearest that probes of three oracles can come to.

    Args:
        score: Any score.
        seconds: Length of the epoch.

    Returns:
        Uptime in whole minutes, as many requests as there can be answers, the mean latency kept
        (its sum rounded down). A measurable score comes back as it is.
    """
    up = score.uptime_seconds // SLOT_SECONDS
    down = seconds // SLOT_SECONDS - up
    fewest, most = MAJORITY * up, len(ORACLES) * up + down
    requests = max(fewest, min(score.requests, most))
    total = score.response_time_us
    if requests != score.requests:
        requests = len(ORACLES) * up
        total = total * requests // score.requests if score.requests else 0
    return replace(
        score,
        uptime_seconds=up * SLOT_SECONDS,
        response_time_us=total if requests else 0,
        requests=requests,
    )


def telemetry_of_epoch(
    start: int, end: int, scores: Sequence[NodeScore], seed: int
) -> dict[str, bytes]:
    """Return what `measure nodes` takes, by file name: probes, operators and settings.

    Args:
        start: The epoch's first second.
        end: The first second after it.
        scores: Measurable scores of the nodes in service.
        seed: Of the season; the same seed gives the same bytes.
    """
    dice = Dice(seed)
    rows: list[Probe] = []
    for score in scores:
        rows += _probes(start, (end - start) // SLOT_SECONDS, score, dice)
    # Sorted by time like a log; a probe that arrives twice counts once.
    rows.sort(key=lambda row: (row[2], row[0], row[1]))
    rows += rows[::REPLAYED]
    machines = [(score.node_id, operator_of(score.node_id), "node") for score in scores]
    machines += [(oracle, operator_of(oracle), "oracle") for oracle in ORACLES]
    return {
        "probes.csv": canonical_csv(("reporter_id", "node_id", "ts_us", "ok", "latency_us"), rows),
        "operators.csv": canonical_csv(("id", "operator_id", "role"), sorted(machines)),
        "measurement.toml": MEASUREMENT_TOML.encode(),
    }


def _probes(start: int, slots: int, score: NodeScore, dice: Dice) -> Iterator[Probe]:
    """Yield one probe of each oracle in each minute."""
    up = score.uptime_seconds // SLOT_SECONDS
    answers = _answers(slots, _down_slots(slots, slots - up, score.node_id, start, dice), score)
    latencies = _latencies(score, dice, start)
    for slot, answered in enumerate(answers):
        for number, oracle in enumerate(ORACLES):
            second = start + slot * SLOT_SECONDS + 7 + 13 * number
            ok = (number + slot) % len(ORACLES) < answered
            yield (
                oracle,
                score.node_id,
                str(second * MICROSECONDS + 1_000 * (slot % 997)),
                "true" if ok else "false",
                str(next(latencies)) if ok else "",
            )


def _down_slots(slots: int, down: int, node_id: str, start: int, dice: Dice) -> range:
    """Return the minutes of the outage: one stretch of the day."""
    first = dice.below(slots - down + 1, start, node_id, "outage")
    return range(first, first + down)


def _answers(slots: int, down: range, score: NodeScore) -> list[int]:
    """Return how many oracles get an answer in each minute; they add up to the requests."""
    counts = [0 if slot in down else MAJORITY for slot in range(slots)]
    missing = score.requests - sum(counts)
    # First the third oracle's answers, then a lone answer during the outage.
    for slot in [*(s for s in range(slots) if s not in down), *down]:
        if missing > 0:
            counts[slot] += 1
            missing -= 1
    if missing:
        raise ValueError(f"{score.node_id}: no probes come to this score")
    return counts


def _latencies(score: NodeScore, dice: Dice, start: int) -> Iterator[int]:
    """Yield the latencies of all answers: around the mean, with the exact sum."""
    if not score.requests:
        return
    mean, rest = divmod(score.response_time_us, score.requests)
    swing = 0
    for number in range(score.requests):
        # In pairs, one as much above the mean as the other below it.
        if number % 2 == 0:
            alone = number + 1 == score.requests
            swing = 0 if alone else dice.below(mean // 3 + 1, start, score.node_id, number)
        yield mean + (swing if number % 2 == 0 else -swing) + (1 if number < rest else 0)


def wallet_hour(start: int, seed: int) -> dict[str, bytes]:
    """Return what `measure wallets` takes for one hour: events and wallets.

    Every wallet does in it a 720th of what it did in June.
    """
    months = wallets_of_month(Dice(seed))
    rows = sorted(_events(start, months), key=lambda row: (row[3], row[0]))
    rows += rows[::REPLAYED]
    wallets = [
        (m.wallet_id, m.payout_address, "true" if m.certified else "false", str(m.stake_weight))
        for m in months
    ]
    return {
        "events.csv": canonical_csv(("event_id", "wallet_id", "kind", "ts_us", "ok"), rows),
        "wallets.csv": canonical_csv(
            ("wallet_id", "payout_address", "certified", "stake_weight"), wallets
        ),
    }


def _events(start: int, months: Iterable[WalletMonth]) -> Iterator[tuple[str, ...]]:
    for month in months:
        for kind, count in (("connection", month.connections), ("signature", month.signatures)):
            events = count // HOURS_OF_JUNE
            for number in range(events):
                microsecond = start * MICROSECONDS + 3_600 * MICROSECONDS * number // events
                name = f"{month.wallet_id}.{kind[0]}{number}"
                yield (name, month.wallet_id, kind, str(microsecond), "true")
                if number % 50 == 0:  # a failed attempt before it
                    yield (f"{name}.failed", month.wallet_id, kind, str(microsecond), "false")
