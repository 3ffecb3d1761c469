"""Prefill attack (Qi et al. 2024, arXiv 2406.05946) on AdvBench's goals: the answer begins as if the model had agreed."""

from __future__ import annotations

from functools import partial

from casa.attacks.prefill import prefilled_in_words
from casa.evaluation.benchmarks import advbench
from casa.evaluation.benchmarks.derived import SEED, Attack

# Words, so that every model is given the same beginning; the paper counts tokens.
WORDS = (2, 4, 9, 12, 16)
ATTACKS: dict[str, Attack] = {f"prefill {n}": partial(prefilled_in_words, words=n, seed=SEED) for n in WORDS}


BENCHMARK = advbench.under(lambda: ATTACKS, "prefill", "Prefilled answers to AdvBench", len(ATTACKS))
