"""Keys: an encrypted keystore file and its password, and nothing that would show either.

A password comes from the environment, from a file named for it, or from a prompt: the command line
asks for it and hands it over once. It is in no argument, message, log or file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rewards.errors import Finding, InvalidInput
from rewards.files.folder import decode, read_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from eth_account.signers.local import LocalAccount

PASSWORD_VARIABLE = "REWARDS_KEYSTORE_PASSWORD"  # noqa: S105 - a name, not a password
FILE_LIMIT = 64 * 1024


def unlock(keystore: Path, password: str) -> LocalAccount:
    """Return the account in an encrypted keystore file (Web3 Secret Storage, version 3).

    Raises:
        InvalidInput: It is no keystore, or the password is wrong.
    """
    from eth_account import Account  # noqa: PLC0415 - half a second, only where a key is needed

    name = str(keystore)
    content = decode(read_bytes(keystore, name, FILE_LIMIT), name)
    # Causes are cut off below: what they hold of the file or the key is nobody's business.
    try:
        document = json.loads(content)
        readable = isinstance(document, dict) and "crypto" in {key.lower() for key in document}
    except (ValueError, RecursionError):
        readable = False
    if not readable:
        raise InvalidInput(
            Finding(name, "is no keystore", "name an encrypted keystore file (version 3 JSON)")
        )
    try:
        account: LocalAccount = Account.from_key(Account.decrypt(document, password))
    except ValueError as error:
        wrong = "MAC mismatch" in str(error)
    except (KeyError, TypeError, NotImplementedError, OverflowError, MemoryError):
        wrong = False  # a field is missing or of no use, or a cipher that eth-keyfile does not know
    else:
        return account
    if wrong:
        raise InvalidInput(
            Finding(name, "does not open with this password", f"check {PASSWORD_VARIABLE}")
        )
    raise InvalidInput(
        Finding(name, "is no keystore that can be read", "make it anew with your wallet")
    )


def developer_account(key: bytes) -> LocalAccount:
    """Return the account of one of the embedded chain's keys, which are public."""
    from eth_account import Account  # noqa: PLC0415

    account: LocalAccount = Account.from_key(key)
    return account


def password_in(env_file: Path) -> str | None:
    """Return the password that an env file sets; the environment is left as it is.

    Raises:
        InvalidInput: There is no such file.
    """
    from io import StringIO  # noqa: PLC0415

    from dotenv import dotenv_values  # noqa: PLC0415

    name = str(env_file)
    content = decode(read_bytes(env_file, name, FILE_LIMIT), name)
    # Taken as it stands: a `$` in a password is no reference to another variable.
    return dotenv_values(stream=StringIO(content), interpolate=False).get(PASSWORD_VARIABLE)
