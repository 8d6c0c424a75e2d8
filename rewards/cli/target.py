"""`rewards target`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rewards.cli.asking import Reporter, endpoints
from rewards.cli.console import answer, json_option, note
from rewards.cli.epochs import locate, season_option
from rewards.cli.writing import write_files
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.documents import canonical_json
from rewards.files.grammar import GrammarError, parse_address
from rewards.files.outputs import sha256
from rewards.files.published import PublishedEpoch
from rewards.files.season import Season

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.targets.target import Target

SHOWN = ("target", "epoch", "since_epoch", "manifest_hash", "contract", "total", "leaves")
REWARD_MANAGER = "reward-manager"
KINDS = ("airdrop", "urd", REWARD_MANAGER)
"""As `rewards.targets.kinds`, which is loaded only when the command runs."""

score_scale_option = click.option(
    "--score-scale",
    type=click.Choice(("wad", "percent")),
    default="wad",
    show_default=True,
    help="reward-manager: the unit of its figures.",
)


@click.command()
@click.argument("out")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="The target.")
@click.option("--since", help="The epoch that this target settled last: a folder or a number.")
@click.option(
    "--first", is_flag=True, help="This target settled nothing before: take all that was earned."
)
@click.option("--contract", help="The target's contract; for urd it must be settlement.toml's.")
@score_scale_option
@click.option(
    "--rpc",
    "urls",
    multiple=True,
    help="Before it is announced: simulate every claim; with --contract. Repeatable.",
)
@click.option(
    "--out",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file to write.",
)
@season_option
@json_option
def command(
    out: str,
    kind: str,
    since: str | None,
    first: bool,
    contract: str | None,
    score_scale: str,
    urls: tuple[str, ...],
    file: Path,
    season_folder: Path | None,
    as_json: bool,
) -> None:
    """Write the distribution of the published epoch OUT as another contract's tools read it.

    airdrop: WalletConnect's Airdrop, what was earned since the last settlement. urd: Morpho's
    Universal Rewards Distributor, cumulative amounts. reward-manager: WalletConnect's
    RewardManager, a record of node scores that pays nothing. The same epochs give the same bytes.
    With --rpc nothing is written unless every claim that is still open would be paid.
    """
    from rewards.targets.kinds import target_for
    from rewards.targets.reward_manager import ScoreScale
    from rewards.targets.settling import unlinked

    published = PublishedEpoch(locate(out, season_folder).folder)
    before = PublishedEpoch(locate(since, season_folder).folder) if since else None
    between = _between(before, published)
    target = target_for(
        kind, published, before, between=between, first=first, scale=ScoreScale(score_scale)
    )
    at = _address(contract)
    document = target.document(at)
    content = canonical_json(document)
    simulated = _simulate_claims(target, at, urls, Reporter(quiet=as_json)) if urls else {}
    _write(file, content)
    trusted = unlinked([*([before] if before else []), *between, published])
    header = document.get("settlement") or document["metadata"]
    result = {
        "file": str(file),
        "sha256": sha256(content),
        **{name: header[name] for name in SHOWN if name in header},
        **({"root": "0x" + target.root.hex()} if target.root else {}),
        "actions": list(target.actions),
        "trusted": [{"from": str(a), "to": str(b)} for a, b in trusted],
        **simulated,
    }

    def show() -> None:
        for name, value in result.items():
            if isinstance(value, str):
                click.echo(f"{name.replace('_', ' '):<14} {value}")

    for earlier, later in trusted:
        note(f"taken on trust: that epoch {later} was computed on epoch {earlier}, through others")
    if kind == REWARD_MANAGER:
        note("reward-manager pays nothing: settle the amounts by another target")
    answer(result, as_json=as_json, text=show)


def _simulate_claims(
    target: Target, contract: str | None, urls: Sequence[str], report: Reporter
) -> dict[str, str]:
    """Hold what is open against the chain and simulate every claim.

    Raises:
        CheckFailed: A claim would be refused, or the endpoints disagree.
    """
    from rewards.chain.agreement import Sight
    from rewards.targets.target import Terms

    if target.kind == REWARD_MANAGER:
        raise click.UsageError("reward-manager has no claims to simulate: leave --rpc out")
    with endpoints(urls) as opened:
        sight = Sight.at_final_block(opened, target.settling.chain_id, report)
        terms = Terms(contract=contract)
        checks = sight.read(
            "claims", lambda endpoint, at: target.check("claim", terms, endpoint, at)
        )
    if checks.findings:
        raise CheckFailed(checks.findings)
    for said in checks.notes:
        note(f"note: {said}")
    return {"claims": "every open one passes", "block": str(sight.block.number)}


def _between(since: PublishedEpoch | None, published: PublishedEpoch) -> list[PublishedEpoch]:
    """Return the epochs between two, as far as the season around the later one has them."""
    from rewards.settling.history import at_hand, within

    season = Season.around(published.folder)
    if since is None or season is None:
        return []
    return list(at_hand(published, since.manifest.epoch, within(season)).epochs[:-1])


def _address(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return parse_address(text)
    except GrammarError as error:
        raise InvalidInput(
            Finding("--contract", error.problem, error.remedy, value=text)
        ) from error


def _write(file: Path, content: bytes) -> None:
    """Write the file; another settlement's is never overwritten.

    Raises:
        InvalidInput: It is there with other bytes, or cannot be written there.
    """
    if os.path.lexists(file) and (not file.is_file() or file.read_bytes() != content):
        raise InvalidInput(
            Finding(
                str(file),
                "exists with other content and is never overwritten",
                "name another file, or remove it yourself if it was never settled",
            )
        )
    write_files(file.parent, {file.name: content})
