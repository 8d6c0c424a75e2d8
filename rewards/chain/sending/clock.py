"""Time, so that a test can bring its own."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time and lets it pass."""

    def now(self) -> int:
        """Return UTC seconds."""

    def passed(self) -> int:
        """Return seconds since any fixed moment; never falls."""

    def sleep(self, seconds: int) -> None:
        """Let time pass."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Return UTC seconds."""
        return int(time.time())

    def passed(self) -> int:
        """Return seconds of the monotonic clock."""
        return int(time.monotonic())

    def sleep(self, seconds: int) -> None:
        """Sleep."""
        time.sleep(seconds)
