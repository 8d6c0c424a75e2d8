from __future__ import annotations

from typing import Any

import pytest

from rewards.rules import RULESETS
from rewards.rules.integers import WAD
from rewards.rules.wct1 import PARAMETERS, policy_problems
from tests.builders import parameter_values, parameters, wad

UPTIME, LATENCY = "performance.uptime_weight", "performance.latency_weight"
COMBINE, TAU = "performance.combine", "nodes.tau"

# The table of section 7, written out a second time.
DEFAULTS: dict[str, Any] = {
    "performance.uptime_weight": "1",
    "performance.latency_weight": "1",
    "performance.latency_target_us": 200_000,
    "performance.latency_ceiling_us": 2_000_000,
    "performance.combine": "product",
    "nodes.tau": "0.8",
    "nodes.active_target": 15,
    "nodes.total_target": 21,
    "nodes.confinement_seconds": 86_400,
    "nodes.alpha": "0.5",
    "nodes.reserved_factor": "0.5",
    "nodes.base_weighting": "equal",
    "nodes.weighting": "stake",
    "nodes.bonus_split": "absolute",
    "nodes.penalty_rate": "1",
    "nodes.carry_debt": True,
    "nodes.share_cap": None,
    "wallets.threshold": 100_000,
    "wallets.threshold_rule": "over",
    "wallets.activity": "signatures",
    "wallets.measure": "total",
    "wallets.min_stake_eligible": "0",
    "wallets.min_stake_certified": "0",
    "wallets.certified_in_eligible_pool": True,
    "wallets.eligible_exponent": "1/1",
    "wallets.certified_exponent": "5/4",
    "wallets.share_cap": None,
}


def test_parameters__table__has_the_keys_and_defaults_of_section_7() -> None:
    assert {p.key: p.default for p in PARAMETERS} == DEFAULTS
    assert len(PARAMETERS) == len(DEFAULTS)


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        (TAU, 1, WAD - 1),
        ("nodes.alpha", 0, WAD),
        ("nodes.reserved_factor", 0, WAD),
        ("nodes.penalty_rate", 0, 10 * WAD),
        ("nodes.share_cap", 1, WAD),
        ("wallets.share_cap", 1, WAD),
        ("wallets.eligible_exponent", 1, 8),
        ("wallets.certified_exponent", 1, 8),
        ("nodes.confinement_seconds", 1, 2**256 - 1),
        ("nodes.active_target", 1, 2**256 - 1),
    ],
)
def test_parameters__bounds__are_those_of_section_7(key: str, low: int, high: int) -> None:
    (parameter,) = (p for p in PARAMETERS if p.key == key)
    assert (parameter.low, parameter.high) == (low, high)


def test_policy_from__defaults__fills_every_field() -> None:
    rules = parameters()
    assert rules.nodes.tau == wad("0.8")
    assert rules.performance.latency_ceiling_us == 2_000_000
    assert rules.wallets.certified_exponent == (5, 4)
    assert (rules.nodes.share_cap, rules.wallets.share_cap) == (None, None)


def test_policy_from__every_key__lands_in_its_own_field() -> None:
    marked = {p.key: f"value of {p.key}" for p in PARAMETERS}
    rules = parameters(marked)
    for key, value in marked.items():
        table, name = key.split(".")
        assert getattr(getattr(rules, table), name) == value


def test_policy_problems__defaults__finds_nothing() -> None:
    assert list(policy_problems(parameter_values())) == []


def columns(**changes: Any) -> list[str]:
    keys = {p.key.split(".")[1]: p.key for p in PARAMETERS if p.key != "wallets.share_cap"}
    return [
        p.column
        for p in policy_problems(parameter_values({keys[k]: v for k, v in changes.items()}))
    ]


@pytest.mark.parametrize(
    ("target", "ceiling", "found"),
    [(0, 1, False), (5, 6, False), (6, 6, True), (7, 6, True)],
)
def test_policy_problems__target_and_ceiling__must_rise(
    target: int, ceiling: int, found: bool
) -> None:
    expected = ["performance.latency_target_us"] if found else []
    assert columns(latency_target_us=target, latency_ceiling_us=ceiling) == expected


@pytest.mark.parametrize(
    ("active", "total", "found"), [(1, 1, False), (15, 21, False), (22, 21, True)]
)
def test_policy_problems__active_above_total__is_found(
    active: int, total: int, found: bool
) -> None:
    expected = ["nodes.active_target"] if found else []
    assert columns(active_target=active, total_target=total) == expected


@pytest.mark.parametrize(
    ("uptime", "latency", "found"),
    [
        pytest.param("1", "1", False, id="both one"),
        pytest.param("0.8", "1", False, id="product equal to tau"),
        pytest.param("0.799999999999999999", "1", True, id="product below tau"),
        pytest.param("2", "0.5", False, id="product one by different weights"),
        pytest.param("1.000000000000000001", "1", True, id="product above one"),
        pytest.param("0", "1", True, id="a weight of zero"),
        # 1.000000000000000001 * 0.999999999999999999 = 1 - 1e-36: below one only when exact.
        pytest.param("1.000000000000000001", "0.999999999999999999", False, id="exact product"),
    ],
)
def test_policy_problems__product__keeps_tau_within_reach(
    uptime: str, latency: str, found: bool
) -> None:
    expected = [UPTIME] if found else []
    assert columns(uptime_weight=wad(uptime), latency_weight=wad(latency)) == expected


@pytest.mark.parametrize(
    ("uptime", "latency", "found"),
    [("0", "0", True), ("0", "1", False), ("5", "7", False), ("0.1", "0.1", False)],
)
def test_policy_problems__weighted_mean__needs_a_weight(
    uptime: str, latency: str, found: bool
) -> None:
    changes = {"combine": "weighted_mean", "uptime_weight": wad(uptime)}
    expected = [UPTIME] if found else []
    assert columns(**changes, latency_weight=wad(latency)) == expected


def test_policy_problems__no_weight_at_all__shows_the_zero() -> None:
    values = {"performance.combine": "weighted_mean", UPTIME: 0, "performance.latency_weight": 0}
    (problem,) = policy_problems(parameter_values(values))
    assert problem.value == "0"


@pytest.mark.parametrize("missing", list(DEFAULTS))
def test_policy_problems__a_key_that_was_itself_wrong__is_not_judged(missing: str) -> None:
    values = parameter_values()
    del values[missing]
    assert list(policy_problems(values)) == []


def test_policy_problems__several__are_found_together() -> None:
    assert columns(
        latency_target_us=9, latency_ceiling_us=9, active_target=3, total_target=2, uptime_weight=0
    ) == ["performance.latency_target_us", "nodes.active_target", UPTIME]


def test_rulesets__wct_1__offers_the_protocol() -> None:
    ruleset = RULESETS["wct-1"]
    assert ruleset.PARAMETERS is PARAMETERS
