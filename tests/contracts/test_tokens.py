"""Tokens that behave unlike a plain ERC-20: refused by name, or handled."""

from tests.contracts.chain import ERRORS, Chain, World, payees

ANN, BEN = payees(2)


def test_a_token_that_returns_false_pays_nobody_and_reverts(chain: Chain) -> None:
    world = World.create(chain, token=chain.deploy("test/FalseToken"))
    tree = world.settle(1, {ANN: 60, BEN: 40})
    refusal = chain.refusal(world.claiming(tree, ANN))
    assert refusal == ("SafeERC20FailedOperation", world.token.address.lower())
    assert world.read("claimed", ANN) == 0
    assert world.view("active")["outstanding"] == 100


def test_a_fee_on_transfer_is_borne_by_the_receiver(chain: Chain) -> None:
    world = World.create(chain, token=chain.deploy("test/FeeToken"))
    tree = world.settle(1, {ANN: 1000, BEN: 500})
    world.claim(tree, ANN)
    assert (world.balance(ANN), world.read("claimed", ANN)) == (990, 1000)
    world.claim(tree, BEN)
    assert world.balance(BEN) == 495
    assert world.balance(world.distributor.address) == 0


def test_restricted_transfers_revert_by_name_until_allowed(chain: Chain) -> None:
    token = chain.deploy("test/RestrictedToken")
    world = World.create(chain, token=token)
    here = world.distributor.address
    tree = world.settle(1, {ANN: 60, BEN: 40})
    world.fund(5)
    for call, who in (
        (world.claiming(tree, ANN), world.outsider),
        (world.call.sweep(token.address), world.admin),
    ):
        assert chain.refusal(call, who) == ("TransferRestricted",)
    # What a preflight reads.
    assert chain.read(token.functions.transferRestrictionsDisabledAfter()) == 2**256 - 1
    assert not chain.read(token.functions.allowedFrom(here))
    assert not chain.read(token.functions.allowedTo(here))
    chain.send(token.functions.setAllowedFrom(here, True))
    world.claim(tree, ANN)
    world.admin_sends(world.call.sweep(token.address))
    chain.send(token.functions.setAllowedFrom(here, False))
    chain.send(token.functions.disableTransferRestrictions())
    world.claim(tree, BEN)
    assert world.balance(world.treasury) == 5


def test_selector_of_the_restriction_is_that_of_l2wct() -> None:
    assert ERRORS[bytes.fromhex("e827105e")] == ("TransferRestricted", [])


def test_a_restricted_payee_reverts_its_whole_batch(chain: Chain) -> None:
    token = chain.deploy("test/RestrictedToken")
    world = World.create(chain, token=token)
    tree = world.settle(1, {ANN: 60, BEN: 40})
    chain.send(token.functions.setAllowedTo(ANN, True))
    claims = [(who, tree.amounts[who], tree.proof(who)) for who in (ANN, BEN)]
    assert chain.refusal(world.call.claimMany(1, claims)) == ("TransferRestricted",)
    world.claim(tree, ANN)


def test_hooks_find_every_door_closed(chain: Chain) -> None:
    token = chain.deploy("test/HookToken")
    # The token itself is admin, so that its hook may try what only the admin can.
    world = World.create(chain, token=token, admin=token.address)
    tree = world.settle(1, {ANN: 60, BEN: 40})
    world.fund(2)
    second = world.tree(2, {ANN: 61, BEN: 41})
    world.propose(second)
    world.mature()
    here = world.distributor.address
    for attempted in (
        world.claiming(tree, BEN),
        world.claiming(tree, ANN),
        world.call.claimMany(1, []),
        world.call.activate(2, 1),
        world.call.sweep(token.address),
        world.call.retire(),
    ):
        taken = chain.tester.take_snapshot()
        data = bytes.fromhex(attempted._encode_transaction_data()[2:])
        chain.send(token.functions.setHook(here, data))
        world.claim(tree, ANN)
        assert not chain.read(token.functions.succeeded())
        guard = chain.read(token.functions.result())
        assert guard.hex() == "3ee5aeb5"  # ReentrancyGuardReentrantCall()
        assert (world.balance(ANN), world.balance(BEN)) == (60, 0)
        assert world.view("active")["outstanding"] == 40
        chain.tester.revert_to_snapshot(taken)


def test_a_token_with_two_addresses_cannot_be_swept_by_the_other(chain: Chain) -> None:
    token = chain.deploy("test/TwoFacedToken")
    world = World.create(chain, token=token)
    face = chain.read(token.functions.face())
    world.settle(1, {ANN: 60})
    world.fund(5)
    assert chain.refusal(world.call.sweep(face), world.admin) == ("ReserveTouched", 0, 60)
    world.admin_sends(world.call.sweep(token.address))
    assert world.balance(world.treasury) == 5


def test_the_test_token_is_plain_and_minted_by_its_deployer(world: World) -> None:
    token = world.token.functions
    assert world.chain.read(token.name()) == "Test WCT"
    assert world.chain.read(token.symbol()) == "tWCT"
    assert world.chain.read(token.decimals()) == 18
    refusal = world.chain.refusal(token.mint(ANN, 1), world.outsider)
    assert refusal == ("OwnableUnauthorizedAccount", world.outsider.lower())
