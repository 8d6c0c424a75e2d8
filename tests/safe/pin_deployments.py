"""Write the pinned MultiSendCallOnly addresses anew from Safe's npm package.

    npm pack @safe-global/safe-deployments@VERSION && tar xzf safe-global-safe-deployments-*.tgz
    python -m tests.safe.pin_deployments package

Read the difference before it is committed: an address in this file may be DELEGATECALLed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rewards.chain.safe.deployments import PINS_FILE, VERSIONS
from rewards.files.documents import canonical_json


def pins(package: Path) -> dict[str, Any]:
    """Return what an unpacked @safe-global/safe-deployments says of MultiSendCallOnly."""
    name = json.loads((package / "package.json").read_text(encoding="utf-8"))
    document: dict[str, Any] = {
        "source": f"npm {name['name']} {name['version']}, MIT, assets/v*/multi_send_call_only.json",
        "deployments": {},
        "chains": {},
    }
    for version in VERSIONS:
        path = package / "src" / "assets" / f"v{version}" / "multi_send_call_only.json"
        asset = json.loads(path.read_text(encoding="utf-8"))
        assert asset["released"]
        assert asset["contractName"] == "MultiSendCallOnly"
        assert asset["version"] == version
        document["deployments"][version] = {
            variant: {"address": entry["address"].lower(), "code_hash": entry["codeHash"]}
            for variant, entry in asset["deployments"].items()
        }
        document["chains"][version] = {
            chain: variants if isinstance(variants, str) else " ".join(variants)
            for chain, variants in asset["networkAddresses"].items()
        }
    return document


if __name__ == "__main__":
    target = Path(__file__).parents[2] / "rewards" / "chain" / "safe" / PINS_FILE
    target.write_bytes(canonical_json(pins(Path(sys.argv[1]))))
    print(target)
