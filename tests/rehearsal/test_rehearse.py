"""The rehearsal on the embedded chain: what must go through does, what must be caught is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rewards.chain.accounts import developer_account
from rewards.chain.distributor import AMOUNT_LIMIT, Distributor, batches, claims_of
from rewards.chain.embedded import DEVELOPER_KEYS, EmbeddedChain
from rewards.chain.errors import EndpointTrouble
from rewards.chain.sender import Sender
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.epoch import compute, publish_epoch
from rewards.files.published import PublishedEpoch
from rewards.merkle.distribution import Distribution
from rewards.rehearsal import epochs as epochs_module
from rewards.rehearsal import rehearse as rehearse_module
from rewards.rehearsal import stage as stage_module
from rewards.rehearsal.epochs import Subject, bind, one_epoch, opening_after
from rewards.rehearsal.folder import RehearsalFolder
from rewards.rehearsal.rehearse import rehearse
from rewards.rehearsal.settling import Settling, bundles, settling_of
from rewards.rules.records import Account, Address, Pools, Window
from tests.builders import (
    DAY,
    END,
    address,
    adjustment,
    header,
    inputs,
    opening,
    second,
    settlement,
    wallet,
)

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.files.epoch import ComputedEpoch
    from rewards.rehearsal.report import Outcome

POOLS = Pools(0, 1000, 0)


def first_epoch(*amounts: int) -> ComputedEpoch:
    rows = tuple(adjustment(address(n), amount) for n, amount in enumerate(amounts, start=1))
    return compute(inputs(adjustments=rows), None)


def next_epoch(before: ComputedEpoch, **amounts: int) -> ComputedEpoch:
    rows = tuple(adjustment(address(int(n[1:])), amount) for n, amount in amounts.items())
    number = before.inputs.header.epoch + 1
    start = END + DAY * (number - 2)
    head = header(epoch=number, genesis=False, window=Window(start, start + DAY))
    return compute(inputs(head=head, adjustments=rows), opening_after(before))


def play(*epochs: ComputedEpoch, out: Path | None = None, **options: Any) -> Outcome:
    chain = EmbeddedChain()
    sender = Sender(chain, developer_account(DEVELOPER_KEYS[0]), chain.chain_id())
    values = {"chain": "a test", "delay": DAY, "out": lambda _: out, **options}
    return rehearse(Subject("a test", epochs), sender, **values)


# --- what goes through ------------------------------------------------------------------------


def test_nobody__nothing_to_settle() -> None:
    outcome = play(first_epoch())
    assert outcome.settled == ()
    assert [use.action for use in outcome.gas] == ["deploy token", "deploy distributor"]
    assert outcome.paid_out == 0


@pytest.mark.parametrize("amounts", [(7,), (7, 5)])
def test_one_and_two_recipients__get_their_amounts(amounts: tuple[int, ...]) -> None:
    outcome = play(first_epoch(*amounts))
    (settled,) = outcome.settled
    assert settled.leaves == len(amounts)
    assert settled.reconciliation.received == sum(amounts)
    assert settled.reconciliation.distributor_balance == 0
    assert settled.reconciliation.outstanding == 0
    assert settled.reconciliation.paid_by_second_claims == 0
    assert settled.reconciliation.sentinel_claim == "NotPayable"
    assert settled.reconciliation.altered_claim == "InvalidProof"
    assert [(p.account, p.amount) for p in outcome.payees] == [
        (address(n), amount) for n, amount in enumerate(amounts, start=1)
    ]


def test_more_than_a_batch__is_claimed_in_batches() -> None:
    outcome = play(first_epoch(*range(1, 152)))
    assert [action.name for action in outcome.settled[0].actions].count("claim") == 2
    assert outcome.settled[0].reconciliation.received == 151 * 152 // 2


def test_wallets_and_amounts__equal_the_own_target() -> None:
    own = compute(
        inputs(head=header(pools=POOLS), wallets=(wallet("a", 200_000), wallet("b", 300_001))),
        None,
    )
    outcome = play(own)
    (bound,) = outcome.bound
    assert bound.result.allocations == own.result.allocations
    assert bound.distribution is not None
    assert own.distribution is not None
    assert bound.distribution.root != own.distribution.root
    assert bound.inputs.settlement == outcome.target
    assert outcome.epochs[0].wallet_pay == 1000


def test_predecessor__epoch_pays_its_own_amounts_alone() -> None:
    ledger = {address(1): Account(100), address(2): Account(50, 3), address(3): Account(0, 9)}
    own = compute(
        inputs(head=second(), adjustments=(adjustment(address(1), 11),)), opening(ledger=ledger)
    )
    outcome = play(own)
    before, settled = outcome.settled
    assert before.settling.is_opening
    assert before.reconciliation.received == 150
    assert settled.reconciliation.received == 11
    assert settled.reconciliation.claimed_total == 161
    assert outcome.paid_out == 11


def test_predecessor_without_amounts__needs_no_opening() -> None:
    own = compute(inputs(head=second(), adjustments=(adjustment(address(1), 11),)), opening())
    assert [settled.settling.epochs for settled in play(own).settled] == [(2,)]


def test_epoch_that_adds_nothing__still_has_a_root_to_settle() -> None:
    first = first_epoch(7)
    outcome = play(first, next_epoch(first))
    assert [settled.reconciliation.received for settled in outcome.settled] == [7, 0]
    assert outcome.settled[1].paid_accounts == 0


def test_bundle__one_proposal_pays_the_sum() -> None:
    first = first_epoch(7)
    two = next_epoch(first, _1=5, _2=3)
    three = next_epoch(two, _2=4, _3=1)
    outcome = play(first, two, three, bundle=2)
    assert [settled.settling.epochs for settled in outcome.settled] == [(1,), (2, 3)]
    assert outcome.settled[1].settling.amounts == {address(1): 5, address(2): 7, address(3): 1}
    assert outcome.settled[1].reconciliation.received == 13
    whole = play(first, two, three, bundle=9)
    assert [settled.settling.epochs for settled in whole.settled] == [(1, 2, 3)]


def test_bundles__cover_every_epoch_once() -> None:
    assert [list(group) for group in bundles(4, 2)] == [[0], [1], [2, 3]]
    assert [list(group) for group in bundles(2, 5)] == [[0, 1]]
    assert bundles(0, 1) == []


def test_payee_who_operates__is_reconciled_too() -> None:
    operator = Address(developer_account(DEVELOPER_KEYS[0]).address.lower())
    own = compute(inputs(adjustments=(adjustment(operator, 5),)), None)
    assert play(own).settled[0].reconciliation.received == 5


def test_twice__writes_the_same_bytes(tmp_path: Path) -> None:
    first = first_epoch(7)
    epochs = (first, next_epoch(first, _1=5))

    def content() -> dict[str, bytes]:
        files = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in files}

    play(*epochs, out=tmp_path / "out")
    before = content()
    play(*epochs, out=tmp_path / "out")
    assert content() == before
    assert {name.rpartition("/")[2] for name in before} >= {
        "rewards.toml",
        "rehearsal.json",
        "000001.json",
        "000002.json",
        "manifest.json",
        "settlement.toml",
    }
    # Other epochs into the same folder: nothing of the earlier ones is left.
    play(first_epoch(8), out=tmp_path / "out")
    left = sorted(path.name for path in (tmp_path / "out" / "epochs").iterdir())
    assert left == ["000001"]
    assert not (tmp_path / "out" / "settlements" / "000002.json").exists()


# --- what is caught ---------------------------------------------------------------------------


def altered(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Have every settling pass through `change` before it is played."""
    true = settling_of

    def wrong(*arguments: Any) -> Settling | None:
        settling = true(*arguments)
        assert settling is not None
        changed: Settling = change(settling)
        return changed

    monkeypatch.setattr(rehearse_module, "settling_of", wrong)


def test_altered_leaves__under_a_root_of_their_own__miss_the_amounts_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def shift(settling: Settling) -> Settling:
        moved = [(address(1), 8), (address(2), 4)]
        distribution = Distribution.of(settling.distribution.domain, moved)
        assert distribution is not None
        return replace(settling, distribution=distribution)

    altered(monkeypatch, shift)
    with pytest.raises(CheckFailed) as failed:
        play(first_epoch(7, 5))
    assert [(f.column, f.value) for f in failed.value.findings] == [
        ("received", "8"),
        ("received", "4"),
    ]
    assert address(1) in str(failed.value)


def test_altered_proof__is_refused_by_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    true = Distribution.proof

    def wrong(self: Distribution, account: str) -> list[bytes]:
        proof = true(self, account)
        return [bytes(32), *proof[1:]] if account == address(2) else proof

    monkeypatch.setattr(Distribution, "proof", wrong)
    # Whoever verifies the published folder would notice first.
    monkeypatch.setattr("rewards.audit.verify.verify_epoch", lambda *_: [])
    with pytest.raises(CheckFailed, match="InvalidProof") as failed:
        play(first_epoch(7, 5))
    assert address(2) in str(failed.value)


def test_altered_amount_in_a_claim__is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    true = claims_of

    def greedy(distribution: Distribution) -> Any:
        first, *rest = true(distribution)
        return [replace(first, cumulative=first.cumulative + 1), *rest]

    monkeypatch.setattr(stage_module, "claims_of", greedy)
    with pytest.raises(CheckFailed, match="InvalidProof"):
        play(first_epoch(7, 5))


def test_lost_claim__shows_in_balance_claimed_and_outstanding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    true = batches

    def lossy(claims: Any) -> Any:
        return [batch[:-1] for batch in true(claims)]

    monkeypatch.setattr(stage_module, "batches", lossy)
    with pytest.raises(CheckFailed) as failed:
        play(first_epoch(7, 5))
    assert {finding.column for finding in failed.value.findings} == {
        "received",
        "claimed",
        "claimed total",
        "outstanding",
        "distributor's balance",
    }


def test_second_claim_that_pays__is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Distributor, "paid_by", lambda *_: 3)
    with pytest.raises(CheckFailed, match="paid by second claims"):
        play(first_epoch(7))


def test_epoch_that_does_not_verify__is_never_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    true = bind

    def damaged(*arguments: Any) -> tuple[ComputedEpoch, ...]:
        (epoch,) = true(*arguments)
        return (replace(epoch, files={**epoch.files, "wallets.csv": b"wallet_id\n"}),)

    monkeypatch.setattr(rehearse_module, "bind", damaged)
    with pytest.raises(CheckFailed, match=r"wallets\.csv"):
        play(first_epoch(7))


def test_amounts_that_depend_on_the_target__are_a_mismatch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def biased(given: Any, before: Any) -> ComputedEpoch:
        return compute(replace(given, adjustments=(adjustment(address(1), 8),)), before)

    subject = Subject("a test", (first_epoch(7),))
    monkeypatch.setattr(epochs_module, "compute", biased)
    with pytest.raises(CheckFailed) as failed:
        bind(subject, settlement(chain_id=1337))
    assert failed.value.findings[0].value == address(1)


def test_more_than_the_contract_can_hold__is_said_before_anything_is_sent() -> None:
    with pytest.raises(CheckFailed, match="can hold"):
        play(first_epoch(AMOUNT_LIMIT))
    outcome = play(first_epoch(AMOUNT_LIMIT - 1))
    assert outcome.paid_out == AMOUNT_LIMIT - 1


def test_clock_that_stands_still__is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EmbeddedChain, "wait_until", lambda *_: None)
    monkeypatch.setattr(stage_module, "CLOCK_PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(stage_module, "CLOCK_NAP_SECONDS", 0.01)
    with pytest.raises(EndpointTrouble, match="clock stays behind"):
        play(first_epoch(7))


def test_folder_of_something_else__is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="is there already"):
        RehearsalFolder(tmp_path).require_free(again=True)
    done = tmp_path / "done"
    play(first_epoch(7), out=done)
    RehearsalFolder(done).require_free(again=True)
    with pytest.raises(InvalidInput, match="receipts"):
        RehearsalFolder(done).require_free(again=False)


def test_one_epoch__from_folders(tmp_path: Path) -> None:
    first = first_epoch(7)
    publish_epoch(first, tmp_path / "first")
    two = next_epoch(first, _2=3)
    publish_epoch(two, tmp_path / "second")
    subject = one_epoch(tmp_path / "second" / "inputs", tmp_path / "first")
    assert subject.epochs[0].files == two.files
    assert subject.opening == PublishedEpoch(tmp_path / "first").opening_for_successor()
