"""Sign, hand in, wait: one transaction after the other, with no memory beyond this process.

Enough for a rehearsal, where the worst case is to start again on a fresh contract. It keeps no
journal, so it must not settle a real epoch: after a crash it could not tell what it had sent.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from eth_utils.currency import from_wei

from rewards.chain.errors import InsufficientFunds, NotConfirmed, Reverted

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from rewards.chain.endpoint import Call, Endpoint, Receipt

RECEIPT_SECONDS = 180
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.05, 2.0


class Sender:
    """One account on one chain. Nothing else may send from the account meanwhile."""

    def __init__(self, endpoint: Endpoint, account: LocalAccount, chain_id: int) -> None:
        """Ask for the account's next nonce.

        Args:
            endpoint: Where transactions are handed in.
            account: Who signs.
            chain_id: What is signed for. It is given, not asked for, so that an endpoint that
                changes its answer gets no signature for another chain than the one agreed to.
        """
        self.endpoint = endpoint
        self.address = str(account.address).lower()
        self.chain_id = chain_id
        self._account = account
        self._nonce = endpoint.next_nonce(self.address)

    def send(self, call: Call) -> Receipt:
        """Send a transaction and return its receipt once it has succeeded.

        Raises:
            Reverted: The contract refuses; where the endpoint estimates, before anything is sent.
            InsufficientFunds: The account cannot pay for the gas.
            NotConfirmed: It was handed in and has no receipt after RECEIPT_SECONDS.
            EndpointTrouble: The endpoint gives no usable answer.
        """
        gas, fees = self.endpoint.gas_limit(call, self.address), self.endpoint.fees()
        self._require_funds(gas * fees.highest)
        signed = self._account.sign_transaction(
            {
                "chainId": self.chain_id,
                "nonce": self._nonce,
                "gas": gas,
                "maxFeePerGas": fees.highest,
                "maxPriorityFeePerGas": fees.tip,
                "value": 0,
                "data": call.data,
                **({} if call.to is None else {"to": bytes.fromhex(call.to[2:])}),
            }
        )
        self._nonce += 1
        self.endpoint.send_raw(bytes(signed.raw_transaction))
        receipt = self._wait(signed.hash.to_0x_hex())
        if not receipt.succeeded:
            self.endpoint.call(call, sender=self.address)  # tells the reason, by reverting again
            raise Reverted("Revert", {"transaction": receipt.transaction})
        return receipt

    def _wait(self, transaction: str) -> Receipt:
        deadline = time.monotonic() + RECEIPT_SECONDS
        pause = FIRST_POLL_SECONDS
        while (receipt := self.endpoint.receipt(transaction)) is None:
            if time.monotonic() > deadline:
                raise NotConfirmed(
                    f"{self.endpoint.name}: transaction {transaction} has no receipt after "
                    f"{RECEIPT_SECONDS} s and may still land; look it up before sending more"
                )
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_POLL_SECONDS)
        return receipt

    def _require_funds(self, cost: int) -> None:
        balance = self.endpoint.balance(self.address)
        if balance < cost:
            raise InsufficientFunds(
                f"{self.endpoint.name}: {self.address} holds {from_wei(balance, 'ether'):f} of the "
                f"chain's coin and the next transaction may cost {from_wei(cost, 'ether'):f}; "
                "send it some (on a test network: from a faucet)"
            )
