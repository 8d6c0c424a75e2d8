"""The compiled contracts: ABI, bytecode, and the complete compiler input to verify them with."""

import json
from importlib.resources import files
from typing import Any


def load(name: str) -> dict[str, Any]:
    """Return the artifact of a contract, or "standard-input", the compiler input of both.

    An artifact holds `abi`, `bytecode` (creation), `deployedBytecode`, `immutableReferences` (which
    bytes of the deployed code differ by deployment), `compiler`, `settings`, `contractName` and
    `sourceName`. It is read anew each time, so a caller may change what it got.

    Args:
        name: "EpochDistributor", "TestToken" or "standard-input".

    Raises:
        FileNotFoundError: If there is no such file here.
    """
    artifact: dict[str, Any] = json.loads(
        (files(__name__) / f"{name}.json").read_text(encoding="utf-8")
    )
    return artifact
