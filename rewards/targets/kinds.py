"""From the name of a target to the target: what the command line and a plan call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.errors import Finding, InvalidInput
from rewards.targets.airdrop import Airdrop
from rewards.targets.reward_manager import RewardManager, ScoreScale, merged, read_scores
from rewards.targets.settling import read_settling
from rewards.targets.urd import Urd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.files.published import PublishedEpoch
    from rewards.targets.target import Target

KINDS = (Airdrop.kind, Urd.kind, RewardManager.kind)


def target_for(
    kind: str,
    published: PublishedEpoch,
    since: PublishedEpoch | None = None,
    *,
    between: Sequence[PublishedEpoch] = (),
    first: bool = False,
    scale: ScoreScale = ScoreScale.WAD,
) -> Target:
    """Return a target with what it is to settle, from published epochs alone.

    A plan goes on from here: `target.check(action, terms, endpoint, at)` for every endpoint asked,
    all at one block (its findings block; equal `facts` mean that the endpoints agree), then
    `target.calls(action, terms)`, which are the plan's `calls`. `target.root` and `target.totals`
    are its `merkle_root` and `totals`; what the checks came to goes into its `gate`.

    Args:
        kind: One of KINDS. The default target, `epoch-distributor`, is not among them: its
            distribution is the published folder's own.
        published: The epoch up to which is settled.
        since: The epoch that was settled last by this target.
        between: The epochs from one to the other, as far as they are at hand, ascending.
        first: Nothing was settled before, though the epoch has predecessors.
        scale: reward-manager: the unit of its figures.

    Raises:
        InvalidInput: No such kind; `since` is missing, or given together with `first`.
        CheckFailed: A file is altered, the epochs are not of one history, or there is nothing to
            settle.
    """
    if kind not in KINDS:
        raise InvalidInput(
            Finding("--kind", "is no target", "the targets are " + ", ".join(KINDS), value=kind)
        )
    settling = read_settling(published, since, between=between, first=first)
    if kind == Airdrop.kind:
        return Airdrop(settling)
    if kind == Urd.kind:
        return Urd(settling)
    return RewardManager(settling, merged(read_scores(published), scale), scale)
