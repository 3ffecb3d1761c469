"""Dilution: a query buried in harmless text."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import cycle


def dilute(query: str, paragraphs: Sequence[str], tokens: int, count_tokens: Callable[[str], int], seed: int) -> str:
    """The query as a paragraph of its own, at a random place between harmless ones.

    Args:
        query: what is buried.
        paragraphs: harmless text, repeated in a random order as long as it takes.
        tokens: least number of tokens of harmless text; 0 gives the query alone.
        count_tokens: counts the tokens of a text.
        seed: of the order and the place.
    """
    rng = random.Random(f"{seed} {query}")
    chosen: list[str] = []
    length = 0
    for paragraph in cycle(rng.sample(list(paragraphs), len(paragraphs))):
        if length >= tokens:
            break
        chosen.append(paragraph)
        length += count_tokens(paragraph)
    chosen.insert(rng.randint(0, len(chosen)), query)
    return "\n\n".join(chosen)
