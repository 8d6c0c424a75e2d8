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
    "wide: used > 1 → used <= 1": "halves that are 0 in every row are multiplied too: slower",
    "wide: limbs[-1].max() >= LIMB → limbs[-1].max() > LIMB": (
        "a digit of exactly 10^9 is multiplied as well as one of 0 and a carried 1"
    ),
    "wide: limbs[-1].min() < -LIMB → limbs[-1].min() <= -LIMB": "a limb more than is needed",
    "wide: limbs[-1].min() < -LIMB → limbs[-1].min() >= -LIMB": "a limb more than is needed",
    "wide: -LIMB → LIMB": "a limb more than is needed",
    "wide: 1 → 2": "a limb, a half, a row or a carry more than is needed, or one that is 0 anyway",
    "wide: 2 → 3": "a half more than is needed",
    "wide: (a, b) if len(a) > len(b) else (b, a) → (a, b) if not len(a) > len(b) else (b, a)": (
        "the product is the same, in more steps"
    ),
    "wide: len(a) > len(b) → len(a) >= len(b)": "the product is the same",
    "wide: len(a) > len(b) → len(a) <= len(b)": "the product is the same, in more steps",
    "wide: if i % PRODUCTS_AT_A_TIME == PRODUCTS_AT_A_TIME - 1"
    " → if not i % PRODUCTS_AT_A_TIME == PRODUCTS_AT_A_TIME - 1": "carried more often: slower",
    "wide: i % PRODUCTS_AT_A_TIME == PRODUCTS_AT_A_TIME - 1"
    " → i % PRODUCTS_AT_A_TIME != PRODUCTS_AT_A_TIME - 1": "carried more often: slower",
    "wide: if not len(top) or (top.max() < TOP_LIMIT and top.min() > -TOP_LIMIT)"
    " → if not (not len(top) or (top.max() < TOP_LIMIT and top.min() > -TOP_LIMIT))": (
        "a limb more each time, so that the last one never comes near its limit"
    ),
    "wide: top.max() < TOP_LIMIT → top.max() >= TOP_LIMIT": "a limb more each time",
    "wide: top.min() > -TOP_LIMIT → top.min() <= -TOP_LIMIT": "a limb more each time",
    "wide: top.min() > -TOP_LIMIT → top.min() >= -TOP_LIMIT": (
        "two limbs of exactly -2^62 have a sum of 63 bits"
    ),
    "wide: -TOP_LIMIT → TOP_LIMIT": "a limb more each time",
    "wide: False → True": "a copy more",
    "wide: len(self.limbs) >= width → len(self.limbs) > width": "what is carried stays as it is",
    "wide: method == '__call__' and (not options) and (len(inputs) == 2)"
    " → method == '__call__' or not options or len(inputs) == 2": (
        "an operator between two columns is all that is ever asked for"
    ),
    "wide: b > 0 → b >= 0": "both ways end in ZeroDivisionError",
    "wide: used > 1 → used >= 1": "a column of zeros keeps one limb either way",
    "wide: len(self.limbs) > 1 → len(self.limbs) >= 1": "one number to sort by or a list of one",
    "wide: max((1 << 30) // max(len(self), 1), 1) → min((1 << 30) // max(len(self), 1), 1)": (
        "added up in more steps: slower"
    ),
    "wide: 1 << 30 → 1 >> 30": "added up in more steps: slower",
    "wide: -1 → 1": "zeros like another half: all are of one shape",
    "wide: 62 → 63": "one leading bit more, and still within 63",
    "wide: 0 → 1": "one leading bit fewer",
    "wide: int(self.limbs[-1].max()) + 1 → int(self.limbs[-1].max()) - 1": (
        "a limit that is a little too low has as many limbs, and the order is looked at"
    ),
}
