"""What came of a rehearsal, as data: for `--json`, for the receipts, and for the table.

Amounts are base units, as decimal strings in documents.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from rewards.rehearsal.folder import REHEARSAL_FORMAT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rewards.files.epoch import ComputedEpoch
    from rewards.rehearsal.epochs import Subject
    from rewards.rehearsal.stage import Action, Settled
    from rewards.rules.records import Settlement

TOP_PAYEES = 10


@dataclass(frozen=True, slots=True)
class EpochSummary:
    """Where the money of one epoch went.

    With `earned = node_pay + wallet_pay`: `approved = earned + withheld + unallocated`, and
    `earned + adjustments + recovery = paid_out`, exactly.
    """

    epoch: int
    approved: int
    node_pay: int
    wallet_pay: int
    withheld: int
    unallocated: int
    adjustments: int
    """Signed: what was approved beyond the pools, or is taken back."""
    recovery: int
    """Signed: what is owed at the end less what was owed at the start; later epochs pay it off."""
    paid_out: int
    payees: int
    root: str | None
    own_root: str | None
    """The root under the target that the epoch's own files name."""

    @property
    def stays(self) -> int:
        """What stays in the treasury; negative where adjustments paid more than the pools left."""
        return self.approved - self.paid_out


@dataclass(frozen=True, slots=True)
class Payee:
    """An account and what it got in all."""

    account: str
    amount: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A program and what it paid, to how many ids."""

    name: str
    amount: int
    ids: int


@dataclass(frozen=True, slots=True)
class GasUse:
    """The gas of all transactions of one kind."""

    action: str
    transactions: int
    gas: int


@dataclass(frozen=True)
class Outcome:
    """A rehearsal that went through and reconciled to zero.

    Attributes:
        subject: What was rehearsed.
        chain: The chain's name.
        target: The rehearsal's contracts.
        operator: The account that sent everything.
        delay: Seconds between proposal and activation.
        setup: Deployment and funding.
        bound: The epochs as computed for the rehearsal's target.
        settled: The settlements, in order; none when nobody has a cumulative amount.
    """

    subject: Subject
    chain: str
    target: Settlement
    operator: str
    delay: int
    setup: tuple[Action, ...]
    bound: tuple[ComputedEpoch, ...]
    settled: tuple[Settled, ...]

    @cached_property
    def epochs(self) -> list[EpochSummary]:
        """Where the money of each epoch went."""
        pairs = zip(self.subject.epochs, self.bound, strict=True)
        return [_summary(own, bound) for own, bound in pairs]

    @property
    def paid_out(self) -> int:
        """What the rehearsed epochs paid out in all; not what a predecessor had."""
        return self.total("paid_out")

    def total(self, figure: str) -> int:
        """Return the sum of one figure over the epochs."""
        return sum(getattr(summary, figure) for summary in self.epochs)

    @property
    def programs(self) -> list[Program]:
        """What each program paid over all epochs."""
        results = [epoch.result for epoch in self.subject.epochs]
        nodes = [(row.node_id, row.paid) for result in results for row in result.nodes]
        wallets = [row for result in results for row in result.wallets]
        return [
            _program("nodes", nodes),
            _program("wallets, eligible", [(w.wallet_id, w.amount_eligible) for w in wallets]),
            _program("wallets, certified", [(w.wallet_id, w.amount_certified) for w in wallets]),
        ]

    @cached_property
    def payees(self) -> list[Payee]:
        """Every account that got something, the largest amount first."""
        amounts: defaultdict[str, int] = defaultdict(int)
        ids: defaultdict[str, set[str]] = defaultdict(set)
        for result in (epoch.result for epoch in self.subject.epochs):
            for row in result.allocations:
                amounts[row.account] += row.epoch_amount
            for node in result.nodes:
                ids[node.payout_address].add(node.node_id)
            for wallet in result.wallets:
                ids[wallet.payout_address].add(wallet.wallet_id)
        payees = [
            Payee(account, amount, tuple(sorted(ids[account])))
            for account, amount in amounts.items()
            if amount
        ]
        return sorted(payees, key=lambda payee: (-payee.amount, payee.account))

    @property
    def actions(self) -> list[Action]:
        """Every transaction, in order."""
        return [*self.setup, *(action for settled in self.settled for action in settled.actions)]

    @property
    def gas(self) -> list[GasUse]:
        """The gas per kind of action, in order of first use."""
        by_name: defaultdict[str, list[int]] = defaultdict(list)
        for action in self.actions:
            by_name[action.name].append(action.gas)
        return [GasUse(name, len(used), sum(used)) for name, used in by_name.items()]

    @property
    def leaves_claimed(self) -> int:
        """How many leaves were claimed, over all settlements."""
        return sum(settled.leaves for settled in self.settled)

    def as_json(self) -> dict[str, object]:
        """Return the outcome as a JSON object, amounts as decimal strings."""
        return {
            "format": REHEARSAL_FORMAT,
            "ok": True,
            "name": self.subject.name,
            "chain": {
                "name": self.chain,
                "chain_id": str(self.target.chain_id),
                "distributor": self.target.distributor,
                "token": self.target.token,
                "operator": self.operator,
                "delay_seconds": str(self.delay),
            },
            "own_target": {
                "chain_id": str(self.subject.target.chain_id),
                "distributor": self.subject.target.distributor,
                "token": self.subject.target.token,
            },
            "epochs": [_as_text({**asdict(e), "stays": e.stays}) for e in self.epochs],
            "programs": [_as_text(asdict(program)) for program in self.programs],
            "payees": str(len(self.payees)),
            "top_payees": [
                {"account": p.account, "amount": str(p.amount), "ids": list(p.ids)}
                for p in self.payees[:TOP_PAYEES]
            ],
            "settlements": [settled_document(settled) for settled in self.settled],
            "setup": [_as_text(asdict(action)) for action in self.setup],
            "gas": [_as_text(asdict(use)) for use in self.gas],
            "paid_out": str(self.paid_out),
            "stays": str(self.total("stays")),
        }


def settled_document(settled: Settled) -> dict[str, object]:
    """Return a settlement as a JSON object: its receipt."""
    settling = settled.settling
    distribution = settling.distribution
    return {
        "epoch": str(settling.epoch),
        "settles": [str(number) for number in settling.epochs],
        "opening": settling.is_opening,
        "merkle_root": "0x" + distribution.root.hex(),
        "manifest_hash": "0x" + settling.manifest_hash.hex(),
        "cumulative_total": str(distribution.cumulative_total),
        "paid": str(settling.total),
        "leaves_claimed": str(settled.leaves),
        "accounts_paid": str(settled.paid_accounts),
        "actions": [_as_text(asdict(action)) for action in settled.actions],
        "reconciliation": _as_text(asdict(settled.reconciliation)),
    }


def _summary(own: ComputedEpoch, bound: ComputedEpoch) -> EpochSummary:
    identities = {identity.name: identity for identity in own.result.identities}
    pools = [i for i in identities.values() if i.whole[0] == "pool"]
    ledger = identities["ledger"]
    rows = own.result.allocations
    return EpochSummary(
        epoch=own.inputs.header.epoch,
        approved=sum(pool.whole[1] for pool in pools),
        node_pay=ledger.plus["node_paid"],
        wallet_pay=ledger.plus["wallet_amount"],
        withheld=sum(pool.plus["withheld"] for pool in pools),
        unallocated=sum(pool.plus["unallocated"] for pool in pools),
        adjustments=ledger.plus["adjustments"],
        recovery=ledger.plus["recovery_out"] - ledger.minus["recovery_in"],
        paid_out=ledger.whole[1],
        payees=sum(row.epoch_amount > 0 for row in rows),
        root=_root(bound),
        own_root=_root(own),
    )


def _root(epoch: ComputedEpoch) -> str | None:
    return "0x" + epoch.distribution.root.hex() if epoch.distribution else None


def _program(name: str, amounts: Sequence[tuple[str, int]]) -> Program:
    paid = {number for number, amount in amounts if amount}
    return Program(name, sum(amount for _, amount in amounts), len(paid))


def _as_text(values: Mapping[str, object]) -> dict[str, object]:
    return {key: str(v) if isinstance(v, int) else v for key, v in values.items()}
