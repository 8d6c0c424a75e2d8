from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.files.grammar import (
    GrammarError,
    choice_of,
    counted,
    format_epochs,
    format_time,
    parse_address,
    parse_boolean,
    parse_decimal,
    parse_fraction,
    parse_hash,
    parse_identifier,
    parse_integer,
    parse_published,
    parse_ratio,
    parse_signed,
    parse_text,
    parse_time,
    parse_total,
)
from rewards.merkle.keccak import to_checksum
from rewards.rules.integers import WAD, format_decimal

if TYPE_CHECKING:
    from collections.abc import Callable

MAX = 2**256 - 1
A = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
HASH = "0x" + "0f" * 32

ACCEPTED: list[tuple[Callable[[str], Any], str, Any]] = [
    (parse_integer, "0", 0),
    (parse_integer, "7", 7),
    (parse_integer, "100000", 100_000),
    (parse_integer, str(MAX), MAX),
    (parse_signed, "0", 0),
    (parse_signed, "-1", -1),
    (parse_signed, "12", 12),
    (parse_signed, f"-{MAX}", -MAX),
    (parse_decimal, "0", 0),
    (parse_decimal, "1", WAD),
    (parse_decimal, "0.8", 8 * 10**17),
    (parse_decimal, "125000.5", 1_250_005 * 10**17),
    (parse_decimal, "0.000000000000000001", 1),
    (parse_decimal, "1.50", 15 * 10**17),
    (parse_decimal, format_decimal(MAX), MAX),
    (parse_ratio, "0", 0),
    (parse_ratio, "0.999999999999999999", WAD - 1),
    (parse_ratio, "1", WAD),
    (parse_published, "0", 0),
    (parse_published, "-7", -7),
    (parse_published, "9" * 100, 10**100 - 1),
    (parse_total, "0", 0),
    (parse_total, "9" * 100, 10**100 - 1),
    (parse_boolean, "true", True),
    (parse_boolean, "false", False),
    (parse_identifier, "a", "a"),
    (parse_identifier, "0", "0"),
    (parse_identifier, "Node-1_b:c.d", "Node-1_b:c.d"),
    (parse_identifier, "x" * 64, "x" * 64),
    (parse_identifier, A[:-1], A[:-1]),
    (parse_address, A, A),
    (parse_address, to_checksum(A), A),
    (parse_address, "0x" + A[2:].upper(), A),
    (parse_address, "0x" + "1" * 40, "0x" + "1" * 40),
    (parse_hash, HASH, HASH),
    (parse_fraction, "1/1", (1, 1)),
    (parse_fraction, "5/4", (5, 4)),
    (parse_fraction, "10/8", (10, 8)),
    (parse_time, "1970-01-01T00:00:00Z", 0),
    (parse_time, "2026-06-01T00:00:00Z", 1_780_272_000),
    (parse_time, "2026-06-01t00:00:00z", 1_780_272_000),
    (parse_time, "2026-06-01 00:00:00+00:00", 1_780_272_000),
    (parse_time, "2024-02-29T23:59:59Z", 1_709_251_199),
    (parse_time, "9999-12-31T23:59:59Z", 253_402_300_799),
    (parse_text, "Vote 7", "Vote 7"),
    (parse_text, "a = b", "a = b"),
    (parse_text, "Übertrag, 日本", "Übertrag, 日本"),
    (parse_text, "x" * 1000, "x" * 1000),
]

REFUSED: list[tuple[Callable[[str], Any], str]] = [
    *(
        (parse_integer, text)
        for text in (
            "",
            " ",
            "-1",
            "+1",
            "01",
            "00",
            "1.0",
            "1.",
            ".5",
            "1e3",
            "1_000",
            "1,000",
            " 1",
            "1 ",
            "1\n",
            "0x10",
            "１２３",  # noqa: RUF001 - full-width digits
            "٣",
            "²",
            "Ⅷ",
            "NaN",
            "nan",
            "inf",
            "None",
            "true",
            "1\u200b",
            "\ufeff1",
            "1\x00",
            str(MAX + 1),
            "9" * 78,
            "1" + "0" * 78,
            "9" * 5_000,
            "9" * 100_000,
        )
    ),
    *(
        (parse_signed, text)
        for text in (
            "",
            "-",
            "--1",
            "+1",
            "-0",
            "- 1",
            "-01",
            "1-",
            f"-{MAX + 1}",
            "\u22121",
            "-1.0",
        )
    ),
    *(
        (parse_decimal, text)
        for text in (
            "",
            "-1",
            "+0.5",
            ".5",
            "1.",
            "00.5",
            "01",
            "1e-3",
            "1E3",
            "0.1234567890123456789",
            "0,5",
            "1_0.5",
            "1.2.3",
            "0.5 ",
            " 0.5",
            "0.5\n",
            "NaN",
            "Infinity",
            "0.５",  # noqa: RUF001 - a full-width digit
            "0x1",
            "50%",
            "9" * 79,
            "0." + "1" * 5_000,
            "9" * 5_000,
            "1" + "0" * 59 + "00.5",
        )
    ),
    *(
        (parse_boolean, text)
        for text in ("", "True", "TRUE", "1", "0", "yes", "no", "t", " true", "true\n")
    ),
    *(
        (parse_identifier, text)
        for text in (
            "",
            "-a",
            ".a",
            "_a",
            ":a",
            "a b",
            " a",
            "a\n",
            "a/b",
            "../a",
            "a\x00",
            "x" * 65,
            "é",
            "а",  # noqa: RUF001 - a Cyrillic letter
            "=1",
            "@a",
            "+a",
            A,
            "0X" + A[2:],
            to_checksum(A),
        )
    ),
    *(
        (parse_address, text)
        for text in (
            "",
            "0x",
            A[2:],
            A[:-1],
            A + "0",
            "0X" + A[2:],
            " " + A,
            A + "\n",
            "0x" + "g" * 40,
            "0x" + "\uff11" * 40,
            "vitalik.eth",
            to_checksum(A).swapcase().replace("0X", "0x"),
        )
    ),
    *(
        (parse_hash, text)
        for text in ("", HASH[2:], HASH.upper(), HASH[:-1], HASH + "0", "0x" + "0F" * 32)
    ),
    *(
        (parse_fraction, text)
        for text in (
            "",
            "1",
            "1/0",
            "0/1",
            "-1/2",
            "1/2/3",
            "1.5/2",
            " 1/2",
            "1 / 2",
            "01/2",
            "٣/4",
        )
    ),
    *(
        (parse_time, text)
        for text in (
            "",
            "2026-06-01",
            "2026-06-01T00:00:00",
            "2026-06-01T00:00Z",
            "2026-06-01T00:00:00.5Z",
            "2026-06-01T00:00:00+02:00",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-06-01T24:00:00Z",
            "2026-06-01T25:00:00Z",
            "2026-06-01T00:60:00Z",
            "2026-06-01T00:00:60Z",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "12026-06-01T00:00:00Z",
            "1780272000",
            "２026-06-01T00:00:00Z",  # noqa: RUF001 - a full-width digit
            "2026-06-01T00:00:00Z ",
            "2026-06-01T00:00:00Z\n",
        )
    ),
    *(
        (parse_text, text)
        for text in (
            "",
            "   ",
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "  =1+1",
            "\t=1",
            "a\nb",
            "a\rb",
            "a\x00b",
            "a\x1b[2Jb",
            "a\u202eb",
            "a\u200bb",
            "a\u2066b",
            "\ufeffa",
            "a\x85b",
            "a\x7fb",
            "x" * 1001,
            "\uff1d1+1",
            "\uff0b1",
            "\uff0d1",
            "\uff20SUM(A1)",
        )
    ),
    (parse_integer, str(2**256)),
    (parse_signed, f"-{2**256}"),
    (parse_decimal, format_decimal(2**256)),
    (parse_ratio, "1.000000000000000001"),
    (parse_ratio, ""),
    *((parse_published, text) for text in ("", "-", "+1", "1.0", "x", "\u0661", "9" * 101)),
    *((parse_total, text) for text in ("", "-", "-1", "+1", "x", "9" * 101)),
    *((choice_of("over", "at_least"), text) for text in ("", "Over", "over ", "under")),
]


def name_of(value: object) -> str:
    if callable(value):
        return getattr(value, "__qualname__", "parser").split(".")[0]
    text = ascii(value)
    return text if len(text) <= 30 else f"{text[:20]}...{len(text)}"


@pytest.mark.parametrize(("parser", "text", "value"), ACCEPTED, ids=name_of)
def test_grammar__text_of_the_kind__is_read_exactly(
    parser: Callable[[str], Any], text: str, value: Any
) -> None:
    parsed = parser(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(("parser", "text"), REFUSED, ids=name_of)
def test_grammar__any_other_text__is_refused_with_a_remedy(
    parser: Callable[[str], Any], text: str
) -> None:
    with pytest.raises(GrammarError) as caught:
        parser(text)
    assert caught.value.problem
    assert caught.value.remedy
    if not text.strip():
        assert text or "blank" in caught.value.problem or "is no" in caught.value.problem


@pytest.mark.parametrize(
    ("number", "nouns", "said"),
    [
        (0, ("claim",), "0 claims"),
        (1, ("claim",), "1 claim"),
        (2, ("claim",), "2 claims"),
        (1, ("leaf", "leaves"), "1 leaf"),
        (12000, ("leaf", "leaves"), "12,000 leaves"),
    ],
)
def test_counted__one_or_several__agrees_with_its_noun(
    number: int, nouns: tuple[str, ...], said: str
) -> None:
    assert counted(number, *nouns) == said


def test_format_epochs__one_alone__is_no_range() -> None:
    assert format_epochs(3, 3) == "epoch 3"
    assert format_epochs(3, 5) == "epochs 3 to 5"


def test_choice_of__words__are_named_in_the_remedy() -> None:
    parse = choice_of("one", "two", "three")
    assert [parse(word) for word in ("one", "two", "three")] == ["one", "two", "three"]
    with pytest.raises(GrammarError, match="is not one of the allowed words") as caught:
        parse("four")
    assert caught.value.remedy == "write one, two or three"
    with pytest.raises(GrammarError, match="is blank"):
        parse("")


def test_parse_address__first_digit_alone_in_upper_case__needs_its_checksum_too() -> None:
    with pytest.raises(GrammarError, match="EIP-55"):
        parse_address("0xA" + "b" * 39)


BLANKS = (
    parse_integer,
    parse_signed,
    parse_decimal,
    parse_ratio,
    parse_boolean,
    parse_identifier,
    parse_address,
    parse_text,
    choice_of("over", "at_least"),
)


@pytest.mark.parametrize("parser", BLANKS, ids=name_of)
def test_grammar__a_blank__is_called_so_and_nothing_else_is(parser: Callable[[str], Any]) -> None:
    with pytest.raises(GrammarError, match=r"^is blank$"):
        parser("")
    with pytest.raises(GrammarError) as caught:
        parser("=\u200b")
    assert caught.value.problem != "is blank"


@pytest.mark.parametrize("position", range(2, 42))
def test_parse_address__each_digit_mistyped__fails_the_checksum(position: int) -> None:
    spelled = to_checksum(A)
    for digit in "0123456789abcdefABCDEF":
        typo = spelled[:position] + digit + spelled[position + 1 :]
        if typo != spelled:
            with pytest.raises(GrammarError, match="EIP-55"):
                parse_address(typo)


@given(st.integers(0, MAX))
def test_integers__written_and_read__are_the_same(value: int) -> None:
    assert parse_integer(str(value)) == value
    assert parse_signed(str(-value)) == -value
    assert parse_decimal(format_decimal(value)) == value


@given(st.integers(0, 253_402_300_799))
def test_times__written_and_read__are_the_same(seconds: int) -> None:
    assert parse_time(format_time(seconds)) == seconds
    assert datetime.fromisoformat(format_time(seconds)) == datetime.fromtimestamp(seconds, UTC)


PARSERS = (
    parse_ratio,
    parse_published,
    parse_total,
    parse_integer,
    parse_signed,
    parse_decimal,
    parse_boolean,
    parse_identifier,
    parse_address,
    parse_hash,
    parse_fraction,
    parse_time,
    parse_text,
)


@given(st.text())
def test_grammar__any_text__is_read_or_refused_but_never_crashes(text: str) -> None:
    for parser in PARSERS:
        with contextlib.suppress(GrammarError):
            parser(text)
