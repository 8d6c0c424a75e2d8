"""`rewards safe` as its user meets it: files, output, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from rewards.chain.plan_file import plan_bytes
from rewards.cli import COMMANDS, main
from rewards.merkle.keccak import to_checksum
from tests.safe.plans import NONCE, SAFE, SINGLE, fund_and_propose, plan, propose

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"web3", "eth_account", "eth_abi", "eth_utils", "pandas", "pydantic"}


@pytest.fixture
def rewards(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command line in this process; returns exit code, stdout and stderr."""
    monkeypatch.setitem(COMMANDS, "safe", "Hand a plan to a Safe, and check what it signs.")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rewards", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        out = capsys.readouterr()
        return int(stopped.value.code or 0), out.out, out.err

    return call


@pytest.fixture
def plan_path(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_bytes(plan_bytes(SINGLE))
    return path


def test_batch__goes_there_and_back(rewards: Any, plan_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "batch.json"
    code, text, _ = rewards("safe", "export", plan_path, "--safe", SAFE, "--out", out)
    assert code == 0
    assert (
        "proposal.cumulativeTotal = 1234567890123456789012 (1,234.567890123456789012 WCT)" in text
    )
    assert SINGLE.digest in text
    code, text, notes = rewards("safe", "verify", out, "--plan", plan_path)
    assert code == 0
    assert f"The file is the plan {SINGLE.digest}" in text
    assert "give --safe to check it" in notes


def test_safe_tx__goes_there_and_back(rewards: Any, plan_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "safe-tx.json"
    options = ("--safe", to_checksum(SAFE), "--nonce", NONCE)
    code, text, _ = rewards(
        "safe", "export", plan_path, *options, "--safe-version", "1.3.0", "--out", out, "--json"
    )
    assert code == 0
    exported = json.loads(text)
    code, text, _ = rewards("safe", "verify", out, "--plan", plan_path, *options, "--json")
    assert code == 0
    verdict = json.loads(text)
    assert verdict["ok"]
    assert verdict["hashes"] == dict.fromkeys(("1.3.0", "1.4.1", "1.5.0"), exported["hashes"])
    assert verdict["findings"] == []
    assert verdict["calls"][0]["function"].startswith("propose(")


def test_hashes__are_shown_for_a_batch_with_safe_and_nonce(rewards: Any, tmp_path: Path) -> None:
    path, out = tmp_path / "plan.json", tmp_path / "batch.json"
    path.write_bytes(plan_bytes(fund_and_propose()))
    assert rewards("safe", "export", path, "--safe", SAFE, "--out", out)[0] == 0
    _, text, _ = rewards("safe", "verify", out, "--plan", path, "--safe", SAFE, "--nonce", "3")
    assert text.count("safeTxHash") == 3
    assert text.count("domain hash") == 3
    assert "the token WCT 0x7070E40000000000000000000000000000ABcdEF: approve" in text


def test_a_difference__is_exit_code_1_and_a_finding(
    rewards: Any, plan_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "batch.json"
    rewards("safe", "export", plan_path, "--safe", SAFE, "--out", out)
    other = tmp_path / "other.json"
    other.write_bytes(plan_bytes(plan("propose", propose(7), totals={"cumulative_total": 7})))
    code, text, errors = rewards("safe", "verify", out, "--plan", other, "--safe", SAFE)
    assert code == 1
    assert text == "NOT the plan: do not sign it\n"
    assert "calls[0].propose.proposal.cumulativeTotal" in errors
    code, text, _ = rewards("safe", "verify", out, "--plan", other, "--json")
    assert code == 1
    verdict = json.loads(text)
    assert not verdict["ok"]
    assert verdict["words"] is None
    assert verdict["findings"][0]["value"] == "'1234567890123456789012'"


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1, "a": 1}', b"{}", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_as_one__is_exit_code_1(
    rewards: Any, plan_path: Path, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "pending.json"
    file.write_bytes(content)
    assert rewards("safe", "verify", file, "--plan", plan_path)[0] == 1


def test_wrong_usage__is_exit_code_2(rewards: Any, plan_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    missing = tmp_path / "missing.json"
    wrong = "0x5AFE00000000000000000000000000000000ab1e"
    assert rewards("safe", "export", missing, "--safe", SAFE, "--out", out)[0] == 2
    assert rewards("safe", "verify", missing, "--plan", plan_path)[0] == 2
    code, _, errors = rewards("safe", "export", plan_path, "--safe", wrong, "--out", out)
    assert code == 2
    assert "has a wrong EIP-55 checksum" in errors
    for nonce in ("-1", "0x1", "1e3", "01"):
        options = ("--safe", SAFE, f"--nonce={nonce}", "--out", out)
        assert rewards("safe", "export", plan_path, *options)[0] == 2
    plan_path.write_bytes(plan_path.read_bytes().replace(b"123", b"124", 1))
    assert rewards("safe", "export", plan_path, "--safe", SAFE, "--out", out)[0] == 2
    assert not out.exists()


def test_an_existing_file__is_not_overwritten(
    rewards: Any, plan_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "batch.json"
    arguments = ("safe", "export", plan_path, "--safe", SAFE, "--out", out)
    assert rewards(*arguments)[0] == 0
    assert rewards(*arguments)[0] == 0
    out.write_bytes(b"mine")
    code, _, errors = rewards(*arguments)
    assert code == 2
    assert "exists with other content" in errors
    assert out.read_bytes() == b"mine"


def test_verify__loads_no_heavy_package() -> None:
    code = (
        "import sys, rewards.cli.safe\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), sep='\\n')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & HEAVY


def test_export__prints_the_hashes(rewards: Any, plan_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "safe-tx.json"
    _, text, _ = rewards(
        "safe", "export", plan_path, "--safe", SAFE, "--nonce", NONCE, "--out", out
    )
    tx = json.loads(out.read_bytes())
    for name in ("domain_hash", "message_hash", "safe_tx_hash"):
        assert tx[name] in text
