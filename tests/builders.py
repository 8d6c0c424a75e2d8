"""Small, valid records for tests to change: one argument per thing that a test is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewards.files.grammar import parse_decimal, parse_fraction
from rewards.rules.integers import WAD, format_decimal
from rewards.rules.records import (
    Account,
    Address,
    Adjustment,
    EpochHeader,
    Inputs,
    Node,
    NodeScore,
    NodeState,
    Opening,
    Policy,
    Pools,
    Settlement,
    State,
    Status,
    Wallet,
    Window,
)
from rewards.rules.wct1 import PARAMETERS, policy_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rewards.rules.wct1.policy import Parameters

DAY = 86_400
START = 1_780_272_000
"""2026-06-01T00:00:00Z."""
END = START + DAY
DISTRIBUTOR = Address("0x" + "d1" * 20)
TOKEN = Address("0x" + "70" * 20)


def address(number: int) -> Address:
    """Return a payable address; a larger number is a larger address."""
    return Address(f"0x{(0xA0 << 152) + number:040x}")


def wad(text: str) -> int:
    """Return a decimal as a WAD, exactly."""
    return parse_decimal(text)


def parameter_values(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the defaults of section 7 as typed values, with changes."""
    values: dict[str, Any] = {}
    for parameter in PARAMETERS:
        default = parameter.default
        if isinstance(default, str) and parameter.kind == "decimal":
            values[parameter.key] = parse_decimal(default)
        elif isinstance(default, str) and parameter.kind == "fraction":
            values[parameter.key] = parse_fraction(default)
        else:
            values[parameter.key] = default
    unknown = set(changes or ()) - set(values)
    assert not unknown, unknown
    return {**values, **(changes or {})}


def parameters(changes: Mapping[str, Any] | None = None) -> Parameters:
    """Return the typed parameters: the defaults with changes."""
    return policy_from(parameter_values(changes))


def policy(changes: Mapping[str, Any] | None = None, *, first_epoch: int = 1) -> Policy:
    """Return a policy with its canonical text."""
    values = parameter_values(changes)
    canonical = {"ruleset": "wct-1", "first_epoch": str(first_epoch), "approval": "a vote"}
    for parameter in PARAMETERS:
        value = values[parameter.key]
        if isinstance(value, bool):
            canonical[parameter.key] = "true" if value else "false"
        elif isinstance(value, tuple):
            canonical[parameter.key] = f"{value[0]}/{value[1]}"
        elif parameter.kind == "decimal" and value is not None:
            canonical[parameter.key] = format_decimal(value)
        elif value is not None:
            canonical[parameter.key] = str(value)
    return Policy("wct-1", first_epoch, "a vote", policy_from(values), canonical)


def node(
    node_id: str,
    *,
    stake: int = 1,
    ready: bool = True,
    leaves: bool = False,
    status: Status | None = None,
    payout: Address | None = None,
) -> Node:
    """Return a row of `nodes.csv`."""
    return Node(node_id, payout or address(1), stake, ready, leaves, status)


def score(
    node_id: str, *, uptime: int = DAY, response_time_us: int = 0, requests: int = 1
) -> NodeScore:
    """Return a row of `node_scores.csv`; by default a perfect one."""
    return NodeScore(node_id, uptime, response_time_us, requests)


def wallet(
    wallet_id: str,
    signatures: int = 200_000,
    *,
    connections: int = 0,
    certified: bool = False,
    ux_score: int = WAD,
    stake: int = 0,
    payout: Address | None = None,
) -> Wallet:
    """Return a row of `wallet_scores.csv`."""
    return Wallet(
        wallet_id, payout or address(2), connections, signatures, certified, ux_score, stake
    )


def adjustment(payout: Address, amount: int) -> Adjustment:
    """Return a row of `adjustments.csv`."""
    return Adjustment(payout, amount, "a correction", "the council")


def header(
    *,
    epoch: int = 1,
    genesis: bool = True,
    window: Window | None = None,
    pools: Pools | None = None,
    wallet_window: Window | None = None,
) -> EpochHeader:
    """Return an `epoch.toml`: by default the first day, with empty pools."""
    whole = window or Window(START, END)
    return EpochHeader(epoch, genesis, whole, pools or Pools(0, 0, 0), wallet_window or whole)


def settlement(**changes: Any) -> Settlement:
    """Return a `settlement.toml`."""
    values = {"chain_id": 10, "distributor": DISTRIBUTOR, "token": TOKEN, "decimals": 18}
    return Settlement(**{**values, **changes})


def inputs(
    *,
    head: EpochHeader | None = None,
    rules: Policy | None = None,
    target: Settlement | None = None,
    nodes: tuple[Node, ...] | None = None,
    node_scores: tuple[NodeScore, ...] | None = None,
    wallets: tuple[Wallet, ...] | None = None,
    adjustments: tuple[Adjustment, ...] | None = None,
) -> Inputs:
    """Return the inputs of an epoch; by default an empty first one."""
    return Inputs(
        head or header(),
        rules or policy(),
        target or settlement(),
        nodes,
        node_scores,
        wallets,
        adjustments,
    )


def opening(
    *,
    nodes: Mapping[str, NodeState] | None = None,
    ledger: Mapping[Address, Account] | None = None,
    rules: Policy | None = None,
    target: Settlement | None = None,
    epoch: int = 1,
    end: int = END,
    wallets_end: int = 0,
) -> Opening:
    """Return a predecessor: by default epoch 1, ended when the second day begins."""
    state = State(
        epoch,
        end,
        wallets_end,
        target or settlement(),
        (rules or policy()).canonical,
        nodes or {},
    )
    return Opening(state, ledger or {}, "0x" + "ab" * 32)


def second(pools: Pools | None = None, wallet_window: Window | None = None) -> EpochHeader:
    """Return the header of the epoch that follows `opening()`."""
    return header(
        epoch=2,
        genesis=False,
        window=Window(END, END + DAY),
        pools=pools,
        wallet_window=wallet_window,
    )
