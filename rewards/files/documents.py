"""JSON in and out: canonical bytes, strict reading. Integers travel as decimal strings."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from rewards.errors import Finding, InvalidInput

DEPTH_LIMIT = 32
"""Objects and lists inside each other; the deepest of ours need about 12."""
# A string, ended or not, without ever going back over it; or a bracket.
_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[][{}]', re.DOTALL)


def canonical_json(value: object) -> bytes:
    """Return the canonical bytes: UTF-8, sorted keys, two spaces, a last line end."""
    return (json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()


def parse_json(content: bytes, name: str) -> dict[str, Any]:
    """Return a JSON object; a duplicate key, a float, `NaN` or deep nesting is refused.

    Raises:
        InvalidInput: The bytes are not such a document.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        document = dict(pairs)
        if len(document) != len(pairs):
            raise ValueError("a key is there twice")
        return document

    def refuse(text: str) -> NoReturn:
        raise ValueError(f"{text} is no integer")

    if _depth(content) > DEPTH_LIMIT:
        # A recursive parser may crash on this before it notices.
        raise InvalidInput(Finding(name, "is nested too deeply", "take the published file"))
    try:
        document = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=unique,
            parse_float=refuse,
            parse_constant=refuse,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            Finding(name, f"is not the JSON expected: {error}", "take the published file")
        ) from error
    if not isinstance(document, dict):
        raise InvalidInput(Finding(name, "is no JSON object", "take the published file"))
    return document


def _depth(content: bytes) -> int:
    """Return how deeply brackets stand inside each other, those in strings passed over."""
    depth = deepest = 0
    for match in _BRACKET.finditer(content):
        token = match[0]
        depth += (token in b"[{") - (token in b"]}")
        deepest = max(deepest, depth)
    return deepest
