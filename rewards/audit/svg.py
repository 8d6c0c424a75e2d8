"""Small plots as SVG text: the same numbers always give the same bytes, and no float is made.

Bars that point left and right of zero, and lines over a range. Colours follow the reader's light or
dark setting; every plot has a title, and every mark tells its exact value to who points at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from rewards.rules.integers import WCT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

WIDTH = 760
ROW = 22
LABEL_WIDTH = 250
VALUE_WIDTH = 120
PLOT_HEIGHT = 300
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 46, 76

STYLE = """
svg { font: 12px system-ui, sans-serif; background: #fff; }
text { fill: #1c2330; } .note { fill: #5a6475; } .axis { stroke: #9aa3b2; fill: none; }
.grid { stroke: #9aa3b2; stroke-opacity: 0.35; fill: none; }
.up { fill: #12715b; } .down { fill: #b3413a; }
.s0 { stroke: #1f5fbf; } .s1 { stroke: #c05a00; } .s2 { stroke: #12715b; } .s3 { stroke: #8a3ab9; }
.s4 { stroke: #b3413a; } .s5 { stroke: #5a6475; }
.d0 { stroke-dasharray: none; } .d1 { stroke-dasharray: 7 3; } .d2 { stroke-dasharray: 2 3; }
.line { fill: none; stroke-width: 2; } .dot { fill: #fff; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
svg { background: #12161d; } text { fill: #e6eaf2; } .note { fill: #a3adbd; }
.up { fill: #4fc3a1; } .down { fill: #f08a80; } .dot { fill: #12161d; }
.s0 { stroke: #7fb0ff; } .s1 { stroke: #ffb066; } .s2 { stroke: #4fc3a1; } .s3 { stroke: #d19bf0; }
.s4 { stroke: #f08a80; } .s5 { stroke: #a3adbd; }
}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """A labelled amount, with the text that stands beside its bar."""

    label: str
    amount: int
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """A named line; points ascend in x. A faint one is only there to compare with."""

    name: str
    points: Sequence[tuple[Fraction, Fraction]]
    faint: bool = False


def bars(title: str, rows: Sequence[Bar], note: str = "") -> bytes:
    """Return a plot with a row per bar: gains to the right, losses to the left of one zero line."""
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    gain = max((row.amount for row in rows if row.amount > 0), default=0)
    loss = max((-row.amount for row in rows if row.amount < 0), default=0)
    whole = gain + loss
    zero = LABEL_WIDTH + (loss * room // whole if whole else 0)
    parts = []
    for i, row in enumerate(rows):
        y = TOP + i * ROW
        length = abs(row.amount) * room * 10 // whole if whole else 0
        start = zero * 10 - (length if row.amount < 0 else 0)
        parts.append(_text(8, y + 14, row.label))
        parts.append(
            f'<rect class="{"down" if row.amount < 0 else "up"}" x="{_tenths(start)}" y="{y + 3}" '
            f'width="{_tenths(length)}" height="{ROW - 7}">'
            f"<title>{escape(row.label)}: {escape(row.text)}</title></rect>"
        )
        parts.append(_text(WIDTH - 8, y + 14, row.text, anchor="end"))
    bottom = TOP + len(rows) * ROW
    parts.append(f'<path class="axis" d="M{zero} {TOP}V{bottom}"/>')
    if note:
        parts.append(_text(8, bottom + 20, note, kind="note"))
    return _document(title, bottom + 34, parts)


def lines(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    x_ticks: Sequence[tuple[Fraction, str]],
    y_ticks: Sequence[tuple[Fraction, str]],
    dots: bool = True,
) -> bytes:
    """Return a plot with a line per series.

    Args:
        title: What is shown.
        series: The lines.
        x_label: Name of the horizontal axis.
        y_label: Name of the vertical axis.
        x_ticks: Marked places of the horizontal axis, with their words; the first and the last
            one are its ends.
        y_ticks: The same of the vertical axis, from below.
        dots: Whether each point is marked.
    """
    x_range = (x_ticks[0][0], x_ticks[-1][0])
    y_range = (y_ticks[0][0], y_ticks[-1][0])
    left, right, base = LEFT, WIDTH - RIGHT, TOP + PLOT_HEIGHT

    def x_of(x: Fraction) -> str:
        return _tenths(left * 10 + _scaled(x, x_range, (right - left) * 10))

    def y_of(y: Fraction) -> str:
        return _tenths(base * 10 - _scaled(y, y_range, PLOT_HEIGHT * 10))

    parts = [
        f'<path class="axis" d="M{left} {TOP}V{base}H{right}"/>',
        _text(8, TOP - 8, y_label, kind="note"),
        _text(right, base + 34, x_label, kind="note", anchor="end"),
    ]
    parts += [_text(x_of(x), base + 16, words, anchor="middle") for x, words in x_ticks]
    for y, words in y_ticks:
        parts.append(f'<path class="grid" d="M{left} {y_of(y)}H{right}"/>')
        parts.append(_text(left - 6, y_of(y), words, anchor="end", middle=True))
    for i, line in enumerate(series):
        colour = f"s{i % 6}"
        look = "axis" if line.faint else f"line {colour} d{i % 3}"
        path = "L".join(f"{x_of(x)} {y_of(y)}" for x, y in line.points)
        name = escape(line.name)
        parts.append(f'<path class="{look}" d="M{path}"><title>{name}</title></path>')
        if dots:
            parts += [
                f'<circle class="dot {colour}" cx="{x_of(x)}" cy="{y_of(y)}" r="3.5">'
                f"<title>{name}</title></circle>"
                for x, y in line.points
            ]
        column, row = i % 2, i // 2
        legend_x, legend_y = left + column * 330, base + 52 + row * 18
        parts += [
            f'<path class="{look}" d="M{legend_x} {legend_y - 4}h26"/>',
            _text(legend_x + 32, legend_y, line.name),
        ]
    return _document(title, base + BOTTOM + 18 * ((len(series) - 1) // 2), parts)


def signed_wct(amount: int) -> str:
    """Return base units as WCT with a sign and two places, cut off."""
    sign = "+" if amount > 0 else "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // WCT:,}.{abs(amount) % WCT // 10**16:02d}"


def _scaled(value: Fraction, ends: tuple[Fraction, Fraction], length: int) -> int:
    """Return where a value lies between two ends, on a line of that length."""
    low, high = ends
    return int((value - low) * length / (high - low)) if high > low else 0


def _tenths(tenths: int) -> str:
    """Return a coordinate given in tenths of a pixel."""
    return f"{tenths // 10}.{tenths % 10}"


def _text(
    x: int | str,
    y: int | str,
    words: str,
    *,
    kind: str = "",
    anchor: str = "start",
    middle: bool = False,
) -> str:
    look = f' class="{kind}"' if kind else ""
    look += ' dominant-baseline="middle"' if middle else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{look}>{escape(words)}</text>'


def _document(title: str, height: int, parts: Sequence[str]) -> bytes:
    # Nothing is loaded and nothing runs: one element, one style, escaped words.
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>\n'
        f'<text x="8" y="22" font-size="15" font-weight="600">{escape(title)}</text>\n'
    )
    return (head + "\n".join(parts) + "\n</svg>\n").encode()
