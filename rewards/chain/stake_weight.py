"""WalletConnect's StakeWeight contract, as far as it is read here: weights at a time, at one block.

Every weight is read at one finalized block that is pinned by number; the block's hash is compared
before and after, so the values belong to one state of the chain that will not change any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.chain.contract import decode, encode
from rewards.chain.endpoint import FINALIZED, Call
from rewards.errors import ChainError
from rewards.files.grammar import format_time
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rewards.chain.endpoint import Block, Endpoint

KNOWN_CONTRACTS = {
    10: "0x521b4c065bbdbe3e20b3727340730936912dfa46",
    11155420: "0x140d63efb5b24314f6f62dbadb383dba2e49d7ee",
}
"""Where WalletConnect deployed it: Optimism and OP Sepolia (measurement rules, section 3)."""

BALANCE_OF_AT_TIME = keccak256(b"balanceOfAtTime(address,uint256)")[:4]


@dataclass(frozen=True, slots=True)
class StakeWeights:
    """Stake weights in base units, in the order of the accounts asked for, and where they stood."""

    chain_id: int
    contract: str
    block: Block
    at: int
    weights: Sequence[int]


def read_stake_weights(
    endpoint: Endpoint,
    contract: str,
    accounts: Sequence[str],
    at: int,
    progress: Callable[[int], None] | None = None,
) -> StakeWeights:
    """Read `balanceOfAtTime(account, at)` of each account at the finalized block.

    Args:
        endpoint: A node that serves `finalized`.
        contract: The StakeWeight contract.
        accounts: Whose weights.
        at: UTC seconds, not after the finalized block.
        progress: Gets how many more accounts were read.

    Raises:
        ChainError: The time is not final yet, there is no such contract, an answer is no weight,
            or the node changed its mind about the block.
    """
    chain_id, block = endpoint.chain_id(), endpoint.block(FINALIZED)
    if block.timestamp < at:
        raise ChainError(
            f"{endpoint.name}: {format_time(at)} is not final yet: the finalized block"
            f" {block.number} is of {format_time(block.timestamp)}; wait, and read again"
        )
    if not endpoint.code(contract, block.number):
        raise ChainError(
            f"{endpoint.name}: there is no contract at {contract} in block {block.number}"
            f" of chain {chain_id}; {_known(chain_id)}"
        )
    calls = [_call(contract, account, at) for account in accounts]
    returned = endpoint.call_many(calls, block.number, progress)
    weights = [_weight(contract, account, r) for account, r in zip(accounts, returned, strict=True)]
    if endpoint.block(block.number).hash != block.hash:
        raise ChainError(
            f"{endpoint.name}: block {block.number} was {block.hash} and is another one now;"
            " ask an endpoint whose finalized blocks stay"
        )
    return StakeWeights(chain_id, contract, block, at, weights)


def _call(contract: str, account: str, at: int) -> Call:
    return Call(contract, BALANCE_OF_AT_TIME + encode(("address", "uint256"), (account, at)))


def _weight(contract: str, account: str, returned: bytes) -> int:
    try:
        weight: int = decode(("uint256",), returned)[0]
    except ValueError as error:
        raise ChainError(
            f"{contract} gives no stake weight of {account}; is it a StakeWeight contract?"
        ) from error
    return weight


def _known(chain_id: int) -> str:
    if chain_id in KNOWN_CONTRACTS:
        return f"WalletConnect's StakeWeight there is {KNOWN_CONTRACTS[chain_id]}"
    return "check --rpc and --contract"
