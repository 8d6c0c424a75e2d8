"""Why sending stops: each reason by name, and the next step.

Stopped(ChainError)     exit 3: nothing is lost, running it again resumes
"""

from __future__ import annotations

from enum import StrEnum

from rewards.errors import ChainError


class Reason(StrEnum):
    """The name of a stop; the same in messages, in the journal and in `--json`."""

    WRONG_CHAIN = "WrongChain"
    ENDPOINTS_DISAGREE = "EndpointsDisagree"
    FINALITY_BROKEN = "FinalityBroken"
    ENDPOINT_LAGS = "EndpointLags"
    NO_ANSWER = "NoAnswer"
    REFUSED = "Refused"
    INSUFFICIENT_FUNDS = "InsufficientFunds"
    GAS_ABOVE_CAP = "GasAboveCap"
    FEE_ABOVE_CAP = "FeeAboveCap"
    OTHER_ADDRESS = "OtherAddress"
    UNFINISHED_STEP = "UnfinishedStep"
    OTHER_PLAN = "OtherPlan"
    OTHER_SENDER = "OtherSender"
    FOREIGN_PENDING = "ForeignPending"
    FOREIGN_NONCE = "ForeignNonce"
    NONCE_UNPROVEN = "NonceUnproven"
    NOT_FINAL_YET = "NotFinalYet"
    TRANSACTION_FAILED = "TransactionFailed"
    GOAL_NOT_REACHED = "GoalNotReached"
    CANCELLED = "Cancelled"
    NOTHING_TO_REPLACE = "NothingToReplace"
    UNKNOWN_AFTER_LOSS = "UnknownAfterLoss"
    REPLANNED = "Replanned"
    SAFE_NOT_EXECUTED = "SafeNotExecuted"
    SAFE_FAILED = "SafeFailed"
    SAFE_SUPERSEDED = "SafeSuperseded"
    SAFE_MISSING = "SafeMissing"
    SAFE_NOT_NEXT = "SafeNotNext"


NEXT_STEP = {
    Reason.WRONG_CHAIN: "name endpoints of the plan's chain",
    Reason.ENDPOINTS_DISAGREE: "ask a third endpoint which of them is right, leave the other out, "
    "and run it again",
    Reason.FINALITY_BROKEN: "do not send anything: a block that was final has changed, or an "
    "endpoint lies; ask others, and the chain's operator",
    Reason.ENDPOINT_LAGS: "wait, or name an endpoint that keeps up, and run it again",
    Reason.NO_ANSWER: "check the endpoints, and run it again: it resumes where it stands",
    Reason.REFUSED: "mend what the contract names, and run it again",
    Reason.INSUFFICIENT_FUNDS: "send the account some of the chain's coin, and run it again",
    Reason.GAS_ABOVE_CAP: "plan again with a higher gas limit, below 2^24; claims may also be sent "
    "by any key, with `rewards push`",
    Reason.FEE_ABOVE_CAP: "wait until fees fall, or plan again with higher caps",
    Reason.OTHER_ADDRESS: "make the plan anew: the account has sent something since",
    Reason.UNFINISHED_STEP: "bring that step to its end first: run its own command again",
    Reason.OTHER_PLAN: "submit the plan that was begun with, or cancel it first",
    Reason.OTHER_SENDER: "use the account that signed, or cancel with it first",
    Reason.FOREIGN_PENDING: "let nothing else send from this account; wait until that transaction "
    "has landed, and run it again",
    Reason.FOREIGN_NONCE: "find out who else sends from this account; then `rewards submit "
    "--again` signs anew at the next nonce",
    Reason.NONCE_UNPROVEN: "name an endpoint that keeps old state, and run it again",
    Reason.NOT_FINAL_YET: "run it again to go on watching, or raise the price with --bump",
    Reason.TRANSACTION_FAILED: "look at the reason, mend it, and `rewards submit --again`",
    Reason.GOAL_NOT_REACHED: "do not send anything: the receipt and the contract contradict each "
    "other; ask other endpoints",
    Reason.CANCELLED: "nothing of it can land any more; `rewards submit --again` signs anew",
    Reason.NOTHING_TO_REPLACE: "run `rewards status`",
    Reason.UNKNOWN_AFTER_LOSS: "look it up on the chain; if it was never made, "
    "`rewards submit --again`, or make the plan anew where that is refused",
    Reason.REPLANNED: "nothing is to do: a later plan took its place",
    Reason.SAFE_NOT_EXECUTED: "have its owners sign and execute it, and run it again to go on "
    "watching",
    Reason.SAFE_FAILED: "look at the reason, and export the plan again at the Safe's next nonce",
    Reason.SAFE_SUPERSEDED: "export the plan again at the Safe's next nonce",
    Reason.SAFE_MISSING: "check the Safe's address and the chain",
    Reason.SAFE_NOT_NEXT: "name the Safe's next nonce, after what waits before it is executed or "
    "rejected",
}


class Stopped(ChainError):  # noqa: N818 - reads as what it says
    """Sending stopped for a named reason.

    Attributes:
        reason: Its name.
        detail: What was found, in words.
        closed: Whether nothing that was signed can land any more.
    """

    def __init__(self, reason: Reason, detail: str, *, closed: bool = False) -> None:
        self.reason, self.detail, self.closed = reason, detail, closed
        super().__init__(f"{reason}: {detail}; {NEXT_STEP[reason]}")


class NotYet(Exception):  # noqa: N818
    """The endpoints do not tell yet: one lags or does not answer. Wait and ask again."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(detail)
