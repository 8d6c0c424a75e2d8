"""Command lines run in this process, as a user would type them."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from rewards.cli import rewards


def run(*words: object) -> Any:
    """Run a command that must succeed; return the document that it prints with --json."""
    done = CliRunner().invoke(rewards, [*map(str, words), "--json"])
    assert done.exit_code == 0, (words, done.output, done.exception)
    return json.loads(done.stdout)


def refused(*words: object) -> Any:
    """Run a command that must not succeed; return its document, or else its error."""
    done = CliRunner().invoke(rewards, [*map(str, words), "--json"])
    assert done.exit_code, (words, done.output)
    return json.loads(done.stdout) if done.stdout else done.exception
