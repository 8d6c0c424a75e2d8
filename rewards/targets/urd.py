"""Morpho's Universal Rewards Distributor (URD): cumulative amounts under one root.

A leaf is `(address account, address reward, uint256 claimable)` as OpenZeppelin's
StandardMerkleTree encodes and hashes it (twice); `claimable` is cumulative, like ours, and anybody
may claim for anybody. What it does not do itself, the checks here do before anybody signs: it
compares no previous root, a submission silently replaces a pending one, `acceptRoot` takes whatever
is pending, the owner needs no delay, nothing holds a root against funds or claims. Its leaves bind
neither chain nor contract, so an epoch may be settled on one URD only: the `distributor` of its
`settlement.toml`. Source: morpho-org/universal-rewards-distributor, contract, interface and README.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from rewards.chain.endpoint import LATEST
from rewards.chain.errors import LATEST_TIME
from rewards.errors import CheckFailed, Finding, InvariantBroken
from rewards.files.grammar import format_time
from rewards.merkle.keccak import keccak256
from rewards.merkle.tree import build_tree, proof_of, root_from_proof
from rewards.targets.abi import BALANCE_OF, Function
from rewards.targets.reading import Reader, check_claims, check_ground
from rewards.targets.settling import total
from rewards.targets.target import Checks, ClaimCall, require_action

if TYPE_CHECKING:
    from rewards.chain.endpoint import Endpoint
    from rewards.chain.plan import PlannedCall
    from rewards.targets.settling import Amounts, Settling
    from rewards.targets.target import Terms

PROPOSE, ACTIVATE, VETO, CLAIM = "propose", "activate", "veto", "claim"
NO_ROOT = bytes(32)

_ROOT_AND_HASH = (("newRoot", "bytes32"), ("newIpfsHash", "bytes32"))
SUBMIT_ROOT = Function("submitRoot", _ROOT_AND_HASH)
SET_ROOT = Function("setRoot", _ROOT_AND_HASH)
ACCEPT_ROOT = Function("acceptRoot")
REVOKE_PENDING_ROOT = Function("revokePendingRoot")
CLAIM_REWARD = Function(
    "claim",
    (
        ("account", "address"),
        ("reward", "address"),
        ("claimable", "uint256"),
        ("proof", "bytes32[]"),
    ),
    ("uint256",),
)
ROOT = Function("root", (), ("bytes32",))
IPFS_HASH = Function("ipfsHash", (), ("bytes32",))
OWNER = Function("owner", (), ("address",))
TIMELOCK = Function("timelock", (), ("uint256",))
IS_UPDATER = Function("isUpdater", (("updater", "address"),), ("bool",))
PENDING_ROOT = Function("pendingRoot", (), ("bytes32", "bytes32", "uint256"))
CLAIMED = Function("claimed", (("account", "address"), ("reward", "address")), ("uint256",))

ACCEPTS_WHAT_IS_PENDING = (
    "acceptRoot names no root: if an updater submits another one first, that one waits anew"
)
OWNER_MAY_BYPASS = (
    "the owner can set any root at once and change the timelock: trust in it is trust in the owner"
)
NO_IPFS = "the ipfsHash argument is the manifest's keccak-256, no address in IPFS"
OTHER_CONTRACT = (
    "settle on the contract of settlement.toml: two that pay cumulative amounts pay them twice"
)


def leaf_hash(account: str, reward: str, claimable: int) -> bytes:
    """Return a leaf: keccak-256 twice of the 96 encoded bytes; `claimable` is base units."""
    words = (bytes.fromhex(account[2:]), bytes.fromhex(reward[2:]), claimable.to_bytes(32, "big"))
    return keccak256(keccak256(b"".join(word.rjust(32, b"\0") for word in words)))


@dataclass(frozen=True)
class RewardTree:
    """The tree over the cumulative amounts of one token."""

    reward: str
    leaves: Amounts

    @cached_property
    def _nodes(self) -> tuple[list[bytes], list[int]]:
        return build_tree([leaf_hash(account, self.reward, c) for account, c in self.leaves])

    @property
    def root(self) -> bytes:
        """The Merkle root; 32 zero bytes, the contract's word for none, without leaves."""
        return self._nodes[0][0] if self.leaves else NO_ROOT

    def proof(self, position: int) -> list[bytes]:
        """Return the proof of the leaf at a position in `leaves`."""
        nodes, indices = self._nodes
        return proof_of(nodes, indices[position])


@dataclass(frozen=True)
class Urd:
    """One settlement by a URD."""

    kind: ClassVar[str] = "urd"
    actions: ClassVar[tuple[str, ...]] = (PROPOSE, ACTIVATE, VETO)

    settling: Settling

    def __post_init__(self) -> None:
        """Check that there is something to pay, and that every proof leads to the root.

        Raises:
            CheckFailed: Nobody has a cumulative amount.
        """
        if not self.leaves:
            problem = "has nothing to settle: nobody has a cumulative amount"
            raise CheckFailed(Finding(f"epoch {self.settling.epoch}", problem, "submit nothing"))
        for position, (account, claimable) in enumerate(self.leaves):
            leaf = leaf_hash(account, self.settling.token, claimable)
            if root_from_proof(leaf, self.tree.proof(position)) != self.root:
                raise InvariantBroken(f"urd: the proof of {account} leads to another root")

    @property
    def leaves(self) -> Amounts:
        """(account, claimable): cumulative amounts in address order."""
        return self.settling.cumulative

    @cached_property
    def tree(self) -> RewardTree:
        """The tree to be settled."""
        return RewardTree(self.settling.token, self.leaves)

    @property
    def root(self) -> bytes:
        """The Merkle root."""
        return self.tree.root

    @property
    def totals(self) -> dict[str, int]:
        """The sum of all cumulative amounts, and by how much it rises."""
        return {"cumulative_total": total(self.leaves), "rise": total(self.settling.period)}

    @cached_property
    def previous_root(self) -> bytes:
        """The root that the contract must hold before: that of the last settled epoch."""
        return RewardTree(self.settling.token, self.settling.settled).root

    @property
    def contract(self) -> str:
        """The URD: the one contract that the epoch is bound to."""
        return self.settling.distributor

    def document(self, contract: str | None = None) -> dict[str, Any]:
        """Return the distribution in the form that Morpho's README asks for.

        Raises:
            CheckFailed: `contract` is not the one that the epoch is bound to.
        """
        self._require_bound(contract)
        header = self.settling.header(self.kind, self.contract)
        root = "0x" + self.root.hex()
        return {
            "id": root,
            "metadata": header
            | {
                "previous_root": "0x" + self.previous_root.hex(),
                "total": str(total(self.leaves)),
                "leaves": str(len(self.leaves)),
            },
            "root": root,
            "tree": [
                {
                    "account": account,
                    "reward": self.settling.token,
                    "claimable": str(claimable),
                    "proof": ["0x" + node.hex() for node in self.tree.proof(position)],
                }
                for position, (account, claimable) in enumerate(self.leaves)
            ],
        }

    def calls(self, action: str, terms: Terms) -> tuple[PlannedCall, ...]:
        """Return the transactions of an action.

        `propose` submits the root (owner or updater), `activate` accepts it once the timelock has
        passed (anybody), `veto` revokes what is pending (owner or updater). With `terms.at_once`,
        `propose` sets the root and nothing is left to activate (the owner, or without a timelock an
        updater too).
        """
        require_action(Urd, action, self.actions)
        self._require_bound(terms.contract)
        root_and_hash = (self.root, bytes.fromhex(self.settling.manifest_hash[2:]))
        if action == PROPOSE:
            function = SET_ROOT if terms.at_once else SUBMIT_ROOT
            return (function.planned(self.contract, *root_and_hash),)
        function = ACCEPT_ROOT if action == ACTIVATE else REVOKE_PENDING_ROOT
        return (function.planned(self.contract),)

    def claims(self, terms: Terms) -> list[ClaimCall]:
        """Return every payee's claim; anybody can send it, once the root is accepted."""
        self._require_bound(terms.contract)
        token = self.settling.token
        return [
            ClaimCall(
                account,
                claimable,
                None,
                CLAIM_REWARD.call(
                    self.contract, account, token, claimable, self.tree.proof(position)
                ),
            )
            for position, (account, claimable) in enumerate(self.leaves)
        ]

    def check(
        self, action: str, terms: Terms, endpoint: Endpoint, at: int | str = LATEST
    ) -> Checks:
        """Hold an action against the chain; `claim` simulates the claims not made yet."""
        require_action(Urd, action, (*self.actions, CLAIM))
        checks = Checks(notes=[OWNER_MAY_BYPASS, NO_IPFS])
        try:
            self._require_bound(terms.contract)
            _Check(self, terms, Reader(endpoint, at), checks).run(action)
        except CheckFailed as error:
            checks.findings.extend(error.findings)
        return checks

    def _require_bound(self, contract: str | None) -> None:
        if contract and contract != self.contract:
            problem = f"is not {self.contract}, which the epoch is bound to"
            raise CheckFailed(
                Finding("--contract", problem, OTHER_CONTRACT, column="urd", value=contract)
            )


@dataclass(frozen=True, slots=True)
class _Check:
    """The checks of one action, at one block of one endpoint."""

    urd: Urd
    terms: Terms
    reader: Reader
    checks: Checks

    def run(self, action: str) -> None:
        """Run them; what was found is in `checks`, or raised as CheckFailed."""
        check_ground(self.reader, self.urd.settling, self.checks)
        self.reader.require_code(self.urd.contract, "contract")
        if action not in (ACTIVATE, CLAIM):
            self._role(action)
        if action == VETO:
            self._something_pending()
            return
        if action == CLAIM:
            self._root_is(self.urd.root, self.urd.settling.manifest_hash)
            check_claims(self.reader, self._open_claims(), self.checks)
            return
        self._previous_root()
        if action == ACTIVATE:
            self._pending_is_ours()
        else:
            self._nothing_pending()
        self._funds()

    def _read(self, function: Function, *arguments: object) -> Any:  # noqa: ANN401
        return self.reader.read(self.urd.contract, function, *arguments)

    def _role(self, action: str) -> None:
        """Who signs may do it: as owner or updater; without delay only as the owner."""
        sender, owner = self.terms.need("sender"), self._read(OWNER)
        timelock = self._read(TIMELOCK)
        self.checks.facts |= {"owner": owner, "timelock": str(timelock)}
        if sender != owner and not self._read(IS_UPDATER, sender):
            self.checks.find(
                f"is neither the owner {owner} nor an updater",
                "have one of them sign",
                column="sender",
                value=sender,
            )
        if action != PROPOSE or not self.terms.at_once or not timelock:
            return
        if sender != owner:
            self.checks.find(
                f"cannot set a root at once: the timelock is {timelock} seconds",
                "propose it, and activate it when the timelock has passed",
                column="sender",
                value=sender,
            )
        else:
            self.checks.notes.append(
                f"this passes over the timelock of {timelock} seconds, in which others could check"
            )

    def _root_is(self, root: bytes, manifest_hash: str) -> None:
        """The contract holds a root, and beside it the hash of that epoch's manifest."""
        stop = "do not go on: the contract is not where this history left it; find out who set it"
        self.checks.expect("root", "0x" + self._read(ROOT).hex(), "0x" + root.hex(), stop)
        there = "0x" + self._read(IPFS_HASH).hex()
        self.checks.expect("ipfs hash", there, manifest_hash, stop)

    def _previous_root(self) -> None:
        """The contract itself would put this epoch on top of any other root."""
        settling = self.urd.settling
        if self._read(ROOT) == self.urd.root:
            self.checks.find(
                "is this epoch's already", "nothing is to be done: it is settled", column="root"
            )
            return
        if settling.since is None and self._read(ROOT) != NO_ROOT:
            self.checks.notes.append("name with --since the epoch that was settled last")
        since = settling.since
        before = since.manifest_hash if since and settling.settled else "0x" + NO_ROOT.hex()
        self._root_is(self.urd.previous_root, before)

    def _nothing_pending(self) -> None:
        """A submission replaces a pending root without a word."""
        root, _, valid_at = self._read(PENDING_ROOT)
        self.checks.facts["pending root"] = "0x" + root.hex()
        if valid_at:
            ours = "this epoch's root" if root == self.urd.root else "another root"
            self.checks.find(
                f"is pending: {ours}, acceptable from {_moment(valid_at)} on",
                "activate it or have it revoked; a new submission replaces it and waits anew",
                column="pending root",
                value="0x" + root.hex(),
            )

    def _something_pending(self) -> None:
        root, _, valid_at = self._read(PENDING_ROOT)
        self.checks.facts["pending root"] = "0x" + root.hex()
        if not valid_at:
            self.checks.find("is not there", "nothing can be revoked", column="pending root")

    def _pending_is_ours(self) -> None:
        root, ipfs_hash, valid_at = self._read(PENDING_ROOT)
        stop = "do not accept it: have it revoked, and propose this epoch again"
        expected = "0x" + self.urd.root.hex()
        self.checks.expect("pending root", "0x" + root.hex(), expected, stop)
        expected = self.urd.settling.manifest_hash
        self.checks.expect("pending ipfs hash", "0x" + ipfs_hash.hex(), expected, stop)
        now = self.reader.endpoint.block(self.reader.at).timestamp
        if valid_at > now:
            self.checks.find(
                f"cannot be accepted before {_moment(valid_at)}",
                "wait for the timelock",
                column="pending root",
            )
        self.checks.notes.append(ACCEPTS_WHAT_IS_PENDING)

    def _claimed(self) -> list[int]:
        token = self.urd.settling.token
        pairs = [(account, token) for account, _ in self.urd.leaves]
        return self.reader.read_each(self.urd.contract, CLAIMED, pairs)

    def _open_claims(self) -> list[ClaimCall]:
        claims = zip(self.urd.claims(self.terms), self._claimed(), strict=True)
        return [claim for claim, claimed in claims if claimed < claim.amount]

    def _funds(self) -> None:
        """Nobody was paid more than the new amount, and the contract holds what is then due."""
        outstanding = 0
        for (account, claimable), claimed in zip(self.urd.leaves, self._claimed(), strict=True):
            outstanding += max(claimable - claimed, 0)
            if claimed > claimable:
                self.checks.find(
                    f"was paid more than its cumulative amount {claimable}",
                    "stop settling: a root that is not of this history was active",
                    column=account,
                    value=claimed,
                )
        balance = self.reader.read(self.urd.settling.token, BALANCE_OF, self.urd.contract)
        self.checks.facts |= {"outstanding": str(outstanding), "balance": str(balance)}
        if balance < outstanding:
            self.checks.find(
                f"is less than the {outstanding} base units outstanding under the new root",
                "fund the contract first: whoever claims last goes away empty",
                column="balance",
                value=balance,
            )


def _moment(seconds: int) -> str:
    return format_time(seconds) if seconds <= LATEST_TIME else f"second {seconds}"
