"""One embedded chain for all these tests; each starts from the same snapshot of it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.contracts.chain import Chain, World


@pytest.fixture(scope="session")
def _chain() -> Chain:
    return Chain()


@pytest.fixture(scope="session")
def _world(_chain: Chain) -> World:
    return World.create(_chain)


@pytest.fixture(scope="session")
def _attested(_chain: Chain, _world: World) -> World:
    return World.create(_chain, token=_world.token, threshold=2)


@pytest.fixture
def chain(_chain: Chain, _world: World, _attested: World) -> Iterator[Chain]:
    """The chain, put back afterwards as both distributors were deployed."""
    assert _world.chain is _attested.chain
    taken = _chain.tester.take_snapshot()
    yield _chain
    _chain.tester.revert_to_snapshot(taken)


@pytest.fixture
def world(chain: Chain, _world: World) -> World:
    """A distributor that needs no attestation."""
    return replace(_world, chain=chain)


@pytest.fixture
def attested(chain: Chain, _attested: World) -> World:
    """A distributor that needs two of three."""
    return replace(_attested, chain=chain)
