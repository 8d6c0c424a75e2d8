"""The exact derivation of a node's, a wallet's or an account's amount, to the base unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewards.audit.explain import wct1
from rewards.audit.verify import require_verified
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.grammar import GrammarError, parse_address
from rewards.files.inputs import check_inputs, read_inputs
from rewards.files.outputs import INPUTS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rewards.audit.explain.derivation import Derivation
    from rewards.files.published import PublishedEpoch

EXPLAINERS = {"wct-1": wct1.WctOneExplainer}
"""How each ruleset explains itself."""


def document_of(
    published: PublishedEpoch, subject: str, derivations: Iterable[Derivation]
) -> dict[str, Any]:
    """Return derivations as one JSON document that names the epoch that they belong to."""
    return {
        "epoch": str(published.manifest.epoch),
        "ruleset": published.manifest.ruleset,
        "manifest_hash": published.manifest.hash,
        "subject": subject,
        "derivations": [derivation.as_json() for derivation in derivations],
    }


def derive(published: PublishedEpoch, subject: str) -> list[Derivation]:
    """Return the derivations that lead to the amount of an id or an account.

    The epoch is computed from the folder's own inputs and held against every published byte; every
    step is evaluated from its own formula and compared with that result.

    Returns:
        For an account what pays into it, then its ledger; a node and a wallet of one id give two.

    Raises:
        CheckFailed: The folder is not what its inputs make of it, or knows no such id or account.
        InvalidInput: `subject` is a misspelt address.
    """
    require_verified(published.folder)
    opening = published.own_opening()
    inputs = check_inputs(read_inputs(published.folder / INPUTS_FOLDER), opening)
    explainer = EXPLAINERS[inputs.policy.ruleset](inputs, opening)
    derivations = explainer.identifier(subject)
    if not derivations and subject.lower().startswith("0x"):
        try:
            account = parse_address(subject)
        except GrammarError as error:
            raise InvalidInput(
                Finding("ACCOUNT", error.problem, error.remedy, value=subject)
            ) from error
        derivations = explainer.account(account)
    if not derivations:
        raise CheckFailed(
            Finding(
                str(published.folder),
                f"knows no such id or account in epoch {published.manifest.epoch}",
                "ids are case-sensitive; see nodes.csv, wallets.csv and allocations.csv",
                value=subject,
            )
        )
    return derivations
