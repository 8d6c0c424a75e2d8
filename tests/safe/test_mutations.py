"""A small tier of the campaign in `mutations.py`; the whole: `python -m tests.safe.mutations`."""

from __future__ import annotations

import contextlib
import json
import random
from typing import Any

import pytest

from rewards.chain.plan import plan_digest
from rewards.chain.plan_file import parse_plan, plan_bytes
from rewards.chain.safe.check import check_file
from rewards.errors import InvalidInput
from rewards.files.documents import canonical_json
from tests.safe.mutations import KINDS, mutate, refused, subjects
from tests.safe.plans import NONCE, SAFE

RUNS = 40
"""Of each kind."""


def test_unchanged__is_accepted() -> None:
    for subject in subjects():
        assert not check_file(subject.content, "f", subject.plan, SAFE, NONCE).findings, subject


@pytest.mark.parametrize("name", KINDS)
def test_changed__is_refused(name: str) -> None:
    for number in range(RUNS):
        dice = random.Random(f"test {name} {number}")
        subject, content = mutate(dice, name)
        assert refused(dice, name, subject, content), (number, subject.plan_name, subject.form)


ODD: tuple[object, ...] = (
    *(None, True, 0, -1, 2**256, 2**300, "", "0", "0x", "x" * 300, "\U0001f600", "\x1b[2J"),
    *([], {}, [[]], [None], {"": ""}, {"value": None}, [{"to": 1}]),
)


def test_any_value_in_any_place__is_answered_by_findings() -> None:
    """Neither a file nor a plan can end in anything but a verdict."""
    for seed in range(1_500):
        dice = random.Random(seed)
        subject = dice.choice(subjects())
        document = json.loads(subject.content)
        put_somewhere(dice, document)
        check_file(json.dumps(document).encode(), "f", subject.plan, SAFE, NONCE)
        planned = json.loads(plan_bytes(subject.plan))
        put_somewhere(dice, planned)
        with contextlib.suppress(InvalidInput):
            parse_plan(canonical_json({**planned, "digest": plan_digest(planned)}))


def put_somewhere(dice: random.Random, document: Any) -> None:
    """Put an odd value into some place of a document, at any depth."""
    holder: Any = document
    while True:
        key = dice.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        inner = holder[key]
        if isinstance(inner, dict | list) and inner and dice.random() < 0.8:
            holder = inner
            continue
        holder[key] = dice.choice(ODD)
        return
