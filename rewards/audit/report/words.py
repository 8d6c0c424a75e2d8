"""How numbers are written for a person: exact where it is said, otherwise cut off, not rounded.

Cut off rather than rounded, so that a score just below tau never reads as tau.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markupsafe import Markup

from rewards.audit.moments import moment, timed
from rewards.merkle.keccak import to_checksum
from rewards.rules.integers import WAD, WCT

if TYPE_CHECKING:
    from fractions import Fraction

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"


def exact_wct(amount: int) -> Markup:
    """Return base units as WCT with all 18 decimals, the fraction set apart."""
    whole, fraction = divmod(abs(amount), WCT)
    return Markup('<data class="n" value="{}">{}{:,}<span class="f">.{:018d}</span></data>').format(
        amount,
        MINUS if amount < 0 else "",
        whole,
        fraction,
    )


def short_wct(amount: int, places: int = 4, nothing: str = NONE) -> Markup:
    """Return base units as WCT, cut off; `nothing` for 0. The exact number is in `value`."""
    if amount == 0:
        return Markup('<data class="n none" value="0">{}</data>').format(nothing)
    return Markup('<data class="n" value="{}">{}</data>').format(amount, plain_wct(amount, places))


def plain_wct(amount: int, places: int = 4) -> str:
    """Return base units as WCT, cut off, as text."""
    sign = MINUS if amount < 0 else ""
    whole, fraction = divmod(abs(amount), WCT)
    if not places:
        return f"{sign}{whole:,}"
    digits = fraction // 10 ** (18 - places)
    if amount and not whole and not digits:
        return f"{sign}< 0.{1:0{places}d}"
    return f"{sign}{whole:,}.{digits:0{places}d}"


def signed_wct(amount: int) -> Markup:
    """Return a difference in WCT with its sign."""
    plus = "+" if amount > 0 else ""
    return Markup('<data class="n" value="{}">{}{}</data>').format(amount, plus, plain_wct(amount))


def ratio(wad: int | None, places: int = 4) -> Markup:
    """Return a WAD ratio as a decimal, cut off; a dash where there is none."""
    if wad is None:
        return Markup('<span class="none">{}</span>').format(NONE)
    whole, fraction = divmod(wad, WAD)
    shown = f"{whole}.{fraction // 10 ** (18 - places):0{places}d}"
    return Markup('<data class="n" value="{}">{}</data>').format(wad, shown)


def percent(share: Fraction, places: int = 2) -> str:
    """Return a share in percent, cut off."""
    scaled = share.numerator * 100 * 10**places // share.denominator
    return f"{scaled // 10**places}.{scaled % 10**places:0{places}d} %"


def decimal(value: Fraction, places: int = 4) -> str:
    """Return a fraction between 0 and 1 as a decimal, cut off."""
    scaled = value.numerator * 10**places // value.denominator
    return f"{scaled // 10**places}.{scaled % 10**places:0{places}d}"


def short_address(address: str) -> str:
    """Return the ends of an address in its EIP-55 spelling, for a table; never for a payment."""
    spelled = to_checksum(address)
    return f"{spelled[:8]}…{spelled[-6:]}"


def short_subject(subject: str) -> str:
    """Return an id as it is, an address by its ends."""
    is_address = re.fullmatch("0x[0-9a-f]{40}", subject)
    return short_address(subject) if is_address else subject


FILTERS = {
    "exact_wct": exact_wct,
    "short_wct": short_wct,
    "signed_wct": signed_wct,
    "ratio": ratio,
    "percent": percent,
    "decimal": decimal,
    "short_address": short_address,
    "short_subject": short_subject,
    "checksum": to_checksum,
    "moment": moment,
    "timed": timed,
}
