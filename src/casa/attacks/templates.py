"""Text attacks: a query inside a jailbreak framing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from casa.data.reading import Example, Template


def in_every_framing(examples: Sequence[Example], templates: Sequence[Template], each: int, seed: int) -> list[Example]:
    """Every example in `each` different framings, drawn at random; for evaluation."""
    rng = random.Random(seed)
    return [
        replace(example, id=f"{example.id}@{t.id}", text=t.fill(example.text), kind=f"{example.kind}+{t.family}")
        for example in examples
        for t in rng.sample(list(templates), min(each, len(templates)))
    ]
