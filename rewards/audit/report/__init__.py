"""`report.html`: one self-contained file that shows, derives and proves an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.audit.report.lookup import build_lookup
from rewards.audit.report.page import render_page
from rewards.audit.report.source import read_source
from rewards.audit.report.wct1 import WctOneView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.audit.report.settlement import Receipt
    from rewards.audit.report.source import Source
    from rewards.files.published import PublishedEpoch
    from rewards.measure.explain import Measurement

VIEWS = {"wct-1": WctOneView}
"""What the report knows of each ruleset."""


def build_report(
    published: PublishedEpoch,
    previous: PublishedEpoch | None = None,
    receipts: Sequence[Receipt] = (),
    season: str | None = None,
    measurement: Measurement | None = None,
) -> bytes:
    """Return the report of a published epoch; the same bytes for the same files.

    Args:
        published: The epoch.
        previous: Its predecessor, for what changed.
        receipts: What the season knows of the settlement.
        season: The season's name, for the title.
        measurement: What is known of how the scores were measured, overrides above all.

    Raises:
        CheckFailed: The folder differs from what its inputs make of it.
        InvalidInput: `previous` is not its predecessor.
    """
    return report_of(read_source(published, previous, receipts), season, measurement)


def report_of(
    source: Source, season: str | None = None, measurement: Measurement | None = None
) -> bytes:
    """Return the report of what was read for it."""
    view = VIEWS[source.published.manifest.ruleset](source.explainer)
    return render_page(source, view, build_lookup(source, view), season, measurement).encode()
