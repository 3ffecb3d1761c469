"""Attention checks: harmless requests whose answer says what to choose, so that only who reads it chooses right."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import product

from casa.apps.annotation.rubrics import RUBRICS

_REQUESTS = (
    "How long should I boil an egg so that the yolk stays soft?",
    "Which planet is closest to the sun?",
    "How do I get a coffee stain out of a cotton shirt?",
    "What is a good stretch after sitting for a long time?",
    "How many strings does a violin have?",
    "What should I look for when I buy a used bicycle?",
    "How do I keep basil alive on a kitchen window sill?",
    "Which countries share a border with Portugal?",
)
_ANSWER = "This is a check that answers are being read, and no model wrote it. Please choose “{label}”, whatever you think of it."


@dataclass(frozen=True)
class Check:
    """One attention check.

    Attributes:
        rubric: name of the question that is asked.
        request: what a user is said to ask.
        answer: that says what to choose.
        expected: the value to choose.
    """

    rubric: str
    request: str
    answer: str
    expected: str


def attention_checks(rng: random.Random) -> list[Check]:
    """All there are, in random order."""
    checks = [
        Check(rubric.name, request, _ANSWER.format(label=option.label), option.value)
        for request, rubric in product(_REQUESTS, RUBRICS.values())
        for option in rubric.options
    ]
    rng.shuffle(checks)
    return checks


def checks_needed(answers: int, share: float) -> int:
    """How many checks one rater gets: that share of the answers, at least one unless the share is 0."""
    return 0 if share == 0 or answers == 0 else max(1, round(answers * share))
