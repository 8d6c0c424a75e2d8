"""The checks of a season, ready for an epoch that is being computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rewards.audit.checks.earlier import earlier_folders, read_earlier
from rewards.audit.checks.limits import CHECKS_TOML, Limits, default_limits, read_limits
from rewards.audit.checks.model import Evidence
from rewards.audit.checks.review import CheckReport, review
from rewards.audit.checks.waivers import WAIVERS_TOML, Waiver, read_waivers
from rewards.errors import InvariantBroken
from rewards.files.streams import begun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rewards.audit.checks.model import Earlier
    from rewards.files.outputs import ReviewDocuments
    from rewards.rules.records import EpochResult, Inputs, Opening

BESIDE_UP_TO = 2_000_000
"""Wallets up to which the earlier tables are read while the epoch is computed."""


@dataclass
class Reviewer:
    """The checks of a season, ready for an epoch; keeps the last report.

    Attributes:
        limits: What holds.
        waivers: What is waived, of all epochs.
        previous: The predecessor's published folder.
        recorded: Whether the season asked for checks, so that they are published.
    """

    limits: Limits
    waivers: Sequence[Waiver]
    previous: Path | None
    recorded: bool
    report: CheckReport | None = None

    @property
    def last_report(self) -> CheckReport:
        """The report on the epoch that was computed with this reviewer.

        Raises:
            InvariantBroken: None was.
        """
        if self.report is None:
            raise InvariantBroken("an epoch was computed without its checks")
        return self.report

    def __call__(
        self, inputs: Inputs, opening: Opening | None
    ) -> Callable[[EpochResult], ReviewDocuments | None]:
        """Return what checks an epoch once it is computed and gives what is published of it.

        The earlier tables are read in the meantime, if memory allows.
        """
        named = opening.manifest_hash if opening else None
        folders = earlier_folders(self.previous)
        earlier: Callable[[], Earlier] = partial(read_earlier, folders, named)
        if len(inputs.wallets or ()) < BESIDE_UP_TO:
            earlier = begun(earlier)

        def reviewed(result: EpochResult) -> ReviewDocuments | None:
            evidence = Evidence(inputs, opening, result, earlier())
            self.report = review(evidence, self.limits, self.waivers, recorded=self.recorded)
            return self.report.documents()

        return reviewed


def reviewer_for(
    previous: Path | None,
    *,
    season: Path | None = None,
    checks: Path | None = None,
    waivers: Path | None = None,
) -> Reviewer:
    """Return the reviewer that the files of a season, or those named, ask for.

    Without a `checks.toml` and without a `waivers.toml` the defaults are looked at, nothing blocks
    and nothing is published of it.

    Raises:
        InvalidInput: A file is wrong.
    """
    if season is not None:
        checks = checks or _if_there(season / CHECKS_TOML)
        waivers = waivers or _if_there(season / WAIVERS_TOML)
    return Reviewer(
        read_limits(checks) if checks else default_limits(),
        read_waivers(waivers) if waivers else (),
        previous,
        recorded=bool(checks or waivers),
    )


def _if_there(path: Path) -> Path | None:
    # A broken link is there too, and is then refused with its name.
    return path if path.exists() or path.is_symlink() else None
