"""What a gate needs to know of the contract and its token, as all endpoints see it at one block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.chain.contract import decode, encode
from rewards.chain.deployed_code import code_difference, code_hash
from rewards.chain.distributor import ActiveState, Distributor, PendingState, Settings, Token
from rewards.chain.endpoint import Call, Endpoint
from rewards.chain.errors import Reverted
from rewards.errors import CheckFailed, Finding
from rewards.files.grammar import format_time
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from rewards.chain.agreement import Sight


@dataclass(frozen=True, slots=True)
class Contract:
    """The distributor.

    Attributes:
        address: Lower-case `0x` text.
        code_hash: keccak-256 of its code.
        token: The token that it pays.
        initial_epoch: The last epoch that was settled before it.
        balance: What it holds of the token, in base units.
    """

    address: str
    code_hash: str
    token: str
    initial_epoch: int
    active: ActiveState
    pending: PendingState
    settings: Settings
    balance: int


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """The token, as it describes itself."""

    address: str
    symbol: str
    decimals: int
    code_hash: str


def read_contract(sight: Sight, address: str) -> Contract:
    """Return the distributor at an address.

    Raises:
        CheckFailed: Another contract is there, or none; or the endpoints disagree.
    """
    code = sight.read("code of the distributor", lambda endpoint, at: endpoint.code(address, at))
    difference = code_difference(code)
    if difference:
        raise CheckFailed(
            Finding(
                sight.first.name,
                f"knows no EpochDistributor of this version there: {difference} (block "
                f"{sight.block.number} of {format_time(sight.block.timestamp)})",
                "check settlement.toml; if it was deployed only now, wait until that is final",
                column="distributor",
                value=address,
            )
        )

    def look(endpoint: Endpoint, at: int) -> Contract:
        distributor = Distributor(endpoint, address)
        token = distributor.token(at)
        return Contract(
            address,
            code_hash(code),
            token,
            distributor.initial_epoch(at),
            distributor.active(at),
            distributor.pending(at),
            distributor.settings(at),
            Token(endpoint, token).balance(address, at),
        )

    return sight.read("state of the distributor", look)


def read_token(sight: Sight, address: str) -> TokenFacts:
    """Return what a token says of itself.

    Raises:
        CheckFailed: There is no contract; or the endpoints disagree.
        EndpointTrouble: It answers as no token would.
    """

    def look(endpoint: Endpoint, at: int) -> TokenFacts:
        token = Token(endpoint, address)
        code = endpoint.code(address, at)
        if not code:
            raise CheckFailed(
                Finding(
                    endpoint.name,
                    "knows no contract there",
                    "check the token's address and the chain",
                    column="token",
                    value=address,
                )
            )
        return TokenFacts(address, token.symbol(at), token.decimals(at), code_hash(code))

    return sight.read("token", look)


# --- WalletConnect's L2WCT -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restrictions:
    """Transfer restrictions of L2WCT's kind while they last."""

    disabled_after: int
    pays_allowed: bool
    """Whether the distributor may send: without it every claim reverts."""
    funding_allowed: bool
    """Whether the distributor may receive from the funder."""


def read_restrictions(
    sight: Sight, token: str, distributor: str, funder: str
) -> Restrictions | None:
    """Return a token's transfer restrictions; None where it has none, or they have ended.

    Source: contract.md, Tokens: while restricted, a transfer needs `allowedFrom[from]` or
    `allowedTo[to]`.
    """

    def look(endpoint: Endpoint, at: int) -> Restrictions | None:
        until = _view(endpoint, at, token, "transferRestrictionsDisabledAfter()")
        if until is None or sight.block.timestamp > until:
            return None

        def listed(name: str, account: str) -> bool:
            argument = encode(["address"], [account])
            return bool(_view(endpoint, at, token, f"{name}(address)", argument))

        receives = listed("allowedTo", distributor) or listed("allowedFrom", funder)
        return Restrictions(until, listed("allowedFrom", distributor), receives)

    return sight.read("transfer restrictions", look)


def _view(
    endpoint: Endpoint, at: int, address: str, signature: str, arguments: bytes = b""
) -> int | None:
    """Return the one word that a view returns; None where the contract has no such view."""
    selector = keccak256(signature.encode("ascii"))[:4]
    try:
        returned = endpoint.call(Call(address, selector + arguments), at)
    except Reverted:
        return None
    if len(returned) != 32:
        return None
    (word,) = decode(["uint256"], returned)
    return int(word)
