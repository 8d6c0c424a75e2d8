"""`rewards deploy`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.cli.asking import ADDRESS, NUMBER, endpoints, write_new
from rewards.cli.console import answer, json_option, note
from rewards.errors import CheckFailed, Finding
from rewards.files.publish import publish
from rewards.files.season import Season

if TYPE_CHECKING:
    from rewards.chain.agreement import Sight
    from rewards.chain.deployment import Deployment
    from rewards.chain.endpoint import Endpoint
    from rewards.chain.sender import Sender
    from rewards.settling.onchain import TokenFacts

SETTLEMENT = "settlement.toml"


@click.command()
@click.option("--config", type=click.Path(path_type=Path), required=True, help="The deploy.toml.")
@click.option("--rpc", "urls", multiple=True, required=True, help="An endpoint; repeatable.")
@click.option("--chain", "chain_id", type=NUMBER, help="Must be the configuration's chain id.")
@click.option(
    "--season",
    "season_folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Where settlement.toml and the deployment's papers are written.",
)
@click.option("--keystore", type=click.Path(path_type=Path), help="Test networks: who deploys.")
@click.option(
    "--env-file",
    type=click.Path(path_type=Path),
    help="Sets the keystore's password or, without a keystore, REWARDS_PRIVATE_KEY.",
)
@click.option("--safe", type=ADDRESS, help="Plan it for this Safe instead of sending it.")
@click.option("--sender", type=ADDRESS, help="Plan it for this account instead of sending it.")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="The plan's file.")
@click.option("--address", type=ADDRESS, help="It lies there already: check and write it down.")
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@json_option
def command(**options: Any) -> None:  # noqa: ANN401 - one per option above
    """Deploy a distributor, check it, and write settlement.toml for the season.

    Where the chain has the deterministic deployment proxy, the address follows from code and
    configuration. On test networks a keystore may send, or a key that --env-file sets; anywhere
    else, and for a Safe, a plan is written, which is signed like every other. Once it is there, run
    this again without a key: the code (outside of its immutables) and every setting are compared
    with the configuration, and settlement.toml and what a source verifier such as Sourcify asks for
    are written.

    \b
    Examples:
      rewards deploy --config deploy.toml --rpc URL --season my-season --keystore key.json
      rewards deploy --config deploy.toml --rpc URL --season my-season --safe 0x… --plan plan.json
    """
    from rewards.chain.deployment import read_deployment, require_chain

    ways = [name for name in ("keystore", "safe", "sender", "address") if options[name]]
    if len(ways) > 1:
        raise click.UsageError("say one of --keystore, --safe, --sender, --address")
    if bool(options["safe"] or options["sender"]) != bool(options["plan_file"]):
        raise click.UsageError("--plan goes with --safe or --sender")
    deployment = read_deployment(options["config"])
    require_chain(deployment, options["chain_id"], options["config"])
    season = Season.open(options["season_folder"])
    with endpoints(options["urls"]) as opened:
        document = _deploy(options, deployment, season, opened)

    def show() -> None:
        for name, value in document.items():
            if isinstance(value, str):
                click.echo(f"{name.replace('_', ' '):<12} {value}")

    answer(document, as_json=options["as_json"], text=show)


def _deploy(
    options: dict[str, Any], deployment: Deployment, season: Season, opened: list[Endpoint]
) -> dict[str, Any]:
    from rewards.settling.deploying import existing, preflight, require_as_planned

    sight, token = preflight(deployment, opened)
    address, transaction = options["address"] or existing(deployment, sight), None
    if address is None and options["plan_file"]:
        return _plan(options, deployment, opened)
    if address is None:
        address, transaction = _send(options, deployment, opened)
        sight, token = preflight(deployment, opened)
    elif not options["as_json"]:
        note(f"{address} is there already: checked, nothing is sent")
    require_as_planned(deployment, sight, address)
    return _write(deployment, season, address, transaction, token, sight)


def _plan(
    options: dict[str, Any], deployment: Deployment, opened: list[Endpoint]
) -> dict[str, Any]:
    from rewards.chain.deployment import has_proxy
    from rewards.chain.plan_file import plan_bytes
    from rewards.settling.deploying import plan_deployment
    from rewards.settling.plans import Limits

    if options["safe"] and not all(has_proxy(endpoint) for endpoint in opened):
        raise CheckFailed(
            Finding(
                "--safe",
                "cannot deploy here: the chain has no deterministic deployment proxy",
                "deploy the proxy first (its transaction is public), or send from a key",
            )
        )
    plan = plan_deployment(deployment, opened, Limits(), options["safe"] or options["sender"])
    write_new(options["plan_file"], plan_bytes(plan))
    return {
        "ok": True,
        "plan": str(options["plan_file"]),
        "digest": plan.digest,
        "distributor": plan.contract.address,
        "next": "sign and send it, then run `rewards deploy` again without --safe and --sender",
    }


def _send(
    options: dict[str, Any], deployment: Deployment, opened: list[Endpoint]
) -> tuple[str, str]:
    """Send the deployment and return the address and the transaction.

    Raises:
        CheckFailed: It is no test network: there a key signs nothing that is not in a plan.
    """
    from rewards.chain.deployment import has_proxy, transactions
    from rewards.chain.network import require_test_network
    from rewards.chain.sender import Sender
    from rewards.cli.sending import account_source

    if not options["keystore"] and not options["env_file"]:
        raise click.UsageError(
            "it is not there yet: say --keystore or --env-file, or --plan with --safe or --sender"
        )
    for endpoint in opened:
        require_test_network(endpoint)
    account = account_source(options["keystore"], options["env_file"])()
    sender = Sender(opened[0], account, deployment.chain_id)
    _confirm(sender, yes=options["yes"])
    deterministic = all(has_proxy(endpoint) for endpoint in opened)
    (call,) = transactions(deployment, deterministic=deterministic)
    receipt = sender.send(call)
    address = deployment.deterministic_address if deterministic else receipt.contract
    if address is None:
        raise CheckFailed(
            Finding(receipt.transaction, "created no contract", "look the transaction up")
        )
    return address, receipt.transaction


def _confirm(sender: Sender, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to ask: say --yes to send")
    click.confirm(f"Deploy from {sender.address}?", abort=True, err=True)


def _write(
    deployment: Deployment,
    season: Season,
    address: str,
    transaction: str | None,
    token: TokenFacts,
    sight: Sight,
) -> dict[str, Any]:
    from rewards.chain.deployment import settlement_toml, verification_files

    papers = season.root / f"deployment-{deployment.chain_id}-{address[2:10]}"
    if not papers.exists():  # a later run knows no transaction, and must not contradict the first
        publish(papers, verification_files(deployment, address, transaction))
    settlement = season.root / SETTLEMENT
    write_new(settlement, settlement_toml(deployment, address, token.decimals))
    return {
        "ok": True,
        "distributor": address,
        "deterministic": address == deployment.deterministic_address,
        "token": f"{token.address} {token.symbol}",
        "transaction": transaction,
        "block": str(sight.block.number),
        "settlement": str(settlement),
        "papers": str(papers),
        "next": f"copy {settlement} into every input folder",
    }
