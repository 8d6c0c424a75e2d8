"""The committed artifacts are what the sources compile to; their users need no Node."""

import subprocess
import sys
from pathlib import Path

import pytest

import contracts_abi
from tests.contracts.chain import ABI_FOLDER, artifact
from tests.contracts.replay import Replay

ROOT = Path(__file__).resolve().parents[2]
TESTS = Path(__file__).parent


def test_rebuilding_gives_the_same_bytes() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "rebuild_contracts.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["EpochDistributor", "TestToken"])
def test_artifacts_are_read_without_a_checkout_at_hand(name: str) -> None:
    loaded = contracts_abi.load(name)
    assert loaded == artifact(name)
    assert loaded["settings"] == {
        "evmVersion": "cancun",
        "metadata": {"bytecodeHash": "none"},
        "optimizer": {"enabled": True, "runs": 200},
    }
    assert loaded["compiler"]["version"].startswith("0.8.37+")


def test_an_unknown_artifact_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        contracts_abi.load("Nothing")


def test_the_verification_material_is_complete() -> None:
    sources = contracts_abi.load("standard-input")["sources"]
    assert {"src/EpochDistributor.sol", "src/IEpochDistributor.sol", "src/TestToken.sol"} <= set(
        sources
    )
    for name, source in sources.items():
        if name.startswith("src/"):
            assert source["content"] == (ABI_FOLDER / name).read_text("utf-8")


def test_the_distributor_fits_into_a_contract() -> None:
    assert len(bytes.fromhex(artifact("EpochDistributor")["deployedBytecode"][2:])) <= 24_576


def test_no_registry_host_is_in_the_lock() -> None:
    assert "resolved" not in (ABI_FOLDER / "package-lock.json").read_text("utf-8")


def test_every_named_error_is_provoked_by_a_test() -> None:
    text = "".join(path.read_text("utf-8") for path in sorted(TESTS.glob("test_*.py")))
    abi = artifact("EpochDistributor")["abi"]
    # What OpenZeppelin's parts declare and this contract has no way to raise.
    unreachable = {"InvalidShortString", "StringTooLong", "ReentrancyGuardReentrantCall"}
    errors = {item["name"] for item in abi if item["type"] == "error"} - unreachable
    assert {name for name in errors if f'"{name}"' not in text} == set()


def test_every_event_takes_part_in_the_replay() -> None:
    abi = artifact("EpochDistributor")["abi"]
    events = {item["name"] for item in abi if item["type"] == "event"}
    replayed = {name for name in events if hasattr(Replay, f"_on_{name}")}
    # The first two change no state here; the third is declared by ERC-5267 and never emitted.
    assert events - replayed == {"Attested", "Swept", "EIP712DomainChanged"}


def test_every_external_function_says_what_it_does_and_refuses() -> None:
    source = (ABI_FOLDER / "src" / "IEpochDistributor.sol").read_text("utf-8")
    for block in source.split("\n\n"):
        for line in block.splitlines():
            if line.startswith("    function "):
                assert "/// @notice" in block, line
                if "view" not in block.split("function ", 1)[1]:
                    assert "@custom:error" in block, line
