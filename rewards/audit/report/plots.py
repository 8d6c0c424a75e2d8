"""The plots of the report, drawn from the published tables."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from markupsafe import Markup

from rewards.audit.report.drawing import Drawing, Point, unit
from rewards.audit.report.figures import lorenz_points
from rewards.audit.report.scales import (
    Linear,
    Logarithmic,
    decades,
    linear_from_zero,
    nines,
)
from rewards.audit.report.words import decimal, plain_wct
from rewards.files.grammar import counted
from rewards.rules.integers import WAD, WCT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from rewards.audit.report.figures import Concentration, Pool
    from rewards.audit.report.source import Row, Source
    from rewards.audit.report.wct1 import WctOneView

WIDTH, HEIGHT = 760, 430
LEFT, RIGHT, TOP, BOTTOM = 760, 7450, 420, 3720
"""The frame of a plot, in tenths."""

DRAWN_ONE_BY_ONE = 1_500
"""Above this many marks, neighbours are drawn as one."""
CELL = 60

NODE_SHAPES = {"active": "circle", "reserved": "diamond"}
TIER_SHAPES = {"certified": "diamond", "eligible": "circle"}


# --- parts of every plot -----------------------------------------------------------------------


def _frame(drawing: Drawing, x_name: str, y_name: str) -> None:
    drawing.line((LEFT, BOTTOM), (RIGHT, BOTTOM), "axis")
    drawing.text(((LEFT + RIGHT) // 2, BOTTOM + 480), x_name, "axis-name", "middle")
    drawing.turned_text((130, (TOP + BOTTOM) // 2), y_name)


def _x_tick(drawing: Drawing, x: int, words: str) -> None:
    drawing.line((x, BOTTOM), (x, BOTTOM + 50), "axis")
    drawing.text((x, BOTTOM + 210), words, "tick", "middle")


def _y_tick(drawing: Drawing, y: int, words: str) -> None:
    drawing.line((LEFT, y), (RIGHT, y), "grid")
    drawing.text((LEFT - 80, y + 40), words, "tick", "end")


def _vertical(drawing: Drawing, x: int, words: str) -> None:
    drawing.line((x, TOP), (x, BOTTOM), "limit")
    if x - LEFT > 1500:
        drawing.text((x - 60, TOP + 110), words, "limit-name", "end")
    else:
        drawing.text((x + 60, TOP + 110), words, "limit-name", "start")


def large(number: int) -> str:
    """Return a count for a tick: 100, 10 k, 1 M, 1 bn."""
    for size, word in ((10**9, "bn"), (10**6, "M"), (10**3, "k")):
        if number >= size and number % size == 0:
            return f"{number // size:,} {word}"
    return f"{number:,}"


def wct_tick(amount: int) -> str:
    """Return an amount for a tick: 0.01, 10, 10,000."""
    if amount % WCT == 0:
        return f"{amount // WCT:,}"
    return plain_wct(amount, 18).rstrip("0")


# --- pools -------------------------------------------------------------------------------------


def pool_bar(pool: Pool, key: str) -> Markup:
    """Return a bar of what a pool was paid, withheld and left."""
    drawing = Drawing(
        key,
        f"{pool.label}: where the pool went",
        f"{plain_wct(pool.paid)} WCT paid, {plain_wct(pool.withheld)} withheld, "
        f"{plain_wct(pool.unallocated)} unallocated of {plain_wct(pool.approved)}.",
        400,
        14,
        stretches=True,
    )
    start = 0
    running = 0
    for kind, amount in (
        ("paid", pool.paid),
        ("withheld", pool.withheld),
        ("unallocated", pool.unallocated),
    ):
        running += amount
        end = running * 4000 // pool.approved if pool.approved else 0
        if amount:
            # A part that is there is seen, however small it is.
            end = max(end, start + 20)
            tip = f"{kind}: {plain_wct(amount)} WCT"
            drawing.rectangle((start, 0), (end - start, 140), f"part {kind}", tip)
        start = end
    if not pool.approved:
        drawing.rectangle((0, 0), (4000, 140), "part empty")
    return drawing.markup()


# --- score against pay -------------------------------------------------------------------------


def score_against_pay(source: Source, view: WctOneView) -> Markup | None:
    """Return the plot of nodes that were paid for a score; None when there are none."""
    rows = [row for row in source.nodes if row["pay_factor"] > 0]
    if not rows:
        return None
    tau = view.parameters.nodes.tau
    x = nines(WAD, (row["score"] for row in rows), LEFT + 150, RIGHT - LEFT - 300)
    highest = max(row["base"] + row["bonus"] for row in rows)
    y = linear_from_zero(highest, BOTTOM, TOP - BOTTOM)
    drawing = Drawing(
        "score-pay",
        "Performance score against pay of active and reserved nodes",
        "Each mark is a node: its score to the right, what it was paid upwards. A stroke above a "
        "mark is what was withheld. The table of nodes holds the same numbers.",
        WIDTH,
        HEIGHT,
    )
    for tick in y.ticks(5):
        _y_tick(drawing, y.place(tick), wct_tick(tick))
    for tick in x.ticks():
        _x_tick(drawing, x.place(tick), wct_tick(tick))
    _vertical(drawing, x.place(tau), f"tau {wct_tick(tau)}")
    _frame(drawing, "performance score P, stretched towards 1", "paid, WCT")
    for row in sorted(rows, key=lambda row: row["node_id"]):
        _node_mark(drawing, row, (x.place(row["score"]), y.place(row["paid"])), y)
    drawing.legend(
        (LEFT, 160),
        [
            ("circle", "one", "active at the opening"),
            ("diamond", "two", "reserved at the opening"),
        ],
    )
    return drawing.markup()


def _node_mark(drawing: Drawing, row: Row, at: Point, y: Linear) -> None:
    due = row["base"] + row["bonus"]
    if row["withheld"]:
        drawing.line(at, (at[0], y.place(due)), "withheld-stroke")
    status = row["opening_status"]
    tip = (
        f"{row['node_id']}\n{status}, score {wct_tick(row['score'])[:6]}\n"
        f"paid {plain_wct(row['paid'])} WCT"
    )
    if row["withheld"]:
        tip += f"\nwithheld {plain_wct(row['withheld'])} WCT"
    kind = "one" if status == "active" else "two"
    drawing.mark(NODE_SHAPES.get(status, "square"), at, kind, tip, row["node_id"])


# --- wallets -----------------------------------------------------------------------------------


def wallets_against_activity(source: Source, view: WctOneView) -> Markup | None:
    """Return the plot of wallets' amounts against their activity; None without a paid wallet."""
    paid = [row for row in source.wallets if row["amount"] > 0]
    if not paid:
        return None
    active = [row["activity"] for row in source.wallets]
    amounts = [row["amount"] for row in paid]
    x = decades(min(active), max(*active, view.threshold), LEFT + 100, RIGHT - LEFT - 150)
    y = decades(min(amounts), max(amounts), BOTTOM - 420, TOP - BOTTOM + 420)
    words = view.activity_words
    drawing = Drawing(
        "wallet-pay",
        f"Allocation of wallets against {words}",
        f"Each mark is a wallet: its {words} to the right, its amount upwards, both logarithmic. "
        "The lines are what a wallet with UX score 1 gets. Wallets without pay lie in the strip "
        "at the bottom.",
        WIDTH,
        HEIGHT,
    )
    for tick in y.ticks():
        _y_tick(drawing, y.place(tick), wct_tick(tick))
    for tick in x.ticks():
        _x_tick(drawing, x.place(tick), large(tick))
    if view.threshold:
        _vertical(drawing, x.place(view.threshold), f"paid {view.threshold_words}")
    _unpaid_strip(drawing, source, x)
    for tier in TIER_SHAPES:
        if any(row["tier"] == tier for row in paid):
            _curve(drawing, view, tier, x, y)
    _wallet_marks(drawing, paid, x, y, x.place(view.threshold) if view.threshold else 0)
    _frame(drawing, f"{words} in the window", "amount, WCT")
    drawing.legend(
        (LEFT, 160),
        [
            ("diamond", "two", "certified"),
            ("circle", "one", "eligible"),
            ("square", "three", "ineligible: no pay"),
        ],
    )
    return drawing.markup()


def _unpaid_strip(drawing: Drawing, source: Source, x: Logarithmic) -> None:
    """Draw the wallets without pay as strokes at the bottom, those at one place together."""
    there: dict[int, int] = defaultdict(int)
    for row in source.wallets:
        if row["amount"] == 0:
            there[x.place(row["activity"]) // 20 * 20] += 1
    drawing.line((LEFT, BOTTOM - 300), (RIGHT, BOTTOM - 300), "grid")
    drawing.text((LEFT - 80, BOTTOM - 110), "none", "tick", "end")
    for place, count in sorted(there.items()):
        tip = f"{counted(count, 'wallet')} without pay"
        drawing.rectangle((place, BOTTOM - 240), (16, 180), "mark three", tip)


def _curve(drawing: Drawing, view: WctOneView, tier: str, x: Logarithmic, y: Logarithmic) -> None:
    """Draw what a wallet of a tier gets for its activity, evaluated by the rules themselves."""
    steps = 240
    low, high = max(view.threshold + 1, x.low), x.high
    points = []
    for step in range(steps + 1):
        activity = _between(low, high, step, steps)
        amount = view.amount_at(activity, tier)
        if y.low <= amount <= y.high:
            points.append((x.place(activity), y.place(amount)))
    if len(points) > 1:
        kind = "two" if tier == "certified" else "one"
        drawing.path(points, f"curve {kind}")


def _between(low: int, high: int, step: int, steps: int) -> int:
    """Return a value a part of the way from low to high, on a logarithmic scale by doubling."""
    doublings = (high // low).bit_length()
    position = doublings * step * 1000 // steps
    whole, part = divmod(position, 1000)
    return min((low << whole) * (1000 + part) // 1000, high)


def _wallet_marks(
    drawing: Drawing, paid: Sequence[Row], x: Logarithmic, y: Logarithmic, origin: int
) -> None:
    """Draw the paid wallets; many of them in cells, of which one begins at `origin`."""
    places = [(x.place(row["activity"]), y.place(row["amount"])) for row in paid]
    if len(paid) <= DRAWN_ONE_BY_ONE:
        for row, at in zip(paid, places, strict=True):
            tip = (
                f"{row['wallet_id']}\n{row['tier']}, activity {row['activity']:,}\n"
                f"{plain_wct(row['amount'])} WCT"
            )
            kind = "two" if row["tier"] == "certified" else "one"
            drawing.mark(TIER_SHAPES[row["tier"]], at, kind, tip, row["wallet_id"])
        return
    cells: dict[tuple[str, int, int], int] = defaultdict(int)
    for row, (across, up) in zip(paid, places, strict=True):
        column = origin + (across - origin) // CELL * CELL
        cells[row["tier"], column, up // CELL * CELL] += 1
    for (tier, across, up), count in sorted(cells.items()):
        kind = "two" if tier == "certified" else "one"
        tip = f"{counted(count, f'{tier} wallet')} here"
        # The area grows with the logarithm of the count, so that single wallets are seen too.
        radius = 12 + 2 * count.bit_length()
        drawing.disc((across + CELL // 2, up + CELL // 2), radius, f"{kind} many", tip)


# --- concentration -----------------------------------------------------------------------------


def lorenz(groups: Sequence[Concentration]) -> Markup | None:
    """Return the Lorenz curves; None when nobody is paid."""
    if not groups:
        return None
    side = BOTTOM - TOP
    left = LEFT

    def place(point: tuple[Fraction, Fraction]) -> Point:
        across, up = point
        return (
            left + across.numerator * side // across.denominator,
            BOTTOM - up.numerator * side // up.denominator,
        )

    drawing = Drawing(
        "lorenz",
        "Lorenz curves of the epoch's amounts",
        "How much of the amount the smaller recipients get together: the further a curve hangs "
        "below the straight line, the more unequal. "
        + " ".join(f"Gini of {g.label} {decimal(g.gini)}." for g in groups),
        480,
        HEIGHT,
    )
    for tenth in range(0, 11, 2):
        at = tenth * side // 10
        _lorenz_tick(drawing, left, at, side, f"{tenth * 10} %")
    drawing.line((left, BOTTOM), (left + side, TOP), "even")
    for kind, group in zip(("one", "two", "three"), groups, strict=False):
        drawing.path([place(point) for point in lorenz_points(group.amounts, 200)], f"curve {kind}")
    x = left + 80
    for row, (kind, group) in enumerate(zip(("one", "two", "three"), groups, strict=False)):
        y = TOP + 160 + 210 * row
        drawing.line((x, y - 40), (x + 240, y - 40), f"curve {kind}")
        drawing.text((x + 310, y), f"{group.label}, Gini {decimal(group.gini)}")
    drawing.line((left, BOTTOM), (left + side, BOTTOM), "axis")
    drawing.text((left + side // 2, BOTTOM + 480), "share of the recipients", "axis-name", "middle")
    drawing.turned_text((130, (TOP + BOTTOM) // 2), "share of the amount")
    return drawing.markup()


def _lorenz_tick(drawing: Drawing, left: int, at: int, side: int, words: str) -> None:
    drawing.line((left, BOTTOM - at), (left + side, BOTTOM - at), "grid")
    drawing.text((left - 80, BOTTOM - at + 40), words, "tick", "end")
    drawing.line((left + at, BOTTOM), (left + at, BOTTOM + 50), "axis")
    drawing.text((left + at, BOTTOM + 210), words, "tick", "middle")


# --- moves -------------------------------------------------------------------------------------


def move_bar(delta: int, largest: int) -> Markup:
    """Return a small bar to the right for a rise, to the left for a fall; its row says how much."""
    length = abs(delta) * 590 // largest if largest else 0
    start = 600 if delta >= 0 else 600 - length
    return Markup(
        '<svg class="move" viewBox="0 0 120 12" aria-hidden="true">'
        '<line x1="60" y1="0" x2="60" y2="12" class="axis"/>'
        '<rect x="{}" y="2" width="{}" height="8" class="part {}"/></svg>'
    ).format(unit(start), unit(max(length, 10)), "paid" if delta >= 0 else "withheld")
