"""The input folder of an epoch: what each file holds, how it is read, its canonical copy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rewards import rules
from rewards.errors import Finding, InvalidInput
from rewards.files.csv_tables import (
    PARQUET,
    Column,
    Row,
    Table,
    canonical_csv,
    read_by_column,
    read_table,
    table_csv,
)
from rewards.files.folder import list_files
from rewards.files.grammar import (
    choice_of,
    format_time,
    parse_address,
    parse_boolean,
    parse_decimal,
    parse_hash,
    parse_identifier,
    parse_integer,
    parse_ratio,
    parse_signed,
    parse_text,
)
from rewards.files.policy import UINT256_MAX, default_policy, policy_values, read_policy
from rewards.files.settlement import read_settlement
from rewards.files.toml_documents import Document, canonical_toml
from rewards.rules.integers import format_decimal
from rewards.rules.records import (
    Adjustment,
    EpochHeader,
    Inputs,
    Node,
    NodeScore,
    Pools,
    Status,
    Wallet,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rewards.rules.records import Opening, Problem

PREDECESSOR_DECIDES = {"genesis", "status", "first_epoch"}
"""Columns whose findings mean nothing while the predecessor is not known."""

_parse_status_word = choice_of(*Status)


def _parse_status(text: str) -> Status | None:
    return Status(_parse_status_word(text)) if text else None


NODES = Table(
    "nodes.csv",
    (
        Column("node_id", parse_identifier),
        Column("payout_address", parse_address),
        Column("stake_weight", parse_integer),
        Column("machine_ready", parse_boolean),
        Column("exit_requested", parse_boolean),
        Column("status", _parse_status),
    ),
    key="node_id",
)
NODE_SCORES = Table(
    "node_scores.csv",
    (
        Column("node_id", parse_identifier),
        Column("uptime_seconds", parse_integer),
        Column("response_time_us", parse_integer),
        Column("requests", parse_integer),
    ),
    key="node_id",
)
WALLET_SCORES = Table(
    "wallet_scores.csv",
    (
        Column("wallet_id", parse_identifier),
        Column("payout_address", parse_address),
        Column("connections", parse_integer),
        Column("signatures", parse_integer),
        Column("certified", parse_boolean),
        Column("ux_score", parse_ratio, default="1"),
        Column("stake_weight", parse_integer, default="0"),
    ),
    key="wallet_id",
)
ADJUSTMENTS = Table(
    "adjustments.csv",
    (
        Column("payout_address", parse_address),
        Column("amount", parse_signed),
        Column("reason", parse_text),
        Column("approved_by", parse_text),
    ),
)
TABLES = (NODES, NODE_SCORES, WALLET_SCORES, ADJUSTMENTS)
REQUIRED = ("epoch.toml", "policy.toml", "settlement.toml")
KNOWN = (*REQUIRED, *(table.name for table in TABLES))
PARQUET_OF = {table.name: table.name.removesuffix(".csv") + PARQUET for table in TABLES}
"""The same tables as Parquet, whose columns hold integers, booleans or the very text of a cell."""


@dataclass(frozen=True, slots=True)
class ReadInputs:
    """Inputs as read, with what the grammar found and the line of each record.

    Attributes:
        folder: Where they lie.
        inputs: The records that could be read, in id order; None without a usable header, policy
            or settlement target.
        findings: What the grammar found, file by file.
        lines: Lines per (file, id or address); only there to word findings.
        by_column: Whether a table was read by the reader that words no findings.
        sources: The file that a table was read from, where it is not the CSV file.
    """

    folder: Path
    inputs: Inputs | None
    findings: tuple[Finding, ...]
    lines: Mapping[tuple[str, str], Sequence[int]]
    by_column: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)

    def finding(self, problem: Problem, occurrence: int = 0) -> Finding:
        """Return a rule's problem as a finding that names the line.

        The same problem of the same address occurs once per line in `adjustments.csv`.
        """
        lines = self.lines.get((problem.file, problem.key), (0,))
        return Finding(
            self.sources.get(problem.file, problem.file),
            problem.problem,
            problem.remedy,
            row=lines[min(occurrence, len(lines) - 1)],
            column=problem.column,
            value=problem.value,
        )


def read_inputs(folder: Path, *, by_column: bool | None = None) -> ReadInputs:
    """Read every input file of an epoch as far as it can be read; judge with `check_inputs`.

    Args:
        folder: The epoch's input folder.
        by_column: Whether to hold the wallets by column; by default where there are very many.

    Raises:
        InvalidInput: There is no such folder.
    """
    findings: list[Finding] = []
    present = list_files(folder)
    # Which file a table is read from; a finding names that one.
    sources = {name: PARQUET_OF[name] for name in PARQUET_OF if PARQUET_OF[name] in present}
    for name in sorted(set(sources) & set(present)):
        findings.append(
            Finding(sources.pop(name), f"is there beside {name}", "keep the one that is right")
        )
    present = sorted({*present, *sources} - set(PARQUET_OF.values()))
    for name in sorted(set(present) - set(KNOWN)):
        findings.append(
            Finding(name, "is an unknown file", "the folder holds only " + ", ".join(KNOWN))
        )
    for name in sorted(set(REQUIRED) - set(present)):
        findings.append(Finding(name, "is missing", "every epoch has this file"))

    def document(name: str, read: Callable[[Document], Any]) -> Any:  # noqa: ANN401
        if name not in present:
            return None
        source = Document(folder / name, name, findings)
        value = read(source)
        if source.readable:
            source.refuse_unknown()
        return value

    header = document("epoch.toml", _read_header)
    policy = document("policy.toml", read_policy)
    settlement = document("settlement.toml", read_settlement)
    wallets: Any = None
    if WALLET_SCORES.name in present:
        path = folder / sources.get(WALLET_SCORES.name, WALLET_SCORES.name)
        wallets = read_by_column(path, WALLET_SCORES, Wallet, by_column=by_column)
    rows = {
        table.name: read_table(folder / sources.get(table.name, table.name), table, findings)
        for table in TABLES
        if table.name in present and not (table is WALLET_SCORES and wallets is not None)
    }
    lines: dict[tuple[str, str], list[int]] = {}
    for name, table_rows in rows.items():
        for row in table_rows:
            lines.setdefault((name, row.values[0]), []).append(row.line)
    findings = [replace(f, file=sources.get(f.file, f.file)) for f in findings]
    if policy is None and header is not None:
        # So that the other files are judged too; the policy's own findings stand already.
        policy = default_policy(header.epoch)
    if header is None or policy is None or settlement is None:
        return ReadInputs(folder, None, tuple(findings), lines, wallets is not None, sources)
    inputs = Inputs(
        header,
        policy,
        settlement,
        _records(rows.get(NODES.name), Node),
        _records(rows.get(NODE_SCORES.name), NodeScore),
        _records(rows.get(WALLET_SCORES.name), Wallet) if wallets is None else wallets,
        _records(rows.get(ADJUSTMENTS.name), Adjustment),
    )
    return ReadInputs(folder, inputs, tuple(findings), lines, wallets is not None, sources)


def findings_without_predecessor(read: ReadInputs) -> list[Finding]:
    """Return what is wrong with inputs whose predecessor cannot be read: all but its part."""
    try:
        check_inputs(read, None)
    except InvalidInput as error:
        return [f for f in error.findings if f.column not in PREDECESSOR_DECIDES]
    return []


def check_inputs(read: ReadInputs, opening: Opening | None) -> Inputs:
    """Return the inputs if the grammar and the ruleset have nothing against them.

    Raises:
        InvalidInput: With every finding of every file, those between rows, files and the
            predecessor included. What a left-out broken row alone would cause is not reported.
    """
    findings = list(read.findings)
    if read.inputs is not None:
        ruleset = rules.RULESETS[read.inputs.policy.ruleset]
        node_files = {read.sources.get(table.name, table.name) for table in (NODES, NODE_SCORES)}
        node_files_broken = any(f.file in node_files for f in read.findings)
        occurrences: Counter[Problem] = Counter()
        for problem in ruleset.input_problems(read.inputs, opening):
            if not (problem.by_absence and node_files_broken):
                findings.append(read.finding(problem, occurrences[problem]))
                occurrences[problem] += 1
    if findings and read.by_column:
        # The reader that knows the lines tells the whole of it.
        return check_inputs(read_inputs(read.folder, by_column=False), opening)
    if findings or read.inputs is None:
        raise InvalidInput(findings)
    return read.inputs


def _records(rows: Sequence[Row] | None, record: Callable[..., Any]) -> Any:  # noqa: ANN401
    """Return the records in id order; rows without a unique id in the order of all their cells."""
    if rows is None:
        return None
    return tuple(record(*values) for values in sorted(row.values for row in rows))


def _read_header(source: Document) -> EpochHeader | None:
    epoch = source.integer("epoch", low=1, high=UINT256_MAX)
    genesis = source.take("genesis", bool, required=False) or False
    start, end = source.time("start"), source.time("end")
    pools = [
        source.parse(f"pools.{name}", parse_decimal)
        for name in ("nodes", "wallets_eligible", "wallets_certified")
    ]
    has_window = any(key.startswith("wallets.") for key in source.values)
    wallets_start = source.time("wallets.start", required=has_window)
    wallets_end = source.time("wallets.end", required=has_window)
    supersedes = source.parse("supersedes", parse_hash, required=False)
    reason = source.parse("reason", parse_text, required=False)
    if ("supersedes" in source.values) != ("reason" in source.values):
        absent = "reason" if "supersedes" in source.values else "supersedes"
        source.find(absent, None, "is missing", "supersedes and reason go together")
    if epoch is None or start is None or end is None or None in pools:
        return None
    window = Window(start, end)
    wallet_window = window
    if wallets_start is not None and wallets_end is not None:
        wallet_window = Window(wallets_start, wallets_end)
    return EpochHeader(epoch, genesis, window, Pools(*pools), wallet_window, supersedes, reason)


# --- canonical copies ------------------------------------------------------------------------


def canonical_inputs(inputs: Inputs) -> dict[str, Any]:
    """Return the canonical bytes of every input file: one spelling for one meaning.

    Defaults are written out, so what a policy or a wallet table leaves unsaid is published too.
    """
    files: dict[str, Any] = {
        "epoch.toml": canonical_toml(_header_values(inputs)),
        "policy.toml": canonical_toml(policy_values(inputs.policy)),
        "settlement.toml": canonical_toml(
            {
                "chain_id": inputs.settlement.chain_id,
                "distributor": inputs.settlement.distributor,
                "token": inputs.settlement.token,
                "decimals": inputs.settlement.decimals,
            }
        ),
    }
    if inputs.nodes is not None:
        files[NODES.name] = canonical_csv(
            NODES.header,
            (
                (
                    node.node_id,
                    node.payout_address,
                    str(node.stake_weight),
                    _boolean(node.machine_ready),
                    _boolean(node.exit_requested),
                    node.status or "",
                )
                for node in inputs.nodes
            ),
        )
    if inputs.node_scores is not None:
        files[NODE_SCORES.name] = canonical_csv(
            NODE_SCORES.header,
            (
                (s.node_id, str(s.uptime_seconds), str(s.response_time_us), str(s.requests))
                for s in inputs.node_scores
            ),
        )
    if inputs.wallets is not None:
        files[WALLET_SCORES.name] = table_csv(
            WALLET_SCORES.header, inputs.wallets, {"ux_score": format_decimal}
        )
    if inputs.adjustments is not None:
        files[ADJUSTMENTS.name] = canonical_csv(
            ADJUSTMENTS.header,
            (
                (a.payout_address, str(a.amount), a.reason, a.approved_by)
                for a in inputs.adjustments
            ),
        )
    return files


def _boolean(value: bool) -> str:  # noqa: FBT001
    return "true" if value else "false"


def _header_values(inputs: Inputs) -> dict[str, str | int | bool]:
    header = inputs.header
    values: dict[str, str | int | bool] = {
        "epoch": header.epoch,
        "start": format_time(header.window.start),
        "end": format_time(header.window.end),
        "pools.nodes": format_decimal(header.pools.nodes),
        "pools.wallets_eligible": format_decimal(header.pools.wallets_eligible),
        "pools.wallets_certified": format_decimal(header.pools.wallets_certified),
    }
    if header.genesis:
        values["genesis"] = True
    if header.wallet_window != header.window:
        values["wallets.start"] = format_time(header.wallet_window.start)
        values["wallets.end"] = format_time(header.wallet_window.end)
    if header.supersedes is not None:
        values["supersedes"] = header.supersedes
        values["reason"] = header.reason or ""
    return values
