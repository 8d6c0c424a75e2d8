"""Arguments that several commands read alike."""

from __future__ import annotations

import click


def epoch_and_subject(words: tuple[str, ...]) -> tuple[str | None, str]:
    """Return (OUT or None, subject) of `[OUT] SUBJECT`."""
    if len(words) == 1:
        return None, words[0]
    if len(words) == 2:
        return words[0], words[1]
    raise click.UsageError("give [OUT] and one id or account")
