"""A deployment as a plan: the same file, gate and signing way as every other transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.chain.agreement import Sight
from rewards.chain.deployment import created_address, deployment_findings, has_proxy
from rewards.chain.plan import (
    EPOCH_DISTRIBUTOR,
    PROXY,
    Plan,
    PlannedCall,
    PlannedContract,
    PlannedToken,
)
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.settling.onchain import TokenFacts, read_token
from rewards.settling.plans import GAS, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rewards.chain.deployment import Deployment
    from rewards.chain.endpoint import Endpoint


def preflight(deployment: Deployment, endpoints: Sequence[Endpoint]) -> tuple[Sight, TokenFacts]:
    """Return the chain and the token that a deployment names.

    Raises:
        CheckFailed: The endpoints serve another chain or disagree; there is no token.
    """
    sight = Sight.at_latest_block(endpoints, deployment.chain_id)
    return sight, read_token(sight, deployment.config.token)


def existing(deployment: Deployment, sight: Sight) -> str | None:
    """Return the deterministic address where the very contract lies there already."""
    address = deployment.deterministic_address
    code = sight.read("code", lambda endpoint, at: endpoint.code(address, at))
    return address if code else None


def plan_deployment(
    deployment: Deployment, endpoints: Sequence[Endpoint], limits: Limits, sender: str | None
) -> Plan:
    """Return the plan that deploys a distributor.

    Args:
        deployment: What is deployed.
        endpoints: Endpoints of its chain.
        limits: What it may cost.
        sender: Who sends it; only needed where the chain has no deployment proxy.

    Raises:
        CheckFailed: It is there already, or the chain is not as it must be.
        InvalidInput: There is no proxy, and nobody is named to send it.
    """
    sight, token = preflight(deployment, endpoints)
    if existing(deployment, sight):
        raise CheckFailed(
            Finding(
                deployment.deterministic_address,
                "is deployed already",
                "run `rewards deploy` to check it and to write settlement.toml",
            )
        )
    call, address = _creation(deployment, sight, sender)
    return Plan(
        action="deploy",
        target=EPOCH_DISTRIBUTOR,
        chain_id=deployment.chain_id,
        epochs=None,
        ruleset=None,
        manifest_hash=None,
        previous_manifest_hash=None,
        merkle_root=None,
        files={},
        contract=PlannedContract(address, None),
        token=PlannedToken(token.address, token.symbol, token.decimals, token.code_hash),
        calls=(call,),
        totals={},
        caps=limits.caps(sight.first, GAS["deploy"], (call,)),
    )


def _creation(deployment: Deployment, sight: Sight, sender: str | None) -> tuple[PlannedCall, str]:
    if sight.read("deployment proxy", lambda endpoint, _: has_proxy(endpoint)):
        data = deployment.deterministic_call.data
        return PlannedCall(PROXY, 0, data, None, ()), deployment.deterministic_address
    if sender is None:
        raise InvalidInput(
            Finding(
                "--sender",
                "is needed: the chain has no deployment proxy, so the address follows from it",
                "name the account that sends it; a Safe cannot, without the proxy",
            )
        )
    nonce = sight.read("nonce of the sender", lambda endpoint, _: endpoint.next_nonce(sender))
    call = PlannedCall(None, 0, deployment.creation_code, None, ())
    return call, created_address(sender, nonce)


def require_as_planned(deployment: Deployment, sight: Sight, address: str) -> None:
    """Check what lies at the address.

    Raises:
        CheckFailed: It is not the contract, or not with these settings.
    """
    findings = deployment_findings(sight, deployment, address)
    if findings:
        raise CheckFailed(findings)
