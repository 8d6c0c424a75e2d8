"""How a rehearsal tells where it is; the command line decides how that looks."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Takes word of each stage and of the steps in it."""

    def stage(self, name: str, steps: int = 1) -> None:
        """Begin a stage of so many steps; the one before is over."""

    def step(self, count: int = 1) -> None:
        """Finish steps of the stage."""


class Silent:
    """Nobody is listening."""

    def stage(self, name: str, steps: int = 1) -> None:
        """Say nothing."""

    def step(self, count: int = 1) -> None:
        """Say nothing."""
