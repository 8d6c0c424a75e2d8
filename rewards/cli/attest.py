"""`rewards attest`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.cli.asking import ADDRESS, NUMBER, Reporter, endpoints, unlock_keystore, write_new
from rewards.cli.checks import checks_options
from rewards.cli.console import answer, json_option, note
from rewards.cli.epochs import locate, season_option
from rewards.cli.grounds import predecessors_of, present_reviewer
from rewards.errors import CheckFailed, Finding, InvalidInput, printable
from rewards.files.grammar import GrammarError
from rewards.files.outputs import format_wct
from rewards.files.published import PublishedEpoch
from rewards.settling.verdict import Verdict

if TYPE_CHECKING:
    from rewards.chain.attestation import Attestation, Statement


@click.command()
@click.argument("out")
@click.option(
    "--previous",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A predecessor's folder; only where several epochs are settled at once. Repeatable.",
)
@season_option
@checks_options
@click.option("--rpc", "urls", multiple=True, help="Take the place from the chain; repeatable.")
@click.option("--previous-epoch", type=NUMBER, help="The last activated epoch; 0: none yet.")
@click.option("--attempt", type=NUMBER, help="Which proposal on top of it this is for.")
@click.option("--keystore", type=click.Path(path_type=Path), help="The attester's key file.")
@click.option("--env-file", type=click.Path(path_type=Path), help="Sets the key's password.")
@click.option("--attester", type=ADDRESS, help="With --signature: who signed elsewhere.")
@click.option("--signature", metavar="HEX", help="A signature made elsewhere: a device, a Safe.")
@click.option(
    "--typed-data",
    is_flag=True,
    help="Write what is to be signed elsewhere (EIP-712 JSON) instead of signing.",
)
@click.option(
    "--out", "file", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File."
)
@json_option
def command(**options: Any) -> None:  # noqa: ANN401 - one per option above
    """Recompute the published epoch OUT and sign that it is right.

    Everything is recomputed from the folder first; any difference ends it, and so does a finding
    that blocks under the season's present checks.toml and waivers.toml. What is signed is the
    contract's EIP-712 attestation: it names the epoch, its root, total and manifest hash, the
    epoch it is proposed on top of, the attempt, and by how much the total rises. Where the epoch
    before OUT is the active one, the folder alone is enough; no node is needed.

    \b
    Examples:
      rewards attest out --previous-epoch 122 --attempt 1 --keystore key.json --out mine.json
      rewards attest out --rpc URL --typed-data --out to-sign.json
    """
    _require_sensible(options)
    published = PublishedEpoch(locate(options["out"], options["season_folder"]).folder)
    verdict = Verdict()
    statement = _statement(options, published, verdict)
    if options["typed_data"]:
        content = json.dumps(statement.typed_data(), indent=2).encode() + b"\n"
        signer = None
    else:
        attestation = _signed(options, statement)
        content, signer = attestation.to_bytes(), attestation.attester
    write_new(options["file"], content)
    _answer(options, statement, signer, verdict)


def _require_sensible(options: dict[str, Any]) -> None:
    ways = (
        bool(options["keystore"]),
        bool(options["signature"]),
        bool(options["typed_data"]),
    )
    if sum(ways) != 1:
        raise click.UsageError("say one of --keystore, --signature (with --attester), --typed-data")
    if bool(options["signature"]) != bool(options["attester"]):
        raise click.UsageError("--signature and --attester go together")
    if not options["urls"] and (options["previous_epoch"] is None or options["attempt"] is None):
        raise click.UsageError("say --previous-epoch and --attempt, or ask the chain with --rpc")


def _statement(options: dict[str, Any], published: PublishedEpoch, verdict: Verdict) -> Statement:
    from rewards.settling.attesting import Place, place_on_chain, recomputed_statement

    season, urls = options["season_folder"], options["urls"]
    find = predecessors_of(published, season, options["previous"])
    reviewer = present_reviewer(published, season, options["checks_file"], options["waivers_file"])
    place = Place(options["previous_epoch"], options["attempt"])
    if urls:
        from rewards.chain.agreement import Sight

        with endpoints(urls) as opened:
            report = Reporter(quiet=options["as_json"])
            sight = Sight.at_final_block(opened, published.manifest.chain_id, report)
            place = place_on_chain(sight, published, place.previous_epoch, place.attempt)
    return recomputed_statement(published, place, find, reviewer, verdict)


def _signed(options: dict[str, Any], statement: Statement) -> Attestation:
    from rewards.chain.attestation import Attestation, parse_signature, recovered, sign

    if options["keystore"]:
        return sign(statement, unlock_keystore(options["keystore"], options["env_file"]))
    try:
        signature = parse_signature(options["signature"])
    except GrammarError as error:
        raise InvalidInput(Finding("--signature", error.problem, error.remedy)) from error
    attestation = Attestation(statement, options["attester"], signature)
    signer = recovered(attestation)
    if signer not in (None, attestation.attester) and not options["urls"]:
        note(f"  the key {signer} signed: good only if {attestation.attester} is its wallet")
    if options["urls"]:
        _require_accepted(options, attestation)
    return attestation


def _require_accepted(options: dict[str, Any], attestation: Attestation) -> None:
    from rewards.chain.agreement import Sight
    from rewards.chain.attestation import is_signed

    with endpoints(options["urls"]) as opened:
        sight = Sight.at_final_block(opened, attestation.statement.chain_id)
        good = sight.read("signature", lambda endpoint, at: is_signed(attestation, endpoint, at))
    if not good:
        raise CheckFailed(
            Finding(
                "--signature",
                f"is not accepted for {attestation.attester}, by key or by its wallet",
                "sign what --typed-data writes",
            )
        )


def _answer(
    options: dict[str, Any], statement: Statement, signer: str | None, verdict: Verdict
) -> None:
    proposal = statement.proposal
    (findings,) = verdict.checks
    document = {
        "ok": True,
        "file": str(options["file"]),
        "attester": signer,
        "digest": "0x" + statement.digest.hex(),
        "epoch": str(proposal.epoch),
        "previous_epoch": str(proposal.previous_epoch),
        "attempt": str(proposal.attempt),
        "rise": str(statement.rise),
        "cumulative_total": str(proposal.cumulative_total),
        "checks": findings.detail,
        "notes": verdict.as_json().get("notes", []),
    }

    def show() -> None:
        click.echo(
            f"epoch {proposal.epoch}, attempt {proposal.attempt} on top of epoch "
            f"{proposal.previous_epoch}: recomputed, equal"
        )
        click.echo(f"rise        {format_wct(statement.rise)} WCT")
        click.echo(f"checks      {findings.detail}")
        for said in verdict.notes:
            note(f"note: {printable(said)}")
        click.echo(f"attester    {signer or 'to be signed elsewhere'}")
        click.echo(f"digest      {document['digest']}")
        click.echo(f"written     {options['file']}")

    answer(document, as_json=options["as_json"], text=show)
