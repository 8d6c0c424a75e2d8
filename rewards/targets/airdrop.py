"""WalletConnect's Airdrop: one contract per settlement, which pays each address once.

A leaf is `keccak256(abi.encodePacked(uint256 index, address account, uint256 amount))`: 84 bytes,
hashed once, so no inner node (64 bytes) can pass for one. The root cannot be changed, there is no
deadline, and the payee itself must send `claimTokens`; the tokens come by allowance from a reserve.
So a settlement holds what was earned since the last one, one leaf per address, no zero amount. Here
index 0, 1, 2, … is address order (the contract asks for no order, its trees only for index order).
Source: WalletConnect/contracts, evm/src/Airdrop.sol, and the claims file of its tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from rewards.chain.endpoint import LATEST, Call
from rewards.chain.errors import Reverted
from rewards.errors import CheckFailed, Finding, InvariantBroken
from rewards.merkle.keccak import keccak256
from rewards.merkle.tree import root_from_proof
from rewards.targets.abi import ALLOWANCE, APPROVE, BALANCE_OF, Function, creation
from rewards.targets.ordered_tree import build_levels, proof_in
from rewards.targets.reading import (
    Reader,
    check_claims,
    check_ground,
    check_not_settled_elsewhere,
)
from rewards.targets.settling import total
from rewards.targets.target import Checks, ClaimCall, require_action

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rewards.chain.endpoint import Endpoint
    from rewards.chain.plan import PlannedCall
    from rewards.targets.settling import Amounts, Settling
    from rewards.targets.target import Terms

DEPLOY, FUND, PAUSE, CLAIM = "deploy", "fund", "pause", "claim"

CONSTRUCTOR = ("address", "address", "address", "bytes32", "address")
"""Administrator, pauser, reserve, root, token."""
CLAIM_TOKENS = Function(
    "claimTokens", (("index", "uint256"), ("amount", "uint256"), ("merkleProof", "bytes32[]"))
)
PAUSE_CLAIMS = Function("pause")
MERKLE_ROOT = Function("merkleRoot", (), ("bytes32",))
TOKEN = Function("token", (), ("address",))
RESERVE = Function("reserveAddress", (), ("address",))
CLAIMED = Function("claimed", (("account", "address"),), ("bool",))
PAUSED = Function("paused", (), ("bool",))
HAS_ROLE = Function("hasRole", (("role", "bytes32"), ("account", "address")), ("bool",))
PAUSER_ROLE = keccak256(b"PAUSER_ROLE")

CALLED_BY_PAYEE = (
    "each payee must send its claim itself: a payee that is a contract and cannot call "
    "claimTokens is never paid, and no later settlement pays this amount again"
)
NO_DEADLINE = (
    "the contract has no deadline and its root cannot be changed: keep reserve and allowance "
    "until everybody has claimed"
)


def leaf_hash(index: int, account: str, amount: int) -> bytes:
    """Return a leaf: keccak-256, once, of the 84 packed bytes; `amount` is base units."""
    packed = index.to_bytes(32, "big") + bytes.fromhex(account[2:]) + amount.to_bytes(32, "big")
    return keccak256(packed)


@dataclass(frozen=True)
class Airdrop:
    """One settlement by an Airdrop."""

    kind: ClassVar[str] = "airdrop"
    actions: ClassVar[tuple[str, ...]] = (DEPLOY, FUND, PAUSE)

    settling: Settling

    def __post_init__(self) -> None:
        """Check that there is something to pay, and that every proof leads to the root.

        Raises:
            CheckFailed: Nobody earned anything since the last settlement.
        """
        if not self.leaves:
            problem = "has nothing to settle: nobody earned anything since the last settlement"
            raise CheckFailed(Finding(f"epoch {self.settling.epoch}", problem, "deploy nothing"))
        for index, (account, amount) in enumerate(self.leaves):
            if root_from_proof(leaf_hash(index, account, amount), self.proof(index)) != self.root:
                raise InvariantBroken(f"airdrop: the proof of {account} leads to another root")

    @cached_property
    def leaves(self) -> Amounts:
        """(account, amount) in index order: one per address, none of 0."""
        return self.settling.period

    @cached_property
    def _levels(self) -> list[list[bytes]]:
        return build_levels([leaf_hash(i, *leaf) for i, leaf in enumerate(self.leaves)])

    @property
    def root(self) -> bytes:
        """The Merkle root."""
        return self._levels[-1][0]

    @property
    def total(self) -> int:
        """The sum of all leaves, in base units."""
        return total(self.leaves)

    @property
    def totals(self) -> dict[str, int]:
        """What the contract may draw from the reserve."""
        return {"total": self.total}

    def proof(self, index: int) -> list[bytes]:
        """Return the proof of the leaf at an index."""
        return proof_in(self._levels, index)

    def document(self, contract: str | None = None) -> dict[str, Any]:
        """Return the claims file in WalletConnect's form, with `settlement` beside it.

        Numbers are hex text without leading zeros, as in the file of the contract's tests. A claim
        holds nothing else: readers that map it to a struct take its keys in alphabetical order.
        """
        header = self.settling.header(self.kind, contract)
        return {
            "claimsWithProof": [
                {
                    "claim": {"amount": hex(amount), "index": hex(index), "recipient": account},
                    "proof": ["0x" + node.hex() for node in self.proof(index)],
                }
                for index, (account, amount) in enumerate(self.leaves)
            ],
            "merkleRoot": "0x" + self.root.hex(),
            "settlement": header | {"total": str(self.total), "leaves": str(len(self.leaves))},
        }

    def calls(self, action: str, terms: Terms) -> tuple[PlannedCall, ...]:
        """Return the transactions of an action.

        `deploy` creates the contract (by anybody), `fund` has the reserve allow it exactly the
        total, `pause` stops claims (by the pauser).
        """
        require_action(Airdrop, action, self.actions)
        if action == DEPLOY:
            return (self._deployment(terms),)
        if action == FUND:
            return (APPROVE.planned(self.settling.token, terms.need("contract"), self.total),)
        return (PAUSE_CLAIMS.planned(terms.need("contract")),)

    def _deployment(self, terms: Terms) -> PlannedCall:
        terms.need("creation_code")
        admin, pauser, reserve = (terms.need(name) for name in ("admin", "pauser", "reserve"))
        code, token = terms.creation_code, self.settling.token
        return creation(CONSTRUCTOR, code, admin, pauser, reserve, self.root, token)

    def claims(self, terms: Terms) -> list[ClaimCall]:
        """Return every payee's claim; only the payee can send it."""
        contract = terms.need("contract")
        return [
            ClaimCall(
                account,
                amount,
                account,
                CLAIM_TOKENS.call(contract, index, amount, self.proof(index)),
            )
            for index, (account, amount) in enumerate(self.leaves)
        ]

    def check(
        self, action: str, terms: Terms, endpoint: Endpoint, at: int | str = LATEST
    ) -> Checks:
        """Hold an action against the chain; `claim` simulates every claim."""
        require_action(Airdrop, action, (*self.actions, CLAIM))
        checks = Checks(notes=[CALLED_BY_PAYEE, NO_DEADLINE])
        try:
            _Check(self, terms, Reader(endpoint, at), checks).run(action)
        except CheckFailed as error:
            checks.findings.extend(error.findings)
        return checks


@dataclass(frozen=True, slots=True)
class _Check:
    """The checks of one action, at one block of one endpoint."""

    airdrop: Airdrop
    terms: Terms
    reader: Reader
    checks: Checks

    def run(self, action: str) -> None:
        """Run them; what was found is in `checks`, or raised as CheckFailed."""
        settling = self.airdrop.settling
        check_ground(self.reader, settling, self.checks)
        if action == DEPLOY:
            check_not_settled_elsewhere(self.reader, settling, self.checks)
            self._deployment()
            return
        contract = self.terms.need("contract")
        self._contract(contract)
        if action == PAUSE:
            self._pauser(contract)
        elif action == FUND:
            check_not_settled_elsewhere(self.reader, settling, self.checks)
            self._funding(contract)
        elif not self.checks.findings:
            self._cover(contract, self.reader.read(contract, RESERVE))
            self._not_paused(contract)
            unclaimed = self._unclaimed(contract)
            claims = [c for c in self.airdrop.claims(self.terms) if c.account in unclaimed]
            check_claims(self.reader, claims, self.checks)

    def _deployment(self) -> None:
        """Before the contract is there: who is named, and whether the reserve has the tokens."""
        self.airdrop.calls(DEPLOY, self.terms)  # refuses what is missing
        reserve = self.terms.need("reserve")
        self._reserve_is_no_payee(reserve)
        self._earlier(reserve)
        self._reserve_holds(reserve, self.airdrop.total)
        self._creates(reserve)

    def _creates(self, reserve: str) -> None:
        """The creation code, run without being sent, leaves the code of an Airdrop."""
        (planned,) = self.airdrop.calls(DEPLOY, self.terms)
        call = Call(planned.to, planned.data)
        try:
            code = self.reader.endpoint.call(call, self.reader.at, self.terms.sender)
        except Reverted as error:
            problem = f"refuses to be created: {error.refusal}"
            self.checks.find(problem, "check the creation code and the terms", column="contract")
            return
        if not code:
            problem = "creates no contract"
            self.checks.find(problem, "give the compiled creation code", column="creation code")
        words = (self.airdrop.root, self.airdrop.settling.token, reserve)
        self._same_code("the creation code", without_immutables(code, words))

    def _funding(self, contract: str) -> None:
        """Before the reserve allows anything: a fresh contract, with the code that is expected."""
        reserve = self.reader.read(contract, RESERVE)
        expected = self.terms.reserve or self.terms.need("sender")
        self.checks.expect("reserve", reserve, expected, "do not fund it; deploy it again")
        if self.terms.sender and self.terms.sender != reserve:
            self.checks.find(
                "is not the reserve, whose allowance claims draw on",
                "have the reserve sign",
                column="sender",
                value=self.terms.sender,
            )
        self._reserve_is_no_payee(reserve)
        claimed = len(self.airdrop.leaves) - len(self._unclaimed(contract))
        if claimed:
            self.checks.find(
                "have claimed already: the contract is not fresh",
                "this settlement was funded before; do not allow the total again",
                column="payees",
                value=claimed,
            )
        allowance = self.reader.read(self.airdrop.settling.token, ALLOWANCE, reserve, contract)
        self.checks.facts["allowance"] = str(allowance)
        if allowance:
            self.checks.find(
                "is there already: the contract is not fresh",
                "find out who allowed it; claims may be under way",
                column="allowance",
                value=allowance,
            )
        self._not_paused(contract)
        self._earlier(reserve)
        self._reserve_holds(reserve, self.airdrop.total)
        self._same_code(contract, self._code_of(contract))

    def _contract(self, contract: str) -> None:
        """The contract is the one of this settlement."""
        self.reader.require_code(contract, "contract")
        root = "0x" + self.reader.read(contract, MERKLE_ROOT).hex()
        wrong = "it is another settlement's contract; name the one with this root"
        self.checks.expect("merkle root", root, "0x" + self.airdrop.root.hex(), wrong)
        token = self.reader.read(contract, TOKEN)
        self.checks.expect("token", token, self.airdrop.settling.token, "deploy it again")

    def _pauser(self, contract: str) -> None:
        sender = self.terms.need("sender")
        if not self.reader.read(contract, HAS_ROLE, PAUSER_ROLE, sender):
            self.checks.find(
                "may not pause this contract",
                "have the pauser sign",
                column="sender",
                value=sender,
            )

    def _not_paused(self, contract: str) -> None:
        if self.reader.read(contract, PAUSED):
            self.checks.find("is paused", "ask the pauser why", column="contract", value=contract)

    def _unclaimed(self, contract: str) -> set[str]:
        accounts = [account for account, _ in self.airdrop.leaves]
        claimed = self.reader.read_each(contract, CLAIMED, ((account,) for account in accounts))
        return {account for account, done in zip(accounts, claimed, strict=True) if not done}

    def _cover(self, contract: str, reserve: str) -> None:
        """Once claims are open: allowance and balance cover what is not claimed yet."""
        unclaimed = self._unclaimed(contract)
        due = sum(amount for account, amount in self.airdrop.leaves if account in unclaimed)
        allowance = self.reader.read(self.airdrop.settling.token, ALLOWANCE, reserve, contract)
        self.checks.facts |= {"unclaimed": str(due), "allowance": str(allowance)}
        if allowance < due:
            self.checks.find(
                f"is less than the {due} base units that are not claimed yet",
                "have the reserve allow what is due",
                column="allowance",
                value=allowance,
            )
        self._reserve_holds(reserve, due)

    def _reserve_holds(self, reserve: str, due: int) -> None:
        """The reserve has what is due here, beside what earlier contracts may still draw."""
        token = self.airdrop.settling.token
        promised = self._promised(reserve, self.terms.earlier)
        balance = self.reader.read(token, BALANCE_OF, reserve)
        self.checks.facts |= {"reserve balance": str(balance), "promised earlier": str(promised)}
        if balance < due + promised:
            self.checks.find(
                f"is less than the {due} base units due here and the {promised} that earlier "
                "contracts may still draw",
                "fund the reserve first: whoever claims last goes away empty",
                column="reserve balance",
                value=balance,
            )

    def _promised(self, reserve: str, contracts: Iterable[str]) -> int:
        pairs = [(reserve, contract) for contract in contracts]
        return sum(self.reader.read_each(self.airdrop.settling.token, ALLOWANCE, pairs))

    def _reserve_is_no_payee(self, reserve: str) -> None:
        if reserve in dict(self.airdrop.leaves):
            self.checks.find(
                "is a payee itself: its claim would move nothing",
                "name another reserve",
                column="reserve",
                value=reserve,
            )

    def _earlier(self, reserve: str) -> None:
        """No contract before this one pays the same root: it would pay everybody twice."""
        if not self.terms.earlier:
            self.checks.notes.append(
                "no earlier Airdrop was named: whether one of them pays this period already, and "
                f"what it may still draw from {reserve}, is not checked"
            )
        for contract in self.terms.earlier:
            if contract != self.terms.contract and (
                self.reader.read(contract, MERKLE_ROOT) == self.airdrop.root
            ):
                self.checks.find(
                    "has this same root: the settlement was deployed before",
                    "use that contract; two of them pay everybody twice",
                    column="earlier",
                    value=contract,
                )

    def _same_code(self, what: str, code: bytes) -> None:
        """The code is a known Airdrop's, but for what each was deployed with."""
        reference = self.terms.reference
        if not reference:
            self.checks.notes.append("the code is not compared: no known Airdrop was named")
        elif code != self._code_of(reference):
            self.checks.find(
                f"has other code than {reference}",
                "do not go on with it; compile it as that one was compiled",
                column="contract",
                value=what,
            )

    def _code_of(self, contract: str) -> bytes:
        words = [self.reader.read(contract, each) for each in (MERKLE_ROOT, TOKEN, RESERVE)]
        return without_immutables(self.reader.endpoint.code(contract, self.reader.at), words)


def without_immutables(code: bytes, values: Iterable[bytes | str]) -> bytes:
    """Return deployed code with the words that its constructor wrote into it blanked.

    Args:
        code: The code as deployed.
        values: Root, token and reserve; a 32-byte word, or an address as text.
    """
    for value in values:
        word = value if isinstance(value, bytes) else bytes.fromhex(value[2:]).rjust(32, b"\0")
        code = code.replace(word, bytes(32))
    return code
