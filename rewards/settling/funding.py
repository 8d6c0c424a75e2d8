"""Where the tokens come from that a proposal will owe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewards.chain.distributor import Token
from rewards.files.outputs import format_wct

if TYPE_CHECKING:
    from rewards.chain.agreement import Sight
    from rewards.chain.endpoint import Call, Endpoint
    from rewards.settling.onchain import Contract


@dataclass(frozen=True, slots=True)
class Funding:
    """What will be owed, and what is there for it; amounts in base units.

    Attributes:
        contract: The distributor.
        outstanding: What will be owed to accounts once the proposal is active.
        held: What the contract holds.
        funder: Who will bring the rest; None where nobody was named.
        funder_balance: What the funder holds.
        allowance: What the sender may take of it; the balance, where the funder sends itself.
    """

    contract: str
    outstanding: int
    held: int
    funder: str | None
    funder_balance: int
    allowance: int

    @property
    def missing(self) -> int:
        """What the contract does not hold yet."""
        return max(self.outstanding - self.held, 0)

    @property
    def is_enough(self) -> bool:
        """Whether the contract and the funder together cover what will be owed."""
        return self.missing <= min(self.funder_balance, self.allowance)

    def in_words(self, symbol: str, rise: int) -> str:
        """Return it for a person, in whole tokens."""
        said = (
            f"the total rises by {format_wct(rise)} {symbol}; {format_wct(self.outstanding)} "
            f"{symbol} will be outstanding, the contract holds {format_wct(self.held)} {symbol}"
        )
        if not self.missing:
            return said
        said += f", {format_wct(self.missing)} {symbol} are missing"
        if self.funder is None:
            return said
        return said + (
            f"; the funder {self.funder} holds {format_wct(self.funder_balance)} {symbol}, of "
            f"which {format_wct(min(self.allowance, self.funder_balance))} {symbol} may be taken"
        )

    def transfer(self, token: Token, sender: str) -> tuple[str, Call]:
        """Return who sends what is missing, and how."""
        if self.funder is None or self.funder == sender:
            return sender, token.transfer(self.contract, self.missing)
        return sender, token.transfer_from(self.funder, self.contract, self.missing)


def read_funding(
    sight: Sight, contract: Contract, outstanding: int, funder: str | None, sender: str
) -> Funding:
    """Return where what will be outstanding comes from."""
    if funder is None:
        return Funding(contract.address, outstanding, contract.balance, None, 0, 0)

    def look(endpoint: Endpoint, at: int) -> tuple[int, int]:
        token = Token(endpoint, contract.token)
        balance = token.balance(funder, at)
        return balance, balance if funder == sender else token.allowance(funder, sender, at)

    balance, allowance = sight.read("funder's balance", look)
    return Funding(contract.address, outstanding, contract.balance, funder, balance, allowance)
