"""Times as a person reads them; published tables hold UTC seconds."""

from __future__ import annotations

import re

from rewards.files.grammar import format_time

_SECONDS = re.compile(r"\b(until|end) (\d{9,11})\b", re.ASCII)


def moment(text: str) -> str:
    """Return an RFC 3339 time in a manifest without its letters."""
    return text.replace("T", " ").removesuffix(":00Z").removesuffix("Z")


def timed(reason: str) -> str:
    """Return a transition's reason with its times, UTC seconds in the table, in words."""
    return _SECONDS.sub(
        lambda found: f"{found[1]} {moment(format_time(int(found[2])))} UTC", reason
    )
