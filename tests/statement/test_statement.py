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

from rewards.audit.statement import (
    Receipt,
    document_of,
    earlier_folders,
    statement_of,
    tables,
)
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
    from rewards.audit.statement.attribution import Standing
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


def rehearsed(
    season: Season, epoch: int, *, outstanding: int = 0, balance: int = 0, **more: Any
) -> int:
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
        **more,
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


def test_identities__all_hold_and_every_payee_has_three(season: Season) -> None:
    statement = over(season, 1, 7)
    assert all(identity.holds for identity in statement.identities)
    assert sum(i.name.startswith("payee") for i in statement.identities) == 3 * len(
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


def test_partly_claimed__open_in_all_but_neither_by_payee_nor_by_program(settled: Season) -> None:
    rehearsed(settled, 7, outstanding=9, balance=9)
    statement = over(settled, 7, 7)
    document = document_of(statement)
    assert document["settlement"]["open"] == "9"
    assert all(payee.open is None for payee in statement.payees)
    assert document["programs"]["nodes"]["open"] is None
    assert document["positions"]["total"]["claimed"] is None
    assert not statement.findings
    assert "does not tell who has claimed" in run(settled.epoch(7)).stdout


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


@pytest.mark.parametrize("content", [b"{", b"{}", b'{"epoch": "\xff"}', b'{"epoch": "5"}\r\n'])
def test_an_unreadable_receipt_of_the_range__is_a_finding(settled: Season, content: bytes) -> None:
    (settled.root / "settlements").mkdir()
    (settled.root / "settlements" / "000005.json").write_bytes(content)
    (finding,) = over(settled, 4, 5).findings
    assert finding.file == "settlements/000005.json"
    assert "tells no settlement" in finding.problem
    shown = run("--season", settled.root)
    assert shown.exit_code == 1
    assert not over(settled, 3, 4).findings  # it is of a later epoch


@pytest.mark.parametrize(
    ("column", "told"), [("manifest_hash", "0x" + "ab" * 32), ("chain_id", "10")]
)
def test_a_receipt_of_another_epoch_or_chain__is_a_finding_and_not_used(
    settled: Season, column: str, told: str
) -> None:
    more: dict[str, Any] = {column: told}
    rehearsed(settled, 5, **more)
    statement = over(settled, 1, 7)
    (finding,) = statement.findings
    assert (finding.file, finding.column, finding.value) == (
        "settlements/000005.json", column, told
    )  # fmt: skip
    assert statement.position is None


def test_a_receipt_that_names_this_epoch__is_used(settled: Season) -> None:
    manifest = over(settled, 5, 5).last.published.manifest
    rehearsed(
        settled, 5, manifest_hash=manifest.hash.upper().replace("X", "x", 1),
        chain_id=str(manifest.chain_id), settles=["1", "2", "3", "4", "5"],
    )  # fmt: skip
    statement = over(settled, 1, 7)
    assert not statement.findings
    assert statement.position is not None


def test_receipts_of_the_contract_before__are_not_of_this_one(settled: Season) -> None:
    """A season goes on under its numbers when the contract changes."""
    write_receipt(
        settled, "000000.json", epoch="0", cumulative_total="9", claimed_total="9",
        distributor_balance="0",
    )  # fmt: skip
    assert over(settled, 1, 7).position is None
    (settled.root / "settlements" / "000000.json").unlink()
    rehearsed(settled, 3, chain_id="10")
    outside = over(settled, 5, 7)  # 3 is not at hand, but its chain is another
    assert (outside.position, outside.findings) == (None, [])


# --- receipts that tell which epochs they settle -------------------------------------------------


def settles(season: Season, first: int, last: int) -> None:
    rehearsed(season, last, settles=[str(number) for number in range(first, last + 1)])


def from_genesis(season: Season, first: int, last: int) -> Statement:
    folders = [season.epoch(number) for number in range(first, last + 1)]
    return statement_of(folders, None, earlier_folders(folders[0]))


@pytest.mark.parametrize(
    ("receipts", "known", "words"),
    [
        ([(1, 3), (4, 7)], "settled", ""),
        ([(1, 7)], "nothing_settled", "Nothing was settled before the range"),
        ([(6, 7)], "not_known", "No receipt tells who had claimed before"),
        ([(1, 2), (4, 7)], "not_known", "No receipt tells who had claimed before"),
        ([(1, 3), (7, 7)], "not_known", "No receipt tells who had claimed before"),
        ([(1, 3)], "settled", ""),
    ],
)
def test_before_the_range__what_the_receipts_say_of_it(
    settled: Season, receipts: list[tuple[int, int]], known: str, words: str
) -> None:
    for first, last in receipts:
        settles(settled, first, last)
    statement = from_genesis(settled, 4, 7)
    settlement = document_of(statement)["settlement"]
    assert settlement["before_range"] == statement.before_range == known
    assert settlement["receipt_before"] == ("000003.json" if known == "settled" else None)
    assert (settlement["claimed_in_range"] is None) == (known == "not_known")
    shown = run("--season", settled.root, "--from", "4")
    assert shown.exit_code == 0, shown.output
    assert words in shown.stdout


def test_before_the_range__nothing_where_epoch_1_is_settled_later(settled: Season) -> None:
    settles(settled, 1, 7)
    assert over(settled, 4, 7).before_range == "nothing_settled"  # epoch 1 is not at hand


def test_before_the_range__where_no_receipt_says_which_epochs_it_settles(settled: Season) -> None:
    rehearsed(settled, 7)
    statement = from_genesis(settled, 4, 7)
    known = "nothing_settled_as_far_as_receipts_tell"
    assert document_of(statement)["settlement"]["before_range"] == known
    assert from_genesis(settled, 1, 7).before_range == "nothing_settled"
    assert "as far as settlements/ tells" in run("--season", settled.root, "--from", "4").stdout


@pytest.mark.parametrize(
    ("receipts", "last", "missing"),
    [
        ([(1, 3), (6, 7)], 5, "000005.json"),
        ([(6, 7)], 5, "000005.json"),
        ([(1, 3), (6, 7)], 4, None),
        ([(1, 3), (4, 7)], 5, None),
        ([(1, 7)], 5, None),
        ([(1, 5), (6, 7)], 5, None),
    ],
)
def test_a_receipt_that_is_missing__is_noticed_by_the_next(
    settled: Season, receipts: list[tuple[int, int]], last: int, missing: str | None
) -> None:
    for first, until in receipts:
        settles(settled, first, until)
    files = [finding.file for finding in from_genesis(settled, 2, last).findings]
    assert files == ([f"settlements/{missing}"] if missing else [])


# --- by program ------------------------------------------------------------------------------


def cumulative(season: Season, epoch: int) -> dict[str, int]:
    with (season.epoch(epoch) / "allocations.csv").open(newline="") as handle:
        return {row["account"]: int(row["cumulative"]) for row in csv.DictReader(handle)}


def claimed_until(season: Season, epoch: int, claims: dict[str, int], *, beyond: int = 0) -> None:
    """Write a receipt: these claims, and a contract that holds what is open and some more."""
    total, claimed = sum(cumulative(season, epoch).values()), sum(claims.values())
    write_receipt(
        season,
        f"{epoch:06d}.json",
        epoch=str(epoch),
        cumulative_total=str(total),
        claimed_total=str(claimed),
        distributor_balance=str(max(total - claimed, 0) + beyond),
        claims={account: str(amount) for account, amount in claims.items()},
    )


@pytest.fixture
def partly(settled: Season) -> Season:
    """Settled after epochs 3, 5 and 7, claimed by every second, third, and all but every fourth."""
    third, fifth, seventh = (cumulative(settled, epoch) for epoch in (3, 5, 7))
    claims = {account: third[account] for account in sorted(third)[::2]}
    claimed_until(settled, 3, claims)
    claims |= {account: fifth[account] for account in sorted(fifth)[::3]}
    claimed_until(settled, 5, claims)
    claims |= {a: seventh[a] for i, a in enumerate(sorted(seventh)) if i % 4}
    claimed_until(settled, 7, claims, beyond=7 * WCT)
    return settled


def whole(season: Season, first: int, last: int) -> Statement:
    """Return the statement of the command: with the epochs before the range."""
    folders = [season.epoch(number) for number in range(first, last + 1)]
    return statement_of(folders, earlier=earlier_folders(folders[0]))


def paid_until(season: Season, epoch: int, account: str, table: str, column: str) -> int:
    """Return what a table paid to an account in all epochs up to one."""
    paid = 0
    for number in range(1, epoch + 1):
        with (season.epoch(number) / table).open(newline="") as handle:
            rows = [row for row in csv.DictReader(handle) if row["payout_address"] == account]
        paid += sum(int(row[column]) for row in rows)
    return paid


def test_claimed_by_program__is_what_its_tables_paid_until_the_claim(partly: Season) -> None:
    """Who claimed after epoch 3, 5 or 7 has what the tables until then say, and nothing else."""
    claims = {n: cumulative(partly, n) for n in (3, 5, 7)}
    seen = set()
    for payee in whole(partly, 1, 7).payees:
        claimed = payee.standing.claimed
        assert claimed is not None
        until = max(
            (n for n, c in claims.items() if c.get(payee.account) == payee.claimed), default=0
        )
        if not payee.claimed:
            assert claimed == (0,) * 6
            continue
        seen.add(until)
        assert claimed[:3] == tuple(
            paid_until(partly, until, payee.account, table, column)
            for table, column in (
                ("nodes.csv", "paid"),
                ("wallets.csv", "amount_eligible"),
                ("wallets.csv", "amount_certified"),
            )
        )
    assert seen == {3, 5, 7}


@pytest.mark.parametrize("first", range(1, 8))
@pytest.mark.parametrize("last", [5, 7])
def test_positions__tie_over_every_range(partly: Season, first: int, last: int) -> None:
    first = min(first, last)
    statement = whole(partly, first, last)
    assert not statement.findings
    document = document_of(statement)
    positions, settlement = document["positions"], document["settlement"]
    assert "earlier" not in positions
    for line in positions.values():
        amounts = {name: int(text) for name, text in line.items()}
        assert amounts["cumulative"] == amounts["claimed"] + amounts["open"]
        assert (
            amounts["open_before"] + amounts["allotted"] - amounts["claimed_in_range"]
            == (amounts["open"])
        )
    total = positions["total"]
    assert (total["claimed"], total["open"]) == (settlement["claimed"], settlement["open"])
    assert total["claimed_in_range"] == settlement["claimed_in_range"]
    assert int(total["funded"]) + int(settlement["beyond_what_is_open"]) == int(
        settlement["funded"]
    )
    programs = [*document["programs"].values()]
    for entry in document["epochs"]:
        programs += entry["programs"].values()
        assert int(entry["epoch_amount"]) == int(entry["claimed"]) + int(entry["open"])
    for pool in programs:
        assert int(pool["paid"]) == int(pool["claimed"]) + int(pool["open"])
        assert 0 <= int(pool["claimed"]) <= int(pool["funded"]) <= int(pool["paid"])


def test_rehearsed_and_claimed_to_the_last__all_of_a_program_but_the_epoch_not_settled(
    settled: Season,
) -> None:
    """The receipt tells no account's claims, but leaves no doubt."""
    rehearsed(settled, 6, balance=5)
    statement = whole(settled, 7, 7)
    nodes = document_of(statement)["positions"]["nodes"]
    assert nodes["claimed"] == str(whole(settled, 1, 6).pool("nodes").paid)
    assert nodes["open"] == nodes["allotted"] == str(statement.pool("nodes").paid)
    assert int(nodes["funded"]) >= int(nodes["claimed"])
    assert statement.closing.surplus == 0  # the five base units are for epoch 7
    assert not statement.findings


def test_one_range_after_the_other__hands_over_what_is_open(partly: Season) -> None:
    before, after = whole(partly, 1, 5), whole(partly, 6, 7)
    assert after.opening.total.open == before.closing.total.open
    assert after.closing.total == whole(partly, 1, 7).closing.total


def test_a_recovery__is_a_line_that_is_claimed_with_what_it_was_taken_from(settled: Season) -> None:
    """Epoch 3 takes all that it pays, epoch 4 the rest; a claim after 3 takes nothing new."""
    second, fourth = (cumulative(settled, n).get(RECOVERED, 0) for n in (2, 4))
    claimed_until(settled, 5, {RECOVERED: second})
    statement = whole(settled, 1, 5)
    (payee,) = [p for p in statement.payees if p.account == RECOVERED]
    left = whole(settled, 1, 3).deferred
    claimed, still = payee.standing.claimed, payee.standing.open
    assert claimed is not None
    assert still is not None
    # Epoch 3 added nothing to be claimed: its pay, what was taken, and what is put off.
    assert claimed[3:5] == (-44725 * WCT // 100, left)
    assert claimed[0] == paid_until(settled, 3, RECOVERED, "nodes.csv", "paid")
    assert still[3:5] == (0, -left)
    assert sum(still) == cumulative(settled, 5)[RECOVERED] - second
    assert fourth > second
    assert not statement.findings
    # Put off and recovered: together nothing, and still a line, as half of it is open.
    figures = next(p for p in document_of(statement)["payees"] if p["account"] == RECOVERED)
    assert figures["positions"]["recoveries"] == {
        "cumulative": "0", "funded": "0", "claimed": str(left), "open": str(-left)
    }  # fmt: skip
    _, rows = tables(statement)["payee_positions.csv"]
    assert (RECOVERED, "recoveries", "0", "0", str(left), str(-left)) in rows


def test_a_claim_within_an_epoch__is_divided_to_the_wei_and_said_so(partly: Season) -> None:
    account = max(cumulative(partly, 7), key=lambda a: cumulative(partly, 7)[a])
    claimed_until(partly, 7, {account: cumulative(partly, 7)[account] - 1})
    for name in ("000003.json", "000005.json"):
        (partly.root / "settlements" / name).unlink()
    statement = whole(partly, 1, 7)
    assert not statement.findings
    assert document_of(statement)["attribution"] == {
        "rule": "oldest-first",
        "first_epoch": "1",
        "claims_within_an_epoch": "1",
    }
    shown = run("--season", partly.root).stdout
    assert "1 claim ends within an epoch" in shown
    assert "Claimed is exact" not in shown


def test_epochs_that_are_not_at_hand__are_one_line(partly: Season) -> None:
    shutil.rmtree(partly.epoch(2))
    statement = whole(partly, 5, 7)
    positions = document_of(statement)["positions"]
    assert statement.earlier == 3
    assert positions["earlier"]["cumulative"] == str(sum(cumulative_before_3(partly).values()))
    assert not statement.findings
    shown = run("--season", partly.root, "--from", "5").stdout
    assert "Epochs before 3 are not at hand" in shown
    assert "before epoch 3" in shown
    assert max(map(len, shown.splitlines())) <= 80


def cumulative_before_3(season: Season) -> dict[str, int]:
    with (season.epoch(3) / "allocations.csv").open(newline="") as handle:
        return {r["account"]: int(r["previous_cumulative"]) for r in csv.DictReader(handle)}


def test_earlier_epochs__that_were_altered__are_refused(partly: Season) -> None:
    path = partly.epoch(2) / "nodes.csv"
    path.write_bytes(path.read_bytes().replace(b"active", b"standby", 1))
    shown = run("--season", partly.root, "--from", "5")
    assert isinstance(shown.exception, CheckFailed)


def test_earlier_folders__of_an_epoch_outside_a_season_are_none(
    season: Season, tmp_path: Path
) -> None:
    shutil.copytree(season.epoch(4), tmp_path / "out")
    assert earlier_folders(tmp_path / "out") == []
    assert earlier_folders(season.epoch(1)) == []
    assert earlier_folders(season.epoch(4)) == [season.epoch(n) for n in (1, 2, 3)]


def test_the_chain_alone__does_not_tell_what_was_claimed_before_the_range(season: Season) -> None:
    claims = {a: n for a, n in cumulative(season, 7).items() if n}
    total = sum(claims.values())
    chain = Receipt("block 9", 7, total, total, 0, claims)
    folders = [season.epoch(n) for n in (6, 7)]
    statement = statement_of(folders, chain, earlier_folders(folders[0]))
    document = document_of(statement)
    assert document["positions"]["nodes"]["open_before"] is None
    assert document["positions"]["nodes"]["claimed_in_range"] is None
    assert document["positions"]["nodes"]["open"] == "0"
    assert document["settlement"]["claimed_in_range"] is None
    assert not statement.findings


def test_csv__every_table_ties_with_the_others(partly: Season, tmp_path: Path) -> None:
    shown = run("--season", partly.root, "--from", "4", "--csv", tmp_path / "books")
    assert shown.exit_code == 0, shown.output

    def read(name: str) -> list[dict[str, str]]:
        with (tmp_path / "books" / name).open(newline="") as handle:
            return list(csv.DictReader(handle))

    def total(rows: list[dict[str, str]], column: str) -> int:
        return sum(int(row[column]) for row in rows)

    positions = {row["line"]: row for row in read("positions.csv")}
    payees, by_line, epochs = read("payees.csv"), read("payee_positions.csv"), read("ledger.csv")
    programs = read("programs.csv")
    for column in ("claimed", "open"):
        assert total(payees, column) == int(positions["total"][column])
        for line, row in positions.items():
            of_line = [r for r in by_line if line in (r["line"], "total")]
            assert total(of_line, column) == int(row[column])
    assert total(programs, "paid") == total(programs, "claimed") + total(programs, "open")
    assert total(epochs, "epoch_amount") == total(epochs, "claimed") + total(epochs, "open")
    settlement = {row["figure"]: row["amount"] for row in read("settlement.csv")}
    assert total(payees, "funded") + 7 * WCT == int(settlement["funded"])


HOSTILE = {
    "an account that is no payee": {"0x" + "ab" * 20: 5},
    "more than was allotted": {RECOVERED: 10**30},
    "less than the receipt before": {},
}


@pytest.mark.parametrize("claims", HOSTILE.values(), ids=HOSTILE)
def test_hostile_claims__are_findings(settled: Season, claims: dict[str, int]) -> None:
    claimed_until(settled, 5, {RECOVERED: cumulative(settled, 5)[RECOVERED]})
    seventh = cumulative(settled, 7)
    kept = {} if not claims else {RECOVERED: seventh[RECOVERED]}
    claimed_until(settled, 7, kept | claims)
    shown = run("--season", settled.root, "--from", "6", "--json")
    assert shown.exit_code == 1
    broken = [entry["identity"] for entry in json.loads(shown.stdout)["identities"]["broken"]]
    assert broken


def test_a_claim_that_fell__names_the_payee(settled: Season) -> None:
    claimed_until(settled, 5, {RECOVERED: cumulative(settled, 5)[RECOVERED]})
    claimed_until(settled, 7, {})
    found = [finding.value for finding in whole(settled, 6, 7).findings]
    assert found == [f"payee {RECOVERED}: what is claimed never falls"]


@pytest.mark.parametrize("part", ["allotted", "funded", "claimed"])
@pytest.mark.parametrize("line", range(5))
def test_one_wei_in_another_program__is_a_finding(partly: Season, part: str, line: int) -> None:
    """In the total, in an epoch, and at a payee."""
    statement = whole(partly, 4, 7)
    closing = statement.closing

    def shifted(standing: Standing) -> Standing:
        lines = list(getattr(standing, part))
        lines[line] += 1
        return replace(standing, **{part: tuple(lines)})

    payee = statement.payees[0]
    assert replace(statement, closing=replace(closing, total=shifted(closing.total))).findings
    wrong = replace(payee, standing=shifted(payee.standing))
    assert replace(statement, payees=[wrong, *statement.payees[1:]]).findings
    epochs = {**closing.by_epoch, 5: shifted(closing.by_epoch[5])}
    assert replace(statement, closing=replace(closing, by_epoch=epochs)).findings


def test_terminal__by_program_within_80_columns(partly: Season) -> None:
    shown = run("--season", partly.root, "--from", "4")
    assert shown.exit_code == 0, shown.output
    assert max(map(len, shown.stdout.splitlines())) <= 80
    for text in (
        "By program, all epochs up to 7, WCT",
        "By program, over epochs 4 to 7, WCT",
        "Claimed is exact",
        "held beyond",
    ):
        assert text in shown.stdout
    assert "open before" not in run("--season", partly.root, "--to", "5").stdout


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


def test_numbers__mean_the_season_s_epochs(season: Season) -> None:
    document = json.loads(run("3", "2", "--season", season.root, "--json").stdout)
    assert (document["from"]["epoch"], document["to"]["epoch"]) == ("2", "3")
