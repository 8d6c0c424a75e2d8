"""Propose, veto, activate: one proposal at a time, on top of the active epoch, never early."""

import pytest
from eth_utils.address import to_checksum_address

from tests.contracts.chain import DAY, ZERO, Chain, World, payees

ANN, BEN, CAT = payees(3)
LAST_LOW = to_checksum_address("0x" + "00" * 18 + "ffff")
LIFETIME = 30 * DAY


def test_first_epoch_is_proposed_activated_and_claimed(world: World) -> None:
    tree = world.settle(1, {ANN: 70, BEN: 30})
    assert world.view("active") == {
        "epoch": 1,
        "root": tree.root,
        "manifestHash": world.proposal(tree).manifest_hash,
        "cumulativeTotal": 100,
        "claimedTotal": 0,
        "outstanding": 100,
    }
    world.claim(tree, ANN)
    assert world.view("active")["claimedTotal"] == 70
    assert world.view("active")["outstanding"] == 30


def test_pending_state_shows_the_proposal(world: World) -> None:
    tree = world.tree(1, {ANN: 70, BEN: 30})
    at = world.chain.now
    world.propose(tree)
    assert world.view("pending") == {
        "status": 1,
        "epoch": 1,
        "attempt": 1,
        "root": tree.root,
        "manifestHash": world.proposal(tree).manifest_hash,
        "cumulativeTotal": 100,
        "activatableAt": at + world.DELAY,
        "lapsesAt": at + world.DELAY + LIFETIME,
        "required": 100,
        "nextAttempt": 2,
    }


def test_nothing_is_pending_after_activation_and_attempts_begin_anew(world: World) -> None:
    world.settle(1, {ANN: 1})
    pending = world.view("pending")
    assert pending["status"] == 0
    assert pending["nextAttempt"] == 1
    assert pending["root"] == bytes(32)


def test_events_tell_the_proposal_and_its_activation(world: World) -> None:
    tree = world.tree(3, {ANN: 5})
    receipt = world.propose(tree)
    (proposed,) = world.distributor.events.Proposed().process_receipt(receipt)
    assert dict(proposed["args"]) == {
        "epoch": 3,
        "attempt": 1,
        "proposer": world.proposer,
        "previousEpoch": 0,
        "root": tree.root,
        "cumulativeTotal": 5,
        "manifestHash": world.proposal(tree).manifest_hash,
        "activatableAt": world.view("pending")["activatableAt"],
    }
    world.fund(5)
    (activated,) = world.distributor.events.Activated().process_receipt(world.activate(3))
    assert dict(activated["args"]) == {
        "epoch": 3,
        "attempt": 1,
        "root": tree.root,
        "cumulativeTotal": 5,
        "manifestHash": world.proposal(tree).manifest_hash,
        "outstanding": 5,
    }


def test_only_a_proposer_proposes(world: World) -> None:
    call = world.proposing(world.tree(1, {ANN: 1}))
    for who in (world.outsider, world.admin, world.guardian):
        assert world.chain.refusal(call, who) == ("MissingRole", 0, who.lower())


def test_previous_epoch_is_compared_and_set(world: World) -> None:
    world.settle(4, {ANN: 1})
    tree = world.tree(5, {ANN: 2})
    for previous in (0, 3, 5):
        call = world.proposing(tree, previous_epoch=previous)
        assert world.chain.refusal(call, world.proposer) == ("WrongPreviousEpoch", previous, 4)


def test_epochs_rise_and_may_be_bundled(world: World) -> None:
    world.settle(4, {ANN: 1})
    for epoch in (0, 3, 4, 405, 2**64, 2**256 - 1):
        call = world.proposing(world.tree(epoch, {ANN: 2}))
        refusal = world.chain.refusal(call, world.proposer)
        assert refusal == ("EpochOutOfRange", epoch, 5, 404)
    world.settle(404, {ANN: 2})
    assert world.view("active")["epoch"] == 404


def test_a_history_may_begin_in_the_middle(chain: Chain) -> None:
    world = World.create(chain, initialEpoch=500)
    assert world.read("initialEpoch") == 500
    for epoch in (1, 500, 901):
        call = world.proposing(world.tree(epoch, {ANN: 2}))
        refusal = world.chain.refusal(call, world.proposer)
        assert refusal == ("EpochOutOfRange", epoch, 501, 900)
    world.settle(501, {ANN: 2})
    assert world.view("active")["epoch"] == 501


def test_one_proposal_at_a_time(world: World) -> None:
    world.propose(world.tree(1, {ANN: 1}))
    for epoch in (1, 2):
        call = world.proposing(world.tree(epoch, {BEN: 1}))
        assert world.chain.refusal(call, world.proposer) == ("AlreadyPending", 1, 1)


def test_the_attempt_must_be_the_next(world: World) -> None:
    tree = world.tree(1, {ANN: 1})
    for attempt in (0, 2):
        call = world.proposing(tree, attempt=attempt)
        assert world.chain.refusal(call, world.proposer) == ("WrongAttempt", attempt, 1)


def test_sentinel_proof_binds_chain_contract_epoch_and_total(world: World) -> None:
    tree = world.tree(1, {ANN: 60, BEN: 40})
    good = world.proposal(tree)
    other = World.create(world.chain, token=world.token).tree(1, {ANN: 60, BEN: 40})
    wrong = [
        (world.proposal(tree, epoch=2), tree.sentinel_proof),
        (world.proposal(tree, cumulative_total=101), tree.sentinel_proof),
        (world.proposal(tree, root=other.root), other.sentinel_proof),
        (good, tree.proof(ANN)),
        (good, tree.sentinel_proof[:-1]),
        (good, []),
    ]
    for proposal, proof in wrong:
        call = world.call.propose(proposal.encoded(), proof, [])
        assert world.chain.refusal(call, world.proposer) == ("InvalidSentinelProof",)


def test_a_tree_of_the_sentinel_alone_is_refused(world: World) -> None:
    call = world.proposing(world.tree(1, {}, total=7))
    assert world.chain.refusal(call, world.proposer) == ("InvalidSentinelProof",)


def test_totals_beyond_128_bits_are_refused(chain: Chain) -> None:
    world = World.create(chain, capBurst=2**128 - 1)
    call = world.proposing(world.tree(1, {ANN: 2**128}))
    refusal = world.chain.refusal(call, world.proposer)
    assert refusal == ("CapExceeded", 2**128, 2**128 - 1)
    world.settle(1, {ANN: 2**128 - 1})
    assert world.view("active")["outstanding"] == 2**128 - 1


def test_never_early(world: World) -> None:
    world.fund(1)
    world.propose(world.tree(1, {ANN: 1}))
    at = world.view("pending")["activatableAt"]
    world.chain.travel(to=at - 1)
    assert world.chain.refusal(world.call.activate(1, 1)) == ("TooEarly", at)
    world.chain.travel(to=at)
    world.chain.send(world.call.activate(1, 1), world.outsider)


def test_activation_names_the_proposal_it_means(world: World) -> None:
    assert world.chain.refusal(world.call.activate(1, 1)) == ("NotPending", 1, 1)
    world.fund(1)
    world.propose(world.tree(1, {ANN: 1}))
    world.mature()
    for epoch, attempt in ((2, 1), (1, 2), (0, 0)):
        refusal = world.chain.refusal(world.call.activate(epoch, attempt))
        assert refusal == ("NotPending", epoch, attempt)
    world.activate(1)
    assert world.chain.refusal(world.call.activate(1, 1)) == ("NotPending", 1, 1)


def test_activation_needs_all_the_money(world: World) -> None:
    tree = world.tree(1, {ANN: 60, BEN: 40})
    world.fund(99)
    world.propose(tree)
    world.mature()
    assert world.chain.refusal(world.call.activate(1, 1)) == ("Underfunded", 99, 100)
    world.fund(1)
    world.activate(1)
    world.claim(tree, ANN)
    world.propose(world.tree(2, {ANN: 61, BEN: 49}))
    world.mature()
    assert world.chain.refusal(world.call.activate(2, 1)) == ("Underfunded", 40, 50)


def test_an_unfundable_proposal_lapses(world: World) -> None:
    world.propose(world.tree(1, {ANN: 1}))
    lapses = world.view("pending")["lapsesAt"]
    world.chain.travel(to=lapses)
    assert world.view("pending")["status"] == 1
    assert world.chain.refusal(world.call.activate(1, 1))[0] == "Underfunded"
    world.chain.travel(to=lapses + 1)
    assert world.view("pending")["status"] == 3
    assert world.chain.refusal(world.call.activate(1, 1)) == ("NotPending", 1, 1)
    call = world.call.veto(1, 1, "late")
    assert world.chain.refusal(call, world.guardian) == ("NotPending", 1, 1)
    world.settle(1, {BEN: 2})
    assert world.view("active")["cumulativeTotal"] == 2


def test_a_vetoed_root_stays_dead_and_the_next_attempt_lives(world: World) -> None:
    bad, good = world.tree(1, {ANN: 1}), world.tree(1, {BEN: 1})
    world.fund(1)
    world.propose(bad)
    receipt = world.chain.send(world.call.veto(1, 1, "wrong payee"), world.guardian)
    (vetoed,) = world.distributor.events.Vetoed().process_receipt(receipt)
    assert vetoed["args"]["reason"] == "wrong payee"
    assert world.view("pending")["status"] == 2
    world.mature()
    assert world.chain.refusal(world.call.activate(1, 1)) == ("NotPending", 1, 1)
    again = world.proposing(bad, attempt=1)
    assert world.chain.refusal(again, world.proposer) == ("WrongAttempt", 1, 2)
    world.propose(good)
    late = world.call.veto(1, 1, "wrong payee")
    assert world.chain.refusal(late, world.second_guardian) == ("NotPending", 1, 1)
    world.activate(1, 2)
    assert world.view("active")["root"] == good.root


def test_only_a_guardian_vetoes(world: World) -> None:
    world.propose(world.tree(1, {ANN: 1}))
    for who in (world.outsider, world.admin, world.proposer):
        refusal = world.chain.refusal(world.call.veto(1, 1, ""), who)
        assert refusal == ("MissingRole", 2, who.lower())


def test_a_vetoed_attempt_may_be_followed_by_another_epoch(world: World) -> None:
    world.propose(world.tree(5, {ANN: 1}))
    world.chain.send(world.call.veto(5, 1, ""), world.guardian)
    world.settle(2, {ANN: 1})
    assert world.view("active")["epoch"] == 2
    assert world.view("pending")["status"] == 0


def test_a_falling_total_waits_longer_and_stops_at_what_is_claimed(world: World) -> None:
    first = world.settle(1, {ANN: 60, BEN: 40})
    world.claim(first, ANN)
    call = world.proposing(world.tree(2, {ANN: 30, BEN: 29}))
    assert world.chain.refusal(call, world.proposer) == ("TotalBelowClaimed", 59, 60)
    at = world.chain.now
    world.propose(world.tree(2, {ANN: 60, BEN: 10}))
    assert world.view("pending")["activatableAt"] == at + world.REDUCTION_DELAY
    world.activate(2)
    assert world.view("active")["outstanding"] == 10
    assert world.read("sweepable", world.token.address) == 30


def test_claims_may_overtake_a_falling_total(world: World) -> None:
    first = world.settle(1, {ANN: 60, BEN: 40})
    world.propose(world.tree(2, {ANN: 50, BEN: 40}))
    world.claim(first, ANN)
    world.claim(first, BEN)
    world.mature()
    assert world.chain.refusal(world.call.activate(2, 1)) == ("TotalBelowClaimed", 90, 100)


def test_the_cap_bounds_one_rise_and_any_span(world: World) -> None:
    burst, per_day = world.BURST, world.PER_DAY
    assert world.read("capAvailable", world.chain.now) == burst
    call = world.proposing(world.tree(1, {ANN: burst + 1}))
    assert world.chain.refusal(call, world.proposer) == ("CapExceeded", burst + 1, burst)
    world.settle(1, {ANN: burst})
    used_at = world.chain.w3.eth.get_block("latest")["timestamp"]
    # Checked as of the activation: what drains during the delay may be used.
    drained = per_day * (world.chain.now + world.DELAY - used_at) // DAY
    for rise in (drained + per_day // DAY, drained + burst):
        call = world.proposing(world.tree(2, {ANN: burst + rise}))
        assert world.chain.refusal(call, world.proposer)[0] == "CapExceeded"
    assert world.read("capAvailable", used_at) == 0
    assert world.read("capAvailable", used_at - 1) == 0
    assert world.read("capAvailable", used_at + DAY) == per_day
    assert world.read("capAvailable", used_at + 10 * DAY - 1) < burst
    assert world.read("capAvailable", used_at + 10 * DAY) == burst
    assert world.read("capAvailable", used_at + 1000 * DAY) == burst
    world.settle(2, {ANN: burst + drained})


def test_what_is_vetoed_or_falls_uses_no_cap(world: World) -> None:
    world.propose(world.tree(1, {ANN: world.BURST}))
    world.chain.send(world.call.veto(1, 1, ""), world.guardian)
    assert world.read("capAvailable", world.chain.now) == world.BURST
    world.settle(1, {ANN: 100})
    used = world.read("capAvailable", world.chain.now)
    world.settle(2, {ANN: 50})
    assert world.read("capAvailable", world.chain.now) >= used


@pytest.mark.parametrize("tightened", [(0, 0), (5, 0)])
def test_a_tightened_cap_does_not_touch_a_pending_proposal(
    world: World, tightened: tuple[int, int]
) -> None:
    world.settle(1, {ANN: world.BURST})
    world.chain.travel(to=world.chain.now + 5 * DAY)
    world.fund(world.BURST // 2)
    world.propose(world.tree(2, {ANN: world.BURST * 3 // 2}))
    world.admin_sends(world.call.setCap(*tightened))
    world.activate(2)
    assert world.view("active")["cumulativeTotal"] == world.BURST * 3 // 2
    assert world.read("capAvailable", world.chain.now) == 0


def test_a_use_beyond_128_bits_does_not_stop_an_activation(chain: Chain) -> None:
    half, full = 2**127, 2**128 - 1
    world = World.create(chain, capBurst=full, capPerDay=0, delay=DAY, reductionDelay=DAY)
    for epoch, total in ((1, half), (2, 1), (3, half), (4, 1)):
        world.settle(epoch, {ANN: total})
    assert world.read("capAvailable", chain.now) == 0
    world.change(world.call.setCap(full, half))
    world.fund(half)
    world.propose(world.tree(5, {ANN: half}))
    world.admin_sends(world.call.setCap(full, 0))
    world.activate(5)
    assert world.read("capAvailable", chain.now) == 0


def test_settings_of_the_proposal_hold_for_it(world: World) -> None:
    world.fund(1)
    world.propose(world.tree(1, {ANN: 1}))
    at = world.view("pending")["activatableAt"]
    world.admin_sends(world.call.setDelays(DAY, DAY))
    world.admin_sends(world.call.setThreshold(3))
    world.admin_sends(world.call.setProposer(world.proposer, False))
    assert world.view("pending")["activatableAt"] == at
    world.activate(1)


UINT128 = "SafeCastOverflowedUintDowncast"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"token": payees(1)[0]}, "NotAToken"),
        ({"treasury": ZERO}, "NotPayable"),
        ({"treasury": LAST_LOW}, "NotPayable"),
        ({"admin": ZERO}, "ZeroAddress"),
        ({"guardians": [ZERO]}, "ZeroAddress"),
        ({"minimumDelay": 0}, "InvalidDelays"),
        ({"delay": 59}, "InvalidDelays"),
        ({"delay": 1201}, "InvalidDelays"),
        ({"reductionDelay": 14 * DAY + 1}, "InvalidDelays"),
        ({"changeDelay": 59}, "InvalidDelays"),
        ({"changeDelay": 30 * DAY + 1}, "InvalidDelays"),
        ({"threshold": 4}, "ThresholdAboveAttesters"),
        ({"capBurst": 2**128}, UINT128),
        ({"capPerDay": 2**128}, UINT128),
        ({"initialEpoch": 2**48}, UINT128),
        ({"proposers": payees(1) * 2}, "RoleUnchanged"),
    ],
)
def test_construction_checks_its_arguments(
    world: World, changes: dict[str, object], error: str
) -> None:
    config = World.config(world.chain, world.token.address, **changes)
    creation = world.chain.creation("EpochDistributor", tuple(config.values()))
    assert world.chain.refusal(creation)[0] == error


def test_the_token_is_no_treasury(world: World) -> None:
    token = world.token.address
    config = World.config(world.chain, token, treasury=token)
    creation = world.chain.creation("EpochDistributor", tuple(config.values()))
    assert world.chain.refusal(creation) == ("NotPayable", token.lower())
