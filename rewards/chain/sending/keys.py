"""A private key from the environment, for those who keep it there; a keystore is better.

The key comes from a file named expressly or from the process environment, never from an argument.
No message, traceback or file holds it: causes are cut off, and the text is held no longer than
needed.
"""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING

from rewards.errors import Finding, InvalidInput
from rewards.files.folder import decode, read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eth_account.signers.local import LocalAccount

KEY_VARIABLE = "REWARDS_PRIVATE_KEY"
FILE_LIMIT = 64 * 1024
_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})", re.ASCII)


def account_from_environment(
    env_file: Path | None, environment: Mapping[str, str]
) -> LocalAccount | None:
    """Return the account whose key is set; None where none is.

    Args:
        env_file: A file of `NAME=value` lines; it comes before the environment.
        environment: The process environment.

    Raises:
        InvalidInput: What is set is no private key. The message does not repeat it.
    """
    text = _in_file(env_file) if env_file else None
    if text is None:
        text = environment.get(KEY_VARIABLE)
    if text is None:
        return None
    return _account(text.strip())


def _in_file(env_file: Path) -> str | None:
    from dotenv import dotenv_values  # noqa: PLC0415

    content = decode(read_bytes(env_file, str(env_file), FILE_LIMIT), str(env_file))
    return dotenv_values(stream=StringIO(content), interpolate=False).get(KEY_VARIABLE)


def _account(text: str) -> LocalAccount:
    from eth_account import Account  # noqa: PLC0415 - half a second, only where a key is needed

    match = _KEY.fullmatch(text)
    try:
        account: LocalAccount | None = Account.from_key(bytes.fromhex(match[1])) if match else None
    except Exception:  # noqa: BLE001 - whatever it says may hold the key
        account = None
    if account is None:
        raise InvalidInput(
            Finding(KEY_VARIABLE, "is no private key", "set 64 hexadecimal digits, or a keystore")
        ) from None
    return account
