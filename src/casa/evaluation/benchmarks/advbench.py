"""AdvBench (Zou et al. 2023, arXiv 2307.15043): harmful instructions, simply asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from casa.evaluation.benchmarks.base import Benchmark, Item, Queries, csv_rows, find_file, user
from casa.evaluation.benchmarks.derived import BOTH, Attack, asked, attacked

CATEGORY = "harmful behaviours"  # the set has no categories


def read(folder: Path) -> Iterator[Item]:
    """The goals of `harmful_behaviors.csv`; ids are row numbers."""
    file = find_file(folder, "data/advbench/harmful_behaviors.csv")
    for number, row in enumerate(csv_rows(file, ("goal",)), start=1):
        yield Item(str(number), user(row["goal"]), row["goal"], True, CATEGORY)


def mini(queries: Queries) -> Iterable[Item]:
    """The project's malicious queries."""
    return asked(queries, "malicious")


BENCHMARK = Benchmark(
    name="advbench",
    title="AdvBench",
    measures="attack",
    modality="text",
    size=520,
    licence="MIT",
    source="github.com/llm-attacks/llm-attacks",
    obtain="Clone github.com/llm-attacks/llm-attacks; the file is data/advbench/harmful_behaviors.csv.",
    read=read,
    mini=mini,
)


def under(attacks: Callable[[], Mapping[str, Attack]], name: str, title: str, forms: int) -> Benchmark:
    """A benchmark that asks every goal of AdvBench under every attack; its mini set, the project's queries, harmless ones too.

    Args:
        attacks: makes the attacks by name, when items are loaded.
        name: of the benchmark.
        title: of the benchmark.
        forms: how many attacks there are.
    """
    return replace(
        BENCHMARK,
        name=name,
        title=title,
        size=forms * BENCHMARK.size,
        read=lambda folder: attacked(read(folder), attacks()),
        mini=lambda queries: attacked(asked(queries, *BOTH), attacks()),
    )
