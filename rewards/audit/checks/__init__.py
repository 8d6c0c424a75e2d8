"""Named checks on an epoch, their limits, and the waivers that let a blocking finding pass.

A check is a pure function over the inputs, the result, what the epoch opens on and the last
published tables; what it finds is data. The limits lie in a season's `checks.toml`, the waivers in
its `waivers.toml`; both are published with the epoch, so that anyone can run the checks again.
"""

from rewards.audit.checks.catalogue import CHECKS
from rewards.audit.checks.earlier import earlier_folders, read_earlier
from rewards.audit.checks.limits import Limits, default_limits, read_limits, template
from rewards.audit.checks.model import (
    Check,
    CheckFinding,
    Earlier,
    EarlierTable,
    Evidence,
    Severity,
)
from rewards.audit.checks.recorded import review_published
from rewards.audit.checks.review import CheckReport, review
from rewards.audit.checks.reviewer import Reviewer, reviewer_for
from rewards.audit.checks.waivers import Waiver, read_waivers

__all__ = [
    "CHECKS",
    "Check",
    "CheckFinding",
    "CheckReport",
    "Earlier",
    "EarlierTable",
    "Evidence",
    "Limits",
    "Reviewer",
    "Severity",
    "Waiver",
    "default_limits",
    "earlier_folders",
    "read_earlier",
    "read_limits",
    "read_waivers",
    "review",
    "review_published",
    "reviewer_for",
    "template",
]
