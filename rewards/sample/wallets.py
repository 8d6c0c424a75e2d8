"""The wallets of the sample season: about 700 rows of one month's activity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.rules.integers import WCT
from rewards.sample.dice import sample_address
from rewards.sample.story import BANDS, NAMED_WALLETS

if TYPE_CHECKING:
    from rewards.sample.dice import Dice
    from rewards.sample.story import Band, NamedWallet

NAME_STEMS = """
    acorn amber anchor aspen aurora basalt bellows birch bramble brook candle canvas cedar
    cinder clover cobalt comet copper coral cove crane cypress delta dune ember fable fern finch
    flint garnet glacier harvest hazel heron indigo iris ivory jade jasper kelp lagoon lantern
    lark linen lotus magnet maple marble marlin meadow mica mosaic nectar nimbus oasis ochre
    onyx orchard otter pebble pepper pine plume prairie quartz raven ridge river saffron sage
    sienna slate sorrel sparrow spruce summit tandem thicket thistle timber tundra velvet vista
    walnut willow zephyr
"""
NAME_ENDINGS = ("wallet", "pay", "vault", "key", "pocket", "safe", "mobile", "id", "one", "money")


@dataclass(frozen=True, slots=True)
class WalletMonth:
    """A wallet's month.

    Attributes:
        wallet_id: Its id.
        payout_address: Where it is paid, spelled by EIP-55.
        connections: Connections in the month.
        signatures: Signatures in the month.
        certified: Whether it is certified.
        ux_percent: Its UX score in hundredths, 1 to 100.
        stake_weight: Base units.
    """

    wallet_id: str
    payout_address: str
    connections: int
    signatures: int
    certified: bool
    ux_percent: int
    stake_weight: int


def wallets_of_month(dice: Dice) -> list[WalletMonth]:
    """Return the wallets in id order."""
    months = [_named(wallet, dice) for wallet in NAMED_WALLETS]
    names = iter(_invented_names(dice))
    for band in BANDS:
        months += [_member(next(names), band, dice) for _ in range(band.count)]
    return sorted(months, key=lambda month: month.wallet_id)


def _invented_names(dice: Dice) -> list[str]:
    names = [f"{stem}-{ending}" for stem in NAME_STEMS.split() for ending in NAME_ENDINGS]
    return dice.shuffled(names, "wallet names")


def _named(wallet: NamedWallet, dice: Dice) -> WalletMonth:
    return WalletMonth(
        wallet.wallet_id,
        sample_address(wallet.payee),
        _connections(wallet.wallet_id, wallet.signatures, dice),
        wallet.signatures,
        wallet.certified,
        ux_percent=100,
        stake_weight=_stake_weight(wallet.wallet_id, 100, dice),
    )


def _member(wallet_id: str, band: Band, dice: Dice) -> WalletMonth:
    signatures = dice.heavy_tailed(band.low, band.high, wallet_id, "signatures")
    return WalletMonth(
        wallet_id,
        sample_address(wallet_id),
        _connections(wallet_id, signatures, dice),
        signatures,
        dice.below(100, wallet_id, "certified") < band.certified_percent,
        _ux_percent(wallet_id, dice),
        _stake_weight(wallet_id, band.staked_percent, dice),
    )


def _connections(wallet_id: str, signatures: int, dice: Dice) -> int:
    """Return the connections: they go with the signatures, eight to thirty of these for each."""
    percent = dice.between(3, 12, wallet_id, "connections per signature")
    return signatures * percent // 100 + dice.below(40, wallet_id, "connections")


def _ux_percent(wallet_id: str, dice: Dice) -> int:
    """Return the UX score: full marks for three wallets in four, fewer for the others."""
    if dice.below(4, wallet_id, "has a ux score"):
        return 100
    return dice.between(62, 98, wallet_id, "ux score")


def _stake_weight(wallet_id: str, percent: int, dice: Dice) -> int:
    """Return a stake weight in base units: 0 for most, else about 2,000 to 60,000 WCT."""
    if dice.below(100, wallet_id, "has a stake") >= percent:
        return 0
    whole = dice.heavy_tailed(2_000, 60_000, wallet_id, "stake")
    return whole * WCT + dice.below(WCT, wallet_id, "stake fraction")
