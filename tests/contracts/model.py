"""The distributor once more, in Python, written from its description and not from its code.

Sums are taken over all accounts instead of kept, the cap from the list of all rises, and the
schedule holds calls instead of hashes, so that a slip in the contract's bookkeeping shows.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.contracts.merkle import Tree

DAY = 86_400
PAUSE = 14 * DAY
LIFETIME = 30 * DAY
WINDOW = 14 * DAY
PROPOSER, ATTESTER, GUARDIAN = range(3)
NONE, PENDING, VETOED, LAPSED = range(4)
ZERO = "0x" + "00" * 20


class Refused(Exception):  # noqa: N818 - a refusal is what the contract does, not a mistake
    """The named error that the call has to end with."""


def demand(condition: bool, error: str) -> None:
    if not condition:
        raise Refused(error)


@dataclass
class Candidate:
    """A proposal on top of the active epoch."""

    tree: Tree
    attempt: int
    manifest_hash: bytes
    activatable_at: int
    vetoed: bool = False


@dataclass
class Model:
    here: str
    token: str
    treasury: str
    admin: str
    roles: set[tuple[int, str]]
    initial_epoch: int
    minimum_delay: int
    change_delay: int
    delay: int
    reduction_delay: int
    threshold: int
    cap: tuple[int, int]
    now: int = 0
    pending_admin: str = ZERO
    active: Tree | None = None
    active_manifest: bytes = bytes(32)
    candidate: Candidate | None = None
    claimed: dict[str, int] = field(default_factory=dict)
    recipients: dict[str, str] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)
    claims_paused_until: int = 0
    activation_paused_until: int = 0
    rests: dict[tuple[str, str], int] = field(default_factory=dict)
    scheduled: dict[tuple[Any, ...], int] = field(default_factory=dict)
    retired: bool = False
    rises: list[tuple[int, int]] = field(default_factory=list)
    caps: list[tuple[int, int]] = field(default_factory=list)

    # ------------------------------------------------------------------------------- derived

    @property
    def total(self) -> int:
        return self.active.total if self.active else 0

    @property
    def epoch(self) -> int:
        return self.active.epoch if self.active else 0

    @property
    def claimed_total(self) -> int:
        return sum(self.claimed.values())

    @property
    def outstanding(self) -> int:
        return self.total - self.claimed_total

    @property
    def status(self) -> int:
        if self.retired or self.candidate is None:
            return NONE
        if self.candidate.vetoed:
            return VETOED
        return LAPSED if self.now > self.candidate.activatable_at + LIFETIME else PENDING

    @property
    def reserved(self) -> int:
        if self.retired:
            return 0
        needed = 0
        if self.status == PENDING and self.candidate:
            needed = self.candidate.tree.total - self.claimed_total
        return max(self.outstanding, needed)

    def used(self, at: int) -> int:
        """Replay every rise against the rates that held; what drains is rounded down."""
        used, since, rate = 0, 0, 0
        steps = [(when, 0, rise) for when, rise in self.rises]
        steps += [(when, 1, rate_) for when, rate_ in self.caps]
        for when, kind, value in sorted(steps, key=lambda step: step[0]):
            used = max(used - rate * (when - since) // DAY, 0)
            since = when
            if kind:
                rate = value
            else:
                used += value
        return max(used - rate * (at - since) // DAY, 0)

    def available(self, at: int) -> int:
        return max(self.cap[0] - self.used(at), 0)

    def has(self, role: int, who: str) -> bool:
        return (role, who) in self.roles

    def payable(self, who: str) -> bool:
        return int(who, 16) > 0xFFFF and who not in (self.here, self.token)

    @property
    def attester_count(self) -> int:
        return sum(role == ATTESTER for role, _ in self.roles)

    # ---------------------------------------------------------------------------- settlement

    def propose(
        self,
        who: str,
        tree: Tree,
        previous: int,
        attempt: int,
        manifest_hash: bytes,
        *,
        proof_holds: bool,
        attesters: list[tuple[str, bool]],
    ) -> None:
        demand(self.has(PROPOSER, who), "MissingRole")
        demand(not self.retired, "AlreadyRetired")
        demand(self.status != PENDING, "AlreadyPending")
        demand(previous == self.epoch, "WrongPreviousEpoch")
        expected = 1 if self.candidate is None else self.candidate.attempt + 1
        demand(attempt == expected, "WrongAttempt")
        base = self.epoch or self.initial_epoch
        demand(base < tree.epoch <= base + 400, "EpochOutOfRange")
        demand(proof_holds, "InvalidSentinelProof")
        demand(tree.total >= self.claimed_total, "TotalBelowClaimed")
        delay = self.delay if tree.total >= self.total else self.reduction_delay
        rise = max(tree.total - self.total, 0)
        demand(rise <= self.available(self.now + delay) or rise == 0, "CapExceeded")
        demand(len(attesters) >= self.threshold, "TooFewAttestations")
        last = ZERO
        for attester, signed in attesters:
            demand(int(attester, 16) > int(last, 16), "AttestersNotAscending")
            demand(self.has(ATTESTER, attester), "NotAttester")
            demand(signed, "InvalidSignature")
            last = attester
        self.candidate = Candidate(tree, attempt, manifest_hash, self.now + delay)

    def _find(self, epoch: int, attempt: int) -> Candidate:
        found = self.candidate
        demand(self.status == PENDING, "NotPending")
        assert found
        demand((found.tree.epoch, found.attempt) == (epoch, attempt), "NotPending")
        return found

    def veto(self, who: str, epoch: int, attempt: int) -> None:
        demand(self.has(GUARDIAN, who), "MissingRole")
        self._find(epoch, attempt).vetoed = True

    def activate(self, epoch: int, attempt: int) -> None:
        demand(not self.retired, "AlreadyRetired")
        found = self._find(epoch, attempt)
        demand(self.now >= found.activatable_at, "TooEarly")
        demand(self.now >= self.activation_paused_until, "ActivationPaused")
        demand(found.tree.total >= self.claimed_total, "TotalBelowClaimed")
        needed = found.tree.total - self.claimed_total
        demand(self.balances.get(self.here, 0) >= needed, "Underfunded")
        self.rises.append((self.now, max(found.tree.total - self.total, 0)))
        self.active, self.active_manifest = found.tree, found.manifest_hash
        self.candidate = None

    # -------------------------------------------------------------------------------- claims

    def claim(self, epoch: int, claims: list[tuple[str, int, bool]], *, many: bool) -> int:
        """Pay each (account, amount, whether the proof is that of the active leaf)."""
        demand(not self.retired, "AlreadyRetired")
        demand(self.now >= self.claims_paused_until, "ClaimsPaused")
        demand(epoch == self.epoch, "NotActiveEpoch")
        paid: dict[str, int] = {}
        last, left = ZERO, self.outstanding
        for account, amount, proof_holds in claims:
            if many:
                demand(int(account, 16) > int(last, 16), "AccountsNotAscending")
                last = account
            demand(self.payable(account), "NotPayable")
            demand(
                proof_holds
                and self.active is not None
                and self.active.amounts.get(account) == amount,
                "InvalidProof",
            )
            rest = max(amount - self.claimed.get(account, 0), 0)
            demand(rest <= left, "ExceedsOutstanding")
            left -= rest
            paid[account] = rest
        for account, amount in paid.items():
            self.claimed[account] = self.claimed.get(account, 0) + amount
            self._move(self.here, self.recipients.get(account, account), amount)
        return sum(paid.values())

    def _move(self, source: str, target: str, amount: int) -> None:
        self.balances[source] = self.balances.get(source, 0) - amount
        self.balances[target] = self.balances.get(target, 0) + amount

    def set_recipient(self, who: str, recipient: str) -> None:
        if recipient in (ZERO, who):
            self.recipients.pop(who, None)
            return
        demand(self.payable(recipient), "NotPayable")
        self.recipients[who] = recipient

    # ------------------------------------------------------------------------------ the admin

    def _admin(self, who: str) -> None:
        demand(who == self.admin, "NotAdmin")

    def pause(self, who: str, *, claims: bool, activation: bool) -> None:
        demand(self.has(GUARDIAN, who), "MissingRole")
        demand(claims or activation, "NothingToPause")
        kinds = [kind for kind, on in (("c", claims), ("a", activation)) if on]
        for kind in kinds:
            demand(self.now >= self.rests.get((who, kind), 0), "MustRest")
        for kind in kinds:
            self.rests[who, kind] = self.now + 2 * PAUSE
        if claims:
            self.claims_paused_until = self.now + PAUSE
        if activation:
            self.activation_paused_until = self.now + PAUSE

    def unpause(self, who: str, *, claims: bool, activation: bool) -> None:
        self._admin(who)
        if claims:
            self.claims_paused_until = 0
        if activation:
            self.activation_paused_until = 0

    def sweep(self, who: str) -> None:
        self._admin(who)
        surplus = max(self.balances.get(self.here, 0) - self.reserved, 0)
        demand(surplus > 0, "NothingToSweep")
        self._move(self.here, self.treasury, surplus)

    def schedule(self, who: str, change: tuple[Any, ...]) -> None:
        self._admin(who)
        ready = self.scheduled.get(change)
        demand(ready is None or self.now > ready + WINDOW, "AlreadyScheduled")
        self.scheduled[change] = self.now + self.change_delay

    def cancel(self, who: str, changes: list[tuple[Any, ...]]) -> None:
        demand(who == self.admin or self.has(GUARDIAN, who), "MissingRole")
        found = [change for change in changes if change in self.scheduled]
        for change in found:
            demand(who == self.admin or change[0] != "setGuardian", "GuardianChange")
        demand(bool(found), "NothingToCancel")
        for change in found:
            self.scheduled.pop(change, None)

    def change(self, who: str, change: tuple[Any, ...]) -> None:
        """Any of the settings: (name, argument, ...)."""
        self._admin(who)
        name, *args = change
        demand(name != "retire" or not self.retired, "AlreadyRetired")
        loosens = self._loosens(change)
        if loosens:
            ready = self.scheduled.get(change)
            demand(ready is not None, "NotScheduled")
            assert ready is not None
            demand(self.now >= ready, "ChangeNotReady")
            demand(self.now <= ready + WINDOW, "ChangeLapsed")
        getattr(self, f"_{name}")(*args)
        if loosens:
            del self.scheduled[change]

    def _loosens(self, change: tuple[Any, ...]) -> bool:
        match change:
            case ("setProposer" | "setAttester", _, granted):
                return bool(granted)
            case ("setGuardian", _, granted):
                return not granted
            case ("setDelays", int(delay), int(reduction)):
                return delay < self.delay or reduction < self.reduction_delay
            case ("setThreshold", int(threshold)):
                return threshold < self.threshold
            case ("setCap", int(burst), int(per_day)):
                return burst > self.cap[0] or per_day > self.cap[1]
            case ("transferAdmin", heir):
                return bool(heir != ZERO)
        return True

    def _set_role(self, role: int, who: str, granted: bool) -> None:
        demand(who != ZERO, "ZeroAddress")
        demand(self.has(role, who) != granted, "RoleUnchanged")
        self.roles ^= {(role, who)}

    def _setProposer(self, who: str, granted: bool) -> None:  # noqa: N802
        self._set_role(PROPOSER, who, granted)

    def _setAttester(self, who: str, granted: bool) -> None:  # noqa: N802
        self._set_role(ATTESTER, who, granted)

    def _setGuardian(self, who: str, granted: bool) -> None:  # noqa: N802
        self._set_role(GUARDIAN, who, granted)
        if granted:
            at_rest = self.now + self.change_delay
            self.rests[who, "c"] = max(self.rests.get((who, "c"), 0), at_rest)

    def _setDelays(self, delay: int, reduction: int) -> None:  # noqa: N802
        demand(self.minimum_delay <= delay <= reduction <= 14 * DAY, "InvalidDelays")
        self.delay, self.reduction_delay = delay, reduction

    def _setThreshold(self, threshold: int) -> None:  # noqa: N802
        demand(threshold <= self.attester_count, "ThresholdAboveAttesters")
        self.threshold = threshold

    def _setCap(self, burst: int, per_day: int) -> None:  # noqa: N802
        self.cap = (burst, per_day)
        self.caps.append((self.now, per_day))

    def _transferAdmin(self, heir: str) -> None:  # noqa: N802
        self.pending_admin = heir

    def _retire(self) -> None:
        self.retired = True

    def accept_admin(self, who: str) -> None:
        demand(who == self.pending_admin, "NotPendingAdmin")
        self.admin, self.pending_admin = who, ZERO
