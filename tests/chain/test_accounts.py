"""The keystore opens with its password alone, and no failure shows the key or the password."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING

import pytest
from eth_account import Account

from rewards.chain.accounts import PASSWORD_VARIABLE, password_in, unlock
from rewards.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes.fromhex("c0ffee" + "5a" * 29)
PASSWORD = "correct $HOME horse"


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(Account.encrypt(KEY, PASSWORD, kdf="pbkdf2", iterations=1000)))
    return path


def test_unlock__right_password__gives_the_account(keystore: Path) -> None:
    assert unlock(keystore, PASSWORD).address == Account.from_key(KEY).address


def test_unlock__wrong_password__shows_neither(keystore: Path) -> None:
    guess = "a wrong " + "guess"
    with pytest.raises(InvalidInput, match="does not open with this password") as error:
        unlock(keystore, guess)
    shown = "".join(traceback.format_exception(error.value))
    assert guess not in shown
    assert KEY.hex() not in shown


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param(KEY.hex(), id="a-bare-key"),
        pytest.param("[]", id="a-list"),
        pytest.param('{"crypto": 1}', id="no-crypto"),
        pytest.param('{"crypto": {}, "version": 3}', id="nothing-in-it"),
        pytest.param('{"version": 3, "crypto": {"kdf": "rot13"}}', id="unknown-kdf"),
        pytest.param("[" * 50_000, id="nested"),
    ],
)
def test_unlock__no_keystore__shows_nothing_of_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(InvalidInput, match="is no keystore") as error:
        unlock(path, PASSWORD)
    shown = "".join(traceback.format_exception(error.value))
    assert KEY.hex() not in shown
    assert PASSWORD not in shown


def test_unlock__missing_file_or_link__is_wrong_input(keystore: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        unlock(tmp_path / "absent.json", PASSWORD)
    link = tmp_path / "link.json"
    link.symlink_to(keystore)
    with pytest.raises(InvalidInput, match="symbolic link"):
        unlock(link, PASSWORD)


def test_password_in__takes_the_text_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    path = tmp_path / "secrets.env"
    path.write_text(f"OTHER=1\n{PASSWORD_VARIABLE}='{PASSWORD}'\n")
    assert password_in(path) == PASSWORD
    path.write_text("OTHER=1\n")
    assert password_in(path) is None
