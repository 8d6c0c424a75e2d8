"""A plot with two logarithmic axes, as SVG text."""

from __future__ import annotations

from math import ceil, floor, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

COLOURS = ("#0072b2", "#56b4e9", "#009e73", "#d55e00", "#e69f00", "#cc79a7", "#777777", "#000000")
LEFT, TOP, WIDTH, HEIGHT, LEGEND = 60, 20, 420, 320, 310


def plot(series: Mapping[str, Mapping[int, float]]) -> str:
    """Return seconds against wallets, a line per series."""
    counts = sorted({count for points in series.values() for count in points})
    seconds = [value for points in series.values() for value in points.values()]
    low, high = floor(log10(min(seconds))), ceil(log10(max(seconds)))
    first, last = log10(counts[0]), max(log10(counts[-1]), log10(counts[0]) + 1)

    def x(count: float) -> float:
        return LEFT + WIDTH * (log10(count) - first) / (last - first)

    def y(value: float) -> float:
        return TOP + HEIGHT * (high - log10(value)) / (high - low)

    size = f"0 0 {LEFT + WIDTH + LEGEND} {TOP + HEIGHT + 50}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" font-family="sans-serif">',
        "<title>Seconds against wallets, both axes logarithmic</title>",
        "<style>text { font-size: 12px }</style>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for power in range(low, high + 1):
        parts.append(
            f'<path d="M{LEFT} {y(10**power):.1f}h{WIDTH}" stroke="#ddd"/>'
            f'<text x="{LEFT - 6}" y="{y(10**power) + 4:.1f}" text-anchor="end">'
            f"{10**power:g} s</text>"
        )
    for count in counts:
        parts.append(
            f'<text x="{x(count):.1f}" y="{TOP + HEIGHT + 20}" text-anchor="middle">'
            f"{count:,}</text>"
        )
    parts.append(
        f'<text x="{LEFT + WIDTH / 2}" y="{TOP + HEIGHT + 42}" text-anchor="middle">wallets</text>'
    )
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        line = " ".join(f"{x(c):.1f},{y(v):.1f}" for c, v in sorted(points.items()))
        dashes = ' stroke-dasharray="6 3"' if name.startswith("tree") else ""
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
        )
        parts += [
            f'<circle cx="{x(c):.1f}" cy="{y(v):.1f}" r="3" fill="{colour}"/>'
            for c, v in points.items()
        ]
        parts.append(
            f'<text x="{LEFT + WIDTH + 20}" y="{TOP + 20 * number + 12}" fill="{colour}">'
            f"{name}</text>"
        )
    return "\n".join([*parts, "</svg>"]) + "\n"
