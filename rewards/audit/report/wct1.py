"""What the report knows of ruleset `wct-1`: its kinds of derivation, its curve, its threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.audit.report.programs import Own, Program, program_of, replay, require_same
from rewards.rules.integers import WAD
from rewards.rules.records import Tier
from rewards.rules.wct1.wallet_pay import curve, measure

if TYPE_CHECKING:
    from collections.abc import Hashable

    from rewards.audit.explain.derivation import Derivation, Step
    from rewards.audit.explain.wct1 import WctOneExplainer
    from rewards.rules.records import Address, Wallet
    from rewards.rules.wct1.apportion import Apportionment
    from rewards.rules.wct1.policy import Parameters

_WALLET_OWN = ("signatures", "connections", "certified", "stake_weight", "ux_wad", "position")
_WALLET_FACTS = {"certified": "certified", "stake weight": "stake_weight"}
_WALLET_LINKS = {
    "activity": "activity",
    "m": "m",
    "Q": "Q",
    "W": "W",
    "K": "K",
    "left": "left",
    "r": "r",
    "units": "units",
    "last_r": "last_r",
    "more": "more",
    "last_position": "last_position",
    "one": "one",
    "amount_eligible": "amount eligible",
    "amount_certified": "amount certified",
}
_ACCOUNT_OWN = (
    "node_paid",
    "wallet_amounts",
    "positive_adjustments",
    "negative_adjustments",
    "recovery_in",
    "previous_cumulative",
)
_ACCOUNT_LINKS = ("earned", "owed", "epoch_amount")


class WctOneView:
    """One epoch under `wct-1`, as the report needs it."""

    def __init__(self, explainer: WctOneExplainer) -> None:
        self.explainer = explainer
        self.parameters: Parameters = explainer.parameters
        self.pools = explainer.stages.wallet_pools

    # --- derivations -------------------------------------------------------------------------

    def wallet_programs(self) -> tuple[list[Program], list[int]]:
        """Return the programs of all wallets and, wallet by wallet, which one is its own."""
        kinds = self._kinds()
        members: dict[Hashable, list[int]] = {}
        for i, kind in enumerate(kinds):
            members.setdefault(kind, []).append(i)
        programs = [self._wallet_program(positions) for positions in members.values()]
        number = {kind: n for n, kind in enumerate(members)}
        return programs, [number[kind] for kind in kinds]

    def wallet_own(self, i: int) -> Own:
        """Return a wallet's own numbers."""
        wallet = self.explainer.wallets[i]
        return {
            "signatures": wallet.signatures,
            "connections": wallet.connections,
            "certified": wallet.certified,
            "stake_weight": wallet.stake_weight,
            "ux_wad": wallet.ux_score,
            "position": i,
        }

    def account_program(self) -> Program | None:
        """Return the one program of all accounts; None when there is no account."""
        rows = self.explainer.stages.allocations
        if not rows:
            return None
        program = program_of(self._ledger(rows[0].account), _bind_account, {}, "epoch_amount")
        program["facts"] = []  # adjustments and leaf: the page words them
        program["steps"][0]["note"] = {"own": "origin"}
        return program

    def _ledger(self, account: Address) -> Derivation:
        return next(d for d in self.explainer.account(account) if d.kind == "account")

    def _kinds(self) -> list[Hashable]:
        eligible, certified = _Outcome(self.pools.eligible), _Outcome(self.pools.certified)
        return [
            (
                row.tier,
                row.reason,
                eligible.of(i, row.weight_eligible),
                certified.of(i, row.weight_certified),
            )
            for i, row in enumerate(self.pools.rows)
        ]

    def _wallet_program(self, positions: list[int]) -> Program:
        """Return a kind's program, made from its first member and tried on others."""
        model = self.explainer.wallet(positions[0])
        binder = _WalletBinder()
        program = program_of(model, binder.bind, _WALLET_FACTS, "amount")
        for i in {positions[0], positions[len(positions) // 2], positions[-1]}:
            wallet = self.explainer.wallets[i]
            made = replay(program, model, wallet.wallet_id, self.wallet_own(i))
            require_same(made, self.explainer.wallet(i))
        return program

    # --- the plot of wallets -----------------------------------------------------------------

    @property
    def threshold(self) -> int:
        """The activity from which a wallet is paid."""
        return self.parameters.wallets.threshold

    @property
    def threshold_words(self) -> str:
        """How the threshold counts, for a label."""
        over = self.parameters.wallets.threshold_rule == "over"
        return f"{'over' if over else 'from'} {self.threshold:,}"

    @property
    def activity_words(self) -> str:
        """What the activity is, for an axis."""
        rule = self.parameters.wallets.activity
        return "connections + signatures" if rule == "sum" else rule

    def amount_at(self, activity: int, tier: str) -> int:
        """Return what a wallet of a tier with UX score 1 gets for an activity: the curve."""
        policy = self.parameters.wallets
        m = measure(activity, WAD, policy)
        amount = 0
        if tier == Tier.ELIGIBLE or policy.certified_in_eligible_pool:
            weight = curve(m, policy.eligible_exponent, policy)
            amount += _amount(self.pools.eligible, weight)
        if tier == Tier.CERTIFIED:
            weight = curve(m, policy.certified_exponent, policy)
            amount += _amount(self.pools.certified, weight)
        return amount

    def wallet(self, i: int) -> Wallet:
        """Return the input row of a wallet."""
        return self.explainer.wallets[i]


class _Outcome:
    """How `apportion` treated a member: no weight, capped in some round, or a rounded share."""

    def __init__(self, divided: Apportionment) -> None:
        self.capped = {i: n for n, leavers in enumerate(divided.rounds) for i in leavers}
        self.divided = divided

    def of(self, i: int, weight: int) -> Hashable:
        if weight == 0 or i in self.capped:
            return ("no weight",) if weight == 0 else ("capped", self.capped[i])
        last = self.divided.last_unit
        if last is None:
            return ("share", "no units")
        remainder = self.divided.rest_pool * weight % self.divided.rest_weight
        last_remainder, last_position = last
        if remainder == last_remainder:
            return ("share", "earlier" if i <= last_position else "later")
        return ("share", "above" if remainder > last_remainder else "below")


class _WalletBinder:
    """Tells for each input of a wallet's steps where its number comes from.

    It is asked in the order of the steps. These go through one pool and then the other, so `w` and
    `q` mean what was computed last under that symbol.
    """

    def __init__(self) -> None:
        self.computed: set[str] = set()
        self.weight_symbol = ""

    def bind(self, step: Step, name: str) -> dict[str, str] | None:
        self.computed.add(step.symbol)
        if step.symbol.startswith("w "):
            self.weight_symbol = step.symbol
        if name in _WALLET_OWN:
            return {"own": name}
        if name == "w":
            return {"step": self.weight_symbol}
        if name == "q":  # the floor in the sum, an exponent elsewhere
            return {"step": "q"} if step.symbol.startswith("amount ") else None
        link = _WALLET_LINKS.get(name)
        return {"step": link} if link in self.computed else None


def _bind_account(_: Step, name: str) -> dict[str, str] | None:
    if name in _ACCOUNT_OWN:
        return {"own": name}
    return {"step": name} if name in _ACCOUNT_LINKS else None


def _amount(divided: Apportionment, weight: int) -> int:
    if not divided.rest_weight:
        return divided.cap_amount or 0
    share = divided.rest_pool * weight // divided.rest_weight
    return share if divided.cap_amount is None else min(share, divided.cap_amount)
