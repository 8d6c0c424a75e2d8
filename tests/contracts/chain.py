"""The embedded chain as these tests use it, and a distributor with its people on it."""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_abi.abi import decode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_tester import EthereumTester, PyEVMBackend
from eth_tester.exceptions import TransactionFailed
from eth_utils.abi import abi_to_signature, function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3 import EthereumTesterProvider, Web3

from tests.contracts.merkle import Tree

ABI_FOLDER = Path(__file__).resolve().parents[2] / "contracts_abi"
ZERO = "0x" + "00" * 20
DAY = 86_400
GAS = 16_000_000


def artifact(name: str) -> dict[str, Any]:
    """An artifact by name; "test/X" for those that only tests use, which no wheel carries."""
    loaded: dict[str, Any] = json.loads((ABI_FOLDER / f"{name}.json").read_text("utf-8"))
    return loaded


def error_types(*names: str) -> dict[bytes, tuple[str, list[str]]]:
    """Selector → name and argument types of every custom error of these contracts."""
    return {
        function_signature_to_4byte_selector(abi_to_signature(item)): (
            item["name"],
            [argument["type"] for argument in item["inputs"]],
        )
        for name in names
        for item in artifact(name)["abi"]
        if item["type"] == "error"
    }


ERRORS = error_types("EpochDistributor", "TestToken", "test/RestrictedToken")
ERRORS[bytes.fromhex("4e487b71")] = ("Panic", ["uint256"])


def decode_error(data: bytes) -> tuple[Any, ...]:
    """(name, argument, ...) of revert data; addresses in lower case, as eth_abi gives them."""
    if not data:
        return ("",)
    name, types = ERRORS[data[:4]]
    return (name, *decode(types, data[4:]))


class Chain:
    """eth-tester behind web3: one block per transaction, at the time the test says."""

    def __init__(self) -> None:
        self.tester = EthereumTester(PyEVMBackend())
        self.w3 = Web3(EthereumTesterProvider(self.tester))
        self.accounts: Sequence[str] = self.w3.eth.accounts
        self.id = self.w3.eth.chain_id

    @property
    def now(self) -> int:
        """The time of the next block."""
        return int(self.w3.eth.get_block("pending")["timestamp"])

    def travel(self, *, to: int) -> None:
        if to > self.now:
            self.tester.time_travel(to)
        assert self.now == to

    def creation(self, name: str, *args: Any) -> Any:
        compiled = artifact(name)
        factory = self.w3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
        return factory.constructor(*args)

    def at(self, name: str, address: str) -> Any:
        return self.w3.eth.contract(to_checksum_address(address), abi=artifact(name)["abi"])

    def deploy(self, name: str, *args: Any) -> Any:
        receipt = self.send(self.creation(name, *args))
        return self.at(name, receipt["contractAddress"])

    def send(self, call: Any, sender: str | None = None) -> Any:
        """Mine it; return the receipt."""
        sent = call.transact({"from": sender or self.accounts[0], "gas": GAS})
        receipt = self.w3.eth.wait_for_transaction_receipt(sent)
        assert receipt["status"] == 1
        return receipt

    def read(self, call: Any, sender: str | None = None) -> Any:
        """Call it in the next block, at whose time `now` is."""
        return call.call({"from": sender or self.accounts[0], "gas": GAS}, "pending")

    def refusal(self, call: Any, sender: str | None = None) -> tuple[Any, ...]:
        """The named error that the call ends with, and its arguments."""
        try:
            if hasattr(call, "call"):
                self.read(call, sender)
            else:  # a creation
                call.estimate_gas({"from": sender or self.accounts[0], "gas": GAS})
        except TransactionFailed as failure:
            reason = str(failure.args[0]).removeprefix("execution reverted: ")
            return decode_error(ast.literal_eval(reason) if reason.startswith("b") else b"")
        raise AssertionError("the call was not refused")


def key_account(number: int) -> LocalAccount:
    account: LocalAccount = Account.from_key(keccak(text=f"key {number}"))
    return account


ATTESTERS = sorted((key_account(i) for i in range(3)), key=lambda who: who.address.lower())


def payees(count: int) -> list[str]:
    """Addresses that nobody uses, ascending."""
    made = (keccak(text=f"payee {i}")[:20] for i in range(count))
    return [to_checksum_address(raw) for raw in sorted(made)]


@dataclass(frozen=True)
class Proposal:
    """As the contract's struct."""

    previous_epoch: int
    epoch: int
    attempt: int
    root: bytes
    cumulative_total: int
    manifest_hash: bytes = keccak(text="manifest")

    def encoded(self) -> tuple[int, int, int, bytes, int, bytes]:
        return (
            self.previous_epoch,
            self.epoch,
            self.attempt,
            self.root,
            self.cumulative_total,
            self.manifest_hash,
        )


@dataclass
class World:
    """A distributor, its token, and who may do what."""

    chain: Chain
    token: Any
    distributor: Any
    admin: str
    proposer: str
    guardian: str
    second_guardian: str
    treasury: str
    outsider: str
    threshold: int

    DELAY = 600
    REDUCTION_DELAY = 1200
    MINIMUM_DELAY = 60
    CHANGE_DELAY = 3600
    BURST = 10**24
    PER_DAY = 10**23

    @classmethod
    def config(cls, chain: Chain, token: str, /, **changes: Any) -> dict[str, Any]:
        """The constructor's argument, in the order of its struct."""
        admin, proposer, guardian, second_guardian, treasury = chain.accounts[1:6]
        return {
            "token": token,
            "treasury": treasury,
            "admin": admin,
            "initialEpoch": 0,
            "minimumDelay": cls.MINIMUM_DELAY,
            "changeDelay": cls.CHANGE_DELAY,
            "delay": cls.DELAY,
            "reductionDelay": cls.REDUCTION_DELAY,
            "threshold": 0,
            "capBurst": cls.BURST,
            "capPerDay": cls.PER_DAY,
            "proposers": [proposer],
            "attesters": [account.address for account in ATTESTERS],
            "guardians": [guardian, second_guardian],
        } | changes

    @classmethod
    def create(cls, chain: Chain, *, token: Any = None, **changes: Any) -> "World":
        token = token or chain.deploy("TestToken")
        config = cls.config(chain, token.address, **changes)
        return cls(
            chain=chain,
            token=token,
            distributor=chain.deploy("EpochDistributor", tuple(config.values())),
            admin=config["admin"],
            proposer=config["proposers"][0],
            guardian=config["guardians"][0],
            second_guardian=config["guardians"][1],
            treasury=config["treasury"],
            outsider=chain.accounts[6],
            threshold=config["threshold"],
        )

    @property
    def call(self) -> Any:
        return self.distributor.functions

    def read(self, name: str, *args: Any) -> Any:
        """A view; a struct comes as an object with named fields."""
        return self.chain.read(self.call[name](*args))

    def view(self, name: str) -> dict[str, Any]:
        """A view that returns a struct, by field name."""
        outputs = next(item["outputs"] for item in self.distributor.abi if item.get("name") == name)
        names = [component["name"] for component in outputs[0]["components"]]
        return dict(zip(names, self.read(name), strict=True))

    def fund(self, amount: int) -> None:
        self.chain.send(self.token.functions.mint(self.distributor.address, amount))

    def tree(self, epoch: int, amounts: Mapping[str, int], total: int | None = None) -> Tree:
        return Tree(self.chain.id, self.distributor.address, epoch, amounts, total)

    def proposal(self, tree: Tree, **changes: Any) -> Proposal:
        fields: dict[str, Any] = {
            "previous_epoch": self.view("active")["epoch"],
            "epoch": tree.epoch,
            "attempt": self.view("pending")["nextAttempt"],
            "root": tree.root,
            "cumulative_total": tree.total,
        }
        return Proposal(**(fields | changes))

    def attest(self, proposal: Proposal, count: int | None = None) -> list[tuple[str, bytes]]:
        digest = self.read("attestationDigest", proposal.encoded())
        signers = ATTESTERS[: self.threshold if count is None else count]
        return [(who.address, bytes(who.unsafe_sign_hash(digest).signature)) for who in signers]

    def proposing(self, tree: Tree, **changes: Any) -> Any:
        """The call that proposes the tree, with as many attestations as are needed."""
        proposal = self.proposal(tree, **changes)
        return self.call.propose(proposal.encoded(), tree.sentinel_proof, self.attest(proposal))

    def propose(self, tree: Tree, **changes: Any) -> Any:
        return self.chain.send(self.proposing(tree, **changes), self.proposer)

    def mature(self) -> None:
        """Go to the first second in which the pending proposal can be activated."""
        at = self.view("pending")["activatableAt"]
        if at > self.chain.now:
            self.chain.travel(to=at)

    def activate(self, epoch: int, attempt: int = 1) -> Any:
        self.mature()
        return self.chain.send(self.call.activate(epoch, attempt), self.outsider)

    def settle(self, epoch: int, amounts: Mapping[str, int], total: int | None = None) -> Tree:
        """Fund, propose, wait, activate."""
        tree = self.tree(epoch, amounts, total)
        rise = tree.total - self.view("active")["cumulativeTotal"]
        if rise > 0:
            self.fund(rise)
        attempt = self.view("pending")["nextAttempt"]
        self.propose(tree)
        self.activate(epoch, attempt)
        return tree

    def claiming(self, tree: Tree, account: str) -> Any:
        amount = tree.amounts[account]
        return self.call.claim(tree.epoch, account, amount, tree.proof(account))

    def claim(self, tree: Tree, account: str) -> Any:
        return self.chain.send(self.claiming(tree, account), self.outsider)

    def balance(self, account: str) -> int:
        return int(self.chain.read(self.token.functions.balanceOf(account)))

    def admin_sends(self, call: Any) -> Any:
        return self.chain.send(call, self.admin)

    def schedule(self, call: Any) -> bytes:
        """Schedule a change; return its id."""
        data = bytes.fromhex(call._encode_transaction_data()[2:])
        self.admin_sends(self.call.schedule(data))
        return keccak(data)

    def change(self, call: Any) -> Any:
        """Schedule a change, wait, make it."""
        ready = self.read("scheduledAt", self.schedule(call))
        self.chain.travel(to=ready)
        return self.admin_sends(call)
