"""Sending: from a plan to a finalized block, once, whatever fails on the way.

states and reasons      `rewards.chain.journal`, `reasons`
what is to be sent      `intents` (from a plan), `goals` (how the chain shows that it is done)
who is asked            `node` (one endpoint), `quorum` (all of them, at one finalized block)
what it may cost        `fees`
the way itself          `machine`: sign, broadcast, watch, bump, cancel
around it               `drift`, `receipts`, `push`, `safe_watch`, `recovery`, `standing`
"""
