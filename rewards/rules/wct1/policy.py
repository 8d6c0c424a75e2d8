"""Section 7: the parameters, their defaults and their bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.rules.integers import UINT256_LIMIT, WAD
from rewards.rules.parameters import Parameter
from rewards.rules.records import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ANY = UINT256_LIMIT - 1

PARAMETERS: tuple[Parameter, ...] = (
    Parameter("performance.uptime_weight", "decimal", "1"),
    Parameter("performance.latency_weight", "decimal", "1"),
    Parameter("performance.latency_target_us", "integer", 200_000),
    Parameter("performance.latency_ceiling_us", "integer", 2_000_000, low=1),
    Parameter("performance.combine", "choice", "product", choices=("product", "weighted_mean")),
    Parameter("nodes.tau", "decimal", "0.8", low=1, high=WAD - 1),
    Parameter("nodes.active_target", "integer", 15, low=1),
    Parameter("nodes.total_target", "integer", 21, low=1),
    Parameter("nodes.confinement_seconds", "integer", 86_400, low=1),
    Parameter("nodes.alpha", "decimal", "0.5", high=WAD),
    Parameter("nodes.reserved_factor", "decimal", "0.5", high=WAD),
    Parameter("nodes.base_weighting", "choice", "equal", choices=("equal", "stake")),
    Parameter("nodes.weighting", "choice", "stake", choices=("stake", "equal")),
    Parameter("nodes.bonus_split", "choice", "absolute", choices=("absolute", "pro_rata")),
    Parameter("nodes.penalty_rate", "decimal", "1", high=10 * WAD),
    Parameter("nodes.carry_debt", "boolean", default=True),
    Parameter("nodes.share_cap", "decimal", None, low=1, high=WAD),
    Parameter("wallets.threshold", "integer", 100_000),
    Parameter("wallets.threshold_rule", "choice", "over", choices=("over", "at_least")),
    Parameter(
        "wallets.activity", "choice", "signatures", choices=("signatures", "connections", "sum")
    ),
    Parameter("wallets.measure", "choice", "total", choices=("total", "excess")),
    Parameter("wallets.min_stake_eligible", "decimal", "0"),
    Parameter("wallets.min_stake_certified", "decimal", "0"),
    Parameter("wallets.certified_in_eligible_pool", "boolean", default=True),
    Parameter("wallets.eligible_exponent", "fraction", "1/1", low=1, high=8),
    Parameter("wallets.certified_exponent", "fraction", "5/4", low=1, high=8),
    Parameter("wallets.share_cap", "decimal", None, low=1, high=WAD),
)


@dataclass(frozen=True, slots=True)
class PerformancePolicy:
    """Parameters of section 2; weights are WADs."""

    uptime_weight: int
    latency_weight: int
    latency_target_us: int
    latency_ceiling_us: int
    combine: str


@dataclass(frozen=True, slots=True)
class NodePolicy:
    """Parameters of sections 3 and 4; ratios are WADs."""

    tau: int
    active_target: int
    total_target: int
    confinement_seconds: int
    alpha: int
    reserved_factor: int
    base_weighting: str
    weighting: str
    bonus_split: str
    penalty_rate: int
    carry_debt: bool
    share_cap: int | None


@dataclass(frozen=True, slots=True)
class WalletPolicy:
    """Parameters of section 5; stake minima are base units, exponents are (p, q)."""

    threshold: int
    threshold_rule: str
    activity: str
    measure: str
    min_stake_eligible: int
    min_stake_certified: int
    certified_in_eligible_pool: bool
    eligible_exponent: tuple[int, int]
    certified_exponent: tuple[int, int]
    share_cap: int | None


@dataclass(frozen=True, slots=True)
class Parameters:
    """Every parameter of `wct-1`, typed."""

    performance: PerformancePolicy
    nodes: NodePolicy
    wallets: WalletPolicy


def policy_from(values: Mapping[str, Any]) -> Parameters:
    """Return the typed parameters for a value of every key of PARAMETERS."""

    def table(name: str) -> dict[str, Any]:
        return {
            parameter.key.removeprefix(name): values[parameter.key]
            for parameter in PARAMETERS
            if parameter.key.startswith(name)
        }

    return Parameters(
        PerformancePolicy(**table("performance.")),
        NodePolicy(**table("nodes.")),
        WalletPolicy(**table("wallets.")),
    )


def policy_problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the bounds of section 7 that tie parameters to one another.

    `values` may lack keys that were themselves found wrong; what needs them is then not judged.
    """

    def known(*keys: str) -> bool:
        return all(key in values for key in keys)

    def problem(column: str, value: object, problem: str, remedy: str) -> Problem:
        return Problem("policy.toml", problem, remedy, column=column, value=str(value))

    target, ceiling = "performance.latency_target_us", "performance.latency_ceiling_us"
    if known(target, ceiling) and not values[target] < values[ceiling]:
        yield problem(
            target, values[target], "is not below latency_ceiling_us", "target < ceiling is needed"
        )
    active, total = "nodes.active_target", "nodes.total_target"
    if known(active, total) and not values[active] <= values[total]:
        yield problem(
            active, values[active], "is above total_target", "1 <= active <= total is needed"
        )
    uptime, latency = "performance.uptime_weight", "performance.latency_weight"
    if not known(uptime, latency, "performance.combine", "nodes.tau"):
        return
    if values["performance.combine"] == "product":
        product = values[uptime] * values[latency]
        if product > WAD * WAD:
            yield problem(
                uptime,
                values[uptime],
                "makes the product of the two weights larger than 1 (both as WAD)",
                "under combine = product choose weights with tau <= product <= 1",
            )
        if product < values["nodes.tau"] * WAD:
            yield problem(
                uptime,
                values[uptime],
                "makes the product of the two weights smaller than tau, so no node can reach tau",
                "under combine = product choose weights with tau <= product <= 1",
            )
    elif values[uptime] + values[latency] == 0:
        yield problem(uptime, 0, "leaves both weights at 0", "give at least one weight above 0")
