"""Why a mutant survives: the same result by another way, or a change of speed or words alone."""

EXPLAINED: dict[str, str] = {
    "tree: a < b → a <= b": "equal hashes: either order is the same bytes",
    "tree: 0 → 1": "a place-holder in a list whose every place is filled",
    "lifecycle: for move in self.transitions if move.after is STANDBY"
    " → for move in self.transitions": (
        "a node that moved in this epoch and is on standby moved there: no step moves it on before"
    ),
    "epoch: isinstance(wallets, tuple) and isinstance(ledger, dict)"
    " → isinstance(wallets, tuple) or isinstance(ledger, dict)": (
        "both compositions give the same rows (`tests/large/test_by_column.py`); one is faster"
    ),
    "inputs: header.window.start > before.end → header.window.start >= before.end": (
        "asked only where the two differ"
    ),
    "scores: response_time_us <= target_us * requests"
    " → response_time_us < target_us * requests": "at the target the line, too, gives exactly 1",
    "scores: response_time_us >= ceiling_us * requests"
    " → response_time_us > ceiling_us * requests": "at the ceiling the line, too, gives exactly 0",
    "integers: 1 → 2": "from a higher start, or for the first root, Newton's method ends there too",
    "node_pay: 0 → 1": "the score of a node that is not paid counts nowhere",
    "node_pay: factor > 0 → factor >= 0": "with a factor of 0 the weight and the base are 0 anyway",
    "node_pay: score < tau → score <= tau": "at tau the penalty's formula gives 0 too",
    "apportion: pool * weight > cap_amount * total → pool * weight >= cap_amount * total": (
        "a share of exactly K is K either way, and what the others share keeps its proportion"
    ),
    "attribution: 0 → 1": (
        "whose account is not covered has claimed everything, and beyond that nothing is attributed"
    ),
}
