"""Section 5 explained: a wallet's tier, its weights, and its part of each pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.audit.explain.derivation import Derivation, PublishedColumn, in_short
from rewards.audit.explain.wct1.sharing import apportioned
from rewards.rules.integers import WAD
from rewards.rules.records import Tier, column_of
from rewards.rules.wct1.wallet_pay import pools_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rewards.rules.records import Inputs, Wallet, WalletResult
    from rewards.rules.wct1.epoch import Stages
    from rewards.rules.wct1.policy import Parameters


class WalletExplainer:
    """Derivations of one epoch's wallets."""

    def __init__(self, inputs: Inputs, stages: Stages) -> None:
        self.inputs = inputs
        self.stages = stages
        self.parameters: Parameters = inputs.policy.parameters
        self.wallets = inputs.wallets or ()
        self._columns: dict[str, PublishedColumn] = {}

    def explain(self, i: int) -> Derivation:
        """Return the derivation of the wallet at a position in id order."""
        wallet, row = self.wallets[i], self.stages.wallet_pools.rows[i]
        own = Derivation("wallet", wallet.wallet_id)
        own.payout_address = wallet.payout_address
        self._tier(own, wallet, row)
        from_eligible = self._from_pool(own, i, "eligible")
        from_certified = self._from_pool(own, i, "certified")
        own.amount = own.step(
            "5",
            "amount",
            "amount_eligible + amount_certified",
            "wct",
            expect=row.amount,
            amount_eligible=from_eligible,
            amount_certified=from_certified,
            note="both pools together",
        )
        own.say(*self._sentences(i, row))
        return own

    def _sentences(self, i: int, row: WalletResult) -> Iterator[str]:
        """Yield the summary of a wallet; those of one kind share it, but for the numbers."""
        policy = self.parameters.wallets
        words = "connections and signatures" if policy.activity == "sum" else policy.activity
        passes = "pass" if policy.threshold_rule == "over" else "reach"
        limit = f"the threshold of {policy.threshold:,}"
        if row.reason == "below_threshold":
            yield f"Its {{activity|count}} {words} do not {passes} {limit}, so it is not paid."
            return
        what = {Tier.CERTIFIED: "it is certified", Tier.ELIGIBLE: "it is eligible"}
        outcome = what.get(row.tier, "but its stake weight is too low, so it is not paid")
        yield f"Its {{activity|count}} {words} {passes} {limit}; {outcome}."
        for name in ("eligible", "certified"):
            yield from self._pool_sentence(i, name)
        if row.tier is Tier.CERTIFIED and policy.certified_in_eligible_pool:
            yield "Together {amount|wct}."

    def _pool_sentence(self, i: int, name: str) -> Iterator[str]:
        pools = self.stages.wallet_pools
        divided = pools.eligible if name == "eligible" else pools.certified
        pool = in_short(getattr(self.inputs.header.pools, f"wallets_{name}"), "wct")
        if not self._is_member(i, name):
            return
        if getattr(pools.rows[i], f"weight_{name}") == 0:
            yield f"Its weight in the {name} pool is 0: it gets nothing from it."
        elif any(i in leavers for leavers in divided.rounds):
            cap = in_short(self.parameters.wallets.share_cap or 0, "percent")
            yield (
                f"From the {name} pool of {pool} it gets {{amount {name}|wct}}: the cap of {cap}, "
                "which its weight would pass."
            )
        else:
            yield f"From the {name} pool of {pool} it gets {{amount {name}|wct}}, by its weight."

    def _is_member(self, i: int, name: str) -> bool:
        tier, policy = self.stages.wallet_pools.rows[i].tier, self.parameters.wallets
        in_eligible, in_certified = pools_of(tier, policy)
        return in_eligible if name == "eligible" else in_certified

    def column(self, name: str) -> PublishedColumn:
        """Return a column of `wallets.csv`."""
        if name not in self._columns:
            values = [int(value) for value in column_of(self.stages.wallet_pools.rows, name)]
            self._columns[name] = PublishedColumn("wallets.csv", name, values)
        return self._columns[name]

    def _tier(self, own: Derivation, wallet: Wallet, row: WalletResult) -> None:
        policy = self.parameters.wallets
        own.facts["certified"] = "true" if wallet.certified else "false"
        own.facts["stake weight"] = str(wallet.stake_weight)
        own.facts["tier"] = row.tier + (f", {row.reason}" if row.reason else "")
        active = own.step(
            "5",
            "activity",
            {
                "signatures": "signatures",
                "connections": "connections",
                "sum": "connections + signatures",
            }[policy.activity],
            "count",
            expect=row.activity,
            when=f"activity_rule == '{policy.activity}'",
            activity_rule=policy.activity,
            signatures=wallet.signatures,
            connections=wallet.connections,
            note="what the policy counts",
        )
        comparison = ">" if policy.threshold_rule == "over" else ">="
        over = row.reason != "below_threshold"
        own.step(
            "5",
            "over",
            "1" if over else "0",
            "count",
            when=f"activity {comparison} threshold"
            if over
            else f"not activity {comparison} threshold",
            note="1: it passes the threshold" if over else "0: it does not pass the threshold",
            activity=active,
            threshold=policy.threshold,
        )
        if not over:
            return
        condition = {
            Tier.CERTIFIED: "certified and stake_weight >= min_stake_certified",
            Tier.ELIGIBLE: "not (certified and stake_weight >= min_stake_certified)"
            " and stake_weight >= min_stake_eligible",
            Tier.INELIGIBLE: "not (certified and stake_weight >= min_stake_certified)"
            " and stake_weight < min_stake_eligible",
        }[row.tier]
        own.step(
            "5",
            "tier",
            f"'{row.tier}'",
            "count",
            when=condition,
            certified=wallet.certified,
            stake_weight=wallet.stake_weight,
            min_stake_certified=policy.min_stake_certified,
            min_stake_eligible=policy.min_stake_eligible,
            note="over the threshold: the first of these that holds",
        )

    def _from_pool(self, own: Derivation, i: int, name: str) -> int:
        policy, wallet = self.parameters.wallets, self.wallets[i]
        row = self.stages.wallet_pools.rows[i]
        eligible = name == "eligible"
        weight = row.weight_eligible if eligible else row.weight_certified
        amount = row.amount_eligible if eligible else row.amount_certified
        if not self._is_member(i, name):
            own.facts[f"{name} pool"] = "not a member"
            return 0
        p, q = policy.eligible_exponent if eligible else policy.certified_exponent
        if name != "eligible" and any(step.symbol == "m" for step in own.steps):
            m = next(step.value for step in own.steps if step.symbol == "m")
        else:
            excess = policy.measure == "excess"
            m = own.step(
                "5",
                "m",
                "(activity - threshold) * ux_wad" if excess else "activity * ux_wad",
                "count",
                when=f"measure == '{policy.measure}'",
                measure=policy.measure,
                activity=row.activity,
                threshold=policy.threshold,
                ux_wad=wallet.ux_score,
                note="the activity that counts, times the UX score as a WAD",
            )
        own.step(
            "5",
            f"w {name}",
            "iroot(q, m**p * WAD**q // t**p)",
            "ratio",
            expect=weight,
            note=f"its weight in the {name} pool: (m/t)^({p}/{q}) as a WAD, rounded down",
            m=m,
            p=p,
            q=q,
            t=policy.threshold * WAD if policy.threshold else WAD,
            WAD=WAD,
        )
        pool = getattr(self.inputs.header.pools, f"wallets_{name}")
        pools = self.stages.wallet_pools
        return apportioned(
            own,
            f"amount {name}",
            pools.eligible if eligible else pools.certified,
            pool,
            policy.share_cap,
            self.column(f"weight_{name}"),
            i,
            amount,
            "5",
        )
