"""Whether training data hold a benchmark's items."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from casa.data.held_out import held_out_queries
from casa.data.overlap import Overlap
from casa.data.reading import read_examples
from casa.errors import DataError
from casa.evaluation.benchmarks import BENCHMARKS

OWN = "the project's test split"


@dataclass(frozen=True)
class Leak:
    """An item that training data hold.

    Attributes:
        benchmark: which.
        item: its id.
        why: "the same text", "eight words in a row" or "a whole sentence".
        line: number of the training example, from 1.
    """

    benchmark: str
    item: str
    why: str
    line: int


def leaks(train: Path, names: Sequence[str], folders: dict[str, str]) -> list[Leak]:
    """Items whose goal is in the training data, as `casa.data.overlap.Overlap.find` finds it.

    Args:
        train: training data in JSON Lines; see `casa.data.reading.read_examples`. All of it counts, whatever its split says.
        names: benchmarks to check; all of them if empty.
        folders: official data by benchmark; the mini sets, which are made from the project's own test split, where there are none.

    Raises:
        DataError: the training data are malformed, or a benchmark's data are not there.
    """
    trained: Overlap[int] = Overlap()
    for number, example in enumerate(read_examples([train]), start=1):
        trained.add(example.text, number)
    found = []
    for name, goal, item_id in goals(names, folders):
        if match := trained.find(goal):
            found.append(Leak(name, item_id, match[1], match[0]))
    return found


def goals(names: Sequence[str], folders: Mapping[str, str | Path]) -> Iterator[tuple[str, str, str]]:
    """What benchmarks ask for, each once: benchmark, goal, and id of the first item with it; see `leaks`."""
    queries = held_out_queries("test", 0)
    for name in names or BENCHMARKS:
        seen: set[str] = set()
        for item in BENCHMARKS[name].load(folders.get(name), queries):
            if item.goal not in seen:
                seen.add(item.goal)
                yield name, item.goal, item.id


def benchmark_overlap(folders: Mapping[str, str | Path]) -> Overlap[str]:
    """What benchmarks ask for, tagged with their names, to keep training data clear of it.

    Of benchmarks without official data the project's own test queries stand in, of which their mini sets are made.

    Args:
        folders: official data by benchmark.

    Raises:
        DataError: there is no such benchmark, or its data are not there.
    """
    if unknown := sorted(set(folders) - set(BENCHMARKS)):
        raise DataError(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    overlap: Overlap[str] = Overlap()
    for name, goal, _ in goals(list(folders), folders) if folders else ():
        overlap.add(goal, name)
    for query in itertools.chain(*held_out_queries("test", 0).values()):
        overlap.add(query.text, OWN)
    return overlap
