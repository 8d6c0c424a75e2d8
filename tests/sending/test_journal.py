from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from rewards.chain.journal import JournalBusy, open_journal, read_journal
from rewards.chain.steps import (
    FOLLOWERS,
    Key,
    Seen,
    State,
    Variant,
    variant_body,
)
from rewards.errors import CheckFailed, InvalidInput, InvariantBroken

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.chain.journal import Journal

KEY = Key(10, "0x" + "11" * 20, 7, 1, "propose")
PLANNED = {"plan": "0x01", "words": "propose of epoch 7"}


def variant(nonce: int = 3, kind: str = "original", mark: str = "0xaa") -> dict[str, str]:
    return variant_body(
        Variant(kind, b"signed", mark, "0x" + "22" * 20, nonce, 21_000, 2, 1, 42_000, 90)
    )


def planned(journal: Journal, key: Key = KEY) -> None:
    journal.advance(key, State.COMPUTED, {"plan": "0x01"})
    journal.advance(key, State.CHECKED, {"plan": "0x01"})
    journal.advance(key, State.PLANNED, PLANNED)


def test_rows__are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    with open_journal(path) as journal:
        planned(journal)
        journal.advance(KEY, State.SIGNED, variant())
        journal.saw(10, Seen(100, "0xbb"))
        journal.saw(10, Seen(99, "0xcc"))
        written = journal.step(KEY)
    with open_journal(path) as journal:
        assert journal.step(KEY) == written
        assert journal.seen(10) == Seen(100, "0xbb")
        assert [kind for kind, _ in journal.rows(KEY)] == [
            "computed",
            "checked",
            "planned",
            "signed",
        ]
        (live,) = journal.live_steps(10, "0x" + "22" * 20)
        assert live.variants[-1].raw == b"signed"
        assert journal.live_steps(1, "0x" + "22" * 20) == []


@pytest.mark.parametrize("state", [s for s in State if s is not State.HALTED])
def test_transitions__only_those_of_the_table(state: State, tmp_path: Path) -> None:
    way = [State.COMPUTED, State.CHECKED, State.PLANNED, State.SIGNED, State.BROADCAST]
    way += [State.MINED, State.FINAL]
    for wanted in way:
        with open_journal(tmp_path / f"{wanted}.sqlite3") as journal:
            for step in way[: way.index(state) + 1]:
                journal.advance(KEY, step, _body(step))
            body = variant(kind="bump") if wanted is State.SIGNED and state in way[3:6] else None
            if wanted in FOLLOWERS[state]:
                journal.advance(KEY, wanted, body or _body(wanted))
            else:
                with pytest.raises(InvariantBroken):
                    journal.advance(KEY, wanted, body or _body(wanted))


def _body(state: State) -> dict[str, str]:
    return {State.PLANNED: PLANNED, State.SIGNED: variant()}.get(state, {})


def test_second_nonce__is_refused_while_the_first_could_land(tmp_path: Path) -> None:
    with open_journal(tmp_path / "journal.sqlite3") as journal:
        planned(journal)
        journal.advance(KEY, State.SIGNED, variant(nonce=3))
        for other in (variant(nonce=4), variant(nonce=4, kind="bump"), variant(nonce=3)):
            with pytest.raises(InvariantBroken):
                journal.advance(KEY, State.SIGNED, other)
        journal.advance(KEY, State.SIGNED, variant(nonce=3, kind="bump", mark="0xab"))
        assert [v.transaction for v in journal.step(KEY).variants] == ["0xaa", "0xab"]
        journal.halt(KEY, "ForeignNonce", "taken", closed=True)
        assert not journal.step(KEY).live
        with pytest.raises(InvariantBroken):
            journal.advance(KEY, State.SIGNED, variant(nonce=4))
        planned(journal)
        journal.advance(KEY, State.SIGNED, variant(nonce=4, mark="0xac"))
        assert [v.nonce for v in journal.step(KEY).variants] == [4]
        assert journal.step(KEY).round == 2


def test_database__refuses_a_second_plan_or_signature_in_a_round(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    with open_journal(path) as journal:
        planned(journal)
        journal.advance(KEY, State.SIGNED, variant())
    with closing(sqlite3.connect(path)) as connection:
        for kind in ("planned", "signed"):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(
                    "INSERT INTO entries SELECT 99, kind, chain_id, contract, epoch, attempt, "
                    "action, part, round, body, previous, '0x99' FROM entries WHERE kind = ?",
                    (kind,),
                )
        for statement in ("UPDATE entries SET kind = 'final'", "DELETE FROM entries"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)


def test_halt__keeps_where_it_stood(tmp_path: Path) -> None:
    with open_journal(tmp_path / "journal.sqlite3") as journal:
        planned(journal)
        journal.advance(KEY, State.SIGNED, variant())
        journal.halt(KEY, "NotFinalYet", "waiting")
        journal.halt(KEY, "NotFinalYet", "waiting")
        step = journal.step(KEY)
        assert (step.state, step.halt, step.live) == (State.SIGNED, "NotFinalYet", True)
        assert step.shown_state == "halted (NotFinalYet, after signed)"
        assert len(list(journal.rows(KEY))) == 5
        assert journal.advance(KEY, State.BROADCAST, {}).halt == ""


def test_altered_row__is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    with open_journal(path) as journal:
        planned(journal)
    for statement in (
        "UPDATE entries SET body = replace(body, '0x01', '0x02') WHERE number = 3",
        "DELETE FROM entries WHERE number = 2",
        "UPDATE entries SET kind = 'halted' WHERE number = 1",
    ):
        copy = tmp_path / "copy.sqlite3"
        copy.unlink(missing_ok=True)
        with read_journal(path) as journal:
            assert journal is not None
            journal.backup(copy)
        with closing(sqlite3.connect(copy)) as connection, connection:
            connection.execute("DROP TRIGGER no_change")
            connection.execute("DROP TRIGGER no_removal")
            connection.execute(statement)
        with pytest.raises(CheckFailed, match="JournalDamaged"), open_journal(copy):
            pass


def test_no_journal_at_all__is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(b"this is no database, and was never one" * 50)
    with pytest.raises(CheckFailed, match="JournalDamaged"), open_journal(path):
        pass
    other = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE something (x)")
        connection.commit()
    with pytest.raises(InvalidInput, match="version"), open_journal(other):
        pass
    with read_journal(tmp_path / "none.sqlite3") as nothing:
        assert nothing is None


def test_second_writer__is_refused_and_readers_are_not(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    with open_journal(path) as journal:
        planned(journal)
        with pytest.raises(JournalBusy, match="JournalBusy"), open_journal(path):
            pass
        with read_journal(path) as reader:
            assert reader is not None
            assert reader.step(KEY).state is State.PLANNED
            with pytest.raises(InvariantBroken):
                reader.advance(KEY, State.COMPUTED, {})
    with open_journal(path) as journal:
        assert journal.step(KEY).state is State.PLANNED


def test_killed_writer__frees_the_lock_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from rewards.chain.journal import Key, State, open_journal\n"
        f"with open_journal(Path({str(path)!r})) as journal:\n"
        "    key = Key(10, '0x' + '11' * 20, 7, 1, 'propose')\n"
        "    journal.advance(key, State.COMPUTED, {})\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], check=False)
    assert run.returncode == -signal.SIGKILL
    with open_journal(path) as journal:
        assert journal.step(KEY).state is State.COMPUTED


def test_backup__is_whole_and_replaces_nothing(tmp_path: Path) -> None:
    path, copy = tmp_path / "journal.sqlite3", tmp_path / "copy.sqlite3"
    with open_journal(path) as journal:
        planned(journal)
        journal.backup(copy)
        with pytest.raises(InvalidInput, match="there already"):
            journal.backup(copy)
    with open_journal(copy) as journal:
        assert journal.step(KEY).state is State.PLANNED
