"""Held-out queries by kind, some inside framings that training never sees."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from casa.data.reading import SEED_DATA, Example, Split, Template, jailbreak_templates, read_examples

HARMFUL = ("malicious", "jailbroken")
HARMLESS = ("benign", "lookalike", "framed_benign")
CONTRASTS = (("malicious", "benign"), ("malicious", "lookalike"), ("jailbroken", "framed_benign"))


def held_out_queries(
    split: Split, seed: int, limit: int | None = None, sources: Sequence[str] = (SEED_DATA,)
) -> dict[str, list[Example]]:
    """Queries of one split by kind: `HARMFUL` and `HARMLESS`.

    Args:
        split: "dev" or "test".
        seed: of the choice of queries (if limited) and framings.
        limit: at most so many of each kind; None for all.
        sources: data files; "seed" is the shipped data set.
    """
    held_out = [example for example in read_examples(sources) if example.split == split]
    random.Random(seed).shuffle(held_out)
    malicious = [e for e in held_out if e.malicious][:limit]
    benign = [e for e in held_out if not e.malicious and e.kind == "plain"][:limit]
    templates = jailbreak_templates(split)
    return {
        "malicious": malicious,
        "jailbroken": in_framings(malicious, templates, 1, seed),
        "benign": benign,
        "lookalike": [e for e in held_out if not e.malicious and e.kind == "lookalike"][:limit],
        "framed_benign": in_framings(benign, templates, 1, seed),
    }


def in_framings(examples: Sequence[Example], templates: Sequence[Template], each: int, seed: int) -> list[Example]:
    """Every example in `each` different framings, drawn at random."""
    rng = random.Random(seed)
    return [
        replace(example, id=f"{example.id}@{t.id}", text=t.fill(example.text), kind=f"{example.kind}+{t.family}")
        for example in examples
        for t in rng.sample(list(templates), min(each, len(templates)))
    ]


def batches_of_like_length(texts: Sequence[str], size: int, characters: float = math.inf) -> Iterator[list[int]]:
    """Indices of the texts in batches of at most `size`, shortest first, so that little is padding.

    Args:
        texts: what is put into batches.
        size: most texts in a batch.
        characters: most characters in a batch, padding counted; a longer text is a batch of its own.
    """
    batch: list[int] = []
    for i in sorted(range(len(texts)), key=lambda i: (len(texts[i]), texts[i])):
        if batch and (len(batch) == size or len(texts[i]) * (len(batch) + 1) > characters):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
