"""Benchmarks, one file each: to add one, write its file and name it here."""

from __future__ import annotations

from casa.evaluation.benchmarks import (
    advbench,
    aiah,
    dilution,
    encodings,
    figstep,
    harmbench,
    jailbreakbench,
    jailbreakv,
    jb_prompt,
    mm_safetybench,
    mme,
    multi_turn,
    or_bench,
    prefill,
    rewrites,
    strongreject,
    text_utility,
    token_injection,
    xstest,
)
from casa.evaluation.benchmarks.base import Benchmark, Item

_ATTACKS_ON_TEXT = (advbench, harmbench, jailbreakbench, strongreject, jb_prompt)
_ATTACKS_WITH_MEDIA = (mm_safetybench, jailbreakv, figstep, aiah)
_ADAPTIVE_ATTACKS = (prefill, token_injection, multi_turn, dilution, encodings, rewrites)
_COSTS = (xstest, or_bench, mme, text_utility)

BENCHMARKS: dict[str, Benchmark] = {
    module.BENCHMARK.name: module.BENCHMARK
    for module in (*_ATTACKS_ON_TEXT, *_ATTACKS_WITH_MEDIA, *_ADAPTIVE_ATTACKS, *_COSTS)
}

__all__ = ["BENCHMARKS", "Benchmark", "Item"]
