"""The published folder of an epoch: every file as canonical bytes, and how they are read back.

All integers are decimal strings, ratios are WADs, addresses are lower case (their order as text is
the order of their bytes). The layout is the README's section on file formats.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.errors import InvariantBroken
from rewards.files.csv_tables import Column, Table, canonical_csv
from rewards.files.documents import canonical_json
from rewards.files.grammar import (
    GrammarError,
    format_time,
    parse_address,
    parse_identifier,
)
from rewards.files.inputs import canonical_inputs
from rewards.merkle.distribution import LEAF_ENCODING, Distribution, Domain
from rewards.merkle.keccak import keccak256
from rewards.rules.integers import format_decimal
from rewards.rules.records import NodeState, Settlement, State, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rewards.rules.records import EpochResult, Inputs, Opening

MANIFEST_FORMAT = "wct-epoch-1"
STATE_FORMAT = "wct-state-1"

INPUTS_FOLDER = "inputs/"
MANIFEST = "manifest.json"
STATE = "state.json"
DISTRIBUTION = "distribution.json"
ALLOCATIONS_CSV = "allocations.csv"
FINDINGS = "findings.json"

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


def _parse_any_integer(text: str) -> int:
    """Return an integer of a published table; sums of recoveries may pass 2^256."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 100):
        raise GrammarError("is no integer", "take the published file")
    return int(text)


ALLOCATIONS = Table(
    ALLOCATIONS_CSV,
    (
        Column("account", parse_address),
        Column("previous_cumulative", _parse_any_integer),
        Column("node_amount", _parse_any_integer),
        Column("wallet_amount", _parse_any_integer),
        Column("adjustment", _parse_any_integer),
        Column("recovery_in", _parse_any_integer),
        Column("recovery_out", _parse_any_integer),
        Column("epoch_amount", _parse_any_integer),
        Column("cumulative", _parse_any_integer),
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


def render_epoch(
    inputs: Inputs,
    opening: Opening | None,
    result: EpochResult,
    review: ReviewDocuments | None = None,
) -> tuple[dict[str, bytes], Distribution | None]:
    """Return the bytes of every file of the published folder, and the distribution.

    What checks found is published with it only where a season asks for checks.

    Raises:
        InvariantBroken: A conservation identity does not hold; nothing is published then.
    """
    for identity in result.identities:
        if not identity.holds or identity.plus.get("unallocated", 0) < 0:
            raise InvariantBroken(f"{identity.name}: {identity.formula}: {identity}")
    settlement = inputs.settlement
    domain = Domain(settlement.chain_id, settlement.distributor, inputs.header.epoch)
    distribution = Distribution.of(
        domain, ((row.account, row.cumulative) for row in result.allocations)
    )
    files = {
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
    if distribution:
        files[DISTRIBUTION] = canonical_json(openzeppelin_dump(distribution))
    if review:
        files[FINDINGS] = review.findings
    files[MANIFEST] = _manifest(inputs, opening, result, distribution, files, review)
    return files, distribution


def _stage_tables(result: EpochResult) -> dict[str, bytes]:
    def text(value: int | None) -> str:
        return "" if value is None else str(value)

    return {
        "nodes.csv": canonical_csv(
            NODES_HEADER,
            (
                (
                    row.node_id,
                    row.payout_address,
                    row.opening_status,
                    row.closing_status,
                    text(row.confined_until),
                    text(row.uptime),
                    text(row.latency_score),
                    text(row.score),
                    str(row.pay_factor),
                    str(row.base),
                    str(row.bonus),
                    str(row.penalty),
                    str(row.debt_in),
                    str(row.debt_out),
                    str(row.withheld),
                    str(row.paid),
                )
                for row in result.nodes
            ),
        ),
        "transitions.csv": canonical_csv(
            TRANSITIONS_HEADER,
            ((t.node_id, t.step, t.before, t.after, t.reason) for t in result.transitions),
        ),
        "wallets.csv": canonical_csv(
            WALLETS_HEADER,
            (
                (
                    row.wallet_id,
                    row.payout_address,
                    str(row.activity),
                    row.tier,
                    row.reason,
                    str(row.weight_eligible),
                    str(row.weight_certified),
                    str(row.amount_eligible),
                    str(row.amount_certified),
                    str(row.amount),
                )
                for row in result.wallets
            ),
        ),
        ALLOCATIONS_CSV: canonical_csv(
            ALLOCATIONS.header,
            (
                (
                    row.account,
                    str(row.previous_cumulative),
                    str(row.node_amount),
                    str(row.wallet_amount),
                    str(row.adjustment),
                    str(row.recovery_in),
                    str(row.recovery_out),
                    str(row.epoch_amount),
                    str(row.cumulative),
                )
                for row in result.allocations
            ),
        ),
    }


def _manifest(
    inputs: Inputs,
    opening: Opening | None,
    result: EpochResult,
    distribution: Distribution | None,
    files: Mapping[str, bytes],
    review: ReviewDocuments | None,
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
        "leaf_count": str(len(distribution.leaves) if distribution else 0),
        "epoch_amount": str(sum(row.epoch_amount for row in result.allocations)),
        "cumulative_total": str(distribution.cumulative_total if distribution else 0),
    }
    if header.supersedes is not None:
        document["supersedes"] = {"manifest_hash": header.supersedes, "reason": header.reason}
    if review:
        document |= {"checks": review.checks, "waivers": review.waivers}
    document["digest"] = manifest_digest(document)
    return canonical_json(document)


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a file as lower-case hex, as `sha256sum` prints it."""
    return hashlib.sha256(content).hexdigest()


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


def openzeppelin_dump(distribution: Distribution) -> dict[str, Any]:
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
        epoch=_parse_any_integer(document["epoch"]),
        end=_parse_any_integer(document["end"]),
        wallets_end=_parse_any_integer(document["wallets_end"]),
        settlement=Settlement(
            _parse_any_integer(settlement["chain_id"]),
            parse_address(settlement["distributor"]),
            parse_address(settlement["token"]),
            _parse_any_integer(settlement["decimals"]),
        ),
        policy=dict(document["policy"]),
        nodes={
            parse_identifier(node_id): NodeState(
                Status(node["status"]),
                _parse_any_integer(node["confined_until"]),
                _parse_any_integer(node["debt"]),
            )
            for node_id, node in document["nodes"].items()
        },
    )


def format_wct(amount: int) -> str:
    """Return base units as whole WCT, exactly, for a person to read."""
    sign = "-" if amount < 0 else ""
    return sign + format_decimal(abs(amount))
