"""One epoch from its files: read, check, compute, render, publish."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.inputs import check_inputs, findings_without_predecessor, read_inputs
from rewards.files.outputs import distribution_of, render_epoch, require_conserved
from rewards.files.publish import publish
from rewards.files.published import PublishedEpoch
from rewards.files.streams import begun
from rewards.rules import RULESETS
from rewards.rules.integers import UINT256_LIMIT
from rewards.rules.records import sum_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rewards.files.outputs import ReviewDocuments
    from rewards.rules.records import EpochResult, Inputs, Opening

    Reviewer = Callable[[Inputs, Opening | None], Callable[[EpochResult], ReviewDocuments | None]]
    Recorder = Callable[[Inputs], Mapping[str, Any] | None]


@dataclass(frozen=True)
class ComputedEpoch:
    """An epoch computed but not yet published: every stage and every byte.

    The bytes of a very large file are yet to be made (`streams.Streamed`), all others are `bytes`.
    The distribution is a `Distribution`, or a `LargeDistribution` that answers to the same names,
    or None.
    """

    inputs: Inputs
    opening: Opening | None
    result: EpochResult
    files: Mapping[str, Any]
    distribution: Any


def read_opening(previous: Path | None, *, by_column: bool | None = None) -> Opening | None:
    """Return the predecessor in a folder as its successor opens on it.

    Args:
        previous: The predecessor's published folder.
        by_column: Whether to hold its ledger by column; by default where it is very long.

    Raises:
        InvalidInput: It is not there, or was altered since it was published.
    """
    if previous is None:
        return None
    try:
        return PublishedEpoch(previous, by_column=by_column).opening_for_successor()
    except CheckFailed as error:
        raise InvalidInput(
            [
                Finding(f"{previous}/{f.file}", f.problem, f.remedy, value=f.value)
                for f in error.findings
            ]
        ) from error


def load_epoch(
    inputs: Path, previous: Path | None, *, by_column: bool | None = None
) -> tuple[Inputs, Opening | None]:
    """Read and check the inputs of an epoch against its predecessor.

    Args:
        inputs: The input folder.
        previous: The predecessor's published folder.
        by_column: Whether to hold wallets and ledger by column; by default where they are many.

    Raises:
        InvalidInput: With every finding.
    """
    read_beside = begun(partial(read_opening, previous, by_column=by_column))
    read = read_inputs(inputs, by_column=by_column)
    try:
        opening = read_beside()
    except InvalidInput as error:
        raise InvalidInput([*error.findings, *findings_without_predecessor(read)]) from error
    return check_inputs(read, opening), opening


def compute(
    inputs: Inputs,
    opening: Opening | None,
    reviewer: Reviewer | None = None,
    recorder: Recorder | None = None,
) -> ComputedEpoch:
    """Compute an epoch from checked inputs.

    What `reviewer` finds is published with it, and what `recorder` tells of the measurement.

    Raises:
        InvalidInput: The cumulative total would not fit into 256 bits.
        InvariantBroken: A conservation identity does not hold.
    """
    measurement = recorder(inputs) if recorder else None
    review_of = reviewer(inputs, opening) if reviewer else lambda _: None
    result = RULESETS[inputs.policy.ruleset].compute_epoch(inputs, opening)
    total = sum_of(result.allocations, "cumulative")
    if total >= UINT256_LIMIT:
        raise InvalidInput(
            Finding(
                "epoch.toml",
                "makes the sum of all cumulative amounts reach 2^256",
                "check the unit of the pools (whole WCT) and of the adjustments (base units)",
                column="pools",
                value=str(total),
            )
        )
    require_conserved(result)
    if opening and hasattr(opening.ledger, "let_go"):
        opening.ledger.let_go(result.allocations)
    distribution = distribution_of(inputs, result.allocations)
    files = render_epoch(inputs, opening, result, distribution, review_of(result), measurement)
    return ComputedEpoch(inputs, opening, result, files, distribution)


def compute_folder(
    inputs: Path,
    previous: Path | None,
    reviewer: Reviewer | None = None,
    recorder: Recorder | None = None,
    *,
    by_column: bool | None = None,
) -> ComputedEpoch:
    """Compute an epoch from its folder and its predecessor's."""
    return compute(*load_epoch(inputs, previous, by_column=by_column), reviewer, recorder)


def publish_epoch(epoch: ComputedEpoch, out: Path) -> bool:
    """Publish an epoch atomically; return False when it was there already, byte for byte."""
    return publish(out, epoch.files)
