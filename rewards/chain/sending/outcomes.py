"""What became of signed bytes: read from every endpoint, for one nonce.

What an endpoint says counts only where all say it, in a block whose hash all share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.chain.sending.reasons import NotYet, Reason, Stopped

if TYPE_CHECKING:
    from rewards.chain.endpoint import Block
    from rewards.chain.sending.node import Landed
    from rewards.chain.sending.quorum import Quorum
    from rewards.chain.steps import Step, Variant


def used_up(quorum: Quorum, sender: str, at: int) -> int:
    """Return how many transactions of an account were mined up to a final block."""
    return quorum.agreed("nonce", lambda node: node.nonce(sender, at))


def receipts_of(quorum: Quorum, variant: Variant) -> list[Landed | None]:
    """Return the receipt of signed bytes as each endpoint tells it."""
    return quorum.each(lambda node: node.landed(variant.transaction))


def landed_in(quorum: Quorum, step: Step, block: Block) -> Landed | None:
    """Return the receipt of the one variant that is in the final chain, if all agree on it."""
    for variant in step.variants:
        receipts = receipts_of(quorum, variant)
        there = [receipt for receipt in receipts if receipt is not None]
        if not there or any(receipt.block > block.number for receipt in there):
            continue
        if len(there) < len(receipts):
            raise NotYet(Reason.ENDPOINT_LAGS, f"one endpoint has no {variant.transaction} yet")
        first = there[0]
        if any(receipt != first for receipt in there):
            raise Stopped(
                Reason.ENDPOINTS_DISAGREE, f"they tell other receipts of {variant.transaction}"
            )
        if _hash_of(quorum, first.block) != first.block_hash:
            raise NotYet(
                Reason.ENDPOINT_LAGS, f"{variant.transaction} is told for a block that is gone"
            )
        return first
    return None


def _hash_of(quorum: Quorum, number: int) -> str:
    return quorum.agreed("block", lambda node: node.block(number).hash)


def find_foreign(quorum: Quorum, step: Step, block: Block) -> None:
    """Find the transaction that took the nonce, and stop for good if it is none of ours.

    That no endpoint has a receipt proves nothing: it may have been pruned, or come late. So the
    block in which the nonce went is searched for, and its transactions are read.
    """
    sender, nonce = step.variants[-1].sender, step.variants[-1].nonce
    low, high = min(v.since for v in step.variants), block.number
    try:
        while low + 1 < high:
            middle = (low + high) // 2
            used = used_up(quorum, sender, middle)
            low, high = (low, middle) if used > nonce else (middle, high)
        there = quorum.agreed("block", lambda node: node.transactions(high))
    except NotYet as error:
        raise NotYet(
            Reason.NONCE_UNPROVEN, f"what took nonce {nonce} is not told: {error.detail}"
        ) from None
    found = [mark for who, number, mark in there if (who, number) == (sender, nonce)]
    if not found:
        raise NotYet(Reason.NONCE_UNPROVEN, f"block {high} does not hold what took {nonce}")
    if found[0] not in {variant.transaction for variant in step.variants}:
        raise Stopped(
            Reason.FOREIGN_NONCE,
            f"{found[0]} of {sender}, which is not ours, took nonce {nonce} in block {high}",
            closed=True,
        )
