"""Endpoints that lag, lie or contradict each other, and a chain that changes its mind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rewards.chain.journal import open_journal
from rewards.chain.sending.machine import Machine, Silent
from rewards.chain.sending.node import Node
from rewards.chain.sending.quorum import AGE_LIMIT, Quorum, nodes_of
from rewards.chain.sending.reasons import NEXT_STEP, NotYet, Reason, Stopped
from rewards.chain.sending.submitting import Submission
from rewards.errors import InvalidInput
from tests.chain.stub_node import stub_node
from tests.sending.world import WCT, TestClock, World, chain, path_in

if TYPE_CHECKING:
    from pathlib import Path

HASH = "0x" + "ab" * 32


class StillClock:
    """A clock that stands."""

    def __init__(self, now: int = 1_000) -> None:
        self.time = now

    def now(self) -> int:
        return self.time

    def passed(self) -> int:
        return 0

    def sleep(self, seconds: int) -> None:
        self.time += seconds


def block(number: int, mark: str = HASH, timestamp: int = 1_000) -> dict[str, str]:
    return {
        "number": hex(number),
        "hash": mark,
        "timestamp": hex(timestamp),
        "baseFeePerGas": "0x7",
    }


def answering(blocks: dict[str, dict[str, str]], chain_id: int = 10) -> Any:
    def answer(request: Any) -> Any:
        results = {
            "eth_chainId": hex(chain_id),
            "eth_getBlockByNumber": blocks.get(request["params"][0] if request["params"] else ""),
        }
        return {"jsonrpc": "2.0", "id": request["id"], "result": results[request["method"]]}

    return answer


def quorum_of(*urls: str, chain_id: int = 10, now: int = 1_000) -> Quorum:
    return Quorum(nodes_of(urls), chain_id, StillClock(now))


def test_finalized__is_the_lowest() -> None:
    high = answering({"finalized": block(9, "0x" + "cd" * 32), "0x7": block(7)})
    low = answering({"finalized": block(7), "0x7": block(7)})
    with stub_node(high) as one, stub_node(low) as other:
        assert quorum_of(one, other).finalized().number == 7


def test_finalized__other_hash__stops() -> None:
    one_sees = answering({"finalized": block(7), "0x7": block(7)})
    other_sees = answering({"finalized": block(7), "0x7": block(7, "0x" + "cd" * 32)})
    with stub_node(one_sees) as one, stub_node(other_sees) as other, pytest.raises(Stopped) as it:
        quorum_of(one, other).finalized()
    assert it.value.reason is Reason.ENDPOINTS_DISAGREE


def test_finalized__below_what_was_seen__waits() -> None:
    from rewards.chain.steps import Seen

    sees = answering({"finalized": block(7), "0x7": block(7)})
    with stub_node(sees) as one, stub_node(sees) as other:
        quorum = quorum_of(one, other)
        quorum.seen = Seen(8, HASH)
        with pytest.raises(NotYet, match="below block 8"):
            quorum.finalized()
        quorum.seen = Seen(7, "0x" + "cd" * 32)
        with pytest.raises(Stopped) as it:
            quorum.finalized()
        assert it.value.reason is Reason.FINALITY_BROKEN


@pytest.mark.parametrize(("now", "fits"), [(1_000 + AGE_LIMIT, True), (1_001 + AGE_LIMIT, False)])
def test_finalized__must_be_recent(now: int, fits: bool) -> None:
    sees = answering({"finalized": block(7), "0x7": block(7)})
    with stub_node(sees) as one, stub_node(sees) as other:
        quorum = quorum_of(one, other, now=now)
        if fits:
            assert quorum.finalized().number == 7
        else:
            with pytest.raises(NotYet, match="is of 1970"):
                quorum.finalized()


def test_chain_id__of_one_differs__stops() -> None:
    with stub_node(answering({})) as one, stub_node(answering({}, 11)) as other:
        with pytest.raises(Stopped) as it:
            quorum_of(one, other).require_chain()
        assert it.value.reason is Reason.WRONG_CHAIN


def test_one_endpoint__is_not_enough_but_locally() -> None:
    with pytest.raises(InvalidInput, match="nobody could contradict"):
        quorum_of("http://one.example")
    with pytest.raises(InvalidInput, match="twice"):
        quorum_of("http://one.example/", "http://one.example")
    assert len(quorum_of("http://127.0.0.1:1", chain_id=31337).nodes) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda _: b"{", id="truncated"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda r: {"jsonrpc": "2.0", "id": r["id"] - 1, "result": "0xa"}, id="repeat"),
        pytest.param(lambda r: {"jsonrpc": "2.0", "id": r["id"]}, id="no result"),
        pytest.param(lambda r: {"jsonrpc": "2.0", "id": r["id"], "result": None}, id="null"),
        pytest.param(lambda r: [{"jsonrpc": "2.0", "id": r["id"], "result": "0xa"}], id="list"),
        pytest.param(lambda _: b"[" * 100_000, id="nested"),
    ],
)
def test_node__what_is_no_answer__is_none(answer: Any) -> None:
    with stub_node(answer) as one:
        quorum = quorum_of(one, "http://127.0.0.1:1")
        with pytest.raises(NotYet) as it:
            quorum.require_chain()
        assert it.value.reason is Reason.NO_ANSWER


def test_node__says_no_address() -> None:
    node = Node("http://user:secret@127.0.0.1:1/v2/apikey?token=secret")
    quorum = Quorum((node,), 31337, StillClock())
    with pytest.raises(NotYet) as it:
        quorum.require_chain()
    assert "secret" not in str(it.value)
    assert "apikey" not in str(it.value)


def test_every_reason__has_a_next_step() -> None:
    assert set(NEXT_STEP) == set(Reason)


def test_finality_broken_by_the_chain__stops(tmp_path: Path) -> None:
    """What was final when something was signed is gone: nothing more is sent."""
    with chain() as node:
        world = World.on(node, fund=10 * WCT)
        nodes = nodes_of([node.url])
        with open_journal(path_in(tmp_path)) as journal:
            quorum = Quorum(nodes, world.chain_id, TestClock(node))
            machine = Machine(journal, quorum, Silent(), patience=60, short_patience=20)
            submission = Submission(world.propose(), machine, lambda _: tmp_path, tmp_path)
            submission.begin()
            (intent,) = submission.intents()
            machine.sign(intent, world.account)
            node.ask("anvil_reorg", 10, [])
            with pytest.raises(Stopped) as it:
                machine.finish(intent)
            assert it.value.reason is Reason.FINALITY_BROKEN
            assert journal.step(intent.key).halt == "FinalityBroken"


class Ticking(StillClock):
    """A clock that runs while somebody sleeps."""

    def passed(self) -> int:
        return self.time


def test_what_is_waited_for__is_told_once_until_it_changes(tmp_path: Path) -> None:
    told: list[str] = []

    class Listening:
        def told(self, message: str) -> None:
            told.append(message)

    lags = iter(["one"] * 5 + ["other"] * 2)

    def ask() -> str:
        if (lag := next(lags, None)) is not None:
            raise NotYet(Reason.ENDPOINT_LAGS, lag)
        return "answer"

    with open_journal(tmp_path / "journal.sqlite3") as journal, stub_node(answering({})) as url:
        quorum = Quorum(nodes_of([url, url.replace("127.0.0.1", "localhost")]), 10, Ticking())
        machine = Machine(journal, quorum, Listening())
        assert machine.patiently(ask) == "answer"
    assert told == ["waiting: one", "waiting: other"]
