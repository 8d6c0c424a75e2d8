"""Section 5's `apportion` explained: who is held by the cap, the floor, and every unit left over.

Nothing is taken from the computation but the weights, which are published: who has left with the
cap, how many units rounding leaves, and who gets them, all follow from formulas over that column.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rewards.audit.explain.derivation import PublishedColumn
from rewards.rules.integers import WAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.audit.explain.derivation import Derivation, Input, Unit
    from rewards.rules.wct1.apportion import Apportionment

Weights = PublishedColumn | list[int]

_NAME = re.compile(r"[A-Za-z_]\w*")
_UNIT = "its part of the units left over"
_NOBODY = "nobody would get more than K"
_NOBODY_MORE = "nobody else would get more than K"
_LEFT = "so many would get more than K: they get K, the others share what is left"


def apportioned(
    own: Derivation,
    symbol: str,
    divided: Apportionment,
    pool: int,
    cap: int | None,
    weights: Weights,
    i: int,
    amount: int,
    section: str,
) -> int:
    """Explain one member's part of a pool: the cap, or floor and unit.

    Args:
        own: The member's derivation, to which the steps are added.
        symbol: What the part is called.
        divided: What `apportion` made of the pool; every step is held against it.
        pool: Base units.
        cap: The largest share as a WAD; None without one.
        weights: Those of all members, in id order.
        i: The member's position among them.
        amount: What the member gets, in base units.
        section: Where the rulebook says so.
    """
    return _Sharing(own, symbol, divided, weights, i, amount, section).explain(pool, cap)


class _Sharing:
    """The steps of one member, with Q and W as they stand."""

    def __init__(
        self,
        own: Derivation,
        symbol: str,
        divided: Apportionment,
        weights: Weights,
        i: int,
        amount: int,
        section: str,
    ) -> None:
        self.own = own
        self.symbol = symbol
        self.divided = divided
        self.weights = weights
        self.position = i
        self.amount = amount
        self.section = section
        self.weight = _values(weights)[i]
        self.pool = self.total = 0
        self.cap_amount: int | None = None

    def explain(self, pool: int, cap: int | None) -> int:
        if self.weight == 0:
            return self._amount("0", when="w == 0", note="no weight", w=self.weight)
        self.pool = self._step("Q", "pool", "wct", note="what is to be shared", pool=pool)
        self.total = self._step(
            "W", "sum(weights)", "weight", note="the weights of all members", weights=self.weights
        )
        if cap is not None and self._leaves_with_cap(pool, cap):
            return self._amount("K", when="Q * w > K * W", note="held by the cap", w=self.weight)
        floor = self._step(
            "q",
            "Q * w // W",
            "wct",
            when=self._stays("w"),
            note="its share by weight, rounded down",
            w=self.weight,
        )
        remainder = self._step(
            "r",
            "Q * w % W",
            "count",
            note="what rounding down cut off, to be compared with that of others",
            w=self.weight,
        )
        one = self._one(remainder)
        return self._amount("q + one", note="its part of the pool", q=floor, one=one)

    def _leaves_with_cap(self, pool: int, cap: int) -> bool:
        """Explain K, Q and W, round by round; return whether the member leaves with K.

        Whoever has left still passes the cap with the Q and W of a later round, since the share of
        each unit of weight only rises. So each round counts all of them anew, by one condition.
        """
        self.cap_amount = self._step(
            "K",
            "pool * cap // WAD",
            "wct",
            note="the most that one member may get",
            expect=self.divided.cap_amount,
            pool=pool,
            cap=cap,
        )
        left = 0
        for leavers in (*self.divided.rounds, ()):
            if self.position in leavers:
                return True
            left += len(leavers)
            self._step(
                "left",
                "sum(1 for x in weights if Q * x > K * W)",
                "count",
                expect=left,
                note=_LEFT if leavers else _NOBODY_MORE if left else _NOBODY,
                weights=self.weights,
            )
            if leavers:
                self._take_out(pool, left)
        return False

    def _take_out(self, pool: int, left: int) -> None:
        total = self._step(
            "W",
            "sum(x for x in weights if Q * x <= K * W)",
            "weight",
            note="the weights of the others",
            weights=self.weights,
        )
        self.pool = self._step(
            "Q", "pool - K * left", "wct", note="what is left for them", pool=pool, left=left
        )
        self.total = total

    def _one(self, remainder: int) -> int:
        """Explain whether the member gets one of the units that rounding down leaves."""
        rest = self._condition(" if Q * x <= K * W")
        units = self._step(
            "units",
            f"Q - sum(Q * x // W for x in weights{rest})",
            "count",
            expect=self.divided.units,
            note="what rounding down leaves: one each to the largest remainders",
            weights=self.weights,
        )
        if units == 0:
            return self._step("one", "0", "count", when="units == 0", note=_UNIT, units=units)
        last = self._step(
            "last_r",
            f"sorted(Q * x % W for x in weights{rest})[-units]",
            "count",
            note="the smallest remainder that still gets one",
            weights=self.weights,
            units=units,
        )
        if remainder == last:
            return self._one_of_equals(remainder, last, units)
        gets = remainder > last
        return self._step(
            "one",
            "1" if gets else "0",
            "count",
            when="r > last_r" if gets else "r < last_r",
            note=_UNIT,
            r=remainder,
            last_r=last,
        )

    def _one_of_equals(self, remainder: int, last: int, units: int) -> int:
        """Explain the unit of a member with the very remainder that still gets one."""
        also = self._condition(" and Q * x <= K * W")
        more = self._step(
            "more",
            f"sum(1 for x in weights if Q * x % W > last_r{also})",
            "count",
            note="so many have a larger remainder",
            weights=self.weights,
            last_r=last,
        )
        last_position = self._step(
            "last_position",
            "sorted(j for j, x in enumerate(weights) "
            f"if Q * x % W == last_r{also})[units - more - 1]",
            "count",
            note="the last, in id order, of those with this remainder who gets one; 0 is the first",
            weights=self.weights,
            last_r=last,
            units=units,
            more=more,
        )
        gets = self.position <= last_position
        comparison = "<=" if gets else ">"
        return self._step(
            "one",
            "1" if gets else "0",
            "count",
            when=f"r == last_r and position {comparison} last_position",
            note=_UNIT,
            r=remainder,
            last_r=last,
            position=self.position,
            last_position=last_position,
        )

    def _condition(self, text: str) -> str:
        return "" if self.cap_amount is None else text

    def _stays(self, weight: str) -> str | None:
        return None if self.cap_amount is None else f"Q * {weight} <= K * W"

    def _amount(
        self, formula: str, *, when: str | None = None, note: str = "", **inputs: int
    ) -> int:
        return self._step(
            self.symbol, formula, "wct", when=when, note=note, expect=self.amount, **inputs
        )

    def _step(
        self,
        symbol: str,
        formula: str,
        unit: Unit,
        *,
        when: str | None = None,
        note: str = "",
        expect: int | None = None,
        **inputs: Input,
    ) -> int:
        """Add a step; Q, W and K, as they stand, are inputs where it names them."""
        known = {
            "Q": self.pool,
            "W": self.total,
            "K": self.cap_amount or 0,
            "WAD": WAD,
            **inputs,
        }
        named = dict.fromkeys(_NAME.findall(f"{formula} {when or ''}"))
        given = {name: known[name] for name in named if name in known}
        return self.own.step(
            self.section, symbol, formula, unit, when=when, note=note, expect=expect, **given
        )


def _values(weights: Weights) -> Sequence[int]:
    return weights.values if isinstance(weights, PublishedColumn) else weights
