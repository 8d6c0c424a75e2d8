"""Every kind of bad input: one clear finding each, all together, nothing written."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rewards.errors import Finding, InvalidInput
from rewards.files.epoch import compute_folder, publish_epoch
from tests.builders import DISTRIBUTOR, TOKEN, address
from tests.files.folders import (
    FIRST,
    MIXED,
    SECOND,
    Files,
    changed,
    places,
    published,
    refused,
    write,
)

E, P, S = "epoch.toml", "policy.toml", "settlement.toml"
N, NS, W, A = "nodes.csv", "node_scores.csv", "wallet_scores.csv", "adjustments.csv"

BEE = f"bee,{address(2)},20000000000000000000,true,false,active"
FULL_WIDTH = "\uff11\uff12"
LONG = "9" * 5_000
WRONG_CHECKSUM = MIXED.swapcase().replace("0X", "0x")


def test_valid_folder__is_accepted_and_published(tmp_path: Path) -> None:
    first = published(tmp_path / "1", FIRST)
    assert published(tmp_path / "2", SECOND, first).is_dir()


# --- one cell --------------------------------------------------------------------------------

# (file, text, its replacement, row, column, value)
CELLS = [
    pytest.param(N, "ant,", "ant!,", 2, "node_id", "ant!", id="no id"),
    pytest.param(N, "ant,", ",", 2, "node_id", "", id="blank id"),
    pytest.param(N, "ant,", "=cmd(),", 2, "node_id", "=cmd()", id="formula-like id"),
    pytest.param(N, "ant,", f"{address(1)},", 2, "node_id", address(1), id="id like an address"),
    pytest.param(N, "ant,", "\uff41nt,", 2, "node_id", "\uff41nt", id="full-width letter"),
    pytest.param(N, "ant,", f"{'x' * 65},", 2, "node_id", "x" * 65, id="id too long"),
    pytest.param(N, address(2), address(2)[:-1], 3, "payout_address", address(2)[:-1], id="short"),
    pytest.param(N, address(2), WRONG_CHECKSUM, 3, "payout_address", WRONG_CHECKSUM, id="checksum"),
    pytest.param(N, address(2), "", 3, "payout_address", "", id="blank address"),
    pytest.param(N, address(2), "a.eth", 3, "payout_address", "a.eth", id="name for an address"),
    *(
        pytest.param(
            N, ",5,", f",{text},", 5, "stake_weight", text, id=f"stake weight {text[:9]!a}"
        )
        for text in (
            "",
            " ",
            "-5",
            "+5",
            "5.0",
            "5e3",
            "05",
            "1_000",
            " 5",
            FULL_WIDTH,
            "\u0665",
            "NaN",
            "nan",
            "inf",
            "0x5",
            LONG,
            str(2**256),
            "'5",
        )
    ),
    pytest.param(N, f"{BEE}", BEE.replace("true", "TRUE"), 3, "machine_ready", "TRUE", id="TRUE"),
    pytest.param(N, f"{BEE}", BEE.replace("true", "1"), 3, "machine_ready", "1", id="1 for true"),
    pytest.param(N, f"{BEE}", BEE.replace("true", ""), 3, "machine_ready", "", id="blank boolean"),
    pytest.param(N, f"{BEE}", BEE.replace("false", "no"), 3, "exit_requested", "no", id="no"),
    pytest.param(
        N, f"{BEE}", BEE.replace(",active", ",Active"), 3, "status", "Active", id="Active"
    ),
    pytest.param(
        N, f"{BEE}", BEE.replace(",active", ",jailed"), 3, "status", "jailed", id="jailed"
    ),
    pytest.param(N, f"{BEE}", BEE.replace(",active", ","), 3, "status", "", id="no first status"),
    pytest.param(
        N, f"{BEE}", BEE.replace(",active", ",confined"), 3, "status", "confined", id="confined"
    ),
    pytest.param(NS, "43200", "86401", 3, "uptime_seconds", "86401", id="uptime beyond the epoch"),
    pytest.param(NS, "43200", "", 3, "uptime_seconds", "", id="blank uptime"),
    pytest.param(NS, "43200", "0.5", 3, "uptime_seconds", "0.5", id="fractional uptime"),
    pytest.param(NS, "1000000,10", "1,0", 3, "response_time_us", "1", id="time without requests"),
    pytest.param(NS, "1000000", "1e6", 3, "response_time_us", "1e6", id="exponent"),
    pytest.param(NS, "1000000", "-1", 3, "response_time_us", "-1", id="negative time"),
    pytest.param(NS, "bee", "bey", 3, "node_id", "bey", id="unknown node"),
    pytest.param(W, "7,100001", "7,1_00001", 2, "signatures", "1_00001", id="underscore"),
    pytest.param(W, "7,100001", "7.5,100001", 2, "connections", "7.5", id="half a connection"),
    pytest.param(W, "true,1,0", "yes,1,0", 2, "certified", "yes", id="certified yes"),
    pytest.param(
        W, "0.5", "1.000000000000000001", 3, "ux_score", "1.000000000000000001", id="ux 1+"
    ),
    pytest.param(
        W, "0.5", "0.1234567890123456789", 3, "ux_score", "0.1234567890123456789", id="19"
    ),
    pytest.param(W, "0.5", "NaN", 3, "ux_score", "NaN", id="ux NaN"),
    pytest.param(W, "0.5", "5e-1", 3, "ux_score", "5e-1", id="ux exponent"),
    pytest.param(W, "0.5", "-0.5", 3, "ux_score", "-0.5", id="ux negative"),
    pytest.param(W, "0.5", "", 3, "ux_score", "", id="ux blank"),
    pytest.param(A, ",25,", ",+25,", 3, "amount", "+25", id="plus sign"),
    pytest.param(A, ",25,", ",-0,", 3, "amount", "-0", id="minus zero"),
    pytest.param(A, ",25,", ",2.5,", 3, "amount", "2.5", id="fractional adjustment"),
    pytest.param(A, ",25,", ",,", 3, "amount", "", id="blank adjustment"),
    pytest.param(A, "A missed", "=A missed", 3, "reason", "=A missed payment", id="formula"),
    pytest.param(A, "A missed payment", "", 3, "reason", "", id="blank reason"),
    pytest.param(A, ",Vote 7", ",@Vote", 3, "approved_by", "@Vote", id="formula by @"),
    pytest.param(A, ",Vote 7", ",\u202eVote", 3, "approved_by", "\u202eVote", id="direction mark"),
    *(
        pytest.param(name, text, payee, row, "payout_address", payee, id=f"{what} in {name}")
        for name, text, row in ((N, address(2), 3), (W, address(5), 2), (A, address(7), 3))
        for payee, what in (
            ("0x" + "0" * 40, "zero address"),
            (f"0x{9:040x}", "precompile"),
            (f"0x{0xFFFF:040x}", "last precompile"),
            (TOKEN, "token"),
            (DISTRIBUTOR, "distributor"),
        )
    ),
]


@pytest.mark.parametrize(("name", "old", "new", "row", "column", "value"), CELLS)
def test_cell__bad__is_found_with_file_row_column_and_value(
    tmp_path: Path, name: str, old: str, new: str, row: int, column: str, value: str
) -> None:
    findings = refused(write(tmp_path, changed(FIRST, name, old, new)))
    assert (name, row, column, value) in places(findings)
    # An unknown score leaves its node without one: that follows from the same mistake.
    assert len(findings) == 1 or value == "bey"


@pytest.mark.parametrize("rows", [1, 3])
def test_cell__token_as_payee_in_several_adjustments__names_each_row(
    tmp_path: Path, rows: int
) -> None:
    lines = [f"{TOKEN},{i + 1},a reason,a vote\n" for i in range(rows)]
    text = FIRST[A] + "".join(lines)
    findings = refused(write(tmp_path, {**FIRST, A: text}))
    assert [f.row for f in findings] == list(range(4, 4 + rows))


# --- one key ---------------------------------------------------------------------------------

KEYS = [
    *(
        pytest.param(E, "epoch = 1", f"epoch = {text}", "epoch", id=f"epoch {text[:12]}")
        for text in ("0", "-1", "1.0", "true", '"1"', "nan", "[1]", "{}", str(2**256), "2026-01-01")
    ),
    pytest.param(E, "epoch = 1\n", "", "epoch", id="no epoch"),
    pytest.param(E, "genesis = true\n", "", "genesis", id="no genesis"),
    pytest.param(E, "genesis = true", "genesis = false", "genesis", id="not genesis"),
    pytest.param(E, "genesis = true", "genesis = 1", "genesis", id="genesis 1"),
    *(
        pytest.param(E, "2026-06-02T00:00:00Z", text, "end", id=f"end {text}")
        for text in (
            "2026-06-02T00:00:00",
            "2026-06-02T00:00:00+02:00",
            "2026-06-02T00:00:00.5Z",
            "2026-06-02",
            "1780358400",
            '"2026-06-31T00:00:00Z"',
            '"tomorrow"',
            "2026-06-01T00:00:00Z",
        )
    ),
    *(
        pytest.param(E, '"1000.5"', text, "pools.nodes", id=f"pool {text[:14]}")
        for text in (
            "1000.5",
            "1000",
            '""',
            '"-1"',
            '"+1"',
            '"1e3"',
            '"1_000"',
            '"1,000"',
            '"NaN"',
            "nan",
            "inf",
            f'"{FULL_WIDTH}"',
            '"0.1234567890123456789"',
            f'"{2**256}"',
            f'"{LONG}"',
            "true",
            "[]",
            '{ a = "1" }',
        )
    ),
    pytest.param(E, 'nodes = "1000.5"\n', "", "pools.nodes", id="no pool"),
    pytest.param(E, 'start = "2026-05-01T00:00:00Z"\n', "", "wallets.start", id="half a window"),
    pytest.param(E, '"2026-05-01', '"2026-06-01', "wallets.end", id="empty activity window"),
    pytest.param(
        E, 'end = "2026-06-01', 'end = "2026-06-03', "wallets.end", id="activity after the end"
    ),
    pytest.param(E, "genesis", 'typo = "x"\ngenesis', "typo", id="unknown key"),
    pytest.param(E, "[pools]", "[pools]\nextra = 1", "pools.extra", id="unknown key in a table"),
    pytest.param(E, "[pools]", "[empty]\n[pools]", "empty", id="unknown empty table"),
    pytest.param(E, "[pools]", '"pools.nodes" = "1"\n[pools]', '"pools.nodes"', id="dotted key"),
    pytest.param(E, "genesis", f'supersedes = "0x{"a" * 64}"\ngenesis', "reason", id="no reason"),
    pytest.param(E, "genesis", 'reason = "x"\ngenesis', "supersedes", id="reason alone"),
    pytest.param(
        E, "genesis", 'supersedes = "0xA"\nreason = "x"\ngenesis', "supersedes", id="no hash"
    ),
    pytest.param(P, '"wct-1"', '"wct-2"', "ruleset", id="unknown ruleset"),
    pytest.param(P, "first_epoch = 1", "first_epoch = 2", "first_epoch", id="policy of later"),
    pytest.param(P, "first_epoch = 1\n", "", "first_epoch", id="no first epoch"),
    pytest.param(P, 'approval = "Vote 7 of the council"\n', "", "approval", id="no approval"),
    pytest.param(P, '"Vote 7 of the council"', '"=1"', "approval", id="formula-like approval"),
    *(
        pytest.param(P, '"0.8"', text, "nodes.tau", id=f"tau {text[:12]}")
        for text in ("0.8", "1", '"0"', '"1"', '"1.1"', '"-0.8"', '"0.1234567890123456789"', '""')
    ),
    *(
        pytest.param(P, "[wallets]", f"{line}\n[wallets]", f"nodes.{line.split()[0]}", id=line)
        for line in (
            'alpha = "1.000000000000000001"',
            'reserved_factor = "1.1"',
            'penalty_rate = "10.1"',
            'share_cap = "0"',
            'share_cap = "1.1"',
            'bonus_split = "fair"',
            "carry_debt = 1",
            'carry_debt = "true"',
            "confinement_seconds = 0",
            'confinement_seconds = "60"',
            "taux = 1",
        )
    ),
    *(
        pytest.param(P, "threshold = 100000", line, f"wallets.{line.split()[0]}", id=line)
        for line in (
            "threshold = -1",
            "threshold = 1e5",
            'eligible_exponent = "1/9"',
            'eligible_exponent = "9/1"',
            'eligible_exponent = "0/1"',
            "eligible_exponent = 1.25",
            'certified_exponent = "1.25"',
            'share_cap = "0.1234567890123456789"',
            'activity = "both"',
            "min_stake_eligible = 5000",
            'min_stake_eligible = "-1"',
        )
    ),
    pytest.param(P, "active_target = 2", "active_target = 4", "nodes.active_target", id="targets"),
    pytest.param(P, "active_target = 2", "active_target = 0", "nodes.active_target", id="target 0"),
    pytest.param(S, "chain_id = 10", "chain_id = 0", "chain_id", id="chain 0"),
    pytest.param(S, "chain_id = 10", "chain_id = 10\nrpc = 1", "rpc", id="unknown settlement key"),
    pytest.param(S, "decimals = 18", "decimals = 6", "decimals", id="six decimals"),
    pytest.param(S, "decimals = 18", 'decimals = "18"', "decimals", id="decimals as text"),
    pytest.param(S, TOKEN, WRONG_CHECKSUM, "token", id="token's checksum"),
    pytest.param(S, TOKEN, DISTRIBUTOR, "distributor", id="token is the distributor"),
    pytest.param(S, TOKEN, "0x" + "0" * 40, "token", id="token zero"),
]


@pytest.mark.parametrize(("name", "old", "new", "column"), KEYS)
def test_key__bad__is_found_with_file_and_key(
    tmp_path: Path, name: str, old: str, new: str, column: str
) -> None:
    findings = refused(write(tmp_path, changed(FIRST, name, old, new)))
    assert {(f.file, f.column) for f in findings} == {(name, column)}


@pytest.mark.parametrize(
    ("name", "table"), [(E, "pools"), (E, "wallets"), (P, "nodes"), (P, "wallets")]
)
def test_key__empty_name_in_a_known_table__is_an_unknown_key(
    tmp_path: Path, name: str, table: str
) -> None:
    files = changed(FIRST, name, f"[{table}]\n", f'[{table}]\n"" = 1\n')
    assert {f.file for f in refused(write(tmp_path, files))} == {name}


# --- columns, rows, files --------------------------------------------------------------------


@pytest.mark.parametrize("name", [N, NS, W, A])
def test_columns__unknown_missing_and_double__are_found(tmp_path: Path, name: str) -> None:
    header, _, body = FIRST[name].partition("\n")
    columns = header.split(",")
    for new, expected in (
        ([*columns, "comment"], "comment"),
        ([*columns, ""], ""),
        ([*columns, columns[1]], columns[1]),
        ([c.upper() if i == 1 else c for i, c in enumerate(columns)], columns[1].upper()),
        ([" " + c if i == 1 else c for i, c in enumerate(columns)], " " + columns[1]),
        ([c for c in columns if c != columns[1]], columns[1]),
    ):
        folder = write(tmp_path, {**FIRST, name: ",".join(new) + "\n" + body})
        found = {(f.file, f.row, f.column) for f in refused(folder) if f.row == 1}
        assert (name, 1, expected) in found


@pytest.mark.parametrize("name", [N, NS, W, A])
@pytest.mark.parametrize("line", ["", "only-one", ",".join("x" * 20)])
def test_rows__ragged_or_blank__are_found_with_their_row(
    tmp_path: Path, name: str, line: str
) -> None:
    rows = FIRST[name].count("\n")
    findings = refused(write(tmp_path, {**FIRST, name: FIRST[name] + line + "\n"}))
    assert [(f.file, f.row) for f in findings] == [(name, rows + 1)]
    assert "cells" in findings[0].problem


@pytest.mark.parametrize(
    ("name", "line", "column", "value"),
    [
        (N, f"ant,{address(2)},1,true,false,active", "node_id", "ant"),
        (NS, "bee,1,1,1", "node_id", "bee"),
        (W, f"rat,{address(2)},1,1,true,1,0", "wallet_id", "rat"),
    ],
)
def test_rows__duplicate_ids__are_found_with_the_second_row(
    tmp_path: Path, name: str, line: str, column: str, value: str
) -> None:
    rows = FIRST[name].count("\n")
    findings = refused(write(tmp_path, {**FIRST, name: FIRST[name] + line + "\n"}))
    assert places(findings) == [(name, rows + 1, column, value)]


def test_rows__paid_node_without_a_score__is_found(tmp_path: Path) -> None:
    files = changed(FIRST, NS, "bee,43200,1000000,10\n", "")
    assert places(refused(write(tmp_path, files))) == [(NS, 0, "node_id", "bee")]


def test_rows__score_missing_beside_a_mistake_in_another_file__is_found_too(tmp_path: Path) -> None:
    files = changed(FIRST, NS, "bee,43200,1000000,10\n", "")
    files = changed(files, W, "7,100001", "7,-1")
    assert {(f.file, f.value) for f in refused(write(tmp_path, files))} == {
        (W, "-1"),
        (NS, "bee"),
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('a"b,1,1,1\n', id="quote in an unquoted cell"),
        pytest.param('"ab"c,1,1,1\n', id="text after a quoted cell"),
        pytest.param('"ab,1,1,1\n', id="quote never closed"),
    ],
)
def test_rows__broken_quotes__are_found(tmp_path: Path, text: str) -> None:
    findings = refused(write(tmp_path, {**FIRST, NS: FIRST[NS] + text}))
    assert (NS, 5) in {(f.file, f.row) for f in findings}


def test_rows__quotes_inside_unquoted_text__are_found_row_by_row(tmp_path: Path) -> None:
    """Text that many readers let pass: here it is refused, and the rows behind it are read on."""
    rows = [
        f'{address(7)},1,a 5" screen,Vote 7',
        f'{address(7)},1,"said ""so""",Vote 7',
        f'{address(7)},1,"said" so,Vote 7',
        f"{address(7)},x,fine,Vote 7",
        f'{address(7)},1, "padded",Vote 7',
        f"{address(7)},1,carriage\rreturn,Vote 7",
    ]
    text = FIRST[A] + "\n".join(rows) + "\n"
    found = places(refused(write(tmp_path, {**FIRST, A: text})))
    assert found == [
        (A, 4, "reason", 'a 5" screen'),
        (A, 6, "reason", '"said" so'),
        (A, 7, "amount", "x"),
        (A, 8, "reason", ' "padded"'),
        (A, 9, "reason", "carriage\rreturn"),
    ]


def test_rows__record_over_two_lines__counts_lines_not_records(tmp_path: Path) -> None:
    rows = [f'{address(7)},1,"two\r\nlines",Vote 7', f'{address(7)},x,"a, ""b""",Vote 7']
    text = FIRST[A] + "\n".join(rows)
    found = places(refused(write(tmp_path, {**FIRST, A: text})))
    assert found == [(A, 4, "reason", "two\r\nlines"), (A, 6, "amount", "x")]


def test_rows__open_quote_in_a_long_file__is_refused_quickly(tmp_path: Path) -> None:
    text = FIRST[A] + f'{address(7)},1,"' + "x\n" * 2_000_000
    started = time.monotonic()
    (finding,) = refused(write(tmp_path, {**FIRST, A: text}))
    assert finding.row == 4
    assert "nothing closes" in finding.problem
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("name", [E, P, S])
def test_files__required_one_missing__is_found(tmp_path: Path, name: str) -> None:
    files = {k: v for k, v in FIRST.items() if k != name}
    assert [(f.file, f.problem) for f in refused(write(tmp_path, files))] == [(name, "is missing")]


@pytest.mark.parametrize(
    "name", ["notes.txt", "Nodes.csv", "nodes.csv.bak", ".DS_Store", "nodes .csv", "sub"]
)
def test_files__unknown_one__is_found(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path, FIRST)
    if name == "sub":
        (folder / name).mkdir()
    else:
        (folder / name).write_text("x")
    assert [(f.file, f.problem) for f in refused(folder)] == [(name, "is an unknown file")]


def test_files__unknown_one_with_a_hostile_name__is_shown_harmlessly(tmp_path: Path) -> None:
    folder = write(tmp_path, FIRST)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\x1b[2J\nx")).write_text("x")
    # `refused` requires the message to be printable.
    assert len(refused(folder)) == 1


def test_columns__hostile_name__is_shown_harmlessly(tmp_path: Path) -> None:
    text = FIRST[NS].replace("requests", '"requests\x1b[2J\n"')
    refused(write(tmp_path, {**FIRST, NS: text}))


@pytest.mark.parametrize("name", [N, NS])
def test_files__one_node_file_without_the_other__is_found(tmp_path: Path, name: str) -> None:
    files = {k: v for k, v in FIRST.items() if k != name}
    assert [f.file for f in refused(write(tmp_path, files))] == [name]


def test_files__program_without_its_file__must_have_no_pool(tmp_path: Path) -> None:
    files = {k: v for k, v in FIRST.items() if k not in (N, NS, W)}
    assert [f.column for f in refused(write(tmp_path, files))] == [
        "pools.wallets_eligible",
        "pools.wallets_certified",
        "pools.nodes",
    ]


@pytest.mark.parametrize("name", sorted(FIRST))
@pytest.mark.parametrize("kind", ["symlink", "dangling", "folder", "fifo"])
def test_files__anything_but_a_regular_file__is_refused_at_once(
    tmp_path: Path, name: str, kind: str
) -> None:
    folder = write(tmp_path / "inputs", FIRST)
    (folder / name).rename(tmp_path / "elsewhere")
    if kind == "symlink":
        (folder / name).symlink_to(Path("..", "elsewhere"))
    elif kind == "dangling":
        (folder / name).symlink_to("nowhere")
    elif kind == "folder":
        (folder / name).mkdir()
    else:
        os.mkfifo(folder / name)
    findings = refused(folder)
    assert name in {f.file for f in findings}
    assert "symbolic link" in str(findings) or "not a regular file" in str(findings)


def test_folder__missing_or_a_file__is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file")
    refused(tmp_path / ("x" * 5_000))


# --- bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FIRST))
@pytest.mark.parametrize(
    "broken",
    [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xc0\x80", b"\x00"],
    ids=["ff", "cut off", "surrogate", "five bytes", "overlong", "NUL"],
)
def test_bytes__broken_utf_8_or_nul__is_found_with_its_row(
    tmp_path: Path, name: str, broken: bytes
) -> None:
    lines = FIRST[name].encode().split(b"\n")
    lines[2] = lines[2] + b" " + broken + b"!"
    findings = refused(write(tmp_path, {**FIRST, name: b"\n".join(lines)}))
    assert (name, 3) in {(f.file, f.row) for f in findings}
    mine = [f for f in findings if (f.file, f.row) == (name, 3)]
    assert "UTF-8" in mine[0].problem or "NUL" in mine[0].problem


@pytest.mark.parametrize("name", sorted(FIRST))
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_bytes__other_encodings__are_refused(tmp_path: Path, name: str, encoding: str) -> None:
    refused(write(tmp_path, {**FIRST, name: FIRST[name].encode(encoding)}))


@pytest.mark.parametrize("name", sorted(FIRST))
def test_bytes__empty_file__is_refused(tmp_path: Path, name: str) -> None:
    assert name in {f.file for f in refused(write(tmp_path, {**FIRST, name: b""}))}


@pytest.mark.parametrize("name", [name for name in sorted(FIRST) if name.endswith(".csv")])
def test_bytes__old_mac_line_ends__are_refused(tmp_path: Path, name: str) -> None:
    refused(write(tmp_path, {**FIRST, name: FIRST[name].replace("\n", "\r")}))


# --- hostile documents -----------------------------------------------------------------------


def with_nodes_pool(value: str) -> Files:
    return changed(FIRST, E, '"1000.5"', value)


HOSTILE = [
    pytest.param("x = " + "[" * 100_000, id="nested arrays"),
    pytest.param("x = " + "{a=" * 50_000, id="nested inline tables"),
    pytest.param("x = " + "[" * 300 + "]" * 300, id="arrays just within the parser"),
    pytest.param("x = 1" + "0" * 5_000, id="number of 5,000 digits"),
    pytest.param("epoch = 1" + "0" * 5_000, id="key twice"),
    pytest.param("x = 1.5e999999999", id="float beyond everything"),
    pytest.param("x = nan", id="not a number"),
    pytest.param('x = "' + "a" * 200_000 + '"', id="long text"),
    pytest.param('x = "' + "a" * 300_000 + '"', id="too large"),
    pytest.param("#" * 300_000, id="large comment"),
    pytest.param("x = 0x" + "f" * 10_000, id="hexadecimal, unknown key"),
    pytest.param("[x" + ".a" * 2_000 + "]\ny = 1", id="deep table"),
    pytest.param("x" + ".a" * 2_000 + " = 1", id="deep key"),
    pytest.param("\n".join(f"k{i} = 1" for i in range(20_000)), id="many unknown keys"),
]


@pytest.mark.parametrize("line", HOSTILE)
@pytest.mark.parametrize("name", [E, P, S])
def test_toml__hostile__is_refused_quickly(tmp_path: Path, name: str, line: str) -> None:
    started = time.monotonic()
    findings = refused(write(tmp_path, {**FIRST, name: line + "\n" + FIRST[name]}))
    assert {f.file for f in findings} <= {name}
    assert len(findings) <= 200
    assert sum(len(str(f)) for f in findings) < 100_000
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        pytest.param(E, "epoch = 1", "epoch = 0x" + "f" * 6_000, id="hexadecimal epoch"),
        pytest.param(E, "epoch = 1", "epoch = 0b" + "1" * 20_000, id="binary epoch"),
        pytest.param(P, "first_epoch = 1", "first_epoch = 0o" + "7" * 8_000, id="octal"),
        pytest.param(S, "chain_id = 10", "chain_id = 0x" + "f" * 6_000, id="hexadecimal chain"),
        pytest.param(E, 'nodes = "1000.5"', "nodes" + ".a" * 3_000 + " = 1", id="deep pool"),
        pytest.param(P, 'tau = "0.8"', "tau" + ".a" * 3_000 + " = 1", id="deep tau"),
        pytest.param(S, "chain_id = 10", "chain_id" + ".a" * 3_000 + " = 1", id="deep chain"),
        pytest.param(E, '"1000.5"', "[" * 200 + "]" * 200, id="array of arrays"),
    ],
)
def test_toml__hostile_value_of_a_known_key__is_found(
    tmp_path: Path, name: str, old: str, new: str
) -> None:
    findings = refused(write(tmp_path, changed(FIRST, name, old, new)))
    assert {f.file for f in findings} == {name}


def test_toml__key_of_ten_thousand_parts__is_refused_quickly(tmp_path: Path) -> None:
    # The standard parser takes time in the square of the parts of a dotted key.
    files = {**FIRST, E: "x" + ".a" * 10_000 + " = 1\n" + FIRST[E]}
    started = time.monotonic()
    refused(write(tmp_path, files))
    assert time.monotonic() - started < 3


def test_csv__header_of_thousands_of_columns__is_refused_quickly_and_briefly(
    tmp_path: Path,
) -> None:
    text = ",".join(f"{i:x}" for i in range(12_000)) + "\n"
    started = time.monotonic()
    findings = refused(write(tmp_path, {**FIRST, NS: text}))
    assert time.monotonic() - started < 3
    assert len(findings) <= 200


def test_csv__thousands_of_broken_rows__are_reported_up_to_a_limit(tmp_path: Path) -> None:
    findings = refused(write(tmp_path, {**FIRST, NS: FIRST[NS] + "x\n" * 50_000}))
    assert 100 <= len(findings) <= 110
    assert "not read further" in findings[-1].problem or any(
        "not read further" in f.problem for f in findings
    )


GARBAGE = 300 * 1024 * 1024
MEMORY = 600 * 1024 * 1024

LIMITED = """
import sys
from pathlib import Path
from rewards.errors import InvalidInput
from rewards.files.epoch import load_epoch
try:
    load_epoch(Path(sys.argv[1]), None)
except InvalidInput as error:
    sys.exit(7 if any(f.file == sys.argv[2] for f in error.findings) else 3)
"""


@pytest.mark.parametrize("name", sorted(FIRST))
def test_garbage__of_300_mb__is_refused_without_taking_memory(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path, FIRST)
    with (folder / name).open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.truncate(GARBAGE)  # sparse: zeros that take no disk

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, folder, name],
        preexec_fn=limit,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 7, done.stderr.decode()
    assert time.monotonic() - started < 10


# --- all together, and nothing written -------------------------------------------------------


def test_findings__of_every_file__are_reported_together(tmp_path: Path) -> None:
    files = changed(FIRST, E, '"1000.5"', '"-1"')
    files = changed(files, P, '"0.8"', "0.8")
    files = changed(files, S, "chain_id = 10", "chain_id = 0")
    files = changed(files, N, ",5,", ",five,")
    files = changed(files, N, address(3), WRONG_CHECKSUM)
    files = changed(files, NS, "43200", "")
    files = changed(files, W, "7,100001", "7,-1")
    files = changed(files, W, "0.5", "2")
    files = changed(files, A, ",25,", ",x,")
    folder = write(tmp_path, files)
    (folder / "notes.txt").write_text("x")
    assert {(f.file, f.row, f.column) for f in refused(folder)} == {
        ("notes.txt", 0, ""),
        (E, 0, "pools.nodes"),
        (P, 0, "nodes.tau"),
        (S, 0, "chain_id"),
        (N, 4, "payout_address"),
        (N, 5, "stake_weight"),
        (NS, 3, "uptime_seconds"),
        (W, 2, "signatures"),
        (W, 3, "ux_score"),
        (A, 3, "amount"),
    }


def test_findings__of_one_row__are_reported_together(tmp_path: Path) -> None:
    files = changed(FIRST, N, BEE, "be e,0x12,-1,TRUE,FALSE,Active")
    mine = [(f.row, f.column) for f in refused(write(tmp_path, files)) if f.file == N]
    assert mine == [
        (3, "node_id"),
        (3, "payout_address"),
        (3, "stake_weight"),
        (3, "machine_ready"),
        (3, "exit_requested"),
        (3, "status"),
    ]


def test_findings__of_grammar_and_rules__are_reported_together(tmp_path: Path) -> None:
    files = changed(FIRST, W, "7,100001", "7,-1")
    files = changed(files, NS, "43200", "86401")
    files = changed(files, N, address(2), TOKEN)
    assert {(f.file, f.row) for f in refused(write(tmp_path, files))} == {(W, 2), (NS, 3), (N, 3)}


def test_findings__as_json__are_short_and_printable(tmp_path: Path) -> None:
    files = changed(FIRST, N, ",5,", f",{LONG},")
    (finding,) = refused(write(tmp_path, files))
    document = finding.as_json()
    assert document["file"] == N
    assert len(str(document["value"])) < 200
    assert "5000 characters" in str(document["value"])


def test_compute__bad_input__writes_nothing(tmp_path: Path) -> None:
    inputs = write(tmp_path / "inputs", changed(FIRST, N, ",5,", ",-5,"))
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(InvalidInput):
        publish_epoch(compute_folder(inputs, None), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_compute__total_of_2_to_256__is_refused(tmp_path: Path) -> None:
    most = "115792089237316195423570985008687907853269984665640564039457"
    files = changed(FIRST, E, '"300"', f'"{most}"')
    files = changed(files, A, ",25,", f",{2**256 - 1},")
    with pytest.raises(InvalidInput) as caught:
        compute_folder(write(tmp_path, files), None)
    (finding,) = caught.value.findings
    assert isinstance(finding, Finding)
    assert "2^256" in finding.problem


@pytest.mark.parametrize("spelling", ["1_0", "+10", "0x10", "0b1", "0o17"])
def test_integer_in_toml__in_another_spelling__is_found_with_row_and_key(
    tmp_path: Path, spelling: str
) -> None:
    """The parser alone would take all of these for plain integers."""
    policy = FIRST["policy.toml"] + f"\n[performance]\nlatency_target_us = {spelling}  # us\n"
    findings = refused(write(tmp_path, {**FIRST, "policy.toml": policy}))
    column = "performance.latency_target_us"
    assert [(f.file, f.column, f.value) for f in findings] == [("policy.toml", column, spelling)]
    assert findings[0].row > 1


@pytest.mark.parametrize(
    "line",
    ['"active_target" = 1_5', "active_target = -0", "active_target = +15 # note", "x = [1, 2_0]"],
)
def test_integer_in_toml__however_the_key_is_written__is_found(tmp_path: Path, line: str) -> None:
    policy = FIRST["policy.toml"].replace("active_target = 2", line)
    findings = refused(write(tmp_path, {**FIRST, "policy.toml": policy}))
    assert "is no plain integer" in {f.problem for f in findings}
