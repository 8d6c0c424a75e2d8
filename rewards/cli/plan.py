"""`rewards plan`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewards.chain.safe.fields import parse_data
from rewards.cli.asking import (
    ADDRESS,
    AMOUNT,
    COINS,
    GWEI,
    NUMBER,
    Reporter,
    endpoints,
    read_attestations,
    write_new,
)
from rewards.cli.checks import checks_options
from rewards.cli.console import EXIT_FOUND, answer, json_option, note
from rewards.cli.epochs import locate, season_option
from rewards.cli.grounds import predecessors_of, present_reviewer
from rewards.cli.target import score_scale_option
from rewards.errors import CheckFailed, Finding, FindingsError, InvalidInput
from rewards.files.folder import read_bytes
from rewards.files.grammar import GrammarError, parse_address, parse_boolean
from rewards.files.outputs import format_wct
from rewards.files.published import PublishedEpoch

if TYPE_CHECKING:
    from rewards.audit.checks.reviewer import Reviewer
    from rewards.chain.agreement import Sight
    from rewards.chain.endpoint import Endpoint
    from rewards.chain.plan import Plan
    from rewards.settling.gate import Request
    from rewards.settling.history import FindPredecessor
    from rewards.settling.plans import Made, Planner
    from rewards.settling.verdict import Verdict
    from rewards.targets.target import Terms

# As the constants of rewards.chain.plan, which is loaded only when the command runs.
ACTIONS = (
    "propose",
    "activate",
    "claim_many",
    "fund",
    "veto",
    "pause",
    "unpause",
    "sweep",
    "schedule",
    "cancel",
    "configure",
    "retire",
    "deploy",
)
TARGETS = ("epoch-distributor", "urd", "airdrop", "reward-manager")
OUR_TARGET = TARGETS[0]
CODE_LIMIT = 1 << 20


@click.command()
@click.argument("out", required=False)
@click.option("--action", type=click.Choice(ACTIONS), required=True, help="The step to plan.")
@click.option("--rpc", "urls", multiple=True, required=True, help="An endpoint; repeatable.")
@click.option("--other-rpc", "other_urls", multiple=True, help="Of another chain; repeatable.")
@click.option(
    "--previous",
    "previous",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A predecessor's published folder; repeatable. A season finds them itself.",
)
@season_option
@checks_options
@click.option("--sender", type=ADDRESS, help="Who will send it: a key's account or a Safe.")
@click.option("--funder", type=ADDRESS, help="Who brings the tokens that are missing.")
@click.option(
    "--attestations", multiple=True, type=click.Path(path_type=Path), help="A file; repeatable."
)
@click.option(
    "--accept", multiple=True, type=ADDRESS, help="A payee with code on another chain alone."
)
@click.option("--amount", type=AMOUNT, help="fund: how much; by default what is missing.")
@click.option("--token", type=ADDRESS, help="sweep: which token; by default the one paid out.")
@click.option("--epoch", "epoch_number", type=NUMBER, help="veto: of which epoch.")
@click.option("--attempt", type=NUMBER, help="veto: of which attempt.")
@click.option("--reason", help="veto: why, for the log.")
@click.option("--claims/--no-claims", default=True, help="pause, unpause: claims.")
@click.option("--activation/--no-activation", default=True, help="pause, unpause: activation.")
@click.option("--change", metavar="FUNCTION", help="schedule, cancel, configure: what.")
@click.option("--with", "values", multiple=True, help="An argument of --change; repeatable.")
@click.option("--config", type=click.Path(path_type=Path), help="deploy: the deploy.toml.")
@click.option("--target", type=click.Choice(TARGETS), default=OUR_TARGET, show_default=True)
@click.option("--since", help="Another target: the epoch that it settled last.")
@click.option("--first", is_flag=True, help="Another target: nothing was settled before.")
@click.option("--contract", type=ADDRESS, help="Another target: its contract.")
@score_scale_option
@click.option(
    "--term",
    "terms",
    metavar="NAME=VALUE",
    multiple=True,
    help="Another target: who and where, e.g. reserve=0x…; repeatable.",
)
@click.option("--gas-limit", type=NUMBER, help="Gas that a transaction may use.")
@click.option("--max-fee", type=GWEI, help="Gwei per gas, at most.")
@click.option("--max-priority-fee", type=GWEI, help="Gwei per gas to the producer, at most.")
@click.option("--max-total-fee", type=COINS, help="Coins that a transaction may cost, at most.")
@click.option(
    "--out",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The plan's file.",
)
@json_option
def command(**options: Any) -> None:  # noqa: ANN401 - one per option above
    """Write one file that binds all that a settlement step depends on and everything it does.

    OUT is a published folder, or inside a season an epoch's number; veto, pause and what the admin
    does need only the contract, which a season's last epoch names. Before `propose` a gate holds
    the epoch against the chain, at one final block that all endpoints agree on, and simulates every
    claim as it will be after activation: exit code 1 and each check that failed, with what to do.
    One of them holds every epoch against the season's present checks.toml and waivers.toml.

    \b
    Examples:
      rewards plan 124 --action propose --sender 0x… --rpc URL --rpc URL --out propose-124.json
      rewards plan --action veto --reason "wrong scores" --rpc URL --out veto.json
    """
    from rewards.chain.plan_file import plan_bytes

    asked = Asked(options)
    asked.require_sensible()
    verdict: Verdict | None = None
    with ExitStack() as stack:
        opened = stack.enter_context(endpoints(options["urls"]))
        others = stack.enter_context(endpoints(options["other_urls"]))
        try:
            made, verdict = _make(asked, opened, others)
        except _Refused as refused:
            _show_refusal(refused, as_json=options["as_json"])
            sys.exit(EXIT_FOUND)
    content = plan_bytes(made.plan)
    write_new(options["file"], content)
    document = {
        "ok": True,
        "plan": str(options["file"]),
        "digest": made.plan.digest,
        "action": made.plan.action,
        "gate": verdict.as_json() if verdict else made.plan.gate,
    }
    answer(
        document,
        as_json=options["as_json"],
        text=lambda: _show(made.plan, verdict, options["file"]),
    )


class _Refused(Exception):  # noqa: N818
    """A check failed; the verdict says which."""

    def __init__(self, verdict: Verdict, error: FindingsError) -> None:
        self.verdict, self.error = verdict, error
        super().__init__(str(error))


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    options: dict[str, Any]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Return an option's value."""
        return self.options[name]

    def require_sensible(self) -> None:
        """End with what is missing for the action.

        Raises:
            UsageError: Something is.
        """
        needs = {
            "propose": ("out", "sender"),
            "claim_many": ("out", "sender"),
            "fund": ("sender",),
            "sweep": ("sender",),
            "veto": ("reason",),
            "schedule": ("change",),
            "cancel": ("change",),
            "configure": ("change",),
            "deploy": ("config",),
        }
        if self.target != OUR_TARGET:
            needs = dict.fromkeys(needs, ("out", "sender"))
        for option in needs.get(self.action, ()):
            if not self.options[option]:
                name = "OUT" if option == "out" else f"--{option}"
                raise click.UsageError(f"--action {self.action} needs {name}")

    @property
    def published(self) -> PublishedEpoch | None:
        """The epoch that OUT names."""
        if self.out is None:
            return None
        return PublishedEpoch(locate(self.out, self.season_folder).folder)

    def place(self) -> tuple[int, str]:
        """Return chain and contract: of OUT, or of the season's last published epoch."""
        published = self.published or PublishedEpoch(locate(None, self.season_folder).folder)
        return published.manifest.chain_id, published.manifest.distributor

    def find(self) -> FindPredecessor:
        """Return how predecessors are found."""
        return predecessors_of(self.published, self.season_folder, self.previous)

    def reviewer(self, published: PublishedEpoch) -> Reviewer:
        """Return the limits and waivers that hold."""
        return present_reviewer(published, self.season_folder, self.checks_file, self.waivers_file)

    def request(self, others: list[Endpoint]) -> Request:
        """Return what the gate is asked."""
        from rewards.settling.gate import Request

        published = self.published
        if published is None:
            raise click.UsageError(f"--action {self.action} needs OUT")
        return Request(
            published,
            self.find(),
            self.sender,
            self.funder,
            read_attestations(self.attestations),
            tuple(others),
            frozenset(self.accept),
            self.reviewer(published),
        )


def _make(
    asked: Asked, opened: list[Endpoint], others: list[Endpoint]
) -> tuple[Made, Verdict | None]:
    from rewards.chain.agreement import Sight
    from rewards.settling.plans import URGENT, Limits, Planner

    limits = Limits(asked.gas_limit, asked.max_fee, asked.max_priority_fee, asked.max_total_fee)
    report = Reporter(quiet=asked.as_json)
    if asked.action == "deploy" and asked.target == OUR_TARGET:
        return _deployment(asked, opened, limits), None
    chain_id, address = asked.place()
    look = Sight.at_latest_block if asked.action in URGENT else Sight.at_final_block
    sight = look(opened, chain_id, report)
    planner = Planner(sight, address, limits)
    try:
        if asked.target == OUR_TARGET:
            made = _planned(asked, planner, sight, others)
        else:
            made = _other_target(asked, planner)
    except CheckFailed as error:
        raise _Refused(planner.verdict, error) from error
    return made, made.verdict


def _planned(asked: Asked, planner: Planner, sight: Sight, others: list[Endpoint]) -> Made:
    from rewards.settling.gate import ProposalGate

    action = asked.action
    if action == "propose":
        return planner.propose(asked.request(others))
    if action == "activate":
        return planner.activate(asked.published)
    if action == "claim_many":
        return planner.claim_many(ProposalGate(asked.request(others), sight, planner.verdict))
    if action == "fund":
        published = asked.published
        owed = published.manifest.cumulative_total if published else None
        return planner.fund(asked.amount, owed, asked.funder, asked.sender)
    if action == "veto":
        return planner.veto(asked.reason, asked.epoch_number, asked.attempt)
    if action in ("pause", "unpause"):
        return planner.pause(action, claims=asked.claims, activation=asked.activation)
    if action == "sweep":
        return planner.sweep(asked.token or planner.contract.token, asked.sender)
    change = "retire" if action == "retire" else asked.change
    return planner.change(action, change, asked.values)


def _other_target(asked: Asked, planner: Planner) -> Made:
    from rewards.settling.history import at_hand
    from rewards.targets.kinds import target_for
    from rewards.targets.reward_manager import ScoreScale

    published = asked.published
    if published is None:
        raise click.UsageError("another target needs OUT")
    since = asked.since and PublishedEpoch(locate(asked.since, asked.season_folder).folder)
    history = at_hand(published, since.manifest.epoch if since else 0, asked.find())
    target = target_for(
        asked.target,
        published,
        since or None,
        between=history.epochs[:-1],
        first=asked.first,
        scale=ScoreScale(asked.score_scale),
    )
    reviewer = asked.reviewer(published)
    return planner.other(target, asked.action, _terms(asked), history, reviewer)


def _terms(asked: Asked) -> Terms:
    """Return who and where, as --contract, --sender and --term say.

    Raises:
        InvalidInput: There is no such term, or it is not what it should be.
    """
    from rewards.targets.target import Terms

    terms = Terms(contract=asked.contract, sender=asked.sender)
    for said in asked.terms:
        name, _, text = said.partition("=")
        try:
            terms = replace(terms, **{name: _term(terms, name, text)})
        except GrammarError as error:
            raise InvalidInput(
                Finding("--term", error.problem, error.remedy, value=said)
            ) from error
    return terms


def _term(terms: Terms, name: str, text: str) -> Any:  # noqa: ANN401
    known = sorted(field.name for field in fields(terms))
    if name not in known:
        raise GrammarError("is no term", "it is one of " + ", ".join(known))
    if name == "creation_code":
        return parse_data(read_bytes(Path(text), text, CODE_LIMIT).decode("ascii").strip())
    if isinstance(getattr(terms, name), bool):
        return parse_boolean(text)
    if isinstance(getattr(terms, name), tuple):
        return (*getattr(terms, name), parse_address(text))
    return parse_address(text)


def _deployment(asked: Asked, opened: list[Endpoint], limits: Any) -> Made:  # noqa: ANN401
    from rewards.chain.deployment import read_deployment
    from rewards.settling.deploying import plan_deployment
    from rewards.settling.plans import Made

    deployment = read_deployment(asked.config)
    return Made(plan_deployment(deployment, opened, limits, asked.sender), None)


def _show_refusal(refused: _Refused, *, as_json: bool) -> None:
    verdict = refused.verdict
    if not verdict.checks:
        raise refused.error
    document = {
        "ok": False,
        "error": "check_failed",
        "gate": verdict.as_json(),
        "findings": [finding.as_json() for finding in verdict.findings()],
    }
    answer(document, as_json=as_json, text=lambda: _show_verdict(verdict))


def _show_verdict(verdict: Verdict) -> None:
    for name, value in (*verdict.facts.items(), *verdict.told.items()):
        note(f"  {name.replace('_', ' ')}: {value}")
    for check in verdict.checks:
        note(f"  {'ok   ' if check.ok else 'FAILS'} {check.name}: {check.detail}")
        if check.remedy:
            note(f"        to do: {check.remedy}")
    for said in verdict.notes:
        note(f"  note: {said}")
    if not verdict.ok:
        note("nothing was planned")


def _show(plan: Plan, verdict: Verdict | None, file: Path) -> None:
    if verdict:
        _show_verdict(verdict)
    click.echo(f"action     {plan.action} on chain {plan.chain_id}, {plan.contract.address}")
    if plan.epochs:
        click.echo(f"settles    {plan.epochs}")
    for name in ("rise", "outstanding", "amount", "claimed", "total"):
        if name in plan.totals:
            symbol = plan.token.symbol if plan.token else "WCT"
            click.echo(f"{name:<10} {format_wct(plan.totals[name])} {symbol}")
    click.echo(f"calls      {len(plan.calls)}, each at most {plan.caps.gas_limit} gas and")
    click.echo(f"           {format_wct(plan.caps.total_fee)} of the chain's coin")
    click.echo(f"digest     {plan.digest}")
    click.echo(f"written    {file}")
