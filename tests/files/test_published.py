from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rewards.errors import CheckFailed, FindingsError, InvalidInput
from rewards.files.documents import canonical_json
from rewards.files.epoch import load_epoch
from rewards.files.outputs import manifest_digest, manifest_hash
from rewards.files.published import PublishedEpoch
from tests.builders import address
from tests.files.folders import FIRST, SECOND, Files, changed, published, refused, write

if TYPE_CHECKING:
    from collections.abc import Iterator

E, P, S, N, NS = "epoch.toml", "policy.toml", "settlement.toml", "nodes.csv", "node_scores.csv"

DAY_2 = 'start = "2026-06-02T00:00:00Z"\nend = "2026-06-03T00:00:00Z"'

# As small as an epoch with every stage gets, because every byte of it is flipped.
TINY: Files = {
    "epoch.toml": """\
epoch = 1
genesis = true
start = 2026-06-01T00:00:00Z
end = 2026-06-02T00:00:00Z
[pools]
nodes = "10"
wallets_eligible = "1"
wallets_certified = "0"
""",
    "policy.toml": 'ruleset = "wct-1"\nfirst_epoch = 1\napproval = "Vote"\n',
    "settlement.toml": FIRST["settlement.toml"],
    "nodes.csv": "node_id,payout_address,stake_weight,machine_ready,exit_requested,status\n"
    f"a,{address(1)},1,true,false,active\n",
    "node_scores.csv": "node_id,uptime_seconds,response_time_us,requests\na,1,0,1\n",
    "wallet_scores.csv": "wallet_id,payout_address,connections,signatures,certified\n"
    f"w,{address(2)},0,100001,false\n",
}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published first epoch; not to be changed."""
    return published(tmp_path_factory.mktemp("first"), FIRST)


@pytest.fixture
def altered(first: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(first, tmp_path / "altered"))


def files_of(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def named(folder: Path) -> set[str]:
    """Return the files that are found altered."""
    try:
        return {finding.file for finding in PublishedEpoch(folder).altered_files()}
    except CheckFailed as error:
        return {finding.file for finding in error.findings}


# --- tampering -------------------------------------------------------------------------------


def test_altered_files__untouched__finds_nothing(first: Path) -> None:
    assert PublishedEpoch(first).altered_files() == []
    PublishedEpoch(first).require_unaltered()


def test_altered_files__every_byte_of_the_manifest_flipped__names_it(tmp_path: Path) -> None:
    folder = published(tmp_path, TINY)
    path = folder / "manifest.json"
    content = path.read_bytes()
    for position in range(len(content)):
        for bit in {position % 8, 5}:  # bit 5 is the case of a letter
            broken = bytearray(content)
            broken[position] ^= 1 << bit
            path.write_bytes(broken)
            with pytest.raises(CheckFailed) as caught:
                PublishedEpoch(folder)
            assert {f.file for f in caught.value.findings} == {"manifest.json"}


def test_altered_files__every_byte_of_every_other_file_flipped__names_each(tmp_path: Path) -> None:
    folder = published(tmp_path, TINY)
    epoch = PublishedEpoch(folder)
    contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files_of(folder)}
    del contents["manifest.json"]
    # Every file is checked by itself, so one byte of each can be flipped at the same time.
    for position in range(max(map(len, contents.values()))):
        flipped = {name for name, content in contents.items() if position < len(content)}
        for name in flipped:
            broken = bytearray(contents[name])
            broken[position] ^= 1 << position % 8
            (folder / name).write_bytes(broken)
        assert {f.file for f in epoch.altered_files()} == flipped
        for name in flipped:
            (folder / name).write_bytes(contents[name])
    assert epoch.altered_files() == []


@pytest.mark.parametrize("size", [0, 1, -1])
def test_altered_files__cut_or_lengthened__names_the_file(altered: Path, size: int) -> None:
    for path in files_of(altered):
        content = path.read_bytes()
        path.write_bytes(content + b"\n" if size == 1 else content[: size or 0])
        assert named(altered) == {path.relative_to(altered).as_posix()}
        path.write_bytes(content)


def test_altered_files__each_file_removed__names_it(altered: Path) -> None:
    for path in files_of(altered):
        name, content = path.relative_to(altered).as_posix(), path.read_bytes()
        path.unlink()
        if name == "manifest.json":
            with pytest.raises(InvalidInput, match=r"holds no manifest\.json"):
                PublishedEpoch(altered)
        else:
            assert named(altered) == {name}
        path.write_bytes(content)


@pytest.mark.parametrize("name", ["extra", "inputs/extra", "inputs/sub/extra", ".hidden"])
def test_altered_files__extra_file__is_named(altered: Path, name: str) -> None:
    (altered / name).parent.mkdir(exist_ok=True)
    (altered / name).write_bytes(b"")
    assert named(altered) == {name}


def test_altered_files__folder_without_files__is_named(altered: Path) -> None:
    (altered / "inputs" / "sub").mkdir()
    assert named(altered)


@pytest.mark.parametrize("kind", ["symlink", "folder", "fifo"])
@pytest.mark.parametrize("name", ["allocations.csv", "inputs/epoch.toml", "state.json"])
def test_altered_files__no_regular_file__is_named(altered: Path, name: str, kind: str) -> None:
    path = altered / name
    if kind == "symlink":
        path.rename(altered.parent / "elsewhere")
        path.symlink_to(altered.parent / "elsewhere")
    else:
        path.unlink()
        if kind == "folder":
            path.mkdir()
        else:
            os.mkfifo(path)
    assert {found.removesuffix("/") for found in named(altered)} == {name}


def test_altered_files__inputs_folder_is_a_link__is_named(altered: Path) -> None:
    (altered / "inputs").rename(altered.parent / "elsewhere")
    (altered / "inputs").symlink_to(altered.parent / "elsewhere")
    assert "inputs" in named(altered)


def test_altered_files__two_files_swapped__names_both(altered: Path) -> None:
    one, other = altered / "nodes.csv", altered / "wallets.csv"
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert named(altered) == {"nodes.csv", "wallets.csv"}


def test_altered_files__folders_nested_very_deep__are_found_without_a_crash(altered: Path) -> None:
    depth = 1_050
    here = os.open(altered, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    try:
        assert named(altered)
    finally:
        shutil.move(altered / "d", altered.parent / "d")
        flatten(altered.parent / "d")


def flatten(folder: Path) -> None:
    """Remove a chain of folders from its top, one level at a time."""
    top = folder
    while (top / "d").is_dir():
        below = (top / "d").rename(top.with_name("e"))
        for path in list(top.iterdir()):
            path.unlink()
        top.rmdir()
        top = below.rename(top)
    shutil.rmtree(top)


MANIFESTS = [
    pytest.param(b"", id="empty"),
    pytest.param(b"[]", id="array"),
    pytest.param(b"null", id="null"),
    pytest.param(b"{}", id="empty object"),
    pytest.param(b"\xff", id="no UTF-8"),
    pytest.param(b"[" * 100_000, id="nested arrays"),
    pytest.param(b'{"a":' * 100_000, id="nested objects"),
    pytest.param(b'{"format":"wct-epoch-1","x":' + b"[" * 900 + b"]" * 900 + b"}", id="deep"),
    pytest.param(b'{"format":"wct-epoch-1","x":' + b"1" * 5_000 + b"}", id="5,000 digits"),
    pytest.param(b'{"format":"wct-epoch-1","x":NaN}', id="NaN"),
    pytest.param(b'{"format":"wct-epoch-1","x":1.5}', id="float"),
    pytest.param(b'{"format":"wct-epoch-1","format":"wct-epoch-1"}', id="key twice"),
    pytest.param(b'{"format":"wct-epoch-1","x":"\\ud800"}', id="lone surrogate"),
    pytest.param(b'{"format":"wct-epoch-1","\\udfff":1}', id="lone surrogate as key"),
    pytest.param(b'{"format":"wct-epoch-2"}', id="another format"),
    pytest.param(b'{"format":["wct-epoch-1"]}', id="format of another type"),
    pytest.param(b" " * (2 << 20), id="too large"),
]


@pytest.mark.parametrize("content", MANIFESTS)
def test_manifest__hostile__is_refused_without_a_crash(altered: Path, content: bytes) -> None:
    (altered / "manifest.json").write_bytes(content)
    with pytest.raises(FindingsError) as caught:
        PublishedEpoch(altered)
    assert caught.value.findings[0].file == "manifest.json"


FIELDS = [
    "format",
    "epoch",
    "start",
    "end",
    "chain_id",
    "distributor",
    "previous_manifest_hash",
    "inputs",
    "outputs",
    "merkle_root",
    "epoch_amount",
    "cumulative_total",
]


@pytest.mark.parametrize(
    "value", [None, 1, True, [], {}, "", "x", "\u0661", {"a": 1}, [["a", "b"]]]
)
@pytest.mark.parametrize("field", FIELDS)
def test_manifest__field_of_another_kind_with_a_right_digest__never_crashes(
    altered: Path, field: str, value: object
) -> None:
    path = altered / "manifest.json"
    document = {**json.loads(path.read_bytes()), field: value}
    document["digest"] = manifest_digest(document)
    path.write_bytes(canonical_json(document))
    try:
        epoch = PublishedEpoch(altered)
        findings = epoch.altered_files()
        opening = None if findings else epoch.opening_for_successor()
    except FindingsError:
        return
    # Fields that nothing here reads may hold anything.
    assert findings or opening


@pytest.mark.parametrize("field", FIELDS)
def test_manifest__field_missing_with_a_right_digest__never_crashes(
    altered: Path, field: str
) -> None:
    path = altered / "manifest.json"
    document = json.loads(path.read_bytes())
    del document[field]
    document["digest"] = manifest_digest(document)
    path.write_bytes(canonical_json(document))
    try:
        PublishedEpoch(altered).altered_files()
    except FindingsError:
        return
    assert field in ("start", "epoch_amount")


def reseal(folder: Path, name: str, content: bytes) -> None:
    """Replace a file and make the manifest agree, as a forger would."""
    import hashlib

    (folder / name).write_bytes(content)
    path = folder / "manifest.json"
    document = json.loads(path.read_bytes())
    document["outputs"][name] = hashlib.sha256(content).hexdigest()
    document["digest"] = manifest_digest(document)
    path.write_bytes(canonical_json(document))


STATES = [
    pytest.param(b"[]", id="array"),
    pytest.param(b"{}", id="empty"),
    pytest.param(b'{"format":"wct-state-1"}', id="no closing"),
    pytest.param(b'{"format":"wct-state-1","closing":null}', id="closing null"),
    pytest.param(b'{"format":"wct-state-1","closing":{}}', id="closing empty"),
    pytest.param(b'{"format":"wct-state-1","closing":[1]}', id="closing array"),
    pytest.param(b"[" * 100_000, id="nested"),
    pytest.param(b"\xff", id="no UTF-8"),
]


@pytest.mark.parametrize("content", STATES)
def test_state__forged_with_its_manifest__is_refused_without_a_crash(
    altered: Path, tmp_path: Path, content: bytes
) -> None:
    reseal(altered, "state.json", content)
    assert refused(write(tmp_path / "inputs", SECOND), altered)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epoch", 1),
        ("epoch", "one"),
        ("epoch", "9" * 200),
        ("end", None),
        ("wallets_end", "1.5"),
        ("settlement", {}),
        ("settlement", None),
        ("policy", []),
        ("policy", None),
        ("nodes", []),
        ("nodes", {"a": {}}),
        ("nodes", {"a": {"status": "jailed", "confined_until": "0", "debt": "0"}}),
        ("nodes", {"../a": {"status": "active", "confined_until": "0", "debt": "0"}}),
        ("nodes", {"a": {"status": "active", "confined_until": "0", "debt": 1}}),
    ],
)
def test_state__closing_forged__is_refused_without_a_crash(
    altered: Path, tmp_path: Path, key: str, value: object
) -> None:
    document = json.loads((altered / "state.json").read_bytes())
    document["closing"][key] = value
    reseal(altered, "state.json", canonical_json(document))
    assert refused(write(tmp_path / "inputs", SECOND), altered)


@pytest.mark.parametrize(
    "row", ["x,0,0,0,0,0,0,0,0", f"{address(9)},0,0,0,0,0,0,0,one", f"{address(9)},0", "\x00"]
)
def test_allocations__forged_with_the_manifest__are_refused_without_a_crash(
    altered: Path, tmp_path: Path, row: str
) -> None:
    content = (altered / "allocations.csv").read_bytes() + row.encode() + b"\n"
    reseal(altered, "allocations.csv", content)
    assert refused(write(tmp_path / "inputs", SECOND), altered)


LIMITED = """
import sys
from pathlib import Path
from rewards.errors import CheckFailed
from rewards.files.published import PublishedEpoch
try:
    getattr(PublishedEpoch(Path(sys.argv[1])), sys.argv[2])
except CheckFailed as error:
    sys.exit(7 if error.findings[0].file == sys.argv[3] else 3)
"""


@pytest.mark.parametrize(
    ("name", "reads"), [("distribution.json", "distribution"), ("state.json", "state")]
)
def test_read__file_grown_to_a_gigabyte__is_refused_without_taking_memory(
    altered: Path, name: str, reads: str
) -> None:
    with (altered / name).open("r+b") as file:
        file.truncate(1 << 30)  # sparse: zeros that take no disk

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))

    done = subprocess.run(
        [sys.executable, "-c", LIMITED, altered, reads, name],
        preexec_fn=limit,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 7, done.stderr.decode()


# --- the chain of epochs ---------------------------------------------------------------------


def test_opening__of_the_successor__is_what_was_published(first: Path, tmp_path: Path) -> None:
    opening = PublishedEpoch(first).opening_for_successor()
    assert opening.manifest_hash == manifest_hash((first / "manifest.json").read_bytes())
    assert opening.state.epoch == 1
    second = published(tmp_path, SECOND, first)
    manifest = PublishedEpoch(second).manifest
    assert manifest.previous_hash == opening.manifest_hash
    # The successor holds all that it opened on.
    own = PublishedEpoch(second).own_opening()
    assert own
    assert own.state == opening.state
    assert {k: v for k, v in opening.ledger.items() if v.cumulative or v.recovery} == own.ledger
    assert PublishedEpoch(first).own_opening() is None


def test_predecessor__altered_anywhere__is_refused_and_named(altered: Path, tmp_path: Path) -> None:
    inputs = write(tmp_path / "inputs", SECOND)
    load_epoch(inputs, altered)
    for path in files_of(altered):
        content = path.read_bytes()
        path.write_bytes(content[:-2] + b"!\n")
        name = path.relative_to(altered).as_posix()
        assert any(f.file.endswith(name) for f in refused(inputs, altered)), name
        path.write_bytes(content)


def test_predecessor__extra_file__is_refused(altered: Path, tmp_path: Path) -> None:
    (altered / "note").write_text("x")
    findings = refused(write(tmp_path / "inputs", SECOND), altered)
    assert findings[0].file.endswith("note")


def test_predecessor__forgotten__is_refused(tmp_path: Path) -> None:
    findings = refused(write(tmp_path, SECOND))
    assert (E, "genesis") in {(f.file, f.column) for f in findings}


@pytest.mark.parametrize("kind", ["nowhere", "a file", "inputs"])
def test_predecessor__no_published_folder__is_refused(tmp_path: Path, kind: str) -> None:
    inputs = write(tmp_path / "inputs", SECOND)
    (tmp_path / "a file").write_text("x")
    assert refused(inputs, tmp_path / kind)


def test_predecessor__of_another_epoch__is_refused(first: Path, tmp_path: Path) -> None:
    second = published(tmp_path / "2", SECOND, first)
    findings = refused(write(tmp_path / "again", SECOND), second)
    assert {(f.file, f.column) for f in findings} >= {(E, "epoch"), (E, "start")}


@pytest.mark.parametrize(
    ("name", "old", "new", "column"),
    [
        pytest.param(E, "epoch = 2", "epoch = 3", "epoch", id="number left out"),
        pytest.param(E, "epoch = 2", "epoch = 1", "epoch", id="number again"),
        pytest.param(E, DAY_2, DAY_2.replace(":00Z", ":01Z"), "start", id="gap"),
        pytest.param(E, "06-02T00:00:00Z", "06-01T23:59:59Z", "start", id="overlap"),
        pytest.param(E, "epoch = 2", "epoch = 2\ngenesis = true", "genesis", id="genesis"),
        pytest.param(S, "chain_id = 10", "chain_id = 1", "chain_id", id="another chain"),
        pytest.param(S, "d1d1", "d2d1", "distributor", id="another contract"),
        pytest.param(S, "7070", "7170", "token", id="another token"),
        pytest.param(P, '"0.8"', '"0.7"', "nodes.tau", id="policy changed"),
        pytest.param(P, "Vote 7", "Vote 8", "approval", id="policy approved again"),
        pytest.param(P, "[wallets]", '[wallets]\nshare_cap = "0.5"', "wallets.share_cap", id="cap"),
        pytest.param(N, "true,false,\ndog", "true,false,reserved\ndog", "status", id="status"),
    ],
)
def test_successor__contradicting_the_predecessor__is_refused(
    first: Path, tmp_path: Path, name: str, old: str, new: str, column: str
) -> None:
    files = {**SECOND, name: SECOND[name].replace(old, new, 1)}
    assert files != SECOND
    findings = refused(write(tmp_path, files), first)
    assert {(f.file, f.column) for f in findings} == {(name, column)}


def test_successor__with_a_new_policy_of_its_own__is_accepted(first: Path, tmp_path: Path) -> None:
    files = changed(SECOND, P, "first_epoch = 1", "first_epoch = 2")
    files = changed(files, P, '"0.8"', '"0.7"')
    load_epoch(write(tmp_path, files), first)


def test_successor__same_policy_spelled_differently__is_accepted(
    first: Path, tmp_path: Path
) -> None:
    files = changed(SECOND, P, '"0.8"', '"0.80"\npenalty_rate = "1.0"')
    load_epoch(write(tmp_path, files), first)


@pytest.mark.parametrize("gone", ["ant", "bee", "cow", "dog"])
def test_successor__leaving_a_known_node_out__is_refused(
    first: Path, tmp_path: Path, gone: str
) -> None:
    def without(name: str) -> str:
        return "".join(
            line for line in SECOND[name].splitlines(keepends=True) if not line.startswith(gone)
        )

    files = {**SECOND, N: without(N), NS: without(NS)}
    assert [(f.file, f.value) for f in refused(write(tmp_path, files), first)] == [(N, gone)]


def test_successor__paying_a_month_again__is_refused(first: Path, tmp_path: Path) -> None:
    window = '[wallets]\nstart = "2026-05-31T23:59:59Z"\nend = "2026-06-03T00:00:00Z"\n'
    files = {**SECOND, E: SECOND[E] + window, "wallet_scores.csv": FIRST["wallet_scores.csv"]}
    findings = refused(write(tmp_path, files), first)
    assert [(f.file, f.column) for f in findings] == [(E, "wallets.start")]


def test_successor__with_bad_input_and_an_altered_predecessor__hears_of_both(
    altered: Path, tmp_path: Path
) -> None:
    (altered / "nodes.csv").write_bytes(b"x")
    files = changed(SECOND, NS, "43200", "-1")
    found = {f.file for f in refused(write(tmp_path, files), altered)}
    assert NS in found
    assert any(name.endswith("altered/nodes.csv") for name in found)
