"""Golden vectors: every published byte of a few small epochs."""
