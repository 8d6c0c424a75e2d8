"""Random runs: faults, kills, reorganisations, rivals; each judged by the chain alone."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from rewards.chain.journal import read_journal
from rewards.chain.safe.hashes import SafeTx
from rewards.chain.sending.goals import Reached
from rewards.chain.sending.intents import intents_of
from rewards.chain.sending.node import Node
from rewards.chain.steps import State, Step
from tests.faults.arena import (
    BUMP,
    DEEP,
    FINAL,
    FUNDING,
    JOURNAL,
    RECOVER,
    SAFE_STAGES,
    SENT,
    SHALLOW,
    SUBMIT,
    Arena,
    Stage,
    safe_tx,
    scratch,
)
from tests.faults.proxy import KINDS, Rule
from tests.sending.safes import SAFE
from tests.sending.world import PAYEES, WCT, foreign

if TYPE_CHECKING:
    from pathlib import Path

METHODS = (
    "eth_chainId",
    "eth_getBlockByNumber",
    "eth_getBlockByNumber+",
    "eth_getCode",
    "eth_call",
    "eth_call[]",
    "eth_getTransactionCount",
    "eth_estimateGas",
    "eth_maxPriorityFeePerGas",
    "eth_getBalance",
    "eth_sendRawTransaction",
    "eth_getTransactionReceipt",
    "eth_getLogs",
)
"""What is asked: `+` with all transactions, `[]` several at once."""
STATES = (
    *("none", "computed", "checked", "planned", "signed", "broadcast"),
    *("mined", "final", "halted"),
)
STAGES = ("fund", "propose", "activate", "claim_many", *SAFE_STAGES)
SORTS = ("faults", "kills", "reorgs", "rivals")
CLOSED = {"ForeignNonce", "TransactionFailed", "Cancelled", "SafeFailed", "SafeSuperseded"}
WEIGHTS = {"faults": 5, "kills": 6, "reorgs": 3, "rivals": 1}
HONEST_ATTEMPTS = 5
ALREADY = "AlreadyFunded"
"""How a second journal is told that the first has paid."""


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
    lost_journals: int = 0
    safe: Counter[str] = field(default_factory=Counter)
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
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    foreign_sent: bool = False
    """Something that is not of this journal was sent, or made the plan's step void."""

    def attempt(self, way: str = SUBMIT, *, child: bool = False, **options: Any) -> str:
        """Run a command once; through a Safe the owner acts meanwhile."""
        if self.stage.safe and "happenings" not in options:
            acts = self.owner(self.executes)
            options["happenings"] = {2: acts, 5: acts, 9: acts, 14: acts}
        run = self.arena.in_child if child else self.arena.attempt
        options.setdefault("patience", 400 if self.stage.safe and self.deep else 90)
        return self.ended(run(self.stage, self.folder, way, deep=self.deep, **options))

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

    def step(self) -> Step:
        (intent,) = intents_of(self.stage.plan)
        with read_journal(self.folder / JOURNAL) as journal:
            return Step(intent.key) if journal is None else journal.step(intent.key)

    def says_final(self) -> bool:
        return self.step().state is State.FINAL

    def is_final(self) -> bool:
        """Return whether a finalized block shows the step as done, asked without the program."""
        world = self.stage.world
        if self.moves:
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

    @property
    def moves(self) -> bool:
        """Whether the step is a plain transfer."""
        return self.stage.plan.action == "fund"

    def paid_too_often(self) -> bool:
        """Return whether more was paid than once, by the chain's balances."""
        world = self.stage.world
        there = world.balance(world.distributor)
        if self.moves:
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
            bump = result == "NotFinalYet" and self.foreign_sent and not self.stage.safe
            result = self.attempt(BUMP if bump else SUBMIT, again=again)
            self.tally.bumps += bump
            if result == FINAL or self.is_refused_as_done(result):
                break
            self.stage.world.node.ask("anvil_mine", hex(6 if self.deep else 2), "0x2")
        self.tally.endings[result] += 1
        if result != FINAL and not self.is_refused_as_done(result):
            self.tally.lost.append(f"{self.name}: ends with {result}")
        if self.paid_too_often():
            self.tally.double.append(self.name)

    def is_refused_as_done(self, result: str) -> bool:
        """Return whether a journal that did not pay was rightly told that it is paid."""
        return result == ALREADY and self.foreign_sent and self.is_final()

    # --- what the Safe's owner does, whatever the program does -----------------------------------

    def owner(self, act: Callable[[SafeTx], None]) -> Callable[[], None]:
        """Return a happening: the owner acts on what was handed over, if that is still open."""

        def happen() -> None:
            step, safe = self.step(), self.stage.safe
            if safe and step.live and step.variants[-1].nonce == safe.nonce():
                act(safe_tx(self.stage.plan, safe.nonce()))

        return happen

    def executes(self, tx: SafeTx) -> None:
        assert self.stage.safe
        self.stage.safe.execute(tx)
        self.tally.safe["executed"] += 1

    def supersedes(self, tx: SafeTx) -> None:
        """Execute something else at the same nonce."""
        assert self.stage.safe
        self.foreign_sent = True
        self.stage.safe.execute(SafeTx.plain("0x" + "11" * 20, 0, b"", 0, tx.nonce))
        self.tally.safe["superseded"] += 1

    def fails(self, tx: SafeTx) -> None:
        """Execute it while the Safe has no tokens, and bring them back afterwards."""
        world, safe = self.stage.world, self.stage.safe
        assert safe
        self.foreign_sent = True
        held = world.balance(SAFE)
        world.burn(SAFE, held)
        safe.execute(tx)
        world.send_tokens(SAFE, held)
        self.tally.safe["failed"] += 1


Tell = Callable[[int, Tally], None]
"""Gets how many runs are done, and what they came to."""


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
            known = asked[stage.name]
            run = Run(arena, stage, folder, chance, tally, name, deep, asked=known)
            arena.proxy.set([])
            SORT[sort](run)
            for what, count in arena.proxy.set([]).items():
                tally.faults[what] += count
            run.bring_home()
        tally.runs[sort] += 1
        tell(number + 1, tally)
    return tally


def requests_of(arena: Arena, stage: Stage) -> list[tuple[str, str, int]]:
    """Return which methods are asked in which state of the journal, and how often."""
    stage.reset()
    with scratch() as folder:
        arena.proxy.set([])
        run = Run(arena, stage, folder, random.Random(0), Tally(), "probe", deep=False)
        assert run.attempt() == FINAL
        _, asked = arena.proxy.exchange([], 0)
    return requests_in(asked)


def requests_in(asked: dict[str, int]) -> list[tuple[str, str, int]]:
    """Return (method, state, how often) of what the proxy counted."""
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
                chance = random.Random(kill_at)
                run = Run(arena, stage, folder, chance, tally, who, deep=False)
                arena.proxy.set([])
                result = run.attempt(child=True, kill_at=kill_at)
                run.bring_home()
            tally.runs["kills"] += 1
            tell(kill_at, tally)
    return tally


def _break(run: Run, count: int) -> None:
    """Put random faults in force, and count those before them."""
    rules, seed = random_rules(run, count), run.chance.randrange(2**32)
    for what, seen in run.arena.proxy.set(rules, seed).items():
        run.tally.faults[what] += seen


def _owner_happenings(run: Run) -> dict[str, Any]:
    """Return what the owner of the Safe does during an attempt, and when: once, or nothing."""
    if not run.stage.safe:
        return {}
    kinds = [run.executes, run.supersedes, *([] if run.deep else [run.fails])]
    act = run.owner(run.chance.choices(kinds, (4, 1, 1)[: len(kinds)])[0])
    return {"happenings": _forgiving({run.chance.randint(1, 12): act})}


def _faults(run: Run) -> None:
    for _ in range(run.chance.randint(2, 4)):
        _break(run, run.chance.randint(6, 16))
        run.attempt(**_owner_happenings(run))


def _kills(run: Run) -> None:
    for _ in range(run.chance.randint(2, 5)):
        if run.chance.random() < 0.3:
            _break(run, run.chance.randint(1, 4))
        run.attempt(child=True, kill_at=run.chance.randint(1, 110), **_owner_happenings(run))
        if run.chance.random() < 0.1:
            _lose_the_journal(run)
    # What the owner did in a process that died is known from the chain alone.
    safe = run.stage.safe
    run.foreign_sent |= safe is not None and safe.nonce() > 0


def _lose_the_journal(run: Run) -> None:
    """Remove it; half the time make it anew from the chain, as on another machine."""
    for file in run.folder.glob(JOURNAL + "*"):
        file.unlink()
    run.tally.lost_journals += 1
    run.foreign_sent = True  # what the lost one sent is a foreign transaction to the next
    if run.chance.random() < 0.5:
        run.attempt(RECOVER)


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
        _break(run, 3)
    if run.stage.safe:
        happenings = dict.fromkeys(happenings, reorganise)
        for when in (chance.randint(1, 4), chance.randint(5, 16)):
            happenings[when] = run.owner(run.executes)
        if chance.random() < 0.25:
            happenings[chance.randint(1, 6)] = run.owner(run.supersedes)
    run.attempt(happenings=_forgiving(happenings))


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
    """Submit the same plan from two processes at once, over one journal or over two."""
    run.tally.rivals += 1
    own = run.folder
    apart = run.chance.random() < 0.5
    other = replace(run, folder=own / "elsewhere" if apart else own)
    other.folder.mkdir(exist_ok=True)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            result = run.arena.attempt(run.stage, other.folder)
        except BaseException as error:  # noqa: BLE001 - told to the parent
            result = f"defect: {error!r}"
        os.write(writer, json.dumps(result).encode()[:4000])
        os._exit(0)
    os.close(writer)
    run.attempt()
    with os.fdopen(reader, "rb") as said:
        result = json.loads(said.read() or b'"killed"')
    os.waitpid(child, 0)
    other.ended(result)
    # To each journal the other's transaction is a foreign one.
    run.foreign_sent = apart
    if apart:
        other.foreign_sent = True
        other.bring_home()


SORT = {"faults": _faults, "kills": _kills, "reorgs": _reorgs, "rivals": _rivals}
SHALLOW_STAGES = [(name, SHALLOW) for name in STAGES]
DEEP_STAGES = [("fund", DEEP), ("claim_many", DEEP), ("safe 1.3.0", DEEP), ("safe 1.4.1", DEEP)]
