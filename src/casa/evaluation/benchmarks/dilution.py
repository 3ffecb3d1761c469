"""Dilution, the project's own: a goal buried in harmless text; over AdvBench's goals (Zou et al. 2023, arXiv 2307.15043)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from casa.attacks.dilution import dilute
from casa.data.reading import neutral_paragraphs
from casa.evaluation.benchmarks import advbench
from casa.evaluation.benchmarks.base import Item, Queries, user
from casa.evaluation.benchmarks.derived import BOTH, SEED, Attack, asked, attacked

# Least words of harmless text, steep, so that a trend can be seen; the longest is about 32k tokens.
WORDS = (256, 1024, 4096, 24576)
MINI_WORDS = WORDS[:3]  # casa-nano takes 8,192 tokens


def attacks(lengths: Iterable[int] = WORDS) -> dict[str, Attack]:
    """The attack at each length, by name; what stands between blanks counts as a word."""
    paragraphs = neutral_paragraphs("test")

    def buried(words: int) -> Attack:
        return lambda query: user(dilute(query, paragraphs, words, lambda text: len(text.split()), SEED))

    return {f"dilution {words}": buried(words) for words in lengths}


def mini(queries: Queries) -> Iterable[Item]:
    """The project's queries, harmless ones too, in texts that casa-nano can hold."""
    return attacked(asked(queries, *BOTH), attacks(MINI_WORDS))


BENCHMARK = replace(advbench.under(attacks, "dilution", "Goals buried in harmless text", len(WORDS)), mini=mini)
