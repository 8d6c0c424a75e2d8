"""What Safe published: the versions known here, and the contracts that a Safe may DELEGATECALL.

A DELEGATECALL runs foreign code as the Safe itself; exchanging a CALL for one is how a signed
transaction took 1.5 billion dollars from a Safe in February 2025. The only code it is allowed for
is MultiSendCallOnly, which makes plain calls one after the other. Its addresses are pinned from
Safe's own list of deployments, by chain and version; `tests/safe/pin_deployments.py` renews them.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from rewards.errors import Finding, InvalidInput

PINS_FILE = "multi_send_call_only.json"
VERSIONS = ("1.3.0", "1.4.1", "1.5.0")
"""Versions of Safe whose hashes were held against their bytecode (`tests/safe/`)."""
DEFAULT_VERSION = "1.4.1"


@cache
def _pins() -> Any:  # noqa: ANN401
    return json.loads((files(__package__) / PINS_FILE).read_text(encoding="utf-8"))


def multi_send_addresses(chain_id: int, version: str) -> tuple[str, ...]:
    """Return the addresses of MultiSendCallOnly of a version on a chain, Safe's default first."""
    variants = _pins()["chains"][version].get(str(chain_id), "").split()
    return tuple(_pins()["deployments"][version][variant]["address"] for variant in variants)


def multi_send_version(chain_id: int, address: str) -> str | None:
    """Return the version of the MultiSendCallOnly at an address; None where Safe lists none."""
    for version in VERSIONS:
        if address in multi_send_addresses(chain_id, version):
            return version
    return None


def multi_send_for(chain_id: int, version: str) -> str:
    """Return the MultiSendCallOnly to use.

    Raises:
        InvalidInput: Safe lists none for this chain and version.
    """
    addresses = multi_send_addresses(chain_id, version)
    if not addresses:
        problem = f"has no MultiSendCallOnly {version} in Safe's list of deployments"
        remedy = "choose another --safe-version, or make one call a plan"
        raise InvalidInput(Finding(f"chain {chain_id}", problem, remedy))
    return addresses[0]
