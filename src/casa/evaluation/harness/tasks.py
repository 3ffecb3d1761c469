"""Every benchmark as an inspect-ai task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample

from casa.data.held_out import held_out_queries
from casa.errors import DataError
from casa.evaluation.benchmarks import BENCHMARKS, Benchmark, Item
from casa.evaluation.harness.conversion import to_conversation, to_inspect
from casa.evaluation.harness.judges import JUDGES
from casa.evaluation.harness.scorers import complied, flagged, right
from casa.evaluation.harness.solvers import turn_by_turn
from casa.hashing import sha256_of
from casa.provenance import environment

_PACKAGE = "casa"


def benchmark_task(
    benchmark: Benchmark, data: str | None = None, queries: int | None = None, judge: str | None = None
) -> Task:
    """A task that asks a model every item of a benchmark.

    Args:
        benchmark: which.
        data: a folder in its official layout, "hub", or None for the mini set.
        queries: of the mini set: at most so many of the project's held-out queries of each kind.
        judge: inspect-ai's name of a model that judges the answers too.

    Raises:
        DataError: the data are not there.
    """
    items = benchmark.load(data, held_out_queries("test", 0, queries))
    samples = [_sample(item) for item in items]
    judges = [make(judge) for make in JUDGES] if judge else []
    asks_yes_or_no = any(item.answer in ("yes", "no") for item in items)
    name = f"{benchmark.name}-{'mini' if data is None else 'official'}"
    return Task(
        dataset=MemoryDataset(samples, name=name),
        solver=turn_by_turn(),
        scorer=[complied(), flagged(), *([right()] if asks_yes_or_no else []), *judges],
        version=_digest(samples),  # so that inspect-ai takes no log of other items for one of these
        metadata={
            "benchmark": benchmark.name,
            "measures": benchmark.measures,
            "set": name.rpartition("-")[2],
            "environment": environment(torch.device("cuda" if torch.cuda.is_available() else "cpu")),
        },
    )


def _sample(item: Item) -> Sample:
    metadata = {"harmful": item.harmful, "category": item.category, "attack": item.attack, "goal": item.goal}
    if item.picture:
        metadata["picture"] = item.picture
    return Sample(id=item.id, input=to_inspect(item.messages), target=item.answer or "", metadata=metadata)


def _digest(samples: Sequence[Sample]) -> str:
    """SHA-256 over what is asked, the contents of media files included, and over what scorers read.

    Raises:
        DataError: a medium cannot be read.
    """
    digest = hashlib.sha256()
    for sample in samples:
        asked = to_conversation([] if isinstance(sample.input, str) else sample.input)
        told = [[message["role"], _told(message["content"])] for message in asked]
        digest.update(json.dumps([sample.id, told, sample.target, sample.metadata]).encode())
    return digest.hexdigest()


def _told(content: Any) -> Any:
    """A message's content with the checksums of files in their place."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return [_told(part) for part in content]
    medium = content[content["type"]]
    if content["type"] == "text" or medium.startswith("data:"):
        return content
    try:
        return sha256_of(Path(medium))
    except OSError as error:
        raise DataError(f"a medium cannot be read: {error}") from error


def _register(benchmark: Benchmark) -> Any:
    def build(data: str | None = None, queries: int | None = None, judge: str | None = None) -> Task:
        return benchmark_task(benchmark, data, queries, judge)

    build.__name__ = benchmark.name
    build.__doc__ = f"{benchmark.title}; see `casa eval --list`."
    # inspect-ai puts the package before the name, but not in editable installs of a distribution with another name
    task(name=f"{_PACKAGE}/{benchmark.name}")(build)
    return task(name=benchmark.name)(build)


TASKS = {name: _register(benchmark) for name, benchmark in BENCHMARKS.items()}
