"""The sample season: its bytes, and that every part of its story comes out of the rules."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import rewards
from rewards.errors import InvalidInput
from rewards.files.epoch import ComputedEpoch, compute_folder, publish_epoch
from rewards.files.season import Season
from rewards.merkle.keccak import to_checksum
from rewards.rules.integers import WAD, WCT
from rewards.rules.records import Status, Tier
from rewards.sample import copy_season
from rewards.sample.dice import Dice, sample_address
from rewards.sample.generator import SEED, generate, season_files
from rewards.sample.story import (
    ARAUCARIA,
    ATACAMA,
    BIRCHGROVE,
    DAYS,
    EMBERLINE,
    FJORDLINE,
    FOXGLOVE,
    GENESIS_NODES,
    GRANITE,
    HARBORLIGHT,
    JUNIPER,
    KESTREL_EU,
    KESTREL_US,
    LATTICE,
    MERIDIAN,
    MISTRAL,
    MONSOON,
    POLARIS,
    REDWOOD,
    SALTMARSH,
    TIDEWATER,
    WALLET_OF_HARBORLIGHT,
    WRENFIELD,
    operator_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rewards.rules.records import Allocation, NodeResult, WalletResult

ACTIVE, RESERVED, STANDBY = Status.ACTIVE, Status.RESERVED, Status.STANDBY
CONFINED, DEACTIVATED = Status.CONFINED, Status.DEACTIVATED

TAU = 8 * WAD // 10
EPOCHS = range(1, len(DAYS) + 1)
LAST = EPOCHS[-1]

Computed = dict[int, ComputedEpoch]


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Computed:
    """Every epoch by its number, computed and published one on the other."""
    folder = tmp_path_factory.mktemp("sample") / "season"
    copy_season(folder)
    sample = Season.open(folder)
    computed = {}
    for epoch in sample.with_inputs():
        computed[epoch] = compute_folder(sample.inputs(epoch), sample.previous(epoch))
        publish_epoch(computed[epoch], sample.epoch(epoch))
    return computed


def node(season: Computed, epoch: int, node_id: str) -> NodeResult:
    return next(row for row in season[epoch].result.nodes if row.node_id == node_id)


def wallet(season: Computed, wallet_id: str) -> WalletResult:
    return next(row for row in season[LAST].result.wallets if row.wallet_id == wallet_id)


def account(season: Computed, epoch: int, payee: str) -> Allocation:
    address = sample_address(payee).lower()
    return next(row for row in season[epoch].result.allocations if row.account == address)


def steps(season: Computed, node_id: str) -> list[tuple[int, str, Status]]:
    """Every move of a node in the season: the epoch, the step, the status after it."""
    return [
        (epoch, move.step, move.after)
        for epoch in EPOCHS
        for move in season[epoch].result.transitions
        if move.node_id == node_id
    ]


def stake(season: Computed, epoch: int, node_id: str) -> int:
    nodes = season[epoch].inputs.nodes or ()
    return next(row.stake_weight for row in nodes if row.node_id == node_id)


def is_ready(season: Computed, epoch: int, node_id: str) -> bool:
    nodes = season[epoch].inputs.nodes or ()
    return next(row.machine_ready for row in nodes if row.node_id == node_id)


def statuses(season: Computed, epoch: int) -> dict[Status, int]:
    """How many listed nodes closed an epoch in each status."""
    closing = [row.closing_status for row in season[epoch].result.nodes]
    return {status: closing.count(status) for status in Status}


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# --- the bytes -------------------------------------------------------------------------------


def test_regenerating_gives_the_committed_bytes(tmp_path: Path) -> None:
    copy_season(tmp_path / "committed")
    generate(tmp_path / "generated")
    assert files_of(tmp_path / "generated") == files_of(tmp_path / "committed")


def test_another_seed_keeps_the_story_and_changes_the_numbers() -> None:
    ours, other = dict(season_files(SEED)), dict(season_files(SEED + 1))
    assert ours.keys() == other.keys()
    assert ours["inputs/000001/epoch.toml"] == other["inputs/000001/epoch.toml"]
    assert ours["inputs/000001/node_scores.csv"] != other["inputs/000001/node_scores.csv"]


def test_the_dice_are_fixed() -> None:
    """Pinned values: a change here changes the sample on somebody's machine."""
    dice = Dice(1)
    assert [dice.below(1000, "a", n) for n in range(4)] == [298, 29, 689, 992]
    drawn = [dice.heavy_tailed(10, 1000, n) for n in range(500)]
    assert min(drawn) >= 10
    assert max(drawn) <= 1000
    assert 200 < sum(value < 20 for value in drawn) < 300  # half lie below twice the lowest


def test_the_files_are_tidy() -> None:
    for name, content in season_files():
        assert content.endswith(b"\n"), name
        assert b"\r" not in content, name
        if name.endswith(("nodes.csv", "node_scores.csv", "wallet_scores.csv")):
            ids = [line.split(b",")[0] for line in content.splitlines()[1:]]
            assert ids == sorted(ids), name


def test_addresses_are_spelled_by_eip_55() -> None:
    address = sample_address("kestrel")
    assert address == to_checksum(address.lower())
    assert address != address.lower()
    nodes_csv = dict(season_files())["inputs/000001/nodes.csv"]
    assert nodes_csv.count(address.encode()) == 2


def test_copy_season_works_from_an_archive(tmp_path: Path) -> None:
    package = Path(rewards.__file__).parent
    archive = tmp_path / "rewards.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        for path in (package / "__init__.py", package / "errors.py", *package.glob("sample/**/*")):
            if path.is_file() and path.suffix != ".pyc":
                bundle.write(path, path.relative_to(package.parent))
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import pathlib, rewards.sample\n"
        "assert sys.argv[1] in rewards.sample.__file__\n"
        "rewards.sample.copy_season(pathlib.Path(sys.argv[2]))\n"
    )
    target = tmp_path / "season"
    subprocess.run([sys.executable, "-c", program, str(archive), str(target)], check=True)
    assert files_of(target) == files_of(package / "sample" / "season")


def test_copy_season_does_not_write_over_anything(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidInput, match="is there already"):
        copy_season(tmp_path)
    assert files_of(tmp_path) == {"mine.txt": b"mine"}


# --- the frame -------------------------------------------------------------------------------


def test_seven_days_in_june_follow_one_another(season: Computed) -> None:
    assert list(season) == list(EPOCHS) == [1, 2, 3, 4, 5, 6, 7]
    windows = [season[epoch].inputs.header.window for epoch in EPOCHS]
    assert [window.seconds for window in windows] == [86_400] * 7
    assert all(a.end == b.start for a, b in pairwise(windows))
    june = season[LAST].inputs.header.wallet_window
    assert june.end == windows[-1].end
    assert june.seconds == 30 * 86_400


def test_the_first_epoch_opens_with_26_nodes() -> None:
    opening = [operator.status for operator in GENESIS_NODES]
    assert len(opening) == 26
    assert [opening.count(status) for status in (ACTIVE, RESERVED, STANDBY)] == [15, 6, 5]


def test_every_epoch_closes_with_the_targets_met(season: Computed) -> None:
    for epoch in EPOCHS:
        counts = statuses(season, epoch)
        assert (counts[ACTIVE], counts[RESERVED]) == (15, 6)


def test_the_moves_are_those_of_the_story(season: Computed) -> None:
    for epoch, day in enumerate(DAYS, start=1):
        told = sorted(
            ((move.node_id, move.step, move.after) for move in day.moves),
            key=lambda move: move[0],  # stable: one node's moves stay in their order
        )
        made = [(m.node_id, m.step, m.after) for m in season[epoch].result.transitions]
        assert made == told, epoch


def test_all_that_is_not_paid_is_accounted_for(season: Computed) -> None:
    for epoch in EPOCHS:
        assert all(identity.holds for identity in season[epoch].result.identities)


# --- the nodes -------------------------------------------------------------------------------


def test_dropped_nodes_are_confined_for_24_hours_and_come_back_to_reserved(
    season: Computed,
) -> None:
    for node_id, fell in ((MISTRAL, 1), (JUNIPER, 2), (SALTMARSH, 2), (TIDEWATER, 5)):
        row = node(season, fell, node_id)
        assert row.score is not None
        assert row.score < TAU
        assert row.confined_until == season[fell].inputs.header.window.end + 86_400
        assert node(season, fell + 1, node_id).paid == 0
        assert (fell, "confine", CONFINED) in steps(season, node_id)
        assert (fell + 1, "release", RESERVED) in steps(season, node_id)


def test_who_was_confined_can_be_promoted_again(season: Computed) -> None:
    assert steps(season, JUNIPER) == [
        (2, "confine", CONFINED),
        (3, "release", RESERVED),
        (5, "promote", ACTIVE),
    ]
    assert steps(season, TIDEWATER)[1:] == [(6, "release", RESERVED), (6, "promote", ACTIVE)]
    assert steps(season, FOXGLOVE)[1:] == [(6, "release", RESERVED), (7, "promote", ACTIVE)]


def test_a_promoted_node_falls_on_the_last_day(season: Computed) -> None:
    assert steps(season, GRANITE) == [(1, "promote", ACTIVE), (LAST, "confine", CONFINED)]
    assert 0 < node(season, LAST, GRANITE).penalty < node(season, LAST, GRANITE).base


@pytest.mark.parametrize(
    ("epoch", "passed_over", "promoted"),
    [
        pytest.param(2, POLARIS, WRENFIELD, id="reserved below tau"),
        pytest.param(3, SALTMARSH, POLARIS, id="released without its machine"),
    ],
)
def test_an_unfit_node_of_better_rank_is_passed_over(
    season: Computed, epoch: int, passed_over: str, promoted: str
) -> None:
    before = node(season, epoch, passed_over)
    fit = before.score is None or before.score >= TAU
    assert not (is_ready(season, epoch, passed_over) and fit)
    assert before.closing_status is RESERVED
    assert stake(season, epoch, passed_over) > stake(season, epoch, promoted)
    assert (epoch, "promote", ACTIVE) in steps(season, promoted)


def test_the_passed_over_node_lacked_the_machine_only(season: Computed) -> None:
    assert not is_ready(season, 3, SALTMARSH)
    assert node(season, 3, SALTMARSH).score is None
    assert is_ready(season, 2, POLARIS)


def test_a_reserved_node_without_a_machine_goes_to_standby_and_is_not_called_up_at_once(
    season: Computed,
) -> None:
    assert steps(season, SALTMARSH) == [
        (2, "confine", CONFINED),
        (3, "release", RESERVED),
        (4, "unready", STANDBY),
        (5, "call_up", RESERVED),
        (5, "promote", ACTIVE),
    ]
    assert stake(season, 4, SALTMARSH) > stake(season, 4, REDWOOD)
    assert (4, "call_up", RESERVED) in steps(season, REDWOOD)


def test_a_standby_node_without_a_machine_is_deactivated_at_call_up_and_returns(
    season: Computed,
) -> None:
    assert not is_ready(season, 1, MONSOON)
    assert steps(season, MONSOON) == [(1, "call_up", DEACTIVATED), (6, "reentry", STANDBY)]
    assert (1, "call_up", RESERVED) in steps(season, FJORDLINE)


def test_a_surplus_node_goes_back_to_standby(season: Computed) -> None:
    assert (3, "surplus", STANDBY) in steps(season, REDWOOD)
    assert (6, "surplus", STANDBY) in steps(season, ATACAMA)


def test_a_node_leaves_is_left_out_and_returns(season: Computed) -> None:
    assert steps(season, LATTICE) == [(3, "exit", DEACTIVATED), (5, "reentry", STANDBY)]
    assert node(season, 3, LATTICE).paid > 0  # it worked until the end
    assert LATTICE not in [row.node_id for row in season[4].result.nodes]
    assert season[4].result.closing.nodes[LATTICE].status is DEACTIVATED


def test_a_new_node_starts_on_standby(season: Computed) -> None:
    assert BIRCHGROVE not in [row.node_id for row in season[4].result.nodes]
    assert node(season, 5, BIRCHGROVE).opening_status is STANDBY


def test_meeting_tau_exactly_passes(season: Computed) -> None:
    row = node(season, 6, EMBERLINE)
    assert row.score == TAU
    assert (row.closing_status, row.penalty) == (ACTIVE, 0)
    assert row.bonus > 0


def test_a_penalty_beyond_the_pay_is_carried_as_debt_and_paid_off(season: Computed) -> None:
    fell = node(season, 2, JUNIPER)
    assert fell.penalty > fell.base + fell.bonus
    assert (fell.paid, fell.debt_out) == (0, fell.penalty - fell.base)
    confined = node(season, 3, JUNIPER)
    assert confined.debt_in == confined.debt_out == fell.debt_out > 0
    paying = node(season, 4, JUNIPER)
    assert (paying.debt_in, paying.debt_out) == (fell.debt_out, 0)
    assert paying.paid == paying.base + paying.bonus - fell.debt_out > 0


def test_a_dark_reserved_node_runs_into_debt_too(season: Computed) -> None:
    dark = node(season, 4, SALTMARSH)
    assert (dark.opening_status, dark.score, dark.paid) == (RESERVED, 0, 0)
    assert dark.debt_out > 0
    assert node(season, 5, SALTMARSH).debt_out == dark.debt_out
    assert node(season, 6, SALTMARSH).debt_out == 0


def test_no_debt_and_no_recovery_is_left_open(season: Computed) -> None:
    assert all(state.debt == 0 for state in season[LAST].result.closing.nodes.values())
    assert all(row.recovery_out == 0 for row in season[LAST].result.allocations)


def test_the_policy_changes_with_epoch_5(season: Computed) -> None:
    policies = [season[epoch].inputs.policy for epoch in EPOCHS]
    assert [policy.first_epoch for policy in policies] == [1, 1, 1, 1, 5, 5, 5]
    assert [policy.parameters.nodes.alpha for policy in policies] == (
        [5 * WAD // 10] * 4 + [6 * WAD // 10] * 3
    )
    assert all("Sample" in policy.approval for policy in policies)
    assert [node(season, epoch, MERIDIAN).base for epoch in (4, 5)] == [150 * WCT, 180 * WCT]


# --- the ledger ------------------------------------------------------------------------------


def test_two_nodes_of_an_operator_share_a_leaf(season: Computed) -> None:
    pays = [node(season, 1, node_id).paid for node_id in (KESTREL_US, KESTREL_EU)]
    row = account(season, 1, "kestrel")
    assert min(pays) > 0
    assert row.node_amount == row.cumulative == sum(pays)


def test_a_node_and_a_wallet_share_a_leaf(season: Computed) -> None:
    row = account(season, LAST, operator_of(HARBORLIGHT))
    assert row.node_amount == node(season, LAST, HARBORLIGHT).paid > 0
    assert row.wallet_amount == wallet(season, WALLET_OF_HARBORLIGHT).amount > 0
    assert row.epoch_amount == row.node_amount + row.wallet_amount


def test_a_negative_correction_is_recovered_over_two_epochs(season: Computed) -> None:
    first, second = (account(season, epoch, operator_of(ARAUCARIA)) for epoch in (3, 4))
    assert -first.adjustment > first.node_amount
    assert first.epoch_amount == 0
    assert first.cumulative == first.previous_cumulative
    assert first.recovery_out == -first.adjustment - first.node_amount > 0
    assert second.recovery_in == first.recovery_out
    assert second.recovery_out == 0
    assert second.epoch_amount == second.node_amount - second.recovery_in > 0


def test_a_positive_correction_is_paid(season: Computed) -> None:
    row = account(season, 2, operator_of(MERIDIAN))
    underrated = node(season, 1, MERIDIAN)
    assert underrated.score == 875 * WAD // 1000  # 3 hours of the day were not measured
    assert row.adjustment > 0
    assert abs(row.adjustment - underrated.bonus * 125 // 875) < WCT // 100
    assert row.epoch_amount == row.node_amount + row.adjustment


# --- the wallets -----------------------------------------------------------------------------


def signatures(season: Computed) -> Mapping[str, int]:
    return {row.wallet_id: row.signatures for row in season[LAST].inputs.wallets or ()}


def test_about_700_wallets_sign_about_20_million_times(season: Computed) -> None:
    counted = signatures(season)
    assert 680 <= len(counted) <= 720
    assert 19_000_000 <= sum(counted.values()) <= 21_000_000
    assert sum(count > 1_000_000 for count in counted.values()) == 3
    assert sum(80_000 <= count <= 120_000 for count in counted.values()) >= 25
    assert 50 <= sum(count > 100_000 for count in counted.values()) <= 60
    assert sorted(counted.values())[len(counted) // 2] < 1_000  # a long tail


def test_the_wallets_differ_in_more_than_signatures(season: Computed) -> None:
    wallets = season[LAST].inputs.wallets or ()
    assert 45 <= sum(row.certified for row in wallets) <= 55
    assert 100 <= sum(row.ux_score < WAD for row in wallets) <= 250
    assert 50 <= sum(row.stake_weight > 0 for row in wallets) <= 150
    assert all(row.connections < row.signatures + 40 for row in wallets)


@pytest.mark.parametrize(
    ("wallet_id", "count", "tier"),
    [
        ("almost-wallet", 99_999, Tier.INELIGIBLE),
        ("exactly-wallet", 100_000, Tier.INELIGIBLE),  # certified, and still not over
        ("justover-wallet", 100_001, Tier.ELIGIBLE),
    ],
)
def test_only_over_100_000_is_paid(
    season: Computed, wallet_id: str, count: int, tier: Tier
) -> None:
    row = wallet(season, wallet_id)
    assert (row.activity, row.tier) == (count, tier)
    assert (row.amount > 0) == (tier is not Tier.INELIGIBLE)


def test_the_wallets_month_is_paid_in_full_and_the_cap_holds(season: Computed) -> None:
    rows: Sequence[WalletResult] = season[LAST].result.wallets
    pools = season[LAST].inputs.header.pools
    assert sum(row.amount_eligible for row in rows) == pools.wallets_eligible == 125_000 * WCT
    assert sum(row.amount_certified for row in rows) == pools.wallets_certified
    assert pools.wallets_certified == 10**24 // 3
    assert max(row.amount_certified for row in rows) == pools.wallets_certified // 4
    assert all(season[epoch].result.wallets == () for epoch in EPOCHS[:-1])
