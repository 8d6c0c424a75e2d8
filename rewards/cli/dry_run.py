"""`rewards dry-run`."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rewards.cli.asking import unlock_keystore
from rewards.cli.console import answer, json_option
from rewards.cli.epochs import require_season, season_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from rewards.chain.endpoint import Endpoint
    from rewards.chain.sender import Sender
    from rewards.rehearsal.epochs import Subject
    from rewards.rehearsal.report import Outcome
    from rewards.rules.records import Settlement

A_DAY = 86_400
LONGEST_DELAY = 14 * A_DAY
NETWORK_DELAY = 15
"""Seconds; on the embedded chain a day costs nothing, on a network somebody sits and waits."""


@click.command()
@click.argument("inputs", required=False, type=click.Path(path_type=Path))
@click.option(
    "--previous",
    type=click.Path(path_type=Path),
    help="The predecessor's published folder, with INPUTS.",
)
@season_option
@click.option(
    "--bundle",
    type=click.IntRange(min=1),
    default=1,
    help="Settle the last N epochs of the season by one proposal.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write the rehearsed season; by default inside the season.",
)
@click.option(
    "--rpc", metavar="URL", help="Rehearse on the test network behind this JSON-RPC endpoint."
)
@click.option(
    "--keystore",
    type=click.Path(path_type=Path),
    help="With --rpc: the encrypted key file of the account that pays the gas.",
)
@click.option(
    "--env-file",
    type=click.Path(path_type=Path),
    help="With --rpc: a file that sets REWARDS_KEYSTORE_PASSWORD.",
)
@click.option(
    "--delay",
    type=click.IntRange(1, LONGEST_DELAY),
    help=f"Seconds from proposal to activation; by default a day, with --rpc {NETWORK_DELAY}.",
)
@click.option("--yes", is_flag=True, help="With --rpc: do not ask before sending.")
@json_option
def command(
    inputs: Path | None,
    previous: Path | None,
    season_folder: Path | None,
    bundle: int,
    out: Path | None,
    rpc: str | None,
    keystore: Path | None,
    env_file: Path | None,
    delay: int | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Rehearse a settlement down to the last claim, where nothing is at stake.

    With INPUTS that epoch is rehearsed, otherwise the whole season. A token of its own and a fresh
    distributor are deployed and funded; each epoch is computed for them, published, verified,
    proposed, activated after the delay, every leaf is claimed, and every account is reconciled to
    zero. Amounts are those of `rewards compute`. The roots are not, because a leaf is bound to its
    chain and contract.

    The chain is embedded: no node, key or network is needed. With --rpc it is a test network, and
    only one of those known to hold nothing of value. The keystore's password is taken from
    --env-file, from REWARDS_KEYSTORE_PASSWORD, or asked for.

    \b
    Examples:
      rewards dry-run inputs --previous ../000122/out
      rewards dry-run --season my-season --bundle 2
      rewards dry-run --season my-season --rpc http://localhost:8545 \\
          --keystore key.json
    """
    _require_sensible(inputs, previous, season_folder, bundle, rpc, keystore, env_file, yes)
    subject, season_root = _subject(inputs, previous, season_folder)
    place = _Place(season_root, out, on_network=rpc is not None)
    with ExitStack() as stack:
        if rpc is None or keystore is None:
            outcome = _on_embedded_chain(subject, bundle, delay or A_DAY, place)
        else:
            from rewards.chain.network import JsonRpc

            endpoint = stack.enter_context(closing(JsonRpc(rpc)))
            asked = _Asked(keystore, env_file, yes=yes)
            outcome = _on_network(subject, endpoint, asked, bundle, delay or NETWORK_DELAY, place)

    def show() -> None:
        from rewards.cli.rehearsal_view import show_outcome

        show_outcome(outcome, place.used)

    document = {**outcome.as_json(), "out": str(place.used) if place.used else None}
    answer(document, as_json=as_json, text=show)


class _Place:
    """Where the rehearsal is written: as told, else inside the season, else nowhere."""

    def __init__(self, season: Path | None, out: Path | None, *, on_network: bool) -> None:
        from rewards.rehearsal.folder import RehearsalFolder

        self._season, self._out, self._on_network = season, out, on_network
        self.used: Path | None = out
        if out is None and season is not None and not on_network:
            self.used = season / "rehearsal"
        if self.used is not None:
            RehearsalFolder(self.used).require_free(again=not on_network)

    def __call__(self, target: Settlement) -> Path | None:
        """Return the folder; on a network each rehearsal has contracts and a folder of its own."""
        if self.used is None and self._season is not None:
            self.used = self._season / f"rehearsal-{target.chain_id}-{target.distributor[2:10]}"
        return self.used


def _require_sensible(
    inputs: Path | None,
    previous: Path | None,
    season_folder: Path | None,
    bundle: int,
    rpc: str | None,
    keystore: Path | None,
    env_file: Path | None,
    yes: bool,
) -> None:
    if inputs is None and previous is not None:
        raise click.UsageError("--previous goes with INPUTS; a season knows its own predecessor")
    if inputs is not None and season_folder is not None:
        raise click.UsageError("name INPUTS or --season, not both")
    if inputs is not None and bundle > 1:
        raise click.UsageError("--bundle goes with a season: INPUTS is one epoch")
    if rpc is not None and keystore is None:
        raise click.UsageError("--rpc needs --keystore FILE: somebody has to pay the gas")
    if rpc is None and (keystore or env_file or yes):
        raise click.UsageError("--keystore, --env-file and --yes go with --rpc")


def _subject(
    inputs: Path | None, previous: Path | None, season_folder: Path | None
) -> tuple[Subject, Path | None]:
    from rewards.rehearsal.epochs import one_epoch, whole_season

    if inputs is not None:
        return one_epoch(inputs, previous), None
    season = require_season(season_folder)
    return whole_season(season), season.root


def _on_embedded_chain(subject: Subject, bundle: int, delay: int, place: _Place) -> Outcome:
    from rewards.chain.accounts import developer_account
    from rewards.chain.embedded import DEVELOPER_KEYS, EMBEDDED, EmbeddedChain
    from rewards.chain.sender import Sender

    chain = EmbeddedChain()
    sender = Sender(chain, developer_account(DEVELOPER_KEYS[0]), chain.chain_id())
    return _rehearse(subject, sender, EMBEDDED, bundle, delay, place)


class _Asked:
    """What only a network needs: the key, and the word to go ahead."""

    def __init__(self, keystore: Path, env_file: Path | None, *, yes: bool) -> None:
        self._keystore, self._env_file, self._yes = keystore, env_file, yes

    def sender(self, endpoint: Endpoint, chain_id: int) -> Sender:
        from rewards.chain.sender import Sender

        return Sender(endpoint, unlock_keystore(self._keystore, self._env_file), chain_id)

    def confirm(self, question: str) -> None:
        if self._yes:
            return
        if not sys.stdin.isatty():
            raise click.UsageError("nobody is there to ask: say --yes to send")
        click.confirm(question, abort=True, err=True)


def _on_network(
    subject: Subject, endpoint: Endpoint, asked: _Asked, bundle: int, delay: int, place: _Place
) -> Outcome:
    from rewards.chain.network import TEST_NETWORKS, require_test_network

    # Before the key is touched: with a real chain it stays where it is.
    chain_id = require_test_network(endpoint)
    sender, network = asked.sender(endpoint, chain_id), TEST_NETWORKS[chain_id]
    asked.confirm(f"Rehearse {subject.name} on {network}, {sender.address} paying the gas?")
    return _rehearse(subject, sender, network, bundle, delay, place)


def _rehearse(
    subject: Subject,
    sender: Sender,
    chain: str,
    bundle: int,
    delay: int,
    out: Callable[[Settlement], Path | None],
) -> Outcome:
    from rewards.cli.rehearsal_view import progress_on_stderr
    from rewards.rehearsal.rehearse import rehearse

    with progress_on_stderr() as progress:
        return rehearse(
            subject, sender, chain=chain, delay=delay, bundle=bundle, out=out, progress=progress
        )
