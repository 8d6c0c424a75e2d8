"""What the calls cost: within the demands, and not 2 % above the committed snapshot.

python -m tests.contracts.test_gas        rewrites the snapshot and the README's table
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from tests.contracts.chain import ATTESTERS, Chain, World, payees
from tests.contracts.merkle import Tree

SNAPSHOT = Path(__file__).with_name("gas_snapshot.json")
README = Path(__file__).parents[2] / "README.md"
COLUMNS = ("first", "second", "later")
UNIT = 10**18
# A tree of 1,024 leaves with the sentinel has proofs of ten hashes, as in the demands.
PEOPLE = payees(1023)

DEMANDS = {
    "deploy": 4_500_000,
    "propose, first": 118_000,
    "propose, later": 66_000,
    "propose with 2 attestations, first": 142_000,
    "propose with 2 attestations, later": 89_000,
    "activate, first": 145_000,
    "activate, later": 75_000,
    "claim, first": 98_000,
    "claim, later": 63_500,
    "claim at depth 20, first": 106_000,
    "claim at depth 20, later": 71_000,
    "claimMany of 50, first": 3_120_000,
    "claimMany of 50, later": 1_390_000,
    "claimMany of 150, first": 10_300_000,
}


def amounts(epoch: int) -> Mapping[str, int]:
    return {who: UNIT * (i + 1) * epoch + i for i, who in enumerate(PEOPLE)}


def used(world: World, call: object, sender: str) -> int:
    return int(world.chain.send(call, sender)["gasUsed"])


def measure_epochs(world: World, label: str) -> dict[str, int]:
    """Both records are new in the first two epochs; from the third on they are rewritten."""
    figures: dict[str, int] = {}
    world.fund(10**28)
    for epoch, which in ((1, "first"), (2, "second"), (3, "later")):
        tree = world.tree(epoch, amounts(epoch))
        figures[f"{label}, {which}"] = used(world, world.proposing(tree), world.proposer)
        world.mature()
        cost = used(world, world.call.activate(epoch, 1), world.outsider)
        if label == "propose" and which != "second":
            figures[f"activate, {which}"] = cost
            figures |= measure_claims(world, tree, which)
    return figures


def measure_claims(world: World, tree: Tree, which: str) -> dict[str, int]:
    def many(count: int) -> int:
        chosen = [(who, tree.amounts[who], tree.proof(who)) for who in PEOPLE[1 : count + 1]]
        return used(world, world.call.claimMany(tree.epoch, chosen), world.outsider)

    figures = {f"claim, {which}": used(world, world.claiming(tree, PEOPLE[0]), world.outsider)}
    if which == "first":
        taken = world.chain.tester.take_snapshot()
        figures["claimMany of 150, first"] = many(150)
        world.chain.tester.revert_to_snapshot(taken)
    figures[f"claimMany of 50, {which}"] = many(50)
    return figures


def measure_depth_20(world: World) -> dict[str, int]:
    """Ten made-up hashes above a tree of 1,024 leaves give the proofs of a million."""
    figures: dict[str, int] = {}
    above = [keccak(text=f"above {i}") for i in range(10)]
    world.fund(10**28)
    for epoch, which in ((1, "first"), (2, "later")):
        tree = world.tree(epoch, amounts(epoch))
        root = tree.root
        for sibling in above:
            root = keccak(b"".join(sorted([root, sibling])))
        proposal = world.proposal(tree, root=root).encoded()
        call = world.call.propose(proposal, [*tree.sentinel_proof, *above], [])
        world.chain.send(call, world.proposer)
        world.activate(epoch)
        who = PEOPLE[0]
        call = world.call.claim(epoch, who, tree.amounts[who], [*tree.proof(who), *above])
        figures[f"claim at depth 20, {which}"] = used(world, call, world.outsider)
    return figures


def measure(chain: Chain) -> dict[str, int]:
    config = {"capBurst": 2**128 - 1}

    def fresh(**changes: object) -> World:
        return World.create(chain, **(config | changes))

    token = chain.deploy("TestToken")
    settings = World.config(chain, token.address)
    creation = chain.creation("EpochDistributor", tuple(settings.values()))
    figures = {"deploy": int(chain.send(creation)["gasUsed"])}
    figures |= measure_epochs(fresh(), "propose")
    attested = fresh(threshold=2, attesters=[who.address for who in ATTESTERS])
    figures |= measure_epochs(attested, "propose with 2 attestations")
    figures |= measure_depth_20(fresh())
    return figures


@pytest.fixture(scope="module")
def figures() -> dict[str, int]:
    return measure(Chain())


@pytest.mark.parametrize("what", DEMANDS)
def test_the_demand_is_met(figures: dict[str, int], what: str) -> None:
    assert figures[what] <= DEMANDS[what]


def test_no_figure_rises_by_over_two_percent(figures: dict[str, int]) -> None:
    committed: dict[str, int] = json.loads(SNAPSHOT.read_text("utf-8"))
    assert figures.keys() == committed.keys()
    risen = {what: cost for what, cost in figures.items() if cost * 100 > committed[what] * 102}
    assert risen == {}


def table_of(figures: Mapping[str, int]) -> str:
    """Return the figures as the README shows them: a row a call, a column a time."""
    rows: dict[str, dict[str, int]] = {}
    for what, cost in figures.items():
        call, _, when = what.partition(", ")
        rows.setdefault(call, {})[when or "first"] = cost
    lines = [f"| gas | {' | '.join(COLUMNS)} |", "|---|" + "---:|" * len(COLUMNS)]
    for call in sorted(rows, key=lambda call: (call != "deploy", rows[call]["first"])):
        cells = (f"{rows[call][when]:,}" if when in rows[call] else "" for when in COLUMNS)
        lines.append(f"| {call} | {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_readme_shows_the_snapshot() -> None:
    committed: dict[str, int] = json.loads(SNAPSHOT.read_text("utf-8"))
    assert f"\n{table_of(committed)}\n\n" in README.read_text("utf-8")


def write_down(figures: dict[str, int]) -> None:
    before = table_of(json.loads(SNAPSHOT.read_text("utf-8")))
    SNAPSHOT.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    README.write_text(README.read_text("utf-8").replace(before, table_of(figures)), "utf-8")


if __name__ == "__main__":
    write_down(measure(Chain()))
