"""How ruleset `wct-1` explains itself: the formulas of the rulebook with one epoch's numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.audit.explain.derivation import Derivation
from rewards.audit.explain.wct1.nodes import NodeExplainer
from rewards.audit.explain.wct1.wallets import WalletExplainer
from rewards.merkle.distribution import Domain
from rewards.rules.wct1.epoch import compute_stages

if TYPE_CHECKING:
    from rewards.audit.explain.derivation import PublishedColumn
    from rewards.rules.records import Address, Inputs, Opening
    from rewards.rules.wct1.policy import Parameters


class WctOneExplainer:
    """Derivations for one epoch."""

    def __init__(self, inputs: Inputs, opening: Opening | None) -> None:
        self.inputs = inputs
        self.opening = opening
        self.parameters: Parameters = inputs.policy.parameters
        self.stages = compute_stages(inputs, opening)
        self.nodes = inputs.nodes or ()
        self.wallets = inputs.wallets or ()
        self._nodes = NodeExplainer(inputs, self.stages)
        self._wallets = WalletExplainer(inputs, self.stages)

    def node(self, position: int) -> Derivation:
        """Return the derivation of a node by its position in id order."""
        return self._nodes.explain(position)

    def wallet(self, position: int) -> Derivation:
        """Return the derivation of a wallet by its position in id order."""
        return self._wallets.explain(position)

    def wallet_column(self, name: str) -> PublishedColumn:
        """Return a column of `wallets.csv`."""
        return self._wallets.column(name)

    def identifier(self, subject: str) -> list[Derivation]:
        """Return the derivations of a node, a wallet, or both."""
        return [
            *(self.node(i) for i, node in enumerate(self.nodes) if node.node_id == subject),
            *(self.wallet(i) for i, w in enumerate(self.wallets) if w.wallet_id == subject),
        ]

    def account(self, account: Address) -> list[Derivation]:
        """Return the derivations of everything that pays into an account, then its ledger."""
        row = next((row for row in self.stages.allocations if row.account == account), None)
        parts = [
            *(self.node(i) for i, n in enumerate(self.nodes) if n.payout_address == account),
            *(self.wallet(i) for i, w in enumerate(self.wallets) if w.payout_address == account),
        ]
        if row is None:
            return parts
        own = Derivation("account", account)
        own.payout_address = account
        adjustments = [a for a in self.inputs.adjustments or () if a.payout_address == account]
        for number, adjustment in enumerate(adjustments, start=1):
            own.facts[f"adjustment {number}"] = (
                f"{adjustment.amount}: {adjustment.reason} (approved by {adjustment.approved_by})"
            )
        earned = own.step(
            "6",
            "earned",
            "sum(node_paid) + sum(wallet_amounts) + sum(positive_adjustments)",
            "wct",
            note="from " + (", ".join(part.subject for part in parts) or "adjustments alone"),
            node_paid=[part.amount for part in parts if part.kind == "node"],
            wallet_amounts=[part.amount for part in parts if part.kind == "wallet"],
            positive_adjustments=[a.amount for a in adjustments if a.amount > 0],
        )
        owed = own.step(
            "6",
            "owed",
            "recovery_in - sum(negative_adjustments)",
            "wct",
            recovery_in=row.recovery_in,
            negative_adjustments=[a.amount for a in adjustments if a.amount < 0],
            note="recovered from it: from before, and by negative adjustments",
        )
        own.amount = own.step(
            "6",
            "epoch_amount",
            "max(earned - owed, 0)",
            "wct",
            expect=row.epoch_amount,
            earned=earned,
            owed=owed,
            note="what this epoch adds",
        )
        own.step(
            "6",
            "recovery_out",
            "max(owed - earned, 0)",
            "wct",
            expect=row.recovery_out,
            note="kept until later epochs have paid it off",
            earned=earned,
            owed=owed,
        )
        own.step(
            "6",
            "cumulative",
            "previous_cumulative + epoch_amount",
            "wct",
            expect=row.cumulative,
            previous_cumulative=row.previous_cumulative,
            epoch_amount=own.amount,
            note="everything ever allotted: the amount in its leaf",
        )
        own.say(
            "In this epoch it earned {earned|wct}, less {owed|wct} that it owed: "
            "{epoch_amount|wct} are added. In all epochs: {cumulative|wct}."
        )
        if row.cumulative:
            settlement = self.inputs.settlement
            domain = Domain(settlement.chain_id, settlement.distributor, self.inputs.header.epoch)
            own.facts["leaf"] = (
                f"({domain.chain_id}, {domain.distributor}, {domain.epoch}, {account}, "
                f"{row.cumulative})"
            )
            own.facts["leaf hash"] = "0x" + domain.leaf_hash(account, row.cumulative).hex()
        return [*parts, own]
