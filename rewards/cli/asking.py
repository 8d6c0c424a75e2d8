"""What commands that talk to a chain share: addresses, amounts, endpoints, keys, progress."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from rewards.cli.console import note
from rewards.errors import Finding, InvalidInput
from rewards.files.folder import read_bytes
from rewards.files.grammar import (
    GrammarError,
    parse_address,
    parse_boolean,
    parse_decimal,
    parse_integer,
)
from rewards.files.publish import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from eth_account.signers.local import LocalAccount

    from rewards.chain.attestation import Attestation
    from rewards.chain.endpoint import Endpoint

WEI_PER_GWEI = 10**9
REPORT_SECONDS = 2.0


class Parsed(click.ParamType[Any]):
    """An option's text, read by the grammar of the files."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Return the value, or end with what is wrong with it."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except GrammarError as error:
            self.fail(f"{value!a} {error.problem}; {error.remedy}", param, ctx)


def _gwei(text: str) -> int:
    """Return wei of a decimal number of gwei."""
    value = parse_decimal(text)
    if value % WEI_PER_GWEI:
        raise GrammarError("has parts of a wei", "write at most 9 places")
    return value // WEI_PER_GWEI


ADDRESS = Parsed("ADDRESS", parse_address)
AMOUNT = Parsed("WCT", parse_decimal)
COINS = Parsed("COINS", parse_decimal)
GWEI = Parsed("GWEI", _gwei)
NUMBER = Parsed("N", parse_integer)
BOOLEAN = Parsed("true|false", parse_boolean)


@contextmanager
def endpoints(urls: Sequence[str]) -> Iterator[list[Endpoint]]:
    """Open JSON-RPC endpoints, and close their connections at the end.

    Raises:
        InvalidInput: An address is no HTTP address.
    """
    from rewards.chain.network import JsonRpc

    with ExitStack() as stack:
        yield [stack.enter_context(closing(JsonRpc(url))) for url in urls]


def unlock_keystore(keystore: Path, env_file: Path | None) -> LocalAccount:
    """Return the account in a keystore; its password is in a file, the environment, or asked for.

    Raises:
        InvalidInput: It does not open, or nobody is there to ask.
    """
    from rewards.chain.accounts import PASSWORD_VARIABLE, password_in, unlock

    password = password_in(env_file) if env_file else None
    if password is None:
        password = os.environ.get(PASSWORD_VARIABLE)
    if password is None and sys.stdin.isatty():
        password = click.prompt(f"Password of {keystore}", hide_input=True, err=True)
    if password is None:
        raise InvalidInput(
            Finding(
                PASSWORD_VARIABLE,
                "is not set, and nobody is there to ask",
                "set it in the environment or in a file named with --env-file",
            )
        )
    return unlock(keystore, str(password))


def read_attestations(files: Sequence[Path]) -> tuple[Attestation, ...]:
    """Return the attestations in files.

    Raises:
        InvalidInput: A file holds none.
    """
    from rewards.chain.attestation import ATTESTATION_LIMIT, Attestation

    return tuple(
        Attestation.from_bytes(read_bytes(file, str(file), ATTESTATION_LIMIT), str(file))
        for file in files
    )


def write_new(file: Path, content: bytes) -> None:
    """Write a file that is signed or sent later; one that is there with other bytes stays.

    Raises:
        InvalidInput: It is there with other bytes, or cannot be written.
    """
    if os.path.lexists(file):
        if file.is_file() and not file.is_symlink() and file.read_bytes() == content:
            return
        raise InvalidInput(
            Finding(str(file), "exists and is never overwritten", "name another file")
        )
    try:
        write_file(file, content)
    except OSError as error:
        raise InvalidInput(
            Finding(str(file), f"cannot be written: {error.strerror}", "name another place")
        ) from error


class Reporter:
    """Counts what is done, and says so on stderr from time to time."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._done: dict[str, int] = {}
        self._last = time.monotonic()

    def __call__(self, what: str, count: int) -> None:
        """Count `count` more of `what`."""
        self._done[what] = self._done.get(what, 0) + count
        if not self._quiet and time.monotonic() - self._last > REPORT_SECONDS:
            self._last = time.monotonic()
            note(f"  {what}: {self._done[what]}")
