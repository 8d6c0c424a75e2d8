"""A small SVG writer: escaped text, classes instead of styles, integer coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Point = tuple[int, int]
"""x and y in tenths of an SVG unit."""

SHAPES = {
    "circle": "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0Z",
    "diamond": "M0,-6L6,0L0,6L-6,0Z",
    "triangle": "M0,-5.5L5.5,4.5L-5.5,4.5Z",
    "square": "M-4.5,-4.5H4.5V4.5H-4.5Z",
}


def unit(tenths: int) -> str:
    """Return a length for an attribute."""
    whole, rest = divmod(abs(tenths), 10)
    return f"{'-' if tenths < 0 else ''}{whole}{f'.{rest}' if rest else ''}"


class Drawing:
    """An SVG under construction, with a name and a description for who does not see it."""

    def __init__(
        self,
        key: str,
        title: str,
        description: str,
        width: int,
        height: int,
        *,
        stretches: bool = False,
    ) -> None:
        self.key = key
        self.title = title
        self.description = description
        self.width = width
        self.height = height
        self.stretches = stretches
        self.parts: list[Markup] = []

    def add(self, template: str, *values: object) -> None:
        """Append markup; the values are escaped."""
        self.parts.append(Markup(template).format(*values))  # noqa: S704 - values are escaped

    def line(self, start: Point, end: Point, kind: str) -> None:
        """Draw a straight line."""
        places = [unit(length) for length in (*start, *end)]
        self.add('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>', *places, kind)

    def path(self, points: Iterable[Point], kind: str) -> None:
        """Draw a line through points."""
        through = "L".join(f"{unit(x)},{unit(y)}" for x, y in points)
        self.add('<path d="M{}" class="{}"/>', through, kind)

    def rectangle(self, corner: Point, size: Point, kind: str, tip: str = "") -> None:
        """Draw a filled rectangle."""
        places = [unit(length) for length in (*corner, *size)]
        self.add(
            '<rect x="{}" y="{}" width="{}" height="{}" class="{}"{}/>', *places, kind, _tip(tip)
        )

    def mark(self, shape: str, at: Point, kind: str, tip: str = "", look: str = "") -> None:
        """Draw a mark of the plot; `tip` is shown when it is pointed at, `look` looked up."""
        self.add(
            '<path d="{}" transform="translate({},{})" class="mark {}"{}{}/>',
            SHAPES[shape],
            unit(at[0]),
            unit(at[1]),
            kind,
            _tip(tip),
            Markup(' data-look="{}"').format(look) if look else "",
        )

    def disc(self, at: Point, radius: int, kind: str, tip: str) -> None:
        """Draw a disc that stands for several."""
        places = [unit(length) for length in (*at, radius)]
        self.add('<circle cx="{}" cy="{}" r="{}" class="mark {}"{}/>', *places, kind, _tip(tip))

    def text(self, at: Point, words: str, kind: str = "label", anchor: str = "start") -> None:
        """Write a text."""
        self.add(
            '<text x="{}" y="{}" class="{}" text-anchor="{}">{}</text>',
            unit(at[0]),
            unit(at[1]),
            kind,
            anchor,
            words,
        )

    def turned_text(self, at: Point, words: str) -> None:
        """Write the name of a vertical axis."""
        self.add(
            '<text transform="translate({},{}) rotate(-90)" class="axis-name" '
            'text-anchor="middle">{}</text>',
            unit(at[0]),
            unit(at[1]),
            words,
        )

    def legend(self, at: Point, entries: Sequence[tuple[str, str, str]]) -> None:
        """Write (shape, kind, words) side by side."""
        x, y = at
        for shape, kind, words in entries:
            self.mark(shape, (x, y - 40), kind)
            self.text((x + 100, y), words, "label")
            x += 220 + 66 * len(words)

    def markup(self) -> Markup:
        """Return the SVG element."""
        return Markup(
            '<svg class="plot" viewBox="0 0 {width} {height}" role="img"{stretch} '
            'aria-labelledby="{key}-title {key}-text">'
            '<title id="{key}-title">{title}</title><desc id="{key}-text">{text}</desc>'
            "{parts}</svg>"
        ).format(
            stretch=Markup(' preserveAspectRatio="none"') if self.stretches else "",
            width=self.width,
            height=self.height,
            key=self.key,
            title=self.title,
            text=self.description,
            parts=Markup("").join(self.parts),
        )


def _tip(tip: str) -> Markup:
    return Markup(' data-tip="{}"').format(tip) if tip else Markup("")
