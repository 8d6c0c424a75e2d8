"""`rewards dry-run` as an operator meets it: on the embedded chain, on a node, and when refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from rewards.chain.accounts import PASSWORD_VARIABLE
from rewards.cli import main
from rewards.files.folder import walk_files
from rewards.sample import copy_season
from tests.chain.anvil import Anvil, free_port, running

ROOT = Path(__file__).parents[2]
PASSWORD = "canary-of-a-password"
KEY = bytes.fromhex("ca7a11" + "c0de" * 14 + "01")
ADDRESS = Account.from_key(KEY).address


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def dry_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command in this process, with its exit code and output."""

    def call(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["rewards", "dry-run", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Answer(int(ended.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sample") / "season"
    copy_season(root)
    return root


@pytest.fixture
def season(sample: Path, tmp_path: Path) -> Path:
    """The first two epochs of the sample season."""
    root = tmp_path / "season"
    shutil.copytree(sample, root)
    for number in range(3, 8):
        shutil.rmtree(root / "inputs" / f"{number:06d}")
    return root


@pytest.fixture
def keystore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(Account.encrypt(KEY, PASSWORD, kdf="pbkdf2", iterations=1000)))
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    return path


def verify(*arguments: object) -> Any:
    command = [sys.executable, "-m", "rewards", "verify", *map(str, arguments), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def fund(node: Anvil) -> None:
    node.ask("anvil_setBalance", ADDRESS, hex(10**20))


# --- the embedded chain -----------------------------------------------------------------------


def test_season__is_rehearsed_and_written(dry_run: Any, season: Path) -> None:
    answer = dry_run("--season", season, "--json")
    assert answer.code == 0, answer.err
    document = answer.document
    assert document["out"] == str(season / "rehearsal")
    assert [s["settles"] for s in document["settlements"]] == [["1"], ["2"]]
    assert document["settlements"][-1]["reconciliation"]["distributor_balance"] == "0"
    written = json.loads((season / "rehearsal" / "rehearsal.json").read_bytes())
    assert written == {key: value for key, value in document.items() if key != "out"}
    for epoch in document["epochs"]:
        approved, stays, paid = (int(epoch[name]) for name in ("approved", "stays", "paid_out"))
        assert approved == stays + paid
        assert epoch["root"] != epoch["own_root"]
    assert "epoch 2: propose" in answer.err


def test_table__fits_eighty_columns_and_says_what_matters(dry_run: Any, season: Path) -> None:
    answer = dry_run("--season", season, "--bundle", "2")
    assert answer.code == 0, answer.err
    wide = [line for line in answer.out.splitlines() if len(line) > 80]
    assert [line for line in wide if str(season) not in line] == []
    for word in (
        "withheld",
        "unallocated",
        "stays in the treasury",
        "Largest of",
        "root",
        "gas per claim",
        "Reconciled to zero",
        str(season / "rehearsal"),
    ):
        assert word in answer.out.replace("\n", " ")


def test_inputs_with_predecessor__write_nothing_unless_told(
    dry_run: Any, season: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        subprocess.run([sys.executable, "-m", "rewards", "compute", "--season", season], check=True)
    monkeypatch.chdir(tmp_path)
    before = sorted(walk_files(tmp_path))
    two = (season / "inputs" / "000002", "--previous", season / "epochs" / "000001")
    answer = dry_run(*two, "--json")
    assert answer.code == 0, answer.err
    assert sorted(walk_files(tmp_path)) == before
    assert [s["opening"] for s in answer.document["settlements"]] == [True, False]
    manifest = json.loads((season / "epochs" / "000002" / "manifest.json").read_bytes())
    assert answer.document["paid_out"] == manifest["epoch_amount"]
    assert answer.document["epochs"][0]["own_root"] == manifest["merkle_root"]

    answer = dry_run(*two, "--out", tmp_path / "kept")
    assert answer.code == 0
    assert (tmp_path / "kept" / "settlements" / "000002.json").is_file()


def test_published_epoch_that_its_inputs_do_not_make__exits_1(dry_run: Any, season: Path) -> None:
    command = [sys.executable, "-m", "rewards", "compute", "--season", str(season)]
    subprocess.run(command, check=True)
    head = season / "inputs" / "000001" / "epoch.toml"
    head.write_text(head.read_text().replace('nodes = "5400"', 'nodes = "5401"'))
    answer = dry_run("--season", season)
    assert answer.code == 1
    assert "inputs/epoch.toml: " in answer.err
    assert "is not what the inputs make of it" in answer.err


def test_broken_input__exits_2_and_names_the_epochs_file(dry_run: Any, season: Path) -> None:
    (season / "inputs" / "000002" / "nodes.csv").write_text("node_id\n")
    answer = dry_run("--season", season)
    assert answer.code == 2
    assert "inputs/000002/nodes.csv" in answer.err
    assert not (season / "rehearsal").exists()


def test_mismatch__exits_1_with_findings(
    dry_run: Any, season: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rewards.chain.distributor.Distributor.paid_by", lambda *_: 1)
    answer = dry_run("--season", season, "--json")
    assert answer.code == 1
    assert answer.document["ok"] is False
    assert answer.document["findings"]
    unfinished = json.loads((season / "rehearsal" / "rehearsal.json").read_bytes())
    assert unfinished["ok"] is False


def test_folder_that_cannot_be_written__exits_2(dry_run: Any, season: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = dry_run("--season", season, "--out", tmp_path / "file" / "below")
    assert answer.code == 2
    assert "cannot be written" in answer.err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["in", "--bundle", "2"], id="bundle-of-one"),
        pytest.param(["--previous", "out"], id="previous-of-a-season"),
        pytest.param(["in", "--season", "."], id="both"),
        pytest.param(["in", "--rpc", "http://localhost"], id="no-keystore"),
        pytest.param(["in", "--keystore", "k"], id="keystore-alone"),
        pytest.param(["in", "--delay", "0"], id="no-delay"),
        pytest.param(["in", "--delay", "1209601"], id="long-delay"),
    ],
)
def test_wrong_usage__exits_2(dry_run: Any, arguments: list[str]) -> None:
    assert dry_run(*arguments).code == 2


# --- a node -----------------------------------------------------------------------------------


def test_node__season_is_rehearsed_into_a_folder_of_its_own(
    dry_run: Any, season: Path, keystore: Path, anvil: Anvil
) -> None:
    fund(anvil)
    network = ("--rpc", anvil.url, "--keystore", keystore, "--delay", "1", "--yes")
    answer = dry_run("--season", season, "--bundle", "2", *network, "--json")
    assert answer.code == 0, answer.err
    document = answer.document
    assert document["chain"]["chain_id"] == "31337"
    assert document["chain"]["operator"] == ADDRESS.lower()
    out = Path(document["out"])
    assert out.name.startswith("rehearsal-31337-")
    assert (out / "settlements" / "000002.json").is_file()
    anvil.finalize()
    on_chain = verify("2", "--season", out, "--rpc", anvil.url)
    assert on_chain["ok"] is True
    assert on_chain["chain"]["status"] == "active"
    assert on_chain["chain"]["outstanding"] == "0"
    again = dry_run("--season", season, *network, "--out", out)
    assert again.code == 2
    assert "receipts are not replaced" in again.err


def test_real_chain__is_refused_before_the_key_is_opened(
    dry_run: Any, season: Path, tmp_path: Path
) -> None:
    with running(chain_id=10) as node:
        absent = tmp_path / "no-such-key.json"
        answer = dry_run("--season", season, "--rpc", node.url, "--keystore", absent, "--yes")
        assert node.ask("eth_blockNumber") == "0x0"
    assert answer.code == 1
    assert "NotATestNetwork" in answer.err
    assert "OP Sepolia" in answer.err


def test_node_down__exits_3(dry_run: Any, season: Path, keystore: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    answer = dry_run("--season", season, "--rpc", url, "--keystore", keystore, "--yes")
    assert answer.code == 3
    assert "cannot be reached" in answer.err


def test_no_funds__exits_3_and_names_the_account(
    dry_run: Any, season: Path, keystore: Path, anvil: Anvil
) -> None:
    anvil.ask("anvil_setBalance", ADDRESS, "0x0")
    answer = dry_run("--season", season, "--rpc", anvil.url, "--keystore", keystore, "--yes")
    assert answer.code == 3
    assert ADDRESS.lower() in answer.err


def test_wrong_or_missing_password__exits_2(
    dry_run: Any, season: Path, keystore: Path, anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("--season", season, "--rpc", anvil.url, "--keystore", keystore, "--yes")
    monkeypatch.setenv(PASSWORD_VARIABLE, "another")
    answer = dry_run(*command)
    assert answer.code == 2
    assert "does not open with this password" in answer.err
    monkeypatch.delenv(PASSWORD_VARIABLE)
    answer = dry_run(*command)
    assert answer.code == 2
    assert PASSWORD_VARIABLE in answer.err


def test_without_yes__nobody_to_ask__nothing_is_sent(
    dry_run: Any, season: Path, keystore: Path, anvil: Anvil
) -> None:
    fund(anvil)
    height = anvil.ask("eth_blockNumber")
    answer = dry_run("--season", season, "--rpc", anvil.url, "--keystore", keystore)
    assert answer.code == 2
    assert anvil.ask("eth_blockNumber") == height


def test_key_and_password__appear_in_no_output_and_no_file(
    season: Path, keystore: Path, tmp_path: Path, anvil: Anvil
) -> None:
    fund(anvil)
    secrets = tmp_path / "secrets.env"
    secrets.write_text(f"{PASSWORD_VARIABLE}={PASSWORD}\n")
    environment = {k: v for k, v in os.environ.items() if k != PASSWORD_VARIABLE}
    shutil.rmtree(season / "inputs" / "000002")
    base = [sys.executable, "-m", "rewards", "dry-run", "--season", str(season)]
    base += ["--keystore", str(keystore), "--env-file", str(secrets), "--delay", "1", "--yes"]
    down = f"http://127.0.0.1:{free_port()}/?key=canary-of-a-url"
    runs = [
        subprocess.run([*base, "--rpc", url], capture_output=True, env=environment, check=False)
        for url in (f"{anvil.url}/?key=canary-of-a-url", down)
    ]
    assert [run.returncode for run in runs] == [0, 3]
    shown = [run.stdout + run.stderr for run in runs]
    shown += [path.read_bytes() for path in season.rglob("*") if path.is_file()]
    for content in shown:
        for canary in (KEY.hex(), PASSWORD, "canary-of-a-url", str(int.from_bytes(KEY, "big"))):
            assert canary.encode() not in content.lower()


# --- the demo ---------------------------------------------------------------------------------


def test_demo__rehearses_the_whole_sample_season_twice(tmp_path: Path) -> None:
    target = tmp_path / "demo"
    command = [sys.executable, str(ROOT / "scripts" / "demo.py"), str(target)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "Reconciled to zero" in run.stdout
    document = json.loads((target / "rehearsal" / "rehearsal.json").read_bytes())
    assert len(document["epochs"]) >= 5
    assert len(document["settlements"][-1]["settles"]) == 2
    first = {name: (target / name).read_bytes() for name in walk_files(target)}
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert {name: (target / name).read_bytes() for name in walk_files(target)} == first


def test_demo__leaves_a_foreign_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    command = [sys.executable, str(ROOT / "scripts" / "demo.py"), str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "is there already" in run.stderr
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_script__is_the_command(season: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "dry_run.py"), "--season", str(season)]
    run = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["ok"] is True
