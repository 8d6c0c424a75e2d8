"""One spelling for one meaning: how the input is written down leaves no trace in the output."""

from __future__ import annotations

import csv
import io
import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rewards.files.epoch import compute_folder
from rewards.files.inputs import canonical_inputs
from tests.files.folders import FIRST, MIXED, SECOND, Files, changed, published, write

if TYPE_CHECKING:
    from pathlib import Path


def rewritten(text: str, seed: int, *, quote: bool) -> str:
    """Return a CSV with shuffled rows and columns, quoted or not."""
    rows = list(csv.reader(io.StringIO(text)))
    source = random.Random(seed)
    order = list(range(len(rows[0])))
    source.shuffle(order)
    body = rows[1:]
    source.shuffle(body)
    out = io.StringIO()
    writer = csv.writer(
        out, lineterminator="\n", quoting=csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL
    )
    writer.writerows([row[i] for i in order] for row in [rows[0], *body])
    return out.getvalue()


def every_csv(files: Files, seed: int, *, quote: bool = False) -> Files:
    return {
        name: rewritten(text, seed, quote=quote) if name.endswith(".csv") else text
        for name, text in files.items()
    }


VARIANTS: dict[str, dict[str, str | bytes]] = {
    "shuffled": {**every_csv(FIRST, 1)},
    "shuffled again": {**every_csv(FIRST, 2)},
    "every cell quoted": {**every_csv(FIRST, 3, quote=True)},
    "CRLF": {name: text.replace("\n", "\r\n").encode() for name, text in FIRST.items()},
    "BOM": {name: b"\xef\xbb\xbf" + text.encode() for name, text in FIRST.items()},
    "BOM and CRLF": {
        name: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() for name, text in FIRST.items()
    },
    "BOM before a quoted header": {
        name: b"\xef\xbb\xbf" + text.encode()
        for name, text in every_csv(FIRST, 4, quote=True).items()
    },
    "no last line end": {name: text.removesuffix("\n") for name, text in FIRST.items()},
    "lower-case addresses": {
        name: text.replace(MIXED, MIXED.lower()) for name, text in FIRST.items()
    },
    "upper-case addresses": {
        name: text.replace(MIXED, "0x" + MIXED[2:].upper()) for name, text in FIRST.items()
    },
    "times as text": {
        **changed(FIRST, "epoch.toml", "2026-06-02T00:00:00Z", '"2026-06-02 00:00:00+00:00"')
    },
    "decimals with zeros": {
        **changed(
            changed(FIRST, "epoch.toml", '"1000.5"', '"1000.500"'), "policy.toml", '"0.8"', '"0.80"'
        )
    },
    "defaults written out": {
        **changed(FIRST, "policy.toml", "[wallets]", '[wallets]\nmeasure = "total"')
    },
    "comments and order of keys": {
        **changed(
            FIRST,
            "settlement.toml",
            "chain_id = 10\n",
            "# the chain\n",
        ),
    },
}
VARIANTS["comments and order of keys"]["settlement.toml"] = (
    str(VARIANTS["comments and order of keys"]["settlement.toml"]) + "chain_id = 10  # OP Mainnet\n"
)
VARIANTS["optional columns left out"] = {
    **FIRST,
    "wallet_scores.csv": "\n".join(
        ",".join(line.split(",")[:5]) for line in FIRST["wallet_scores.csv"].splitlines()
    ),
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = write(tmp_path_factory.mktemp("plain"), FIRST)
    return dict(compute_folder(folder, None).files)


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "optional columns left out"])
def test_spelling__of_the_same_input__changes_no_output_byte(
    tmp_path: Path, variant: str, expected: dict[str, bytes]
) -> None:
    assert dict(compute_folder(write(tmp_path, VARIANTS[variant]), None).files) == expected


def test_spelling__optional_columns_left_out__means_their_defaults(tmp_path: Path) -> None:
    absent = compute_folder(write(tmp_path / "a", VARIANTS["optional columns left out"]), None)
    written = changed(FIRST, "wallet_scores.csv", ",0.5,0", ",1,0")
    assert absent.files == compute_folder(write(tmp_path / "b", written), None).files


def test_canonical_inputs__read_again__are_the_same_inputs(tmp_path: Path) -> None:
    once = compute_folder(write(tmp_path / "a", FIRST), None)
    folder = tmp_path / "b"
    folder.mkdir()
    for name, content in canonical_inputs(once.inputs).items():
        (folder / name).write_bytes(content)
    again = compute_folder(folder, None)
    assert (again.inputs, again.files) == (once.inputs, once.files)


def test_canonical_inputs__awkward_text__survives(tmp_path: Path) -> None:
    said = 'He said ""no"", twice; caf\u00e9, \u65e5\u672c \\ #'
    files = changed(FIRST, "adjustments.csv", '"Paid twice, in May"', f'"{said}"')
    awkward = 'approval = "a \\"b\\" \\\\ c \\u65e5 #"'
    files = changed(files, "policy.toml", 'approval = "Vote 7 of the council"', awkward)
    once = compute_folder(write(tmp_path / "a", files), None)
    assert once.inputs.policy.approval == 'a "b" \\ c \u65e5 #'
    folder = tmp_path / "b"
    folder.mkdir()
    for name, content in canonical_inputs(once.inputs).items():
        (folder / name).write_bytes(content)
    assert compute_folder(folder, None).files == once.files


def test_outputs__every_text_file__is_canonical(expected: dict[str, bytes]) -> None:
    assert set(expected) == {
        *(f"inputs/{name}" for name in FIRST),
        "nodes.csv",
        "transitions.csv",
        "wallets.csv",
        "allocations.csv",
        "distribution.json",
        "state.json",
        "manifest.json",
    }
    for name, content in expected.items():
        text = content.decode("utf-8")
        assert text.endswith("\n"), name
        assert "\r" not in text, name
        assert "\ufeff" not in text, name
        assert not any(line != line.rstrip() for line in text.splitlines()), name


def test_outputs__rows__stand_in_id_or_address_order(expected: dict[str, bytes]) -> None:
    for name, content in expected.items():
        if name.endswith(".csv"):
            keys = [row.split(b",")[0] for row in content.splitlines()[1:]]
            assert keys == sorted(keys), name


DIGEST = """
import hashlib, sys
from pathlib import Path
from rewards.files.epoch import compute_folder
first, second, previous = map(Path, sys.argv[1:])
digest = hashlib.sha256()
for folder, before in ((first, None), (second, previous)):
    for name, content in sorted(compute_folder(folder, before).files.items()):
        digest.update(name.encode() + b"=" + content)
print(digest.hexdigest())
"""


def test_environment__hash_seed_locale_and_time_zone__change_no_output_byte(
    tmp_path: Path,
) -> None:
    previous = published(tmp_path / "1", FIRST)
    second = write(tmp_path / "2", SECOND)
    seen = set()
    for seed, locale, zone in (
        ("0", "C", "UTC"),
        ("1", "C.UTF-8", "Pacific/Kiritimati"),
        ("42", "tr_TR.UTF-8", "America/St_Johns"),
        ("random", "POSIX", "Asia/Kathmandu"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", DIGEST, tmp_path / "1" / "inputs", second, previous],
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        seen.add(done.stdout)
    assert len(seen) == 1
