"""Between the published epochs and the chain: the gate, the plans, restating, succession."""
