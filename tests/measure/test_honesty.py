"""Liars, replays and copies: what a minority of operators cannot do to a score."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rewards.measure.outputs import node_files
from tests.measure.telemetry import START, Case, random_case, scores, tables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.measure.reference import Probe

SLOTS = 10


def peer_case(operators: int, seed: int, nodes_of_liars: int = 1) -> tuple[Case, set[str]]:
    """All probe all; the first operators, fewer than half of any node's voters, will lie.

    Honest operators see the same downs and latencies that differ by where they are.
    """
    rng = random.Random(seed)
    liars = {f"op{i}" for i in range((operators - 2) // 2)}
    machines = [
        (f"n{i}-{copy}", f"op{i}", "node")
        for i in range(operators)
        for copy in range(nodes_of_liars if f"op{i}" in liars else 1)
    ]
    downs = {name: {s for s in range(SLOTS) if rng.random() < 0.3} for name, *_ in machines}
    distance = {name: rng.randrange(1_000, 900_000) for name, *_ in machines}
    probes: list[Probe] = []
    for reporter, own, _ in machines:
        for node, other, _ in machines:
            if own == other:
                continue
            for slot in range(SLOTS):
                for beat in (5, 25, 45):
                    ts = (START + slot * 60 + beat) * 10**6
                    up = slot not in downs[node]
                    latency = distance[reporter] + rng.randrange(1000) if up else None
                    probes.append((reporter, node, ts, up, latency))
    return Case(probes, machines, mode="peers", end=START + SLOTS * 60), liars


def lie(case: Case, liars: set[str], how: str, seed: int) -> list[Probe]:
    """Return what is reported when these operators do not say what they saw."""
    rng = random.Random(seed)
    operator_of = {name: operator for name, operator, _ in case.operators}
    reported: list[Probe] = []
    for reporter, node, ts, ok, latency in case.probes:
        if operator_of[reporter] not in liars:
            reported.append((reporter, node, ts, ok, latency))
        elif how == "all down":
            reported.append((reporter, node, ts, False, None))
        elif how == "all up at once":
            reported.append((reporter, node, ts, True, 0))
        elif how == "very slow":
            reported.append((reporter, node, ts, True, 2**40))
        elif how == "the opposite":
            reported.append((reporter, node, ts, not ok, 1))
        elif how == "a thousand times":
            reported += [(reporter, node, ts + i, not ok, rng.randrange(2**40)) for i in range(50)]
        elif how == "anything":
            reported.append((reporter, node, ts, rng.random() < 0.5, rng.randrange(2**40)))
        else:
            assert how == "nothing"
    return reported


WAYS = ("all down", "all up at once", "very slow", "the opposite", "a thousand times", "anything")


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("nodes_of_liars", [1, 3])
def test_a_minority_of_liars_moves_a_score_no_further_than_an_honest_value(
    how: str, nodes_of_liars: int, tmp_path: Path
) -> None:
    case, liars = peer_case(7, seed=3, nodes_of_liars=nodes_of_liars)
    honest = case.with_probes(lie(case, liars, "nothing", 0))
    truth = {row[0]: row for row in scores(case.measure(tmp_path / "truth"))}
    measured = case.with_probes(lie(case, liars, how, 1)).measure(tmp_path / "lies")
    seen = {
        r.node_id: r for r in replace(honest, quorum="1/10").measure(tmp_path / "honest").results
    }
    published = {row[0]: row for row in scores(measured)}
    assert published.keys() == truth.keys()
    for node_id, _, uptime, *_ in ((row[0], *row) for row in published.values()):
        # Honest operators agree on the downs, so uptime is exactly what they saw.
        assert uptime == truth[node_id][1], node_id
        response, requests = (int(cell) for cell in published[node_id][2:])
        means = [(r.sum_us, r.count) for r in seen[node_id].tally.reports.values() if r.count]
        assert any(response * count >= total * requests for total, count in means)
        assert any(response * count <= total * requests for total, count in means)


def test_many_machines_have_one_voice(tmp_path: Path) -> None:
    """One operator with forty oracles outvotes nobody."""
    oracles = [("honest-1", "a", "oracle"), ("honest-2", "b", "oracle")]
    horde = [(f"horde-{i}", "c", "oracle") for i in range(40)]
    ts = [(START + s) * 10**6 for s in range(0, 600, 60)]
    probes: list[Probe] = [(name, "n", t, True, 5) for name, *_ in oracles for t in ts]
    probes += [(name, "n", t, False, None) for name, *_ in horde for t in ts]
    case = Case(probes, [*oracles, *horde, ("n", "d", "node")])
    assert scores(case.measure(tmp_path)) == [["n", "600", "100", "20"]]


def test_self_reports_are_dropped(tmp_path: Path) -> None:
    """An operator's oracle says nothing about the operator's own node, in either direction."""
    machines = [("o1", "a", "oracle"), ("o2", "b", "oracle"), ("n", "a", "node")]
    ts = [(START + s) * 10**6 for s in range(0, 600, 60)]
    probes: list[Probe] = [("o1", "n", t, True, 1) for t in ts]
    probes += [("o2", "n", t, t % 120_000_000 == 0, 50) for t in ts]
    measurement = Case(probes, machines).measure(tmp_path)
    assert scores(measurement) == [["n", "300", "250", "5"]]
    assert measurement.rows.self_reports == len(ts)


def test_peers_do_not_measure_for_oracles_and_oracles_not_for_peers(tmp_path: Path) -> None:
    machines = [("o", "a", "oracle"), ("n1", "b", "node"), ("n2", "c", "node")]
    ts = [(START + s) * 10**6 for s in range(0, 600, 60)]
    probes: list[Probe] = [("o", n, t, True, 7) for t in ts for n in ("n1", "n2")]
    probes += [("n1", "n2", t, False, None) for t in ts] + [("n2", "n1", t, True, 9) for t in ts]
    by_oracle = Case(probes, machines).measure(tmp_path / "a")
    by_peers = Case(probes, machines, mode="peers").measure(tmp_path / "b")
    assert scores(by_oracle) == [["n1", "600", "70", "10"], ["n2", "600", "70", "10"]]
    assert scores(by_peers) == [["n1", "600", "90", "10"], ["n2", "0", "0", "0"]]
    assert by_oracle.rows.other_role == by_peers.rows.other_role == 20


@pytest.mark.parametrize("seed", range(300, 306))
def test_replayed_and_duplicated_probes_change_nothing(seed: int, tmp_path: Path) -> None:
    case = random_case(seed)
    rng = random.Random(seed)
    copies = [rng.choice(case.probes) for _ in range(len(case.probes))]
    replayed = case.with_probes([*case.probes, *case.probes, *copies])
    before, after = case.measure(tmp_path / "a"), replayed.measure(tmp_path / "b")
    assert tables(node_files(after)) == tables(node_files(before))
    assert after.rows.kept == before.rows.kept


def test_a_contradicting_repeat_counts_against_the_reporter(tmp_path: Path) -> None:
    """Of equal probes the worst counts: a failure, or the largest latency."""
    machines = [("o", "a", "oracle"), ("n", "b", "node")]
    first, second = START * 10**6, (START + 60) * 10**6
    probes: list[Probe] = [
        *(("o", "n", first, True, latency) for latency in (5, 9, 7)),
        ("o", "n", second, True, 3),
        ("o", "n", second, False, None),
    ]
    measurement = Case(probes, machines, end=START + 120).measure(tmp_path)
    assert scores(measurement) == [["n", "60", "9", "1"]]
    assert measurement.rows.repeats == 3


def test_trusted_unique_counts_every_row(tmp_path: Path) -> None:
    machines = [("o", "a", "oracle"), ("n", "b", "node")]
    probe: Probe = ("o", "n", START * 10**6, True, 5)
    case = Case([probe, probe], machines, end=START + 60, repeats="trusted_unique")
    assert scores(case.measure(tmp_path)) == [["n", "60", "10", "2"]]
