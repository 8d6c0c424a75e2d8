"""Sections 2 to 4 explained: a node's score, its pay, and why the one leads to the other."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from rewards.audit.explain.derivation import Derivation, PublishedColumn
from rewards.audit.explain.wct1.sharing import apportioned
from rewards.audit.moments import timed
from rewards.rules.integers import WAD, format_decimal
from rewards.rules.records import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rewards.rules.records import Inputs, Node
    from rewards.rules.wct1.epoch import Stages
    from rewards.rules.wct1.node_pay import NodePay
    from rewards.rules.wct1.policy import Parameters


class NodeExplainer:
    """Derivations of one epoch's nodes."""

    def __init__(self, inputs: Inputs, stages: Stages) -> None:
        self.inputs = inputs
        self.stages = stages
        self.parameters: Parameters = inputs.policy.parameters
        self.nodes = inputs.nodes or ()

    def explain(self, i: int) -> Derivation:
        """Return the derivation of the node at a position in id order."""
        node, pay = self.nodes[i], self.stages.node_pool.pays[i]
        own = Derivation("node", node.node_id)
        own.payout_address = node.payout_address
        own.facts["opening status"] = self.stages.opening_states[node.node_id].status
        own.facts["closing status"] = self.stages.closing_states[node.node_id].status
        moves = [move for move in self.stages.transitions if move.node_id == node.node_id]
        for number, move in enumerate(moves, start=1):
            own.facts[f"change {number}"] = (
                f"{move.step}: {move.before} to {move.after}, {timed(move.reason)}"
            )
        score = self._score(own, node)
        factor = self._pay_factor(own, node, pay)
        base = self._base(own, node, i, factor)
        bonus = self._bonus(own, node, i, factor, score)
        self._net(own, pay, factor, base, bonus, score)
        own.amount = pay.paid
        own.say(*self._sentences(node, pay))
        return own

    def _sentences(self, node: Node, pay: NodePay) -> Iterator[str]:
        """Yield the summary of a node, for a person."""
        status = self.stages.opening_states[node.node_id].status
        how = {
            Status.ACTIVE: "is paid in full",
            Status.RESERVED: "is paid {f|percent} of a full share",
        }
        yield f"It was {status} when the epoch opened, so it {how.get(status, 'is not paid')}."
        if node.node_id in self.stages.performances:
            yield self._score_sentence(node, paid=pay.pay_factor > 0)
        if pay.pay_factor > 0:
            yield f"Base {{base|wct}} and bonus {{bonus|wct}}{_less(pay)}: paid {{paid|wct}}."
        if pay.debt_out:
            yield "It still owes {debt_out|wct}, which later epochs take."
        for move in self.stages.transitions:
            if move.node_id == node.node_id:
                yield f"At the end of the epoch it went from {move.before} to {move.after}."

    def _score_sentence(self, node: Node, *, paid: bool) -> str:
        row = next(r for r in self.inputs.node_scores or () if r.node_id == node.node_id)
        policy = self.parameters.performance
        target, ceiling = policy.latency_target_us // 1000, policy.latency_ceiling_us // 1000
        answered = (
            f"answered in {row.response_time_us // row.requests // 1000:,} ms on average (full "
            f"marks up to {target:,} ms, none from {ceiling:,} ms on)"
            if row.requests
            else "answered no request"
        )
        tau = self.parameters.nodes.tau
        below = self.stages.performances[node.node_id].score < tau
        verdict = f"{'below' if below else 'not below'} tau {format_decimal(tau)}"
        if below and paid:
            verdict += ", so there is no bonus, but a penalty"
        up = "It was up for {U|percent} of the epoch and "
        return f"{up}{answered}: score {{P|score}}, {verdict}."

    def _score(self, own: Derivation, node: Node) -> int | None:
        """Section 2."""
        performance = self.stages.performances.get(node.node_id)
        if performance is None:
            own.facts["score"] = "none: no row in node_scores.csv"
            return None
        row = next(r for r in self.inputs.node_scores or () if r.node_id == node.node_id)
        policy, window = self.parameters.performance, self.inputs.header.window
        seconds = own.step(
            "1",
            "E",
            "end - start",
            "count",
            end=window.end,
            start=window.start,
            note="the length of the epoch in seconds",
        )
        uptime = own.step(
            "2",
            "U",
            "uptime_seconds * WAD // E",
            "ratio",
            expect=performance.uptime,
            uptime_seconds=row.uptime_seconds,
            WAD=WAD,
            E=seconds,
            note="uptime, as a part of the epoch",
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
            note="the latency score: 1 up to the target mean, 0 from the ceiling, a line between",
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
            note="the performance score",
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
            note="the pay factor of its status at the opening",
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
            note="the base pool: the part alpha of the pool R",
        )
        if policy.base_weighting == "stake":
            weight = own.step(
                "4",
                "c",
                "f * stake_weight",
                "weight",
                f=factor,
                stake_weight=node.stake_weight,
                note="what it counts for in the base pool",
            )
            total = own.step(
                "4",
                "C",
                "sum(f * s for f, s in zip(pay_factor, stake_weight))",
                "weight",
                expect=sum(pool.base_weights),
                pay_factor=self._pay_factors,
                stake_weight=self._stakes,
                note="what all nodes count for",
            )
        else:
            weight = own.step(
                "4", "c", "f", "ratio", f=factor, note="what it counts for in the base pool"
            )
            total = own.step(
                "4",
                "C",
                "sum(pay_factor)",
                "ratio",
                expect=sum(pool.base_weights),
                pay_factor=self._pay_factors,
                note="what all nodes count for",
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
            note="its part of the base pool",
        )

    def _bonus(self, own: Derivation, node: Node, i: int, factor: int, score: int | None) -> int:
        pool, policy = self.stages.node_pool, self.parameters.nodes
        bonus_pool = own.step(
            "4",
            "Rx",
            "R - Rb",
            "wct",
            expect=pool.bonus_pool,
            R=pool.pool,
            Rb=pool.base_pool,
            note="the bonus pool: the rest of R",
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
            note="what its score is weighted by",
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
            note="its weight in the bonus pool",
        )
        paid = pool.pays[i].bonus
        if pool.apportionment is not None:
            weights = list(pool.bonus_weights)
            cap, divided = policy.share_cap, pool.apportionment
            return apportioned(own, "bonus", divided, bonus_pool, cap, weights, i, paid, "4")
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
            note="the weights of all paid nodes, had each scored 1",
        )
        return own.step(
            "4",
            "bonus",
            "Rx * b // (WAD * full)" if full else "0",
            "wct",
            when="full > 0" if full else "full == 0",
            expect=paid,
            note="its part of the bonus pool; nobody earns more because a rival was down",
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
            note="for a score below tau, growing with the distance",
        )
        due = own.step(
            "4",
            "due",
            "penalty + debt_in",
            "wct",
            penalty=fine,
            debt_in=pay.debt_in,
            note="what is to be taken from its pay",
        )
        paid = own.step(
            "4",
            "paid",
            "max(base + bonus - due, 0)",
            "wct",
            expect=pay.paid,
            base=base,
            bonus=bonus,
            due=due,
            note="what is left of base and bonus",
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
            note="what could not be taken and is carried on",
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
            note="what stays in the pool of base and bonus",
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


def _less(pay: NodePay) -> str:
    if pay.penalty and pay.debt_in:
        return ", less {due|wct} of penalty and older debts"
    if pay.penalty:
        return ", less a penalty of {penalty|wct}"
    return ", less {due|wct} of older debts" if pay.debt_in else ""


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
