"""The rehearsal itself: bind, publish, verify, settle, reconcile, epoch after epoch."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rewards.rehearsal.epochs import bind
from rewards.rehearsal.folder import RehearsalFolder
from rewards.rehearsal.progress import Silent
from rewards.rehearsal.report import Outcome, settled_document
from rewards.rehearsal.settling import (
    amounts_of,
    bundles,
    opening_of,
    require_fits,
    settling_of,
)
from rewards.rehearsal.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from rewards.chain.sender import Sender
    from rewards.rehearsal.epochs import Subject
    from rewards.rehearsal.progress import Progress
    from rewards.rules.records import Settlement


def rehearse(
    subject: Subject,
    sender: Sender,
    *,
    chain: str,
    delay: int,
    bundle: int = 1,
    out: Callable[[Settlement], Path | None] = lambda _: None,
    progress: Progress | None = None,
) -> Outcome:
    """Play the settlement of epochs through, down to the last claim.

    Args:
        subject: The epochs.
        sender: Who pays the gas and plays every role, on a chain without value: whoever calls has
            made sure of that.
        chain: The chain's name, for the report.
        delay: Seconds between proposal and activation.
        bundle: How many of the last epochs are settled by one proposal.
        out: Where to write, given the contracts; None writes to a folder that is then removed.
        progress: Is told of each step.

    Raises:
        CheckFailed: A published folder does not verify, the contract refuses, or anything does not
            reconcile to zero.
        ChainError: The chain or its endpoint fails.
        InvalidInput: The output folder cannot be used.
    """
    progress = progress or Silent()
    require_fits(subject)
    stage = Stage(sender, delay, progress)
    first = (
        subject.opening.state.epoch if subject.opening else subject.epochs[0].inputs.header.epoch
    )
    had = sum(a.cumulative for a in subject.opening.ledger.values()) if subject.opening else 0
    funding = had + sum(amounts_of(subject.epochs).values())
    target = stage.deploy(first - 1, funding)
    if funding:
        stage.fund(funding)
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as temporary:
        folder = RehearsalFolder(out(target) or Path(temporary) / "rehearsal")
        outcome = _play(subject, stage, target, folder, chain=chain, bundle=bundle)
        folder.finish(outcome.as_json())
    return outcome


def _play(
    subject: Subject,
    stage: Stage,
    target: Settlement,
    folder: RehearsalFolder,
    *,
    chain: str,
    bundle: int,
) -> Outcome:
    bound = bind(subject, target)
    folder.begin(subject.name, {epoch.inputs.header.epoch for epoch in bound})
    settled = []
    opening = opening_of(subject, target)
    if opening:
        settled.append(stage.settle(opening))
    for positions in bundles(len(bound), bundle):
        own, here = [subject.epochs[i] for i in positions], [bound[i] for i in positions]
        for epoch in here:
            stage.progress.stage(f"epoch {epoch.inputs.header.epoch}: publish, verify")
            folder.publish(epoch)
        settling = settling_of(own, here)
        if settling is None:
            continue
        settled.append(stage.settle(settling))
        folder.receipt(settling.epoch, settled_document(settled[-1]))
    return Outcome(
        subject,
        chain,
        target,
        stage.sender.address,
        stage.delay,
        tuple(stage.actions),
        bound,
        tuple(settled),
    )
