"""What a transaction may cost at most, and what it offers; all in wei and wei per gas.

Worst case = gas limit * highest price + value sent + what the OP stack charges beside execution.
The last cannot be bounded by the transaction itself: it follows L1's fees at inclusion. It is asked
for now and doubled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eth_utils.currency import from_wei

from rewards.chain.errors import EndpointTrouble, InsufficientFunds, Reverted
from rewards.chain.op_stack import fee_beside_execution
from rewards.chain.sending.reasons import NotYet, Reason, Stopped

if TYPE_CHECKING:
    from rewards.chain.endpoint import Call
    from rewards.chain.sending.intents import Intent
    from rewards.chain.sending.quorum import Quorum
    from rewards.chain.steps import Variant

GAS_BOUND = 2**24
"""EIP-7825: no transaction has more gas from Osaka on; OP chains follow."""
GAS_MARGIN_PERCENT = 25
BUMP_PERCENT = 115
"""Nodes take a replacement from 110 % of both prices on; rounding and others ask a little more."""
DATA_FEE_MARGIN = 2
PLAIN_GAS = 21_000


@dataclass(frozen=True, slots=True)
class Offer:
    """What a transaction offers, and what it costs at worst."""

    gas: int
    max_fee: int
    tip: int
    worst_fee: int


def offer_for(quorum: Quorum, intent: Intent, sender: str) -> Offer:
    """Return what a first signature offers: what the endpoints ask, within the plan's caps.

    Raises:
        NotYet: An endpoint does not answer.
        Stopped: The contract refuses, a cap is too low, or the sender cannot pay.
    """
    gas = _gas(quorum, intent, sender)
    base = max(block.base_fee for block in quorum.each(lambda node: node.block()))
    tip = min(
        max(quorum.each(lambda node: node.tip())),
        intent.caps.max_priority_fee_per_gas,
    )
    if base + tip > intent.caps.max_fee_per_gas:
        raise Stopped(
            Reason.FEE_ABOVE_CAP,
            f"gas costs {base + tip} wei now, and the plan allows {intent.caps.max_fee_per_gas}",
        )
    max_fee = min(2 * base + tip, intent.caps.max_fee_per_gas)
    return _within(quorum, intent, sender, gas, max_fee, tip)


def replacement_for(
    quorum: Quorum, intent: Intent, last: Variant, *, cancel: bool, cap: int | None = None
) -> Offer:
    """Return what a bump or a cancellation offers: at least what makes nodes replace.

    Replacing is asked for expressly, so the prices may rise above those planned; what bounds them
    is the absolute cap on the whole cost.

    Args:
        quorum: The endpoints.
        intent: What was signed.
        last: The bytes to be replaced.
        cancel: Whether nothing takes its place.
        cap: Wei that it may cost at most; by default the plan's.

    Raises:
        NotYet: An endpoint does not answer.
        Stopped: The cap forbids it, or the sender cannot pay.
    """
    base = max(block.base_fee for block in quorum.each(lambda node: node.block()))
    tip = _raised(last.tip)
    max_fee = max(_raised(last.max_fee), 2 * base + tip)
    gas = PLAIN_GAS if cancel else last.gas
    return _within(quorum, intent, last.sender, gas, max_fee, tip, cancel=cancel, cap=cap)


def coins(wei: int) -> str:
    """Return wei in whole coins."""
    return f"{from_wei(wei, 'ether'):f}"


def _gas(quorum: Quorum, intent: Intent, sender: str) -> int:
    """Return a gas limit for which every endpoint says that the call goes through."""
    try:
        needed = gas_needed(quorum, intent.call, intent.value, sender)
    except Reverted as error:
        raise Stopped(
            Reason.REFUSED, f"{intent.words}: {error.refusal}: {error.next_step}"
        ) from None
    bound = min(intent.caps.gas_limit, GAS_BOUND - 1)
    if needed > bound:
        raise Stopped(
            Reason.GAS_ABOVE_CAP, f"{intent.words} needs {needed} gas, and {bound} are allowed"
        )
    return min(needed * (100 + GAS_MARGIN_PERCENT) // 100, bound)


def gas_needed(quorum: Quorum, call: Call, value: int, sender: str) -> int:
    """Return the most gas that any endpoint says a call needs.

    Raises:
        NotYet: An endpoint does not answer.
        Reverted: An endpoint says that it would be refused.
        Stopped: The sender cannot pay.
    """
    estimates = []
    for node in quorum.nodes:
        try:
            estimates.append(node.estimate(call, value, sender))
        except InsufficientFunds as error:
            raise Stopped(Reason.INSUFFICIENT_FUNDS, str(error)) from None
        except EndpointTrouble as error:
            raise NotYet(Reason.NO_ANSWER, str(error)) from None
    return max(estimates)


def _within(
    quorum: Quorum,
    intent: Intent,
    sender: str,
    gas: int,
    max_fee: int,
    tip: int,
    *,
    cancel: bool = False,
    cap: int | None = None,
) -> Offer:
    data = b"" if cancel else intent.call.data
    beside = max(quorum.each(lambda node: fee_beside_execution(node, data, gas)))
    value = 0 if cancel else intent.value
    worst = gas * max_fee + value + DATA_FEE_MARGIN * beside
    allowed = intent.caps.total_fee if cap is None else cap
    if worst > allowed + value:
        raise Stopped(
            Reason.FEE_ABOVE_CAP,
            f"{intent.words} may cost {coins(worst - value)} of the chain's coin, and the cap "
            f"allows {coins(allowed)}",
        )
    balance = min(quorum.each(lambda node: node.balance(sender)))
    if balance < worst:
        raise Stopped(
            Reason.INSUFFICIENT_FUNDS,
            f"{sender} holds {coins(balance)} of the chain's coin, and this may cost "
            f"{coins(worst)}",
        )
    return Offer(gas, max_fee, tip, worst)


def _raised(price: int) -> int:
    return -(-price * BUMP_PERCENT // 100) + 1
