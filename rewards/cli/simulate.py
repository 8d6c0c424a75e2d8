"""`rewards simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rewards.audit.simulate.document import document_of, simulate, tables
from rewards.audit.simulate.measures import POOLS_OF
from rewards.audit.simulate.plots import plots
from rewards.audit.simulate.replay import COUNTERFACTUAL
from rewards.audit.simulate.scenario import scenarios_of
from rewards.cli.console import answer, json_option, note, print_table, short_wct
from rewards.cli.epochs import season_option
from rewards.cli.ranges import folders_of, range_options
from rewards.cli.writing import write_files, write_tables
from rewards.files.grammar import counted
from rewards.rules.integers import WCT

if TYPE_CHECKING:
    from fractions import Fraction

    from rewards.audit.simulate.document import Outcome, Simulation
    from rewards.audit.simulate.incentives import Incentive
    from rewards.audit.simulate.measures import Move

DUST = WCT // 100
"""A gain below this comes from rounding, not from the rules."""

SIDE_BY_SIDE = 3
"""Columns of incentives that fit beside each other."""


@click.command()
@click.argument("outs", nargs=-1, metavar="[OUT]…")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A policy.toml in place of each epoch's own; repeatable.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter or a pool changed on top of each epoch's own policy; repeatable.",
)
@click.option(
    "--sweep",
    "sweeps",
    multiple=True,
    metavar="KEY=V1,V2,…",
    help="A parameter over several values; repeatable.",
)
@range_options
@click.option("--top", default=10, show_default=True, help="Winners and losers to show.")
@click.option("--csv", "csv_folder", type=click.Path(path_type=Path), help="Write tables there.")
@click.option("--plot", "plot_folder", type=click.Path(path_type=Path), help="Write plots there.")
@season_option
@json_option
def command(
    outs: tuple[str, ...],
    policies: tuple[Path, ...],
    settings: tuple[str, ...],
    sweeps: tuple[str, ...],
    first: str | None,
    last: str | None,
    top: int,
    csv_folder: Path | None,
    plot_folder: Path | None,
    season_folder: Path | None,
    as_json: bool,
) -> None:
    """Compute past epochs under other policies and show who would gain and lose.

    The epochs are those of the season, those from --from to --to, or the folders OUT. Each is first
    computed under its own policy and must come out as published, or it is named and the exit code
    is 1. Keys are those of policy.toml, and pools.nodes, pools.wallets_eligible,
    pools.wallets_certified (WCT, or a factor such as 1.1x); the value none removes a cap.

    \b
    Examples:
      rewards simulate --set wallets.certified_exponent=1/1
      rewards simulate --policy proposal.toml --from 120 --to 150 --plot plots
      rewards simulate --sweep nodes.tau=0.7,0.75,0.8,0.85 --csv tables
    """
    scenarios = scenarios_of(policies, settings, sweeps)
    if not scenarios:
        raise click.UsageError(
            "say what to change: --policy FILE, --set KEY=VALUE or --sweep KEY=V1,V2"
        )
    folders = folders_of(outs, first, last, season_folder)
    simulation = simulate(folders, scenarios, progress=(lambda _: None) if as_json else note)
    if csv_folder:
        write_tables(csv_folder, tables(simulation))
    if plot_folder:
        write_files(plot_folder, plots(simulation))
    answer(document_of(simulation), as_json=as_json, text=lambda: _show(simulation, top))


def _show(simulation: Simulation, top: int) -> None:
    click.echo(f"{simulation.span.capitalize()}, recomputed: every byte as published.\n")
    for number, outcome in enumerate(simulation.alternatives, start=1):
        _show_outcome(simulation, outcome, number, top)
    for key, outcomes in simulation.sweeps.items():
        _show_sweep(simulation, key, outcomes)
    if simulation.alternatives:
        _show_programs(simulation)
        _show_incentives(simulation)
    click.echo("What is supposed here")
    for line in COUNTERFACTUAL:
        _paragraph(f"- {line}")
    _show_assumptions(simulation)


def _show_outcome(simulation: Simulation, outcome: Outcome, number: int, top: int) -> None:
    click.echo(f"({number}) Under {outcome.name}")
    for sentence in sentences(simulation, outcome):
        _paragraph(f"- {sentence}")
    click.echo()
    winners, losers = outcome.comparison.winners, outcome.comparison.losers
    moves = winners[:top] + losers[:top]
    if moves:
        print_table(
            f"WCT: {len(winners[:top])} of {counted(len(winners), 'winner')}, "
            f"{len(losers[:top])} of {counted(len(losers), 'loser')}, the largest changes",
            ("", "recipient", "published", "then", "change", ""),
            [_move_row(move) for move in sorted(moves, key=lambda m: (-m.delta, m.recipient))],
            right=(2, 3, 4, 5),
        )


def sentences(simulation: Simulation, outcome: Outcome) -> list[str]:
    """Return the answer to "what happens if", in a few sentences."""
    comparison, before = outcome.comparison, simulation.published
    winners, losers = comparison.winners, comparison.losers
    if not winners and not losers:
        return ["nobody's amount changes"]
    counts = (
        f"{counted(len(winners), 'recipient gains', 'recipients gain')} "
        f"{_wct(comparison.gained)} together, {counted(len(losers), 'loses', 'lose')} "
        f"{_wct(comparison.lost)}, {counted(comparison.same, 'gets', 'get')} the same"
    )
    said = [counts]
    paid_before, paid = before.measured.paid, outcome.measured.paid
    change = paid - paid_before
    said.append(
        f"paid in all {_wct(paid)}, "
        + (
            f"{_signed(change)} WCT ({_percent_change(paid_before, paid)})"
            if change
            else "as published"
        )
    )
    if winners:
        said.append(f"the largest gain: {_named(winners[0])}")
    if losers:
        said.append(f"the largest loss: {_named(losers[0])}")
    for program in simulation.programs:
        then, now = before.concentration[program], outcome.concentration[program]
        if then != now:
            said.append(
                f"{program}: {now.payees} paid ({then.payees}); the largest takes "
                f"{_percent(now.largest)} ({_percent(then.largest)}), the ten largest "
                f"{_percent(now.top10)} ({_percent(then.top10)}); Gini {_gini(now.gini)} "
                f"({_gini(then.gini)}); as published in brackets"
            )
    changes, changes_then = outcome.measured.changes, before.measured.changes
    moved = [
        f"{step.replace('_', ' ')} {changes[step]} ({changes_then[step]})"
        for step in sorted({*changes, *changes_then})
        if changes[step] != changes_then[step]
    ]
    if moved:
        said.append(f"changes of status: {', '.join(moved)}; as published in brackets")
    said += _incentive_sentences(before, outcome, simulation)
    return said


def _incentive_sentences(before: Outcome, outcome: Outcome, simulation: Simulation) -> list[str]:
    said = []
    for program in simulation.programs:
        for action, verb in (("split", "splitting one in two"), ("merge", "merging two")):
            best, best_before = _best(outcome, program, action), _best(before, program, action)
            if not best or not best_before:
                continue
            now, then = _best_text(best), _best_text(best_before)
            if now != then:
                said.append(f"{verb} of the {program} asked about gains {now}; as published {then}")
    return said


def _best_text(case: Incentive) -> str:
    if case.gain < DUST:
        return "nothing"
    return f"at most {_signed(case.gain)} WCT ({_gain_percent(case)}, {' + '.join(case.ids)})"


def _best(outcome: Outcome, program: str, action: str) -> Incentive | None:
    cases = [c for c in outcome.incentives if c.program == program and c.action == action]
    return max(cases, key=lambda case: case.gain, default=None)


def _named(move: Move) -> str:
    return (
        f"{move.recipient[1]}, {_signed(move.delta)} WCT "
        f"({_percent_change(move.before, move.after)})"
    )


def _move_row(move: Move) -> tuple[str, ...]:
    program, name = move.recipient
    return (
        program.removesuffix("s"),
        name,
        _wct_cell(move.before),
        _wct_cell(move.after),
        _signed(move.delta),
        _percent_change(move.before, move.after),
    )


def _show_programs(simulation: Simulation) -> None:
    """Show budget and concentration of each program, a row per scenario."""
    for program in simulation.programs:
        if not _changes(simulation, simulation.alternatives, program):
            click.echo(f"Nothing changes for the {program}.\n")
            continue
        rows = []
        for number, outcome in enumerate([simulation.published, *simulation.alternatives]):
            budget = outcome.measured.budget(POOLS_OF[program])
            spread = outcome.concentration[program]
            rows.append(
                (
                    _label(number),
                    _wct_cell(budget.approved),
                    _wct_cell(budget.paid),
                    str(spread.payees),
                    _percent(spread.largest),
                    _percent(spread.top10),
                    _gini(spread.gini),
                )
            )
        print_table(
            f"{program.capitalize()}, budget and concentration; Gini over the "
            f"{len(simulation.people[program])} whom any of these pays",
            ("", "approved", "paid", "payees", "largest", "top 10", "Gini"),
            rows,
            right=(1, 2, 3, 4, 5, 6),
        )


def _label(number: int) -> str:
    return f"({number})" if number else "published"


def _changes(simulation: Simulation, outcomes: list[Outcome], program: str) -> bool:
    """Return whether any of the scenarios changes anything that a program pays or keeps."""
    pools, published = POOLS_OF[program], simulation.published
    return any(
        outcome.measured.budget(pools) != published.measured.budget(pools)
        or any(m.delta for m in outcome.comparison.moves if m.recipient[0] == program)
        for outcome in outcomes
    )


def _show_sweep(simulation: Simulation, key: str, outcomes: list[Outcome]) -> None:
    for program in simulation.programs:
        if not _changes(simulation, outcomes, program):
            click.echo(f"{key} changes nothing for the {program}.\n")
            continue
        print_table(
            f"{program.capitalize()} under {key}; Gini over the "
            f"{len(simulation.people[program])} whom any of these pays",
            ("value", "paid", "payees", "largest", "top 10", "Gini", "split", "merge"),
            [_sweep_row(outcome, program) for outcome in [simulation.published, *outcomes]],
            right=(1, 2, 3, 4, 5, 6, 7),
        )
    click.echo(
        "split, merge: the most that anybody asked about would gain by splitting one\n"
        "in two or by merging two, WCT.\n"
    )


def _sweep_row(outcome: Outcome, program: str) -> tuple[str, ...]:
    spread = outcome.concentration[program]
    sweep = outcome.scenario.sweep if outcome.scenario else None
    best = [_best(outcome, program, action) for action in ("split", "merge")]
    return (
        sweep[1] if sweep else "published",
        short_wct(outcome.measured.budget(POOLS_OF[program]).paid)[:-5],
        str(spread.payees),
        _percent(spread.largest),
        _percent(spread.top10),
        _gini(spread.gini),
        *(_whole(case.gain) if case else "-" for case in best),
    )


def _show_incentives(simulation: Simulation) -> None:
    """Show what splitting and merging would gain, a column per scenario."""
    outcomes = [simulation.published, *simulation.alternatives][:SIDE_BY_SIDE]
    names = [_label(number) for number in range(len(outcomes))]
    shown = {p for p in simulation.programs if _changes(simulation, outcomes, p)}
    for action, title in (
        ("split", "Splitting one in two: what the operator gains, WCT"),
        ("merge", "Merging two: what the operator gains, WCT"),
    ):
        rows = []
        for cases in zip(*(outcome.incentives for outcome in outcomes), strict=True):
            if cases[0].action == action and cases[0].program in shown:
                gains = [f"{_whole(case.gain)} {_gain_percent(case)}" for case in cases]
                rows.append((cases[0].group, " + ".join(cases[0].ids), *gains))
        if rows:
            right = tuple(range(2, 2 + len(names)))
            print_table(title, ("", "who", *names), rows, right=right)
    for number, outcome in enumerate(simulation.alternatives, start=1):
        click.echo(f"({number}) {outcome.name}")
    dropped = len(simulation.alternatives) + 1 - len(outcomes)
    if dropped:
        click.echo(f"{counted(dropped, 'more scenario')}: see --csv or --json")
    click.echo(
        "Both halves keep certificate, score and status; caps and debts count per id.\n"
        "Where ids are permissioned, an operator cannot split alone.\n"
    )


def _show_assumptions(simulation: Simulation) -> None:
    for outcome in simulation.outcomes:
        for assumed in outcome.measured.run.assumptions:
            _paragraph(
                f"- {outcome.name}, epoch {assumed.epoch}: {assumed.node_id} is {assumed.text}"
            )


def _paragraph(text: str) -> None:
    import textwrap

    click.echo(textwrap.fill(text, 79, subsequent_indent="  ", break_on_hyphens=False))


def _wct(amount: int) -> str:
    return f"{short_wct(amount)[:-2]} WCT"


def _wct_cell(amount: int) -> str:
    return short_wct(amount)[:-2]


def _signed(amount: int) -> str:
    return f"{'+' if amount > 0 else ''}{short_wct(amount)[:-2]}"


def _whole(amount: int) -> str:
    if abs(amount) < DUST:
        return "0"
    if abs(amount) < WCT:
        return _signed(amount)
    return f"{'+' if amount > 0 else ''}{short_wct(amount)[:-5]}"


def _percent(ratio: Fraction) -> str:
    tenths = ratio.numerator * 1000 // ratio.denominator
    return f"{tenths // 10}.{tenths % 10}%"


def _gini(ratio: Fraction) -> str:
    return f"0.{ratio.numerator * 1000 // ratio.denominator:03d}"


def _percent_change(before: int, after: int) -> str:
    if not before:
        return "new" if after else "-"
    tenths = abs(after - before) * 1000 // before
    sign = "+" if after > before else "-"
    return f"{sign if tenths else ''}{tenths // 10}.{tenths % 10}%"


def _gain_percent(case: Incentive) -> str:
    return _percent_change(case.apart, case.changed)
