"""`rewards measure nodes|wallets|stakes`."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.cli.console import answer, json_option, note, print_table
from rewards.errors import CheckFailed
from rewards.files.grammar import counted, parse_address, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rewards.measure.engines import Engine
    from rewards.measure.nodes import NodeMeasurement
    from rewards.measure.wallets import WalletMeasurement

_FILE = click.Path(path_type=Path)
_SHOWN = 40
"""Rows of a table in the terminal; the files hold all."""


@click.group()
def command() -> None:
    """Measure: raw telemetry to the score files that `compute` takes.

    Telemetry is Parquet or CSV: a file, a folder, a glob, or s3:// and gs:// locations. DuckDB
    aggregates it inside this process; --engine spark runs the same on a cluster, and the published
    bytes are the same.
    """


def _window_options(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--out", required=True, type=_FILE, help="The folder to publish."),
        click.option("--end", required=True, help="First second after the window (RFC 3339, UTC)."),
        click.option("--start", required=True, help="First second of the window (RFC 3339, UTC)."),
    ):
        function = option(function)
    return function


def _engine_options(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--scratch", type=_FILE, help="Where DuckDB may put what does not fit."),
        click.option(
            "--memory", default="1GB", show_default=True, help="What DuckDB may use of memory."
        ),
        click.option(
            "--spark-conf",
            "spark_conf",
            multiple=True,
            metavar="KEY=VALUE",
            help="A setting of Spark; may be given several times.",
        ),
        click.option("--master", help="Spark's master, e.g. spark://host:7077 or local[2]."),
        click.option(
            "--engine",
            "engine_name",
            type=click.Choice(["duckdb", "spark"]),
            default="duckdb",
            show_default=True,
            help="What aggregates the telemetry.",
        ),
    ):
        function = option(function)
    return function


@contextmanager
def _engine(options: dict[str, Any]) -> Iterator[tuple[Engine, Callable[[str], None]]]:
    """Open the engine that the options name, and say what it does on stderr with the time."""
    from rewards.measure.engines import open_engine

    began = time.monotonic()

    def progress(message: str) -> None:
        note(f"[{time.monotonic() - began:6.1f} s] {message}")

    settings = dict(_setting(text) for text in options["spark_conf"])
    if options["engine_name"] == "duckdb" and (options["master"] or settings):
        raise click.UsageError("--master and --spark-conf go with --engine spark")
    engine = open_engine(
        options["engine_name"],
        progress,
        memory=options["memory"],
        scratch=options["scratch"],
        master=options["master"],
        settings=settings,
    )
    try:
        yield engine, progress
    finally:
        engine.close()


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.UsageError(f"--spark-conf {text}: write KEY=VALUE")
    return key, value


@command.command()
@click.option("--probes", required=True, help="File, folder, glob or cloud location of probes.")
@click.option("--operators", required=True, type=_FILE, help="id, operator_id, role.")
@click.option("--config", required=True, type=_FILE, help="measurement.toml.")
@click.option("--overrides", type=_FILE, help="Scores that somebody answers for.")
@_window_options
@_engine_options
@json_option
def nodes(
    probes: str,
    operators: Path,
    config: Path,
    overrides: Path | None,
    start: str,
    end: str,
    out: Path,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - whatever type click gives an option
) -> None:
    """Measure the nodes: node_scores.csv, with the evidence beside it.

    A node that was not observed often enough has no score: the folder is published without its row
    and the exit code is 1. Find the missing probes, or answer for a row with --overrides.

    \b
    Example:
      rewards measure nodes --probes probes/ --operators operators.csv --config measurement.toml \\
        --start 2026-06-24T00:00:00Z --end 2026-06-25T00:00:00Z --out measured
    """
    from rewards.files.publish import publish
    from rewards.measure.inputs import window_of
    from rewards.measure.nodes import measure_nodes, read_node_inputs
    from rewards.measure.outputs import insufficient_findings, node_files

    inputs = read_node_inputs(window_of(start, end), operators, config, overrides)
    with _engine(options) as (engine, progress):
        measurement = measure_nodes(inputs, probes, engine, progress)
    fresh = publish(out, node_files(measurement))
    missing = insufficient_findings(measurement.results, inputs.config.min_coverage.text)
    if missing:
        note(f"{'published' if fresh else 'already there'}: {out}, without the nodes named below")
        raise CheckFailed(missing)
    answer(
        _node_summary(measurement, out, fresh=fresh),
        as_json=as_json,
        text=lambda: _show_nodes(measurement, out, fresh=fresh),
    )


def _node_summary(measurement: NodeMeasurement, out: Path, *, fresh: bool) -> dict[str, object]:
    return {
        "ok": True,
        "out": str(out),
        "published": fresh,
        "nodes": str(len(measurement.results)),
        "rows": measurement.rows.as_json(),
        "overrides": [r.node_id for r in measurement.results if r.override],
        "engine": dict(zip(("name", "version"), measurement.engine, strict=True)),
    }


def _show_nodes(measurement: NodeMeasurement, out: Path, *, fresh: bool) -> None:
    rows = [
        (
            result.node_id,
            str(result.up),
            str(result.observed),
            str(score.uptime_seconds),
            str(score.response_time_us // score.requests // 1000) if score.requests else "",
            str(len(result.tally.reports)),
            result.flag,
        )
        for result in measurement.results
        if (score := result.score)
    ]
    slots = measurement.results[0].slots if measurement.results else 0
    print_table(
        f"Nodes in {counted(slots, 'slot')}",
        ("node", "up", "observed", "uptime s", "mean ms", "by", ""),
        rows[:_SHOWN],
        right=(1, 2, 3, 4, 5),
    )
    if len(rows) > _SHOWN:
        click.echo(f"… and {counted(len(rows) - _SHOWN, 'more node')}")
    _show_end(measurement.rows.as_json(), out, fresh=fresh)


def _show_end(counts: Mapping[str, str], out: Path, *, fresh: bool) -> None:
    for name, count in counts.items():
        click.echo(f"{name.replace('_', ' '):15}{int(count):>15,}")
    click.echo(f"{'published as' if fresh else 'already there:'}   {out}")


@command.command()
@click.option("--events", required=True, help="File, folder, glob or cloud location of events.")
@click.option("--wallets", required=True, type=_FILE, help="The wallets of the program.")
@_window_options
@_engine_options
@json_option
def wallets(
    events: str,
    wallets: Path,
    start: str,
    end: str,
    out: Path,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - whatever type click gives an option
) -> None:
    """Count the wallets' successful events: wallet_scores.csv, a row for every wallet.

    Events of a wallet that wallets.csv lacks are not paid: the folder is published, they are named,
    and the exit code is 1.
    """
    from rewards.files.publish import publish
    from rewards.measure.inputs import window_of
    from rewards.measure.outputs import wallet_files
    from rewards.measure.wallets import measure_wallets

    window = window_of(start, end)
    with _engine(options) as (engine, progress):
        measurement = measure_wallets(window, wallets, events, engine, progress)
    fresh = publish(out, wallet_files(measurement))
    if measurement.findings:
        note(f"{'published' if fresh else 'already there'}: {out}, without the wallets named below")
        raise CheckFailed(measurement.findings)
    answer(
        _wallet_summary(measurement, out, fresh=fresh),
        as_json=as_json,
        text=lambda: _show_wallets(measurement, out, fresh=fresh),
    )


def _wallet_summary(measurement: WalletMeasurement, out: Path, *, fresh: bool) -> dict[str, object]:
    return {
        "ok": True,
        "out": str(out),
        "published": fresh,
        "wallets": str(len(measurement.rows)),
        "rows": measurement.counts.as_json(),
        "engine": dict(zip(("name", "version"), measurement.engine, strict=True)),
    }


def _show_wallets(measurement: WalletMeasurement, out: Path, *, fresh: bool) -> None:
    largest = sorted(measurement.rows, key=lambda row: (-row[1].signatures, row[0].wallet_id))
    print_table(
        "Wallets with the most signatures",
        ("wallet", "connections", "signatures"),
        [
            (wallet.wallet_id, f"{did.connections:,}", f"{did.signatures:,}")
            for wallet, did in largest[:10]
        ],
        right=(1, 2),
    )
    _show_end(measurement.counts.as_json(), out, fresh=fresh)


@command.command()
@click.option("--rpc", required=True, help="JSON-RPC endpoint of the chain that holds the stakes.")
@click.option("--contract", help="The StakeWeight contract; by default WalletConnect's own.")
@click.option("--at", required=True, help="The window's end (RFC 3339, UTC); it must be final.")
@click.option("--nodes", "nodes_path", type=_FILE, help="nodes.csv to fill in.")
@click.option("--wallets", "wallets_path", type=_FILE, help="wallets.csv or wallet_scores.csv.")
@click.option("--out", required=True, type=_FILE, help="The folder to publish.")
@json_option
def stakes(
    rpc: str,
    contract: str | None,
    at: str,
    nodes_path: Path | None,
    wallets_path: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Read stake weights from the chain into the stake_weight column of a table.

    The weight is that of staker_address where the table has this column and it is not blank, and
    of payout_address otherwise. All values are read at one finalized block.

    \b
    Example:
      rewards measure stakes --rpc https://mainnet.optimism.io --at 2026-07-01T00:00:00Z \\
        --nodes nodes.csv --out staked
    """
    from rewards.chain.network import JsonRpc
    from rewards.chain.stake_weight import KNOWN_CONTRACTS, read_stake_weights
    from rewards.files.publish import publish
    from rewards.measure.stakes import (
        NODE_TABLES,
        WALLET_TABLES,
        ReadAt,
        read_stake_table,
        shared_stakers,
        stake_files,
    )

    path = nodes_path or wallets_path
    if path is None or (nodes_path and wallets_path):
        raise click.UsageError("name one table: --nodes or --wallets")
    moment = _argument("--at", at, parse_time)
    table = read_stake_table(path, NODE_TABLES if nodes_path else WALLET_TABLES)
    accounts = sorted(set(table.stakers))
    endpoint = JsonRpc(rpc)
    address = _argument("--contract", contract, parse_address) if contract else None
    address = address or KNOWN_CONTRACTS.get(endpoint.chain_id())
    if address is None:
        raise click.UsageError("name the StakeWeight contract of this chain: --contract")
    note(f"reading the stake weights of {counted(len(accounts), 'account')}")
    read = read_stake_weights(endpoint, address, accounts, moment)
    weights = dict(zip(accounts, read.weights, strict=True))
    where = ReadAt(
        read.chain_id, address, read.block.number, read.block.hash, read.block.timestamp, moment
    )
    fresh = publish(out, stake_files(table, weights, where))
    for staker, ids in shared_stakers(table).items():
        note(f"note: the stake of {staker} counts for each of {', '.join(ids)}")
    summary = {
        "ok": True,
        "out": str(out),
        "published": fresh,
        "chain_id": str(read.chain_id),
        "contract": address,
        "block_number": str(read.block.number),
        "block_hash": read.block.hash,
        "accounts": str(len(accounts)),
        "stake_weight": str(sum(weights.values())),
    }
    answer(
        summary,
        as_json=as_json,
        text=lambda: click.echo(
            f"{counted(len(accounts), 'account')} at block {read.block.number}"
            f" ({read.block.hash})\n"
            f"{'published as' if fresh else 'already there:'} {out}"
        ),
    )


def _argument(option: str, text: str, parse: Callable[[str], Any]) -> Any:  # noqa: ANN401
    from rewards.errors import Finding, InvalidInput
    from rewards.files.grammar import GrammarError

    try:
        return parse(text)
    except GrammarError as error:
        raise InvalidInput(Finding(option, error.problem, error.remedy, value=text)) from error
