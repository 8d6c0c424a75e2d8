"""Simulation on three wallets whose pay can be worked out by hand, and on the sample season."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from rewards.audit.concentration import gini, lorenz, top_share
from rewards.audit.simulate.document import Simulation, document_of, simulate, tables
from rewards.audit.simulate.plots import plots
from rewards.audit.simulate.replay import read_range
from rewards.audit.simulate.scenario import Scenario, changed_pool, read_policy_file, scenarios_of
from rewards.audit.svg import Bar, Series, bars, lines, signed_wct
from rewards.cli.simulate import command
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.epoch import compute_folder, publish_epoch
from rewards.rules import RULESETS, wct1
from rewards.rules.integers import WAD, WCT
from rewards.rules.records import Pools
from tests.audit.conftest import compute_season
from tests.reference.wct1 import epoch_tables

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.audit.simulate.incentives import Incentive
    from rewards.files.season import Season
    from rewards.rules.records import EpochResult, Inputs, Opening

EXPONENT = "wallets.certified_exponent"


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    return compute_season(tmp_path_factory.mktemp("simulate") / "season")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One epoch: certified wallets with 200, 400 and 400 thousand signatures share 900 WCT.

    Under the exponent 2 their weights are 4, 16 and 16: they get 100, 400 and 400 WCT.
    """
    root = tmp_path_factory.mktemp("three")
    inputs = root / "inputs"
    inputs.mkdir()
    (inputs / "epoch.toml").write_text(
        "epoch = 1\ngenesis = true\nstart = 2026-06-01T00:00:00Z\nend = 2026-07-01T00:00:00Z\n"
        '[pools]\nnodes = "0"\nwallets_eligible = "0"\nwallets_certified = "900"\n'
    )
    (inputs / "policy.toml").write_text(
        'ruleset = "wct-1"\nfirst_epoch = 1\napproval = "a vote"\n'
        '[wallets]\ncertified_exponent = "2/1"\n'
    )
    (inputs / "settlement.toml").write_text(
        f'chain_id = 10\ndistributor = "0x{"d1" * 20}"\ntoken = "0x{"70" * 20}"\ndecimals = 18\n'
    )
    (inputs / "wallet_scores.csv").write_text(
        "wallet_id,payout_address,connections,signatures,certified\n"
        f"small,0x{'a1' * 20},1,200000,true\n"
        f"big,0x{'a2' * 20},1,400000,true\n"
        f"other,0x{'a3' * 20},1,400000,true\n"
        f"idle,0x{'a4' * 20},1,60000,true\n"
        f"quiet,0x{'a5' * 20},1,60000,true\n"
    )
    publish_epoch(compute_folder(inputs, None), root / "out")
    return root / "out"


def under(folders: list[Path], *settings: str, sweeps: tuple[str, ...] = ()) -> Simulation:
    return simulate(folders, scenarios_of((), settings, sweeps))


def amounts(simulation: Simulation, number: int) -> dict[str, int]:
    measured = simulation.everything[number].measured
    return {name: amount for (_, name), amount in measured.recipients.items()}


# --- concentration ---------------------------------------------------------------------------


def test_gini__is_exact() -> None:
    assert gini([5, 5, 5]) == 0
    assert gini([0, 0, 0, 7]) == Fraction(3, 4)
    assert gini([100, 400, 400]) == Fraction(2, 9)
    assert gini([]) == gini([0, 0]) == 0


def test_top_share_and_lorenz() -> None:
    assert top_share([1, 2, 3, 4], 2) == Fraction(7, 10)
    assert top_share([], 1) == 0
    halves = [(Fraction(0), Fraction(0)), (Fraction(1, 2), Fraction(1, 4))]
    assert lorenz([3, 1]) == [*halves, (Fraction(1), Fraction(1))]


# --- three wallets by hand -------------------------------------------------------------------


def test_exponent_one__moves_eighty_from_the_big_to_the_small(three: Path) -> None:
    simulation = under([three], f"{EXPONENT}=1/1")
    published, then = amounts(simulation, 0), amounts(simulation, 1)
    assert [published[name] for name in ("small", "big", "other")] == [
        100 * WCT,
        400 * WCT,
        400 * WCT,
    ]
    assert [then[name] for name in ("small", "big", "other")] == [
        180 * WCT,
        360 * WCT,
        360 * WCT,
    ]
    comparison = simulation.outcomes[0].comparison
    assert [(m.recipient[1], m.delta) for m in comparison.moves[:3]] == [
        ("small", 80 * WCT),
        ("big", -40 * WCT),
        ("other", -40 * WCT),
    ]
    assert (comparison.gained, comparison.lost, comparison.same) == (80 * WCT, 80 * WCT, 0)


def test_concentration__in_exact_fractions(three: Path) -> None:
    simulation = under([three], f"{EXPONENT}=1/1")
    before, after = (o.concentration["wallets"] for o in simulation.everything)
    assert (before.gini, after.gini) == (Fraction(2, 9), Fraction(2, 15))
    assert (before.largest, after.largest) == (Fraction(4, 9), Fraction(2, 5))
    assert before.payees == after.payees == 3


def incentive(simulation: Simulation, number: int, action: str, *ids: str) -> Incentive:
    (found,) = [
        case
        for case in simulation.everything[number].incentives
        if case.action == action and set(case.ids) == set(ids)
    ]
    return found


def test_splitting__under_a_square_loses_and_under_a_line_changes_nothing(three: Path) -> None:
    # Halves weigh 4 + 4 beside 4 and 16: 900 * 8/28 WCT in place of 400.
    simulation = under([three], f"{EXPONENT}=1/1")
    square, line = (incentive(simulation, i, "split", "big") for i in (0, 1))
    assert square.apart == 400 * WCT
    assert square.changed in range(900 * WCT * 8 // 28, 900 * WCT * 8 // 28 + 3)
    assert line.gain == 0


def test_merging__under_a_square_gains_and_under_a_line_changes_nothing(three: Path) -> None:
    # 800,000 signatures weigh 64 beside 4: 900 * 64/68 WCT in place of 800.
    simulation = under([three], f"{EXPONENT}=1/1")
    square, line = (incentive(simulation, i, "merge", "big", "other") for i in (0, 1))
    assert square.changed in range(900 * WCT * 64 // 68, 900 * WCT * 64 // 68 + 2)
    assert line.gain == 0


def test_merging__two_that_miss_the_threshold__passes_it_together(three: Path) -> None:
    # 120,000 signatures weigh 1.44 beside 4, 16 and 16.
    simulation = under([three], f"{EXPONENT}=1/1")
    case = incentive(simulation, 0, "merge", "idle", "quiet")
    assert case.apart == 0
    assert case.changed in range(900 * WCT * 144 // 3744, 900 * WCT * 144 // 3744 + 2)


def test_pools__by_amount_and_by_factor(three: Path) -> None:
    simulation = under([three], sweeps=("pools.wallets_certified=1800,0.5x",))
    assert amounts(simulation, 1)["big"] == 800 * WCT
    assert amounts(simulation, 2)["big"] == 200 * WCT
    budget = simulation.outcomes[0].measured.budget(["wallets_certified"])
    assert (budget.approved, budget.paid, budget.unallocated) == (1800 * WCT, 1800 * WCT, 0)


def test_a_cap__set_and_taken_away(three: Path) -> None:
    simulation = under([three], sweeps=("wallets.share_cap=0.25,none",))
    assert amounts(simulation, 1)["big"] == 225 * WCT
    budget = simulation.outcomes[0].measured.budget(["wallets_certified"])
    assert budget.unallocated == 225 * WCT
    assert amounts(simulation, 2) == amounts(simulation, 0)


def test_a_policy_file__in_place_of_the_published_one(three: Path, tmp_path: Path) -> None:
    proposal = tmp_path / "proposal.toml"
    proposal.write_text((three / "inputs" / "policy.toml").read_text().replace('"2/1"', '"1/1"'))
    simulation = simulate([three], scenarios_of((proposal,), (), ()))
    assert amounts(simulation, 1)["small"] == 180 * WCT


def test_a_new_ruleset__is_one_more_setting(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ruleset that pays nobody: it needs no more than its entry in the registry."""

    def pay_nobody(inputs: Inputs, opening: Opening | None) -> EpochResult:
        empty = replace(inputs.header, pools=Pools(0, 0, 0))
        return wct1.compute_epoch(replace(inputs, header=empty), opening)

    later = SimpleNamespace(**{**vars(wct1), "compute_epoch": pay_nobody})
    monkeypatch.setitem(RULESETS, "wct-2", later)
    simulation = under([three], "ruleset=wct-2")
    assert simulation.published.measured.paid == 900 * WCT
    assert simulation.outcomes[0].measured.paid == 0


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting",
    [
        "nodes.alpa=1",
        "nodes.alpha=2",
        "nodes.alpha=0,5",
        "nodes.active_target=x",
        "nodes.tau=none1",
        "nodes.carry_debt=yes",
        f"{EXPONENT}=1.5",
        "pools.nodes=-1",
        "pools.nodes=x",
        "ruleset=wct-9",
        "nodes.active_target=22",
    ],
)
def test_a_wrong_setting__is_refused(season: Season, setting: str) -> None:
    with pytest.raises(InvalidInput):
        under([season.epoch(1)], setting)


@pytest.mark.parametrize("text", ["nodes.alpha", "=1", "nodes.alpha="])
def test_a_setting_without_key_or_value__is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        scenarios_of((), (text,), ())


def test_changed_pool__rounds_down_and_stays_in_bounds() -> None:
    assert changed_pool(3, "0.5x") == 1
    with pytest.raises(InvalidInput):
        changed_pool(WAD, "1" + "0" * 70)


def test_a_policy_file_with_an_unknown_key__is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        'ruleset = "wct-1"\nfirst_epoch = 1\napproval = "x"\nnew = 1\n'
    )
    with pytest.raises(InvalidInput):
        read_policy_file(tmp_path / "p.toml")


# --- the sample season -----------------------------------------------------------------------


def folders(season: Season, first: int, last: int) -> list[Path]:
    return [season.epoch(number) for number in range(first, last + 1)]


def test_the_same_policy__gives_what_was_published(season: Season) -> None:
    """A scenario that changes nothing, chained over the season, ends where the season ended."""
    range_ = folders(season, 1, 7)
    simulation = simulate(range_, [Scenario("nothing", settings={"wallets.threshold": "100000"})])
    assert amounts(simulation, 0) == amounts(simulation, 1)
    last, own = (outcome.measured.run.epochs[-1] for outcome in simulation.everything)
    assert last.result == own.result
    assert simulation.outcomes[0].measured.run.assumptions == ()


def test_a_lower_tau__keeps_a_node_active__and_says_what_it_assumes(season: Season) -> None:
    simulation = under(folders(season, 1, 3), "nodes.tau=0.5")
    run = simulation.outcomes[0].measured.run
    statuses = [
        {node.node_id: str(node.opening_status) for node in epoch.result.nodes}
        for epoch in run.epochs
    ]
    assert statuses[1]["eu-south-01.mistral"] == "active"
    published = simulation.published.measured.run.epochs[1].result
    assert {n.node_id: str(n.opening_status) for n in published.nodes}[
        "eu-south-01.mistral"
    ] == "confined"
    assert (2, "eu-south-01.mistral", "not measured: taken as in epoch 1") in {
        (a.epoch, a.node_id, a.text) for a in run.assumptions
    }
    # 15 active and 6 reserved at half share 2,700 WCT of base: 150 for an active one.
    pay = {node.node_id: node for node in run.epochs[1].result.nodes}["eu-south-01.mistral"]
    assert pay.base == 150 * WCT


def changed_inputs(source: Path, target: Path, changes: dict[str, str]) -> Path:
    """Copy an epoch's canonical inputs, with parameters and pools changed in their files."""
    shutil.copytree(source, target)
    for key, value in changes.items():
        name = "epoch.toml" if key.startswith("pools.") else "policy.toml"
        section, _, word = key.partition(".")
        text = (target / name).read_text()
        head, table, rest = text.partition(f"[{section}]\n")
        assert table
        line = re.compile(rf"^{word} = .*$", re.MULTILINE)
        assert line.search(rest)
        (target / name).write_text(head + table + line.sub(f"{word} = {value}", rest, count=1))
    return target


@pytest.mark.parametrize(
    ("first", "last", "settings", "changes"),
    [
        (1, 6, ["nodes.tau=0.85"], {"nodes.tau": '"0.85"'}),
        (7, 7, ["wallets.certified_exponent=1/1"], {"wallets.certified_exponent": '"1/1"'}),
        (7, 7, ["wallets.certified_exponent=3/2"], {"wallets.certified_exponent": '"3/2"'}),
        (7, 7, ["wallets.threshold=80000"], {"wallets.threshold": "80000"}),
        (7, 7, ["wallets.share_cap=0.1"], {"wallets.share_cap": '"0.1"'}),
        (
            7,
            7,
            ["pools.wallets_eligible=1.1x", "pools.wallets_certified=1.1x", "pools.nodes=1.1x"],
            {
                "pools.wallets_eligible": '"137500"',
                "pools.wallets_certified": '"366666.666666666666666666"',
                "pools.nodes": '"5940"',
            },
        ),
    ],
    ids=lambda value: "" if not isinstance(value, list) else " ".join(value),
)
def test_a_question_of_a_forum__answered_as_the_reference_program_does(
    first: int,
    last: int,
    settings: list[str],
    changes: dict[str, str],
    season: Season,
    tmp_path: Path,
) -> None:
    """The reference program knows nothing of scenarios: it is given the changed files."""
    expected: defaultdict[str, int] = defaultdict(int)
    previous = season.epoch(first - 1) if first > 1 else None
    for number in range(first, last + 1):
        source = season.epoch(number) / "inputs"
        inputs = changed_inputs(source, tmp_path / f"inputs-{number}", changes)
        policy = inputs / "policy.toml"
        policy.write_text(re.sub("first_epoch = .*", f"first_epoch = {number}", policy.read_text()))
        reference = epoch_tables(inputs, previous)
        for name, key, amount in (("nodes", "node_id", "paid"), ("wallets", "wallet_id", "amount")):
            for row in reference[name]:
                expected[row[key]] += int(row[amount])
        out = tmp_path / f"epoch-{number}"
        publish_epoch(compute_folder(inputs, previous), out)
        previous = out
    simulation = under([season.epoch(n) for n in range(first, last + 1)], *settings)
    assert simulation.outcomes[0].measured.run.assumptions == ()
    assert amounts(simulation, 1) == dict(expected)


def test_the_ledger__is_chained_under_the_scenario(season: Season) -> None:
    """No penalty: nobody carries debt, and the recovery is paid off sooner or alike."""
    simulation = under(folders(season, 1, 7), "nodes.penalty_rate=0")
    run = simulation.outcomes[0].measured.run
    assert all(node.debt_out == 0 for epoch in run.epochs for node in epoch.result.nodes)
    for before, after in zip(run.epochs, run.epochs[1:], strict=False):
        closing = {row.account: row.cumulative for row in before.result.allocations}
        opened = {
            row.account: row.previous_cumulative
            for row in after.result.allocations
            if row.previous_cumulative
        }
        assert opened == {account: amount for account, amount in closing.items() if amount}


def test_splitting_a_node__takes_one_more_share_of_the_base(season: Season) -> None:
    simulation = under([season.epoch(1)], "nodes.alpha=1")
    splits = [c for c in simulation.outcomes[0].incentives if c.action == "split"]
    active = [c for c in splits if c.group == "active" and c.apart]
    # All base, nothing for stake: 5,400 over 18 shares is 300, over 19 it is 284.21 twice.
    assert active[0].apart == 300 * WCT
    assert active[0].changed == 2 * (5400 * WCT // 19)


def test_an_altered_epoch__is_named_and_nothing_is_simulated(
    season: Season, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        shutil.copytree(season.epoch(number), tmp_path / f"{number:06d}")
    path = tmp_path / "000002" / "nodes.csv"
    path.write_bytes(path.read_bytes().replace(b"active", b"actiwe", 1))
    with pytest.raises(CheckFailed) as caught:
        read_range([tmp_path / f"{n:06d}" for n in (1, 2, 3)])
    files = {finding.file for finding in caught.value.findings}
    assert str(tmp_path / "000002" / "nodes.csv") in files
    assert not any("000001/" in name for name in files)


def test_a_gap__is_refused(season: Season) -> None:
    with pytest.raises(CheckFailed):
        read_range([season.epoch(1), season.epoch(3)])


# --- documents, tables, plots ----------------------------------------------------------------


def test_document__is_json_with_decimal_strings(three: Path) -> None:
    document = document_of(under([three], f"{EXPONENT}=1/1"))
    text = json.dumps(document)
    assert json.loads(text) == document
    alternative = document["scenarios"][1]
    assert alternative["concentration"]["wallets"]["gini"] == {
        "fraction": "2/15",
        "decimal": "0.133333333333333333",
    }
    assert alternative["recipients"]["moves"][0]["delta"] == str(80 * WCT)


def test_tables__add_up(season: Season) -> None:
    simulation = under(folders(season, 6, 7), f"{EXPONENT}=1/1")
    made = tables(simulation)
    header, rows = made["recipients.csv"]
    assert header[2:] == ("published", f"{EXPONENT}=1/1", f"{EXPONENT}=1/1 delta")
    for row in rows:
        assert int(row[3]) - int(row[2]) == int(row[4])
    assert sum(int(row[2]) for row in rows) == simulation.published.measured.paid
    _, budget = made["budget.csv"]
    for row in budget:
        approved, *parts = map(int, row[3:])
        assert approved == sum(parts)


def test_plots__are_well_formed_and_always_the_same(season: Season) -> None:
    asked = (f"{EXPONENT}=1/1",), (f"{EXPONENT}=1/1,5/4",)
    first = plots(under([season.epoch(7)], *asked[0], sweeps=asked[1]))
    again = plots(under([season.epoch(7)], *asked[0], sweeps=asked[1]))
    assert first == again
    assert "moves-wallets.certified_exponent-1-1.svg" in first
    for content in first.values():
        root = ET.fromstring(content)  # noqa: S314 - our own bytes
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not [e for e in root.iter() if e.tag.endswith(("script", "image", "use"))]


def test_svg__escapes_what_it_is_given() -> None:
    hostile = '<script>alert("x")</script>&'
    half = [(Fraction(0), Fraction(0)), (Fraction(1), Fraction(1, 2))]
    drawn = lines(
        hostile,
        [Series(hostile, half)],
        x_label=hostile,
        y_label=hostile,
        x_ticks=[(Fraction(0), hostile), (Fraction(1), "1")],
        y_ticks=[(Fraction(0), "0"), (Fraction(1), "1")],
    )
    for content in (drawn, bars(hostile, [Bar(hostile, 1, hostile)], hostile), bars("none", [])):
        assert b"<script" not in content
        ET.fromstring(content)  # noqa: S314 - our own bytes


def test_bars__are_as_long_as_their_amounts() -> None:
    root = ET.fromstring(bars("t", [Bar("a", 300, ""), Bar("b", -100, "")]))  # noqa: S314
    up, down = root.findall("{http://www.w3.org/2000/svg}rect")
    assert (up.get("class"), down.get("class")) == ("up", "down")
    # 390 pixels for 400: three quarters right of the zero line, one quarter left of it.
    assert (up.get("width"), down.get("width")) == ("292.5", "97.5")


def test_signed_wct() -> None:
    assert [signed_wct(n) for n in (0, 1234 * WCT, -WCT // 2)] == ["0.00", "+1,234.00", "-0.50"]


# --- the command line ------------------------------------------------------------------------


def run(*arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "80"}).invoke(command, [str(a) for a in arguments])


def test_what_happens_if_the_exponent_becomes_one__is_answered(season: Season) -> None:
    shown = run("--season", season.root, "--set", f"{EXPONENT}=1/1")
    assert shown.exit_code == 0, shown.output
    assert "Epochs 1 to 7, recomputed: every byte as published." in shown.stdout
    assert "31 recipients gain 32,526.63 WCT together, 4 lose 32,526.63 WCT" in " ".join(
        shown.stdout.split()
    )
    assert "Nothing changes for the nodes." in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_sweep__fits_eighty_columns_and_writes_files(season: Season, tmp_path: Path) -> None:
    shown = run(
        "--season",
        season.root,
        "--from",
        7,
        "--sweep",
        f"{EXPONENT}=1/1,3/2",
        "--csv",
        tmp_path / "csv",
        "--plot",
        tmp_path / "plots",
    )
    assert shown.exit_code == 0, shown.output
    assert max(map(len, shown.stdout.splitlines())) <= 80
    with (tmp_path / "csv" / "scenarios.csv").open(newline="") as handle:
        names = {row["scenario"] for row in csv.DictReader(handle)}
    assert names == {"as published", f"{EXPONENT}=1/1", f"{EXPONENT}=3/2"}
    assert (tmp_path / "plots" / "sweep-wallets.certified_exponent-wallets.svg").exists()


def test_json__is_one_document(season: Season) -> None:
    shown = run("--season", season.root, "--to", 2, "--set", "nodes.tau=0.7", "--json")
    document = json.loads(shown.stdout)
    assert document["epochs"] == ["1", "2"]


def test_nothing_to_change__is_a_usage_error(season: Season) -> None:
    assert run("--season", season.root).exit_code == 2


def test_files__are_never_written_into_a_published_epoch(season: Season) -> None:
    inside = season.epoch(1) / "plots"
    shown = run("--season", season.root, "--set", "nodes.tau=0.7", "--plot", inside)
    assert isinstance(shown.exception, InvalidInput)
    assert not inside.exists()
