"""Where runs happen: nodes at several stages of a settlement, each put back after every run."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rewards.chain.journal import Journal, open_journal
from rewards.chain.safe.hashes import SafeTx, hashes_of
from rewards.chain.sending import receipts as written
from rewards.chain.sending.machine import Machine, Silent
from rewards.chain.sending.node import Node
from rewards.chain.sending.quorum import Quorum, nodes_of
from rewards.chain.sending.reasons import Stopped
from rewards.chain.sending.recovery import recover
from rewards.chain.sending.safe_watch import SafeWatch
from rewards.chain.sending.standing import read_contract
from rewards.chain.sending.submitting import Submission
from rewards.errors import ChainError, CheckFailed
from tests.faults.proxy import CLIENT_TIMEOUT, STATE_HEADER, Proxy
from tests.sending.safes import SAFE, VERSIONS, Safe
from tests.sending.world import WCT, TestClock, World, chain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rewards.chain.plan import Plan
    from rewards.chain.sending.intents import Intent
    from rewards.chain.steps import Key, Step
    from tests.chain.anvil import Anvil

FUNDING = 1_000 * WCT
SENT = 25 * WCT
SHALLOW, DEEP = 1, 32
FINAL, LOOKED = "final", "looked"
SUBMIT, BUMP, CANCEL, LOOK, RECOVER = "submit", "bump", "cancel", "look", "recover"
JOURNAL = "journal.sqlite3"
SAFE_STAGES = {f"safe {version}": version for version in VERSIONS}


class Events:
    """Counts what a process does, and kills it where it is told to: at an event, or in a state."""

    def __init__(self) -> None:
        self.begin(0, "")

    def begin(self, kill_at: int, kill_in: str) -> None:
        self.count, self.kill_at, self.kill_in, self.state = 0, kill_at, kill_in, "none"

    def hit(self) -> None:
        self.count += 1
        if self.count == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def entered(self, state: str) -> None:
        self.state = state
        if state == self.kill_in:
            os.kill(os.getpid(), signal.SIGKILL)


EVENTS = Events()


def instrument() -> None:
    """Count every journal write, every request and every receipt, before and after."""
    module: Any = written
    append, post, write = Journal._append, Node._post, module.write_file

    def counted_append(self: Journal, kind: str, key: Key, body: dict[str, str]) -> None:
        EVENTS.hit()
        append(self, kind, key, body)
        if kind != "seen":
            EVENTS.entered(str(kind))
        EVENTS.hit()

    def counted_post(self: Node, question: object) -> Any:
        EVENTS.hit()
        self._session.headers[STATE_HEADER] = EVENTS.state
        answer = post(self, question)
        EVENTS.hit()
        return answer

    def counted_write(path: Path, content: bytes) -> None:
        EVENTS.hit()
        write(path, content)
        EVENTS.hit()

    Journal._append = counted_append  # type: ignore[method-assign]
    Node._post = counted_post  # type: ignore[method-assign]
    module.write_file = counted_write


@dataclass
class Stage:
    """A node at one stage, and the plan that is due there."""

    name: str
    world: World
    plan: Plan
    slots: int
    running: ExitStack
    snapshot: str = ""
    safe: Safe | None = None
    """The Safe through which the plan goes; None: a key signs."""

    def reset(self) -> None:
        """Put the chain back to where the stage began; after reorganisations, on new contracts."""
        node = self.world.node
        if self.slots == DEEP:  # anvil loses old states after some reorganisations
            self.running.close()
            node = self.running.enter_context(chain(slots=self.slots, port=self.port))
            fresh = _stage(self.name, node, self.slots, self.running)
            self.world, self.plan, self.safe = fresh.world, fresh.plan, fresh.safe
            return
        if self.snapshot:
            node.ask("anvil_dropAllTransactions")
            assert node.ask("evm_revert", self.snapshot)
        self.snapshot = node.ask("evm_snapshot")

    @property
    def port(self) -> int:
        return int(urlsplit(self.world.node.url).port or 0)


@dataclass
class Clock(TestClock):
    """A clock that lets things happen to the chain at given sleeps."""

    happenings: dict[int, Callable[[], None]] = field(default_factory=dict)
    sleeps: int = 0

    def sleep(self, seconds: int) -> None:
        self.sleeps += 1
        if self.sleeps in self.happenings:
            self.happenings[self.sleeps]()
        super().sleep(seconds)


@dataclass
class Arena:
    """All nodes, and the proxy before them."""

    stages: dict[tuple[str, int], Stage]
    proxy: Proxy

    def attempt(
        self,
        stage: Stage,
        folder: Path,
        way: str = SUBMIT,
        *,
        happenings: dict[int, Callable[[], None]] | None = None,
        kill_at: int = 0,
        kill_in: str = "",
        again: bool = False,
        deep: bool = False,
        patience: int = 90,
    ) -> str:
        """Run a command once, in this process; return FINAL or the name of what stopped it."""
        EVENTS.begin(kill_at, kill_in)
        clock = Clock(stage.world.node, 6 if deep else 1, happenings=happenings or {})
        nodes = nodes_of(self.proxy.urls(stage.port), CLIENT_TIMEOUT)
        quorum = Quorum(nodes, stage.world.chain_id, clock)
        try:
            with open_journal(folder / JOURNAL) as journal:
                machine = Machine(journal, quorum, Silent(), patience, 20)
                command = Command(stage, Submission(stage.plan, machine, lambda _: folder, folder))
                EVENTS.state = state_of(command.step)
                command.run(way, again=again)
                if way in (LOOK, RECOVER):
                    return LOOKED
        except Stopped as error:
            return str(error.reason)
        except CheckFailed as error:
            return error.findings[0].problem.partition(":")[0]
        except ChainError as error:
            return type(error).__name__
        finally:
            for node in nodes:
                node.close()
        return FINAL

    def in_child(self, *arguments: Any, **options: Any) -> str:
        """Run a command once in a process of its own; `killed` when it died."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                result = self.attempt(*arguments, **options)
            except BaseException as error:  # noqa: BLE001 - told to the parent
                result = f"defect: {error!r}"
            os.write(writer, result.encode()[:4000])
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as said:
            result = said.read().decode()
        _, status = os.waitpid(child, 0)
        return result if os.WIFEXITED(status) else "killed"


def state_of(step: Step) -> str:
    """Return a step's state as the table of faults names it."""
    return "halted" if step.halt else str(step.state or "none")


@dataclass(frozen=True)
class Command:
    """What the commands do with one step, beside asking a person."""

    stage: Stage
    submission: Submission

    @property
    def intent(self) -> Intent:
        return self.submission.whole() if self.stage.safe else self.submission.intents()[0]

    @property
    def step(self) -> Step:
        return self.submission.machine.journal.step(self.intent.key)

    def run(self, way: str, *, again: bool) -> None:
        world, machine = self.stage.world, self.submission.machine
        if way == LOOK:  # as `rewards status --rpc`
            machine.patiently(machine.quorum.require_chain)
            block = machine.patiently(machine.finalized)
            at = world.distributor
            machine.patiently(lambda: read_contract(machine.quorum, at, block))
        elif way == RECOVER:  # as `rewards status --recover`
            recover(self.submission)
        elif self.stage.safe:
            self._through_safe(self.stage.safe, again=again)
        else:
            if way == SUBMIT:
                self.submission.begin(again=again)
            elif self.step.live:
                machine.patiently(machine.quorum.require_chain)
                machine.replace(self.intent, world.account, cancel=way == CANCEL)
            self.submission.run(lambda: world.account)

    def _through_safe(self, safe: Safe, *, again: bool) -> None:
        submission, _calls = self.submission, self.stage.plan.calls
        nonce = self.step.variants[-1].nonce if self.step.live else safe.nonce()
        tx = safe_tx(self.stage.plan, nonce)
        mark = hashes_of(safe.chain_id, SAFE, tx).safe_tx_hash
        submission.begin_whole(again=again)
        if not submission.is_done_as_a_whole():
            watch = SafeWatch(
                submission.machine, submission.whole(), SAFE, tx, mark, self.stage.plan.calls
            )
            watch.hand_over()
            watch.watch()
        submission.write_receipt()


def safe_tx(plan: Plan, nonce: int) -> SafeTx:
    """Return the SafeTx of a plan, with gas of its own: so it may fail, and is mined all the same.

    With none, as `rewards safe export` has it, Safe takes nothing that fails.
    """
    (call,) = plan.calls
    assert call.to
    return replace(SafeTx.plain(call.to, 0, call.data, 0, nonce), safe_tx_gas=200_000)


@contextmanager
def arena(kinds: list[tuple[str, int]], job: int = 0) -> Iterator[Arena]:
    """Start the nodes of these (stage, slots) and the proxy, on ports of the job's own."""
    ports = free_ports(12_000 + 400 * job)
    with ExitStack() as stack:
        stages = {}
        for name, slots in kinds:
            running = stack.enter_context(ExitStack())
            node = running.enter_context(chain(slots=slots, port=next(ports)))
            stages[name, slots] = _stage(name, node, slots, running)
        proxy = Proxy([stage.port for stage in stages.values()], ports)
        stack.callback(proxy.close)
        yield Arena(stages, proxy)


def _stage(name: str, node: Anvil, slots: int, running: ExitStack) -> Stage:
    world, safe = World.on(node, fund=FUNDING), None
    if name in SAFE_STAGES:
        node.ask("evm_setAutomine", False)
        safe = Safe.on(node, world.chain_id, SAFE_STAGES[name])
        world.send_tokens(SAFE, 4 * SENT)
    plans: dict[str, Callable[[], Plan]] = {
        "fund": lambda: world.fund(SENT, sender=SAFE if safe else world.sender),
        "propose": world.propose,
        "activate": world.activate,
        "claim_many": world.claims,
    }
    order = ["propose", "activate", "claim_many"]
    for step in order[: order.index(name)] if name in order else []:
        _send(world, plans[step]())
    node.ask("anvil_mine", "0x90" if slots == DEEP else "0x8", "0x2")
    plan = plans["fund" if safe else name]()
    return Stage(name, world, plan, slots, running, safe=safe)


def _send(world: World, plan: Plan) -> None:
    """Make a plan's call directly, without the program under test."""
    node, (call,) = world.node, plan.calls
    request = {"from": world.sender, "to": call.to, "data": "0x" + call.data.hex()}
    node.ask("evm_setAutomine", True)
    mark = node.ask("eth_sendTransaction", request)
    while (receipt := node.ask("eth_getTransactionReceipt", mark)) is None:
        time.sleep(0.02)
    assert receipt["status"] == "0x1"
    node.ask("evm_setAutomine", False)
    node.ask("anvil_mine", "0x4", "0x2")


def free_ports(first: int) -> Iterator[int]:
    """Yield ports that nobody listens on, below those that the system gives to connections."""
    for port in range(first, first + 400):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder for one run, in memory where there is such a place."""
    memory = Path("/dev/shm")  # noqa: S108 - never read back by anybody else
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
