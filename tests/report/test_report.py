from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from rewards.audit.report import build_report, report_of, source
from rewards.audit.report.page import content_policy, data_text
from rewards.audit.report.settlement import Receipt, read_receipts
from rewards.audit.statement import books, document_of, model
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.epoch import compute, publish_epoch
from rewards.files.published import PublishedEpoch
from rewards.rules.integers import WCT
from rewards.rules.records import Adjustment, Inputs, Policy, Pools
from tests import builders
from tests.report.epochs import HOSTILE, Published, publish, sized_inputs
from tests.report.reading import Page

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def page(report: str) -> Page:
    return Page(report)


# --- numbers -----------------------------------------------------------------------------------


def test_every_node_row_holds_the_numbers_of_its_file(page: Page, last: Published) -> None:
    shown = {}
    every_node = page.of_section("nodes")[-1]
    for cells, values in zip(every_node.rows[1:], every_node.values[1:], strict=True):
        shown[re.split(r"0x[0-9a-fA-F]{6}…", cells[0])[0]] = values
    columns = ["uptime", "latency_score", "score", "base", "bonus", "penalty", "debt_in"]
    columns += ["debt_out", "withheld", "paid"]
    rows = source.read_source(PublishedEpoch(last.folder)).nodes
    assert len(shown) == len(rows)
    for row in rows:
        assert shown[row["node_id"]] == [str(row[c]) for c in columns if row[c] is not None]


def test_conservation_is_shown_to_the_base_unit_and_comes_out(page: Page, last: Published) -> None:
    totals = PublishedEpoch(last.folder).manifest.document["totals"]
    ledgers = [table for table in page.of_section("glance") if table.caption]
    assert len(ledgers) == len(totals) == 5
    shown = {frozenset(value for row in table.values for value in row) for table in ledgers}
    assert shown == {
        frozenset(value for key, value in total.items() if key != "identity")
        for total in totals.values()
    }
    for table in ledgers:
        *terms, whole = [
            (row[0], int(value[0]))
            for row, value in zip(table.rows, table.values, strict=True)
            if value
        ]
        assert whole[1] == sum(-n if name.startswith("−") else n for name, n in terms)  # noqa: RUF001
        assert table.rows[-1] == ["✓ holds exactly"]


def test_exact_amounts_show_all_eighteen_decimals(page: Page) -> None:
    for table in page.of_section("glance"):
        for row, values in zip(table.rows, table.values, strict=True):
            if table.caption and values:
                shown = row[1].replace(",", "").replace("−", "-")  # noqa: RUF001
                assert shown.replace(".", "").lstrip("0") == values[0].lstrip("0")
                assert len(shown.partition(".")[2]) == 18


def test_every_transition_is_shown(report: str, last: Published) -> None:
    moves = source.read_source(PublishedEpoch(last.folder)).transitions
    assert moves
    listed = report[
        report.index('<ul class="moves">') : report.index("</ul>", report.index('class="moves"'))
    ]
    for move in moves:
        assert move["node_id"] in listed
        assert f"<b>{move['step'].replace('_', ' ')}:</b>" in listed


def test_root_manifest_hash_and_every_digest_are_on_the_page(report: str, last: Published) -> None:
    manifest = PublishedEpoch(last.folder).manifest
    assert manifest.root is not None
    for text in (manifest.root, manifest.hash, manifest.previous_hash, *manifest.files.values()):
        assert text is not None
        assert text in report


def test_change_needs_the_predecessor_and_says_so_without(report: str, last: Published) -> None:
    alone = build_report(PublishedEpoch(last.folder)).decode()
    assert "The largest moves" in report
    assert "The largest moves" not in alone
    assert "was not at hand" in alone


def test_first_epoch__no_predecessor__says_so(sample: dict[int, Published]) -> None:
    assert "This is the first epoch." in build_report(PublishedEpoch(sample[1].folder)).decode()


# --- bytes -------------------------------------------------------------------------------------


def test_same_files_give_the_same_bytes(last: Published, report: str) -> None:
    assert last.previous is not None
    again = build_report(
        PublishedEpoch(last.folder), PublishedEpoch(last.previous), season="A season for tests"
    )
    assert again.decode() == report


def test_the_page_is_self_contained_and_has_no_inline_code(page: Page, report: str) -> None:
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in {"style", "src", "srcset", "action"}, (tag, name)
        if name == "href":
            assert value.startswith("#"), (tag, value)
    assert not re.search(r"<(link|iframe|object|embed|img|base)\b", report)
    assert "@import" not in page.styles[0]
    assert "url(" not in page.styles[0]


def test_ids_are_unique(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))


def test_the_policy_admits_exactly_the_inline_script_and_style(page: Page) -> None:
    code = [script for script in page.scripts if script]
    assert len(code) == len(page.styles) == 1
    policy = next(
        value for _, name, value in page.attributes if name == "content" and "default-src" in value
    )
    assert policy == content_policy(code[0], page.styles[0])
    digest = base64.b64encode(hashlib.sha256(code[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_library_is_embedded_with_its_licence(page: Page) -> None:
    script = "".join(page.scripts)
    assert "The MIT License (MIT)" in script
    assert "Paul Miller" in script


# --- hostile text ------------------------------------------------------------------------------


def test_data_text_cannot_leave_its_element() -> None:
    text = data_text(json.dumps({"a": "</script><!--<script>"}))
    assert "<" not in text
    assert json.loads(text) == {"a": "</script><!--<script>"}


def hostile_inputs() -> Inputs:
    """Return an epoch in which every free text, and every id too, is hostile."""
    policy = builders.policy()
    canonical = {**policy.canonical, "approval": HOSTILE}
    return builders.inputs(
        head=builders.header(pools=Pools(100 * WCT, 50 * WCT, 50 * WCT)),
        rules=Policy(policy.ruleset, 1, HOSTILE, policy.parameters, canonical),
        nodes=(builders.node(f"n{HOSTILE}", payout=builders.address(7)),),
        node_scores=(),
        wallets=(builders.wallet(f"w{HOSTILE}", certified=True), builders.wallet("wallet")),
        adjustments=(Adjustment(builders.address(2), 5, reason=HOSTILE, approved_by=HOSTILE),),
    )


def hostile_report(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the report of a folder that the rest of the program would refuse to read."""
    inputs = hostile_inputs()
    publish_epoch(compute(inputs, None), folder)
    take_as_verified(monkeypatch)
    monkeypatch.setattr(books, "read_inputs", lambda _: SimpleNamespace(inputs=inputs))
    monkeypatch.setattr(source, "read_inputs", lambda _: None)
    monkeypatch.setattr(source, "check_inputs", lambda *_: inputs)
    receipts = [
        Receipt(HOSTILE, {HOSTILE: HOSTILE, "actions": [{"name": HOSTILE}]}),
        Receipt(HOSTILE, problem=HOSTILE),
    ]
    published = PublishedEpoch(folder)
    published.manifest.document.update(
        checks=[
            {"check": HOSTILE, "severity": HOSTILE, "subject": HOSTILE, "values": {HOSTILE: 1}}
        ],
        waivers=[{"check": HOSTILE, "subject": "x", "reason": HOSTILE, "approver": HOSTILE}],
        supersedes={"manifest_hash": HOSTILE, "reason": HOSTILE},
    )
    return build_report(published, None, receipts, HOSTILE).decode()


def take_as_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a folder pass that the program would not take for a published one."""
    monkeypatch.setattr(model, "require_verified", lambda folder, _: PublishedEpoch(folder))


def test_hostile_text_stays_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = hostile_report(tmp_path / "out", monkeypatch)
    page = Page(report)
    assert len([script for script in page.scripts if script]) == 1
    assert not [tag for tag, name, _ in page.attributes if name.startswith("on") or tag == "img"]
    assert "<script>window.pwned" not in report
    assert "{{7*7}}" in report


# --- the statement -----------------------------------------------------------------------------


def test_statement__the_same_amounts_as_the_command_s(sample: dict[int, Published]) -> None:
    folders = [sample[number].folder for number in range(1, 8)]
    read = source.read_source(
        PublishedEpoch(folders[-1]), PublishedEpoch(folders[-2]), before=folders[:-1]
    )
    stated = document_of(read.statement)
    page = Page(report_of(read).decode())
    tables = page.of_section("statement")
    pools, *ledgers, by_epoch, payees = tables
    assert [row for row in pools.values if row] == [
        list(stated["programs"][name].values())[:4]
        for name in ("nodes", "wallets_eligible", "wallets_certified", "total")
    ]
    assert [table.rows[-1] for table in ledgers] == [["✓ holds exactly"]] * 3
    assert [row[-1] for row in by_epoch.values if row] == [
        entry["epoch_amount"] for entry in stated["epochs"]
    ]
    assert [row[-2] for row in payees.values if row] == [
        entry["allotted"] for entry in stated["payees"][:25]
    ]
    assert "✓ All 319 of 319 identities hold" in page.text_of("statement")


def test_statement__funded_claimed_and_open_by_program(season: Path, tmp_path: Path) -> None:
    """From epoch 6 on, of which half the payees have claimed: before it there is one line."""
    folder = tmp_path / "season"
    shutil.copytree(season, folder)
    settlements = folder / "settlements"
    settlements.mkdir(exist_ok=True)
    claims: dict[str, int] = {}
    for number in (5, 7):
        published = PublishedEpoch(folder / "epochs" / f"{number:06d}")
        claims |= {row.account: row.cumulative for row in published.allocations[::2]}
        total, claimed = published.manifest.cumulative_total, sum(claims.values())
        receipt = {
            "epoch": str(number),
            "cumulative_total": str(total),
            "claimed_total": str(claimed),
            "distributor_balance": str(total - claimed + 3 * WCT),
            "claims": {account: str(amount) for account, amount in claims.items()},
        }
        (settlements / f"{number:06d}.json").write_text(json.dumps(receipt))
    sixth, seventh = (folder / "epochs" / f"{number:06d}" for number in (6, 7))
    read = source.read_source(PublishedEpoch(seventh), PublishedEpoch(sixth))
    positions = document_of(read.statement)["positions"]
    page = Page(report_of(read).decode())
    (table,) = [t for t in page.of_section("statement") if "Open before, WCT" in t.rows[0]]
    columns = (
        "open_before",
        "allotted",
        "claimed_in_range",
        "open",
        "cumulative",
        "funded",
        "claimed",
    )
    assert [row for row in table.values if row] == [
        [line[column] for column in columns] for line in positions.values()
    ]
    assert [row[0] for row in table.rows[1:]][-2:] == ["Before epoch 6", "All lines"]
    said = page.text_of("statement")
    assert "known to the last base unit" in said
    assert "beyond all that is open it holds 3.0000 WCT" in said
    assert "✗" not in said


@pytest.mark.parametrize(
    ("settles", "words"),
    [
        (["1", "2", "3", "4", "5", "6", "7"], "Nothing was settled before epoch 6."),
        (["7"], "No receipt tells what was claimed before epoch 6."),
        (None, "That nothing was claimed before epoch 6 is taken on trust"),
    ],
)
def test_statement__says_what_is_known_of_the_time_before(
    season: Path, tmp_path: Path, settles: list[str] | None, words: str
) -> None:
    folder = tmp_path / "season"
    shutil.copytree(season, folder)
    settlements = folder / "settlements"
    settlements.mkdir(exist_ok=True)
    sixth, seventh = (folder / "epochs" / f"{number:06d}" for number in (6, 7))
    total = str(PublishedEpoch(seventh).manifest.cumulative_total)
    receipt = {"epoch": "7", "cumulative_total": total, "claimed_total": total,
               "distributor_balance": "0", "settles": settles}  # fmt: skip
    (settlements / "000007.json").write_text(json.dumps(receipt))
    (settlements / "000003.json").write_text("<script>")
    read = source.read_source(PublishedEpoch(seventh), PublishedEpoch(sixth))
    said = Page(report_of(read).decode()).text_of("statement")
    assert words in said
    assert said.count("not known") == (2 * 7 if settles == ["7"] else 0)
    assert "settlements/000003.json: tells no settlement that is known here" in said


def test_statement__against_a_receipt__what_does_not_tie_is_named(
    season: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "season"
    shutil.copytree(season, folder)
    settlements = folder / "settlements"
    settlements.mkdir(exist_ok=True)
    total = PublishedEpoch(folder / "epochs" / "000001").manifest.cumulative_total
    receipt = {"epoch": "1", "cumulative_total": str(total), "claimed_total": str(total),
               "distributor_balance": "0"}  # fmt: skip
    (settlements / "000001.json").write_text(json.dumps(receipt))
    report = build_report(PublishedEpoch(folder / "epochs" / "000001")).decode()
    assert "Settled, funded and claimed are as 000001.json has them" in report
    assert "✗" not in Page(report).text_of("statement")
    (settlements / "000001.json").write_text(json.dumps({**receipt, "cumulative_total": "7"}))
    report = build_report(PublishedEpoch(folder / "epochs" / "000001")).decode()
    said = Page(report).text_of("statement")
    assert "✗ Only" in said
    assert "receipt 000001.json: settled = the epoch's cumulative total" in said


# --- what is refused ---------------------------------------------------------------------------


def test_altered_folder__refused(last: Published, tmp_path: Path) -> None:
    folder = tmp_path / "altered"
    folder.mkdir()
    for path in last.folder.rglob("*"):
        if path.is_file():
            copy = folder / path.relative_to(last.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    table = folder / "nodes.csv"
    table.write_bytes(table.read_bytes().replace(b"active,active", b"active,standby", 1))
    with pytest.raises(CheckFailed, match=r"nodes\.csv"):
        build_report(PublishedEpoch(folder))


def test_another_epoch_as_predecessor__refused(sample: dict[int, Published]) -> None:
    with pytest.raises(InvalidInput, match="is not the predecessor of epoch 7"):
        build_report(PublishedEpoch(sample[7].folder), PublishedEpoch(sample[5].folder))


def test_more_rows_than_a_page_takes__refused_with_what_to_use(
    last: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MOST_ROWS", 50)
    with pytest.raises(InvalidInput, match=r"more than the 50 .*`rewards explain`"):
        build_report(PublishedEpoch(last.folder))


# --- findings, waivers, receipts ---------------------------------------------------------------


def with_manifest(folder: Path, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the report of an epoch whose manifest says more than today's do."""
    publish(sized_inputs(3), folder)
    take_as_verified(monkeypatch)
    published = PublishedEpoch(folder)
    published.manifest.document.update(changes)
    return build_report(published).decode()


FINDING = {
    "check": "a_later_check",
    "severity": "blocking",
    "subject": "wallet:w-1",
    "values": {"after": "9", "before": "1"},
    "limit": "5",
    "waived": True,
}
WAIVER = {"check": "share_jump", "subject": "w-1", "reason": "known", "approver": "council"}


@pytest.mark.parametrize(
    "checks",
    [
        pytest.param([FINDING], id="a list in the manifest"),
        pytest.param({"findings": [FINDING]}, id="under findings"),
    ],
)
def test_findings_of_a_manifest_are_a_table(
    checks: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = {"checks": checks, "waivers": [WAIVER]}
    report = with_manifest(tmp_path / "out", recorded, monkeypatch)
    findings, waived = Page(report).of_section("findings")
    assert findings.rows == [
        ["check", "severity", "subject", "values", "limit", "waived"],
        ["a later check", "blocking", "w-1", "after 9, before 1", "5", "yes"],
    ]
    assert waived.rows[1] == ["share jump", "w-1", "known", "council"]
    assert "1, 1 waived</a>" in report


def test_finding_of_a_known_check__in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "0x" + "ab" * 20
    known = {
        "check": "new_payee",
        "limit": "10000",
        "severity": "warning",
        "subject": address,
        "values": {"epoch_amount": "16306599261115004733702", "ids": "wallet:marlin"},
        "waived": False,
    }
    report = with_manifest(
        tmp_path / "out", {"checks": [known, {**known, "values": 5}]}, monkeypatch
    )
    (findings,) = Page(report).of_section("findings")
    rows = [dict(zip(findings.rows[0], row, strict=True)) for row in findings.rows[1:]]
    assert "16,306.59 WCT" in rows[0]["found"]
    assert rows[1]["found"] == ""
    assert rows[1]["values"] == "5"
    assert f'href="#look={address}"' in report


def test_findings_json__read_in_place_of_the_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.dumps({"findings": [FINDING] * 300}).encode()
    checks = {
        "counts": {"blocking": "300"},
        "limits": {"share_jump": {"severity": "blocking", "limit": "5"}},
    }
    original = PublishedEpoch.read_json
    monkeypatch.setattr(
        PublishedEpoch,
        "read_json",
        lambda self, name, limit: (
            json.loads(content) if name == "findings.json" else original(self, name, limit)
        ),
    )
    monkeypatch.setattr(
        type(PublishedEpoch(publish(sized_inputs(1), tmp_path / "one")).manifest),
        "files",
        {"findings.json": "0" * 64, "nodes.csv": "", "transitions.csv": "", "wallets.csv": ""},
    )
    monkeypatch.setattr(PublishedEpoch, "read", read_unchecked)
    report = with_manifest(tmp_path / "out", {"checks": checks, "waivers": []}, monkeypatch)
    (findings,) = Page(report).of_section("findings")
    assert len(findings.rows) == 201
    assert "100 more are in" in report
    assert "<dt>share_jump.limit</dt><dd>5</dd>" in report
    assert "Nothing was waived." in report


def read_unchecked(self: PublishedEpoch, name: str, _: int) -> bytes:
    """Read a file of a folder whose list of files a test has changed."""
    return (self.folder / name).read_bytes()


def test_checks_without_findings__said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = with_manifest(tmp_path / "out", {"checks": [], "waivers": []}, monkeypatch)
    assert "The checks found nothing." in report
    assert "Nothing was waived." in report


RECEIPT = {
    "epoch": "7",
    "settles": ["6", "7"],
    "paid": "1500000000000000000",
    "leaves_claimed": "77",
    "actions": [
        {"name": "propose", "gas": "62717", "transaction": "0xaa"},
        {"name": "activate", "gas": 57228, "transaction": "0xbb"},
    ],
    "reconciliation": {"claimed_total": "2000000000000000000", "outstanding": "0"},
}


def test_receipts__of_the_epoch_and_of_those_settled_with_it(tmp_path: Path) -> None:
    (tmp_path / "000007.json").write_text(json.dumps(RECEIPT))
    (tmp_path / "000006-note.json").write_text("not json")
    (tmp_path / "000008.json").write_text("{}")
    (tmp_path / "journal.json").write_text("{}")
    assert [r.name for r in read_receipts(tmp_path, 7)] == ["000007.json"]
    assert [r.name for r in read_receipts(tmp_path, 6)] == ["000006-note.json", "000007.json"]
    assert "is not the JSON expected" in read_receipts(tmp_path, 6)[0].problem
    assert read_receipts(tmp_path, 5) == []
    assert read_receipts(tmp_path / "none", 7) == []


def test_receipt__actions_gas_and_amounts_are_shown(last: Published) -> None:
    published = PublishedEpoch(last.folder)
    receipts = [
        Receipt("000007.json", {**RECEIPT, "manifest_hash": published.manifest.hash}),
        Receipt("000007-other.json", {"gas_used": "5", "manifest_hash": "0x00"}),
        Receipt("000007-broken.json", problem="is no JSON"),
    ]
    report = build_report(published, None, receipts).decode()
    (actions,) = Page(report).of_section("settlement")
    assert actions.rows[1:] == [["propose", "62,717", "0xaa"], ["activate", "57,228", "0xbb"]]
    assert "<dt>Gas in all</dt><dd>119,945</dd>" in report
    assert '<dt>Settled by it</dt><dd><data class="n" value="1500000000000000000">1.5000' in report
    assert "It names this epoch&#39;s manifest." in report
    assert "It names another manifest" in report
    assert "This receipt cannot be read: is no JSON" in report
    assert "3 receipts</a>" in report


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"actions": "none", "reconciliation": []},
        {"actions": [1, {}, {"name": None, "gas": "-1"}], "paid": {"a": []}, "settles": {}},
        {"paid": "9" * 500, "gas": "1e9", "manifest_hash": 5},
    ],
)
def test_receipt__of_another_form__shown_as_it_is(document: Any, last: Published) -> None:
    report = build_report(PublishedEpoch(last.folder), None, [Receipt("x.json", document)])
    assert b"Everything in this receipt" in report


# --- other epochs ------------------------------------------------------------------------------


def test_epoch_in_which_nobody_has_anything(tmp_path: Path) -> None:
    publish_epoch(compute(builders.inputs(), None), tmp_path / "out")
    report = build_report(PublishedEpoch(tmp_path / "out")).decode()
    assert "none: nobody has an amount" in report
    assert "Nobody was paid in this epoch." in report
    assert Page(report).head["tree"] is None


def test_every_sample_epoch_has_a_report(sample: dict[int, Published]) -> None:
    for number, epoch in sample.items():
        previous = PublishedEpoch(epoch.previous) if epoch.previous else None
        report = build_report(PublishedEpoch(epoch.folder), previous).decode()
        assert f"<h1>Epoch {number}</h1>" in report


def test_many_wallets__plotted_together__look_up_chunked(tmp_path: Path) -> None:
    publish(sized_inputs(2_000), tmp_path / "out")
    report = build_report(PublishedEpoch(tmp_path / "out")).decode()
    page = Page(report)
    assert "Discs stand for several wallets" in report
    assert sum(name.startswith("wallets-") for name in page.blocks) == 8
    assert len(report) < 700_000
