"""`rewards measure nodes`: probes to `node_scores.csv`, with the evidence (section 1)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from rewards.errors import InvalidInput
from rewards.files.grammar import counted
from rewards.measure import probes as expressions
from rewards.measure.columns import PROBES, canonical, row_text
from rewards.measure.complaints import broken_rows, listed, listed_ids, time_findings
from rewards.measure.inputs import hash_small, read_config, read_operators, read_overrides
from rewards.measure.percentiles import finer_width, percentiles
from rewards.measure.probes import HALF_BITS, Machines
from rewards.measure.records import (
    LATENCY_LIMIT_US,
    MICROSECONDS,
    NODE,
    ROLE_OF_MODE,
    MeasuredWindow,
    NodeTally,
    OperatorReport,
    RowCounts,
    SlotRange,
)
from rewards.measure.scores import NodeResult, quorum_of, score_node, voters_of
from rewards.measure.sources import hash_files, locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import ibis.expr.types as ir

    from rewards.errors import Finding
    from rewards.measure.engines import Engine
    from rewards.measure.percentiles import Bucket, Histogram
    from rewards.measure.records import Config, Machine, Override
    from rewards.measure.sources import Source, TelemetryFile

LABEL = "--probes"
MOST_STEPS = 4096
"""In how many steps of time the probes are counted before the window is cut."""


@dataclass(frozen=True, slots=True)
class NodeInputs:
    """The small inputs of `measure nodes`, read and checked."""

    window: MeasuredWindow
    machines: Sequence[Machine]
    config: Config
    overrides: Mapping[str, Override]
    files: Mapping[str, TelemetryFile]

    @property
    def nodes(self) -> list[Machine]:
        """The machines that are measured, in id order."""
        return [machine for machine in self.machines if machine.role == NODE]


@dataclass(frozen=True, slots=True)
class NodeMeasurement:
    """The outcome: every node's result, what became of the rows, and what was read."""

    inputs: NodeInputs
    results: Sequence[NodeResult]
    rows: RowCounts
    telemetry: Sequence[TelemetryFile]
    engine: tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Numbering:
    """Numbers in place of ids inside the engine; by id order, so they sort alike."""

    nodes: Sequence[str]
    operators: Sequence[str]


def read_node_inputs(
    window: MeasuredWindow, operators: Path, config: Path, overrides: Path | None
) -> NodeInputs:
    """Read the small inputs.

    Raises:
        InvalidInput: With all findings of all files.
    """
    findings: list[Finding] = []
    machines = read_operators(operators, findings)
    settings = read_config(config, window, findings)
    replaced = read_overrides(overrides, machines, window, findings)
    if findings or settings is None:
        raise InvalidInput(findings)
    named = {"operators.csv": operators, "measurement.toml": config, "overrides.csv": overrides}
    files = {name: hash_small(path, name) for name, path in named.items() if path}
    return NodeInputs(window, machines, settings, replaced, files)


def measure_nodes(
    inputs: NodeInputs, location: str, engine: Engine, progress: Callable[[str], None]
) -> NodeMeasurement:
    """Measure every node of `operators.csv`.

    Args:
        inputs: The small inputs.
        location: Where the probes lie.
        engine: What aggregates them.
        progress: Gets a line per step.

    Raises:
        InvalidInput: The probes cannot be measured; nothing has been written.
    """
    source = locate(LABEL, location)
    progress(f"hashing {counted(len(source.paths), 'file')} of probes")
    telemetry = hash_files(source, progress)
    probes = canonical(engine.scan(source), source, PROBES)
    numbering = _numbering(inputs)
    machines = _lookups(engine, inputs, numbering)
    progress(f"counting the probes with {engine.name} {engine.version}")
    counts = _census(engine, source, probes, machines, inputs.window)
    tallies, kept = _tally(engine, probes, machines, numbering, inputs, progress)
    source.require_unchanged()
    rows = RowCounts(
        read=counts["read"],
        outside=counts["read"] - counts["inside"],
        other_role=counts["other_role"],
        self_reports=counts["self_reports"],
        repeats=counts["inside"] - counts["other_role"] - counts["self_reports"] - kept,
        kept=kept,
    )
    results = [
        score_node(
            node.id,
            voters_of(node, inputs.machines, inputs.config),
            tallies[node.id],
            inputs.config,
            inputs.window,
            inputs.overrides.get(node.id),
        )
        for node in inputs.nodes
    ]
    return NodeMeasurement(inputs, results, rows, telemetry, (engine.name, engine.version))


def _numbering(inputs: NodeInputs) -> _Numbering:
    operators = sorted({machine.operator_id for machine in inputs.machines})
    return _Numbering([node.id for node in inputs.nodes], operators)


def _lookups(engine: Engine, inputs: NodeInputs, numbering: _Numbering) -> Machines:
    """Hand `operators.csv` to the engine, once as reporters and once as probed ids."""
    machines = inputs.machines
    operator = {name: number for number, name in enumerate(numbering.operators)}
    node = {name: number for number, name in enumerate(numbering.nodes)}
    role = ROLE_OF_MODE[inputs.config.mode]
    needed = [
        quorum_of(voters_of(machine, machines, inputs.config), inputs.config)
        if machine.role == NODE
        else 0
        for machine in machines
    ]
    ids = [machine.id for machine in machines]
    operators = [operator[machine.operator_id] for machine in machines]
    reporters = engine.lookup(
        "reporters",
        {
            "reporter_id": ids,
            "reporter": list(range(len(ids))),
            "reporter_operator": operators,
            "measures": [machine.role == role for machine in machines],
        },
    )
    nodes = engine.lookup(
        "nodes",
        {
            "node_id": ids,
            # An oracle that is probed is an error; it needs a number only to be told from null.
            "node": [node.get(name, -1) for name in ids],
            "node_operator": operators,
            "is_node": [machine.role == NODE for machine in machines],
            "needed": needed,
        },
    )
    return Machines(reporters, nodes)


def _census(
    engine: Engine, source: Source, probes: ir.Table, machines: Machines, window: MeasuredWindow
) -> dict[str, int]:
    """Return the counts of all rows.

    Raises:
        InvalidInput: Rows that must not be there; no window, other units, unknown ids and so on.
    """
    counts = engine.fetch_one(expressions.census(probes, machines, window))
    findings = broken_rows(engine, source.label, probes, counts["broken"])
    if expressions.is_far(counts, window):
        counts |= engine.fetch_one(expressions.in_other_units(probes, window))
    findings += time_findings(source.label, counts, window, "probe")
    if counts["faulty"] and not findings:
        findings = _row_findings(engine, source.label, probes, machines, window)
    if findings:
        raise InvalidInput(findings)
    return counts


def _row_findings(
    engine: Engine,
    label: str,
    probes: ir.Table,
    machines: Machines,
    window: MeasuredWindow,
) -> list[Finding]:
    counts = engine.fetch_one(expressions.faults(probes, machines, window))
    table = expressions.labelled(probes, machines)
    table = table.filter(expressions.is_inside(table, window))
    findings: list[Finding] = []
    if counts["unknown"]:
        remedy = "add every node and oracle to operators.csv"
        for column, known in (
            ("reporter_id", table.reporter_operator),
            ("node_id", table.node),
        ):
            ids = table.filter(known.isnull()).select(id=table[column])
            findings += listed_ids(
                engine, label, ids, column, "is in no row of operators.csv", remedy
            )
    if counts["not_node"]:
        ids = table.filter(~table.is_node).select(id=table.node_id)
        findings += listed_ids(
            engine, label, ids, "node_id", "is probed and no node", "check its role"
        )
    if counts["bad_latency"]:
        bad = table.filter(expressions.is_bad_latency(table))
        findings += listed(
            engine,
            label,
            bad.select(shown=row_text({name: bad[name] for name in PROBES})),
            counts["bad_latency"],
            f"is an ok probe whose latency is missing, negative or over {LATENCY_LIMIT_US}",
            "give microseconds, or ok = false",
        )
    return findings


def _tally(
    engine: Engine,
    probes: ir.Table,
    machines: Machines,
    numbering: _Numbering,
    inputs: NodeInputs,
    progress: Callable[[str], None],
) -> tuple[dict[str, NodeTally], int]:
    """Return node → tally, and how many probes were kept.

    The window is cut at slots into stretches that are counted one after the other: repeats and
    votes never reach over a slot's end, so the counts add up to those of the whole.
    """
    tallies = {node_id: NodeTally() for node_id in numbering.nodes}
    answers: dict[str, ir.Table] = {}
    slot_us = inputs.config.slot_seconds * MICROSECONDS
    stretches = _stretches(engine, probes, inputs)
    for number, (position, stretch) in enumerate(stretches, start=1):
        progress(f"measuring part {number} of {len(stretches)}")
        rows = engine.keep(
            "kept",
            expressions.kept(probes, machines, stretch, slot_us, unique=inputs.config.unique),
        )
        kept = rows.filter(rows.operator != expressions.OWN)
        _tally_stretch(engine, kept, machines, numbering, position, slot_us, tallies)
        name = f"answers_{number}"
        answers[name] = engine.store(name, expressions.answers(kept))
        engine.drop("kept")
    progress("finding the percentiles")
    first = _look(engine, answers.values(), None)

    def look(buckets: Iterable[Bucket]) -> Histogram:
        return _look(engine, answers.values(), _sought(engine, list(buckets)))

    for node, found in percentiles(first, look).items():
        tallies[numbering.nodes[node]].percentiles = found
    for name in answers:
        engine.drop(name)
    kept_rows = sum(r.probes for tally in tallies.values() for r in tally.reports.values())
    return tallies, kept_rows


def _stretches(
    engine: Engine, probes: ir.Table, inputs: NodeInputs
) -> list[tuple[int, MeasuredWindow]]:
    """Return (number of the first slot, stretch of the window), with whole slots in each.

    A stretch holds about as many probes as the engine best groups at once, however unevenly they
    lie; a single slot is never cut.
    """
    window, seconds = inputs.window, inputs.config.slot_seconds
    slots = window.seconds // seconds
    bounds = [0, slots]
    if engine.rows_at_once is not None:
        # Looked at in steps of several slots where there are very many.
        step = -(-slots // MOST_STEPS)
        width = step * seconds * MICROSECONDS
        counted = engine.fetch(expressions.rows_per_stretch(probes, window, width))
        bounds = [0]
        rows = 0
        for offset, n in sorted(counted):
            if rows and rows + n > engine.rows_at_once:
                bounds.append(offset // width * step)
                rows = 0
            rows += n
        bounds.append(slots)
    start = window.start
    return [
        (low, MeasuredWindow(start + low * seconds, start + high * seconds))
        for low, high in pairwise(bounds)
    ]


def _tally_stretch(
    engine: Engine,
    kept: ir.Table,
    machines: Machines,
    numbering: _Numbering,
    position: int,
    slot_us: int,
    tallies: Mapping[str, NodeTally],
) -> None:
    """Add a stretch's reports, votes and slots to the tallies."""

    def report_of(node: int, operator: int) -> OperatorReport:
        reports = tallies[numbering.nodes[node]].reports
        return reports.setdefault(numbering.operators[operator], OperatorReport())

    for node, operator, probes, ok_probes, high, low in engine.fetch(expressions.reports(kept)):
        report = report_of(node, operator)
        report.probes += probes
        report.count += ok_probes
        report.sum_us += (high << HALF_BITS) + low
    votes = engine.keep("votes", expressions.votes(kept))
    for node, operator, voted, ups in engine.fetch(expressions.votes_by_operator(votes)):
        report = report_of(node, operator)
        report.voted += voted
        report.up += ups
    ranges = expressions.slot_ranges(votes, machines, slot_us)
    found = engine.fetch(ranges.select("node", "first", "slots", "state"))
    for node, first_us, slots, state in sorted(found):
        first = position + first_us // slot_us
        tallies[numbering.nodes[node]].slots.append(SlotRange(first, first + slots, state))
    engine.drop("votes")


def _sought(engine: Engine, buckets: Sequence[Bucket]) -> ir.Table:
    """Hand buckets to the engine, with the width that they are to be looked into at."""
    nodes, starts, widths = (list(column) for column in zip(*buckets, strict=True))
    finer = list(map(finer_width, widths))
    return engine.lookup(
        "sought", {"node": nodes, "bucket": starts, "width": widths, "finer": finer}
    )


def _look(engine: Engine, answers: Iterable[ir.Table], sought: ir.Table | None) -> Histogram:
    """Count latencies in buckets over all stretches: everywhere, or inside those sought."""
    counts: Histogram = defaultdict(lambda: defaultdict(int))
    for rows in answers:
        for node, bucket, n in engine.fetch(expressions.latency_buckets(rows, sought)):
            counts[node][bucket] += n
    return counts
