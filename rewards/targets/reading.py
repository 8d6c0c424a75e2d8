"""What a contract says of itself at one block, and the checks that every target shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.chain.contract import DISTRIBUTOR, interface
from rewards.chain.distributor import ActiveState
from rewards.chain.errors import Reverted
from rewards.errors import CheckFailed, Finding
from rewards.targets.abi import DECIMALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rewards.chain.endpoint import Endpoint
    from rewards.targets.abi import Function
    from rewards.targets.settling import Settling
    from rewards.targets.target import Checks, ClaimCall

SHOWN_REFUSALS = 20


@dataclass(frozen=True, slots=True)
class Reader:
    """One endpoint at one block."""

    endpoint: Endpoint
    at: int | str

    def read(self, contract: str, function: Function, *arguments: object) -> Any:  # noqa: ANN401
        """Return the one value that a function returns, or the tuple of several.

        Raises:
            CheckFailed: The contract answers as another one would: a wrong address.
        """
        call = function.call(contract, *arguments)
        try:
            values = function.result(self.endpoint.call(call, self.at))
        except (Reverted, ValueError):
            raise _another_contract(contract, function) from None
        return values[0] if len(values) == 1 else values

    def read_each(
        self, contract: str, function: Function, arguments: Iterable[Sequence[object]]
    ) -> list[Any]:
        """Return the one value for each set of arguments, asked all at once.

        Raises:
            CheckFailed: As `read`.
        """
        calls = [function.call(contract, *values) for values in arguments]
        try:
            returned = self.endpoint.call_many(calls, self.at)
            return [function.result(content)[0] for content in returned]
        except (Reverted, ValueError):
            raise _another_contract(contract, function) from None

    def require_code(self, contract: str, what: str) -> None:
        """Refuse an address without code.

        Raises:
            CheckFailed: There is none.
        """
        if not self.endpoint.code(contract, self.at):
            raise CheckFailed(
                Finding(
                    "the chain",
                    "has no code there",
                    "check the address and the chain",
                    column=what,
                    value=contract,
                )
            )


def check_ground(reader: Reader, settling: Settling, checks: Checks) -> None:
    """Check what every action of every target stands on: the chain and the token.

    Raises:
        CheckFailed: It is another chain, or the token is none: nothing else can be told.
    """
    served = reader.endpoint.chain_id()
    if served != settling.chain_id:
        raise CheckFailed(
            Finding(
                "the chain",
                f"is not {settling.chain_id}, which the epoch is bound to",
                f"name an endpoint of chain {settling.chain_id}",
                column="chain id",
                value=str(served),
            )
        )
    reader.require_code(settling.token, "token")
    decimals = str(reader.read(settling.token, DECIMALS))
    checks.expect("decimals", decimals, str(settling.decimals), "check the token's address")


def check_not_settled_elsewhere(reader: Reader, settling: Settling, checks: Checks) -> None:
    """Find an EpochDistributor, at the address that the epoch names, that pays the same amounts.

    It may have settled up to `since`, where a season moves to another target; nothing later.
    """
    ask = interface(DISTRIBUTOR).call(settling.distributor, "active")
    try:
        returned = reader.endpoint.call(ask, reader.at)
        active = ActiveState(*interface(DISTRIBUTOR).result("active", returned)[0])
    except (Reverted, ValueError):
        return  # no EpochDistributor: an account, or nothing at all
    if any(active.root) and active.epoch > (settling.since.epoch if settling.since else 0):
        checks.find(
            f"is an EpochDistributor that pays epoch {active.epoch}: who claims there and here is "
            "paid twice",
            "settle on it, or retire it and compute on another settlement.toml",
            column="distributor",
            value=settling.distributor,
        )


def check_claims(reader: Reader, claims: Iterable[ClaimCall], checks: Checks) -> None:
    """Simulate every claim, each on its own: the contract, the token and the proofs agree."""
    refused = 0
    for claim in claims:
        try:
            reader.endpoint.call(claim.call, reader.at, claim.sender)
        except Reverted as error:
            refused += 1
            if refused <= SHOWN_REFUSALS:
                checks.find(
                    f"refuses this claim of {claim.amount}: {error.refusal}",
                    "do not announce the settlement before every claim passes",
                    column="claim",
                    value=claim.account,
                )
    checks.facts["claims refused"] = str(refused)
    if refused > SHOWN_REFUSALS:
        problem = f"refuses that many claims; the first {SHOWN_REFUSALS} are shown"
        checks.find(problem, "find out what they share", column="claims", value=refused)


def _another_contract(contract: str, function: Function) -> CheckFailed:
    return CheckFailed(
        Finding(
            "the chain",
            f"answers {function.signature} as no such contract would",
            "check the address: another contract is there",
            column="contract",
            value=contract,
        )
    )
