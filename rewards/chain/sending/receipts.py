"""Receipts: what was sent for an epoch, beside it, as JSON for people and auditors.

`settlements/000123.json` is of the same form as a rehearsal's receipt: the epoch, its root and
totals, and `actions` with name, transaction and gas. Here each action also tells its block and its
fee, what every endpoint saw, and its plan. A receipt is made from the journal alone, so it can be
made again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.chain.steps import State
from rewards.files.documents import canonical_json
from rewards.files.publish import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.chain.journal import Journal
    from rewards.chain.plan import Plan
    from rewards.chain.steps import Key, Step

RECEIPT_FORMAT = "wct-receipt-1"


def write_receipt(journal: Journal, plan: Plan, folder: Path) -> Path:
    """Write the receipt of a plan's epoch anew, and return its path.

    An action without an epoch has a receipt of its own, named by action and plan.
    """
    epoch = plan.epochs.last if plan.epochs else None
    steps = [
        step
        for step in journal.steps()
        if (step.key.chain_id, step.key.contract) == (plan.chain_id, plan.contract.address)
        and (step.key.epoch == epoch if epoch else step.plan == plan.digest)
    ]
    number = f"{epoch:06d}" if epoch else f"{plan.action}-{plan.digest[2:10]}"
    path = folder / f"{number}.json"
    write_file(path, canonical_json(receipt_document(plan, steps)))
    return path


def receipt_document(plan: Plan, steps: list[Step]) -> dict[str, object]:
    """Return the receipt as a JSON object; integers are decimal text."""
    done = [step for step in steps if step.state is State.FINAL]
    document: dict[str, object] = {
        "format": RECEIPT_FORMAT,
        "ok": len(done) == len(steps),
        "final": len(done) == len(steps),
        "chain_id": str(plan.chain_id),
        "contract": plan.contract.address,
        "token": plan.token.address if plan.token else None,
        "actions": [action_document(step) for step in sorted(steps, key=_order)],
    }
    if plan.epochs:
        epochs = range(plan.epochs.first, plan.epochs.last + 1)
        document |= {
            "epoch": str(plan.epochs.last),
            "settles": [str(number) for number in epochs],
            "merkle_root": plan.merkle_root,
            "manifest_hash": plan.manifest_hash,
            "totals": {name: str(amount) for name, amount in plan.totals.items()},
        }
    return document


def action_document(step: Step) -> dict[str, object]:
    """Return one step as a receipt tells it."""
    found = step.outcome
    return {
        "name": step.key.action,
        "attempt": str(step.key.attempt),
        "part": str(step.key.part),
        "state": step.shown_state,
        "transaction": transaction_of(step),
        "safe_tx_hash": safe_tx_hash_of(step),
        "gas": found.get("gas"),
        "block": found.get("block"),
        "block_hash": found.get("block_hash"),
        "fee": found.get("fee"),
        "final_block": found.get("final_block"),
        "final_block_hash": found.get("final_block_hash"),
        "endpoints": found.get("endpoints"),
        "sender": step.variants[-1].sender if step.variants else None,
        "note": found.get("note") or None,
        "plan": step.plan,
    }


def transaction_of(step: Step) -> str | None:
    """Return the transaction that brought a step about, or the one that may still do so."""
    waits = step.variants[-1] if step.live else None
    signed = waits.transaction if waits and not waits.is_safe_tx else None
    return step.outcome.get("transaction", signed)


def safe_tx_hash_of(step: Step) -> str | None:
    """Return the safeTxHash of a step that goes through a Safe."""
    waits = step.variants[-1] if step.live else None
    handed = waits.transaction if waits and waits.is_safe_tx else None
    return step.outcome.get("safe_tx_hash", handed)


ORDER = ("deploy", "fund", "propose", "veto", "activate", "push", "claim_many")


def _order(step: Step) -> tuple[int, Key]:
    action = step.key.action
    return (ORDER.index(action) if action in ORDER else len(ORDER), step.key)
