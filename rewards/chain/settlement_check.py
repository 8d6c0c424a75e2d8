"""Hold a published epoch against the contract it is bound to: `verify --rpc`.

Everything is read at one block that every endpoint asked calls final and whose hash they agree on:
what was activated or claimed in the last minutes is not seen yet, and what is seen stays.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.chain.agreement import DO_NOT_TRUST, Sight
from rewards.chain.distributor import ActiveState, Distributor, PendingState, ProposalStatus, Token
from rewards.errors import CheckFailed, Finding
from rewards.files.grammar import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rewards.chain.endpoint import Block, Endpoint
    from rewards.files.published import PublishedEpoch

CHAIN = "the chain"
UNKNOWN = {"status": "unknown", "meaning": "what is settled cannot be told"}


@dataclass(frozen=True, slots=True)
class OnChain:
    """What one endpoint says of the contract at one block; amounts are base units."""

    active: ActiveState
    pending: PendingState
    token: str
    retired: bool
    balance: int
    claimed: tuple[int, ...]
    """Per account of the epoch, in address order."""


Report = dict[str, str]
"""What was found, for a person and for JSON: `status`, one of `active`, `pending`, `vetoed`,
`lapsed`, `not_proposed`, `superseded`, `nothing_to_settle` and `unknown`; `meaning`, the same as a
sentence; block, amounts in base units and counts, as decimal strings."""


def check_settlement(
    published: PublishedEpoch,
    urls: Sequence[str],
    progress: Callable[[str, int], None] | None = None,
) -> tuple[Report, list[Finding]]:
    """Hold a published epoch against the chain, through every endpoint given.

    Args:
        published: The epoch; its own files must have been verified before.
        urls: JSON-RPC endpoints, at least one; two that share no operator are better.
        progress: Gets an endpoint's name and how many more accounts it has answered for.

    Returns:
        What was found, and what is wrong: no finding when all agrees.

    Raises:
        InvalidInput: An address is no HTTP address.
        EndpointTrouble: An endpoint gives no usable answer.
    """
    from rewards.chain.network import JsonRpc  # noqa: PLC0415 - web3 only where a node is asked

    with ExitStack() as stack:
        endpoints = [stack.enter_context(closing(JsonRpc(url))) for url in urls]
        return check_through(published, endpoints, progress)


def check_through(
    published: PublishedEpoch,
    endpoints: Sequence[Endpoint],
    progress: Callable[[str, int], None] | None = None,
) -> tuple[Report, list[Finding]]:
    """Do what `check_settlement` does, through endpoints already there."""
    manifest = published.manifest
    entitled: dict[str, int] = {
        row.account: row.cumulative for row in published.allocations if row.cumulative
    }
    report: Report = {}
    try:
        sight = Sight.at_final_block(endpoints, manifest.chain_id)
        report = {
            "chain_id": str(manifest.chain_id),
            "block": str(sight.block.number),
            "block_hash": sight.block.hash,
            "block_time": format_time(sight.block.timestamp),
        }
        chain = _agreed(published, entitled, sight, progress)
    except CheckFailed as error:
        return UNKNOWN | report, list(error.findings)
    status, meaning = _status(published, chain)
    report |= {
        "status": status,
        "meaning": meaning,
        "active_epoch": str(chain.active.epoch),
        "outstanding": str(chain.active.outstanding),
        "balance": str(chain.balance),
        "accounts": str(len(entitled)),
        "accounts_paid_in_full": str(
            sum(paid >= due for paid, due in zip(chain.claimed, entitled.values(), strict=True))
        ),
        "claimed_total": str(chain.active.claimed_total),
    }
    return report, list(_mismatches(published, entitled, chain))


@dataclass(frozen=True, slots=True)
class Position:
    """The contract at one final block, and what each account of an epoch has claimed."""

    block: int
    active: ActiveState
    balance: int
    claims: Mapping[str, int]


def read_position(
    published: PublishedEpoch, urls: Sequence[str]
) -> tuple[Position | None, list[Finding]]:
    """Return where the contract stands, for the books of epochs up to a published one.

    Args:
        published: The last of these epochs, verified.
        urls: JSON-RPC endpoints, at least one.

    Returns:
        The position, or None and why there is none: the endpoints do not agree, there is no
        contract, or it has activated a later epoch, whose accounts are not known here.

    Raises:
        InvalidInput: An address is no HTTP address.
        EndpointTrouble: An endpoint gives no usable answer.
    """
    from rewards.chain.network import JsonRpc  # noqa: PLC0415 - web3 only where a node is asked

    with ExitStack() as stack:
        return position_through(
            published, [stack.enter_context(closing(JsonRpc(url))) for url in urls]
        )


def position_through(
    published: PublishedEpoch, endpoints: Sequence[Endpoint]
) -> tuple[Position | None, list[Finding]]:
    """Do what `read_position` does, through endpoints already there."""
    manifest = published.manifest
    accounts: list[str] = [row.account for row in published.allocations if row.cumulative]
    try:
        sight = Sight.at_final_block(endpoints, manifest.chain_id)
        chain = _agreed(published, accounts, sight, None)
    except CheckFailed as error:
        return None, list(error.findings)
    active = chain.active
    if active.epoch > manifest.epoch:
        return None, [
            Finding(
                CHAIN,
                f"has activated epoch {active.epoch} already, and claims are counted since",
                f"choose a range that ends with epoch {active.epoch} or later",
                column="epoch",
                value=str(manifest.epoch),
            )
        ]
    claims = dict(zip(accounts, chain.claimed, strict=True))
    return Position(sight.block.number, active, chain.balance, claims), []


def _agreed(
    published: PublishedEpoch,
    accounts: Iterable[str],
    sight: Sight,
    progress: Callable[[str, int], None] | None,
) -> OnChain:
    """Return what every endpoint says of the contract.

    Raises:
        CheckFailed: There is none, or they contradict each other.
    """
    findings = list(_without_code(published.manifest.distributor, sight))
    if findings:
        raise CheckFailed(findings)
    answers = [_read(published, accounts, one, sight.block, progress) for one in sight.endpoints]
    findings = list(_disagreements(sight.endpoints, answers))
    if findings:
        raise CheckFailed(findings)
    return answers[0]


def _without_code(distributor: str, sight: Sight) -> Iterator[Finding]:
    block = sight.block
    for endpoint in sight.endpoints:
        if not endpoint.code(distributor, block.number):
            yield Finding(
                endpoint.name,
                f"knows no contract there in block {block.number} of "
                f"{format_time(block.timestamp)}, the last final one",
                "check settlement.toml; if it was deployed only now, wait until that is final",
                column="distributor",
                value=distributor,
            )


def _read(
    published: PublishedEpoch,
    accounts: Iterable[str],
    endpoint: Endpoint,
    block: Block,
    progress: Callable[[str, int], None] | None,
) -> OnChain:
    at = block.number
    distributor = Distributor(endpoint, published.manifest.distributor)
    token = distributor.token(at)

    def report(count: int) -> None:
        if progress:
            progress(endpoint.name, count)

    return OnChain(
        distributor.active(at),
        distributor.pending(at),
        token,
        distributor.settings(at).retired,
        Token(endpoint, token).balance(distributor.address, at),
        tuple(distributor.claimed(accounts, at, report)),
    )


def _disagreements(endpoints: Sequence[Endpoint], answers: Sequence[OnChain]) -> Iterator[Finding]:
    for endpoint, answer in zip(endpoints, answers, strict=True):
        for name in OnChain.__slots__:
            if getattr(answer, name) != getattr(answers[0], name):
                yield Finding(
                    endpoint.name,
                    f"tells another {name} than {endpoints[0].name} for the same block",
                    DO_NOT_TRUST,
                )


def _status(published: PublishedEpoch, chain: OnChain) -> tuple[str, str]:
    epoch, active, pending = published.manifest.epoch, chain.active, chain.pending
    if published.manifest.root is None and active.epoch < epoch:
        return "nothing_to_settle", f"epoch {epoch} has no leaf: nothing is to be settled"
    if active.epoch == epoch:
        return "active", f"epoch {epoch} is the active one"
    if active.epoch > epoch:
        return "superseded", (
            f"epoch {active.epoch} is active, which settles epoch {epoch} too: amounts are "
            f"cumulative; check epoch {active.epoch} for what is claimed"
        )
    before = f"epoch {active.epoch} is active" if active.epoch else "no epoch is active yet"
    if pending.epoch != epoch:
        return "not_proposed", f"{before}, and epoch {epoch} is not proposed"
    if pending.status is ProposalStatus.PENDING:
        since = format_time(pending.activatable_at)
        return "pending", f"{before}, epoch {epoch} is pending and can be activated from {since} on"
    word = pending.status.name.lower()
    return word, f"{before}, and the proposal of epoch {epoch} has been or is {word}"


def _mismatches(
    published: PublishedEpoch, entitled: Mapping[str, int], chain: OnChain
) -> Iterator[Finding]:
    """Yield what contradicts the epoch; endpoints are no longer in doubt here."""
    manifest, active, pending = published.manifest, chain.active, chain.pending
    if chain.token != manifest.document["token"]:
        yield _mismatch("token", chain.token, manifest.document["token"])
    if chain.retired:
        yield Finding(CHAIN, "the contract is retired", "settle on its successor")
    if active.epoch == manifest.epoch:
        yield from _other_distribution(published, active)
    elif pending.epoch == manifest.epoch and pending.status is ProposalStatus.PENDING:
        yield from _other_distribution(published, pending)
    if chain.balance < active.outstanding:
        yield Finding(
            CHAIN,
            f"holds less than the {active.outstanding} base units that are outstanding",
            "claims will fail: send tokens to the distributor, and ask where they went",
            column="balance",
            value=str(chain.balance),
        )
    if active.epoch <= manifest.epoch:
        yield from _wrong_claims(entitled, chain)


def _other_distribution(
    published: PublishedEpoch, stated: ActiveState | PendingState
) -> Iterator[Finding]:
    manifest = published.manifest
    expected = {
        "root": manifest.root or "none",
        "manifest hash": manifest.hash,
        "cumulative total": str(manifest.cumulative_total),
    }
    there = {
        "root": "0x" + stated.root.hex(),
        "manifest hash": "0x" + stated.manifest_hash.hex(),
        "cumulative total": str(stated.cumulative_total),
    }
    for name, value in there.items():
        if value != expected[name]:
            yield _mismatch(name, value, expected[name])


def _wrong_claims(entitled: Mapping[str, int], chain: OnChain) -> Iterator[Finding]:
    for (account, cumulative), paid in zip(entitled.items(), chain.claimed, strict=True):
        if paid > cumulative:
            yield Finding(
                CHAIN,
                f"{account} was paid more than its cumulative amount {cumulative}",
                "stop settling: a distribution that is not this history was active",
                column="claimed",
                value=str(paid),
            )
    # A cumulative amount never falls and no leaf disappears, so everybody ever paid has a leaf.
    total = sum(chain.claimed)
    if total != chain.active.claimed_total:
        yield Finding(
            CHAIN,
            f"has paid {chain.active.claimed_total} base units, and this epoch's accounts only "
            "the amount shown",
            "stop settling: accounts were paid that this history does not know",
            column="claimed total",
            value=str(total),
        )


def _mismatch(name: str, there: str, expected: str) -> Finding:
    return Finding(
        CHAIN,
        f"is not the epoch's {expected}",
        "do not settle on top of it; find out who published what",
        column=name,
        value=there,
    )
