"""A published folder as it lies on disk, and the manifest that binds it.

Only what reading needs: `prove` starts from here without loading the rules.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.documents import canonical_json, parse_json
from rewards.files.folder import list_files, open_regular, read_bytes, walk_files
from rewards.files.grammar import GrammarError, parse_address, parse_hash, parse_integer, parse_time
from rewards.files.streams import ahead
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rewards.files.streams import Content

MANIFEST_FORMAT = "wct-epoch-1"

INPUTS_FOLDER = "inputs/"
MANIFEST = "manifest.json"
STATE = "state.json"
DISTRIBUTION = "distribution.json"
TREE = "tree.bin"
ALLOCATIONS_CSV = "allocations.csv"
FINDINGS = "findings.json"

MANIFEST_LIMIT = 1 << 20
DISTRIBUTION_LIMIT = 1 << 32
TAKE_AGAIN = "take the published folder again from its source"


@dataclass(frozen=True)
class Manifest:
    """`manifest.json`, whole and undamaged."""

    content: bytes
    document: dict[str, Any]

    @cached_property
    def hash(self) -> str:
        """keccak-256 of the bytes: what goes on chain and what the successor names."""
        return manifest_hash(self.content)

    @property
    def epoch(self) -> int:
        """The epoch's number."""
        return int(self.document["epoch"])

    @property
    def ruleset(self) -> str:
        """The name of the rules that the epoch was computed under."""
        return str(self.document["ruleset"])

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of every other file of the folder, by relative name."""
        inputs = self.document["inputs"].items()
        return {
            **{f"{INPUTS_FOLDER}{name}": digest for name, digest in inputs},
            **self.document["outputs"],
        }

    @property
    def previous_hash(self) -> str | None:
        """The manifest hash of the predecessor; None in a first epoch."""
        previous: str | None = self.document["previous_manifest_hash"]
        return previous

    @property
    def root(self) -> str | None:
        """The Merkle root; None when nobody has a cumulative amount."""
        root: str | None = self.document["merkle_root"]
        return root

    @property
    def chain_id(self) -> int:
        """The chain that the distribution is bound to."""
        return int(self.document["chain_id"])

    @property
    def distributor(self) -> str:
        """The contract that the distribution is bound to."""
        return str(self.document["distributor"])

    @property
    def end(self) -> int:
        """The epoch's end in UTC seconds."""
        return parse_time(self.document["end"])

    @property
    def epoch_amount(self) -> int:
        """What the epoch added, in base units."""
        return int(self.document["epoch_amount"])

    @property
    def cumulative_total(self) -> int:
        """The sum of all cumulative amounts, in base units."""
        return int(self.document["cumulative_total"])


class PublishedFolder:
    """The folder of one published epoch. Nothing in it is ever changed."""

    def __init__(self, folder: Path) -> None:
        """Read the manifest.

        Raises:
            InvalidInput: It is no published folder.
            CheckFailed: Its manifest is damaged.
        """
        self.folder = Path(folder)
        if MANIFEST not in list_files(self.folder):
            raise InvalidInput(
                Finding(
                    str(folder),
                    f"holds no {MANIFEST}",
                    "name the folder that `rewards compute --out` published",
                )
            )
        content = read_bytes(self.folder / MANIFEST, MANIFEST, MANIFEST_LIMIT)
        self.manifest = _read_manifest(content)

    def __str__(self) -> str:
        """Return the folder's name."""
        return str(self.folder)

    def altered_files(self) -> list[Finding]:
        """Return what is missing, extra, or differs from the manifest's SHA-256."""
        findings = []
        listed = self.manifest.files
        present = [name for name in walk_files(self.folder) if name != MANIFEST]
        for name in present:
            if name not in listed:
                findings.append(Finding(name, "is not part of the epoch", "remove it"))
        found = [name for name in sorted(listed) if name in present]
        # Hashing holds no lock: two large files are read in the time of one.
        actual_digests = dict(zip(found, ahead(self._digest, found, 2), strict=True))
        for name, digest in sorted(listed.items()):
            if name not in present:
                findings.append(Finding(name, "is missing", TAKE_AGAIN))
            elif isinstance(actual := actual_digests[name], Finding):
                findings.append(actual)
            elif actual != digest:
                findings.append(
                    Finding(
                        name,
                        f"is altered: its SHA-256 is not the manifest's {digest}",
                        TAKE_AGAIN,
                        value=actual,
                    )
                )
        return findings

    def require_unaltered(self) -> None:
        """Check every file against the manifest.

        Raises:
            CheckFailed: With every file that is missing, extra or altered.
        """
        findings = self.altered_files()
        if findings:
            raise CheckFailed(findings)

    def read(self, name: str, limit: int) -> bytes:
        """Return a file's bytes, checked against the manifest.

        Raises:
            CheckFailed: The bytes are not those that the manifest names.
        """
        self.require_digest(name)  # read in blocks: another file may have any size
        try:
            content = read_bytes(self.folder / name, name, limit)
        except InvalidInput as error:
            raise CheckFailed(error.findings) from error
        self._require_named(name, hashlib.sha256(content).hexdigest())
        return content

    def require_digest(self, name: str) -> None:
        """Check a file against the manifest.

        Raises:
            CheckFailed: The bytes are not those that the manifest names.
        """
        self._require_named(name, self._digest(name))

    def _require_named(self, name: str, digest: str | Finding) -> None:
        if isinstance(digest, Finding):
            raise CheckFailed(digest)
        if digest != self.manifest.files.get(name):
            raise CheckFailed(Finding(name, "is altered: not the manifest's SHA-256", TAKE_AGAIN))

    def read_json(self, name: str, limit: int) -> dict[str, Any]:
        """Return a JSON file, checked against the manifest."""
        return parse_json(self.read(name, limit), name)

    @cached_property
    def distribution(self) -> dict[str, Any] | None:
        """`distribution.json`; None when nobody has a cumulative amount."""
        if DISTRIBUTION not in self.manifest.files:
            return None
        return self.read_json(DISTRIBUTION, DISTRIBUTION_LIMIT)

    def _digest(self, name: str) -> str | Finding:
        """Return a file's SHA-256, or why it cannot be read."""
        try:
            with open_regular(self.folder / name, name) as handle:
                return sha256_of(handle)
        except InvalidInput as error:
            return error.findings[0]


def sha256_of(handle: BinaryIO) -> str:
    """Return the SHA-256 of an open file, read in blocks."""
    digest = hashlib.sha256()
    while block := handle.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _read_manifest(content: bytes) -> Manifest:
    try:
        document = parse_json(content, MANIFEST)
    except InvalidInput as error:
        raise CheckFailed(error.findings) from error
    damaged = Finding(MANIFEST, "is altered: it does not agree with its own digest", TAKE_AGAIN)
    if document.get("format") != MANIFEST_FORMAT:
        raise CheckFailed(Finding(MANIFEST, f"is not of format {MANIFEST_FORMAT}", TAKE_AGAIN))
    try:
        whole = document.get("digest") == manifest_digest(document)
        if not whole or canonical_json(document) != content:
            raise CheckFailed(damaged)
        manifest = Manifest(content, document)
        for name in ("epoch", "chain_id", "leaf_count", "epoch_amount", "cumulative_total"):
            parse_integer(document[name])
        _ = (parse_time(document["start"]), manifest.end, parse_address(manifest.distributor))
        names_and_digests = [text for pair in manifest.files.items() for text in pair]
        if not all(isinstance(text, str) for text in names_and_digests):
            raise CheckFailed(damaged)
        if manifest.root is not None:
            parse_hash(manifest.root)
        if manifest.previous_hash is not None:
            parse_hash(manifest.previous_hash)
    except (
        GrammarError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
    ) as error:
        raise CheckFailed(damaged) from error
    return manifest


def sha256(content: Content) -> str:
    """Return the SHA-256 of a file as lower-case hex, as `sha256sum` prints it."""
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else content.digest


def manifest_digest(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest without its own `digest`.

    It tells a damaged manifest from a whole one without computing the epoch again. What binds the
    manifest is its hash, on chain and in the successor.
    """
    rest = {key: value for key, value in document.items() if key != "digest"}
    return sha256(canonical_json(rest))


def manifest_hash(content: bytes) -> str:
    """Return keccak-256 of a manifest's bytes, as it goes on chain."""
    return "0x" + keccak256(content).hex()
