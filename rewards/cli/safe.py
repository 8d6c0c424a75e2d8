"""`rewards safe`."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.chain.plan import Plan, call_document
from rewards.chain.plan_file import PLAN_LIMIT, read_plan
from rewards.chain.safe.check import Verdict, check_file
from rewards.chain.safe.deployments import DEFAULT_VERSION, VERSIONS
from rewards.chain.safe.export import batch_file, safe_tx_file, safe_tx_of
from rewards.chain.safe.hashes import hashes_of
from rewards.chain.safe.words import describe
from rewards.cli.console import EXIT_FOUND, answer, json_option, note, show_findings
from rewards.errors import Finding, InvalidInput
from rewards.files.folder import read_bytes
from rewards.files.grammar import GrammarError, parse_address, parse_integer
from rewards.files.publish import write_file
from rewards.merkle.keccak import to_checksum

if TYPE_CHECKING:
    from collections.abc import Callable

    from rewards.chain.safe.hashes import Hashes

FILE_LIMIT = PLAN_LIMIT
"""Bytes of the largest file that is read: a plan's calls, as hexadecimal digits."""


def _read_option(parse: Callable[[str], Any]) -> Callable[..., Any]:
    """Return an option's callback that reads its text, and says what is wrong with it."""

    def callback(_: click.Context, param: click.Parameter, value: str | None) -> Any:  # noqa: ANN401
        try:
            return None if value is None else parse(value)
        except GrammarError as error:
            raise click.BadParameter(
                f"{value!a} {error.problem}; {error.remedy}", param=param
            ) from None

    return callback


nonce_option = click.option(
    "--nonce",
    metavar="NUMBER",
    callback=_read_option(parse_integer),
    help="The Safe's nonce for it.",
)


def _safe_option(*, required: bool) -> Callable[[Any], Any]:
    return click.option(
        "--safe",
        metavar="ADDRESS",
        required=required,
        callback=_read_option(parse_address),
        help="The Safe that is to sign.",
    )


@click.group()
def command() -> None:
    """Hand a plan to a Safe, and check what a Safe is about to sign.

    Both work offline. `verify` reads a Transaction Builder batch, the file that `export` writes, a
    transaction from the Safe Transaction Service or the Safe Client Gateway, the JSON view of
    Safe{Wallet}, and EIP-712 typed data.
    """


@command.command()
@click.argument("plan_path", metavar="PLAN", type=click.Path(path_type=Path))
@_safe_option(required=True)
@nonce_option
@click.option(
    "--safe-version",
    type=click.Choice(VERSIONS),
    default=DEFAULT_VERSION,
    show_default=True,
    help="The Safe's version; it decides which MultiSendCallOnly is called.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to write.")
@json_option
def export(
    plan_path: Path, safe: str, nonce: int | None, safe_version: str, out: Path, as_json: bool
) -> None:
    """Write PLAN as a Transaction Builder batch or, with --nonce, as a SafeTx with its hashes.

    The same plan and options always give the same bytes. A file that is there is not overwritten,
    unless its bytes are equal.

    \b
    Examples:
      rewards safe export plan.json --safe 0x… --out batch.json
      rewards safe export plan.json --safe 0x… --nonce 17 --safe-version 1.4.1 --out safe-tx.json
    """
    plan = read_plan(plan_path)
    if nonce is None:
        content, hashes = batch_file(plan, safe), None
    else:
        content = safe_tx_file(plan, safe, safe_version, nonce)
        tx = safe_tx_of(plan, safe, safe_version, nonce)
        hashes = hashes_of(plan.chain_id, safe, tx)
    _write_once(out, content)
    document = {
        "ok": True,
        "out": str(out),
        "form": "batch" if nonce is None else "safe-tx",
        "plan_digest": plan.digest,
        "chain_id": str(plan.chain_id),
        "safe": safe,
        "hashes": hashes and asdict(hashes),
    }
    answer(document, as_json=as_json, text=lambda: _show_export(plan, plan_path, safe, out, hashes))


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--plan",
    "plan_path",
    type=click.Path(path_type=Path),
    required=True,
    help="The plan that is to be signed.",
)
@_safe_option(required=False)
@nonce_option
@json_option
def verify(file: Path, plan_path: Path, safe: str | None, nonce: int | None, as_json: bool) -> None:
    """Check that FILE, which a Safe is to sign, is PLAN and nothing else.

    Prints what is signed in words, and the domain hash, message hash and safeTxHash to compare
    with the hardware wallet. Exit code 1 and each difference by name if anything differs.

    \b
    Examples:
      rewards safe verify batch.json --plan plan.json --safe 0x…
      rewards safe verify pending.json --plan plan.json --safe 0x… --nonce 17 --json
    """
    plan = read_plan(plan_path)
    content = read_bytes(file, str(file), FILE_LIMIT)
    verdict = check_file(content, str(file), plan, safe, nonce)
    good = not verdict.findings
    answer(
        _verdict_document(plan, verdict),
        as_json=as_json,
        text=lambda: _show_verdict(plan, verdict),
    )
    if not as_json:
        show_findings(verdict.findings)
    sys.exit(0 if good else EXIT_FOUND)


def _write_once(out: Path, content: bytes) -> None:
    if os.path.lexists(out):
        if read_bytes(out, str(out), FILE_LIMIT) == content:
            return
        remedy = "name another file, or remove it yourself"
        raise InvalidInput(Finding(str(out), "exists with other content", remedy))
    try:
        write_file(out, content)
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}"
        raise InvalidInput(Finding(str(out), problem, "check the folder's rights")) from error


def _show_export(plan: Plan, path: Path, safe: str, out: Path, hashes: Hashes | None) -> None:
    click.echo(f"Safe {to_checksum(safe)}")
    _echo_words(plan)
    click.echo(f"plan digest   {plan.digest}")
    if hashes is not None:
        _show_hashes(hashes)
    click.echo(f"written as    {out}")
    click.echo(f"next: rewards safe verify {out} --plan {path} --safe {to_checksum(safe)}")


def _echo_words(plan: Plan) -> None:
    for line in describe(plan):
        click.echo(f"  {line}")


def _show_hashes(hashes: Hashes) -> None:
    click.echo(f"domain hash   {hashes.domain_hash}")
    click.echo(f"message hash  {hashes.message_hash}")
    click.echo(f"safeTxHash    {hashes.safe_tx_hash}")


def _verdict_document(plan: Plan, verdict: Verdict) -> dict[str, Any]:
    statement = verdict.statement
    return {
        "ok": not verdict.findings,
        "form": statement.form if statement else None,
        "plan_digest": plan.digest,
        "chain_id": str(plan.chain_id),
        "safe": verdict.safe,
        "nonce": None if verdict.nonce is None else str(verdict.nonce),
        "domain_hash": verdict.domain_hash,
        "hashes": verdict.hashes
        and {version: asdict(hashes) for version, hashes in verdict.hashes.items()},
        "calls": [call_document(call) for call in plan.calls] if not verdict.findings else None,
        "words": describe(plan) if not verdict.findings else None,
        "notes": list(verdict.notes),
        "findings": [finding.as_json() for finding in verdict.findings],
    }


def _show_verdict(plan: Plan, verdict: Verdict) -> None:
    if verdict.findings:
        click.echo("NOT the plan: do not sign it")
        return
    safe = to_checksum(verdict.safe) if verdict.safe else "(any)"
    nonce = "" if verdict.nonce is None else f", nonce {verdict.nonce}"
    click.echo(f"The file is the plan {plan.digest}")
    click.echo(f"Signed by the Safe {safe}{nonce}:")
    _echo_words(plan)
    _show_all_hashes(verdict)
    for line in verdict.notes:
        note(f"note: {line}")


def _show_all_hashes(verdict: Verdict) -> None:
    """Print the hashes once for all versions that share them."""
    if not verdict.hashes:
        if verdict.domain_hash:
            click.echo(f"domain hash   {verdict.domain_hash}")
        return
    for hashes in dict.fromkeys(verdict.hashes.values()):
        versions = [name for name, other in verdict.hashes.items() if other == hashes]
        click.echo(f"Safe {', '.join(versions)}")
        _show_hashes(hashes)
