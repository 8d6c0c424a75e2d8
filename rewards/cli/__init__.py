"""The command line: the only room that prints, reads the environment or chooses an exit code.

Each command is a module, loaded when it is called, so that `rewards --help` needs none of web3,
eth-account and pandas.
"""

from __future__ import annotations

import gc
import importlib
import sys
from typing import NoReturn

import click

from rewards import __version__
from rewards.cli.console import (
    EXIT_DONE,
    EXIT_FOUND,
    EXIT_USAGE,
    note,
    outlive_readers,
    report_error,
    report_system,
    report_usage,
)
from rewards.errors import RewardsError

GARBAGE_FROM = 100_000
"""Objects after which cycles are looked for: a large epoch makes many objects, hardly a cycle."""

COMMANDS = {
    "measure": "Measure raw telemetry into scores; read stake weights.",
    "compute": "Compute one epoch and publish its folder.",
    "verify": "Recompute a published epoch and compare every byte.",
    "prove": "Print an account's Merkle proof.",
    "explain": "Derive an amount step by step, to the base unit.",
    "export": "Write the tree with its proofs for other programs.",
    "diff": "Show what changed between two epochs.",
    "checks": "Show what the named checks find in a published epoch.",
    "simulate": "Compute past epochs under other policies: who gains, who loses.",
    "statement": "State for the books where the money of a range of epochs went.",
    "report": "Write report.html: one self-contained file.",
    "target": "Write an epoch's distribution for another settlement contract.",
    "deploy": "Deploy a distributor, check it, write settlement.toml.",
    "attest": "Recompute an epoch and sign that it is right.",
    "plan": "Write one file that binds a settlement step; proposals pass a gate.",
    "submit": "Send a plan, and never twice: journal, finality, receipt.",
    "status": "Show where every epoch and transaction stands.",
    "push": "Claim for recipients, in batches that can be resumed.",
    "claim": "Show and make one account's claim.",
    "unclaimed": "List what is claimed and what is open, per account.",
    "restate": "Compute unsettled epochs anew from corrected inputs.",
    "successor": "Write the first epoch on a new contract.",
    "safe": "Hand a plan to a Safe, and check what a Safe is about to sign.",
    "dry-run": "Rehearse the settlement on an embedded chain, every claim included.",
    "next": "Say what is to do next in a season.",
    "sample": "Write the sample season to a folder.",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"rewards.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rewards")
def rewards() -> None:
    """Compute, publish, verify and settle the epoch rewards of the WalletConnect Network.

    Every command takes --json and prints one JSON document on stdout; progress goes to stderr.
    Exit codes: 0 done, 1 a check found something, 2 wrong usage or input, 3 the chain.
    """


def main() -> NoReturn:
    """Run the command line; expected errors become findings on stderr and an exit code."""
    as_json = "--json" in sys.argv
    outlive_readers()
    gc.set_threshold(GARBAGE_FROM)
    try:
        sys.exit(_run(as_json=as_json))
    except OSError as error:
        sys.exit(report_system(error, as_json=as_json))
    except MemoryError:
        note("error: there is not enough memory; free some, or use a larger machine")
        sys.exit(EXIT_USAGE)


def _run(*, as_json: bool) -> int:
    try:
        rewards(prog_name="rewards", standalone_mode=False)
        sys.stdout.flush()  # a full disk shows here
    except RewardsError as error:
        return report_error(error, as_json=as_json)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.Abort:
        note("aborted")
        return EXIT_FOUND
    except click.ClickException as error:
        return report_usage(error, as_json=as_json)
    return EXIT_DONE
