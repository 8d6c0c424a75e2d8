"""The published folder of an epoch: every file as canonical bytes, and how they are read back.

All integers are decimal strings, ratios are WADs, addresses are lower case (their order as text is
the order of their bytes). The layout is the README's section on file formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from rewards.errors import InvariantBroken
from rewards.files.csv_tables import Column, Table, canonical_csv, table_csv
from rewards.files.documents import canonical_json
from rewards.files.grammar import (
    format_time,
    parse_address,
    parse_identifier,
    parse_published,
    parse_total,
)
from rewards.files.inputs import canonical_inputs
from rewards.files.manifest import (
    ALLOCATIONS_CSV,
    DISTRIBUTION,
    FINDINGS,
    INPUTS_FOLDER,
    MANIFEST,
    MANIFEST_FORMAT,
    STATE,
    TREE,
    manifest_digest,
    manifest_hash,
    sha256,
)
from rewards.files.streams import Streamed
from rewards.merkle.distribution import LEAF_ENCODING, Distribution, Domain
from rewards.rules.integers import format_decimal
from rewards.rules.records import NodeState, Settlement, State, Status, sum_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rewards.files.streams import Content
    from rewards.merkle.large import LargeDistribution
    from rewards.rules.records import Allocation, EpochResult, Inputs, Opening

__all__ = [
    "ALLOCATIONS_CSV",
    "DISTRIBUTION",
    "FINDINGS",
    "INPUTS_FOLDER",
    "MANIFEST",
    "STATE",
    "TREE",
    "manifest_digest",
    "manifest_hash",
    "sha256",
]

STATE_FORMAT = "wct-state-1"

TREE_FROM_LEAVES = 100_000
"""Leaves above which the tree is published as TREE, the raw node array, in place of DISTRIBUTION.

The array holds 2n-1 nodes of 32 bytes for n leaves, without header, separator or end: the root
first, the children of node i at 2i+1 and 2i+2, the leaves last and in descending order of their
hashes: the very array `tree` of the `standard-v1` dump, in binary.
"""

BESIDE_UP_TO = 2_000_000
"""Leaves up to which the tree grows while the epoch is checked: both at once take memory."""

NODES_HEADER = (
    "node_id",
    "payout_address",
    "opening_status",
    "closing_status",
    "confined_until",
    "uptime",
    "latency_score",
    "score",
    "pay_factor",
    "base",
    "bonus",
    "penalty",
    "debt_in",
    "debt_out",
    "withheld",
    "paid",
)
TRANSITIONS_HEADER = ("node_id", "step", "from", "to", "reason")
WALLETS_HEADER = (
    "wallet_id",
    "payout_address",
    "activity",
    "tier",
    "reason",
    "weight_eligible",
    "weight_certified",
    "amount_eligible",
    "amount_certified",
    "amount",
)


ALLOCATIONS = Table(
    ALLOCATIONS_CSV,
    (
        Column("account", parse_address),
        Column("previous_cumulative", parse_total),
        Column("node_amount", parse_total),
        Column("wallet_amount", parse_total),
        Column("adjustment", parse_published),
        Column("recovery_in", parse_total),
        Column("recovery_out", parse_total),
        Column("epoch_amount", parse_total),
        Column("cumulative", parse_total),
    ),
    key="account",
)


@dataclass(frozen=True, slots=True)
class ReviewDocuments:
    """What a season's checks publish with an epoch.

    Attributes:
        findings: The bytes of `findings.json`.
        checks: The manifest's `checks`: the limits, and what was found in numbers.
        waivers: The manifest's `waivers`: those that let a blocking finding pass.
    """

    findings: bytes
    checks: Mapping[str, Any]
    waivers: Sequence[Mapping[str, str]]


def require_conserved(result: EpochResult) -> None:
    """Check that nothing came from nowhere and nothing was lost.

    Raises:
        InvariantBroken: A conservation identity does not hold; nothing is published then.
    """
    for identity in result.identities:
        given = (identity.plus.get(name, 0) for name in ("paid", "unallocated"))
        if not identity.holds or min(given) < 0:
            raise InvariantBroken(f"{identity.name}: {identity.formula}: {identity}")


def distribution_of(
    inputs: Inputs, allocations: Sequence[Allocation]
) -> Distribution | LargeDistribution | None:
    """Return the leaves of an epoch and their tree; a large tree grows while others work."""
    domain = Domain(inputs.settlement.chain_id, inputs.settlement.distributor, inputs.header.epoch)
    if isinstance(allocations, tuple):
        return Distribution.of(domain, ((row.account, row.cumulative) for row in allocations))
    from rewards.files.column_tables import give_back_memory  # noqa: PLC0415 - needs Arrow
    from rewards.merkle.large import LargeDistribution  # noqa: PLC0415 - needs numpy

    give_back_memory()
    table: Any = allocations
    distribution = LargeDistribution.of(domain, table.account.octets, table.cumulative)
    if distribution and distribution.leaf_count < BESIDE_UP_TO:
        distribution.grow()
    return distribution


def render_epoch(
    inputs: Inputs,
    opening: Opening | None,
    result: EpochResult,
    distribution: Distribution | LargeDistribution | None,
    review: ReviewDocuments | None = None,
    measurement: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """Return the bytes of every file of the published folder.

    What checks found is published with it only where a season asks for checks, how the scores were
    measured only where that is known.
    """
    files: dict[str, Any] = {
        f"{INPUTS_FOLDER}{name}": content for name, content in canonical_inputs(inputs).items()
    }
    files |= _stage_tables(result)
    files[STATE] = canonical_json(
        {
            "format": STATE_FORMAT,
            "opening": None
            if opening is None
            else {"manifest_hash": opening.manifest_hash, **_state_document(opening.state)},
            "closing": _state_document(result.closing),
        }
    )
    if distribution and distribution.leaf_count > TREE_FROM_LEAVES:
        files[TREE] = Streamed(distribution.tree_blocks)
    elif distribution:
        files[DISTRIBUTION] = canonical_json(openzeppelin_dump(distribution))
    if review:
        files[FINDINGS] = review.findings
    manifest = partial(_manifest, inputs, opening, result, distribution, files, review, measurement)
    return EpochFiles(files, manifest)


class EpochFiles(Mapping[str, Any]):
    """The files of an epoch, the manifest last: it names the digests of all others.

    So it is made when it is asked for. Of large files, written before, the digests are then known.
    """

    def __init__(self, others: Mapping[str, Content], manifest: Callable[[], bytes]) -> None:
        self._others = others
        self._make_manifest = manifest

    @cached_property
    def manifest(self) -> bytes:
        """The bytes of `manifest.json`."""
        return self._make_manifest()

    def __getitem__(self, name: str) -> Content:
        """Return a file's bytes."""
        return self.manifest if name == MANIFEST else self._others[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names, the manifest's last."""
        yield from self._others
        yield MANIFEST

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self._others) + 1


def _stage_tables(result: EpochResult) -> dict[str, Content]:
    return {
        "nodes.csv": table_csv(NODES_HEADER, result.nodes),
        "transitions.csv": canonical_csv(
            TRANSITIONS_HEADER,
            ((t.node_id, t.step, t.before, t.after, t.reason) for t in result.transitions),
        ),
        "wallets.csv": table_csv(WALLETS_HEADER, result.wallets),
        ALLOCATIONS_CSV: table_csv(ALLOCATIONS.header, result.allocations),
    }


def _manifest(
    inputs: Inputs,
    opening: Opening | None,
    result: EpochResult,
    distribution: Distribution | LargeDistribution | None,
    files: Mapping[str, Content],
    review: ReviewDocuments | None,
    measurement: Mapping[str, Any] | None,
) -> bytes:
    header, settlement = inputs.header, inputs.settlement
    document: dict[str, Any] = {
        "format": MANIFEST_FORMAT,
        "ruleset": inputs.policy.ruleset,
        "epoch": str(header.epoch),
        "start": format_time(header.window.start),
        "end": format_time(header.window.end),
        "chain_id": str(settlement.chain_id),
        "distributor": settlement.distributor,
        "token": settlement.token,
        "decimals": str(settlement.decimals),
        "previous_manifest_hash": opening.manifest_hash if opening else None,
        "inputs": {
            name.removeprefix(INPUTS_FOLDER): sha256(content)
            for name, content in files.items()
            if name.startswith(INPUTS_FOLDER)
        },
        "outputs": {
            name: sha256(content)
            for name, content in files.items()
            if not name.startswith(INPUTS_FOLDER)
        },
        "totals": {
            identity.name: {
                "identity": identity.formula,
                identity.whole[0]: str(identity.whole[1]),
                **{name: str(amount) for name, amount in identity.plus.items()},
                **{name: str(amount) for name, amount in identity.minus.items()},
            }
            for identity in result.identities
        },
        "merkle_root": "0x" + distribution.root.hex() if distribution else None,
        "leaf_count": str(distribution.leaf_count if distribution else 0),
        "epoch_amount": str(sum_of(result.allocations, "epoch_amount")),
        "cumulative_total": str(distribution.cumulative_total if distribution else 0),
    }
    if header.supersedes is not None:
        document["supersedes"] = {"manifest_hash": header.supersedes, "reason": header.reason}
    if review:
        document |= {"checks": review.checks, "waivers": review.waivers}
    if measurement:
        document["measurement"] = measurement
    document["digest"] = manifest_digest(document)
    return canonical_json(document)


def openzeppelin_dump(distribution: Distribution | LargeDistribution) -> dict[str, Any]:
    """Return the `standard-v1` dump that OpenZeppelin's `StandardMerkleTree.load` reads."""
    domain = distribution.domain
    return {
        "format": "standard-v1",
        "leafEncoding": list(LEAF_ENCODING),
        "tree": ["0x" + node.hex() for node in distribution.tree],
        "values": [
            {
                "value": [
                    str(domain.chain_id),
                    domain.distributor,
                    str(domain.epoch),
                    account,
                    str(cumulative),
                ],
                "treeIndex": index,
            }
            for (account, cumulative), index in zip(
                distribution.leaves, distribution.tree_indices, strict=True
            )
        ],
    }


# --- state.json ------------------------------------------------------------------------------


def _state_document(state: State) -> dict[str, Any]:
    return {
        "epoch": str(state.epoch),
        "end": str(state.end),
        "wallets_end": str(state.wallets_end),
        "settlement": {
            "chain_id": str(state.settlement.chain_id),
            "distributor": state.settlement.distributor,
            "token": state.settlement.token,
            "decimals": str(state.settlement.decimals),
        },
        "policy": dict(state.policy),
        "nodes": {
            node_id: {
                "status": node.status,
                "confined_until": str(node.confined_until),
                "debt": str(node.debt),
            }
            for node_id, node in state.nodes.items()
        },
    }


def state_from(document: Mapping[str, Any]) -> State:
    """Return the state that a section of `state.json` holds.

    Raises:
        GrammarError, KeyError, TypeError, ValueError: It is not of the published form.
    """
    settlement = document["settlement"]
    return State(
        epoch=parse_published(document["epoch"]),
        end=parse_published(document["end"]),
        wallets_end=parse_published(document["wallets_end"]),
        settlement=Settlement(
            parse_published(settlement["chain_id"]),
            parse_address(settlement["distributor"]),
            parse_address(settlement["token"]),
            parse_published(settlement["decimals"]),
        ),
        policy=dict(document["policy"]),
        nodes={
            parse_identifier(node_id): NodeState(
                Status(node["status"]),
                parse_published(node["confined_until"]),
                parse_published(node["debt"]),
            )
            for node_id, node in document["nodes"].items()
        },
    )


def format_wct(amount: int) -> str:
    """Return base units as whole WCT, exactly, for a person to read."""
    sign = "-" if amount < 0 else ""
    return sign + format_decimal(abs(amount))
