"""Brakes and settings: tightening at once, loosening after a delay, nobody freezes for ever."""

from typing import Any

import pytest
from web3.logs import DISCARD

from tests.contracts.chain import ATTESTERS, DAY, ZERO, World, key_account, payees

ANN, BEN = payees(2)
PAUSE = 14 * DAY
WINDOW = 14 * DAY
PROPOSER, ATTESTER, GUARDIAN = range(3)


# ---------------------------------------------------------------------------------------- pauses


def test_claims_and_activation_pause_apart(world: World) -> None:
    """So a bad active root can be replaced while claims rest."""
    bad = world.settle(1, {ANN: 10})
    at = world.chain.now
    world.chain.send(world.call.pause(True, False), world.guardian)
    settings = world.view("settings")
    assert settings["claimsPausedUntil"] == at + PAUSE
    assert settings["activationPausedUntil"] == 0
    good = world.settle(2, {BEN: 10})
    assert world.chain.refusal(world.claiming(bad, ANN))[0] == "ClaimsPaused"
    assert world.view("active")["root"] == good.root


def test_activation_pause_ends_by_itself(world: World) -> None:
    world.fund(1)
    world.propose(world.tree(1, {ANN: 1}))
    at = world.chain.now
    receipt = world.chain.send(world.call.pause(False, True), world.guardian)
    (paused,) = world.distributor.events.Paused().process_receipt(receipt)
    assert dict(paused["args"]) == {
        "guardian": world.guardian,
        "claims": False,
        "activation": True,
        "until": at + PAUSE,
    }
    world.chain.travel(to=at + PAUSE - 1)
    assert world.chain.refusal(world.call.activate(1, 1)) == ("ActivationPaused", at + PAUSE)
    world.chain.travel(to=at + PAUSE)
    world.chain.send(world.call.activate(1, 1))


@pytest.mark.parametrize("kinds", [(True, False), (False, True), (True, True)])
def test_a_guardian_must_rest_as_long_as_its_pause(world: World, kinds: tuple[bool, bool]) -> None:
    at = world.chain.now
    world.chain.send(world.call.pause(*kinds), world.guardian)
    rested = at + 2 * PAUSE
    assert world.read("restsUntil", world.guardian) == [rested * kind for kind in kinds]
    for moment in (at + 1, at + PAUSE, rested - 1):
        if moment > world.chain.now:
            world.chain.travel(to=moment)
        refusal = world.chain.refusal(world.call.pause(*kinds), world.guardian)
        assert refusal == ("MustRest", rested)
    world.chain.travel(to=rested)
    world.chain.send(world.call.pause(*kinds), world.guardian)


def test_the_other_kind_and_the_other_guardian_are_free(world: World) -> None:
    world.chain.send(world.call.pause(True, False), world.guardian)
    world.chain.send(world.call.pause(False, True), world.guardian)
    world.chain.send(world.call.pause(True, True), world.second_guardian)


def test_a_stolen_admin_key_cannot_keep_holders_from_claiming(world: World) -> None:
    """It appoints guardians of its own; they stop settlement at once, claims only after a while."""
    tree = world.settle(1, {ANN: 60, BEN: 40})
    thief = world.outsider
    world.schedule(world.call.retire())
    at = world.chain.now
    world.admin_sends(world.call.setGuardian(thief, True))
    free = at + world.CHANGE_DELAY
    assert world.read("restsUntil", thief) == [free, 0]
    for kinds in ((True, False), (True, True)):
        assert world.chain.refusal(world.call.pause(*kinds), thief) == ("MustRest", free)
    world.chain.send(world.call.pause(False, True), thief)
    world.chain.travel(to=free - 9)
    world.claim(tree, ANN)
    world.claim(tree, BEN)
    assert (world.balance(ANN), world.balance(BEN)) == (60, 40)
    world.chain.travel(to=free - 1)
    assert world.chain.refusal(world.call.pause(True, False), thief) == ("MustRest", free)
    world.chain.travel(to=free)
    world.chain.send(world.call.pause(True, False), thief)


def test_a_new_grant_does_not_shorten_a_guardians_rest(world: World) -> None:
    world.chain.send(world.call.pause(True, False), world.guardian)
    (rested, _) = world.read("restsUntil", world.guardian)
    world.change(world.call.setGuardian(world.guardian, False))
    world.admin_sends(world.call.setGuardian(world.guardian, True))
    (now_rested, _) = world.read("restsUntil", world.guardian)
    assert now_rested == max(rested, world.chain.now - 1 + world.CHANGE_DELAY)
    assert now_rested >= rested


def test_the_admin_lifts_pauses_at_once_and_rest_remains(world: World) -> None:
    world.chain.send(world.call.pause(True, True), world.guardian)
    for who in (world.guardian, world.outsider):
        refusal = world.chain.refusal(world.call.unpause(True, True), who)
        assert refusal == ("NotAdmin", who.lower())
    world.admin_sends(world.call.unpause(False, True))
    assert world.view("settings")["activationPausedUntil"] == 0
    assert world.view("settings")["claimsPausedUntil"] > world.chain.now
    world.admin_sends(world.call.unpause(True, False))
    assert world.view("settings")["claimsPausedUntil"] == 0
    refusal = world.chain.refusal(world.call.pause(True, False), world.guardian)
    assert refusal[0] == "MustRest"


def test_pausing_is_for_guardians_and_pauses_something(world: World) -> None:
    refusal = world.chain.refusal(world.call.pause(True, True), world.admin)
    assert refusal == ("MissingRole", GUARDIAN, world.admin.lower())
    refusal = world.chain.refusal(world.call.pause(False, False), world.guardian)
    assert refusal == ("NothingToPause",)


# --------------------------------------------------------------------------- settings and roles


def loosening(world: World) -> list[Any]:
    call, someone = world.call, payees(1)[0]
    return [
        call.setProposer(someone, True),
        call.setAttester(someone, True),
        call.setGuardian(world.guardian, False),
        call.setDelays(world.DELAY - 1, world.REDUCTION_DELAY),
        call.setDelays(world.DELAY, world.REDUCTION_DELAY - 1),
        call.setDelays(world.DELAY + 1, world.REDUCTION_DELAY - 1),
        call.setThreshold(1),
        call.setCap(world.BURST + 1, 0),
        call.setCap(0, world.PER_DAY + 1),
        call.transferAdmin(someone),
        call.retire(),
    ]


def test_loosening_waits_for_its_schedule(attested: World) -> None:
    for call in loosening(attested):
        taken = attested.chain.tester.take_snapshot()
        assert attested.chain.refusal(call, attested.admin)[0] == "NotScheduled"
        change = attested.schedule(call)
        ready = attested.read("scheduledAt", change)
        assert ready == attested.chain.now - 1 + attested.CHANGE_DELAY
        attested.chain.travel(to=ready - 1)
        refusal = attested.chain.refusal(call, attested.admin)
        assert refusal == ("ChangeNotReady", change, ready)
        attested.chain.travel(to=ready)
        assert attested.chain.refusal(call, attested.guardian)[0] == "NotAdmin"
        receipt = attested.admin_sends(call)
        assert attested.distributor.events.ChangeExecuted().process_receipt(receipt, DISCARD)
        assert attested.read("scheduledAt", change) == 0
        attested.chain.tester.revert_to_snapshot(taken)


def test_a_schedule_is_for_one_use_and_lapses(world: World) -> None:
    call = world.call.setCap(world.BURST + 1, world.PER_DAY)
    world.change(call)
    world.admin_sends(world.call.setCap(0, 0))
    assert world.chain.refusal(call, world.admin)[0] == "NotScheduled"
    change = world.schedule(call)
    ready = world.read("scheduledAt", change)
    world.chain.travel(to=ready + WINDOW)
    world.chain.read(call, world.admin)
    again = world.call.schedule(bytes.fromhex(call._encode_transaction_data()[2:]))
    refusal = world.chain.refusal(again, world.admin)
    assert refusal == ("AlreadyScheduled", change, ready)
    world.chain.travel(to=ready + WINDOW + 1)
    refusal = world.chain.refusal(call, world.admin)
    assert refusal == ("ChangeLapsed", change, ready + WINDOW)
    world.change(call)


def test_only_the_exact_call_is_let_through(world: World) -> None:
    scheduled = world.call.setCap(world.BURST + 1, world.PER_DAY)
    world.chain.travel(to=world.read("scheduledAt", world.schedule(scheduled)))
    other = world.call.setCap(world.BURST + 2, world.PER_DAY)
    assert world.chain.refusal(other, world.admin)[0] == "NotScheduled"


def test_guardians_cancel_all_but_changes_of_guardians(world: World) -> None:
    harmful = [
        world.schedule(world.call.setCap(world.BURST + i, world.PER_DAY)) for i in range(1, 5)
    ]
    removal = world.schedule(world.call.setGuardian(world.guardian, False))
    unknown = bytes(32)
    refusal = world.chain.refusal(world.call.cancel([unknown]), world.guardian)
    assert refusal == ("NothingToCancel",)
    refusal = world.chain.refusal(world.call.cancel([*harmful, removal]), world.guardian)
    assert refusal == ("GuardianChange", removal)
    refusal = world.chain.refusal(world.call.cancel(harmful), world.outsider)
    assert refusal == ("MissingRole", GUARDIAN, world.outsider.lower())
    # The admin cannot save the others by withdrawing one just before.
    world.admin_sends(world.call.cancel([harmful[0]]))
    world.chain.send(world.call.cancel([*harmful, unknown]), world.guardian)
    assert [world.read("scheduledAt", change) for change in harmful] == [0] * 4
    assert world.read("scheduledAt", removal) > 0
    world.admin_sends(world.call.cancel([removal]))


def test_scheduling_is_for_the_admin(world: World) -> None:
    refusal = world.chain.refusal(world.call.schedule(b"anything"), world.guardian)
    assert refusal == ("NotAdmin", world.guardian.lower())


def test_tightening_is_immediate(attested: World) -> None:
    someone = payees(1)[0]
    for call in (
        attested.call.setProposer(attested.proposer, False),
        attested.call.setAttester(ATTESTERS[0].address, False),
        attested.call.setGuardian(someone, True),
        attested.call.setDelays(attested.DELAY + 1, attested.REDUCTION_DELAY + 1),
        attested.call.setThreshold(2),
        attested.call.setCap(attested.BURST - 1, attested.PER_DAY - 1),
        attested.call.transferAdmin(ZERO),
    ):
        assert attested.chain.refusal(call, attested.outsider)[0] == "NotAdmin"
        attested.admin_sends(call)
    assert not attested.read("hasRole", PROPOSER, attested.proposer)
    assert not attested.read("hasRole", ATTESTER, ATTESTERS[0].address)
    assert attested.read("hasRole", GUARDIAN, someone)
    settings = attested.view("settings")
    assert settings["delay"] == attested.DELAY + 1
    assert settings["reductionDelay"] == attested.REDUCTION_DELAY + 1
    assert (settings["threshold"], settings["attesterCount"]) == (2, 2)
    assert settings["capBurst"] == attested.BURST - 1
    assert settings["capPerDay"] == attested.PER_DAY - 1


def test_settings_stay_within_bounds(world: World) -> None:
    for delays in ((59, 60), (600, 14 * DAY + 1), (1300, 1200), (2**32, 2**32)):
        call = world.call.setDelays(*delays)
        if delays[0] < world.DELAY or delays[1] < world.REDUCTION_DELAY:
            world.chain.travel(to=world.read("scheduledAt", world.schedule(call)))
        assert world.chain.refusal(call, world.admin) == ("InvalidDelays",)
    refusal = world.chain.refusal(world.call.setThreshold(4), world.admin)
    assert refusal == ("ThresholdAboveAttesters", 4, 3)


def test_roles_change_only_what_differs(world: World) -> None:
    call = world.call.setGuardian(world.guardian, True)
    refusal = world.chain.refusal(call, world.admin)
    assert refusal == ("RoleUnchanged", GUARDIAN, world.guardian.lower())
    refusal = world.chain.refusal(world.call.setGuardian(ZERO, True), world.admin)
    assert refusal == ("ZeroAddress",)
    world.admin_sends(world.call.setGuardian(world.proposer, True))
    assert world.read("hasRole", PROPOSER, world.proposer)
    world.change(world.call.setGuardian(world.proposer, False))
    assert world.read("hasRole", PROPOSER, world.proposer)


def test_revoking_attesters_below_the_threshold_stops_proposals(attested: World) -> None:
    for who in ATTESTERS[:2]:
        attested.admin_sends(attested.call.setAttester(who.address, False))
    settings = attested.view("settings")
    assert (settings["threshold"], settings["attesterCount"]) == (2, 1)
    attested.change(attested.call.setAttester(key_account(5).address, True))
    assert attested.view("settings")["attesterCount"] == 2


def test_a_cap_change_keeps_what_is_used(world: World) -> None:
    world.settle(1, {ANN: world.BURST})
    world.chain.travel(to=world.chain.now + DAY)
    drained = world.read("capAvailable", world.chain.now)
    world.admin_sends(world.call.setCap(world.BURST, 0))
    assert world.read("capAvailable", world.chain.now + 100 * DAY) == drained
    world.change(world.call.setCap(world.BURST, world.PER_DAY * 100))
    now = world.chain.w3.eth.get_block("latest")["timestamp"]
    assert world.read("capAvailable", now) == drained
    world.admin_sends(world.call.setCap(0, 0))
    assert world.read("capAvailable", world.chain.now) == 0


def test_the_admin_hands_over_in_two_steps(world: World) -> None:
    heir = world.chain.accounts[8]
    refusal = world.chain.refusal(world.call.acceptAdmin(), heir)
    assert refusal == ("NotPendingAdmin", heir.lower())
    world.change(world.call.transferAdmin(heir))
    assert world.view("settings")["pendingAdmin"] == heir
    assert world.view("settings")["admin"] == world.admin
    world.admin_sends(world.call.transferAdmin(ZERO))
    assert world.chain.refusal(world.call.acceptAdmin(), heir)[0] == "NotPendingAdmin"
    world.change(world.call.transferAdmin(heir))
    receipt = world.chain.send(world.call.acceptAdmin(), heir)
    (event,) = world.distributor.events.AdminTransferred().process_receipt(receipt)
    assert dict(event["args"]) == {"previousAdmin": world.admin, "admin": heir}
    assert world.view("settings")["pendingAdmin"] == ZERO
    refusal = world.chain.refusal(world.call.setCap(0, 0), world.admin)
    assert refusal == ("NotAdmin", world.admin.lower())
    world.chain.send(world.call.setCap(0, 0), heir)


# ------------------------------------------------------------------------- sweep and retirement


def test_sweep_takes_only_the_surplus_to_the_treasury(world: World) -> None:
    asset = world.token.address
    refusal = world.chain.refusal(world.call.sweep(asset), world.outsider)
    assert refusal == ("NotAdmin", world.outsider.lower())
    assert world.chain.refusal(world.call.sweep(asset), world.admin) == (
        "NothingToSweep",
        asset.lower(),
    )
    tree = world.settle(1, {ANN: 60, BEN: 40})
    assert world.chain.refusal(world.call.sweep(asset), world.admin)[0] == "NothingToSweep"
    world.fund(7)
    world.claim(tree, ANN)
    assert (world.read("reserved"), world.read("sweepable", asset)) == (40, 7)
    receipt = world.admin_sends(world.call.sweep(asset))
    (swept,) = world.distributor.events.Swept().process_receipt(receipt, DISCARD)
    assert dict(swept["args"]) == {"token": asset, "amount": 7}
    assert world.balance(world.treasury) == 7
    world.claim(tree, BEN)


def test_sweep_leaves_what_a_pending_proposal_needs(world: World) -> None:
    asset = world.token.address
    world.settle(1, {ANN: 60})
    world.fund(50)
    world.propose(world.tree(2, {ANN: 60, BEN: 40}))
    assert (world.read("reserved"), world.read("sweepable", asset)) == (100, 10)
    world.chain.send(world.call.veto(2, 1, ""), world.guardian)
    assert (world.read("reserved"), world.read("sweepable", asset)) == (60, 50)
    world.propose(world.tree(2, {ANN: 10}))  # a fall reserves what is outstanding until then
    assert world.read("reserved") == 60
    world.activate(2, 2)
    assert world.read("reserved") == 10


def test_sweep_returns_other_tokens_whole(world: World) -> None:
    world.settle(1, {ANN: 60})
    other = world.chain.deploy("TestToken")
    world.chain.send(other.functions.mint(world.distributor.address, 9))
    world.admin_sends(world.call.sweep(other.address))
    assert world.chain.read(other.functions.balanceOf(world.treasury)) == 9


def test_retirement_makes_claims_final_and_returns_the_rest(world: World) -> None:
    tree = world.settle(1, {ANN: 60, BEN: 40})
    world.claim(tree, ANN)
    world.propose(world.tree(2, {ANN: 61, BEN: 40}))
    world.schedule(world.call.retire())
    world.mature()
    world.chain.travel(to=world.chain.now + world.CHANGE_DELAY)
    receipt = world.admin_sends(world.call.retire())
    (retired,) = world.distributor.events.Retired().process_receipt(receipt, DISCARD)
    assert dict(retired["args"]) == {"epoch": 1, "cumulativeTotal": 100, "claimedTotal": 60}
    assert world.view("settings")["retired"]
    assert world.view("pending")["status"] == 0
    active = world.view("active")
    assert (active["claimedTotal"], active["outstanding"]) == (60, 0)
    gone = ("AlreadyRetired",)
    assert world.chain.refusal(world.claiming(tree, BEN)) == gone
    assert world.chain.refusal(world.call.claimMany(1, [])) == gone
    assert world.chain.refusal(world.call.activate(2, 1)) == gone
    call = world.proposing(world.tree(2, {ANN: 61}), attempt=1)
    assert world.chain.refusal(call, world.proposer) == gone
    assert world.chain.refusal(world.call.retire(), world.admin) == gone
    assert world.chain.refusal(world.call.veto(2, 1, ""), world.guardian)[0] == "NotPending"
    world.admin_sends(world.call.sweep(world.token.address))
    assert world.balance(world.treasury) == 40


def test_a_successor_starts_from_cumulative_minus_claimed(world: World) -> None:
    amounts = {ANN: 60, BEN: 40}
    world.claim(world.settle(7, amounts), ANN)
    world.change(world.call.retire())
    left = {who: amount - world.read("claimed", who) for who, amount in amounts.items()}
    successor = World.create(world.chain, token=world.token, initialEpoch=7)
    tree = successor.settle(8, {who: amount for who, amount in left.items() if amount})
    successor.claim(tree, BEN)
    assert (successor.balance(ANN), successor.balance(BEN)) == (60, 40)
