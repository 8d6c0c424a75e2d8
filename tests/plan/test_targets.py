"""Plans for other contracts than ours: their own calls and checks, in the same file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rewards.chain.agreement import Sight
from rewards.chain.endpoint import Call
from rewards.chain.plan_file import Plan
from rewards.errors import CheckFailed
from rewards.settling.plans import Limits, Planner
from rewards.targets.kinds import target_for
from rewards.targets.target import Terms
from tests.targets import epochs
from tests.targets.chain import Chain

if TYPE_CHECKING:
    from pathlib import Path


def test_urd__is_planned_with_its_own_checks_and_call(tmp_path: Path) -> None:
    chain = Chain(payees=9)
    owner = chain.people[1]
    contract = chain.stand_in("StandInUrd", "address,uint256", owner, 60)
    files = epochs.first(chain.chain_id(), chain.token, contract)
    (published,) = epochs.publish(tmp_path, 1, files)
    chain.mint(contract, published.manifest.cumulative_total)
    target = target_for("urd", published)
    sight = Sight.at_final_block([chain], chain.chain_id())
    planner = Planner(sight, contract, Limits())
    terms = Terms(contract=contract, sender=owner)
    plan = planner.other(target, "propose", terms, published).plan
    assert Plan.from_bytes(plan.to_bytes()) == plan
    assert (plan.target, plan.action, plan.contract.address) == ("urd", "propose", contract)
    assert plan.manifest_hash == published.manifest.hash
    assert plan.gate
    assert plan.gate["ok"] is True
    (call,) = plan.calls
    chain.send(owner, Call(call.to, call.data))
    stranger = Terms(contract=contract, sender=chain.people[5])
    with pytest.raises(CheckFailed):
        planner.other(target, "propose", stranger, published)
