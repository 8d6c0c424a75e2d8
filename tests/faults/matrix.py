"""Every method asked, times every fault, times every state of the journal in which it is asked.

A process is killed right after the row that brings the journal into a state, or stopped there; what
is asked then, by each command, is counted; and each of these questions is broken in each way, once
at least. Afterwards it must be brought to its end as in every run.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.arena import BUMP, CANCEL, FINAL, LOOK, RECOVER, SHALLOW, SUBMIT, Arena, scratch
from tests.faults.campaign import METHODS, STATES, Run, Tally, requests_in
from tests.faults.proxy import KINDS, Rule
from tests.sending.world import foreign

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY = frozenset(STATES)
SENT = frozenset({"broadcast", "mined", "halted"})
ASKED = {
    "eth_chainId": EVERY,
    "eth_getBlockByNumber": EVERY,
    "eth_getBlockByNumber+": SENT,
    "eth_getCode": SENT | {"computed", "planned", "signed"},
    "eth_call": EVERY,
    "eth_call[]": SENT | {"planned"},
    "eth_getTransactionCount": SENT | {"planned", "signed"},
    "eth_estimateGas": frozenset({"planned"}),
    "eth_maxPriorityFeePerGas": frozenset({"planned"}),
    "eth_getBalance": SENT | {"planned", "signed"},
    "eth_sendRawTransaction": frozenset({"broadcast", "halted"}),
    "eth_getTransactionReceipt": SENT,
    "eth_getLogs": frozenset({"broadcast", "halted"}),
}
"""In which states a method is asked; a probe holds this against what is really asked."""
WHY_NOT = {
    "eth_getBlockByNumber+": "whole blocks are read to name a foreign transaction at a nonce that "
    "we have signed for",
    "eth_getCode": "the code is looked at once the files are found to be as planned (`computed`) "
    "and at a signature; before `checked` is anything but a moment, a new start goes back to "
    "`computed`; what is final is not checked again",
    "eth_call[]": "what many accounts have claimed is asked to learn whether a batch is done",
    "eth_getTransactionCount": "nonces matter from the first signature on",
    "eth_estimateGas": "asked for the first signature alone",
    "eth_maxPriorityFeePerGas": "asked for the first signature alone: a bump goes by its own price",
    "eth_getBalance": "asked for a signature: the first, a bump, a cancellation",
    "eth_sendRawTransaction": "nothing is there to be sent, or (`signed`) the journal says "
    "`broadcast` before the first sending, or (`mined`) it is in a block",
    "eth_getTransactionReceipt": "nothing has been sent",
    "eth_getLogs": "the Safe's events, from the moment at which it was handed over; a Safe's step "
    "is never `mined`: it waits until that is final",
}


@dataclass(frozen=True)
class Situation:
    """A stage, what happened before, and the command given then."""

    stage: str
    before: str
    way: str


FOREIGN = ("foreign", "foreign halted", "foreign mined")


def _situations(stages: tuple[str, ...]) -> list[Situation]:
    found = []
    for stage in stages:
        safe = stage.startswith("safe")
        stops = ["new", "computed", "checked", "planned", "signed", "broadcast", "halted", "done"]
        signed = ["signed", "broadcast", "mined", "halted", "waiting"]
        ways = {SUBMIT: stops, LOOK: stops, RECOVER: stops[:4]}
        if not safe:
            ways[SUBMIT] = [*stops, "mined", "waiting", "landed", *FOREIGN]
            ways |= {LOOK: [*stops, "mined"], BUMP: signed, CANCEL: signed}
        found += [Situation(stage, before, way) for way, list_ in ways.items() for before in list_]
    return found


SITUATIONS = _situations(("fund", "propose", "claim_many", "safe 1.3.0", "safe 1.4.1"))


KILLED_IN = {"foreign": "broadcast", "foreign mined": "mined", "landed": "broadcast"}


def prepare(run: Run, before: str) -> None:
    """Bring journal and chain to where a situation begins."""
    node = run.stage.world.node
    if before == "done":
        assert run.attempt() == FINAL
    elif before in ("halted", "waiting", "foreign halted"):
        # `waiting`: halted before it is in a block; `halted`: once it is in one.
        run.attempt(patience=0 if before == "halted" else -1, happenings={})
        assert run.step().halt
    elif before != "new":
        state = KILLED_IN.get(before, before)
        run.attempt(child=True, kill_in=state, happenings={})
        assert str(run.step().state) == state
    if before == "landed":
        node.ask("eth_sendRawTransaction", "0x" + run.step().variants[-1].raw.hex())
        node.ask("anvil_mine", "0x5", "0x2")
    elif before in FOREIGN:
        _intrude(run, reorganise=before == "foreign mined")


def _intrude(run: Run, *, reorganise: bool) -> None:
    """Have something foreign take the nonce, once what is in a block has lost it."""
    world, run.foreign_sent = run.stage.world, True
    if reorganise:
        world.node.ask("anvil_reorg", 1, [])
    world.node.ask("anvil_dropAllTransactions")
    foreign(world, world.nonce())
    world.node.ask("anvil_mine", "0x5", "0x2")


def probe(arena: Arena) -> dict[tuple[str, str], list[tuple[Situation, int]]]:
    """Return what is asked in which state, in which situations, and how often."""
    found: dict[tuple[str, str], list[tuple[Situation, int]]] = {}
    for situation in SITUATIONS:
        with scratch() as folder:
            stage = arena.stages[situation.stage, SHALLOW]
            stage.reset()
            run = Run(arena, stage, folder, random.Random(0), Tally(), str(situation), deep=False)
            arena.proxy.set([])
            prepare(run, situation.before)
            arena.proxy.exchange([], 0)
            run.attempt(situation.way)
            _, asked = arena.proxy.exchange([], 0)
        for method, state, often in requests_in(asked):
            found.setdefault((method, state), []).append((situation, often))
    return found


def matrix(arena: Arena, seed: int, tell: Callable[[int, Tally], None]) -> Tally:
    """Break every question in every way in every state in which it is asked."""
    tally = Tally()
    found = probe(arena)
    expected = {(method, state) for method, states in ASKED.items() for state in states}
    for method, state in sorted(set(found) ^ expected):
        said = "is asked" if (method, state) in found else "is not asked"
        tally.defects.append(f"matrix: {method} {said} in the state {state}")
    cells = [(place, kind) for place in sorted(found) for kind in KINDS]
    for number, ((method, state), kind) in enumerate(cells):
        chance = random.Random(f"{seed}/{method}/{state}/{kind}")
        situation, often = chance.choice(found[method, state])
        stage = arena.stages[situation.stage, SHALLOW]
        stage.reset()
        with scratch() as folder:
            name = f"seed {seed}, matrix, {method} {kind} {state}, {situation}"
            run = Run(arena, stage, folder, chance, tally, name, deep=False)
            arena.proxy.set([])
            prepare(run, situation.before)
            rule = _rule(chance, method, kind, state, often)
            arena.proxy.set([rule], chance.randrange(2**32))
            if run.attempt(situation.way) == "Cancelled" or situation.way == CANCEL:
                run.foreign_sent = True  # asked for: it may be closed, and begun anew
            faults = arena.proxy.set([])
            tally.faults.update(faults)
            if not faults.get(f"{method} {kind} {state}"):
                tally.defects.append(f"{name}: the fault did not happen")
            run.bring_home()
        tally.runs["matrix"] += 1
        tell(number + 1, tally)
    return tally


def _rule(chance: random.Random, method: str, kind: str, state: str, often: int) -> Rule:
    slow = kind.startswith("timeout")
    endpoint = chance.choice((0, 1)) if kind == "wrong" else chance.choice((0, 1, None))
    nth = chance.randrange(max(often // 4, 1))
    return Rule(method, kind, endpoint, state, nth, chance.choice((1, 2) if slow else (1, 3, 40)))


def table(tally: Tally) -> list[str]:
    """Return faults by method and state as Markdown, and why the rest cannot occur."""
    counts: dict[tuple[str, str], int] = {}
    kinds: dict[tuple[str, str], set[str]] = {}
    for mark, count in tally.faults.items():
        method, kind, state = mark.split()
        counts[method, state] = counts.get((method, state), 0) + count
        kinds.setdefault((method, state), set()).add(kind)

    def cell(method: str, state: str) -> str:
        if state not in ASKED[method]:
            return "-"
        there = len(kinds.get((method, state), ()))
        short = "" if there == len(KINDS) else f" ({there} of {len(KINDS)} kinds)"
        return f"{counts.get((method, state), 0):,}{short}"

    return [
        "| method | " + " | ".join(STATES) + " |",
        "|---|" + "---:|" * len(STATES),
        *(f"| {m} | " + " | ".join(cell(m, s) for s in STATES) + " |" for m in METHODS),
        "",
        f"Each number holds all {len(KINDS)} kinds of fault unless it says otherwise. Where a dash",
        "stands, the method is not asked while the journal is in that state:",
        "",
        *(f"- `{method}`: {why}." for method, why in WHY_NOT.items()),
    ]
