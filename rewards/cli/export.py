"""`rewards export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rewards.cli.console import answer, json_option
from rewards.cli.epochs import locate, season_option
from rewards.errors import Finding, InvalidInput
from rewards.files.grammar import counted

if TYPE_CHECKING:
    from rewards.files.published import PublishedEpoch
    from rewards.merkle.large import LargeDistribution

FORMATS = ("openzeppelin", "jsonl", "parquet")


@click.command()
@click.argument("out", required=False)
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="What to make.")
@click.option(
    "--to", "target", type=click.Path(path_type=Path), required=True, help="The file to write."
)
@season_option
@json_option
def command(
    out: str | None, form: str, target: Path, season_folder: Path | None, as_json: bool
) -> None:
    """Write the Merkle tree of the published epoch OUT with its proofs in another form.

    openzeppelin: the dump that OpenZeppelin's StandardMerkleTree.load reads. jsonl: one JSON
    document per line and account, as `rewards prove --json` prints it. parquet: account,
    cumulative, proof. The file is written beside the published folder, never into it; the tree is
    built from the ledger and held against the root first.

    \b
    Examples:
      rewards export out --format openzeppelin --to distribution.json
      rewards export --season my-season 3 --format jsonl --to proofs.jsonl
    """
    from rewards.files import exports
    from rewards.files.publish import require_outside_epochs
    from rewards.files.published import PublishedEpoch

    require_outside_epochs(target)
    published = PublishedEpoch(locate(out, season_folder).folder)
    distribution = exports.distribution_of(published)
    try:
        _write(target, form, published, distribution)
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}"
        remedy = "check the folder's rights and the disk, or name another file"
        raise InvalidInput(Finding(str(target), problem, remedy)) from error
    result = {
        "ok": True,
        "format": form,
        "file": str(target),
        "leaf_count": str(distribution.leaf_count),
        "merkle_root": published.manifest.root,
    }
    answer(
        result,
        as_json=as_json,
        text=lambda: click.echo(
            f"{counted(distribution.leaf_count, 'leaf', 'leaves')} written to {target}"
        ),
    )


def _write(
    target: Path, form: str, published: PublishedEpoch, distribution: LargeDistribution
) -> None:
    from rewards.files import exports
    from rewards.files.publish import write_blocks

    if form == "parquet":
        from rewards.files.parquet import write_proofs

        document = published.manifest.document
        names = ("chain_id", "distributor", "epoch", "merkle_root")
        write_proofs(target, distribution.proofs(), {name: document[name] for name in names})
    elif form == "jsonl":
        write_blocks(target, exports.proof_lines(distribution, published.manifest))
    else:
        write_blocks(target, exports.openzeppelin_blocks(distribution))
