"""Which prompts are rated, and by whom: balanced, and random from a seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from casa.apps.annotation.collect import Prompt

T = TypeVar("T")
_BALANCED: tuple[Callable[[Prompt], Hashable], ...] = (
    lambda prompt: prompt.harmful,
    lambda prompt: prompt.modality,
    lambda prompt: prompt.benchmark,
)


def chosen_prompts(prompts: Sequence[Prompt], most: int, rng: random.Random) -> list[Prompt]:
    """At most so many prompts, as many harmful as harmless ones, of every modality alike, and of every benchmark alike.

    Where a group runs out, others fill up. Every method answered each prompt, so that methods are balanced exactly.
    """
    mixed = list(prompts)
    rng.shuffle(mixed)
    return alternating(mixed, *_BALANCED)[:most]


def alternating(items: Sequence[T], *keys: Callable[[T], Hashable]) -> list[T]:
    """All items, one of each group in turn: of the first key's groups, inside each of the second's, and so on."""
    if not keys:
        return list(items)
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(keys[0](item), []).append(item)
    return list(_in_turn([alternating(group, *keys[1:]) for group in groups.values()]))


def _in_turn(groups: Sequence[Sequence[T]]) -> Iterator[T]:
    for place in range(max(map(len, groups), default=0)):
        yield from (group[place] for group in groups if place < len(group))


@dataclass(frozen=True)
class Cell:
    """What must be spread evenly over raters.

    Attributes:
        method: whose answer it is.
        harmful: what kind of prompt.
        modality: with which media.
    """

    method: str
    harmful: bool
    modality: str


def assigned_raters(cells: Sequence[Cell], raters: int, each: int, rng: random.Random) -> list[list[int]]:
    """Numbers of the raters of every answer.

    Each answer goes to `each` different raters, and each rater gets as many answers of every cell as any other, within one.

    Args:
        cells: of the answers.
        raters: how many there are.
        each: raters of one answer, at most `raters`.
        rng: breaks ties, so that all pairs of raters come to rate answers in common.
    """
    load: Counter[int] = Counter()
    in_cell: Counter[tuple[int, Cell]] = Counter()
    result: list[list[int]] = [[] for _ in cells]
    order = list(range(len(cells)))
    rng.shuffle(order)
    for answer in order:
        cell = cells[answer]
        ranked = sorted(range(raters), key=lambda rater: (in_cell[rater, cell], load[rater], rng.random()))
        result[answer] = sorted(ranked[:each])
        for rater in result[answer]:
            load[rater] += 1
            in_cell[rater, cell] += 1
    return result
