"""The reader by column accepts only what the strict reader accepts, with the same values."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING, Any

import pytest

from rewards.files.column_tables import column_csv, read_columns
from rewards.files.csv_tables import read_table, table_csv
from rewards.files.inputs import WALLET_SCORES
from rewards.files.outputs import ALLOCATIONS
from rewards.merkle.keccak import to_checksum
from rewards.rules.columns import Addresses, ColumnTable, stable_order
from rewards.rules.integers import format_decimal
from rewards.rules.records import Allocation, Wallet

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.errors import Finding

HEADER = b"wallet_id,payout_address,connections,signatures,certified,ux_score,stake_weight\n"
ADDRESS = "0x" + "ab" * 20
RIGHT = to_checksum("0x52908400098527886e0f7030069857d2e4169ee7")
ROW = f"w-1,{ADDRESS},3,7,true,0.5,12"


def strict(tmp_path: Path, content: bytes) -> list[Wallet] | None:
    """Return what the strict reader makes of a file; None where it finds something."""
    path = tmp_path / "wallet_scores.csv"
    path.write_bytes(content)
    findings: list[Finding] = []
    rows = read_table(path, WALLET_SCORES, findings)
    return None if findings else [Wallet(*values) for values in sorted(row.values for row in rows)]


def by_column(content: bytes) -> ColumnTable[Wallet] | None:
    """Return what the reader makes of a file, the same whatever its size was said to be."""
    rows = read_columns(io.BytesIO(content), WALLET_SCORES, Wallet)
    large = read_columns(io.BytesIO(content), WALLET_SCORES, Wallet, size=1 << 40)
    assert (None if rows is None else list(rows)) == (None if large is None else list(large))
    return rows


AS_LONG_AS_AN_ADDRESS = ("a" * 42, "0a" * 21, "0" * 42, "x0" * 21)
GOOD = {
    "plain": HEADER + ROW.encode() + b"\n",
    "no last line end": HEADER + ROW.encode(),
    "BOM": b"\xef\xbb\xbf" + HEADER + ROW.encode() + b"\n",
    "CRLF": HEADER.replace(b"\n", b"\r\n") + ROW.encode() + b"\r\n",
    "header alone": HEADER,
    "columns left out": b"wallet_id,payout_address,connections,signatures,certified\n"
    + b",".join(ROW.encode().split(b",")[:5]),
    "other order": b"stake_weight,certified,signatures,connections,payout_address,wallet_id\n"
     b"1,false,2,3," + ADDRESS.encode() + b",a\n",
    "checksum": HEADER + ROW.replace(ADDRESS, RIGHT).encode() + b"\n",
    "upper case": HEADER + ROW.replace("ab" * 20, "AB" * 20).encode() + b"\n",
    "wide": HEADER + f"a,{ADDRESS},{2**64},{10**76},false,1.000000000000000000,0\n".encode(),
    "ids that begin alike": HEADER
    + "".join(
        f"{name},{ADDRESS},1,2,true,1,0\n"
        for name in ("ab", "a", "a-", "a" * 64, "aB", "a:b", "9", *AS_LONG_AS_AN_ADDRESS)
    ).encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_good__equals_the_strict_reader(name: str, tmp_path: Path) -> None:
    table = by_column(GOOD[name])
    assert table is not None
    expected = strict(tmp_path, GOOD[name])
    assert list(table) == expected
    assert [table[i] for i in range(len(table))] == expected
    written = b"".join(column_csv(table, {"ux_score": format_decimal}))
    assert written == table_csv(WALLET_SCORES.header, expected, {"ux_score": format_decimal})


ODD_CELLS = [
    "", " 1", "1 ", "01", "-1", "+1", "1.0", "1e3", "0x10", "1_000", "\uff11", "nan", "NULL",
    "true", "1" * 78, str(2**256), "1.", ".5", "0.1234567890123456789", "1.5", "TRUE", "0", "'",
    "\t", "a b", "é", "_a", "-", "a" * 65, ADDRESS, ADDRESS.upper(), "0X" + "ab" * 20,
    "0x" + "ab" * 19 + "a", "0x" + "ab" * 19 + "ag", "0x" + " " * 40, ADDRESS[:-1] + "B",
    RIGHT.swapcase(), "#", "=1", "NA",
]  # fmt: skip


@pytest.mark.parametrize("column", range(7))
def test_odd_cell__is_never_read_otherwise_than_by_the_strict_reader(
    column: int, tmp_path: Path
) -> None:
    for odd in ODD_CELLS:
        cells = ROW.split(",")
        cells[column] = odd
        content = HEADER + ",".join(cells).encode() + b"\n"
        table, expected = by_column(content), strict(tmp_path, content)
        assert table is None or list(table) == expected, odd


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        HEADER.rstrip(),
        HEADER + b"\n",
        HEADER + ROW.encode() + b"\n\n",
        HEADER + ROW.encode() + b",8\n",
        HEADER + b"w-1,2,3\n",
        HEADER + ROW.encode() + b"\n" + ROW.encode() + b"\n",
        HEADER + ROW.encode() + b"\r",
        HEADER + ROW.encode().replace(b",", b'","') + b"\n",
        HEADER + ROW.encode() + b"\0\n",
        HEADER + b"\xff" + ROW.encode() + b"\n",
        HEADER.replace(b"ux_score", b"signatures") + ROW.encode() + b"\n",
        HEADER.replace(b"ux_score", b"score") + ROW.encode() + b"\n",
        HEADER.replace(b"signatures,", b"") + ROW.encode() + b"\n",
        HEADER + b"a" * (1 << 17),
        HEADER + b"\xef\xbb\xbf" + ROW.encode() + b"\n",
        b"\xef\xbb\xbf" * 2 + HEADER + ROW.encode() + b"\n",
        HEADER.rstrip() + b"\r\r\n" + ROW.encode() + b"\n",
    ],
)
def test_odd_file__is_left_to_the_strict_reader(content: bytes, tmp_path: Path) -> None:
    assert by_column(content) is None or list(by_column(content) or ()) == strict(tmp_path, content)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\n", b"\r\n", b"\r"])
def test_odd_bytes__where_a_block_begins__are_left_to_the_strict_reader(
    mark: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [ROW.replace("w-1", f"w-{n}").encode() + b"\n" for n in range(3)]
    content = HEADER + rows[0] + rows[1] + mark + rows[2] + (b"" if mark[:1] == b"\xef" else mark)
    for size in range(1, len(content)):
        monkeypatch.setattr("rewards.files.column_tables.READ_BYTES", size)
        assert read_columns(io.BytesIO(content), WALLET_SCORES, Wallet) is None


@pytest.mark.parametrize("other", [0, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**76, 10**90])
def test_published_integers__beside_a_negative_one__are_exact(
    other: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rewards.files.column_tables.READ_BYTES", 300)
    values = [-1, other, 5, 2**63, -other, 7, 3, 2**63 + 1]
    content = ",".join(ALLOCATIONS.header).encode() + b"\n"
    for n, value in enumerate(values):
        content += f"0x{n + 2**20:040x},0,0,0,{value},0,0,0,{abs(value)}\n".encode()
    path = tmp_path / ALLOCATIONS.name
    path.write_bytes(content)
    expected = [Allocation(*row.values) for row in read_table(path, ALLOCATIONS, [])]
    table = read_columns(io.BytesIO(content), ALLOCATIONS, Allocation)
    if other >= 10**77:  # which column tables leave to the strict reader
        assert table is None
        return
    assert table is not None
    assert list(table) == expected
    assert table.adjustment.tolist() == values
    assert table.sum_of("adjustment") == sum(values)
    assert (table.adjustment + 1).tolist() == [value + 1 for value in values]
    assert b"".join(column_csv(table)) == content


def test_spoilt_bytes__are_never_read_otherwise(tmp_path: Path) -> None:
    source = random.Random(6)
    content = HEADER + b"".join(
        f"w{n},0x{source.randrange(2**160):040x},{n},{n * n},true,0.{n + 1},{n**5}\n".encode()
        for n in range(12)
    )
    accepted = 0
    for _ in range(3000):
        spoilt = bytearray(content)
        for _ in range(source.choice([1, 1, 2])):
            spoilt[source.randrange(len(spoilt))] = source.choice(b'0179.,"\n\r\0aAxX-_ t\xc3')
        table = by_column(bytes(spoilt))
        if table is not None:
            accepted += 1
            assert list(table) == strict(tmp_path, bytes(spoilt)), bytes(spoilt)
    assert accepted > 100


def test_small_blocks__change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = HEADER + b"".join(
        f"w{n:05d},{ADDRESS},{n},{10 ** (n % 40)},{'true' if n % 3 else 'false'},1,0\n".encode()
        for n in random.Random(1).sample(range(500), 500)
    )
    monkeypatch.setattr("rewards.files.column_tables.READ_BYTES", 333)
    monkeypatch.setattr("rewards.files.column_tables.BLOCK", 7)
    table = by_column(content)
    assert table is not None
    expected = strict(tmp_path, content)
    assert list(table) == expected
    assert b"".join(column_csv(table, {"ux_score": format_decimal})) == table_csv(
        WALLET_SCORES.header, expected, {"ux_score": format_decimal}
    )


@pytest.mark.parametrize("alike", [0, 3, 8, 12, 19])
def test_order__equals_pythons__for_rows_that_begin_alike(alike: int) -> None:
    source = random.Random(alike)
    rows = [bytes(alike) + source.randbytes(2) * (20 - alike) for _ in range(3000)]
    texts = ["0x" + row[:20].hex() for row in rows]
    octets: Any = Addresses.of(texts).octets
    assert stable_order(octets).tolist() == sorted(range(len(texts)), key=texts.__getitem__)
