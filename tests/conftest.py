"""Hypothesis profiles: `dev` by default, another by HYPOTHESIS_PROFILE."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

QUIET = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)

settings.register_profile(
    "dev",
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=QUIET,
)
settings.register_profile("ci", max_examples=1_000, deadline=None, suppress_health_check=QUIET)
settings.register_profile("deep", max_examples=20_000, deadline=None, suppress_health_check=QUIET)
# The same examples; one that fails is enough, nobody reads it.
settings.register_profile(
    "mutants", settings.get_profile("dev"), phases=(Phase.explicit, Phase.generate)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
