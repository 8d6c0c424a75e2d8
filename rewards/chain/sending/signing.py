"""Signed bytes of a step, made and held against their signer before anything rests on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.chain.steps import Variant
from rewards.errors import InvariantBroken

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from rewards.chain.sending.fees import Offer
    from rewards.chain.sending.intents import Intent


def signed(
    intent: Intent, account: LocalAccount, kind: str, nonce: int, offer: Offer, since: int
) -> Variant:
    """Return the signed bytes of a step; nothing goes out.

    Args:
        intent: What is to be sent.
        account: Who signs.
        kind: `original`, `bump` or `cancel`: nothing, to oneself.
        nonce: The account's nonce.
        offer: What it offers.
        since: The last final block.

    Raises:
        InvariantBroken: The signature is not the account's.
    """
    cancels = kind == "cancel"
    to = str(account.address).lower() if cancels else intent.call.to
    made = account.sign_transaction(
        {
            "chainId": intent.key.chain_id,
            "nonce": nonce,
            "gas": offer.gas,
            "maxFeePerGas": offer.max_fee,
            "maxPriorityFeePerGas": offer.tip,
            "value": 0 if cancels else intent.value,
            "data": b"" if cancels else intent.call.data,
            **({} if to is None else {"to": bytes.fromhex(to[2:])}),
        }
    )
    variant = Variant(
        kind=kind,
        raw=bytes(made.raw_transaction),
        transaction=made.hash.to_0x_hex(),
        sender=str(account.address).lower(),
        nonce=nonce,
        gas=offer.gas,
        max_fee=offer.max_fee,
        tip=offer.tip,
        worst_fee=offer.worst_fee,
        since=since,
    )
    _require_readable(variant)
    return variant


def _require_readable(variant: Variant) -> None:
    """Hold the signature against its signer, once, before it is relied on."""
    from eth_account import Account  # noqa: PLC0415 - half a second, only where a key is at work

    if Account.recover_transaction(variant.raw).lower() != variant.sender:
        raise InvariantBroken("a signature that is not of its signer")
