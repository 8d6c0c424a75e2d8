"""What an epoch's adjustments must hold because an earlier step could not recover it at once.

A season that took over a retired contract keeps it in `carried/000124.csv`: rows as they are to
stand in the `adjustments.csv` of epoch 124. Without them a debt would be forgiven by oversight.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rewards.errors import Finding, InvalidInput
from rewards.files.csv_tables import canonical_csv, read_table
from rewards.files.inputs import ADJUSTMENTS
from rewards.files.season import Season
from rewards.rules.records import Adjustment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rewards.rules.records import Inputs


def carried_csv(rows: Iterable[Adjustment]) -> bytes:
    """Return the canonical bytes of the rows that a later epoch must hold."""
    cells = ((a.payout_address, str(a.amount), a.reason, a.approved_by) for a in rows)
    return canonical_csv(ADJUSTMENTS.header, cells)


def require_carried(season: Season, inputs: Inputs) -> None:
    """Refuse an epoch without the rows that its season carries over to it.

    Raises:
        InvalidInput: A row is missing, or has another amount; or the season's file is damaged.
    """
    path = season.carried(inputs.header.epoch)
    if not path.is_file():
        return
    place = f"{path.parent.name}/{path.name}"
    findings: list[Finding] = []
    carried = Counter(
        _sum(Adjustment(*row.values)) for row in read_table(path, ADJUSTMENTS, findings)
    )
    if findings:
        raise InvalidInput(findings)
    missing = carried - Counter(map(_sum, inputs.adjustments or ()))
    if missing:
        raise InvalidInput(
            Finding(
                ADJUSTMENTS.name,
                f"lacks a row of {place}: {account}, {amount}, {reason}",
                f"copy the rows of {place} into it: what is owed would be forgotten",
                column="payout_address",
                value=account,
            )
            for account, amount, reason in sorted(missing)
        )


def require_carried_near(folder: Path, inputs: Inputs) -> None:
    """Do the same for the season that a folder lies in, if it lies in one.

    Raises:
        InvalidInput: As `require_carried`, or the season cannot be read.
    """
    season = Season.around(folder)
    if season:
        require_carried(season, inputs)


def _sum(row: Adjustment) -> tuple[str, int, str]:
    return row.payout_address, row.amount, row.reason
