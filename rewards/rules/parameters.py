"""How a ruleset describes the parameters of its policy, so that files can be read by the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["decimal", "integer", "boolean", "choice", "fraction"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of the rulebook's table of parameters.

    Attributes:
        key: Table and name, e.g. `nodes.tau`.
        kind: `decimal` is text of at most 18 places, read as a WAD (or as base units of WCT);
            `fraction` is text p/q; the others are TOML's own types.
        default: The default in the form in which a policy file gives it; None: may be absent.
        low: Smallest allowed value as read (a decimal in WAD).
        high: Largest allowed value as read.
        choices: The allowed words of a choice.
    """

    key: str
    kind: Kind
    default: str | int | bool | None
    low: int = 0
    high: int = 2**256 - 1
    choices: tuple[str, ...] = ()
