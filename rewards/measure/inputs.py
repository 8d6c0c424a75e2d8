"""The small files of a measurement: who operates what, how it is measured, who overrides what."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rewards.errors import Finding, InvalidInput
from rewards.files.csv_tables import Column, Table, read_table
from rewards.files.folder import open_regular
from rewards.files.grammar import (
    GrammarError,
    choice_of,
    format_time,
    parse_address,
    parse_boolean,
    parse_decimal,
    parse_fraction,
    parse_identifier,
    parse_integer,
    parse_text,
    parse_time,
)
from rewards.files.inputs import WALLET_SCORES
from rewards.files.toml_documents import Document
from rewards.measure.records import (
    NODE,
    ORACLE,
    ROLE_OF_MODE,
    Config,
    Machine,
    MeasuredWindow,
    Override,
    Ratio,
)
from rewards.measure.sources import CHUNK, TelemetryFile
from rewards.rules.integers import WAD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

OPERATORS = Table(
    "operators.csv",
    (
        Column("id", parse_identifier),
        Column("operator_id", parse_identifier),
        Column("role", choice_of(NODE, ORACLE)),
    ),
    key="id",
)
OVERRIDES = Table(
    "overrides.csv",
    (
        Column("node_id", parse_identifier),
        Column("uptime_seconds", parse_integer),
        Column("response_time_us", parse_integer),
        Column("requests", parse_integer),
        Column("reason", parse_text),
        Column("approved_by", parse_text),
    ),
    key="node_id",
)
SLOT_SECONDS = 60
REPEATS = ("merged", "trusted_unique")
LATEST = 253_402_300_799
"""The last second of the year 9999: what a time can be written as."""


def parse_staker(text: str) -> str:
    """Return a staker's address; blank where the payout address stakes."""
    return parse_address(text) if text else ""


_OF_SCORES = {column.name: column for column in WALLET_SCORES.columns}
WALLETS = Table(
    "wallets.csv",
    (
        _OF_SCORES["wallet_id"],
        _OF_SCORES["payout_address"],
        Column("certified", parse_boolean),
        _OF_SCORES["ux_score"],
        _OF_SCORES["stake_weight"],
        Column("staker_address", parse_staker, default=""),
    ),
    key="wallet_id",
)


@dataclass(frozen=True, slots=True)
class WalletEntry:
    """A row of `wallets.csv`; `staker_address` matters to `measure stakes` alone."""

    wallet_id: str
    payout_address: str
    certified: bool
    ux_score: int
    stake_weight: int
    staker_address: str


def window_of(start: str, end: str) -> MeasuredWindow:
    """Return the window of two RFC 3339 times.

    Raises:
        InvalidInput: One is no time, or the window is empty.
    """
    findings, times = [], []
    for option, text in (("--start", start), ("--end", end)):
        try:
            times.append(parse_time(text))
        except GrammarError as error:
            findings.append(Finding(option, error.problem, error.remedy, value=text))
    if not findings and times[0] >= times[1]:
        findings.append(
            Finding("--end", "is not after --start", "the window [start, end) is empty", value=end)
        )
    if findings:
        raise InvalidInput(findings)
    return MeasuredWindow(*times)


def read_operators(path: Path, findings: list[Finding]) -> list[Machine]:
    """Return the machines in id order."""
    rows = read_table(path, OPERATORS, findings)
    return sorted((Machine(*row.values) for row in rows), key=lambda machine: machine.id)


def read_config(path: Path, window: MeasuredWindow, findings: list[Finding]) -> Config | None:
    """Return `measurement.toml`; None when it is wrong."""
    before = len(findings)
    source = Document(path, path.name, findings)
    mode = source.parse("mode", choice_of(*ROLE_OF_MODE))
    slot_seconds = SLOT_SECONDS
    if "slot_seconds" in source.values:
        slot_seconds = source.integer("slot_seconds", low=1, high=LATEST) or 0
        if slot_seconds and window.seconds % slot_seconds:
            source.find(
                "slot_seconds",
                slot_seconds,
                f"does not divide the window of {window.seconds} seconds",
                "choose a divisor, or another window",
            )
    else:
        source.find("slot_seconds", None, "is missing", "add it; 60 is usual")
    quorum = source.parse("quorum", _parse_ratio)
    min_coverage = source.parse("min_coverage", _parse_ratio)
    repeats = source.parse("repeats", choice_of(*REPEATS), required=False)
    if source.readable:
        source.known.add("slot_seconds")
        source.refuse_unknown()
    if len(findings) > before:
        return None
    return Config(mode, slot_seconds, quorum, min_coverage, repeats == "trusted_unique")


def _parse_ratio(text: str) -> Ratio:
    """Return an exact ratio above 0 and at most 1, written `2/3` or `0.9`."""
    if "/" in text:
        numerator, denominator = parse_fraction(text)
    else:
        numerator, denominator = parse_decimal(text), WAD
    if not 0 < numerator <= denominator:
        raise GrammarError("is not above 0 and at most 1", 'write e.g. "2/3" or "0.9"')
    return Ratio(numerator, denominator, text)


def read_overrides(
    path: Path | None, machines: Sequence[Machine], window: MeasuredWindow, findings: list[Finding]
) -> dict[str, Override]:
    """Return the overrides by node id, each a row that `compute` would accept."""
    if path is None:
        return {}
    nodes = {machine.id for machine in machines if machine.role == NODE}
    overrides = {}
    for row in read_table(path, OVERRIDES, findings):
        override = Override(*row.values)
        find = partial(Finding, OVERRIDES.name, row=row.line)
        if override.node_id not in nodes:
            findings.append(
                find(
                    "is no node of operators.csv",
                    "override only nodes that are measured",
                    column="node_id",
                    value=override.node_id,
                )
            )
        if override.uptime_seconds > window.seconds:
            findings.append(
                find(
                    f"is more than the window's {window.seconds} seconds",
                    "give at most the whole window",
                    column="uptime_seconds",
                    value=str(override.uptime_seconds),
                )
            )
        if override.requests == 0 < override.response_time_us:
            findings.append(
                find(
                    "is above 0 without a request",
                    "give the requests too, or 0",
                    column="response_time_us",
                    value=str(override.response_time_us),
                )
            )
        overrides[override.node_id] = override
    return overrides


def read_wallets(path: Path, findings: list[Finding]) -> list[WalletEntry]:
    """Return the wallets in id order."""
    rows = read_table(path, WALLETS, findings)
    return sorted((WalletEntry(*row.values) for row in rows), key=lambda wallet: wallet.wallet_id)


def hash_small(path: Path, name: str) -> TelemetryFile:
    """Return the SHA-256 of one of the small files."""
    digest, size = hashlib.sha256(), 0
    with open_regular(path, path.name) as handle:
        while chunk := handle.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return TelemetryFile(name, digest.hexdigest(), size)


def window_json(window: MeasuredWindow) -> dict[str, str]:
    """Return the window as the manifest holds it."""
    return {"start": format_time(window.start), "end": format_time(window.end)}
