"""An independent second program for ruleset ``wct-1`` and a generator of seasons for it."""
