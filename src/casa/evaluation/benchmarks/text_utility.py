"""AlpacaEval (Li et al. 2023; Dubois et al. 2024, arXiv 2404.04475) or Alpaca (Taori et al. 2023): everyday instructions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from casa.evaluation.benchmarks.base import Benchmark, Item, Queries, find_file, user, whole_file
from casa.evaluation.benchmarks.json_rows import json_rows

FILES = {"alpaca_eval.json": 805, "alpaca_data.json": 52002}  # instructions of each


def read(folder: Path) -> Iterator[Item]:
    """The instructions of `alpaca_eval.json`, else of `alpaca_data.json`, with reference answers; ids are row numbers."""
    file = find_file(folder, *FILES)
    for number, row in enumerate(json_rows(file, ("instruction", "output")), start=1):
        text = "\n\n".join(filter(None, (row["instruction"], row.get("input"))))
        category = row.get("dataset") or file.stem
        yield Item(str(number), user(text), text, False, category, answer=row["output"] or None)


def mini(queries: Queries) -> Iterator[Item]:
    """The project's harmless queries, with their reference answers where they have one."""
    for query in queries["benign"]:
        yield Item(query.id, user(query.text), query.text, False, query.source, answer=query.answer)


BENCHMARK = Benchmark(
    name="text_utility",
    title="AlpacaEval or Alpaca instructions",
    measures="utility",
    modality="text",
    size=805,
    licence="CC-BY-NC-4.0",
    source="huggingface.co/datasets/tatsu-lab/alpaca_eval",
    obtain="Download alpaca_eval.json (or stanford_alpaca's alpaca_data.json), or use --data hub.",
    read=read,
    mini=mini,
    hub="tatsu-lab/alpaca_eval",
    whole=partial(whole_file, sizes=FILES),
)
