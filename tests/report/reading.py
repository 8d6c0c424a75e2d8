"""A report as its tests read it: tables, embedded blocks, attributes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass
class Table:
    """A table of the page: its heading or caption and its cells."""

    section: str
    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)
    values: list[list[str]] = field(default_factory=list)
    """The exact numbers of each row, from the `value` of its `data` elements."""


class Page(HTMLParser):
    """The parts of a report that tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[Table] = []
        self.blocks: dict[str, str] = {}
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.ids: list[str] = []
        self.texts: dict[str, str] = {}
        self._within: list[tuple[str, dict[str, str]]] = []
        self._section = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name, value) for name, value in found.items()]
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "section":
            self._section = found.get("id", "")
        if tag == "table":
            self.tables.append(Table(self._section))
        if tag == "tr":
            self.tables[-1].rows.append([])
            self.tables[-1].values.append([])
        if tag in {"td", "th"}:
            self.tables[-1].rows[-1].append("")
        if tag == "data" and self.tables and self._is_in("tr"):
            self.tables[-1].values[-1].append(found["value"])
        if tag in {"script", "style"}:
            {"script": self.scripts, "style": self.styles}[tag].append("")
        if tag not in {"meta", "input", "link", "br"}:
            self._within.append((tag, found))

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tag, found = self._within[-1] if self._within else ("", {})
        self.texts[self._section] = self.texts.get(self._section, "") + data
        if tag == "script" and "id" in found:
            self.blocks[found["id"]] = self.blocks.get(found["id"], "") + data
        elif tag == "script":
            self.scripts[-1] += data
        elif tag == "style":
            self.styles[-1] += data
        elif tag == "caption":
            self.tables[-1].caption += data
        elif self._is_in("td", "th"):
            self.tables[-1].rows[-1][-1] += data

    def _is_in(self, *tags: str) -> bool:
        return any(tag in tags for tag, _ in self._within)

    @property
    def head(self) -> dict[str, Any]:
        """The index and programs of the look-up."""
        document: dict[str, Any] = json.loads(self.blocks["epoch-data"])
        return document

    def text_of(self, section: str) -> str:
        """Return the words of a section."""
        return self.texts.get(section, "")

    def of_section(self, section: str) -> list[Table]:
        """Return the tables of a section."""
        return [table for table in self.tables if table.section == section]
