"""The books of the sample season, held against numbers taken from its files another way."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from rewards.audit.statement import Receipt, document_of, statement_of, tables
from rewards.chain import settlement_check
from rewards.chain.distributor import ActiveState
from rewards.chain.settlement_check import Position
from rewards.cli.ranges import folders_of
from rewards.cli.statement import command
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.documents import canonical_json
from rewards.rules.integers import WCT
from tests.audit.conftest import compute_season

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.audit.statement import Statement
    from rewards.files.season import Season

RECOVERED = "0x7e93df1428605571eb0edca13286240cec1d9241"
"""Was paid twice before the season; 447.25 WCT are recovered from epoch 3 on."""


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    return compute_season(tmp_path_factory.mktemp("statement") / "season")


@pytest.fixture
def settled(season: Season, tmp_path: Path) -> Season:
    """A copy of the season to which receipts can be added."""
    shutil.copytree(season.root, tmp_path / "season")
    return type(season)(tmp_path / "season", season.name)


def over(season: Season, first: int, last: int) -> Statement:
    return statement_of([season.epoch(number) for number in range(first, last + 1)])


def write_receipt(season: Season, name: str, **values: Any) -> None:
    (season.root / "settlements").mkdir(exist_ok=True)
    (season.root / "settlements" / name).write_bytes(canonical_json(values))


def rehearsed(season: Season, epoch: int, *, outstanding: int = 0, balance: int = 0) -> int:
    """Write a receipt as a rehearsal does; return the epoch's cumulative total."""
    manifest = json.loads((season.epoch(epoch) / "manifest.json").read_bytes())
    total = int(manifest["cumulative_total"])
    write_receipt(
        season,
        f"{epoch:06d}.json",
        epoch=str(epoch),
        cumulative_total=str(total),
        reconciliation={
            "claimed_total": str(total - outstanding),
            "outstanding": str(outstanding),
            "distributor_balance": str(balance),
        },
    )
    return total


# --- the whole season ------------------------------------------------------------------------


def test_pools__against_what_the_inputs_approve(season: Season) -> None:
    statement = over(season, 1, 7)
    # Seven days of 5,400 WCT, and one month of the wallets' pools.
    assert statement.pool("nodes").approved == 7 * 5400 * WCT
    assert statement.pool("wallets_eligible").approved == 125_000 * WCT
    assert statement.pool("wallets_certified").approved == 333_333_333_333_333_333_333_333
    for pool in (*map(statement.pool, ("nodes", "wallets_eligible")), statement.pools):
        assert pool.approved == pool.paid + pool.withheld + pool.unallocated


def test_ledger__adjustments_and_recoveries(season: Season) -> None:
    """25.12 WCT are added in epoch 2 and 447.25 WCT taken back from epoch 3 on."""
    statement = over(season, 1, 7)
    assert statement.adjustments == (2512 - 44725) * WCT // 100
    assert statement.deferred == 0
    assert statement.allotted == statement.pools.paid + statement.adjustments
    assert statement.cumulative_total == statement.allotted


def test_a_recovery__is_left_over_in_epoch_3_and_taken_in_epoch_4(season: Season) -> None:
    third, fourth = over(season, 3, 3), over(season, 4, 4)
    assert third.deferred > 0
    assert fourth.deferred == -third.deferred
    (payee,) = [p for p in third.payees if p.account == RECOVERED]
    assert payee.allotted == 0
    assert payee.pays["nodes"] + third.deferred == 44725 * WCT // 100
    assert payee.closing_recovery == third.deferred
    assert over(season, 3, 4).deferred == 0


def test_payees__add_up_by_program_and_know_their_ids(season: Season) -> None:
    statement = over(season, 1, 7)
    assert sum(payee.allotted for payee in statement.payees) == statement.allotted
    assert [p.allotted for p in statement.payees] == sorted(
        (p.allotted for p in statement.payees), reverse=True
    )
    ids = {payee.account: payee.ids for payee in statement.payees}
    kestrel = "0x9a9cb37038dd91661b9f6aff48a87dd18e01b014"
    assert ids[kestrel] == ("eu-west-02.kestrel", "us-east-01.kestrel")


def test_a_later_range__opens_on_what_was_allotted_before(season: Season) -> None:
    before, after = over(season, 1, 3), over(season, 4, 7)
    assert after.first.total("previous_cumulative") == before.cumulative_total
    assert before.allotted + after.allotted == over(season, 1, 7).allotted
    assert not after.findings


# --- what does not tie -----------------------------------------------------------------------


def test_identities__all_hold_and_every_payee_has_two(season: Season) -> None:
    statement = over(season, 1, 7)
    assert all(identity.holds for identity in statement.identities)
    assert sum(i.name.startswith("payee") for i in statement.identities) == 2 * len(
        statement.payees
    )


@pytest.mark.parametrize("part", ["approved", "paid", "withheld", "unallocated"])
def test_one_wei_too_many__is_a_finding(season: Season, part: str) -> None:
    statement = over(season, 6, 7)
    books = statement.epochs[0]
    pool = replace(books.pools["nodes"], **{part: getattr(books.pools["nodes"], part) + 1})
    wrong = replace(
        statement,
        epochs=[replace(books, pools={**books.pools, "nodes": pool}), statement.epochs[1]],
    )
    assert wrong.findings
    assert any("off by" in finding.problem for finding in wrong.findings)
    assert document_of(wrong)["ok"] is False


def test_a_payee_with_one_wei_too_many__is_named(season: Season) -> None:
    statement = over(season, 7, 7)
    payee = statement.payees[0]
    wrong = replace(
        statement, payees=[replace(payee, allotted=payee.allotted + 1), *statement.payees[1:]]
    )
    assert any(payee.account in finding.value for finding in wrong.findings)


def test_an_altered_file__is_refused(season: Season, tmp_path: Path) -> None:
    shutil.copytree(season.epoch(1), tmp_path / "out")
    path = tmp_path / "out" / "allocations.csv"
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(CheckFailed):
        statement_of([tmp_path / "out"])


def test_a_gap__is_refused(season: Season) -> None:
    with pytest.raises(InvalidInput):
        statement_of([season.epoch(1), season.epoch(3)])


# --- settlement ------------------------------------------------------------------------------


def test_without_receipts__nothing_is_settled(season: Season) -> None:
    statement = over(season, 1, 7)
    assert statement.position is None
    assert document_of(statement)["settlement"] is None
    assert all(payee.open is None for payee in statement.payees)


def test_everything_claimed__leaves_open_what_came_later(settled: Season) -> None:
    total = rehearsed(settled, 6, balance=5)
    statement = over(settled, 6, 7)
    settlement = document_of(statement)["settlement"]
    assert settlement["settled"] == settlement["claimed"] == str(total)
    assert settlement["funded"] == str(total + 5)
    assert (
        settlement["not_yet_settled"]
        == settlement["open"]
        == str(statement.cumulative_total - total)
    )
    assert sum(payee.open or 0 for payee in statement.payees) == statement.cumulative_total - total
    assert not statement.findings


def test_in_range__is_the_difference_to_the_receipt_before(settled: Season) -> None:
    third, seventh = rehearsed(settled, 3), rehearsed(settled, 7)
    settlement = document_of(over(settled, 4, 7))["settlement"]
    assert settlement["claimed_in_range"] == str(seventh - third)
    assert document_of(over(settled, 1, 3))["settlement"]["claimed_in_range"] == str(third)


def test_partly_claimed__open_in_all_but_not_by_payee(settled: Season) -> None:
    rehearsed(settled, 7, outstanding=9, balance=9)
    statement = over(settled, 7, 7)
    assert document_of(statement)["settlement"]["open"] == "9"
    assert all(payee.open is None for payee in statement.payees)


def test_claims_by_account__where_the_receipt_tells(settled: Season) -> None:
    payee = over(settled, 7, 7).payees[0]
    write_receipt(
        settled,
        "000007.json",
        epoch="7",
        cumulative_total=str(over(settled, 7, 7).cumulative_total),
        claimed_total=str(payee.cumulative),
        distributor_balance="0",
        claims={payee.account: str(payee.cumulative)},
    )
    statement = over(settled, 7, 7)
    assert statement.payees[0].open == 0
    assert statement.payees[1].open == statement.payees[1].cumulative
    assert not statement.findings


@pytest.mark.parametrize("change", [{"cumulative_total": "1"}, {"claimed_total": "1" + "0" * 30}])
def test_a_receipt_that_does_not_tie__is_a_finding(settled: Season, change: dict[str, str]) -> None:
    total = str(over(settled, 7, 7).cumulative_total)
    values = {
        "epoch": "7",
        "cumulative_total": total,
        "claimed_total": "0",
        "distributor_balance": "0",
    }
    write_receipt(settled, "000007.json", **{**values, **change})
    assert over(settled, 7, 7).findings


@pytest.mark.parametrize(("state", "settles"), [("final", True), ("broadcast", False)])
def test_receipt_of_a_submission__tells_what_is_settled_not_what_is_claimed(
    settled: Season, state: str, settles: bool
) -> None:
    statement = over(settled, 7, 7)
    write_receipt(
        settled,
        "000007.json",
        format="wct-receipt-1",
        epoch="7",
        totals={"cumulative_total": str(statement.cumulative_total)},
        actions=[{"name": "propose", "state": "final"}, {"name": "activate", "state": state}],
    )
    statement = over(settled, 7, 7)
    settlement = document_of(statement)["settlement"]
    assert statement.settlements.unreadable == []
    assert not statement.findings
    if not settles:
        assert settlement is None
        return
    assert settlement["not_yet_settled"] == "0"
    assert [settlement[name] for name in ("claimed", "funded", "open")] == [None] * 3
    assert "give --rpc" in run(settled.epoch(7)).stdout


def test_the_chain_itself__goes_before_a_receipt_that_tells_less(season: Season) -> None:
    total = over(season, 7, 7).cumulative_total
    payee = over(season, 7, 7).payees[0]
    chain = Receipt("block 9", 7, total, payee.cumulative, 5, {payee.account: payee.cumulative})
    statement = statement_of([season.epoch(7)], chain)
    settlement = document_of(statement)["settlement"]
    assert settlement["receipt"] == "block 9"
    assert settlement["open"] == str(total - payee.cumulative)
    assert settlement["funded"] == str(payee.cumulative + 5)
    assert [row.open for row in statement.payees[:2]] == [0, statement.payees[1].cumulative]
    assert not statement.findings


def test_rpc__claimed_and_held_as_the_contract_has_them(
    season: Season, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = over(season, 7, 7).cumulative_total
    payee = over(season, 7, 7).payees[0]
    paid = payee.cumulative
    active = ActiveState(7, b"", b"", total, paid, total - paid)
    found: Any = (Position(9, active, total - paid, {payee.account: paid}), [])
    monkeypatch.setattr(settlement_check, "read_position", lambda *_: found)
    shown = run(season.epoch(7), "--rpc", "http://127.0.0.1:1", "--json")
    assert shown.exit_code == 0, shown.output
    settlement = json.loads(shown.stdout)["settlement"]
    assert settlement["receipt"] == "the chain at final block 9"
    assert settlement["funded"] == str(total)
    assert settlement["open"] == str(total - paid)
    refused: Any = (None, [Finding("the chain", "has activated epoch 9", "choose another range")])
    monkeypatch.setattr(settlement_check, "read_position", lambda *_: refused)
    assert isinstance(run(season.epoch(7), "--rpc", "http://127.0.0.1:1").exception, CheckFailed)


def test_files__no_cell_is_a_formula(settled: Season, tmp_path: Path) -> None:
    """CWE-1236: a receipt's name may begin like a formula; a negative amount stays a number."""
    total = str(over(settled, 7, 7).cumulative_total)
    write_receipt(
        settled, "=cmd.json", epoch="7", cumulative_total=total, claimed_total=total,
        distributor_balance="0",
    )  # fmt: skip
    run("--season", settled.root, "--csv", tmp_path / "books")
    rows = (tmp_path / "books" / "settlement.csv").read_text().splitlines()
    assert "receipt,'=cmd.json" in rows
    ledger = (tmp_path / "books" / "ledger.csv").read_text()
    assert re.search(r",-[0-9]+,", ledger)
    assert "'" not in ledger


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"epoch": "x"}', '{"epoch": null}'])
def test_a_receipt_of_another_form__is_named_and_left_out(settled: Season, content: str) -> None:
    (settled.root / "settlements").mkdir(exist_ok=True)
    (settled.root / "settlements" / "odd.json").write_text(content)
    statement = over(settled, 7, 7)
    assert [name for name, _ in statement.settlements.unreadable] == ["odd.json"]
    assert not statement.findings


# --- ranges ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "numbers"),
    [
        (None, None, [1, 2, 3, 4, 5, 6, 7]),
        ("3", "4", [3, 4]),
        ("2026-06-26", "2026-06-27", [3, 4]),
        ("2026-06-26T00:00:00Z", "2026-06-27T00:00:00Z", [3]),
        ("2026-06-29", None, [6, 7]),
        ("6", "2026-06-29", [6]),
        ("2025-01-01", "2026-12-31", [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_range__by_number_and_by_day(
    season: Season, first: str | None, last: str | None, numbers: list[int]
) -> None:
    found = folders_of((), first, last, season.root)
    assert found == [season.epoch(number) for number in numbers]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-06-26T12:00:00Z", None),
        (None, "2026-06-26T00:00:01Z"),
        ("June", None),
        ("9", None),
        ("2026-13-01", None),
        ("5", "4"),
        ("2027-01-01", None),
    ],
)
def test_range__that_is_none__is_refused(
    season: Season, first: str | None, last: str | None
) -> None:
    with pytest.raises(InvalidInput):
        folders_of((), first, last, season.root)


# --- the command line ------------------------------------------------------------------------


def run(*arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "80"}).invoke(command, [str(a) for a in arguments])


def test_statement__is_readable_and_ties(season: Season, tmp_path: Path) -> None:
    shown = run(
        "--season",
        season.root,
        "--from",
        "2026-06-24",
        "--to",
        "2026-06-30",
        "--csv",
        tmp_path / "books",
    )
    assert shown.exit_code == 0, shown.output
    assert "= allotted in all 493,999.173633104741907150 WCT" in " ".join(shown.stdout.split())
    assert "not settled" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    with (tmp_path / "books" / "payees.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert sum(int(row["allotted"]) for row in rows) == over(season, 1, 7).allotted
    assert {path.name for path in (tmp_path / "books").iterdir()} == set(tables(over(season, 1, 7)))


def test_statement__that_does_not_tie__exits_1_and_says_so(settled: Season) -> None:
    write_receipt(
        settled,
        "000007.json",
        epoch="7",
        cumulative_total="1",
        claimed_total="0",
        distributor_balance="0",
    )
    shown = run("--season", settled.root)
    assert shown.exit_code == 1
    assert "does not tie: 1 is not 493999173633104741907150" in shown.stderr
    document = json.loads(run("--season", settled.root, "--json").stdout)
    assert document["ok"] is False
    assert document["identities"]["broken"]


def test_folders__in_place_of_a_season(season: Season) -> None:
    shown = run(season.epoch(2), season.epoch(1), "--json")
    document = json.loads(shown.stdout)
    assert (document["from"]["epoch"], document["to"]["epoch"]) == ("1", "2")
