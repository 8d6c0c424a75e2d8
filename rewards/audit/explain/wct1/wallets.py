"""Section 5 explained: a wallet's tier, its weights, and its part of each pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.audit.explain.derivation import Derivation, PublishedColumn
from rewards.audit.explain.wct1.sharing import apportioned
from rewards.rules.integers import WAD
from rewards.rules.records import Tier, column_of

if TYPE_CHECKING:
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
        )
        return own

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
            note=f"threshold_rule {policy.threshold_rule}",
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
        )

    def _from_pool(self, own: Derivation, i: int, name: str) -> int:
        policy, wallet = self.parameters.wallets, self.wallets[i]
        row = self.stages.wallet_pools.rows[i]
        eligible = name == "eligible"
        weight = row.weight_eligible if eligible else row.weight_certified
        amount = row.amount_eligible if eligible else row.amount_certified
        member = row.tier is Tier.CERTIFIED or (eligible and row.tier is Tier.ELIGIBLE)
        if eligible and row.tier is Tier.CERTIFIED and not policy.certified_in_eligible_pool:
            member = False
        if not member:
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
            )
        own.step(
            "5",
            f"w {name}",
            "iroot(q, m**p * WAD**q // t**p)",
            "ratio",
            expect=weight,
            note=f"(m/t)^({p}/{q}) as a WAD",
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
