"""Why a mutant survives: the same result by another way, or a change of speed or words alone."""

EXPLAINED: dict[str, str] = {}
