"""EpochDistributor and the test token, typed: what they say, and the calls that change them.

Amounts are base units, times UTC seconds, delays seconds, addresses lower-case `0x` text, hashes
32 bytes. Field for field the structs of `contracts_abi/src/IEpochDistributor.sol`.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from rewards.chain.contract import DISTRIBUTOR, TOKEN, interface
from rewards.chain.endpoint import LATEST, Call
from rewards.chain.errors import EndpointTrouble
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rewards.chain.endpoint import Endpoint
    from rewards.merkle.distribution import Distribution

CLAIMS_PER_CALL = 150
"""What fits into one transaction: about 10 million gas, under 128 KiB."""
AMOUNT_LIMIT = 2**128
"""The contract keeps amounts in 128 bits."""
EPOCH_LIMIT = 2**48
MAX_DELAY = 14 * 86_400


class Role(IntEnum):
    """What an account may do."""

    PROPOSER = 0
    ATTESTER = 1
    GUARDIAN = 2


class ProposalStatus(IntEnum):
    """What became of the latest proposal on top of the active epoch."""

    NONE = 0
    PENDING = 1
    VETOED = 2
    LAPSED = 3


@dataclass(frozen=True, slots=True)
class Config:
    """What a distributor is deployed with."""

    token: str
    treasury: str
    admin: str
    initial_epoch: int
    minimum_delay: int
    change_delay: int
    delay: int
    reduction_delay: int
    threshold: int
    cap_burst: int
    cap_per_day: int
    proposers: tuple[str, ...]
    attesters: tuple[str, ...]
    guardians: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a proposer proposes."""

    previous_epoch: int
    epoch: int
    attempt: int
    root: bytes
    cumulative_total: int
    manifest_hash: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """One account's leaf and its proof."""

    account: str
    cumulative: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ActiveState:
    """The active distribution; all 0 before the first."""

    epoch: int
    root: bytes
    manifest_hash: bytes
    cumulative_total: int
    claimed_total: int
    outstanding: int


@dataclass(frozen=True, slots=True)
class PendingState:
    """The latest proposal on top of the active distribution."""

    status: ProposalStatus
    epoch: int
    attempt: int
    root: bytes
    manifest_hash: bytes
    cumulative_total: int
    activatable_at: int
    lapses_at: int
    required: int
    next_attempt: int


@dataclass(frozen=True, slots=True)
class Settings:
    """All that can be set, the pauses, and whether the contract is retired."""

    admin: str
    pending_admin: str
    delay: int
    reduction_delay: int
    threshold: int
    attester_count: int
    cap_burst: int
    cap_per_day: int
    claims_paused_until: int
    activation_paused_until: int
    retired: bool


@dataclass(frozen=True, slots=True)
class _Contract:
    endpoint: Endpoint
    address: str

    def _read(self, name: str, function: str, *arguments: object, at: int | str) -> Any:  # noqa: ANN401
        call = interface(name).call(self.address, function, *arguments)
        return self._value(name, function, self.endpoint.call(call, at))

    def _read_each(
        self,
        name: str,
        function: str,
        accounts: Iterable[str],
        at: int | str,
        progress: Callable[[int], None] | None,
    ) -> list[int]:
        calls = [interface(name).call(self.address, function, account) for account in accounts]
        returned = self.endpoint.call_many(calls, at, progress)
        return [self._value(name, function, content) for content in returned]

    def _value(self, name: str, function: str, returned: bytes) -> Any:  # noqa: ANN401
        try:
            (value,) = interface(name).result(function, returned)
        except ValueError:
            raise EndpointTrouble(
                f"{self.endpoint.name}: {self.address} answers {function}() as no {name} would; "
                "check the address and the chain"
            ) from None
        return value


@dataclass(frozen=True, slots=True)
class Token(_Contract):
    """An ERC-20 token."""

    @staticmethod
    def deployment() -> Call:
        """Return the transaction that creates a test token, owned by its sender."""
        return interface(TOKEN).deployment()

    def mint(self, to: str, amount: int) -> Call:
        """Return the call that creates test tokens; only their owner may."""
        return interface(TOKEN).call(self.address, "mint", to, amount)

    def balance(self, account: str, at: int | str = LATEST) -> int:
        """Return an account's balance."""
        return int(self._read(TOKEN, "balanceOf", account, at=at))

    def transfer(self, to: str, amount: int) -> Call:
        """Return the call that sends the sender's own tokens."""
        return interface(TOKEN).call(self.address, "transfer", to, amount)

    def transfer_from(self, owner: str, to: str, amount: int) -> Call:
        """Return the call that sends an owner's tokens, as far as the owner allowed it."""
        return interface(TOKEN).call(self.address, "transferFrom", owner, to, amount)

    def allowance(self, owner: str, spender: str, at: int | str = LATEST) -> int:
        """Return what `spender` may take of the owner's tokens."""
        return int(self._read(TOKEN, "allowance", owner, spender, at=at))

    def decimals(self, at: int | str = LATEST) -> int:
        """Return how many places the token has."""
        return int(self._read(TOKEN, "decimals", at=at))

    def symbol(self, at: int | str = LATEST) -> str:
        """Return the token's symbol; a few old tokens give it as 32 bytes."""
        returned = self.endpoint.call(interface(TOKEN).call(self.address, "symbol"), at)
        if len(returned) == 32:
            return returned.rstrip(b"\0").decode("utf-8", "replace")
        return str(self._value(TOKEN, "symbol", returned))

    def balances(
        self,
        accounts: Iterable[str],
        at: int | str = LATEST,
        progress: Callable[[int], None] | None = None,
    ) -> list[int]:
        """Return the balance of each account."""
        return self._read_each(TOKEN, "balanceOf", accounts, at, progress)


@dataclass(frozen=True, slots=True)
class Distributor(_Contract):
    """An EpochDistributor."""

    @staticmethod
    def deployment(config: Config) -> Call:
        """Return the transaction that creates a distributor."""
        return interface(DISTRIBUTOR).deployment(astuple(config))

    def active(self, at: int | str = LATEST) -> ActiveState:
        """Return the active distribution."""
        return ActiveState(*self._read(DISTRIBUTOR, "active", at=at))

    def pending(self, at: int | str = LATEST) -> PendingState:
        """Return the latest proposal."""
        status, *rest = self._read(DISTRIBUTOR, "pending", at=at)
        return PendingState(ProposalStatus(status), *rest)

    def settings(self, at: int | str = LATEST) -> Settings:
        """Return the settings."""
        return Settings(*self._read(DISTRIBUTOR, "settings", at=at))

    def token(self, at: int | str = LATEST) -> str:
        """Return the address of the token paid out."""
        return str(self._read(DISTRIBUTOR, "token", at=at))

    def treasury(self, at: int | str = LATEST) -> str:
        """Return the only receiver of a sweep."""
        return str(self._read(DISTRIBUTOR, "treasury", at=at))

    def initial_epoch(self, at: int | str = LATEST) -> int:
        """Return the last epoch that was settled elsewhere."""
        return int(self._read(DISTRIBUTOR, "initialEpoch", at=at))

    def minimum_delay(self, at: int | str = LATEST) -> int:
        """Return the seconds below which the delay can never be set."""
        return int(self._read(DISTRIBUTOR, "minimumDelay", at=at))

    def change_delay(self, at: int | str = LATEST) -> int:
        """Return the seconds between scheduling and making a loosening change."""
        return int(self._read(DISTRIBUTOR, "changeDelay", at=at))

    def has_role(self, role: Role, account: str, at: int | str = LATEST) -> bool:
        """Return whether an account holds a role."""
        return bool(self._read(DISTRIBUTOR, "hasRole", int(role), account, at=at))

    def cap_available(self, timestamp: int, at: int | str = LATEST) -> int:
        """Return the rise that a proposal activatable at a time may have."""
        return int(self._read(DISTRIBUTOR, "capAvailable", timestamp, at=at))

    def sweepable(self, token: str, at: int | str = LATEST) -> int:
        """Return what a sweep of a token would send now."""
        return int(self._read(DISTRIBUTOR, "sweepable", token, at=at))

    def scheduled_at(self, change: bytes, at: int | str = LATEST) -> int:
        """Return from when a change, given by its calldata, can be made; 0 if not scheduled."""
        return int(self._read(DISTRIBUTOR, "scheduledAt", keccak256(change), at=at))

    def attestation_digest(self, proposal: Proposal, at: int | str = LATEST) -> bytes:
        """Return what attesters sign for a proposal, as the contract computes it."""
        return bytes(self._read(DISTRIBUTOR, "attestationDigest", astuple(proposal), at=at))

    def claimed(
        self,
        accounts: Iterable[str],
        at: int | str = LATEST,
        progress: Callable[[int], None] | None = None,
    ) -> list[int]:
        """Return what each account was paid so far."""
        return self._read_each(DISTRIBUTOR, "claimed", accounts, at, progress)

    def propose(
        self,
        proposal: Proposal,
        sentinel_proof: Sequence[bytes],
        attestations: Sequence[tuple[str, bytes]] = (),
    ) -> Call:
        """Return the proposal's call; attestations are (attester, signature), ascending."""
        fields = astuple(proposal)
        return interface(DISTRIBUTOR).call(
            self.address, "propose", fields, sentinel_proof, attestations
        )

    def activate(self, epoch: int, attempt: int) -> Call:
        """Return the call that activates the pending proposal."""
        return interface(DISTRIBUTOR).call(self.address, "activate", epoch, attempt)

    def claim(self, epoch: int, claim: Claim) -> Call:
        """Return the call that pays one account."""
        fields = astuple(claim)
        return interface(DISTRIBUTOR).call(self.address, "claim", epoch, *fields)

    def claim_many(self, epoch: int, claims: Sequence[Claim]) -> Call:
        """Return the call that pays accounts, which must ascend."""
        fields = [astuple(claim) for claim in claims]
        return interface(DISTRIBUTOR).call(self.address, "claimMany", epoch, fields)

    def paid_by(self, call: Call, sender: str) -> int:
        """Return what a `claim_many` sent now would pay in all, without sending it."""
        returned = self.endpoint.call(call, sender=sender)
        return int(self._value(DISTRIBUTOR, "claimMany", returned))


def claims_of(distribution: Distribution) -> list[Claim]:
    """Return every leaf of a distribution as a claim, in address order; not the sentinel."""
    sentinel = distribution.domain.distributor
    return [
        Claim(account, cumulative, tuple(distribution.proof(account)))
        for account, cumulative in distribution.leaves
        if account != sentinel
    ]


def batches(claims: Sequence[Claim], size: int = CLAIMS_PER_CALL) -> list[Sequence[Claim]]:
    """Return the claims in batches that fit into one transaction each."""
    return [claims[start : start + size] for start in range(0, len(claims), size)]
