"""The list of named checks: what each finds, its limits, and how loud it is by default.

No default blocks: whether a finding may stop a publication is the season's decision.
"""

from __future__ import annotations

from rewards.audit.checks import money, payees, scores
from rewards.audit.checks.model import Check, Severity
from rewards.rules.integers import WAD
from rewards.rules.parameters import Parameter

INFO, WARNING = Severity.INFO, Severity.WARNING


def _ratio(default: str) -> tuple[Parameter]:
    return (Parameter("limit", "decimal", default, high=WAD),)


def _wct(default: str) -> tuple[Parameter]:
    return (Parameter("limit", "decimal", default),)


CHECKS: tuple[Check, ...] = (
    Check(
        "share_jump",
        "an id's share of its program's pay moved by more than limit",
        WARNING,
        _ratio("0.1"),
        payees.share_jump,
        payees.say_share_jump,
        needs_earlier=True,
    ),
    Check(
        "new_payee",
        "an address that never had an amount gets more than limit (WCT)",
        WARNING,
        _wct("10000"),
        payees.new_payee,
        payees.say_new_payee,
    ),
    Check(
        "payout_change",
        "a known id is paid to another address than before",
        WARNING,
        (),
        payees.payout_change,
        payees.say_payout_change,
        needs_earlier=True,
    ),
    Check(
        "payout_change_owing",
        "it left an address that still owes more than limit (WCT) of a recovery",
        WARNING,
        _wct("0"),
        payees.payout_change_owing,
        payees.say_payout_change_owing,
        needs_earlier=True,
    ),
    Check(
        "concentration",
        "a program's largest payee takes more than limit of what is paid",
        WARNING,
        _ratio("0.33"),
        payees.concentration,
        payees.say_concentration,
    ),
    Check(
        "concentration_top10",
        "a program's ten largest payees take more than limit of what is paid",
        INFO,
        _ratio("0.9"),
        payees.concentration_top10,
        payees.say_concentration_top10,
    ),
    Check(
        "concentration_gini",
        "a program's Gini coefficient over its payees is above limit",
        INFO,
        _ratio("0.8"),
        payees.concentration_gini,
        payees.say_concentration_gini,
    ),
    Check(
        "score_drift",
        "a node's score moved by more than limit since the last node epoch",
        WARNING,
        _ratio("0.1"),
        scores.score_drift,
        scores.say_score_drift,
        needs_earlier=True,
    ),
    Check(
        "shared_address",
        "more than limit wallets, or nodes, share one payout address",
        INFO,
        (Parameter("limit", "integer", 1, low=1),),
        payees.shared_address,
        payees.say_shared_address,
    ),
    Check(
        "at_threshold",
        "a wallet's activity is the threshold, or above it by up to limit (a ratio)",
        INFO,
        _ratio("0.001"),
        scores.at_threshold,
        scores.say_at_threshold,
    ),
    Check(
        "certified_without_stake",
        "a wallet is paid as certified with a stake weight of up to limit (WCT)",
        INFO,
        _wct("0"),
        scores.certified_without_stake,
        scores.say_certified_without_stake,
    ),
    Check(
        "signatures_per_connection",
        "a paid wallet has more than limit signatures per connection",
        WARNING,
        _wct("10"),
        scores.signatures_per_connection,
        scores.say_signatures_per_connection,
    ),
    Check(
        "pool_plan",
        "a pool leaves its plan (WCT an epoch) by more than limit (a ratio)",
        WARNING,
        (
            *_ratio("0"),
            Parameter("nodes", "decimal", None),
            Parameter("wallets_eligible", "decimal", None),
            Parameter("wallets_certified", "decimal", None),
            Parameter("total", "decimal", None),
        ),
        money.pool_plan,
        money.say_pool_plan,
    ),
    Check(
        "untakeable",
        "members times cap is below 1: nobody can take more than limit (WCT)",
        WARNING,
        _wct("0"),
        money.untakeable,
        money.say_untakeable,
    ),
    Check(
        "policy_change",
        "a parameter differs from the epoch before",
        INFO,
        (),
        money.policy_change,
        money.say_policy_change,
    ),
)

BY_NAME = {check.name: check for check in CHECKS}
