"""StrongREJECT (Souly et al. 2024, arXiv 2402.10260): forbidden prompts that ask for something specific and answerable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from casa.evaluation.benchmarks.base import Benchmark, Item, Queries, csv_rows, find_file, user, whole_file
from casa.evaluation.benchmarks.derived import asked

FILES = {"strongreject_dataset/strongreject_dataset.csv": 313, "strongreject_small_dataset.csv": 60}  # prompts of each


def read(folder: Path) -> Iterator[Item]:
    """The prompts of the full file, else of the small one; ids are row numbers."""
    file = find_file(folder, *FILES)
    for number, row in enumerate(csv_rows(file, ("category", "forbidden_prompt")), start=1):
        prompt = row["forbidden_prompt"]
        yield Item(str(number), user(prompt), prompt, True, row["category"])


def mini(queries: Queries) -> Iterable[Item]:
    """The project's malicious queries."""
    return asked(queries, "malicious")


BENCHMARK = Benchmark(
    name="strongreject",
    title="StrongREJECT",
    measures="attack",
    modality="text",
    size=313,
    licence="MIT",
    source="github.com/alexandrasouly/strongreject",
    obtain="Clone the repository; the file is strongreject_dataset/strongreject_dataset.csv.",
    read=read,
    mini=mini,
    whole=partial(whole_file, sizes=FILES),
)
