"""A small world for the tests of sending: a chain, a token, a distributor, epochs and plans.

The chain mines only when told: the clock of the tests mines a block whenever the program sleeps, so
nothing waits for real time, and every run is the same.
"""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eth_account import Account

from rewards.chain.contract import DISTRIBUTOR, TOKEN, interface
from rewards.chain.distributor import Config, Distributor, Token, claims_of
from rewards.chain.plan import Caps, EpochRange, Plan, PlannedCall, PlannedContract, PlannedToken
from rewards.chain.plan_file import parse_plan, plan_bytes
from rewards.chain.sender import Sender
from rewards.chain.sending.node import Node
from rewards.merkle.distribution import Distribution, Domain
from rewards.merkle.keccak import keccak256
from tests.chain.anvil import KEY, Anvil, _await, executable, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from eth_account.signers.local import LocalAccount

WCT = 10**18
CAPS = Caps(15_000_000, 200 * 10**9, 10 * 10**9, 10**18)
PAYEES = tuple(f"0x77{number:038x}" for number in range(0xA1, 0xA6))
FIRST_EPOCH = 7


@dataclass
class TestClock:
    """Time that stands still until somebody sleeps; then a block is mined for every sleep."""

    __test__ = False

    node: Anvil
    blocks_per_sleep: int = 1
    slept: int = 0
    limit: int = 4_000

    def now(self) -> int:
        """Return the time of the last block."""
        return int(self.node.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def passed(self) -> int:
        """Return what was slept."""
        return self.slept

    def sleep(self, seconds: int) -> None:
        """Mine."""
        self.slept += seconds
        self.node.ask("anvil_mine", hex(self.blocks_per_sleep), "0x2")


@contextmanager
def chain(*, slots: int = 1, chain_id: int = 31337, port: int = 0) -> Iterator[Anvil]:
    """Run a node that mines on demand."""
    port = port or free_port()
    options = [
        *("--port", str(port), "--chain-id", str(chain_id), "--no-mining"),
        *("--slots-in-an-epoch", str(slots), "--base-fee", "1000000000"),
    ]
    with subprocess.Popen([executable(), "--silent", *options]) as process:
        try:
            node = Anvil(f"http://127.0.0.1:{port}")
            _await(node)
            yield node
        finally:
            process.kill()


@dataclass
class World:
    """Contracts on a chain, and the plans for them."""

    node: Anvil
    chain_id: int
    account: LocalAccount
    token: str
    distributor: str
    epochs: dict[int, Distribution] = field(default_factory=dict)

    @classmethod
    def on(
        cls,
        node: Anvil,
        *,
        chain_id: int = 31337,
        delay: int = 1,
        fund: int = 0,
        proposers: tuple[str, ...] = (),
    ) -> World:
        """Deploy a token and a distributor; the sender is proposer, guardian and admin."""
        node.ask("evm_setAutomine", True)
        account = Account.from_key(KEY)
        rpc = Node(node.url)
        sender = Sender(rpc, account, chain_id)
        token = sender.send(Token.deployment()).contract
        assert token
        config = Config(
            token=token,
            treasury=sender.address,
            admin=sender.address,
            initial_epoch=FIRST_EPOCH - 1,
            minimum_delay=1,
            change_delay=1,
            delay=delay,
            reduction_delay=delay,
            threshold=0,
            cap_burst=10**30,
            cap_per_day=10**30,
            proposers=(sender.address, *proposers),
            attesters=(),
            guardians=(sender.address,),
        )
        distributor = sender.send(Distributor.deployment(config)).contract
        assert distributor
        mint = Token(rpc, token).mint(sender.address, 10**6 * WCT)
        sender.send(mint)
        if fund:
            sender.send(Token(rpc, token).mint(distributor, fund))
        rpc.close()
        node.ask("anvil_mine", "0x50", "0x2")
        node.ask("evm_setAutomine", False)
        return cls(node, chain_id, account, token, distributor)

    @property
    def sender(self) -> str:
        return str(self.account.address).lower()

    def distribution(
        self, epoch: int = FIRST_EPOCH, payees: Sequence[str] = PAYEES
    ) -> Distribution:
        """Return an epoch's distribution: each account some more than in the epoch before."""
        if epoch not in self.epochs:
            amounts = [(p, (i + 1) * epoch * WCT) for i, p in enumerate(payees)]
            domain = Domain(self.chain_id, self.distributor, epoch)
            made = Distribution.of(domain, amounts)
            assert made
            self.epochs[epoch] = made
        return self.epochs[epoch]

    def propose(
        self, epoch: int = FIRST_EPOCH, previous: int = 0, attempt: int = 1, **changes: Any
    ) -> Plan:
        """Plan a proposal."""
        tree = self.distribution(epoch)
        manifest = keccak256(b"manifest %d" % epoch)
        proposal = (previous, epoch, attempt, tree.root, tree.cumulative_total, manifest)
        values = (proposal, tree.proof(self.distributor), ())
        return self.plan("propose", values, epoch=epoch, **{"gate": {"ok": True}, **changes})

    def activate(self, epoch: int = FIRST_EPOCH, attempt: int = 1, **changes: Any) -> Plan:
        """Plan an activation."""
        return self.plan("activate", (epoch, attempt), epoch=epoch, **changes)

    def claims(self, epoch: int = FIRST_EPOCH, **changes: Any) -> Plan:
        """Plan all claims of an epoch in one batch."""
        claims = [(c.account, c.cumulative, c.proof) for c in claims_of(self.distribution(epoch))]
        return self.plan("claim_many", (epoch, claims), "claimMany", epoch=epoch, **changes)

    def fund(self, amount: int, **changes: Any) -> Plan:
        """Plan a transfer to the distributor: nothing on chain keeps it from happening twice."""
        call = PlannedCall.of(
            self.token, interface(TOKEN).entry("transfer"), (self.distributor, amount)
        )
        totals = {"amount": amount, "received": self.received()}
        return self.made("fund", (call,), **{"totals": totals, "sender": self.sender, **changes})

    def sweep(self) -> Plan:
        """Plan a sweep of all that the distributor does not owe."""
        rpc = Node(self.node.url)
        amount = Distributor(rpc, self.distributor).sweepable(self.token)
        rpc.close()
        totals = {"amount": amount, "received": self.received()}
        return self.plan("sweep", (self.token,), totals=totals, sender=self.sender)

    def received(self) -> int:
        """Return what the distributor holds, and all that it ever paid."""
        rpc = Node(self.node.url)
        claimed = Distributor(rpc, self.distributor).active().claimed_total
        rpc.close()
        return self.balance(self.distributor) + claimed

    def plan(
        self,
        action: str,
        values: Sequence[Any],
        function: str | None = None,
        *,
        epoch: int | None = None,
        **changes: Any,
    ) -> Plan:
        """Plan one call of the distributor."""
        entry = interface(DISTRIBUTOR).entry(function or action)
        call = PlannedCall.of(self.distributor, entry, values)
        if epoch is not None:
            tree = self.distribution(epoch)
            changes = {
                "epochs": EpochRange(epoch, epoch),
                "merkle_root": "0x" + tree.root.hex(),
                "manifest_hash": "0x" + keccak256(b"manifest %d" % epoch).hex(),
                "totals": {
                    "rise": tree.cumulative_total,
                    "cumulative_total": tree.cumulative_total,
                },
                **changes,
            }
        return self.made(action, (call,), **changes)

    def made(self, action: str, calls: tuple[PlannedCall, ...], **changes: Any) -> Plan:
        """Return a plan with these calls."""
        fields: dict[str, Any] = {
            "action": action,
            "target": "epoch-distributor",
            "chain_id": self.chain_id,
            "epochs": None,
            "ruleset": "wct1",
            "manifest_hash": None,
            "previous_manifest_hash": None,
            "merkle_root": None,
            "files": {},
            "contract": PlannedContract(self.distributor, self._code_hash(self.distributor)),
            "token": PlannedToken(self.token, "WCT", 18, self._code_hash(self.token)),
            "calls": calls,
            "totals": {},
            "caps": CAPS,
            "gate": None,
        }
        plan = Plan(**{**fields, **changes})
        return parse_plan(plan_bytes(plan))

    def _code_hash(self, address: str) -> str:
        code = self.node.ask("eth_getCode", address, "latest")
        return "0x" + keccak256(bytes.fromhex(code[2:])).hex()

    # --- what the chain holds, asked without the program ---------------------------------------

    def balance(self, account: str) -> int:
        """Return an account's tokens, by the latest block."""
        data = "0x70a08231" + account[2:].rjust(64, "0")
        answer = self.node.ask("eth_call", {"to": self.token, "data": data}, "latest")
        return int(answer, 16)

    def send_tokens(self, to: str, amount: int) -> None:
        """Mint tokens to an account, in a block of its own."""
        data = interface(TOKEN).call(self.token, "mint", to, amount).data
        request = {"from": self.sender, "to": self.token, "data": "0x" + data.hex()}
        self.node.ask("eth_sendTransaction", request)
        self.node.ask("anvil_mine", "0x1")

    def burn(self, owner: str, amount: int) -> None:
        """Take tokens from an account, as only a test can, in a block of its own."""
        node = self.node
        node.ask("anvil_impersonateAccount", owner)
        node.ask("anvil_setBalance", owner, hex(10**18))
        data = interface(TOKEN).call(self.token, "transfer", "0x" + "de" * 20, amount).data
        request = {"from": owner, "to": self.token, "data": "0x" + data.hex()}
        node.ask("eth_sendTransaction", request)
        node.ask("anvil_mine", "0x1")
        node.ask("anvil_stopImpersonatingAccount", owner)

    def nonce(self) -> int:
        """Return how many transactions of the sender are mined."""
        return int(self.node.ask("eth_getTransactionCount", self.sender, "latest"), 16)


def foreign(world: World, nonce: int, *, fee: int = 50 * 10**9) -> str:
    """Send something else at a nonce, as a wallet that shares the key would."""
    signed = world.account.sign_transaction(
        {
            "chainId": world.chain_id,
            "nonce": nonce,
            "gas": 21_000,
            "maxFeePerGas": fee,
            "maxPriorityFeePerGas": fee,
            "value": 1,
            "to": bytes.fromhex("11" * 20),
        }
    )
    return str(world.node.ask("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex()))


def path_in(folder: Path) -> Path:
    """Return where a test keeps its journal."""
    return folder / "settlements" / "journal.sqlite3"
