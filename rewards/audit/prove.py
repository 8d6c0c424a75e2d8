"""An account's proof, from the published folder alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.grammar import GrammarError, parse_address, parse_integer
from rewards.files.manifest import ALLOCATIONS_CSV, DISTRIBUTION, MANIFEST, TAKE_AGAIN, TREE
from rewards.files.tree_file import TreeFile, find_row
from rewards.merkle.distribution import Domain
from rewards.merkle.tree import proof_of, root_from_proof

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.files.manifest import PublishedFolder
    from rewards.rules.records import Address


def prove(published: PublishedFolder, account: str) -> dict[str, Any]:
    """Return `{chain_id, distributor, epoch, account, cumulative, root, proof}`.

    The proof is folded up to the manifest's root before it is returned.

    Raises:
        InvalidInput: `account` is no address.
        CheckFailed: It has no leaf, or the published tree does not prove it.
    """
    address = parse_account(account)
    manifest = published.manifest
    domain = Domain(manifest.chain_id, manifest.distributor, manifest.epoch)
    in_tree_file = TREE in manifest.files
    found = (
        _from_tree_file(published, domain, address)
        if in_tree_file
        else _from_dump(published, address)
    )
    if found is None:
        raise CheckFailed(
            Finding(
                TREE if in_tree_file else DISTRIBUTION,
                "has no leaf: nothing was ever allocated to it up to this epoch",
                f"see `rewards explain` for its rows in epoch {manifest.epoch}",
                value=address,
            )
        )
    cumulative, proof = found
    leaf = domain.leaf_hash(address, cumulative)
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


def _from_dump(published: PublishedFolder, account: Address) -> tuple[int, list[bytes]] | None:
    """Return an account's amount and proof from `distribution.json`."""
    dump = published.distribution
    if dump is None:
        return None
    try:
        leaves, nodes = dump["values"], dump["tree"]
        entry = next((entry for entry in leaves if entry["value"][3] == account), None)
        if entry is None:
            return None
        siblings = proof_of(range(len(nodes)), entry["treeIndex"])
        return parse_integer(entry["value"][4]), [bytes.fromhex(nodes[i][2:]) for i in siblings]
    except (LookupError, TypeError, ValueError) as error:
        raise CheckFailed(
            Finding(DISTRIBUTION, "is not the dump of a whole tree", TAKE_AGAIN, value=account)
        ) from error


def _from_tree_file(
    published: PublishedFolder, domain: Domain, account: Address
) -> tuple[int, list[bytes]] | None:
    """Return an account's amount and proof from `allocations.csv` and `tree.bin`.

    What is found proves itself; that nothing is there is said only of unaltered files.
    """
    manifest = published.manifest
    if account == manifest.distributor:
        cumulative = manifest.cumulative_total
    else:
        row = find_row(published.folder / ALLOCATIONS_CSV, ALLOCATIONS_CSV, account)
        if row is None:
            published.require_unaltered()
            return None
        cumulative = _cumulative(row)
    tree = TreeFile(published.folder / TREE, TREE)
    try:
        index = tree.index_of(domain.leaf_hash(account, cumulative))
        if index is None:
            published.require_unaltered()
            return None
        return cumulative, tree.proof(index)
    finally:
        tree.close()


def _cumulative(row: Sequence[str]) -> int:
    try:
        return parse_integer(row[-1])
    except GrammarError as error:
        raise CheckFailed(
            Finding(ALLOCATIONS_CSV, error.problem, TAKE_AGAIN, column="cumulative", value=row[-1])
        ) from error


def parse_account(text: str) -> Address:
    """Return an account given on the command line.

    Raises:
        InvalidInput: It is no address.
    """
    try:
        return parse_address(text)
    except GrammarError as error:
        raise InvalidInput(Finding("ACCOUNT", error.problem, error.remedy, value=text)) from error
