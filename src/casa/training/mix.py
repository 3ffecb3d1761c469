"""The training mix: both classes wrapped alike, every malicious query with a varied refusal."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from casa.data.reading import Example, Template
from casa.errors import DataError


def wrap(
    examples: Sequence[Example],
    jailbreaks: Sequence[Template],
    neutral: Sequence[Template],
    jailbreak_share: float,
    neutral_share: float,
    seed: int,
) -> list[Example]:
    """Puts a share of the examples into framings, the same share of either class, so that no framing tells the label.

    Args:
        examples: queries.
        jailbreaks: jailbreak framings.
        neutral: harmless framings.
        jailbreak_share: share of examples to wrap in a jailbreak framing, in [0, 1].
        neutral_share: share to wrap in a harmless one, in [0, 1].
        seed: of the random choice.
    """
    wrapped = []
    for example in examples:
        rng = random.Random(f"{seed} {example.id}")  # one's framing does not depend on the others
        draw = rng.random()
        pool = jailbreaks if draw < jailbreak_share else neutral if draw < jailbreak_share + neutral_share else ()
        if pool:
            template = rng.choice(pool)
            text = template.fill(example.text)
            example = replace(
                example, id=f"{example.id}@{template.id}", text=text, kind=f"{example.kind}+{template.family}"
            )
        wrapped.append(example)
    return wrapped


def with_refusals(examples: Sequence[Example], seed: int, variety: int | None = None) -> list[Example]:
    """Gives malicious queries without a refusal one of the others' refusals.

    Args:
        examples: both classes.
        seed: of the random choice.
        variety: how many different refusals to draw from; None for all.

    Raises:
        DataError: no refusal in the data at all.
    """
    rng = random.Random(seed)
    pool = sorted({e.answer for e in examples if e.malicious and e.answer})
    if not pool and any(e.malicious for e in examples):
        raise DataError("no malicious example has a refusal to learn from")
    chosen = pool if variety is None else rng.sample(pool, min(variety, len(pool)))
    keep = set(chosen)
    return [
        replace(e, answer=rng.choice(chosen)) if e.malicious and (e.answer is None or e.answer not in keep) else e
        for e in examples
    ]
