"""What `rewards verify` does with attestations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.cli.asking import ADDRESS, endpoints, read_attestations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rewards.files.published import PublishedEpoch
    from rewards.settling.attesting import Counted


@dataclass(frozen=True)
class AttestationsAsked:
    """Which attestations, and what is asked of them."""

    files: Sequence[Path]
    attesters: Sequence[str]
    threshold: int | None

    def require_sensible(self, *, one_epoch: bool, on_chain: bool) -> None:
        """End with what does not go together.

        Raises:
            UsageError: Something does not.
        """
        if not self.files:
            if self.attesters or self.threshold:
                raise click.UsageError("--attesters and --threshold go with --attestations")
            return
        if not one_epoch:
            raise click.UsageError("--attestations are of one epoch: name OUT")
        if not on_chain and not (self.attesters and self.threshold):
            raise click.UsageError(
                "say --attesters and --threshold, or ask the contract for its own with --rpc"
            )

    def count(self, published: PublishedEpoch, urls: Sequence[str]) -> Counted:
        """Return how many are good: offline, and with endpoints as the contract would."""
        from rewards.settling.attesting import count_offline, count_on_chain

        attestations = read_attestations(self.files)
        if not urls:
            return count_offline(
                published, attestations, frozenset(self.attesters), self.threshold or 0
            )
        from rewards.chain.agreement import Sight

        with endpoints(urls) as opened:
            sight = Sight.at_final_block(opened, published.manifest.chain_id)
            return count_on_chain(published, attestations, sight)


def attestation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --attestations, --attesters and --threshold."""
    options = (
        click.option(
            "--attestations",
            "attestation_files",
            multiple=True,
            type=click.Path(path_type=Path),
            help="An attestation's file; repeatable.",
        ),
        click.option(
            "--attesters", multiple=True, type=ADDRESS, help="Who may attest; repeatable."
        ),
        click.option("--threshold", type=click.IntRange(min=1), help="How many must."),
    )
    for option in reversed(options):
        command = option(command)
    return command
