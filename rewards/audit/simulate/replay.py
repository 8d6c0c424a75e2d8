"""Compute a range of published epochs again: as they were, and under a scenario.

What was measured stays: uptime, latency, signatures, stake, exits, adjustments. What follows from
the rules is chained under the scenario: statuses, confinements, debts, recoveries, cumulative
amounts. Where the scenario pays a node that had no measurement, one is assumed and named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rewards.audit.verify import verify_epoch
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.inputs import check_inputs, read_inputs
from rewards.files.outputs import INPUTS_FOLDER
from rewards.files.published import PublishedEpoch
from rewards.rules import RULESETS
from rewards.rules.records import Account, NodeScore, Opening, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rewards.audit.simulate.scenario import Scenario
    from rewards.rules.records import EpochResult, Inputs

NO_HASH = "0x" + "00" * 32
MEASURED_STATUSES = (Status.ACTIVE, Status.RESERVED)

AS_MEASURED = (
    "uptime, latency, signatures, stake and exits are those published: people might have behaved "
    "otherwise"
)
CHAINED = (
    "statuses, confinements, debts and cumulative amounts follow the scenario from the end of the "
    "first epoch on; that epoch opens as published"
)
COUNTERFACTUAL = (AS_MEASURED, CHAINED)


@dataclass(frozen=True, slots=True)
class PastEpoch:
    """A published epoch with its inputs and with what it opened on."""

    folder: Path
    inputs: Inputs
    opening: Opening | None


@dataclass(frozen=True, slots=True)
class Assumption:
    """A measurement that a scenario needs and that nobody made."""

    epoch: int
    node_id: str
    text: str


@dataclass(frozen=True, slots=True)
class EpochRun:
    """One epoch under a scenario."""

    inputs: Inputs
    opening: Opening | None
    result: EpochResult

    @property
    def epoch(self) -> int:
        """Its number."""
        return self.inputs.header.epoch


@dataclass(frozen=True, slots=True)
class Run:
    """A range of epochs under one scenario; `scenario` is None for the range as published."""

    name: str
    scenario: Scenario | None
    epochs: tuple[EpochRun, ...]
    assumptions: tuple[Assumption, ...] = ()


def read_range(folders: Sequence[Path]) -> list[PastEpoch]:
    """Return published epochs that follow one another, each recomputed as it was published.

    Raises:
        CheckFailed: An epoch does not come out as published; every such epoch is named.
        InvalidInput: A folder is none of an epoch, or the epochs do not follow one another.
    """
    findings = []
    for folder, previous in zip(folders, [None, *folders], strict=False):
        findings += [
            Finding(f"{folder}/{f.file}", f.problem, f.remedy, f.row, f.column, f.value)
            for f in verify_epoch(folder, previous)
        ]
    if findings:
        raise CheckFailed(findings)
    epochs = []
    for folder in folders:
        opening = PublishedEpoch(folder).own_opening()
        inputs = check_inputs(read_inputs(folder / INPUTS_FOLDER), opening)
        epochs.append(PastEpoch(folder, inputs, opening))
    return epochs


def run_as_published(past: Sequence[PastEpoch], name: str) -> Run:
    """Return the range under its own policies: what was published."""
    return Run(
        name,
        None,
        tuple(
            EpochRun(
                epoch.inputs,
                epoch.opening,
                RULESETS[epoch.inputs.policy.ruleset].compute_epoch(epoch.inputs, epoch.opening),
            )
            for epoch in past
        ),
    )


def run_under(past: Sequence[PastEpoch], scenario: Scenario) -> Run:
    """Return the range under a scenario, the state chained from epoch to epoch.

    Raises:
        InvalidInput: The scenario is not acceptable in an epoch; the finding names which.
    """
    opening = past[0].opening
    measured = _first_measurements(past)
    runs: list[EpochRun] = []
    assumptions: list[Assumption] = []
    for epoch in past:
        inputs, assumed = _with_scores(scenario.apply(epoch.inputs), opening, measured)
        assumptions += assumed
        _require_acceptable(inputs, opening, scenario)
        result = RULESETS[inputs.policy.ruleset].compute_epoch(inputs, opening)
        runs.append(EpochRun(inputs, opening, result))
        opening = closing_of(result)
        measured |= _measurements(epoch)
    return Run(scenario.name, scenario, tuple(runs), tuple(assumptions))


def closing_of(result: EpochResult) -> Opening:
    """Return a computed epoch as the next one opens on it."""
    ledger = {row.account: Account(row.cumulative, row.recovery_out) for row in result.allocations}
    return Opening(result.closing, ledger, NO_HASH)


@dataclass(frozen=True, slots=True)
class Measurement:
    """A node's score row, of which epoch, and how long that was."""

    row: NodeScore
    epoch: int
    seconds: int

    def scaled(self, seconds: int) -> NodeScore:
        """Return the row as of an epoch of that length."""
        return replace(self.row, uptime_seconds=self.row.uptime_seconds * seconds // self.seconds)


def _measurements(epoch: PastEpoch) -> dict[str, Measurement]:
    header = epoch.inputs.header
    return {
        row.node_id: Measurement(row, header.epoch, header.window.seconds)
        for row in epoch.inputs.node_scores or ()
    }


def _first_measurements(past: Sequence[PastEpoch]) -> dict[str, Measurement]:
    """Return each node's first measurement in the range: what is supposed before it."""
    first: dict[str, Measurement] = {}
    for epoch in reversed(past):
        first |= _measurements(epoch)
    return first


def _with_scores(
    inputs: Inputs, opening: Opening | None, measured: Mapping[str, Measurement]
) -> tuple[Inputs, list[Assumption]]:
    """Return the inputs with a score row for every node that the scenario pays, and what was made.

    A node without a measurement is taken as it was last measured in the range (before its first
    measurement: as it was then), scaled to this epoch's length; one that never was, as down.
    """
    if inputs.nodes is None or opening is None:
        return inputs, []
    known, epoch = opening.state.nodes, inputs.header.epoch
    seconds = inputs.header.window.seconds
    have = {row.node_id for row in inputs.node_scores or ()}
    rows, assumptions = list(inputs.node_scores or ()), []
    for node in inputs.nodes:
        paid = node.node_id in known and known[node.node_id].status in MEASURED_STATUSES
        if not paid or node.node_id in have:
            continue
        if node.node_id in measured:
            rows.append(measured[node.node_id].scaled(seconds))
            text = f"not measured: taken as in epoch {measured[node.node_id].epoch}"
        else:
            rows.append(NodeScore(node.node_id, 0, 0, 0))
            text = "never measured in the range: taken as down"
        assumptions.append(Assumption(epoch, node.node_id, text))
    listed = {node.node_id for node in inputs.nodes}
    assumptions += [
        Assumption(epoch, node_id, "not in this epoch's registry: not paid")
        for node_id, state in sorted(known.items())
        if state.status in MEASURED_STATUSES and node_id not in listed
    ]
    # The statuses that the registry gives are those of the epochs as published.
    nodes = tuple(replace(node, status=None) for node in inputs.nodes)
    scores = tuple(sorted(rows, key=lambda row: row.node_id))
    return replace(inputs, nodes=nodes, node_scores=scores), assumptions


def _require_acceptable(inputs: Inputs, opening: Opening | None, scenario: Scenario) -> None:
    """Hold the changed inputs against the ruleset's own conditions.

    A node that is missing in the registry is no error here: the scenario may have kept it.
    """
    problems = RULESETS[inputs.policy.ruleset].input_problems(inputs, opening)
    findings = [
        Finding(
            f"epoch {inputs.header.epoch} under {scenario.name}, {problem.file}",
            problem.problem,
            problem.remedy,
            column=problem.column,
            value=problem.value,
        )
        for problem in problems
        if not problem.by_absence
    ]
    if findings:
        raise InvalidInput(findings)
