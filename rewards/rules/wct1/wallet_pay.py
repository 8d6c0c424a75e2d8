"""Section 5: wallet rewards, tiers and curves.

The formulas from `activity` to `curve` use plain operators only, so that they hold for one wallet
as for a table of wallets by column (`wct1.columns`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.rules.integers import WAD, iroot
from rewards.rules.records import Tier, WalletResult
from rewards.rules.wct1.apportion import Apportionment, apportion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.rules.records import Pools, Wallet
    from rewards.rules.wct1.policy import WalletPolicy


@dataclass(frozen=True, slots=True)
class WalletPools:
    """The rows of `wallets.csv` and how each of the two pools was divided."""

    rows: Sequence[WalletResult]
    eligible: Apportionment
    certified: Apportionment


def activity(wallet: Any, policy: WalletPolicy) -> Any:
    """Return the activity that the policy counts."""
    if policy.activity == "signatures":
        return wallet.signatures
    if policy.activity == "connections":
        return wallet.connections
    return wallet.connections + wallet.signatures


def is_over(active: Any, policy: WalletPolicy) -> Any:
    """Return whether the activity passes the threshold."""
    if policy.threshold_rule == "at_least":
        return active >= policy.threshold
    return active > policy.threshold


def may_be_certified(wallet: Any, policy: WalletPolicy) -> Any:
    """Return whether the wallet is certified with the stake that this needs."""
    return wallet.certified & (wallet.stake_weight >= policy.min_stake_certified)


def may_be_eligible(wallet: Any, policy: WalletPolicy) -> Any:
    """Return whether the wallet has the stake that an eligible one needs."""
    return wallet.stake_weight >= policy.min_stake_eligible


def first_tier(*, over: bool, certified: bool, eligible: bool) -> tuple[Tier, str]:
    """Return the first tier whose condition holds, and the reason where none does."""
    if not over:
        return Tier.INELIGIBLE, "below_threshold"
    if certified:
        return Tier.CERTIFIED, ""
    if eligible:
        return Tier.ELIGIBLE, ""
    return Tier.INELIGIBLE, "insufficient_stake"


def tier(wallet: Wallet, active: int, policy: WalletPolicy) -> tuple[Tier, str]:
    """Return the tier, and the reason where it is ineligible."""
    return first_tier(
        over=is_over(active, policy),
        certified=may_be_certified(wallet, policy),
        eligible=may_be_eligible(wallet, policy),
    )


def measure(active: Any, ux_score: Any, policy: WalletPolicy) -> Any:
    """Return m: the activity (or what of it lies above the threshold) times the UX score."""
    counted = active - policy.threshold if policy.measure == "excess" else active
    return counted * ux_score


def curve(m: Any, exponent: tuple[int, int], policy: WalletPolicy) -> Any:
    """Return the weight (m/t)^(p/q) as a WAD, rounded down by an exact integer root."""
    p, q = exponent
    t = policy.threshold * WAD if policy.threshold else WAD
    return iroot(q, m**p * WAD**q // t**p)


def pools_of(wallet_tier: Tier, policy: WalletPolicy) -> tuple[bool, bool]:
    """Return whether a tier takes part in the eligible and in the certified pool."""
    certified = wallet_tier is Tier.CERTIFIED
    in_both = certified and policy.certified_in_eligible_pool
    return wallet_tier is Tier.ELIGIBLE or in_both, certified


def weights(wallet_tier: Tier, m: int, policy: WalletPolicy) -> tuple[int, int]:
    """Return the weights in the eligible and in the certified pool; 0 for a non-member."""
    in_eligible, in_certified = pools_of(wallet_tier, policy)
    return (
        curve(m, policy.eligible_exponent, policy) if in_eligible else 0,
        curve(m, policy.certified_exponent, policy) if in_certified else 0,
    )


def pay_wallets(pools: Pools, wallets: Sequence[Wallet], policy: WalletPolicy) -> WalletPools:
    """Return what each wallet is paid from both pools, in the order of `wallets` (id order)."""
    active = [activity(wallet, policy) for wallet in wallets]
    tiers = [tier(wallet, a, policy) for wallet, a in zip(wallets, active, strict=True)]
    weighted = [
        weights(t, measure(a, wallet.ux_score, policy), policy)
        for wallet, a, (t, _) in zip(wallets, active, tiers, strict=True)
    ]
    eligible = apportion(pools.wallets_eligible, [w for w, _ in weighted], policy.share_cap)
    certified = apportion(pools.wallets_certified, [w for _, w in weighted], policy.share_cap)
    rows = tuple(
        WalletResult(
            wallet.wallet_id,
            wallet.payout_address,
            a,
            wallet_tier,
            reason,
            weight_eligible,
            weight_certified,
            from_eligible,
            from_certified,
            from_eligible + from_certified,
        )
        for wallet, a, (wallet_tier, reason), (weight_eligible, weight_certified), (
            from_eligible
        ), from_certified in zip(
            wallets, active, tiers, weighted, eligible.amounts, certified.amounts, strict=True
        )
    )
    return WalletPools(rows, eligible, certified)
