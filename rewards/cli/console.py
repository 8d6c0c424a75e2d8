"""What every command shares: answers on stdout, notes on stderr, errors as exit codes."""

from __future__ import annotations

import json
import os
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import TYPE_CHECKING, Any

import click

from rewards.errors import (
    ChainError,
    CheckFailed,
    Finding,
    FindingsError,
    InvalidInput,
    Refused,
    RewardsError,
)
from rewards.rules.integers import WCT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

EXIT_DONE, EXIT_FOUND, EXIT_USAGE, EXIT_CHAIN = 0, 1, 2, 3

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout."
)


def answer(document: Any, *, as_json: bool, text: Callable[[], None]) -> None:  # noqa: ANN401
    """Print the result: the document with --json, otherwise what `text` prints."""
    if as_json:
        print_json(document)
    else:
        text()


def print_json(document: Any) -> None:  # noqa: ANN401
    """Print one JSON document on stdout, in ASCII: no locale or terminal can break it."""
    click.echo(json.dumps(document, indent=2))


def note(message: str) -> None:
    """Print a line of progress on stderr."""
    click.echo(message, err=True)


def exit_code(error: RewardsError) -> int:
    """Return the exit code of an expected error."""
    if isinstance(error, InvalidInput):
        return EXIT_USAGE
    if isinstance(error, ChainError):
        return EXIT_CHAIN
    return EXIT_FOUND


def report_error(error: RewardsError, *, as_json: bool) -> int:
    """Print an expected error and return its exit code."""
    findings = error.findings if isinstance(error, FindingsError) else ()
    kind = {
        InvalidInput: "invalid_input",
        CheckFailed: "check_failed",
        Refused: "refused",
        ChainError: "chain",
    }
    if as_json:
        document = {
            "ok": False,
            "error": next((kind[c] for c in type(error).__mro__ if c in kind), "error"),
            "message": str(error),
            "findings": [finding.as_json() for finding in findings],
        }
        print_json(document)
    elif findings:
        show_findings(findings)
    else:
        note(f"error: {error}")
    return exit_code(error)


def report_usage(error: click.ClickException, *, as_json: bool) -> int:
    """Print a wrong use of the command line and return its exit code."""
    if as_json:
        document = {
            "ok": False,
            "error": "usage",
            "message": error.format_message(),
            "findings": [],
        }
        print_json(document)
    else:
        error.show()
    return EXIT_USAGE


def report_system(error: OSError, *, as_json: bool) -> int:
    """Print what the operating system refused where no command foresaw it."""
    problem = f"cannot be read or written: {error.strerror or error}"
    remedy = "check that it is there, its rights, and the room on the disk"
    if error.filename is None:
        discard_stdout()  # it may be the very thing that failed
        note(f"error: {error.strerror or error}; check the working folder, rights and disk")
        return EXIT_USAGE
    return report_error(
        InvalidInput(Finding(str(error.filename), problem, remedy)), as_json=as_json
    )


def discard_stdout() -> None:
    """Let the interpreter flush into nothing at its end, as the real output takes no more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Output(FileIO):
    """Where stdout or stderr goes; what is written once its reader has left is lost."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - whatever has bytes
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def outlive_readers() -> None:
    """Let a command end as it would, with its own exit code, when `| head` has seen enough.

    Otherwise what it found, or sent to a chain, would depend on who reads along. What the
    terminal's encoding lacks costs a character, never the whole answer.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        buffer = getattr(stream, "buffer", None)
        if isinstance(buffer, (BufferedWriter, FileIO)):  # not what a caller collects in memory
            output = TextIOWrapper(
                BufferedWriter(_Output(stream.fileno(), "wb", closefd=False)),
                encoding=stream.encoding,
                errors="backslashreplace",
                line_buffering=stream.line_buffering or stream.write_through,
            )
            setattr(sys, name, output)


def show_findings(findings: Iterable[Finding]) -> None:
    """Print findings on stderr, one a line, with their number at the end."""
    listed = list(findings)
    for finding in listed:
        note(f"error: {finding}")
    if len(listed) > 1:
        note(f"{len(listed)} findings")


def short_wct(amount: int) -> str:
    """Return base units as WCT for a table: four places, cut off; the exact text is elsewhere."""
    whole, fraction = divmod(abs(amount), WCT)
    return f"{'-' if amount < 0 else ''}{whole:,}.{fraction // 10**14:04d}"


def short_address(address: str) -> str:
    """Return the ends of an address in its EIP-55 spelling, for a table; never for a payment."""
    from rewards.merkle.keccak import to_checksum

    spelled = to_checksum(address)
    return f"{spelled[:8]}…{spelled[-6:]}"


def print_table(
    title: str, header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()
) -> None:
    """Print a table on stdout, as wide as the terminal; `right` aligns those columns."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False)
    for i, name in enumerate(header):
        table.add_column(name, justify="right" if i in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(file=sys.stdout, highlight=False, markup=False, emoji=False).print(table)
