"""Section 5: wallet rewards, tiers and curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.rules.integers import WAD, iroot
from rewards.rules.records import Tier, WalletResult
from rewards.rules.wct1.apportion import Apportionment, apportion

if TYPE_CHECKING:
    from rewards.rules.records import Pools, Wallet
    from rewards.rules.wct1.policy import WalletPolicy


@dataclass(frozen=True, slots=True)
class WalletPools:
    """The rows of `wallets.csv` and how each of the two pools was divided."""

    rows: tuple[WalletResult, ...]
    eligible: Apportionment
    certified: Apportionment


def activity(wallet: Wallet, policy: WalletPolicy) -> int:
    """Return the activity that the policy counts."""
    if policy.activity == "signatures":
        return wallet.signatures
    if policy.activity == "connections":
        return wallet.connections
    return wallet.connections + wallet.signatures


def is_over(active: int, policy: WalletPolicy) -> bool:
    """Return whether the activity passes the threshold."""
    if policy.threshold_rule == "at_least":
        return active >= policy.threshold
    return active > policy.threshold


def tier(wallet: Wallet, active: int, policy: WalletPolicy) -> tuple[Tier, str]:
    """Return the tier, and the reason where it is ineligible."""
    if not is_over(active, policy):
        return Tier.INELIGIBLE, "below_threshold"
    if wallet.certified and wallet.stake_weight >= policy.min_stake_certified:
        return Tier.CERTIFIED, ""
    if wallet.stake_weight >= policy.min_stake_eligible:
        return Tier.ELIGIBLE, ""
    return Tier.INELIGIBLE, "insufficient_stake"


def measure(active: int, ux_score: int, policy: WalletPolicy) -> int:
    """Return m: the activity (or what of it lies above the threshold) times the UX score."""
    counted = active - policy.threshold if policy.measure == "excess" else active
    return counted * ux_score


def curve(m: int, exponent: tuple[int, int], policy: WalletPolicy) -> int:
    """Return the weight (m/t)^(p/q) as a WAD, rounded down by an exact integer root."""
    p, q = exponent
    t = policy.threshold * WAD if policy.threshold else WAD
    return iroot(q, m**p * WAD**q // t**p)


def weights(wallet_tier: Tier, m: int, policy: WalletPolicy) -> tuple[int, int]:
    """Return the weights in the eligible and in the certified pool; 0 for a non-member."""
    if wallet_tier is Tier.ELIGIBLE:
        return curve(m, policy.eligible_exponent, policy), 0
    if wallet_tier is Tier.CERTIFIED:
        in_both = policy.certified_in_eligible_pool
        return (
            curve(m, policy.eligible_exponent, policy) if in_both else 0,
            curve(m, policy.certified_exponent, policy),
        )
    return 0, 0


def pay_wallets(pools: Pools, wallets: tuple[Wallet, ...], policy: WalletPolicy) -> WalletPools:
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
