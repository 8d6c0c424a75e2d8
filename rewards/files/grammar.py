"""The grammar of a cell: text in, exact value out, or a reason and a remedy.

Nothing is repaired, trimmed or guessed. Only ASCII digits are digits; `int()` alone would accept
full-width digits, `1_000` and ` 7`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from rewards.merkle.keccak import to_checksum
from rewards.rules.integers import UINT256_LIMIT, WAD

if TYPE_CHECKING:
    from collections.abc import Callable

    from rewards.rules.records import Address

DECIMAL_PLACES = 18
TEXT_LIMIT = 1000

_INTEGER = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,77})(?:\.([0-9]{1,18}))?", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}", re.ASCII)
_LIKE_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}", re.ASCII)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_HASH = re.compile(r"0x[0-9a-f]{64}", re.ASCII)
_FRACTION = re.compile(r"([1-9][0-9]{0,2})/([1-9][0-9]{0,2})", re.ASCII)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([Zz]|[+-]00:00)", re.ASCII
)
# Controls and every character that changes the direction or visibility of its neighbours.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
# The ASCII signs and their full-width forms, which spreadsheets take for the same.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class GrammarError(ValueError):
    """The text is not of the kind; `problem` and `remedy` complete a finding."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


def parse_integer(text: str) -> int:
    """Return a non-negative integer below 2^256.

    Raises:
        GrammarError: Anything but plain ASCII digits without a leading zero.
    """
    if not _INTEGER.fullmatch(text):
        raise GrammarError(
            "is not a non-negative integer below 2^256" if text else "is blank",
            "write ASCII digits only: no sign, point, separator, space or leading zero",
        )
    value = int(text)
    if value >= UINT256_LIMIT:
        raise GrammarError("is not below 2^256", "check the unit: amounts are base units")
    return value


def parse_signed(text: str) -> int:
    """Return an integer, possibly with a leading minus, of magnitude below 2^256."""
    negative = text.startswith("-")
    value = parse_integer(text.removeprefix("-"))
    if negative and value == 0:
        raise GrammarError("is a negative zero", "write 0")
    return -value if negative else value


def parse_decimal(text: str, places: int = DECIMAL_PLACES) -> int:
    """Return a decimal as an integer of 10^-places, exactly: `0.8` is 8 * 10^17.

    Raises:
        GrammarError: A sign, an exponent, more than `places` digits after the point.
    """
    match = _DECIMAL.fullmatch(text)
    if not match:
        raise GrammarError(
            "is not a decimal of at most 18 places" if text else "is blank",
            "write digits with one point, no sign, no exponent, e.g. 0.8",
        )
    whole, fraction = match[1], match[2] or ""
    value: int = int(whole) * 10**places + int(fraction.ljust(places, "0"))
    if value >= UINT256_LIMIT:
        raise GrammarError("is not below 2^256 base units", "check the unit: whole WCT")
    return value


def parse_ratio(text: str) -> int:
    """Return a decimal from 0 to 1 as a WAD."""
    value = parse_decimal(text)
    if value > WAD:
        raise GrammarError("is above 1", "a UX score lies between 0 and 1")
    return value


def parse_published(text: str) -> int:
    """Return an integer of a published table; sums of recoveries may pass 2^256."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 100):
        raise GrammarError("is no integer", "take the published file")
    return int(text)


def parse_total(text: str) -> int:
    """Return an amount of a published table that no epoch makes negative."""
    value = parse_published(text)
    if value < 0:
        raise GrammarError("is negative", "take the published file")
    return value


def parse_boolean(text: str) -> bool:
    """Return the value of `true` or `false`, the only two spellings."""
    if text not in ("true", "false"):
        raise GrammarError("is blank" if not text else "is no boolean", "write true or false")
    return text == "true"


def parse_identifier(text: str) -> str:
    """Return an id: 1 to 64 of `A-Z a-z 0-9 . _ : -`, not shaped like an address."""
    if _LIKE_ADDRESS.fullmatch(text):
        raise GrammarError("looks like an address", "give the id; the address has its own column")
    if not _IDENTIFIER.fullmatch(text):
        raise GrammarError(
            "is no id" if text else "is blank",
            "use 1 to 64 of A-Z a-z 0-9 . _ : - and begin with a letter or digit",
        )
    return text


def parse_address(text: str) -> Address:
    """Return an address in lower case; a mixed-case spelling must satisfy EIP-55.

    Raises:
        GrammarError: Not `0x` and 40 hex digits, or a wrong checksum (never repaired).
    """
    if not _ADDRESS.fullmatch(text):
        raise GrammarError(
            "is no address" if text else "is blank", "write 0x and 40 hexadecimal digits"
        )
    lower = text.lower()
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and text != to_checksum(lower):
        raise GrammarError(
            "has a wrong EIP-55 checksum",
            "copy the address again from its source; a digit may be mistyped",
        )
    return cast("Address", lower)


def parse_hash(text: str) -> str:
    """Return a 32-byte hash as lower-case `0x` text."""
    if not _HASH.fullmatch(text):
        raise GrammarError("is no hash", "write 0x and 64 lower-case hexadecimal digits")
    return text


def parse_fraction(text: str) -> tuple[int, int]:
    """Return (p, q) of an exponent such as `5/4`."""
    match = _FRACTION.fullmatch(text)
    if not match:
        raise GrammarError("is no fraction of two integers", "write p/q, e.g. 5/4")
    return int(match[1]), int(match[2])


def parse_time(text: str) -> int:
    """Return the UTC seconds of an RFC 3339 time in UTC with whole seconds."""
    if not _TIME.fullmatch(text):
        raise GrammarError(
            "is no RFC 3339 time in UTC with whole seconds", "write e.g. 2026-06-01T00:00:00Z"
        )
    try:
        moment = datetime.fromisoformat(f"{text[:10]}T{text[11:19]}+00:00")
    except ValueError as error:
        raise GrammarError("is no date and time that exists", "check month, day, hour") from error
    if moment < _EPOCH:
        raise GrammarError("lies before 1970", "check the year")
    return (moment - _EPOCH) // timedelta(seconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def format_time(seconds: int) -> str:
    """Return UTC seconds as RFC 3339, e.g. `2026-06-01T00:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun, `1 claim` or `2 claims`; `many` where an s will not do."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def format_epochs(first: int, last: int) -> str:
    """Return a range of epochs in words, `epoch 3` or `epochs 3 to 5`."""
    return f"epoch {first}" if first == last else f"epochs {first} to {last}"


def parse_text(text: str) -> str:
    """Return free text of one line that no spreadsheet would run as a formula.

    Raises:
        GrammarError: Blank, over 1,000 characters, with a control or direction character, or
            beginning like a formula (CWE-1236).
    """
    if not text.strip():
        raise GrammarError("is blank", "say it in words; it is published with the epoch")
    if len(text) > TEXT_LIMIT:
        raise GrammarError(f"is longer than {TEXT_LIMIT} characters", "shorten it")
    if _UNPRINTABLE.search(text):
        raise GrammarError(
            "holds a control, invisible or direction character", "use plain text on one line"
        )
    if text.lstrip().startswith(_FORMULA):
        raise GrammarError("looks like a formula", "do not begin with = + - @")
    return text


def choice_of(*words: str) -> Callable[[str], str]:
    """Return a parser for one of the words."""

    def parse(text: str) -> str:
        if text not in words:
            raise GrammarError(
                "is blank" if not text else "is not one of the allowed words",
                "write " + ", ".join(words[:-1]) + f" or {words[-1]}",
            )
        return text

    return parse
