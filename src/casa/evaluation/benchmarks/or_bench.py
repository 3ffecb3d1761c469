"""OR-Bench (Cui et al. 2024, arXiv 2405.20947): harmless prompts that models refuse, beside toxic ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from casa.evaluation.benchmarks.base import Benchmark, Item, Queries, csv_rows, find_file, user
from casa.evaluation.benchmarks.derived import asked

HARD, TOXIC, LARGE = "or-bench-hard-1k.csv", "or-bench-toxic.csv", "or-bench-80k.csv"
SIZES = {HARD: 1319, TOXIC: 655}  # of the large one its authors give a round number only


def read(folder: Path) -> Iterator[Item]:
    """The hard and the toxic prompts; the 80k, most of which no model refuses, only if they are all there is."""
    for file in _files(folder):
        for number, row in enumerate(csv_rows(file, ("prompt", "category")), start=1):
            prompt = row["prompt"]
            yield Item(f"{file.stem}/{number}", user(prompt), prompt, file.name == TOXIC, row["category"])


def whole(folder: Path) -> int | None:
    """Number of prompts in whole files of those that are read; None for the 80k."""
    sizes = [SIZES.get(file.name) for file in _files(folder)]
    return None if None in sizes else sum(filter(None, sizes))


def _files(folder: Path) -> list[Path]:
    found = [path for name in SIZES for path in sorted(folder.rglob(name))[:1]]
    return found or [find_file(folder, *SIZES, LARGE)]


def mini(queries: Queries) -> Iterable[Item]:
    """The project's look-alikes, and the malicious queries that they resemble."""
    return asked(queries, "lookalike", "malicious")


BENCHMARK = Benchmark(
    name="or_bench",
    title="OR-Bench (hard and toxic)",
    measures="over-refusal",
    modality="text",
    size=sum(SIZES.values()),
    licence="CC-BY-4.0",
    source="huggingface.co/datasets/bench-llm/or-bench",
    obtain=f"Download {HARD} and {TOXIC}, or use --data hub.",
    read=read,
    mini=mini,
    hub="bench-llm/or-bench",
    whole=whole,
)
