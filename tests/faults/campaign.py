"""Random runs: faults, kills, reorganisations, rivals; each judged by the chain alone."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from rewards.chain.journal import State, read_journal
from rewards.chain.sending.goals import Reached
from rewards.chain.sending.intents import intents_of
from rewards.chain.sending.node import Node
from tests.faults.arena import DEEP, FINAL, FUNDING, SENT, SHALLOW, Arena, Stage, scratch
from tests.faults.proxy import KINDS, Rule
from tests.sending.world import PAYEES, WCT, foreign

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

METHODS = (
    "eth_chainId",
    "eth_getBlockByNumber",
    "eth_getCode",
    "eth_call",
    "eth_getTransactionCount",
    "eth_estimateGas",
    "eth_maxPriorityFeePerGas",
    "eth_getBalance",
    "eth_sendRawTransaction",
    "eth_getTransactionReceipt",
)
STATES = ("none", "computed", "checked", "planned", "signed", "broadcast", "mined", "halted")
STAGES = ("fund", "propose", "activate", "claim_many")
SORTS = ("faults", "kills", "reorgs", "rivals")
CLOSED = {"ForeignNonce", "TransactionFailed", "Cancelled"}
WEIGHTS = {"faults": 5, "kills": 6, "reorgs": 3, "rivals": 1}
HONEST_ATTEMPTS = 4


@dataclass
class Tally:
    """What a campaign came to."""

    runs: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    reorgs: int = 0
    depths: Counter[int] = field(default_factory=Counter)
    foreign: int = 0
    dropped: int = 0
    rivals: int = 0
    bumps: int = 0
    stops: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    double: list[str] = field(default_factory=list)
    false_paid: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add what another part of the campaign came to."""
        for mine in fields(self):
            value = getattr(self, mine.name)
            more = getattr(other, mine.name)
            if isinstance(value, Counter):
                value.update(more)
            else:
                setattr(self, mine.name, value + more)

    @property
    def failures(self) -> list[str]:
        return [*self.double, *self.false_paid, *self.lost, *self.defects]


@dataclass
class Run:
    """One run."""

    arena: Arena
    stage: Stage
    folder: Path
    chance: random.Random
    tally: Tally
    name: str
    deep: bool
    asked: list[tuple[str, str, int]]
    foreign_sent: bool = False

    def ended(self, result: str) -> str:
        """Take note of an attempt's end; what it claims is held against the chain at once."""
        if result.startswith("defect"):
            self.tally.defects.append(f"{self.name}: {result}")
        elif result == "killed":
            self.tally.kills += 1
        else:
            self.tally.stops[result] += 1
        if self.says_final() and not self.is_final():
            self.tally.false_paid.append(f"{self.name}: final in the journal, not on chain")
        if result == FINAL and not self.is_final():
            self.tally.false_paid.append(f"{self.name}: said to be final, and is not")
        return result

    def says_final(self) -> bool:
        (intent,) = intents_of(self.stage.plan)
        with read_journal(self.folder / "journal.sqlite3") as journal:
            return journal is not None and journal.step(intent.key).state is State.FINAL

    def is_final(self) -> bool:
        """Return whether a finalized block shows the step as done, asked without the program."""
        world = self.stage.world
        if self.stage.name == "fund":
            data = "0x70a08231" + world.distributor[2:].rjust(64, "0")
            answer = world.node.ask("eth_call", {"to": world.token, "data": data}, "finalized")
            return int(answer, 16) == FUNDING + SENT
        node = Node(world.node.url)
        try:
            (intent,) = intents_of(self.stage.plan)
            at = int(world.node.ask("eth_getBlockByNumber", "finalized", False)["number"], 16)
            return intent.goal.reached(node, at) is Reached.YES
        finally:
            node.close()

    def paid_too_often(self) -> bool:
        """Return whether more was paid than once, by the chain's balances."""
        world = self.stage.world
        there = world.balance(world.distributor)
        if self.stage.name == "fund":
            return there > FUNDING + SENT
        paid = [world.balance(payee) for payee in PAYEES]
        return any(p not in (0, 7 * WCT * (i + 1)) for i, p in enumerate(paid))

    def bring_home(self) -> None:
        """With honest endpoints it must end: done once, or stopped for good for a named reason."""
        self.arena.proxy.set([])
        result = ""
        for _ in range(HONEST_ATTEMPTS):
            again = result in CLOSED
            if again and not self.foreign_sent:
                self.tally.lost.append(f"{self.name}: closed with {result}, nothing foreign sent")
            # What its message says: a rival that cannot be mined holds the nonce; pay more.
            bump = result == "NotFinalYet" and self.foreign_sent
            result = self.ended(
                self.arena.attempt(self.stage, self.folder, again=again, bump=bump, deep=self.deep)
            )
            self.tally.bumps += bump
            if result == FINAL:
                break
        self.tally.endings[result] += 1
        if result != FINAL:
            self.tally.lost.append(f"{self.name}: ends with {result}")
        if self.paid_too_often():
            self.tally.double.append(self.name)


def campaign(arena: Arena, seed: int, runs: range, sorts: tuple[str, ...], tell: Tell) -> Tally:
    """Run; the same seed gives the same runs."""
    tally = Tally()
    asked = {
        s.name: requests_of(arena, s) for (_, slots), s in arena.stages.items() if slots != DEEP
    }
    for number in runs:
        chance = random.Random(f"{seed}/{number}")
        sort = chance.choice([s for s in sorts for _ in range(WEIGHTS[s])])
        deep = sort == "reorgs"
        stage = chance.choice(
            [s for (_, slots), s in arena.stages.items() if (slots == DEEP) == deep]
        )
        name = f"seed {seed}, run {number}, {sort}, {stage.name}"
        stage.reset()
        with scratch() as folder:
            run = Run(arena, stage, folder, chance, tally, name, deep, asked[stage.name])
            arena.proxy.set([])
            SORT[sort](run)
            for what, count in arena.proxy.set([]).items():
                tally.faults[what] += count
            run.bring_home()
        tally.runs[sort] += 1
        tell(number + 1, tally)
    return tally


if TYPE_CHECKING:
    Tell = Callable[[int, Tally], None]


def requests_of(arena: Arena, stage: Stage) -> list[tuple[str, str, int]]:
    """Return which methods are asked in which state of the journal, and how often."""
    stage.reset()
    with scratch() as folder:
        arena.proxy.set([])
        assert arena.attempt(stage, folder) == FINAL
        _, asked = arena.proxy.exchange([], 0)
    marks = [(mark.partition(" asked "), count) for mark, count in sorted(asked.items())]
    return [(method, state, count) for (method, _, state), count in marks]


def random_rules(run: Run, count: int) -> list[Rule]:
    """Return faults; a lie comes from one endpoint only, all else from either or both."""
    chance, rules = run.chance, []
    for _ in range(count):
        kind = chance.choice(KINDS)
        method, state, often = chance.choice(run.asked)
        slow = kind.startswith("timeout")
        endpoint = chance.choice((0, 1)) if kind == "wrong" else chance.choice((0, 1, None))
        nth = chance.randrange(max(often // 2, 1))
        times = chance.choice((1, 1, 2) if slow else (1, 2, 3, 6, 200))
        anywhen = chance.random() < 0.25
        rules.append(Rule(method, kind, endpoint, None if anywhen else state, nth, times))
    return rules


def sweep(arena: Arena, tell: Tell, stages: tuple[str, ...] = STAGES) -> Tally:
    """Kill once before and once after every single write and request, then bring it home."""
    tally = Tally()
    for name in stages:
        stage, kill_at, result = arena.stages[name, SHALLOW], 0, "killed"
        while result == "killed":
            kill_at += 1
            stage.reset()
            with scratch() as folder:
                who = f"sweep, {name}, killed at event {kill_at}"
                run = Run(arena, stage, folder, random.Random(kill_at), tally, who, False, [])
                arena.proxy.set([])
                result = run.ended(arena.in_child(stage, folder, kill_at=kill_at))
                run.bring_home()
            tally.runs["kills"] += 1
            tell(kill_at, tally)
    return tally


def _faults(run: Run) -> None:
    for _ in range(run.chance.randint(2, 4)):
        rules = random_rules(run, run.chance.randint(6, 16))
        for what, count in run.arena.proxy.set(rules, run.chance.randrange(2**32)).items():
            run.tally.faults[what] += count
        run.ended(run.arena.attempt(run.stage, run.folder))


def _kills(run: Run) -> None:
    for _ in range(run.chance.randint(2, 5)):
        if run.chance.random() < 0.3:
            rules = random_rules(run, run.chance.randint(1, 4))
            for what, count in run.arena.proxy.set(rules, run.chance.randrange(2**32)).items():
                run.tally.faults[what] += count
        kill_at = run.chance.randint(1, 110)
        run.ended(run.arena.in_child(run.stage, run.folder, kill_at=kill_at))


def _reorgs(run: Run) -> None:
    node, chance = run.stage.world.node, run.chance

    def reorganise() -> None:
        depth = chance.randint(1, 64)
        node.ask("anvil_reorg", depth, [])
        run.tally.reorgs += 1
        run.tally.depths[depth] += 1

    def drop() -> None:
        for sender in node.ask("txpool_content")["pending"].values():
            for entry in sender.values():
                node.ask("anvil_dropTransaction", entry["hash"])
                run.tally.dropped += 1

    def intrude() -> None:
        run.foreign_sent = True
        run.tally.foreign += 1
        foreign(run.stage.world, run.stage.world.nonce(), fee=chance.choice((1, 900)) * 10**9)

    happenings: dict[int, Callable[[], None]] = {}
    for _ in range(chance.randint(2, 5)):
        what = chance.choices((reorganise, drop, intrude), (8, 2, 1))[0]
        happenings[chance.randint(1, 16 if what is reorganise else 3)] = what
    if chance.random() < 0.25:
        rules = random_rules(run, 3)
        run.arena.proxy.set(rules, chance.randrange(2**32))
    run.ended(
        run.arena.attempt(run.stage, run.folder, happenings=_forgiving(happenings), deep=True)
    )


def _forgiving(happenings: dict[int, Callable[[], None]]) -> dict[int, Callable[[], None]]:
    """Let what a node refuses (a nonce already used, a price too low) simply not happen."""

    def wrap(happening: Callable[[], None]) -> Callable[[], None]:
        def happen() -> None:
            try:
                happening()
            except AssertionError:
                return

        return happen

    return {when: wrap(what) for when, what in happenings.items()}


def _rivals(run: Run) -> None:
    """Submit the same plan from two processes at once, over one journal or, where the contract
    stands behind it, over two.
    """
    run.tally.rivals += 1
    own = run.folder
    apart = run.stage.name != "fund" and run.chance.random() < 0.5
    other = own / "elsewhere" if apart else own
    other.mkdir(exist_ok=True)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            result = run.arena.attempt(run.stage, other)
        except BaseException as error:  # noqa: BLE001 - told to the parent
            result = f"defect: {error!r}"
        os.write(writer, json.dumps(result).encode()[:4000])
        os._exit(0)
    os.close(writer)
    run.ended(run.arena.attempt(run.stage, own))
    with os.fdopen(reader, "rb") as said:
        result = json.loads(said.read() or b'"killed"')
    os.waitpid(child, 0)
    if result.startswith("defect"):
        run.tally.defects.append(f"{run.name}: rival: {result}")
    if apart:
        run.foreign_sent = True  # to each journal the other's transaction is a foreign one
    run.tally.stops[f"{result}"] += 1


SORT = {"faults": _faults, "kills": _kills, "reorgs": _reorgs, "rivals": _rivals}
SHALLOW_STAGES = [(name, SHALLOW) for name in STAGES]
DEEP_STAGES = [("fund", DEEP), ("claim_many", DEEP)]
