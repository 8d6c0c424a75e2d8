"""What is to be sent: a plan's calls, each with its key, its caps and its goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.chain.endpoint import Call
from rewards.chain.sending.goals import (
    PAUSED,
    PENDING_ROOT,
    ROOT,
    TRUE,
    Activated,
    Claimed,
    Deployed,
    Executed,
    Goal,
    Moved,
    Proposed,
    Recorded,
    Shown,
    Vetoed,
)
from rewards.chain.sending.movements import RECEIVED, Allowed, Movement, Received
from rewards.chain.steps import Key
from rewards.errors import CheckFailed, Finding

if TYPE_CHECKING:
    from rewards.chain.plan import Caps, Plan, PlannedCall
    from rewards.chain.safe.calldata import Argument

DISTRIBUTOR_TARGET = "epoch-distributor"


@dataclass(frozen=True, slots=True)
class Intent:
    """One transaction to be made.

    Attributes:
        key: Its key in the journal.
        plan: The digest of the plan that it belongs to.
        call: Whom it calls with what; `to` is None where it creates a contract.
        value: Wei sent along.
        caps: What it may cost.
        goal: How the chain shows that it is done.
        words: The action in words, for messages.
        sender: Who alone may send it; None: anybody whom the contract lets.
        movement: What shows that it was made already, where the chain would take it twice.
    """

    key: Key
    plan: str
    call: Call
    value: int
    caps: Caps
    goal: Goal
    words: str
    sender: str | None = None
    movement: Movement | None = None

    def require_sender(self, sender: str) -> None:
        """Check that an account, or a Safe, is the one that the plan was made for.

        Raises:
            CheckFailed: It is another.
        """
        if self.sender not in (None, sender):
            raise CheckFailed(
                Finding(
                    "plan",
                    f"OtherSender: was made for {self.sender} to send",
                    "send it from there (a Safe with --safe), or make the plan anew",
                    column="sender",
                    value=sender,
                )
            )


def intents_of(plan: Plan, attempt: int | None = None, action: str | None = None) -> list[Intent]:
    """Return a plan's transactions, in order.

    Args:
        plan: The plan.
        attempt: Which time it is, where the calls do not say that; by default the first.
        action: What the journal calls it; by default as the plan does.

    Raises:
        CheckFailed: A call does not say what the plan says of it.
    """
    findings = contradictions(plan)
    if findings:
        raise CheckFailed(findings)
    epoch = plan.epochs.last if plan.epochs else 0
    count = len(plan.calls)
    return [
        Intent(
            Key(
                plan.chain_id,
                plan.contract.address,
                epoch,
                attempt or attempt_of(plan),
                action or plan.action,
                part,
            ),
            plan.digest,
            Call(call.to, call.data),
            call.value,
            plan.caps,
            goal_of(plan, call),
            f"{plan.action}{f' of epoch {epoch}' if epoch else ''}"
            + (f", call {part + 1} of {count}" if count > 1 else ""),
            plan.sender,
            movement_of(plan),
        )
        for part, call in enumerate(plan.calls)
    ]


def attempt_of(plan: Plan) -> int:
    """Return the attempt that the plan's calls name; 1 where they name none."""
    for call in plan.calls:
        arguments = values_of(call)
        text = arguments.get("attempt") or arguments.get("proposal.attempt")
        if text is not None:
            return int(text)
    return 1


def goal_of(plan: Plan, call: PlannedCall) -> Goal:
    """Return how the chain shows that a call is done."""
    contract, arguments = plan.contract.address, values_of(call)
    if plan.action == "deploy" and (call.to is None or plan.contract.code_hash is None):
        return Deployed(contract)
    movement = movement_of(plan)
    if movement is not None:
        return Moved(movement)
    if call.to != contract:
        return Executed()
    if plan.target != DISTRIBUTOR_TARGET:
        return _goal_elsewhere(plan)
    if plan.action == "propose":
        return Proposed(
            contract,
            int(arguments["proposal.previousEpoch"]),
            int(arguments["proposal.epoch"]),
            int(arguments["proposal.attempt"]),
            bytes.fromhex(arguments["proposal.root"][2:]),
            bytes.fromhex(arguments["proposal.manifestHash"][2:]),
            int(arguments["proposal.cumulativeTotal"]),
        )
    if plan.action == "activate":
        root = bytes.fromhex(plan.merkle_root[2:]) if plan.merkle_root else None
        return Activated(contract, int(arguments["epoch"]), root)
    if plan.action == "veto":
        return Vetoed(contract, int(arguments["epoch"]), int(arguments["attempt"]))
    if plan.action == "claim_many":
        return Claimed(contract, tuple(claims_in(call)))
    return Executed()


def _goal_elsewhere(plan: Plan) -> Goal:
    """Return how another target shows that a call of it is done."""
    contract = plan.contract.address
    root = bytes.fromhex(plan.merkle_root[2:]) if plan.merkle_root else b""
    if plan.target == "urd" and plan.action in ("propose", "activate"):
        waits = (plan.calls[0].function or "").startswith("submitRoot(")
        return Shown(contract, PENDING_ROOT if waits else ROOT, root)
    if plan.target == "airdrop" and plan.action == "pause":
        return Shown(contract, PAUSED, TRUE)
    if plan.target == "reward-manager" and plan.action == "propose" and plan.epochs:
        return Recorded(contract, plan.epochs.last)
    return Executed()


def movement_of(plan: Plan) -> Movement | None:
    """Return what shows that a plan was carried out, where the chain would take it twice."""
    contract, token = plan.contract.address, plan.token
    if plan.action not in ("fund", "sweep") or token is None:
        return None
    if plan.target == "airdrop":
        allowed = Allowed(contract, token.address, plan.sender or "")
        return Movement(allowed, 0, plan.totals["total"], "AlreadyAllowed")
    if plan.target != DISTRIBUTOR_TARGET:
        return None
    planned, amount = plan.totals[RECEIVED], plan.totals["amount"]
    if plan.action == "fund":
        return Movement(Received(contract, token.address), planned, amount, "AlreadyFunded")
    asset = values_of(plan.calls[0])["asset"]
    received = Received(contract, asset, pays=asset == token.address)
    return Movement(received, planned, -amount, "AlreadySwept")


def claims_in(call: PlannedCall) -> list[tuple[str, int]]:
    """Return (account, cumulative) of every claim in a `claimMany`."""
    claims = next(a.value for a in call.arguments if a.name == "claims")
    found = []
    for claim in claims:
        fields = {part.name: part.value for part in _parts(claim)}
        found.append((str(fields["account"]), int(fields["cumulative"])))
    return found


def contradictions(plan: Plan) -> list[Finding]:
    """Return where the calls do something else than the plan's own fields say."""
    findings = _unbound(plan)
    for number, call in enumerate(plan.calls):
        findings += [
            Finding(
                "plan",
                f"StalePlan: calls[{number}] has another {name} than the plan, which says {said}",
                "do not sign it; make the plan anew with `rewards plan`",
                column=name,
                value=str(there),
            )
            for name, (there, said) in _expected(plan, call).items()
            if there != said
        ]
    return findings


def _unbound(plan: Plan) -> list[Finding]:
    """Return what is missing in a plan that moves tokens: what keeps it from being made twice."""
    ours = plan.target == DISTRIBUTOR_TARGET
    if not (plan.action == "fund" or (ours and plan.action == "sweep")):
        return []
    there = {
        "sender": plan.sender,
        "token": plan.token,
        "one call": len(plan.calls) == 1 or None,
        RECEIVED: plan.totals.get(RECEIVED) if ours else 0,
        "amount": plan.totals.get("amount" if ours else "total"),
    }
    return [
        Finding(
            "plan",
            f"StalePlan: does not bind its {name}, and could be carried out twice",
            "make the plan anew with `rewards plan`",
            column=name,
        )
        for name, value in there.items()
        if value is None
    ]


def _expected(plan: Plan, call: PlannedCall) -> dict[str, tuple[str | None, str | None]]:
    """Return (what a call says, what the plan says) by name."""
    contract, arguments = plan.contract.address, values_of(call)
    if plan.action == "fund" and plan.token is not None:
        return _expected_of_funding(plan, call)
    if plan.target == "urd":
        root = arguments.get("newRoot", plan.merkle_root)
        return {"to": (call.to, contract), "root": (root, plan.merkle_root)}
    if plan.target != DISTRIBUTOR_TARGET:
        return {}
    last = _text(plan.epochs.last if plan.epochs else None)
    expected: dict[str, tuple[str | None, str | None]] = {}
    if plan.action in _FUNCTIONS:
        function = (call.function or "").partition("(")[0]
        expected["function"] = (function, _FUNCTIONS[plan.action])
        expected["to"] = (call.to, contract)
    if plan.action == "propose":
        expected["epoch"] = (arguments.get("proposal.epoch"), last)
        expected["root"] = (arguments.get("proposal.root"), plan.merkle_root)
        expected["manifest hash"] = (arguments.get("proposal.manifestHash"), plan.manifest_hash)
        total = plan.totals.get("cumulative_total")
        if total is not None:
            expected["total"] = (arguments.get("proposal.cumulativeTotal"), str(total))
    elif plan.action in ("activate", "veto", "claim_many"):
        expected["epoch"] = (arguments.get("epoch"), last)
    return expected


def _expected_of_funding(plan: Plan, call: PlannedCall) -> dict[str, tuple[str | None, str | None]]:
    """Return the same for a transfer to the distributor, or the allowance of an Airdrop."""
    ours = plan.target == DISTRIBUTOR_TARGET
    functions = ("transfer", "transferFrom") if ours else ("approve",)
    function = (call.function or "").partition("(")[0]
    values = [argument.value for argument in call.arguments]
    there, amount = (str(value) for value in values[-2:]) if len(values) > 1 else ("", "")
    total = plan.totals.get("amount" if ours else "total")
    return {
        "function": (function, function if function in functions else functions[0]),
        "to": (call.to, plan.token.address if plan.token else None),
        "receiver": (there, plan.contract.address),
        "amount": (amount, _text(total)),
    }


_FUNCTIONS = {
    "propose": "propose",
    "activate": "activate",
    "veto": "veto",
    "claim_many": "claimMany",
    "pause": "pause",
    "unpause": "unpause",
    "sweep": "sweep",
    "schedule": "schedule",
    "cancel": "cancel",
    "retire": "retire",
}


def values_of(call: PlannedCall) -> dict[str, str]:
    """Return a call's plain arguments by dotted name."""
    found: dict[str, str] = {}
    for argument in call.arguments:
        _flatten(argument, argument.name, found)
    return found


def _flatten(argument: Argument, name: str, found: dict[str, str]) -> None:
    if isinstance(argument.value, str):
        found[name] = argument.value
    elif isinstance(argument.value, tuple):
        for part in argument.value:
            if hasattr(part, "name"):
                _flatten(part, f"{name}.{part.name}", found)


def _parts(claim: Any) -> Any:  # noqa: ANN401 - an argument, or the tuple of its parts
    return claim.value if hasattr(claim, "value") else claim


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
