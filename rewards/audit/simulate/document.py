"""A simulation as data: one JSON document, and the same as tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rewards.audit.simulate.incentives import cases_of, incentives_of
from rewards.audit.simulate.measures import (
    POOLS_OF,
    PROGRAMS,
    Comparison,
    Concentration,
    Measured,
    compare_runs,
    concentration,
    population,
)
from rewards.audit.simulate.replay import (
    COUNTERFACTUAL,
    read_range,
    run_as_published,
    run_under,
)
from rewards.audit.simulate.scenario import AS_PUBLISHED
from rewards.files.grammar import counted, format_epochs
from rewards.rules.integers import WAD, format_decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction
    from pathlib import Path

    from rewards.audit.pools import PoolRow
    from rewards.audit.simulate.incentives import Incentive
    from rewards.audit.simulate.scenario import Scenario

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""(header, rows), all text."""


@dataclass(frozen=True)
class Outcome:
    """One scenario, measured and held against what was published."""

    measured: Measured
    scenario: Scenario | None
    comparison: Comparison
    concentration: dict[str, Concentration]
    incentives: list[Incentive]

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self.measured.name


@dataclass(frozen=True)
class Simulation:
    """A range of epochs as published and under scenarios.

    Attributes:
        epochs: The epochs' numbers, ascending.
        published: The range as it was published.
        outcomes: The scenarios, in the order asked for.
    """

    epochs: list[int]
    published: Outcome
    outcomes: list[Outcome]

    @property
    def span(self) -> str:
        """The range in words."""
        return format_epochs(self.epochs[0], self.epochs[-1])

    @property
    def everything(self) -> list[Outcome]:
        """The range as published, then every scenario."""
        return [self.published, *self.outcomes]

    @property
    def sweeps(self) -> dict[str, list[Outcome]]:
        """The outcomes of each sweep, by the parameter that is swept."""
        found: dict[str, list[Outcome]] = {}
        for outcome in self.outcomes:
            if outcome.scenario and outcome.scenario.sweep:
                found.setdefault(outcome.scenario.sweep[0], []).append(outcome)
        return found

    @property
    def alternatives(self) -> list[Outcome]:
        """The scenarios that are no value of a sweep."""
        return [o for o in self.outcomes if not (o.scenario and o.scenario.sweep)]

    @cached_property
    def programs(self) -> list[str]:
        """The programs that ran in the range."""
        names = {program for program, _ in self.published.measured.recipients}
        return [program for program in PROGRAMS if program in names]

    @cached_property
    def people(self) -> dict[str, list[str]]:
        """Per program everybody whom any of the runs pays."""
        runs = [outcome.measured for outcome in self.everything]
        return {program: population(runs, program) for program in self.programs}


def _silently(_: str) -> None:
    """Tell nobody."""


def simulate(
    folders: Sequence[Path],
    scenarios: Sequence[Scenario],
    *,
    progress: Callable[[str], None] = _silently,
) -> Simulation:
    """Return a range of published epochs under each scenario.

    Args:
        folders: The epochs, in order.
        scenarios: What is changed.
        progress: Is told what is being computed.

    Raises:
        CheckFailed: An epoch does not come out as published.
        InvalidInput: The range or a scenario is not acceptable.
    """
    progress(f"computing {counted(len(folders), 'epoch')} as published")
    past = read_range(folders)
    own = Measured(run_as_published(past, AS_PUBLISHED))
    runs = []
    for scenario in scenarios:
        progress(f"computing {scenario.name}")
        runs.append(Measured(run_under(past, scenario)))
    cases = cases_of(own.run)

    def outcome(measured: Measured) -> Outcome:
        progress(f"asking what splitting and merging would gain: {measured.name}")
        return Outcome(
            measured,
            measured.run.scenario,
            compare_runs(own, measured),
            {},
            incentives_of(measured.run, cases),
        )

    bare = Simulation(
        [epoch.epoch for epoch in own.run.epochs], outcome(own), [outcome(run) for run in runs]
    )

    def concentrated(one: Outcome) -> Outcome:
        spread = {
            program: concentration(one.measured, program, bare.people[program])
            for program in bare.programs
        }
        return replace(one, concentration=spread)

    return replace(
        bare,
        published=concentrated(bare.published),
        outcomes=[concentrated(one) for one in bare.outcomes],
    )


# --- as a document ---------------------------------------------------------------------------


def exact(ratio: Fraction) -> dict[str, str]:
    """Return a ratio as an exact fraction and as a decimal of 18 places, cut off."""
    return {
        "fraction": f"{ratio.numerator}/{ratio.denominator}",
        "decimal": format_decimal(ratio.numerator * WAD // ratio.denominator),
    }


def document_of(simulation: Simulation) -> dict[str, Any]:
    """Return the simulation as one JSON document, amounts as decimal strings of base units."""
    return {
        "ok": True,
        "epochs": [str(number) for number in simulation.epochs],
        "recomputed_as_published": True,
        "counterfactual": list(COUNTERFACTUAL),
        "population": {p: str(len(accounts)) for p, accounts in simulation.people.items()},
        "scenarios": [_outcome_json(simulation, outcome) for outcome in simulation.everything],
    }


def _outcome_json(simulation: Simulation, outcome: Outcome) -> dict[str, Any]:
    scenario, comparison = outcome.scenario, outcome.comparison
    sweep = scenario.sweep if scenario else None
    return {
        "name": outcome.name,
        "settings": dict(scenario.settings) if scenario else {},
        "sweep": {"key": sweep[0], "value": sweep[1]} if sweep else None,
        "paid": str(outcome.measured.paid),
        "budget": {
            pool: _budget_json(outcome.measured.budget([pool]))
            for program in simulation.programs
            for pool in POOLS_OF[program]
        },
        "concentration": {
            program: {
                "payees": str(spread.payees),
                "largest_share": exact(spread.largest),
                "top10_share": exact(spread.top10),
                "gini": exact(spread.gini),
            }
            for program, spread in outcome.concentration.items()
        },
        "recipients": {
            "gain": str(len(comparison.winners)),
            "lose": str(len(comparison.losers)),
            "same": str(comparison.same),
            "gained": str(comparison.gained),
            "lost": str(comparison.lost),
            "moves": [
                {
                    "program": move.recipient[0],
                    "id": move.recipient[1],
                    "published": str(move.before),
                    "amount": str(move.after),
                    "delta": str(move.delta),
                }
                for move in comparison.moves
                if move.before or move.after
            ],
        },
        "status_changes": {
            step: str(count) for step, count in sorted(outcome.measured.changes.items())
        },
        "incentives": [
            {
                "program": case.program,
                "action": case.action,
                "ids": list(case.ids),
                "group": case.group,
                "epoch": str(case.epoch),
                "apart": str(case.apart),
                "changed": str(case.changed),
                "gain": str(case.gain),
            }
            for case in outcome.incentives
        ],
        "assumptions": [
            {"epoch": str(a.epoch), "node_id": a.node_id, "assumed": a.text}
            for a in outcome.measured.run.assumptions
        ],
    }


def _budget_json(budget: PoolRow) -> dict[str, str]:
    return {
        "approved": str(budget.approved),
        "paid": str(budget.paid),
        "withheld": str(budget.withheld),
        "unallocated": str(budget.unallocated),
    }


# --- as tables -------------------------------------------------------------------------------


def tables(simulation: Simulation) -> dict[str, Table]:
    """Return every table by file name; amounts are base units, deltas are signed."""
    return {
        "scenarios.csv": _scenario_table(simulation),
        "recipients.csv": _recipient_table(simulation),
        "accounts.csv": _account_table(simulation),
        "budget.csv": _budget_table(simulation),
        "incentives.csv": _incentive_table(simulation),
        "assumptions.csv": _assumption_table(simulation),
    }


def _scenario_table(simulation: Simulation) -> Table:
    ratios_header = ("largest_share", "top10_share", "gini")
    moves_header = ("gain", "lose", "same", "gained", "lost")
    header = ("scenario", "program", "paid", "payees", *ratios_header, *moves_header)
    rows = []
    for outcome in simulation.everything:
        for program in simulation.programs:
            spread = outcome.concentration[program]
            part = Comparison(
                tuple(m for m in outcome.comparison.moves if m.recipient[0] == program)
            )
            ratios = (spread.largest, spread.top10, spread.gini)
            rows.append(
                (
                    outcome.name,
                    program,
                    str(outcome.measured.budget(POOLS_OF[program]).paid),
                    str(spread.payees),
                    *(exact(ratio)["decimal"] for ratio in ratios),
                    str(len(part.winners)),
                    str(len(part.losers)),
                    str(part.same),
                    str(part.gained),
                    str(part.lost),
                )
            )
    return header, rows


def _recipient_table(simulation: Simulation) -> Table:
    header: tuple[str, ...] = ("program", "id", "published")
    rows: dict[tuple[str, str], list[str]] = {}
    for move in sorted(simulation.published.comparison.moves, key=lambda m: m.recipient):
        rows[move.recipient] = [*move.recipient, str(move.before)]
    for outcome in simulation.outcomes:
        header = (*header, outcome.name, f"{outcome.name} delta")
        for recipient, row in rows.items():
            amount = outcome.measured.recipients.get(recipient, 0)
            before = simulation.published.measured.recipients.get(recipient, 0)
            row += [str(amount), str(amount - before)]
    return header, [tuple(row) for row in rows.values()]


def _account_table(simulation: Simulation) -> Table:
    header: tuple[str, ...] = ("account", "published")
    accounts = sorted({a for outcome in simulation.everything for a in outcome.measured.accounts})
    before = simulation.published.measured.accounts
    rows = {account: [account, str(before.get(account, 0))] for account in accounts}
    for outcome in simulation.outcomes:
        header = (*header, outcome.name, f"{outcome.name} delta")
        for account, row in rows.items():
            amount = outcome.measured.accounts.get(account, 0)
            row += [str(amount), str(amount - before.get(account, 0))]
    return header, [tuple(row) for row in rows.values()]


def _budget_table(simulation: Simulation) -> Table:
    header = ("scenario", "epoch", "pool", "approved", "paid", "withheld", "unallocated")
    rows = [
        (outcome.name, str(epoch), pool, *map(str, (b.approved, b.paid, b.withheld, b.unallocated)))
        for outcome in simulation.everything
        for epoch in simulation.epochs
        for program in simulation.programs
        for pool in POOLS_OF[program]
        for b in [outcome.measured.budget([pool], [epoch])]
    ]
    return header, rows


def _incentive_table(simulation: Simulation) -> Table:
    header = ("scenario", "program", "action", "ids", "group", "epoch", "apart", "changed", "gain")
    return header, [
        (
            outcome.name,
            case.program,
            case.action,
            " ".join(case.ids),
            case.group,
            *map(str, (case.epoch, case.apart, case.changed, case.gain)),
        )
        for outcome in simulation.everything
        for case in outcome.incentives
    ]


def _assumption_table(simulation: Simulation) -> Table:
    return ("scenario", "epoch", "node_id", "assumed"), [
        (outcome.name, str(a.epoch), a.node_id, a.text)
        for outcome in simulation.everything
        for a in outcome.measured.run.assumptions
    ]
