"""The journal: what was decided, signed and seen, durably, before anything leaves the machine.

One SQLite file (WAL, `synchronous=FULL`: a row is on disk when `append` returns). Rows are only
ever added, and each holds the hash of the one before it, so an altered or missing row is noticed
when the file is opened. One process writes at a time; readers never wait.

A step is one transaction to be made. Its key is (chain, contract, epoch, attempt, action, part). A
key has rounds: the next one begins only when nothing signed in the last can land any more, and the
database itself refuses a second plan or a second original signature in a round. Where the file
lies, how it is backed up, and how it is made anew on another machine, tells the README, "The
journal".
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rewards.chain.steps import FOLLOWERS, Key, Seen, State, Step, folded, require_one_nonce
from rewards.errors import ChainError, CheckFailed, Finding, InvalidInput, InvariantBroken
from rewards.files.publish import flush_folder
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JOURNAL = "journal.sqlite3"
JOURNAL_VERSION = 1
BEGINNING = "0x" + "00" * 32

_SCHEMA = """
CREATE TABLE entries (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    chain_id TEXT NOT NULL,
    contract TEXT NOT NULL,
    epoch TEXT NOT NULL,
    attempt TEXT NOT NULL,
    action TEXT NOT NULL,
    part TEXT NOT NULL,
    round TEXT NOT NULL,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE UNIQUE INDEX one_plan ON entries
    (chain_id, contract, epoch, attempt, action, part, round) WHERE kind = 'planned';
CREATE UNIQUE INDEX one_signature ON entries
    (chain_id, contract, epoch, attempt, action, part, round)
    WHERE kind = 'signed' AND json_extract(body, '$.kind') = 'original';
CREATE TRIGGER no_change BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER no_removal BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
"""


class JournalBusy(ChainError):  # noqa: N818 - reads as what it says
    """Another process is settling with this journal."""


class Journal:
    """The journal in a folder."""

    def __init__(self, path: Path, connection: sqlite3.Connection, *, writable: bool) -> None:
        """Read and check every row; use `open_journal` or `read_journal`.

        Raises:
            CheckFailed: A row is altered or missing.
        """
        self.path = path
        self._connection = connection
        self._writable = writable
        self._steps: dict[Key, Step] = {}
        self._seen: dict[int, Seen] = {}
        self._number, self._hash = 0, BEGINNING
        self._load()

    # --- reading -------------------------------------------------------------------------------

    def step(self, key: Key) -> Step:
        """Return a step; one without a state when the journal does not know it."""
        return self._steps.get(key, Step(key))

    def steps(self) -> list[Step]:
        """Return every step, in the order in which they began."""
        return list(self._steps.values())

    def live_steps(self, chain_id: int, sender: str) -> list[Step]:
        """Return the steps of an account of which signed bytes may still land."""
        return [
            step
            for step in self._steps.values()
            if step.live and step.key.chain_id == chain_id and step.variants[-1].sender == sender
        ]

    def seen(self, chain_id: int) -> Seen | None:
        """Return the highest finalized block that a decision rested on."""
        return self._seen.get(chain_id)

    def rows(self, key: Key) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield kind and content of a step's rows."""
        columns = ("chain_id", "contract", "epoch", "attempt", "action", "part")
        where = " AND ".join(f"{name} = ?" for name in columns)
        # The names are the constants above; nothing foreign enters the statement.
        query = f"SELECT kind, body FROM entries WHERE {where} ORDER BY number"  # noqa: S608
        for kind, body in self._connection.execute(query, _key_columns(key)):
            yield kind, json.loads(body)

    # --- writing -------------------------------------------------------------------------------

    def advance(self, key: Key, state: State, body: Mapping[str, str] | None = None) -> Step:
        """Append a change of state; it is on disk when this returns.

        Raises:
            InvariantBroken: The step cannot come from where it stands to there.
        """
        step = self.step(key)
        allowed = {State.COMPUTED} if step.closed else FOLLOWERS[step.state]
        if state not in allowed:
            raise InvariantBroken(f"journal: {key} cannot go from {step.shown_state} to {state}")
        if state is State.SIGNED:
            require_one_nonce(step, dict(body or {}))
        self._append(state, key, dict(body or {}))
        return self.step(key)

    def halt(self, key: Key, reason: str, detail: str, *, closed: bool = False) -> None:
        """Append why a step stopped. `closed`: what was signed can never land any more."""
        step = self.step(key)
        said = (step.halt, step.detail, step.closed) == (reason, detail, closed)
        if step.state is State.FINAL or step.closed or said:
            return
        body = {"reason": reason, "detail": detail, "closed": "true" if closed else "false"}
        self._append(State.HALTED, key, body)

    def saw(self, chain_id: int, block: Seen) -> None:
        """Append a finalized block that a decision rests on, if it is higher than the last."""
        known = self._seen.get(chain_id)
        if known is None or block.number > known.number:
            key = Key(chain_id, "", 0, 0, "")
            self._append("seen", key, {"number": str(block.number), "hash": block.hash})

    def backup(self, target: Path) -> None:
        """Write a consistent copy to a new file, while the journal may be in use.

        Raises:
            InvalidInput: The file is there already, or cannot be written.
        """
        partial = target.with_name(f".{target.name}.partial")
        try:
            if target.exists():
                raise InvalidInput(
                    Finding(str(target), "is there already", "name a new file for the copy")
                )
            partial.unlink(missing_ok=True)
            with closing(sqlite3.connect(partial)) as copy:
                self._connection.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
            os.link(partial, target)  # fails, rather than replaces, where one came in between
            partial.unlink()
        except (OSError, sqlite3.Error) as error:
            raise InvalidInput(
                Finding(str(target), f"cannot be written: {error}", "name another file")
            ) from error

    # --- rows ----------------------------------------------------------------------------------

    def _append(self, kind: str, key: Key, body: dict[str, str]) -> None:
        if not self._writable:
            raise InvariantBroken("journal: written to while open for reading")
        text = _canonical(body)
        number, previous = self._number + 1, self._hash
        columns = (*_key_columns(key), str(self.step(key).round + (kind == State.PLANNED)))
        mark = _row_hash(number, kind, columns, text, previous)
        try:
            with self._connection:
                self._connection.execute(
                    "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (number, kind, *columns, text, previous, mark),
                )
        except sqlite3.Error as error:
            raise ChainError(
                f"{self.path}: JournalNotWritten: {error}; nothing goes out without the journal: "
                "check the disk and the folder's rights, then run it again"
            ) from error
        self._number, self._hash = number, mark
        self._fold(kind, key, body)

    def _load(self) -> None:
        try:
            check = self._connection.execute("PRAGMA quick_check").fetchone()[0]
            if check != "ok":
                raise _damaged(self.path, str(check))
            rows = self._connection.execute("SELECT * FROM entries ORDER BY number")
            for number, kind, *columns, text, previous, mark in rows:
                whole = (
                    number == self._number + 1
                    and previous == self._hash
                    and mark == _row_hash(number, kind, columns, text, previous)
                )
                if not whole:
                    raise _damaged(self.path, f"row {number} is altered, or one is missing")
                self._number, self._hash = number, mark
                self._fold(kind, _key_from(columns), json.loads(text))
        except (sqlite3.DatabaseError, ValueError, KeyError) as error:
            raise _damaged(self.path, str(error)) from error

    def _fold(self, kind: str, key: Key, body: dict[str, str]) -> None:
        if kind == "seen":
            self._seen[key.chain_id] = Seen(int(body["number"]), body["hash"])
        else:
            self._steps[key] = folded(self.step(key), State(kind), body)


@contextmanager
def open_journal(path: Path) -> Iterator[Journal]:
    """Open the journal for writing; make it where there is none.

    Raises:
        JournalBusy: Another process writes to it.
        CheckFailed: It is damaged.
        InvalidInput: It cannot be opened.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _one_writer(path), closing(_connect(path)) as connection:
            _prepare(path, connection)
            yield Journal(path, connection, writable=True)
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from error


@contextmanager
def read_journal(path: Path) -> Iterator[Journal | None]:
    """Open the journal for reading, also while another process writes; None where there is none."""
    if not path.exists():
        yield None
        return
    with closing(_connect(path)) as connection:
        if _is_empty(connection):  # a process is making it, or died while it did
            yield None
            return
        _require_version(path, connection)
        yield Journal(path, connection, writable=False)


@contextmanager
def passing_journal() -> Iterator[Journal]:
    """Open an empty journal in memory, for commands that only look."""
    path = Path(":memory:")
    with closing(sqlite3.connect(path)) as connection:
        _prepare(path, connection)
        yield Journal(path, connection, writable=True)


@contextmanager
def _one_writer(path: Path) -> Iterator[None]:
    """Hold the lock as long as this process lives; the system frees it when the process dies.

    The lock is SQLite's own on a second, empty file: the same on every system, and readers of the
    journal itself never meet it.
    """
    with closing(sqlite3.connect(f"{path}.lock", timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise _unusable(path, str(error)) from error
            raise JournalBusy(
                f"{path}: JournalBusy: another process is settling with this journal; wait until "
                "it has ended (`rewards status` reads meanwhile)"
            ) from None
        yield


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=5.0)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=ON")
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error) or "malformed" in str(error):
            raise _damaged(path, str(error)) from error
        raise _unusable(path, str(error)) from error
    return connection


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    if _is_empty(connection):
        version = f"PRAGMA user_version={JOURNAL_VERSION};"
        connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}{version}COMMIT;")
        flush_folder(path.parent)
    _require_version(path, connection)


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT name FROM sqlite_master").fetchone() is None


def _require_version(path: Path, connection: sqlite3.Connection) -> None:
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from error
    if version != JOURNAL_VERSION:
        raise _unusable(path, f"it is of version {version}, not {JOURNAL_VERSION}")


def _key_columns(key: Key) -> tuple[str, str, str, str, str, str]:
    return (
        str(key.chain_id),
        key.contract,
        str(key.epoch),
        str(key.attempt),
        key.action,
        str(key.part),
    )


def _key_from(columns: list[str]) -> Key:
    chain_id, contract, epoch, attempt, action, part, _ = columns
    return Key(int(chain_id), contract, int(epoch), int(attempt), action, int(part))


def _row_hash(
    number: int, kind: str, columns: tuple[str, ...] | list[str], body: str, previous: str
) -> str:
    content = _canonical([str(number), kind, *columns, body, previous])
    return "0x" + keccak256(content.encode()).hex()


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _damaged(path: Path, what: str) -> CheckFailed:
    return CheckFailed(
        Finding(
            str(path),
            f"JournalDamaged: {what}",
            "do not send anything; put the last backup in its place, or move it away and run "
            "`rewards status --recover`",
        )
    )


def _unusable(path: Path, what: str) -> InvalidInput:
    return InvalidInput(
        Finding(str(path), f"cannot be opened: {what}", "check the folder's rights and the disk")
    )
