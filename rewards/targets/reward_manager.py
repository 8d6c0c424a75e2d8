"""WalletConnect's RewardManager: a record of node scores on chain. It pays nothing itself.

`postPerformanceRecords((address[] nodes, uint256[] performance, uint256 reportingEpoch))` is for
the owner, with epochs that rise strictly; it works out `floor(maxRewardsPerEpoch * p / Σ p)` per
entry, does nothing with it, and keeps only the epoch's number. It checks no duplicate, no registry
and no cap, and no deployment is recorded. Here: one entry per payout address, in address order, the
scores of its nodes added up; the nodes are those in service (pay factor above 0) with a score above
0. The wallets' pay and the nodes' base, penalties and debts are not in it. Source:
WalletConnect/contracts, evm/src/RewardManager.sol and PermissionedNodeRegistry.sol.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from rewards.chain.endpoint import LATEST
from rewards.errors import CheckFailed, Finding, InvalidInput
from rewards.files.csv_tables import Column, Table, read_table
from rewards.files.grammar import format_epochs, parse_address, parse_identifier, parse_integer
from rewards.files.outputs import NODES_HEADER
from rewards.rules.integers import UINT256_LIMIT, WAD
from rewards.targets.abi import Function
from rewards.targets.reading import Reader, check_ground
from rewards.targets.target import Checks, require_action

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rewards.chain.endpoint import Endpoint
    from rewards.chain.plan import PlannedCall
    from rewards.files.published import PublishedEpoch
    from rewards.targets.settling import Settling
    from rewards.targets.target import ClaimCall, Terms

PROPOSE = "propose"
REGISTRY_LIMIT = 255
"""PermissionedNodeRegistry counts its nodes in a uint8."""
NOBODY = "0x" + "00" * 20

POST_RECORDS = Function(
    "postPerformanceRecords",
    (("nodes", "address[]"), ("performance", "uint256[]"), ("reportingEpoch", "uint256")),
    struct="data",
)
OWNER = Function("owner", (), ("address",))
LAST_EPOCH = Function("lastUpdatedEpoch", (), ("uint256",))
MAX_REWARDS = Function("maxRewardsPerEpoch", (), ("uint256",))
CONFIG = Function("walletConnectConfig", (), ("address",))
REGISTRY = Function("getPermissionedNodeRegistry", (), ("address",))
MAX_NODES = Function("maxNodes", (), ("uint8",))
IS_WHITELISTED = Function("isNodeWhitelisted", (("node", "address"),), ("bool",))

PAYS_NOTHING = (
    "RewardManager pays nothing: it records that scores were posted; settle the amounts by "
    "another target"
)
GAPS_ARE_FINAL = (
    "an epoch that is left out can never be recorded once a later one is: post them in order"
)


class ScoreScale(StrEnum):
    """The unit of a performance figure. The contract is indifferent; readers are not."""

    WAD = "wad"
    """The score P as published: 10^18 is a perfect one. Exact, hence the default."""
    PERCENT = "percent"
    """1 to 100, rounded up, as WalletConnect's first oracle posted it: 0.1 % becomes 1."""

    @property
    def one(self) -> int:
        """What a perfect score of one node is."""
        return WAD if self is ScoreScale.WAD else 100

    def of(self, score: int) -> int:
        """Return a score given as a WAD in this unit."""
        return score if self is ScoreScale.WAD else -(-score * 100 // WAD)


@dataclass(frozen=True, slots=True)
class NodeScore:
    """A node in service and its score, a WAD above 0."""

    node_id: str
    payout_address: str
    score: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What is recorded for one payout address: the sum over its nodes."""

    payout_address: str
    performance: int
    node_ids: tuple[str, ...]


def read_scores(published: PublishedEpoch) -> list[NodeScore]:
    """Return the nodes in service with a score above 0, in id order, from `nodes.csv`.

    Raises:
        InvalidInput: The file is not of the published form.
    """
    findings: list[Finding] = []
    rows = read_table(published.folder / "nodes.csv", _NODES, findings)
    if findings:
        raise InvalidInput(findings)
    scores = []
    for row in rows:
        values = dict(zip(NODES_HEADER, row.values, strict=True))
        if values["pay_factor"] and values["score"]:
            scores.append(NodeScore(values["node_id"], values["payout_address"], values["score"]))
    return scores


def merged(scores: Iterable[NodeScore], scale: ScoreScale) -> tuple[Entry, ...]:
    """Return one entry per payout address, in address order.

    The contract would take an address twice and share out to each; whoever reads its events by
    address then sees one of them.
    """
    nodes: dict[str, list[NodeScore]] = defaultdict(list)
    for score in scores:
        nodes[score.payout_address].append(score)
    return tuple(
        Entry(
            address,
            sum(scale.of(node.score) for node in nodes[address]),
            tuple(sorted(node.node_id for node in nodes[address])),
        )
        for address in sorted(nodes)
    )


def shares(performance: Sequence[int], max_rewards: int) -> list[int]:
    """Return what the contract works out: base units, each floored, the rest unassigned."""
    whole = sum(performance)
    return [max_rewards * each // whole for each in performance]


@dataclass(frozen=True)
class RewardManager:
    """The record of one epoch's scores."""

    kind: ClassVar[str] = "reward-manager"
    actions: ClassVar[tuple[str, ...]] = (PROPOSE,)

    settling: Settling
    entries: tuple[Entry, ...]
    scale: ScoreScale = ScoreScale.WAD

    def __post_init__(self) -> None:
        """Check that the record is one that the contract takes and readers understand.

        Raises:
            CheckFailed: No node has a score, there are too many, or one is out of its scale.
        """
        where = f"epoch {self.settling.epoch}"
        findings = []
        if not self.entries:
            problem = "has no node in service with a score above 0, and the contract takes no zero"
            findings.append(Finding(where, problem, "post nothing for it"))
        if len(self.entries) > REGISTRY_LIMIT:
            problem = (
                f"has more nodes than the {REGISTRY_LIMIT} that WalletConnect's registry holds"
            )
            remedy = "check nodes.csv"
            findings.append(Finding(where, problem, remedy, value=str(len(self.entries))))
        for entry in self.entries:
            if not 0 < entry.performance <= self.scale.one * len(entry.node_ids):
                problem = f"has a performance outside of the scale {self.scale}"
                findings.append(
                    Finding(
                        where,
                        problem,
                        "run `rewards verify` on the folder",
                        column=entry.payout_address,
                        value=str(entry.performance),
                    )
                )
        if findings:
            raise CheckFailed(findings)

    @property
    def root(self) -> None:
        """No root: the target has no tree."""

    @property
    def totals(self) -> dict[str, int]:
        """No amount: the contract pays nothing."""
        return {}

    @property
    def nodes(self) -> list[str]:
        """The struct's `nodes`: payout addresses, ascending, each once."""
        return [entry.payout_address for entry in self.entries]

    @property
    def performance(self) -> list[int]:
        """The struct's `performance`, beside `nodes`."""
        return [entry.performance for entry in self.entries]

    def document(self, contract: str | None = None) -> dict[str, Any]:
        """Return the record: the contract's struct under its own names, and who was merged."""
        header = self.settling.header(self.kind, contract)
        return {
            "data": {
                "nodes": self.nodes,
                "performance": [str(each) for each in self.performance],
                "reportingEpoch": str(self.settling.epoch),
            },
            "merged": {entry.payout_address: list(entry.node_ids) for entry in self.entries},
            "pays": "nothing",
            "settlement": header
            | {
                "score_scale": str(self.scale),
                "total": str(sum(self.performance)),
                "leaves": str(len(self.entries)),
            },
        }

    def calls(self, action: str, terms: Terms) -> tuple[PlannedCall, ...]:
        """Return the transaction of `propose`: the owner posts the record."""
        require_action(RewardManager, action, self.actions)
        contract, epoch = terms.need("contract"), self.settling.epoch
        return (POST_RECORDS.planned(contract, self.nodes, self.performance, epoch),)

    def claims(self, terms: Terms) -> list[ClaimCall]:  # noqa: ARG002 - as every target
        """Return no claim: the contract pays nothing."""
        return []

    def check(
        self, action: str, terms: Terms, endpoint: Endpoint, at: int | str = LATEST
    ) -> Checks:
        """Hold the posting against the chain."""
        require_action(RewardManager, action, self.actions)
        checks = Checks(notes=[PAYS_NOTHING, GAPS_ARE_FINAL])
        try:
            self._check(terms, Reader(endpoint, at), checks)
        except CheckFailed as error:
            checks.findings.extend(error.findings)
        return checks

    def _check(self, terms: Terms, reader: Reader, checks: Checks) -> None:
        contract, sender = terms.need("contract"), terms.need("sender")
        check_ground(reader, self.settling, checks)
        reader.require_code(contract, "contract")
        owner = reader.read(contract, OWNER)
        checks.facts["owner"] = owner
        if sender != owner:
            problem = f"is not the owner {owner}, who alone may post"
            checks.find(problem, "have the owner sign", column="sender", value=sender)
        self._check_epoch(reader.read(contract, LAST_EPOCH), checks)
        self._check_shares(reader.read(contract, MAX_REWARDS), checks)
        self._check_registry(contract, reader, checks)

    def _check_epoch(self, last: int, checks: Checks) -> None:
        epoch, since = self.settling.epoch, self.settling.since
        checks.facts["last epoch"] = str(last)
        if last >= epoch:
            checks.find(
                f"is not below {epoch}: the contract takes rising epochs only",
                "look into its events whether this epoch was posted, and with which figures: the "
                "contract keeps none",
                column="last epoch",
                value=last,
            )
        elif last != (since.epoch if since else 0):
            expected = f"{since.epoch}, the last one here" if since else "0: none was posted"
            remedy = "name with --since the epoch that was posted last; find out who posted it"
            checks.find(f"is not {expected}", remedy, column="last epoch", value=last)
        elif last + 1 < epoch:
            checks.notes.append(f"{format_epochs(last + 1, epoch - 1)} will never be recorded")

    def _check_shares(self, max_rewards: int, checks: Checks) -> None:
        """The contract multiplies before it divides, in 256 bits."""
        highest = max(self.performance)
        too_large = max(max_rewards * highest, sum(self.performance)) >= UINT256_LIMIT
        checks.facts["max rewards per epoch"] = str(max_rewards)
        if too_large:
            checks.find(
                "times a score passes 2^256: the posting would revert",
                "post in the scale percent",
                column="max rewards per epoch",
                value=max_rewards,
            )
            return
        assigned = sum(shares(self.performance, max_rewards))
        checks.facts |= {"shares": str(assigned), "unassigned": str(max_rewards - assigned)}

    def _check_registry(self, contract: str, reader: Reader, checks: Checks) -> None:
        """No more nodes than the registry takes; the contract itself would not notice."""
        config = reader.read(contract, CONFIG)
        registry = reader.read(config, REGISTRY) if config != NOBODY else NOBODY
        checks.facts["registry"] = registry
        if registry == NOBODY:
            checks.notes.append("the contract names no node registry: max nodes is not checked")
            return
        most = reader.read(registry, MAX_NODES)
        if len(self.entries) > most:
            checks.find(
                f"are more than the registry's {most}",
                "post no more nodes than the registry holds",
                column="nodes",
                value=len(self.entries),
            )
        listed = reader.read_each(registry, IS_WHITELISTED, ((node,) for node in self.nodes))
        strangers = [node for node, known in zip(self.nodes, listed, strict=True) if not known]
        if strangers:
            # A payout address need not be the node's own, so this alone is nothing wrong.
            checks.notes.append(f"not in the node registry: {', '.join(strangers)}")


def _parse_optional(text: str) -> int:
    return parse_integer(text) if text else 0


_PARSERS = {
    "node_id": parse_identifier,
    "payout_address": parse_address,
    "score": _parse_optional,
    "pay_factor": parse_integer,
}
_NODES = Table(
    "nodes.csv",
    tuple(Column(name, _PARSERS.get(name, str)) for name in NODES_HEADER),
    key="node_id",
)
