"""JSON in and out: canonical bytes, strict reading. Integers travel as decimal strings."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from rewards.errors import Finding, InvalidInput


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
