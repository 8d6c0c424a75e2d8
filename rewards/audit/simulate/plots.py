"""A simulation as plots: winners and losers, Lorenz curves, sweeps, incentives."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from rewards.audit.simulate.measures import lorenz_of
from rewards.audit.svg import Bar, Series, bars, lines, signed_wct
from rewards.files.grammar import counted
from rewards.rules.integers import WCT

if TYPE_CHECKING:
    from rewards.audit.simulate.document import Outcome, Simulation
    from rewards.audit.simulate.incentives import Incentive

SHOWN_MOVES = 30
SHOWN_LINES = 6
LORENZ_POINTS = 200
LABEL = 34


def plots(simulation: Simulation) -> dict[str, bytes]:
    """Return every plot by file name."""
    files: dict[str, bytes] = {}
    for outcome in simulation.alternatives:
        files[f"moves-{_file_name(outcome.name)}.svg"] = _moves(simulation, outcome)
    for program in simulation.programs:
        files[f"lorenz-{program}.svg"] = _lorenz(simulation, program)
        if simulation.alternatives:
            for action in ("split", "merge"):
                files[f"{action}-{program}.svg"] = _incentives(simulation, program, action)
    for key, outcomes in simulation.sweeps.items():
        for program in simulation.programs:
            files[f"sweep-{_file_name(key)}-{program}.svg"] = _sweep(key, outcomes, program)
    return files


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-")[:80]


def _moves(simulation: Simulation, outcome: Outcome) -> bytes:
    moves = [move for move in outcome.comparison.moves if move.delta][:SHOWN_MOVES]
    ordered = sorted(moves, key=lambda move: (-move.delta, move.recipient))
    return bars(
        f"Winners and losers under {outcome.name}",
        [Bar(move.recipient[1], move.delta, signed_wct(move.delta)) for move in ordered],
        f"WCT over {simulation.span}, the {counted(len(moves), 'largest move')}",
    )


def _lorenz(simulation: Simulation, program: str) -> bytes:
    people = simulation.people[program]
    shown = list({_settings(o): o for o in reversed(simulation.everything)}.values())[::-1]
    curves = [
        Series(o.name, _thinned(lorenz_of(o.measured, program, people)))
        for o in shown[:SHOWN_LINES]
    ]
    diagonal = [(Fraction(0), Fraction(0)), (Fraction(1), Fraction(1))]
    equal = Series("all equal", diagonal, faint=True)
    return lines(
        f"Who gets what of the {program} pay",
        [*curves, equal],
        x_label=f"share of the {counted(len(people), 'payee')}, the smallest first",
        y_label="share of the pay",
        x_ticks=_quarters(),
        y_ticks=_quarters(),
        dots=False,
    )


def _settings(outcome: Outcome) -> tuple[object, ...]:
    """Return what tells one scenario from another: a sweep may ask the same as a setting."""
    scenario = outcome.scenario
    if scenario is None:
        return ()
    return (scenario.policy and outcome.name, *sorted(scenario.settings.items()))


def _thinned(points: list[tuple[Fraction, Fraction]]) -> list[tuple[Fraction, Fraction]]:
    """Return at most LORENZ_POINTS points, the ends among them."""
    step = max(len(points) // LORENZ_POINTS, 1)
    kept = points[::step]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _quarters() -> list[tuple[Fraction, str]]:
    return [(Fraction(i, 4), f"{25 * i} %") for i in range(5)]


def _sweep(key: str, outcomes: list[Outcome], program: str) -> bytes:
    """Plot three shares over the values of a sweep, evenly spaced in the order given."""
    places = [Fraction(i) for i in range(len(outcomes))]
    spreads = [outcome.concentration[program] for outcome in outcomes]
    values = [o.scenario.sweep[1] if o.scenario and o.scenario.sweep else "" for o in outcomes]
    return lines(
        f"{program.capitalize()} under {key}",
        [
            Series("largest payee", _points(places, [s.largest for s in spreads])),
            Series("ten largest payees", _points(places, [s.top10 for s in spreads])),
            Series("Gini", _points(places, [s.gini for s in spreads])),
        ],
        x_label=key,
        y_label="share of the pay, or Gini",
        x_ticks=list(zip(places, values, strict=True)),
        y_ticks=[(Fraction(tenths, 10), f"0.{tenths}") for tenths in (0, 2, 4, 6, 8)]
        + [(Fraction(1), "1")],
    )


def _points(places: list[Fraction], values: list[Fraction]) -> list[tuple[Fraction, Fraction]]:
    return list(zip(places, values, strict=True))


def _incentives(simulation: Simulation, program: str, action: str) -> bytes:
    """Plot what splitting or merging would gain: a bar as published, then one per scenario."""
    outcomes = [simulation.published, *simulation.alternatives]
    rows = [
        Bar(_case_label(case, i), case.gain, signed_wct(case.gain))
        for cases in zip(*(outcome.incentives for outcome in outcomes), strict=True)
        if any(abs(case.gain) >= WCT for case in cases)
        for i, case in enumerate(cases)
        if case.program == program and case.action == action
    ]
    names = "; ".join(f"({i}) {outcome.name}" for i, outcome in enumerate(outcomes) if i)
    verb = "splitting in two" if action == "split" else "merging two"
    note = f"WCT; first as published{f', then {names}' if names else ''}"
    return bars(f"What {verb} would gain, {program}", rows, note)


def _case_label(case: Incentive, number: int) -> str:
    ids = " + ".join(case.ids)
    return f"({number})" if number else ids if len(ids) <= LABEL else f"{ids[:LABEL]}…"
