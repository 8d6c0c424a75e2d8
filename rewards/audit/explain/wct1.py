"""How ruleset `wct-1` explains itself: the formulas of the rulebook with one epoch's numbers."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from rewards.audit.explain.derivation import Derivation, PublishedColumn
from rewards.merkle.distribution import Domain
from rewards.rules.integers import WAD
from rewards.rules.records import Status, Tier
from rewards.rules.wct1.epoch import compute_stages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.rules.records import Address, Inputs, Node, Opening, Wallet, WalletResult
    from rewards.rules.wct1.apportion import Apportionment
    from rewards.rules.wct1.node_pay import NodePay
    from rewards.rules.wct1.policy import Parameters


class WctOneExplainer:
    """Derivations for one epoch."""

    def __init__(self, inputs: Inputs, opening: Opening | None) -> None:
        self.inputs = inputs
        self.opening = opening
        self.parameters: Parameters = inputs.policy.parameters
        self.stages = compute_stages(inputs, opening)
        self.nodes = inputs.nodes or ()
        self.wallets = inputs.wallets or ()

    def identifier(self, subject: str) -> list[Derivation]:
        """Return the derivations of a node, a wallet, or both."""
        return [
            *(self._node(i) for i, node in enumerate(self.nodes) if node.node_id == subject),
            *(self._wallet(i) for i, w in enumerate(self.wallets) if w.wallet_id == subject),
        ]

    def account(self, account: Address) -> list[Derivation]:
        """Return the derivations of everything that pays into an account, then its ledger."""
        row = next((row for row in self.stages.allocations if row.account == account), None)
        parts = [
            *(self._node(i) for i, n in enumerate(self.nodes) if n.payout_address == account),
            *(self._wallet(i) for i, w in enumerate(self.wallets) if w.payout_address == account),
        ]
        if row is None:
            return parts
        own = Derivation("account", account)
        own.payout_address = account
        adjustments = [a for a in self.inputs.adjustments or () if a.payout_address == account]
        for number, adjustment in enumerate(adjustments, start=1):
            own.facts[f"adjustment {number}"] = (
                f"{adjustment.amount}: {adjustment.reason} (approved by {adjustment.approved_by})"
            )
        earned = own.step(
            "6",
            "earned",
            "sum(node_paid) + sum(wallet_amounts) + sum(positive_adjustments)",
            "wct",
            note="from " + (", ".join(part.subject for part in parts) or "adjustments alone"),
            node_paid=[part.amount for part in parts if part.kind == "node"],
            wallet_amounts=[part.amount for part in parts if part.kind == "wallet"],
            positive_adjustments=[a.amount for a in adjustments if a.amount > 0],
        )
        owed = own.step(
            "6",
            "owed",
            "recovery_in - sum(negative_adjustments)",
            "wct",
            recovery_in=row.recovery_in,
            negative_adjustments=[a.amount for a in adjustments if a.amount < 0],
        )
        own.amount = own.step(
            "6",
            "epoch_amount",
            "max(earned - owed, 0)",
            "wct",
            expect=row.epoch_amount,
            earned=earned,
            owed=owed,
        )
        own.step(
            "6",
            "recovery_out",
            "max(owed - earned, 0)",
            "wct",
            expect=row.recovery_out,
            note="kept until later epochs have paid it off",
            earned=earned,
            owed=owed,
        )
        own.step(
            "6",
            "cumulative",
            "previous_cumulative + epoch_amount",
            "wct",
            expect=row.cumulative,
            previous_cumulative=row.previous_cumulative,
            epoch_amount=own.amount,
        )
        if row.cumulative:
            settlement = self.inputs.settlement
            domain = Domain(settlement.chain_id, settlement.distributor, self.inputs.header.epoch)
            own.facts["leaf"] = (
                f"({domain.chain_id}, {domain.distributor}, {domain.epoch}, {account}, "
                f"{row.cumulative})"
            )
            own.facts["leaf hash"] = "0x" + domain.leaf_hash(account, row.cumulative).hex()
        return [*parts, own]

    # --- nodes -------------------------------------------------------------------------------

    def _node(self, i: int) -> Derivation:
        node, pay = self.nodes[i], self.stages.node_pool.pays[i]
        own = Derivation("node", node.node_id)
        own.payout_address = node.payout_address
        own.facts["opening status"] = self.stages.opening_states[node.node_id].status
        own.facts["closing status"] = self.stages.closing_states[node.node_id].status
        moves = [move for move in self.stages.transitions if move.node_id == node.node_id]
        for number, move in enumerate(moves, start=1):
            own.facts[f"change {number}"] = (
                f"{move.step}: {move.before} to {move.after}, {move.reason}"
            )
        score = self._score(own, node)
        factor = self._pay_factor(own, node, pay)
        base = self._base(own, node, i, factor)
        bonus = self._bonus(own, node, i, factor, score)
        self._net(own, pay, factor, base, bonus, score)
        own.amount = pay.paid
        return own

    def _score(self, own: Derivation, node: Node) -> int | None:
        """Section 2."""
        performance = self.stages.performances.get(node.node_id)
        if performance is None:
            own.facts["score"] = "none: no row in node_scores.csv"
            return None
        row = next(r for r in self.inputs.node_scores or () if r.node_id == node.node_id)
        policy, window = self.parameters.performance, self.inputs.header.window
        seconds = own.step("1", "E", "end - start", "count", end=window.end, start=window.start)
        uptime = own.step(
            "2",
            "U",
            "uptime_seconds * WAD // E",
            "ratio",
            expect=performance.uptime,
            uptime_seconds=row.uptime_seconds,
            WAD=WAD,
            E=seconds,
        )
        target, ceiling = policy.latency_target_us, policy.latency_ceiling_us
        when, formula = _latency_case(row.response_time_us, row.requests, target, ceiling)
        latency = own.step(
            "2",
            "L",
            formula,
            "ratio",
            when=when,
            expect=performance.latency_score,
            response_time_us=row.response_time_us,
            requests=row.requests,
            target_us=target,
            ceiling_us=ceiling,
            WAD=WAD,
        )
        product = policy.combine == "product"
        return own.step(
            "2",
            "P",
            "(Wu * U) * (Wl * L) // WAD**3" if product else "(Wu * U + Wl * L) // (Wu + Wl)",
            "ratio",
            expect=performance.score,
            when=f"combine == '{policy.combine}'",
            combine=policy.combine,
            Wu=policy.uptime_weight,
            U=uptime,
            Wl=policy.latency_weight,
            L=latency,
            WAD=WAD,
        )

    def _pay_factor(self, own: Derivation, node: Node, pay: NodePay) -> int:
        status = self.stages.opening_states[node.node_id].status
        formula, when = {
            Status.ACTIVE: ("WAD", "opening_status == 'active'"),
            Status.RESERVED: ("reserved_factor", "opening_status == 'reserved'"),
        }.get(status, ("0", "opening_status not in ('active', 'reserved')"))
        return own.step(
            "4",
            "f",
            formula,
            "ratio",
            when=when,
            expect=pay.pay_factor,
            opening_status=str(status),
            reserved_factor=self.parameters.nodes.reserved_factor,
            WAD=WAD,
        )

    def _base(self, own: Derivation, node: Node, i: int, factor: int) -> int:
        pool, policy = self.stages.node_pool, self.parameters.nodes
        base_pool = own.step(
            "4",
            "Rb",
            "R * alpha // WAD",
            "wct",
            expect=pool.base_pool,
            R=pool.pool,
            alpha=policy.alpha,
            WAD=WAD,
        )
        if policy.base_weighting == "stake":
            weight = own.step(
                "4", "c", "f * stake_weight", "weight", f=factor, stake_weight=node.stake_weight
            )
            total = own.step(
                "4",
                "C",
                "sum(f * s for f, s in zip(pay_factor, stake_weight))",
                "weight",
                expect=sum(pool.base_weights),
                pay_factor=self._pay_factors,
                stake_weight=self._stakes,
            )
        else:
            weight = own.step("4", "c", "f", "ratio", f=factor)
            total = own.step(
                "4",
                "C",
                "sum(pay_factor)",
                "ratio",
                expect=sum(pool.base_weights),
                pay_factor=self._pay_factors,
            )
        return own.step(
            "4",
            "base",
            "Rb * c // C" if total else "0",
            "wct",
            when="C > 0" if total else "C == 0",
            expect=pool.pays[i].base,
            Rb=base_pool,
            c=weight,
            C=total,
        )

    def _bonus(self, own: Derivation, node: Node, i: int, factor: int, score: int | None) -> int:
        pool, policy = self.stages.node_pool, self.parameters.nodes
        bonus_pool = own.step(
            "4", "Rx", "R - Rb", "wct", expect=pool.bonus_pool, R=pool.pool, Rb=pool.base_pool
        )
        stake = node.stake_weight if policy.weighting == "stake" else 1
        own.step(
            "4",
            "a",
            "stake_weight" if policy.weighting == "stake" else "1",
            "count",
            expect=stake,
            when=f"weighting == '{policy.weighting}'",
            weighting=policy.weighting,
            stake_weight=node.stake_weight,
        )
        earns = score is not None and factor > 0 and score >= policy.tau
        weight = own.step(
            "4",
            "b",
            "a * f * P" if earns else "0",
            "count",
            when="P >= tau and f > 0" if earns else "f == 0 or P < tau",
            expect=pool.bonus_weights[i],
            a=stake,
            f=factor,
            P=score or 0,
            tau=policy.tau,
        )
        paid = pool.pays[i].bonus
        if pool.apportionment is not None:
            weights = list(pool.bonus_weights)
            cap, divided = policy.share_cap, pool.apportionment
            return _apportioned(own, "bonus", divided, bonus_pool, cap, weights, i, paid, "4")
        full = own.step(
            "4",
            "full",
            "sum(a * f for a, f in zip(stake_weight, pay_factor))"
            if policy.weighting == "stake"
            else "sum(pay_factor)",
            "count",
            expect=pool.full_bonus_weight,
            stake_weight=self._stakes,
            pay_factor=self._pay_factors,
        )
        return own.step(
            "4",
            "bonus",
            "Rx * b // (WAD * full)" if full else "0",
            "wct",
            when="full > 0" if full else "full == 0",
            expect=paid,
            note="nobody earns more because a rival was down",
            Rx=bonus_pool,
            b=weight,
            full=full,
            WAD=WAD,
        )

    def _net(
        self,
        own: Derivation,
        pay: NodePay,
        factor: int,
        base: int,
        bonus: int,
        score: int | None,
    ) -> None:
        policy = self.parameters.nodes
        below = factor > 0 and score is not None and score < policy.tau
        fine = own.step(
            "4",
            "penalty",
            "base * penalty_rate * (tau - P) // (tau * WAD)" if below else "0",
            "wct",
            when="f > 0 and P < tau" if below else "f == 0 or P >= tau",
            expect=pay.penalty,
            f=factor,
            base=base,
            penalty_rate=policy.penalty_rate,
            tau=policy.tau,
            P=score or 0,
            WAD=WAD,
        )
        due = own.step("4", "due", "penalty + debt_in", "wct", penalty=fine, debt_in=pay.debt_in)
        paid = own.step(
            "4",
            "paid",
            "max(base + bonus - due, 0)",
            "wct",
            expect=pay.paid,
            base=base,
            bonus=bonus,
            due=due,
        )
        carries = policy.carry_debt or factor == 0
        own.step(
            "4",
            "debt_out",
            "max(due - base - bonus, 0)" if carries else "0",
            "wct",
            when="carry_debt or f == 0" if carries else "not carry_debt and f > 0",
            expect=pay.debt_out,
            carry_debt=policy.carry_debt,
            f=factor,
            due=due,
            base=base,
            bonus=bonus,
        )
        own.step(
            "4",
            "withheld",
            "base + bonus - paid",
            "wct",
            expect=pay.withheld,
            base=base,
            bonus=bonus,
            paid=paid,
        )

    @cached_property
    def _pay_factors(self) -> PublishedColumn:
        factors = [pay.pay_factor for pay in self.stages.node_pool.pays]
        return PublishedColumn("nodes.csv", "pay_factor", factors)

    @cached_property
    def _stakes(self) -> PublishedColumn:
        return PublishedColumn(
            "inputs/nodes.csv", "stake_weight", [node.stake_weight for node in self.nodes]
        )

    # --- wallets -----------------------------------------------------------------------------

    def _wallet(self, i: int) -> Derivation:
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
        rows = self.stages.wallet_pools.rows
        row = rows[i]
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
        weights = [r.weight_eligible if eligible else r.weight_certified for r in rows]
        pool = getattr(self.inputs.header.pools, f"wallets_{name}")
        pools = self.stages.wallet_pools
        return _apportioned(
            own,
            f"amount {name}",
            pools.eligible if eligible else pools.certified,
            pool,
            policy.share_cap,
            PublishedColumn("wallets.csv", f"weight_{name}", weights),
            i,
            amount,
            "5",
        )


def _latency_case(
    response_time_us: int, requests: int, target_us: int, ceiling_us: int
) -> tuple[str, str]:
    """Return the condition and the formula of L that apply."""
    if requests == 0 or response_time_us >= ceiling_us * requests:
        return "requests == 0 or response_time_us >= ceiling_us * requests", "0"
    if response_time_us <= target_us * requests:
        return "requests > 0 and response_time_us <= target_us * requests", "WAD"
    return (
        "target_us * requests < response_time_us < ceiling_us * requests",
        "(ceiling_us * requests - response_time_us) * WAD // ((ceiling_us - target_us) * requests)",
    )


def _apportioned(
    own: Derivation,
    symbol: str,
    divided: Apportionment,
    pool: int,
    cap: int | None,
    weights: PublishedColumn | list[int],
    i: int,
    amount: int,
    section: str,
) -> int:
    """Explain one member's part of `apportion`: the cap, or floor and remainder."""
    weight = _values(weights)[i]
    if weight == 0:
        return own.step(
            section, symbol, "0", "wct", when="w == 0", expect=amount, note="no weight", w=weight
        )
    left: list[int] = []
    cap_amount = divided.cap_amount
    if cap is not None:
        formula = "pool * cap // WAD"
        own.step(section, "K", formula, "wct", expect=cap_amount, pool=pool, cap=cap, WAD=WAD)
    for leavers in divided.rounds:
        if i in leavers:
            break
        left.extend(leavers)
    q, total = _rest(own, pool, weights, left, cap_amount, section)
    if cap_amount is not None and any(i in leavers for leavers in divided.rounds):
        return own.step(
            section,
            symbol,
            "K",
            "wct",
            when="Q * w > K * W",
            expect=amount,
            note="the cap",
            Q=q,
            w=weight,
            K=cap_amount,
            W=total,
        )
    floor = own.step(section, "q", "Q * w // W", "wct", Q=q, w=weight, W=total)
    remainder = own.step(section, "r", "Q * w % W", "count", Q=q, w=weight, W=total)
    one = _one(own, divided, remainder, i, section)
    return own.step(section, symbol, "q + one", "wct", expect=amount, q=floor, one=one)


def _values(weights: PublishedColumn | list[int]) -> Sequence[int]:
    return weights.values if isinstance(weights, PublishedColumn) else weights


def _rest(
    own: Derivation,
    pool: int,
    weights: PublishedColumn | list[int],
    left: Sequence[int],
    cap_amount: int | None,
    section: str,
) -> tuple[int, int]:
    """Explain Q and W: the pool and the weight of those who have not left with the cap."""
    gone = [_values(weights)[j] for j in left]
    total = own.step(section, "W", "sum(weights) - sum(left)", "weight", weights=weights, left=gone)
    if cap_amount is None:
        return own.step(section, "Q", "pool", "wct", pool=pool), total
    q = own.step(section, "Q", "pool - K * len(left)", "wct", pool=pool, K=cap_amount, left=gone)
    return q, total


def _one(own: Derivation, divided: Apportionment, remainder: int, i: int, section: str) -> int:
    """Explain whether the member got one of the units left by rounding down."""
    if divided.last_unit is None:
        return own.step(section, "one", "0", "count", when="units == 0", units=divided.units)
    last_remainder, last_position = divided.last_unit
    gets = (-remainder, i) <= (-last_remainder, last_position)
    condition = "r > last_r or (r == last_r and position <= last_position)"
    return own.step(
        section,
        "one",
        "1" if gets else "0",
        "count",
        when=condition if gets else f"not ({condition})",
        note=f"{divided.units} units go to the largest remainders, ties in id order",
        r=remainder,
        position=i,
        last_r=last_remainder,
        last_position=last_position,
    )
