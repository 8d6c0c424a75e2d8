"""An account's proof, from the published folder alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.grammar import GrammarError, parse_address
from rewards.files.outputs import DISTRIBUTION, MANIFEST
from rewards.files.published import TAKE_AGAIN, PublishedEpoch
from rewards.merkle.distribution import Domain
from rewards.merkle.tree import proof_of, root_from_proof

if TYPE_CHECKING:
    from rewards.rules.records import Address


def prove(published: PublishedEpoch, account: str) -> dict[str, Any]:
    """Return `{chain_id, distributor, epoch, account, cumulative, root, proof}`.

    The proof is folded up to the manifest's root before it is returned.

    Raises:
        InvalidInput: `account` is no address.
        CheckFailed: It has no leaf, or the published tree does not prove it.
    """
    address = parse_account(account)
    manifest = published.manifest
    dump = published.distribution
    leaves = dump["values"] if dump else []
    entry = next((entry for entry in leaves if entry["value"][3] == address), None)
    if dump is None or entry is None:
        raise CheckFailed(
            Finding(
                DISTRIBUTION,
                "has no leaf: nothing was ever allocated to it up to this epoch",
                f"see `rewards explain` for its rows in epoch {manifest.epoch}",
                value=address,
            )
        )
    cumulative = int(entry["value"][4])
    tree = [bytes.fromhex(node[2:]) for node in dump["tree"]]
    proof = proof_of(tree, entry["treeIndex"])
    leaf = Domain(manifest.chain_id, manifest.distributor, manifest.epoch).leaf_hash(
        address, cumulative
    )
    if "0x" + root_from_proof(leaf, proof).hex() != manifest.root:
        raise CheckFailed(
            Finding(MANIFEST, "has a root that the tree does not lead to", TAKE_AGAIN)
        )
    return {
        "chain_id": str(manifest.chain_id),
        "distributor": manifest.distributor,
        "epoch": str(manifest.epoch),
        "account": address,
        "cumulative": str(cumulative),
        "root": manifest.root,
        "proof": ["0x" + node.hex() for node in proof],
    }


def parse_account(text: str) -> Address:
    """Return an account given on the command line.

    Raises:
        InvalidInput: It is no address.
    """
    try:
        return parse_address(text)
    except GrammarError as error:
        raise InvalidInput(Finding("ACCOUNT", error.problem, error.remedy, value=text)) from error
