"""Random calls to the contract and to its model, which must agree on each.

    python -m tests.contracts.fuzz --calls 1000000 --seed 7

After every call: the same named error or the same success as the model. After every success: the
contract's views equal the model, and the invariants hold on the contract's own figures. At the end
of every episode (a distributor's life): the events alone rebuild the state.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import abi_to_signature, collapse_if_tuple, function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.contracts.chain import artifact, decode_error
from tests.contracts.machine import DEPLOYER, Machine, machine
from tests.contracts.merkle import Tree
from tests.contracts.model import (
    DAY,
    GUARDIAN,
    LIFETIME,
    PAUSE,
    PENDING,
    WINDOW,
    ZERO,
    Model,
    Refused,
)
from tests.contracts.replay import Replay

CHAIN_ID = 1
START = 1_800_000_000
EPISODE = 400
ATTESTATION_TYPE = keccak(
    text="Attestation(uint256 previousEpoch,uint256 epoch,uint256 attempt,bytes32 root,"
    "uint256 cumulativeTotal,bytes32 manifestHash,uint256 rise)"
)


def people(role: str, count: int) -> list[str]:
    return [to_checksum_address(keccak(text=f"{role} {i}")[:20]) for i in range(count)]


PAYEES = people("payee", 5)
PROPOSERS = people("proposer", 2)
GUARDIANS = people("guardian", 3)
ADMINS = people("admin", 2)
TREASURY, STRANGER = people("other", 2)
CALLERS = [*PAYEES, *PROPOSERS, *GUARDIANS, *ADMINS, TREASURY, STRANGER]


class Contract:
    """An artifact's functions as bytes in and values out."""

    def __init__(self, evm: Machine, name: str, *args: Any) -> None:
        compiled = artifact(name)
        self.evm = evm
        self.functions: dict[str, tuple[bytes, list[str], list[str]]] = {}
        code = bytes.fromhex(compiled["bytecode"][2:])
        for item in compiled["abi"]:
            inputs = [collapse_if_tuple(argument) for argument in item.get("inputs", [])]
            if item["type"] == "function":
                selector = function_signature_to_4byte_selector(abi_to_signature(item))
                outputs = [collapse_if_tuple(argument) for argument in item["outputs"]]
                self.functions[item["name"]] = (selector, inputs, outputs)
            elif item["type"] == "constructor":
                code += encode(inputs, args)
        self.address = evm.deploy(code)

    def data(self, name: str, *args: Any) -> bytes:
        selector, inputs, _ = self.functions[name]
        return selector + encode(inputs, args)

    def view(self, name: str, *args: Any) -> Any:
        outcome = self.evm.call(DEPLOYER, self.address, self.data(name, *args), static=True)
        assert outcome.ok, (name, args, outcome)
        values = decode(self.functions[name][2], outcome.data)
        return values[0] if len(values) == 1 else values


class Episode:
    """One distributor from deployment to its last call."""

    def __init__(self, rng: random.Random, counts: Counter[str]) -> None:
        self.rng, self.counts = rng, counts
        self.evm = machine()
        self.now = START
        self.evm.set_time(self.now)
        self.token = Contract(self.evm, "TestToken")
        self.wallets = sorted(
            (Contract(self.evm, "test/EchoWallet").address for _ in range(3)), key=str.lower
        )
        threshold = rng.choice([0, 0, 1, 2])
        minimum_delay = rng.choice([1, 3600])
        delay = minimum_delay * rng.randint(1, 3)
        reduction = delay + rng.choice([0, DAY])
        cap = (rng.choice([10**6, 10**9]), rng.choice([0, 10**5, 86_400_001]))
        initial = rng.choice([0, 500])
        change_delay = minimum_delay + rng.choice([0, DAY])
        self.distributor = Contract(
            self.evm,
            "EpochDistributor",
            (
                self.token.address,
                TREASURY,
                ADMINS[0],
                initial,
                minimum_delay,
                change_delay,
                delay,
                reduction,
                threshold,
                *cap,
                PROPOSERS[:1],
                self.wallets[:2],
                GUARDIANS[:2],
            ),
        )
        here = self.distributor.address
        self.model = Model(
            here=here,
            token=self.token.address,
            treasury=TREASURY,
            admin=ADMINS[0],
            roles={(0, PROPOSERS[0])}
            | {(1, who) for who in self.wallets[:2]}
            | {(2, who) for who in GUARDIANS[:2]},
            initial_epoch=initial,
            minimum_delay=minimum_delay,
            change_delay=change_delay,
            delay=delay,
            reduction_delay=reduction,
            threshold=threshold,
            cap=cap,
            now=self.now,
            caps=[(self.now, cap[1])],
        )
        self.replay = Replay(
            admin=ADMINS[0],
            roles=set(self.model.roles),
            delays=(delay, reduction),
            threshold=threshold,
            cap=cap,
            change_delay=change_delay,
        )
        self.trees: list[Tree] = []
        self.domain = keccak(
            encode(
                ["bytes32", "bytes32", "bytes32", "uint256", "address"],
                [
                    keccak(
                        text="EIP712Domain(string name,string version,uint256 chainId,"
                        "address verifyingContract)"
                    ),
                    keccak(text="EpochDistributor"),
                    keccak(text="1"),
                    CHAIN_ID,
                    here,
                ],
            )
        )
        self.seen_claimed: dict[str, int] = {}
        self.seen_epoch = 0

    # -------------------------------------------------------------------------------- chance

    def often(self, chance: float = 0.85) -> bool:
        return self.rng.random() < chance

    def caller(self, *right: str) -> str:
        """Mostly one who may, else anyone."""
        return self.rng.choice(right if self.often() else CALLERS)

    def some_tree(self) -> Tree:
        """The next distribution: mostly a sound one on top of the active."""
        model, rng = self.model, self.rng
        here = self.distributor.address
        base = model.epoch or model.initial_epoch
        epoch = base + rng.choice([1, 1, 1, 2, 7, 400])
        if not self.often(0.95):
            epoch = rng.choice([0, base, base + 401, 2**50])
        amounts = dict(model.active.amounts) if model.active else {}
        headroom = min(model.available(self.now + model.delay), 10**6)
        for who in PAYEES:
            if who not in amounts or self.often(0.6):
                amounts[who] = amounts.get(who, 0) + rng.randint(1, max(headroom // 6, 1))
        if not self.often(0.9):  # restated downwards
            who = rng.choice(PAYEES)
            amounts[who] = rng.randint(1, amounts[who])
        if not self.often(0.95):  # an unpayable leaf
            amounts[rng.choice([ZERO, self.token.address])] = 1
        total = None
        if not self.often(0.9):  # overstated, understated, beyond the cap
            total = max(sum(amounts.values()) + rng.choice([-1, 1]) * rng.randint(1, 10**5), 0)
        if not self.often(0.97):
            total = model.total + model.available(self.now + model.delay) + 1
        return Tree(CHAIN_ID, here, epoch, amounts, total)

    # ------------------------------------------------------------------------------ handlers
    # Each returns (caller, function, arguments, what the model does).

    def propose(self) -> tuple[str, str, tuple[Any, ...], Callable[[], object]]:
        model, rng = self.model, self.rng
        tree = self.some_tree()
        self.trees.append(tree)
        previous = model.epoch if self.often(0.97) else rng.choice([0, model.epoch + 1])
        attempt = model.candidate.attempt + 1 if model.candidate else 1
        if not self.often(0.97):
            attempt = rng.choice([0, attempt - 1, attempt + 1])
        manifest = rng.randbytes(32)
        proposal = (previous, tree.epoch, attempt, tree.root, tree.total, manifest)
        rise = max(tree.total - model.total, 0)
        digest = keccak(
            b"\x19\x01"
            + self.domain
            + keccak(
                encode(
                    ["bytes32", "(uint256,uint256,uint256,bytes32,uint256,bytes32)", "uint256"],
                    [ATTESTATION_TYPE, proposal, rise],
                )
            )
        )
        count = model.threshold if self.often() else rng.randint(0, 3)
        able = [who for who in self.wallets if model.has(1, who)]
        pool = able if self.often(0.9) and len(able) >= count else self.wallets
        chosen = rng.sample(pool, min(count, len(pool)))
        if self.often(0.95):
            chosen.sort(key=str.lower)
        signed = [(who, self.often(0.97)) for who in chosen]
        proof = tree.sentinel_proof
        holds = self.often(0.97)
        if not holds:
            proof = rng.choice([[], proof[1:], [*proof, bytes(32)], tree.proof(PAYEES[0])])
            holds = proof == tree.sentinel_proof
        who = self.caller(*[who for who in PROPOSERS if model.has(0, who)] or PROPOSERS)
        attestations = [(a, digest if good else bytes(32)) for a, good in signed]
        return (
            who,
            "propose",
            (proposal, proof, attestations),
            lambda: model.propose(
                who, tree, previous, attempt, manifest, proof_holds=holds, attesters=signed
            ),
        )

    def _named(self) -> tuple[int, int]:
        found = self.model.candidate
        epoch, attempt = (found.tree.epoch, found.attempt) if found else (1, 1)
        return (epoch, attempt) if self.often(0.95) else (epoch, self.rng.randint(0, 3))

    def _guardian(self) -> str:
        return self.caller(*[who for who in GUARDIANS if self.model.has(GUARDIAN, who)] or CALLERS)

    def veto(self) -> tuple[str, str, tuple[Any, ...], Callable[[], object]]:
        epoch, attempt = self._named()
        who = self._guardian()
        arguments = (epoch, attempt, "wrong")
        return who, "veto", arguments, lambda: self.model.veto(who, epoch, attempt)

    def activate(self) -> tuple[str, str, tuple[Any, ...], Callable[[], object]]:
        model, found = self.model, self.model.candidate
        if found and self.often():  # the diligent operator: waits, and funds just enough
            self.travel_to(found.activatable_at)
            missing = (
                found.tree.total - model.claimed_total - self.model.balances.get(model.here, 0)
            )
            if missing > 0 and self.often(0.9):
                self.fund(missing)
        epoch, attempt = self._named()
        who = self.rng.choice(CALLERS)
        return who, "activate", (epoch, attempt), lambda: model.activate(epoch, attempt)

    def _claim(self) -> tuple[int, list[tuple[str, int, list[bytes]]], list[bool]]:
        model, rng = self.model, self.rng
        tree = model.active if model.active and self.often(0.95) else None
        tree = tree or (rng.choice(self.trees) if self.trees else self.some_tree())
        accounts = rng.sample(sorted(tree.amounts), rng.randint(1, len(tree.amounts)))
        if self.often(0.97):
            accounts = [who for who in accounts if model.payable(who)] or accounts[:1]
        if self.often(0.95):
            accounts.sort(key=str.lower)
        claims, hold = [], []
        for account in accounts:
            who, amount, proof = account, tree.amounts[account], tree.proof(account)
            if not self.often(0.98):
                amount += rng.choice([-1, 1])
            if not self.often(0.98):
                proof = rng.choice([proof[1:], [*proof, bytes(32)], tree.sentinel_proof])
            if not self.often(0.98):
                who = rng.choice(PAYEES)
            if not self.often(0.99):
                who, amount, proof = tree.distributor, tree.total, tree.sentinel_proof
            claims.append((who, amount, proof))
            hold.append(tree is model.active and proof == tree.proof(who))
        epoch = tree.epoch if self.often(0.98) else model.epoch + rng.choice([-1, 1])
        return max(epoch, 0), claims, hold

    def claim(self) -> tuple[str, str, tuple[Any, ...], Callable[[], object]]:
        epoch, claims, hold = self._claim()
        account, amount, proof = claims[0]
        return (
            self.rng.choice(CALLERS),
            "claim",
            (epoch, account, amount, proof),
            lambda: self.model.claim(epoch, [(account, amount, hold[0])], many=False),
        )

    def claim_many(self) -> tuple[str, str, tuple[Any, ...], Callable[[], object]]:
        epoch, claims, hold = self._claim()
        modelled = [
            (who, amount, good) for (who, amount, _), good in zip(claims, hold, strict=True)
        ]
        return (
            self.rng.choice(CALLERS),
            "claimMany",
            (epoch, claims),
            lambda: self.model.claim(epoch, modelled, many=True),
        )

    def set_recipient(self) -> tuple[str, str, tuple[Any, ...], Callable[[], object]]:
        who = self.rng.choice(PAYEES)
        to = self.rng.choice([ZERO, who, STRANGER, *PAYEES])
        if not self.often(0.9):
            to = self.rng.choice([self.token.address, self.distributor.address])
        return who, "setRecipient", (to,), lambda: self.model.set_recipient(who, to)

    def pause(self) -> tuple[str, str, tuple[Any, ...], Callable[[], object]]:
        claims, activation = self.rng.choice([(1, 0), (0, 1), (1, 1), (0, 0)])
        who = self._guardian()
        return (
            who,
            "pause",
            (bool(claims), bool(activation)),
            lambda: self.model.pause(who, claims=bool(claims), activation=bool(activation)),
        )

    def unpause(self) -> tuple[str, str, tuple[Any, ...], Callable[[], object]]:
        claims, activation = self.often(0.5), self.often(0.5)
        who = self.caller(self.model.admin)
        return (
            who,
            "unpause",
            (claims, activation),
            lambda: self.model.unpause(who, claims=claims, activation=activation),
        )

    def sweep(self) -> tuple[str, str, tuple[Any, ...], Callable[[], object]]:
        who = self.caller(self.model.admin)
        return who, "sweep", (self.token.address,), lambda: self.model.sweep(who)

    def some_change(self) -> tuple[Any, ...]:
        model, rng = self.model, self.rng
        heir = rng.choice([*ADMINS, ZERO])
        delay = model.minimum_delay * rng.randint(1, 4) - (not self.often(0.95))
        return rng.choice(
            [
                ("setProposer", rng.choice(PROPOSERS), self.often(0.8)),
                ("setAttester", rng.choice(self.wallets), self.often(0.7)),
                ("setGuardian", rng.choice([*GUARDIANS, ZERO]), self.often(0.6)),
                ("setDelays", delay, delay + rng.choice([0, 0, DAY, 14 * DAY])),
                ("setThreshold", rng.randint(0, 3)),
                ("setCap", rng.choice([10**6, 10**9]), rng.choice([10**5, 86_400_001])),
                ("transferAdmin", heir),
            ]
            + [("retire",)] * (not self.often(0.7))
        )

    def schedule(self) -> tuple[str, str, tuple[Any, ...], Callable[[], object]]:
        change = self.some_change()
        who = self.caller(self.model.admin)
        data = self.distributor.data(*change)
        return who, "schedule", (data,), lambda: self.model.schedule(who, change)

    def cancel(self) -> tuple[str, str, tuple[Any, ...], Callable[[], object]]:
        known = sorted(self.model.scheduled, key=repr)
        changes = self.rng.sample(known, min(len(known), self.rng.randint(0, 2)))
        changes += [self.some_change()] * self.often(0.3)
        ids = [keccak(self.distributor.data(*change)) for change in changes]
        who = self._guardian() if self.often(0.5) else self.caller(self.model.admin)
        return who, "cancel", (ids,), lambda: self.model.cancel(who, changes)

    def change(self) -> tuple[str, str, tuple[Any, ...], Callable[[], object]]:
        model = self.model
        change = self.some_change()
        known = sorted(model.scheduled, key=repr)
        fresh = [one for one in known if self.now <= model.scheduled[one] + WINDOW]
        if known and self.often(0.7):
            change = self.rng.choice(fresh if fresh and self.often(0.95) else known)
            if self.often(0.9):
                self.travel_to(model.scheduled[change])
        who = self.caller(model.admin)
        return who, change[0], change[1:], lambda: model.change(who, change)

    def accept_admin(self) -> tuple[str, str, tuple[Any, ...], Callable[[], object]]:
        who = self.caller(self.model.pending_admin)
        who = STRANGER if who == ZERO else who
        return who, "acceptAdmin", (), lambda: self.model.accept_admin(who)

    # -------------------------------------------------------------------------------- running

    def travel_to(self, moment: int) -> None:
        self.now = max(self.now, moment)
        self.evm.set_time(self.now)
        self.model.now = self.now

    def moments(self) -> list[int]:
        """When something begins or ends: the edges are where mistakes are."""
        model = self.model
        edges = [self.now, model.claims_paused_until, model.activation_paused_until]
        edges += model.rests.values()
        edges += [ready + span for ready in model.scheduled.values() for span in (0, WINDOW)]
        if model.candidate:
            matures = model.candidate.activatable_at
            edges += [matures, matures + LIFETIME]
        return [edge for edge in edges if self.now <= edge < self.now + 50 * DAY]

    def fund(self, amount: int) -> None:
        here = self.distributor.address
        data = self.token.data("mint", here, amount)
        assert self.evm.call(DEPLOYER, self.token.address, data).ok
        self.model.balances[here] = self.model.balances.get(here, 0) + amount

    def step(self) -> None:
        rng = self.rng
        wait = rng.choice([0, 0, 1, 60, 3600, DAY, rng.randint(0, 20 * DAY)])
        self.travel_to(self.now + (wait if self.often(0.5) else 0))
        if not self.often(0.9):
            self.travel_to(rng.choice(self.moments()) + rng.choice([-1, 0, 1]))
        if not self.often(0.95):
            self.fund(rng.randint(1, 10**6))
        handler = rng.choices(HANDLERS, WEIGHTS)[0]
        if handler is Episode.propose and self.model.status == PENDING and self.often(0.8):
            handler = Episode.activate
        elif handler is Episode.activate and self.model.status != PENDING and self.often(0.8):
            handler = Episode.propose
        who, name, args, expected = handler(self)
        try:
            wanted = expected()
            refused = ""
        except Refused as refusal:
            wanted, refused = None, str(refusal)
        data = self.distributor.data(name, *args)
        outcome = self.evm.call(who, self.distributor.address, data)
        got = "" if outcome.ok else decode_error(outcome.data)[0]
        assert got == refused, f"{name}{args} by {who}: {got!r}, the model: {refused!r}"
        self.counts[f"{name} refused: {refused}" if refused else name] += 1
        if outcome.ok:
            if name in {"claim", "claimMany"}:
                assert int.from_bytes(outcome.data) == wanted
            for address, log in outcome.logs:
                if address == self.distributor.address:
                    self.replay.apply(log, self.now)
            self.compare()

    def compare(self) -> None:
        """The contract's views equal the model; the invariants hold on the views themselves."""
        model, view = self.model, self.distributor.view
        epoch, root, manifest, total, claimed, outstanding = view("active")
        assert (epoch, root) == (model.epoch, model.active.root if model.active else bytes(32))
        assert manifest == model.active_manifest
        assert (total, claimed) == (model.total, model.claimed_total)
        assert outstanding == (0 if model.retired else model.outstanding)
        balance = self.token.view("balanceOf", model.here)
        assert balance == model.balances.get(model.here, 0)
        assert claimed <= total
        assert balance >= outstanding
        assert epoch >= self.seen_epoch
        self.seen_epoch = epoch

        found, pending = model.candidate, view("pending")
        assert pending[0] == model.status
        if model.status:
            assert found
            lapses = found.activatable_at + 30 * DAY
            needed = max(found.tree.total - model.claimed_total, 0)
            tree, attempt = found.tree, found.attempt
            assert pending[1:] == (
                *(tree.epoch, attempt, tree.root, found.manifest_hash, tree.total),
                *(found.activatable_at, lapses, needed, attempt + 1),
            )
        else:
            assert pending[1:] == (0, 0, bytes(32), bytes(32), 0, 0, 0, 0, 1)

        settings = view("settings")
        assert tuple(_checksummed(settings)) == (
            model.admin,
            model.pending_admin,
            model.delay,
            model.reduction_delay,
            model.threshold,
            model.attester_count,
            *model.cap,
            model.claims_paused_until,
            model.activation_paused_until,
            model.retired,
        )
        assert max(settings[8], settings[9]) <= self.now + PAUSE
        who = self.rng.choice(PAYEES)
        amount = view("claimed", who)
        assert amount == model.claimed.get(who, 0) >= self.seen_claimed.get(who, 0)
        self.seen_claimed[who] = amount
        assert self.token.view("balanceOf", who) == model.balances.get(who, 0)
        assert view("reserved") == model.reserved
        assert view("sweepable", model.token) == max(balance - model.reserved, 0)
        at = self.now + self.rng.choice([0, 1, 3600, 40 * DAY])
        assert view("capAvailable", at) == model.available(at)

    def finish(self) -> None:
        """The events alone rebuild what the views say."""
        view, replay = self.distributor.view, self.replay
        epoch, root, manifest, total, claimed, outstanding = view("active")
        assert (epoch, root, manifest, total) == replay.active
        assert claimed == sum(replay.claimed.values())
        assert outstanding == (0 if replay.retired else total - claimed)
        pending = view("pending")
        if pending[0]:
            assert pending[1:7] == replay.candidate
            assert (pending[0] == 2) == replay.vetoed
        assert tuple(_checksummed(view("settings"))) == replay.settings()
        for who in PAYEES:
            assert view("claimed", who) == replay.claimed.get(who, 0)
            assert to_checksum_address(view("recipientOf", who)) == replay.recipients.get(who, who)
        for role, members in enumerate((PROPOSERS, self.wallets, GUARDIANS)):
            for who in members:
                assert view("hasRole", role, who) == ((role, who) in replay.roles)
        for who in GUARDIANS:
            assert view("restsUntil", who) == replay.rests.get(who, (0, 0))
        for change in replay.scheduled:
            assert view("scheduledAt", change) == replay.scheduled[change]
        assert view("capAvailable", self.now) == replay.available(self.now)


def _checksummed(values: tuple[Any, ...]) -> list[Any]:
    return [to_checksum_address(v) if isinstance(v, str) else v for v in values]


HANDLERS = [
    Episode.propose,
    Episode.veto,
    Episode.activate,
    Episode.claim,
    Episode.claim_many,
    Episode.set_recipient,
    Episode.pause,
    Episode.unpause,
    Episode.sweep,
    Episode.schedule,
    Episode.cancel,
    Episode.change,
    Episode.accept_admin,
]
WEIGHTS = [20, 2, 20, 14, 12, 4, 2, 4, 4, 8, 2, 10, 3]


def run(calls: int, seed: int, seconds: float = float("inf")) -> tuple[Counter[str], int]:
    """Make so many calls, or as many as fit into the time; return the counts and the calls made."""
    counts: Counter[str] = Counter()
    until = time.monotonic() + seconds
    made = episodes = 0
    while made < calls and time.monotonic() < until:
        # Seeded one by one, so that a failing episode can be run alone.
        episode_seed = seed * 1_000_003 + episodes
        episode = Episode(random.Random(episode_seed), counts)
        after_retirement = 0
        for _ in range(min(EPISODE, calls - made)):
            try:
                episode.step()
            except AssertionError as failure:
                failure.add_note(f"seed {seed}, episode {episodes}, call {made}")
                raise
            made += 1
            after_retirement += episode.model.retired
            if after_retirement > 30:
                break
        episode.finish()
        episodes += 1
    return counts, made


def main() -> int:
    """Run the campaign; print its counts as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    begun = time.monotonic()
    counts, made = run(args.calls, args.seed)
    names = sorted(counts)
    result = {
        "calls": made,
        "seed": args.seed,
        "engine": machine().name,
        "seconds": round(time.monotonic() - begun),
        "violations": 0,
        "succeeded": {name: counts[name] for name in names if "refused" not in name},
        "refused": {name: counts[name] for name in names if "refused" in name},
    }
    json.dump(result, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
