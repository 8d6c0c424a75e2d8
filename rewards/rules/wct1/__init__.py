"""Ruleset `wct-1`, a module per section of the rulebook.

section 1 `inputs`, 2 `scores`, 3 `lifecycle`, 4 `node_pay`, 5 `wallet_pay` and `apportion`,
6 `ledger`, 7 `policy`; `epoch` puts them together.
"""

from rewards.rules.wct1.epoch import compute_epoch
from rewards.rules.wct1.inputs import input_problems
from rewards.rules.wct1.policy import PARAMETERS, policy_from, policy_problems

__all__ = ["PARAMETERS", "compute_epoch", "input_problems", "policy_from", "policy_problems"]
