"""`rewards unclaimed`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rewards.cli.active_epoch import active_epoch, place_of_epoch
from rewards.cli.console import answer, json_option, note, print_table
from rewards.cli.epochs import season_option
from rewards.cli.sending import reading_machine, rpc_option
from rewards.files.grammar import counted
from rewards.files.outputs import format_wct

if TYPE_CHECKING:
    from rewards.chain.sending.push import Due

SHOWN = 20


@click.command()
@click.argument("out", required=False)
@rpc_option
@season_option
@click.option("--all", "everybody", is_flag=True, help="Also those who have nothing open.")
@json_option
def command(out: str | None, **options: Any) -> None:  # noqa: ANN401 - one per option above
    """List what each account has claimed of the active epoch, and what is open.

    Read at one block that every endpoint calls final, so that two runs can only differ by what was
    claimed since. The largest open amounts come first; `--json` holds them all.
    """
    from rewards.chain.sending.push import dues

    place, published = place_of_epoch(out, options["season_folder"])
    with reading_machine(place, options["urls"], published.manifest.chain_id) as machine:
        epoch = active_epoch(machine, published)
        found = machine.patiently(
            lambda: dues(epoch.distribution, epoch.distributor, machine.quorum, epoch.block.number)
        )
    listed = [due for due in found if due.open or options["everybody"]]
    listed.sort(key=lambda due: (-due.open, due.account))
    claimed, still = sum(due.claimed for due in found), sum(due.open for due in found)
    document = {
        "ok": True,
        "epoch": str(epoch.number),
        "block": str(epoch.block.number),
        "block_hash": epoch.block.hash,
        "accounts": str(len(found)),
        "claimed": str(claimed),
        "open": str(still),
        "unclaimed": [_document(due) for due in listed],
    }

    def show() -> None:
        rows = [
            (due.account, format_wct(due.claimed), format_wct(due.open)) for due in listed[:SHOWN]
        ]
        title = f"Epoch {epoch.number} at final block {epoch.block.number}, WCT"
        if rows:
            print_table(title, ("account", "claimed", "open"), rows, right=(1, 2))
        if len(listed) > SHOWN:
            note(f"and {len(listed) - SHOWN} more; --json holds them all")
        click.echo(
            f"{counted(len(found), 'account has', 'accounts have')} claimed "
            f"{format_wct(claimed)} WCT; "
            f"{format_wct(still)} WCT are open"
        )

    answer(document, as_json=options["as_json"], text=show)


def _document(due: Due) -> dict[str, str]:
    return {
        "account": due.account,
        "cumulative": str(due.cumulative),
        "claimed": str(due.claimed),
        "open": str(due.open),
    }
