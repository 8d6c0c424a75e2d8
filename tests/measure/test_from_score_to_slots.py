"""From an amount back to slots and operators, and an override in whatever is told of an epoch."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from rewards.audit.verify import verification
from rewards.cli import compute, explain, measure, report, verify
from rewards.cli import next as next_step
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.documents import canonical_json
from rewards.files.epoch import compute_folder, publish_epoch
from rewards.files.inputs import read_inputs
from rewards.files.manifest import manifest_digest
from rewards.files.published import PublishedEpoch
from rewards.files.season import Season
from rewards.sample import copy_season
from rewards.sample.dice import Dice, sample_address
from rewards.sample.generator import SEED
from rewards.sample.story import KESTREL_EU, KESTREL_US, MERIDIAN, MISTRAL, MONSOON
from rewards.sample.telemetry import NODE_FILES, write_probes
from rewards.settling.history import History
from rewards.settling.recomputing import recompute
from rewards.settling.restate import restate

if TYPE_CHECKING:
    from pathlib import Path

REASON, NAME = "Monitor of ap-southeast was down for 3 hours", "Operations council"
OVERRIDES = f"""\
node_id,uptime_seconds,response_time_us,requests,reason,approved_by
{MERIDIAN},86400,6050000,50,{REASON},{NAME}
"""


@dataclass(frozen=True)
class Computed:
    """The first epoch of a season, measured and then computed from what was measured."""

    season: Season

    @property
    def epoch(self) -> Path:
        return self.season.epoch(1)

    @property
    def measured(self) -> Path:
        return self.season.measured_nodes(1)

    def explained(self, subject: str, *options: str) -> dict[str, Any]:
        result = invoke(explain.command, str(self.epoch), subject, "--json", *options)
        document: dict[str, Any] = json.loads(result.stdout)
        return document


def invoke(command: Any, *arguments: str) -> Result:
    result = CliRunner().invoke(command, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def compute_season(root: Path, overrides: str = "") -> Computed:
    copy_season(root)
    season = Season.open(root)
    inputs = read_inputs(season.inputs(1)).inputs
    assert inputs is not None
    assert inputs.node_scores is not None
    telemetry = root / "telemetry"
    telemetry.mkdir()
    write_probes(telemetry, inputs.header.window, inputs.node_scores, Dice(SEED))
    options = [word for option, name in NODE_FILES.items() for word in (option, telemetry / name)]
    if overrides:
        (telemetry / "overrides.csv").write_text(overrides)
        options += ["--overrides", telemetry / "overrides.csv"]
    options += ["--start", "2026-06-24T00:00:00Z", "--end", "2026-06-25T00:00:00Z"]
    out = season.measured_nodes(1)
    invoke(measure.command, "nodes", *map(str, options), "--out", str(out))
    shutil.copy(out / "node_scores.csv", season.inputs(1))
    publish_epoch(compute_folder(season.inputs(1), None), season.epoch(1))
    return Computed(season)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Computed:
    return compute_season(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def overridden(tmp_path_factory: pytest.TempPathFactory) -> Computed:
    return compute_season(tmp_path_factory.mktemp("overridden"), OVERRIDES)


# --- explain ----------------------------------------------------------------------------------


def test_a_season_s_own_measurement_is_found(plain: Computed) -> None:
    shown = invoke(explain.command, str(plain.epoch), MERIDIAN).stdout
    assert "The score, by measure-1 from" in shown
    assert "§1.5  uptime_seconds = 86400 * 1260 // 1440 = 75600" in shown
    assert "down       2026-06-24T" in shown
    assert " of 1440, mean " in shown
    assert max(map(len, shown.splitlines())) < 110


def test_the_number_of_a_season_s_epoch_does_too(plain: Computed) -> None:
    shown = invoke(explain.command, "1", MERIDIAN, "--season", str(plain.season.root)).stdout
    assert "§1.5  uptime_seconds" in shown


def test_every_number_is_in_the_document(plain: Computed) -> None:
    (evidence,) = plain.explained(MISTRAL)["measured"]
    assert evidence["node_id"] == MISTRAL
    uptime = next(step for step in evidence["steps"] if step["symbol"] == "uptime_seconds")
    numbers = {name: int(value) for name, value in uptime["inputs"].items()}
    assert eval(uptime["formula"], {"__builtins__": {}}, numbers) == int(uptime["value"])  # noqa: S307
    assert uptime["value"] == evidence["score"]["uptime_seconds"]
    assert {row["operator_id"] for row in evidence["operators"]} == {
        "beacon",
        "lookout",
        "watchtower",
    }


def test_an_account_s_nodes_are_all_followed_back(plain: Computed) -> None:
    document = plain.explained(sample_address("kestrel"))
    assert [score["node_id"] for score in document["measured"]] == [KESTREL_EU, KESTREL_US]


def test_a_node_without_a_score_has_no_evidence(plain: Computed) -> None:
    assert "measured" not in plain.explained(MONSOON)


def test_a_folder_may_be_named(plain: Computed, tmp_path: Path) -> None:
    shutil.copytree(plain.epoch, tmp_path / "out")
    shutil.copytree(plain.measured, tmp_path / "m")
    assert "measured" not in explained_in(tmp_path / "out", MERIDIAN)
    named = explained_in(tmp_path / "out", MERIDIAN, "--measured", str(tmp_path / "m"))
    assert named["measured"][0]["folder"] == str(tmp_path / "m")


def explained_in(folder: Path, *arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        invoke(explain.command, str(folder), *arguments, "--json").stdout
    )
    return document


def test_another_score_than_was_measured(plain: Computed, overridden: Computed) -> None:
    with pytest.raises(CheckFailed) as found:
        plain.explained(MERIDIAN, "--measured", str(overridden.measured))
    assert [finding.column for finding in found.value.findings] == [
        "uptime_seconds",
        "response_time_us",
        "requests",
    ]
    assert f"in the row of {MERIDIAN}" in str(found.value)
    # Of the other nodes nothing differs.
    assert plain.explained(MISTRAL, "--measured", str(overridden.measured))["measured"]


def test_a_measurement_of_another_window(plain: Computed, tmp_path: Path) -> None:
    shutil.copytree(plain.measured, tmp_path / "m")
    replace_in(tmp_path / "m" / "measure_manifest.json", "2026-06-25T", "2026-06-26T")
    with pytest.raises(CheckFailed, match="is of another window than epoch 1"):
        plain.explained(MERIDIAN, "--measured", str(tmp_path / "m"))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("node_evidence.csv", "slots", "slotz"),
        ("operator_evidence.csv", "slots_up", "slots"),
        ("operator_evidence.csv", ",1440,1440,", ",1440,many,"),
        ("slot_evidence.csv", "Z,", "Z,x"),
        ("measure_manifest.json", '"voters"', '"voterz"'),
        ("measure_manifest.json", '"kind": "nodes"', '"kind": "wallets"'),
        ("measure_manifest.json", '"slot_seconds": "60"', '"slot_seconds": "0"'),
    ],
)
def test_a_damaged_measurement(
    name: str, old: str, new: str, plain: Computed, tmp_path: Path
) -> None:
    shutil.copytree(plain.measured, tmp_path / "m")
    replace_in(tmp_path / "m" / name, old, new)
    with pytest.raises(CheckFailed):
        plain.explained(MERIDIAN, "--measured", str(tmp_path / "m"))


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# --- overrides --------------------------------------------------------------------------------


def test_explain_tells_an_override(overridden: Computed) -> None:
    shown = invoke(explain.command, str(overridden.epoch), MERIDIAN).stdout
    assert f"by {NAME}: {REASON}" in shown
    assert "published uptime_seconds 86400" in shown
    assert "measured  uptime_seconds 75600" in shown
    (evidence,) = overridden.explained(MERIDIAN)["measured"]
    assert evidence["override"]["approved_by"] == NAME


def reported(epoch: Path, target: Path, *options: str) -> tuple[dict[str, Any], str]:
    answer = invoke(report.command, str(epoch), "--out", str(target), "--json", *options)
    return json.loads(answer.stdout), target.read_text()


def test_the_report_lists_overrides(overridden: Computed, tmp_path: Path) -> None:
    answer, page = reported(overridden.epoch, tmp_path / "r.html")
    assert [o["node_id"] for o in answer["measurement"]["overrides"]] == [MERIDIAN]
    assert "1 score is not as measured" in page
    assert REASON in page
    assert NAME in page
    assert ">75600<" in page
    told = invoke(report.command, str(overridden.epoch), "--out", str(tmp_path / "s.html")).stdout
    assert f"score by override, not as measured: {MERIDIAN}" in told


def test_the_report_says_that_there_is_none(plain: Computed, tmp_path: Path) -> None:
    answer, page = reported(plain.epoch, tmp_path / "r.html")
    assert answer["measurement"]["overrides"] == []
    assert "Every score is as measured" in page


def test_the_report_says_that_it_cannot_know(
    plain: Computed, overridden: Computed, tmp_path: Path
) -> None:
    shutil.copytree(plain.epoch, tmp_path / "out")
    answer, page = reported(tmp_path / "out", tmp_path / "r.html")
    assert answer["measurement"] is None
    assert "was not at hand when this report was written" in page
    with pytest.raises(CheckFailed, match="did not measure the scores of epoch 1"):
        reported(tmp_path / "out", tmp_path / "r.html", "--measured", str(overridden.measured))


def test_the_report_says_that_other_scores_were_paid(
    plain: Computed, overridden: Computed, tmp_path: Path
) -> None:
    shutil.copytree(plain.season.root, tmp_path / "s")
    altered = Computed(Season(tmp_path / "s", ""))
    shutil.rmtree(altered.measured)
    shutil.copytree(overridden.measured, altered.measured)
    answer, page = reported(altered.epoch, tmp_path / "r.html")
    assert not answer["measurement"]["is_paid"]
    assert "these are not its scores" in page
    told = invoke(report.command, str(altered.epoch), "--out", str(tmp_path / "s.html")).stdout
    assert f"the scores are not those of {altered.measured}" in told


# --- recorded with the epoch: what the folder alone tells -------------------------------------


@pytest.fixture
def season(overridden: Computed, tmp_path: Path) -> Season:
    """The season whose first epoch is measured, its scores one by override, and not computed."""
    root = tmp_path / "season"
    shutil.copytree(overridden.season.root, root)
    shutil.rmtree(root / "epochs")
    return Season.open(root)


@pytest.fixture
def alone(season: Season, tmp_path: Path) -> Path:
    """The epoch as the command publishes it, far from its season."""
    invoke(compute.command, "--season", str(season.root))
    shutil.copytree(season.epoch(1), tmp_path / "alone")
    return tmp_path / "alone"


def test_the_manifest_records_who_answers_for_which_score(alone: Path, season: Season) -> None:
    record = PublishedEpoch(alone).manifest.document["measurement"]
    measured = (season.measured_nodes(1) / "measure_manifest.json").read_bytes()
    assert record["manifest_sha256"] == hashlib.sha256(measured).hexdigest()
    assert record["rules"] == "measure-1"
    (override,) = record["overrides"]
    assert (override["node_id"], override["reason"]) == (MERIDIAN, REASON)
    assert override["approved_by"] == NAME
    assert override["published"]["uptime_seconds"] == "86400"
    assert override["measured"]["uptime_seconds"] == "75600"


def test_verify_explain_report_and_plan_tell_it_from_the_folder_alone(
    alone: Path, tmp_path: Path
) -> None:
    said = invoke(verify.command, str(alone)).output
    assert "scores: measured by measure-1, 1 score by override" in said
    assert f"{MERIDIAN} by override, approved by {NAME}: {REASON}" in said
    told = json.loads(invoke(verify.command, str(alone), "--json").stdout)
    assert told["measurement"]["overrides"][0]["node_id"] == MERIDIAN

    shown = invoke(explain.command, str(alone), MERIDIAN).stdout
    assert "not the measurement but an override was published" in shown
    assert f"by {NAME}: {REASON}" in shown
    document = json.loads(invoke(explain.command, str(alone), MERIDIAN, "--json").stdout)
    assert document["overrides"][0]["reason"] == REASON
    assert "override" not in invoke(explain.command, str(alone), MISTRAL).stdout

    page = tmp_path / "page.html"
    assert MERIDIAN in invoke(report.command, str(alone), "--out", str(page)).stdout
    assert REASON in page.read_text()

    made = recompute(History((PublishedEpoch(alone),), None), None)
    assert made.overrides == [
        f"epoch 1: score of {MERIDIAN} by override, approved by {NAME}: {REASON}"
    ]


def forged(path: Path, **change: object) -> None:
    document = json.loads(path.read_bytes())
    document["measurement"] |= change
    document["digest"] = manifest_digest(document)
    path.write_bytes(canonical_json(document))


@pytest.mark.usefixtures("alone")
def test_verify_holds_the_record_against_what_the_season_measured(season: Season) -> None:
    arguments = ["--season", str(season.root), "1", "--json"]
    told = json.loads(invoke(verify.command, *arguments).stdout)
    assert told["measurement_held_against"] == str(season.measured_nodes(1))
    assert "scores: held against" in invoke(verify.command, *arguments[:-1]).output
    whole = (season.epoch(1) / "manifest.json").read_bytes()
    for name, value in (("overrides", []), ("manifest_sha256", "00" * 32)):
        forged(season.epoch(1) / "manifest.json", **{name: value})
        result = CliRunner().invoke(verify.command, arguments)
        assert result.exit_code == 1
        (finding,) = json.loads(result.stdout)["findings"]
        assert finding["column"] == f"measurement.{name}"
        (season.epoch(1) / "manifest.json").write_bytes(whole)
    evidence = season.measured_nodes(1) / "measure_manifest.json"
    evidence.write_text("{")
    assert CliRunner().invoke(verify.command, arguments).exit_code == 1
    shutil.rmtree(season.measured_nodes(1))
    assert "taken on trust: that they were measured so" in invoke(
        verify.command, *arguments[:-1]
    ).output  # fmt: skip


def test_a_copy_of_an_epoch_is_not_held_against_the_season_it_lies_in(
    alone: Path, season: Season
) -> None:
    copy = season.root / "epochs" / "superseded" / "000001-00"
    shutil.copytree(alone, copy)
    assert "that they were measured so" in invoke(verify.command, str(copy)).output


def test_a_folder_without_a_record_says_so(overridden: Computed) -> None:
    said = invoke(verify.command, str(overridden.epoch)).output
    assert "how they were measured is not recorded" in said
    assert f"although {overridden.measured} is there" in said
    told = json.loads(invoke(verify.command, str(overridden.epoch), "--json").stdout)
    assert told["measurement"] is None


def test_named_by_hand_the_measurement_is_recorded_alike(
    alone: Path, season: Season, tmp_path: Path
) -> None:
    inputs, measured = tmp_path / "inputs", tmp_path / "measured"
    shutil.copytree(season.inputs(1), inputs)
    shutil.copytree(season.measured_nodes(1), measured)
    out = tmp_path / "out"
    invoke(compute.command, str(inputs), "--out", str(out), "--measured", str(measured))
    assert (out / "manifest.json").read_bytes() == (alone / "manifest.json").read_bytes()


def test_a_restated_epoch_records_it_too(alone: Path, season: Season) -> None:
    nodes = season.inputs(1) / "nodes.csv"
    lines = nodes.read_text().splitlines()
    lines[1] = lines[1].replace(lines[1].split(",")[1], sample_address("another"))
    nodes.write_text("\n".join(lines) + "\n")
    (restated,) = restate(season, 1, "a wrong payout address")
    manifest = PublishedEpoch(season.epoch(1)).manifest
    assert (manifest.hash, manifest.document["supersedes"]["manifest_hash"]) == (
        restated.new_hash,
        PublishedEpoch(alone).manifest.hash,
    )
    record = PublishedEpoch(alone).manifest.document["measurement"]
    assert manifest.document["measurement"] == record


def test_other_scores_than_were_measured_are_not_computed(season: Season) -> None:
    table = season.inputs(1) / "node_scores.csv"
    table.write_text(table.read_text().replace(f"{MERIDIAN},86400,", f"{MERIDIAN},86399,"))
    for command in (compute.command, next_step.command):
        result = CliRunner().invoke(command, ["--season", str(season.root), "--json"])
        if command is compute.command:
            assert isinstance(result.exception, InvalidInput)
            (finding,) = result.exception.findings
            assert (finding.file, finding.value) == ("node_scores.csv", MERIDIAN)
            assert "--overrides" in finding.remedy
        else:
            assert result.exit_code == 2
            assert json.loads(result.stdout)["findings"][0]["file"] == "node_scores.csv"
    assert not season.epoch(1).exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("published", {"uptime_seconds": "86399", "response_time_us": "6050000", "requests": "50"}),
        ("measured", {"uptime_seconds": "-1", "response_time_us": "0", "requests": "0"}),
        ("measured", "nothing"),
        ("node_id", "nobody"),
        ("reason", ""),
        ("approved_by", "=1+1"),
        ("more", "x"),
    ],
)
def test_a_forged_record_does_not_verify(alone: Path, key: str, value: object) -> None:
    path = alone / "manifest.json"
    document = json.loads(path.read_bytes())
    document["measurement"]["overrides"][0][key] = value
    document["digest"] = manifest_digest(document)
    path.write_bytes(canonical_json(document))
    (finding,) = verification(alone).findings
    assert "has no usable record of its measurement" in finding.problem


@pytest.mark.parametrize(
    "change",
    [{"rules": "measure-2"}, {"manifest_sha256": "00"}, {"overrides": None}, {"more": "x"}],
)
def test_a_record_of_another_form_does_not_verify(alone: Path, change: dict[str, object]) -> None:
    path = alone / "manifest.json"
    document = json.loads(path.read_bytes())
    document["measurement"] |= change
    document["digest"] = manifest_digest(document)
    path.write_bytes(canonical_json(document))
    (finding,) = verification(alone).findings
    assert "has no usable record of its measurement" in finding.problem
