"""Whether all is still as the plan binds it: files, chain, contract, code, what is settled.

Drift is refused (CheckFailed, exit 1) before anything is signed, and again before anything is sent
once more. What the contract itself would refuse is found by simulation, when it is signed for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rewards.chain.distributor import Distributor, ProposalStatus
from rewards.chain.endpoint import LATEST, Call
from rewards.chain.sending.goals import PENDING_ROOT, ROOT
from rewards.chain.sending.intents import DISTRIBUTOR_TARGET, contradictions, values_of
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.folder import open_regular, read_bytes, walk_files
from rewards.files.manifest import MANIFEST_LIMIT, sha256_of
from rewards.files.outputs import MANIFEST, manifest_hash
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rewards.chain.endpoint import Block
    from rewards.chain.plan import Plan
    from rewards.chain.sending.intents import Intent
    from rewards.chain.sending.node import Node
    from rewards.chain.sending.quorum import Quorum
    from rewards.chain.steps import Step

MAKE_ANEW = "nothing was sent; make the plan anew with `rewards plan`"


def require_files(plan: Plan, folder_of: Callable[[int], Path]) -> None:
    """Check that every file that the plan binds is there with the bytes that were planned.

    Args:
        plan: The plan.
        folder_of: The published folder of an epoch.

    Raises:
        CheckFailed: A file is altered, missing or extra; all findings together.
    """
    findings = contradictions(plan)
    for epoch in plan.files:
        findings += _file_findings(plan, epoch, folder_of(epoch))
    if findings:
        raise CheckFailed(findings)


def _file_findings(plan: Plan, epoch: int, folder: Path) -> Iterator[Finding]:
    bound = plan.files[epoch]
    remedy = f"put back the folder that was planned with, or: {MAKE_ANEW}"
    if not folder.is_dir():
        yield Finding(str(folder), "StalePlan: is not there, and the plan binds its files", remedy)
        return
    present = set(walk_files(folder))
    for name in sorted(present | set(bound)):
        place = f"{epoch:06d}/{name}"
        if name not in bound:
            if name != MANIFEST:
                yield Finding(place, "StalePlan: is not among the files planned with", remedy)
        elif name not in present:
            yield Finding(place, "StalePlan: is missing", remedy)
        elif (found := _digest(folder / name, place)) != bound[name]:
            yield Finding(place, "StalePlan: is altered since it was planned", remedy, value=found)
    last = plan.epochs is not None and epoch == plan.epochs.last
    if last and plan.manifest_hash is not None and MANIFEST in present:
        found = manifest_hash(read_bytes(folder / MANIFEST, MANIFEST, MANIFEST_LIMIT))
        if found != plan.manifest_hash:
            yield Finding(MANIFEST, "StalePlan: is not the manifest planned", remedy, value=found)


def _digest(path: Path, name: str) -> str:
    try:
        with open_regular(path, name) as handle:
            return sha256_of(handle)
    except InvalidInput as error:
        return error.findings[0].problem


def require_gate(plan: Plan) -> None:
    """Check that a proposal, or any step on another target, passed the checks of `rewards plan`.

    Raises:
        CheckFailed: There is no verdict, or it is negative.
    """
    if plan.action != "propose" and plan.target == DISTRIBUTOR_TARGET:
        return
    if plan.gate is None or plan.gate.get("ok") is not True:
        said = "has no verdict of the gate" if plan.gate is None else "did not pass the gate"
        raise CheckFailed(Finding("plan", f"GateNotPassed: {said}", MAKE_ANEW, column="gate"))


def require_contract(plan: Plan, quorum: Quorum, block: Block) -> None:
    """Check the code of contract and token at a final block, as every endpoint tells it.

    Raises:
        NotYet: An endpoint does not answer.
        Stopped: They contradict each other.
        CheckFailed: The code is another than the one planned for, or there is none.
    """
    bound = [("contract", plan.contract.address, plan.contract.code_hash)]
    if plan.token is not None:
        bound.append(("token", plan.token.address, plan.token.code_hash))
    findings = []
    for name, address, expected in bound:
        if expected is None:
            continue
        code = _code(quorum, name, address, block)
        found = "0x" + keccak256(code).hex()
        if not code:
            problem = f"NoContract: there is no code at {address} in final block {block.number}"
            remedy = "check chain and address; if it was deployed only now, wait until it is final"
            findings.append(Finding("the chain", problem, remedy, column=name))
        elif found != expected:
            problem = f"OtherContract: the code at {address} is not the one planned for"
            findings.append(Finding("the chain", problem, MAKE_ANEW, column=name, value=found))
    if findings:
        raise CheckFailed(findings)


def _code(quorum: Quorum, name: str, address: str, block: Block) -> bytes:
    return quorum.agreed(f"code of the {name}", lambda node: node.code(address, block.number))


def require_open(plan: Plan, quorum: Quorum) -> None:
    """Check that a proposal is still to be made; only asked while nothing is signed.

    Raises:
        NotYet: The endpoints do not agree yet.
        CheckFailed: The epoch is settled or proposed with other content, or the plan is stale.
    """
    if plan.action != "propose" or plan.target != DISTRIBUTOR_TARGET:
        return
    address = plan.contract.address
    active = quorum.settled("active epoch", lambda node: Distributor(node, address).active())
    pending = quorum.settled("proposal", lambda node: Distributor(node, address).pending())
    arguments = values_of(plan.calls[0])
    epoch, attempt = int(arguments["proposal.epoch"]), int(arguments["proposal.attempt"])
    previous, root = int(arguments["proposal.previousEpoch"]), arguments["proposal.root"]
    problem = None
    if active.epoch >= epoch and "0x" + active.root.hex() != root:
        problem = f"AlreadyActivated: epoch {active.epoch} is active, with another root"
    elif active.epoch < epoch and active.epoch != previous:
        problem = f"StalePlan: epoch {active.epoch} was activated last, not {previous}"
    elif pending.status is ProposalStatus.PENDING and "0x" + pending.root.hex() != root:
        problem = f"AlreadyProposed: epoch {pending.epoch} is pending, with another root"
    elif pending.status is not ProposalStatus.PENDING and active.epoch < epoch:
        expected = pending.next_attempt
        if attempt not in (expected, pending.attempt):
            problem = f"StalePlan: attempt {expected} is due, not {attempt}"
    if problem:
        raise CheckFailed(Finding("the chain", problem, MAKE_ANEW))


BOUND_ROOTS = {
    ("urd", "propose"): {"root": ROOT, "pending root": PENDING_ROOT},
    ("urd", "activate"): {"root": ROOT, "pending root": PENDING_ROOT},
    ("urd", "veto"): {"pending root": PENDING_ROOT},
}
"""Facts of a plan's verdict, and the views that tell them, which must still be as planned: a URD
takes any root on top of any other, and accepts or revokes whatever is pending."""


def require_unmoved(plan: Plan, quorum: Quorum, block: Block) -> None:
    """Check that another target still shows what a plan builds on; asked while nothing is signed.

    Raises:
        NotYet: An endpoint does not answer, or it has changed and that is not final yet.
        Stopped: They contradict each other.
        CheckFailed: It has changed, or the plan does not bind it.
    """
    findings = []
    for name, view in BOUND_ROOTS.get((plan.target, plan.action), {}).items():
        planned = _fact(plan, name)
        there = _shown(quorum, name, Call(plan.contract.address, view), block, planned)
        if there != planned:
            problem = f"StalePlan: the {name} is not what it was when planned, {planned}"
            findings.append(Finding("the chain", problem, MAKE_ANEW, column=name, value=there))
    if findings:
        raise CheckFailed(findings)


def _fact(plan: Plan, name: str) -> str | None:
    """Return what the checks of `rewards plan` found on the chain, as the verdict holds it."""
    told: str | None = (plan.gate or {}).get("facts", {}).get(name)
    return told


def _shown(quorum: Quorum, name: str, call: Call, block: Block, planned: str | None) -> str:
    """Return the word that a view tells in a final block or, as long as that is as planned, now."""

    def word(node: Node, at: int | str) -> str:
        return "0x" + node.call(call, at)[:32].hex()

    there = quorum.agreed(name, lambda node: word(node, block.number))
    return there if there != planned else quorum.settled(name, lambda node: word(node, LATEST))


def require_still_wanted(intent: Intent, step: Step, quorum: Quorum, block: Block) -> None:
    """Check that nobody else has made a step whose signed bytes wait, before they go out again.

    Ours moves the figure too. So it is read at the block at which our nonce is still unused.

    Raises:
        NotYet: An endpoint does not answer.
        Stopped: They contradict each other.
        CheckFailed: It was made by somebody else.
    """
    movement, last = intent.movement, step.variants[-1]
    if movement is None or last.kind == "cancel" or last.is_safe_tx:
        return
    used = quorum.agreed("nonce", lambda node: node.nonce(last.sender, block.number))
    if used > last.nonce:
        return
    there = movement.at(quorum, block)
    if not movement.is_open(there):
        found = movement.refusal(there)
        remedy = "it was not sent again; `rewards submit --cancel` puts nothing in its place"
        raise CheckFailed(replace(found, remedy=remedy))
