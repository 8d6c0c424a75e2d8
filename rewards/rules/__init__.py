"""The rulebook as code: pure functions on integers, one module per section.

`RULESETS` maps the name that a policy gives to the code that computes under it. A formula never
changes under its name: a new one is a new package beside `wct1`, and every published epoch still
recomputes under its own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rewards.rules.parameters import Parameter
    from rewards.rules.records import EpochResult, Inputs, Opening, Problem


class Ruleset(Protocol):
    """What a ruleset offers: its parameters, its conditions on the input, its computation."""

    PARAMETERS: tuple[Parameter, ...]

    def policy_problems(self, values: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield what is wrong among parameters that are each within their own bounds."""
        ...

    def policy_from(self, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - its own type
        """Return the typed policy for checked parameter values."""
        ...

    def input_problems(self, inputs: Inputs, opening: Opening | None) -> Iterator[Problem]:
        """Yield everything that makes the inputs of an epoch unacceptable."""
        ...

    def compute_epoch(self, inputs: Inputs, opening: Opening | None) -> EpochResult:
        """Return every stage of the epoch."""
        ...


RULESETS: dict[str, Ruleset]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load the rulesets when they are asked for: who only reads a proof needs none of them."""
    if name != "RULESETS":
        raise AttributeError(name)
    globals()[name] = {"wct-1": import_module("rewards.rules.wct1")}
    return globals()[name]
