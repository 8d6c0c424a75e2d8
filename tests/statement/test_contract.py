"""The statement by program against the contract itself, claimed in part on an embedded chain."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from rewards.audit.statement import Receipt, document_of, statement_of
from rewards.chain.accounts import developer_account
from rewards.chain.distributor import claims_of
from rewards.chain.embedded import DEVELOPER_KEYS, EmbeddedChain
from rewards.chain.sender import Sender
from rewards.chain.settlement_check import position_through
from rewards.files.epoch import publish_epoch
from rewards.files.published import PublishedEpoch
from rewards.files.season import Season
from rewards.rehearsal.epochs import bind, whole_season
from rewards.rehearsal.settling import settling_of
from rewards.rehearsal.stage import Stage
from rewards.sample import copy_season

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rewards.files.epoch import ComputedEpoch

RECOVERED = "0x7e93df1428605571eb0edca13286240cec1d9241"


class Claimed:
    """Epochs 1 to 4 of the sample season, settled two by two and claimed in part.

    Attributes:
        folders: The epochs as published for the contract.
        through: The last epoch whose distribution each account has claimed from.
        position: What the contract says at the end.
    """

    def __init__(self, root: Path) -> None:
        copy_season(root / "season")
        epochs = whole_season(Season.open(root / "season"))
        chain = EmbeddedChain()
        sender = Sender(chain, developer_account(DEVELOPER_KEYS[0]), chain.chain_id())
        self.stage = Stage(sender, delay=1)
        funding = sum(row.cumulative for row in epochs.epochs[3].result.allocations)
        bound = bind(epochs, self.stage.deploy(initial_epoch=0, funding=funding))[:4]
        self.stage.fund(funding)
        self.folders = [root / f"{number}" for number in range(1, 5)]
        for epoch, folder in zip(bound, self.folders, strict=True):
            publish_epoch(epoch, folder)
        self.through: dict[str, int] = {}
        self.settle(bound[:2], every=2)
        self.settle(bound, every=3)
        position, findings = position_through(PublishedEpoch(self.folders[-1]), [chain])
        assert position is not None
        assert findings == []
        active = position.active
        self.position = Receipt(
            "the chain",
            active.epoch,
            active.cumulative_total,
            active.claimed_total,
            position.balance,
            position.claims,
        )

    def settle(self, epochs: Sequence[ComputedEpoch], every: int) -> None:
        """Activate the last of some epochs; every so-manieth account claims."""
        settling = settling_of(epochs, epochs)
        assert settling is not None
        self.stage._propose(settling)
        self.stage._activate(settling)
        claims = claims_of(settling.distribution)[::every]
        assert list(self.stage._claim(settling, claims))
        self.through |= {claim.account: len(epochs) for claim in claims}


@pytest.fixture(scope="module")
def claimed(tmp_path_factory: pytest.TempPathFactory) -> Claimed:
    return Claimed(tmp_path_factory.mktemp("contract"))


def test_claimed_nodes__are_what_nodes_csv_paid_up_to_each_claim(claimed: Claimed) -> None:
    statement = statement_of(claimed.folders, claimed.position)
    assert not statement.findings
    # It claimed epoch 2; what epoch 3 pays it is wholly set off, so there is nothing to claim.
    through = claimed.through | {RECOVERED: 3}
    assert claimed.through[RECOVERED] == 2
    paid = 0
    for number, folder in enumerate(claimed.folders, start=1):
        with (folder / "nodes.csv").open(newline="") as handle:
            paid += sum(
                int(row["paid"])
                for row in csv.DictReader(handle)
                if through.get(row["payout_address"], 0) >= number
            )
    document = document_of(statement)
    assert document["attribution"]["claims_within_an_epoch"] == "0"
    assert document["positions"]["nodes"]["claimed"] == str(paid)
    assert document["positions"]["total"]["funded"] == document["settlement"]["funded"]
    assert int(document["positions"]["nodes"]["open"]) > 0
    assert set(claimed.through.values()) == {2, 4}


@pytest.mark.parametrize("first", [1, 2, 3, 4])
def test_every_range__ties_with_the_contract(claimed: Claimed, first: int) -> None:
    before, folders = claimed.folders[: first - 1], claimed.folders[first - 1 :]
    for earlier in (before, []):
        statement = statement_of(folders, claimed.position, earlier)
        assert not statement.findings
        assert sum(statement.closing.total.claimed or ()) == claimed.position.claimed
