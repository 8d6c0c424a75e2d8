"""For the auditor: recompute, derive, compare. No keys, nothing that sends."""
