"""A scenario: the policy or the pools of past epochs, changed in thought."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rewards.errors import Finding, InvalidInput
from rewards.files.grammar import GrammarError, parse_decimal
from rewards.files.policy import policy_values, read_policy
from rewards.files.toml_documents import Document
from rewards.rules import RULESETS
from rewards.rules.integers import UINT256_LIMIT, WAD

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rewards.rules.records import Inputs, Policy

AS_PUBLISHED = "as published"
POOLS = ("nodes", "wallets_eligible", "wallets_certified")
POOL_KEYS = tuple(f"pools.{pool}" for pool in POOLS)
ABSENT = "none"
"""The value that takes an optional parameter, such as a cap, away."""


@dataclass(frozen=True)
class Scenario:
    """What is changed; everything else is as it was published.

    Attributes:
        name: What it is called in tables.
        policy: A whole policy in place of each epoch's own; None: the epoch's own.
        settings: Parameters and pools changed on top of it, as text by key.
        sweep: (key, value) where the scenario is one value of a sweep.
    """

    name: str
    policy: Policy | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    sweep: tuple[str, str] | None = None

    def apply(self, inputs: Inputs) -> Inputs:
        """Return the inputs of an epoch with the changes made.

        Raises:
            InvalidInput: The changed policy or pool is not acceptable.
        """
        policy = self.policy or inputs.policy
        changes = {key: text for key, text in self.settings.items() if key not in POOL_KEYS}
        if changes:
            policy = policy_with(policy, changes)
        pools = {
            pool: changed_pool(getattr(inputs.header.pools, pool), self.settings[f"pools.{pool}"])
            for pool in POOLS
            if f"pools.{pool}" in self.settings
            and (inputs.nodes if pool == "nodes" else inputs.wallets) is not None
        }
        header = replace(inputs.header, pools=replace(inputs.header.pools, **pools))
        # A changed policy says that it is new, so that the rules do not take it for a mistake.
        changed = policy is not inputs.policy
        return replace(
            inputs,
            header=header,
            policy=replace(policy, first_epoch=header.epoch) if changed else policy,
        )


class _Values(Document):
    """Values taken apart as if they stood in a file."""

    def __init__(self, values: Mapping[str, Any], name: str) -> None:  # no file is read
        self.name = name
        self.findings = []
        self.values = dict(values)
        self.known = set()
        self.readable = True


def policy_with(policy: Policy, changes: Mapping[str, str]) -> Policy:
    """Return a policy with parameters changed, read as strictly as a policy.toml.

    Raises:
        InvalidInput: An unknown parameter, a wrong type, a value out of bounds.
    """
    ruleset = changes.get("ruleset", policy.ruleset)
    kinds = {p.key: p.kind for p in RULESETS[ruleset].PARAMETERS} if ruleset in RULESETS else {}
    values: dict[str, Any] = dict(policy_values(policy))
    for key, text in changes.items():
        if text == ABSENT:
            values.pop(key, None)
        else:
            values[key] = _typed(text, kinds.get(key, "choice"))
    document = _Values(values, "--set")
    changed = read_policy(document)
    document.known.update(key for key, text in changes.items() if text == ABSENT and key in kinds)
    for key in sorted(set(changes) - document.known):
        document.find(key, key, "is no parameter", "known: " + ", ".join((*kinds, *POOL_KEYS)))
    if document.findings or changed is None:
        raise InvalidInput(document.findings)
    return changed


def _typed(text: str, kind: str) -> str | int | bool:
    """Return a setting's text as the TOML type of its parameter, where it looks like one."""
    if kind == "integer" and text.isascii() and text.isdigit():
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def changed_pool(pool: int, text: str) -> int:
    """Return a pool set to an amount (`6000`, WCT) or multiplied (`1.1x`), rounded down.

    Raises:
        InvalidInput: It is neither.
    """
    try:
        if text.endswith("x"):
            changed = pool * parse_decimal(text.removesuffix("x")) // WAD
        else:
            changed = parse_decimal(text)
    except GrammarError as error:
        raise _no_pool(text, error.problem) from error
    if changed >= UINT256_LIMIT:
        raise _no_pool(text, "is not below 2^256 base units")
    return changed


def _no_pool(text: str, problem: str) -> InvalidInput:
    remedy = "give a pool in WCT, e.g. 6000, or a factor, e.g. 1.1x"
    return InvalidInput(Finding("--set", problem, remedy, column="pools", value=text))


def read_policy_file(path: Path) -> Policy:
    """Return the policy in a policy.toml.

    Raises:
        InvalidInput: With everything wrong in it.
    """
    findings: list[Finding] = []
    document = Document(path, str(path), findings)
    policy = read_policy(document) if document.readable else None
    if document.readable:
        document.refuse_unknown()
    if findings or policy is None:
        raise InvalidInput(findings)
    return policy


def scenarios_of(
    policies: tuple[Path, ...], settings: tuple[str, ...], sweeps: tuple[str, ...]
) -> list[Scenario]:
    """Return the scenarios that a command line asks for.

    Each policy file is one, all settings together are one, each value of a sweep is one (with the
    settings made as well).

    Raises:
        InvalidInput: A setting is not `key=value`, or a policy file is wrong.
    """
    scenarios = [Scenario(str(path), read_policy_file(path)) for path in policies]
    changes = dict(_key_and_value(text, "--set") for text in settings)
    if changes:
        scenarios.append(Scenario(_named(changes), settings=changes))
    for text in sweeps:
        key, values = _key_and_value(text, "--sweep")
        for value in values.split(","):
            setting = {**changes, key: value}
            scenarios.append(Scenario(_named(setting), settings=setting, sweep=(key, value)))
    return scenarios


def _named(changes: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in changes.items())


def _key_and_value(text: str, option: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise InvalidInput(
            Finding(option, "is not KEY=VALUE", "write e.g. nodes.alpha=0.6", value=text)
        )
    return key, value
