"""Limits, waivers, what blocks, what is published, and that anyone can run it again."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from rewards.audit.checks import (
    default_limits,
    read_limits,
    read_waivers,
    review_published,
    reviewer_for,
    template,
)
from rewards.audit.checks.limits import limits_document, limits_from
from rewards.audit.checks.review import not_at_hand
from rewards.audit.verify import verify_epoch
from rewards.cli.checks import command as checks_command
from rewards.cli.compute import command as compute_command
from rewards.cli.verify import command as verify_command
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.documents import canonical_json
from rewards.files.epoch import compute_folder, publish_epoch
from rewards.files.grammar import GrammarError
from rewards.files.outputs import manifest_digest, sha256
from rewards.files.published import PublishedEpoch
from rewards.files.season import Season
from rewards.sample import copy_season

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STRICT = """
[score_drift]
severity = "blocking"
limit = "0.5"
"""
WAIVED = """
[[waiver]]
check = "score_drift"
subject = "node:us-west-02.juniper"
epoch = 2
reason = "The provider's outage of 2026-06-25, ticket 17"
approver = "Operations council"
"""


@dataclass(frozen=True)
class Checked:
    """A season whose first two epochs are published with their checks."""

    season: Season

    def epoch(self, number: int) -> Path:
        return self.season.epoch(number)


def published(root: Path, checks: str | None, waivers: str | None, epochs: int) -> Season:
    copy_season(root)
    for name, text in (("checks.toml", checks), ("waivers.toml", waivers)):
        if text is not None:
            (root / name).write_text(text)
    season = Season.open(root)
    for number in range(1, epochs + 1):
        previous = season.previous(number)
        reviewer = reviewer_for(previous, season=root)
        computed = compute_folder(season.inputs(number), previous, reviewer)
        reviewer.last_report.require_unblocked()
        publish_epoch(computed, season.epoch(number))
    return season


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    root = tmp_path_factory.mktemp("checks") / "season"
    return Checked(published(root, STRICT, WAIVED, 2))


@pytest.fixture
def copy(checked: Checked, tmp_path: Path) -> Path:
    """The second epoch alone, without its predecessor."""
    shutil.copytree(checked.epoch(2), tmp_path / "out")
    return tmp_path / "out"


def findings_of(read: Callable[[Path], Any], path: Path, text: str) -> list[Finding]:
    path.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        read(path)
    return list(caught.value.findings)


# --- checks.toml -----------------------------------------------------------------------------


def test_limits__what_is_left_out_has_its_default(tmp_path: Path) -> None:
    (tmp_path / "checks.toml").write_text(STRICT)
    limits = read_limits(tmp_path / "checks.toml")
    document = limits_document(limits)
    assert document.pop("score_drift") == {"severity": "blocking", "limit": "0.5"}
    expected = limits_document(default_limits())
    del expected["score_drift"]
    assert document == expected


def test_limits__template__says_what_holds_anyway(tmp_path: Path) -> None:
    (tmp_path / "checks.toml").write_text(template())
    assert read_limits(tmp_path / "checks.toml") == default_limits()


def test_limits__everything_wrong_is_found_together(tmp_path: Path) -> None:
    text = """
surprise = 1
[score_drift]
severity = "loud"
limit = 0.5
extra = "1"
[concentration]
limit = "1.5"
[shared_address]
limit = "2"
[no_such_check]
severity = "info"
"""
    found = findings_of(read_limits, tmp_path / "checks.toml", text)
    assert {(finding.file, finding.column) for finding in found} == {
        ("checks.toml", column)
        for column in (
            "surprise",
            "score_drift.severity",
            "score_drift.limit",
            "score_drift.extra",
            "concentration.limit",
            "shared_address.limit",
            "no_such_check",
            "no_such_check.severity",
        )
    }


def test_limits__as_recorded__come_back_and_nothing_unknown_does() -> None:
    document = limits_document(default_limits())
    assert limits_from(document) == default_limits()
    with pytest.raises(GrammarError):
        limits_from({**document, "of_tomorrow": {"severity": "info"}})
    with pytest.raises(KeyError):
        limits_from({"score_drift": {"severity": "info"}})


# --- waivers.toml ----------------------------------------------------------------------------


def test_waivers__are_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(WAIVED.replace("= 2", "= 9") + WAIVED)
    assert [waiver.epoch for waiver in read_waivers(path)] == [2, 9]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("waiver = 1", ["waiver"]),
        (
            "[[waiver]]",
            [f"waiver 1.{key}" for key in ("check", "subject", "epoch", "reason", "approver")],
        ),
        (WAIVED.replace('"score_drift"', '"no_such"'), ["waiver 1.check"]),
        (WAIVED.replace("epoch = 2", 'epoch = "2"'), ["waiver 1.epoch"]),
        (WAIVED.replace("Operations council", " "), ["waiver 1.approver"]),
        (WAIVED + 'limit = "1"', ["waiver 1.limit"]),
        (WAIVED + WAIVED, ["waiver"]),
        ("[waivers]\na = 1", ["waivers", "waivers.a"]),
        ("waiver = [1, 2]", ["waiver"]),
    ],
)
def test_waivers__that_are_wrong__are_refused(
    tmp_path: Path, text: str, columns: list[str]
) -> None:
    found = findings_of(read_waivers, tmp_path / "waivers.toml", text)
    assert [finding.column for finding in found] == columns


# --- compute ---------------------------------------------------------------------------------


def test_without_limits__the_published_bytes_are_the_same(tmp_path: Path) -> None:
    copy_season(tmp_path / "season")
    season = Season.open(tmp_path / "season")
    plain = compute_folder(season.inputs(1), None)
    reviewer = reviewer_for(None, season=season.root)
    reviewed = compute_folder(season.inputs(1), None, reviewer)
    assert plain.files == reviewed.files
    assert reviewer.last_report.findings
    assert "findings.json" not in plain.files


def test_blocking__names_check_subject_and_remedy__and_publishes_nothing(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed) as caught:
        published(tmp_path / "season", STRICT, None, 2)
    (finding,) = caught.value.findings
    assert finding.file == "check score_drift"
    assert finding.value == "node:us-west-02.juniper"
    assert "blocks epoch 2: score 0.9986 in epoch 1, now 0.125; limit 0.5" in finding.problem
    assert "waivers.toml" in finding.remedy
    assert not (tmp_path / "season" / "epochs" / "000002").exists()


@pytest.mark.parametrize("change", [("epoch = 2", "epoch = 3"), ("juniper", "redwood")])
def test_a_waiver_for_something_else__does_not_help(
    tmp_path: Path, change: tuple[str, str]
) -> None:
    with pytest.raises(CheckFailed):
        published(tmp_path / "season", STRICT, WAIVED.replace(*change), 2)


def test_waived__the_manifest_records_limits_findings_and_the_waiver(checked: Checked) -> None:
    epoch = PublishedEpoch(checked.epoch(2))
    document = epoch.manifest.document
    assert document["checks"]["limits"]["score_drift"] == {"severity": "blocking", "limit": "0.5"}
    assert document["checks"]["counts"] == {
        "blocking": "0",
        "warning": "0",
        "info": "1",
        "waived": "1",
    }
    content = (epoch.folder / "findings.json").read_bytes()
    assert document["checks"]["findings_digest"] == sha256(content)
    assert document["outputs"]["findings.json"] == sha256(content)
    (waiver,) = document["waivers"]
    assert waiver["approver"] == "Operations council"
    (waived, _) = json.loads(content)["findings"]
    assert waived["waived"] is True
    assert waived["values"]["score_after"] == "0.125"


def test_unused_waivers__are_told_and_not_published(tmp_path: Path) -> None:
    season = published(tmp_path / "season", "", WAIVED, 1)
    reviewer = reviewer_for(season.epoch(1), season=season.root)
    computed = compute_folder(season.inputs(2), season.epoch(1), reviewer)
    assert json.loads(computed.files["manifest.json"])["waivers"] == []
    assert [w.subject for w in reviewer.last_report.unused] == ["node:us-west-02.juniper"]


# --- verify ----------------------------------------------------------------------------------


def test_verify__with_and_without_the_predecessor(checked: Checked, copy: Path) -> None:
    assert verify_epoch(checked.epoch(1)) == []
    assert verify_epoch(checked.epoch(2), checked.epoch(1)) == []
    assert verify_epoch(copy) == []
    assert not_at_hand(PublishedEpoch(checked.epoch(2)), checked.epoch(1)) == []
    (unseen,) = not_at_hand(PublishedEpoch(copy), None)
    assert unseen.startswith("epoch 1 (0x")


def resealed(folder: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Change findings and manifest together, every digest right: a dishonest publisher."""
    findings = json.loads((folder / "findings.json").read_bytes())
    manifest = json.loads((folder / "manifest.json").read_bytes())
    change(findings, manifest)
    content = canonical_json(findings)
    (folder / "findings.json").write_bytes(content)
    if "findings_digest" in manifest.get("checks", {}):
        manifest["checks"]["findings_digest"] = sha256(content)
    manifest["outputs"]["findings.json"] = sha256(content)
    manifest["digest"] = manifest_digest(manifest)
    (folder / "manifest.json").write_bytes(canonical_json(manifest))


def drop_waiver(_: dict[str, Any], manifest: dict[str, Any]) -> None:
    manifest["waivers"] = []


def drop_waiver_and_mark(findings: dict[str, Any], manifest: dict[str, Any]) -> None:
    manifest["waivers"] = []
    manifest["checks"]["counts"] |= {"blocking": "1", "waived": "0"}
    findings["findings"][0]["waived"] = False


def play_down(findings: dict[str, Any], manifest: dict[str, Any]) -> None:
    manifest["waivers"] = []
    manifest["checks"]["counts"] |= {"warning": "1", "waived": "0"}
    findings["findings"][0] |= {"severity": "warning", "waived": False}
    findings["findings"].sort(key=lambda finding: finding["severity"] != "warning")


def drop_own_finding(findings: dict[str, Any], manifest: dict[str, Any]) -> None:
    del findings["findings"][1]
    manifest["checks"]["counts"]["info"] = "0"


def inject(findings: dict[str, Any], _: dict[str, Any]) -> None:
    findings["findings"][0]["values"]["score_after"] = "\x1b[31m0.1"


def unknown_format(_: dict[str, Any], manifest: dict[str, Any]) -> None:
    manifest["checks"]["format"] = "wct-checks-9"


def nonsense(_: dict[str, Any], manifest: dict[str, Any]) -> None:
    manifest["checks"] = []


@pytest.mark.parametrize(
    "change",
    [
        drop_waiver,
        drop_waiver_and_mark,
        play_down,
        drop_own_finding,
        inject,
        unknown_format,
        nonsense,
    ],
)
def test_verify__of_the_folder_alone__sees_through_a_resealed_one(
    copy: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]
) -> None:
    resealed(copy, change)
    assert PublishedEpoch(copy).altered_files() == []
    assert verify_epoch(copy)


def test_verify__a_hidden_finding_against_the_predecessor__is_seen_with_it(
    checked: Checked, copy: Path
) -> None:
    def hide(findings: dict[str, Any], manifest: dict[str, Any]) -> None:
        del findings["findings"][0]
        manifest["waivers"] = []
        manifest["checks"]["counts"]["waived"] = "0"

    resealed(copy, hide)
    assert verify_epoch(copy) == []  # taken on trust, and said so
    found = verify_epoch(copy, checked.epoch(1))
    assert {finding.file for finding in found} == {"findings.json", "manifest.json"}


@pytest.mark.parametrize("name", ["findings.json", "manifest.json"])
def test_verify__a_flipped_byte__is_named(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    assert name in {finding.file for finding in verify_epoch(copy)}


# --- look back -------------------------------------------------------------------------------


def test_report__of_an_unchecked_epoch__uses_the_defaults(checked: Checked) -> None:
    limits = default_limits()
    epoch = PublishedEpoch(checked.epoch(2))
    report = review_published(epoch, checked.epoch(1), limits=limits)
    assert not report.recorded
    assert {f.subject for f in report.findings if f.check == "score_drift"} >= {
        "node:us-west-02.juniper"
    }
    assert review_published(epoch).recorded


def test_wallets__are_held_against_the_last_month__not_the_day_before(
    season_with_months: Season,
) -> None:
    season = season_with_months
    report = review_published(
        PublishedEpoch(season.epoch(9)), season.epoch(8), limits=default_limits()
    )
    assert report.references["nodes"] is not None
    assert report.references["nodes"]["epoch"] == "8"
    assert report.references["wallets"] is not None
    assert report.references["wallets"]["epoch"] == "7"
    moved = [f for f in report.findings if f.check == "payout_change"]
    assert [f.subject for f in moved] == ["wallet:lumen-wallet"]


@pytest.fixture(scope="module")
def season_with_months(tmp_path_factory: pytest.TempPathFactory) -> Season:
    """The sample's seven days, a day without wallets, and a day with them; one payee moved."""
    root = tmp_path_factory.mktemp("months") / "season"
    season = published(root, None, None, 7)
    for number, day in ((8, 1), (9, 2)):
        inputs = season.inputs(number)
        shutil.copytree(season.inputs(7), inputs)
        text = (inputs / "epoch.toml").read_text()
        text = text.replace("epoch = 7", f"epoch = {number}")
        text = text.replace("start = 2026-06-30", f"start = 2026-07-0{day}", 1)
        text = text.replace("end = 2026-07-01", f"end = 2026-07-0{day + 1}", 1)
        head, _, _ = text.partition("[wallets]")
        states = PublishedEpoch(season.epoch(number - 1)).state["closing"]["nodes"]
        scores = (inputs / "node_scores.csv").read_text().splitlines()
        have = {line.split(",")[0] for line in scores}
        scores += [
            f"{name},86400,1,1"
            for name, state in sorted(states.items())
            if state["status"] in ("active", "reserved") and name not in have
        ]
        (inputs / "node_scores.csv").write_text("\n".join(scores) + "\n")
        if number == 8:
            (inputs / "wallet_scores.csv").unlink()
            for amount in ('"125000"', '"333333.333333333333333333"'):
                head = head.replace(amount, '"0"')
        else:
            wallets = (inputs / "wallet_scores.csv").read_text()
            (old,) = [
                w.split(",")[1] for w in wallets.splitlines() if w.startswith("lumen-wallet,")
            ]
            (inputs / "wallet_scores.csv").write_text(wallets.replace(old, "0x" + "ab" * 20))
        (inputs / "epoch.toml").write_text(head)
        previous = season.previous(number)
        publish_epoch(compute_folder(inputs, previous), season.epoch(number))
    return season


# --- the command line ------------------------------------------------------------------------


def run(command: Any, *arguments: object) -> Any:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_compute__shows_findings_and_answers_in_json(tmp_path: Path) -> None:
    copy_season(tmp_path / "season")
    shown = run(compute_command, "--season", tmp_path / "season")
    assert shown.exit_code == 0
    assert "Checks: 1 note" in shown.stdout
    again = run(compute_command, "--season", tmp_path / "season", "--epoch", 1, "--json")
    document = json.loads(again.stdout)
    assert document["checks"]["recorded"] is False
    assert document["checks"]["counts"]["info"] == "1"


def test_compute__with_files_named__records_them(tmp_path: Path) -> None:
    copy_season(tmp_path / "season")
    (tmp_path / "limits.toml").write_text(STRICT)
    done = run(
        compute_command,
        tmp_path / "season/inputs/000001",
        "--out",
        tmp_path / "out",
        "--checks",
        tmp_path / "limits.toml",
    )
    assert done.exit_code == 0, done.output
    assert "checks" in PublishedEpoch(tmp_path / "out").manifest.document


def test_checks__of_a_published_epoch(checked: Checked, copy: Path, tmp_path: Path) -> None:
    shown = run(checks_command, checked.epoch(2))
    assert shown.exit_code == 0
    assert " waived   score_drift: node:us-west-02.juniper" in shown.stdout
    assert "Operations council" in shown.stdout
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())
    (tmp_path / "limits.toml").write_text(STRICT)
    anew = run(
        checks_command,
        copy,
        "--previous",
        checked.epoch(1),
        "--checks",
        tmp_path / "limits.toml",
        "--json",
    )
    assert anew.exit_code == 1
    document = json.loads(anew.stdout)
    assert document["ok"] is False
    assert document["counts"]["blocking"] == "1"


def test_checks__lists_itself() -> None:
    listed = json.loads(run(checks_command, "--list", "--json").stdout)
    assert {entry["check"] for entry in listed} == set(default_limits())
    assert run(checks_command, "--template").stdout == template()


def test_verify__tells_what_is_taken_on_trust(copy: Path) -> None:
    document = json.loads(run(verify_command, copy, "--json").stdout)
    assert document["ok"] is True
    assert document["checks"]["recorded"] is True
    assert document["trusted_checks"][0].startswith("epoch 1 (")
