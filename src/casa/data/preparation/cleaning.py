"""What is left out of training data, and why; and which rows must stay on one side of a split."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from casa.data.overlap import Overlap, words
from casa.data.preparation.duplicates import NEAR, similar_pairs
from casa.data.preparation.sources import Row, Source

EMPTY = "no text or no answer"
BOTH = "also in a malicious source"
SAME = "the same text"
NEARLY = "nearly the same text"
BENCHMARK = "in a benchmark"
SURPLUS = "beyond the source's limit"
REASONS = (EMPTY, BOTH, SAME, NEARLY, BENCHMARK, SURPLUS)


@dataclass(frozen=True)
class Removal:
    """A row that was left out.

    Attributes:
        row: it.
        reason: one of `REASONS`.
        of: what it was compared with: a row's id, or a benchmark and how.
    """

    row: Row
    reason: str
    of: str = ""


@dataclass
class Cleaned:
    """Rows that are left, and the others.

    Attributes:
        kept: in the order of their sources.
        groups: name of each kept row's group, by its id; a group's rows are alike, whatever their labels.
        removed: in the order in which they were found.
    """

    kept: list[Row] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)
    removed: list[Removal] = field(default_factory=list)


def clean(rows: Sequence[Row], sources: Sequence[Source], benchmarks: Overlap[str], seed: int) -> Cleaned:
    """Leaves out what is empty, a benchmark's, a duplicate, and what goes beyond a source's limit.

    Of two rows that are the same, or nearly the same with one label, the first source's is kept. A benign row with the very text
    of a malicious one is left out: its label is in doubt.

    Args:
        rows: of all sources, in their order.
        sources: with their limits.
        benchmarks: what must not be trained on.
        seed: of the draw within a limit.
    """
    result = Cleaned()
    distinct = _without_repetitions(_clear_of(_filled(rows, sources, result), benchmarks, result), result)
    distinct = _without_near_duplicates(distinct, result)
    result.kept = _within_limits(distinct, sources, seed, result)
    return result


def _filled(rows: Sequence[Row], sources: Sequence[Source], result: Cleaned) -> list[Row]:
    answered = {source.name for source in sources if source.answer}
    kept = []
    for row in rows:
        if words(row.text) and (row.answer or row.source not in answered):
            kept.append(row)
        else:
            result.removed.append(Removal(row, EMPTY))
    return kept


def _clear_of(rows: Sequence[Row], benchmarks: Overlap[str], result: Cleaned) -> list[Row]:
    kept = []
    for row in rows:
        if found := benchmarks.find(row.text):
            result.removed.append(Removal(row, BENCHMARK, ": ".join(found)))
        else:
            kept.append(row)
    return kept


def _without_repetitions(rows: Sequence[Row], result: Cleaned) -> list[Row]:
    first: dict[tuple[str, ...], Row] = {}
    for row in sorted(rows, key=lambda row: row.label == "benign"):  # malicious ones first, else in order
        earlier = first.setdefault(words(row.text), row)
        if earlier is not row:
            result.removed.append(Removal(row, SAME if earlier.label == row.label else BOTH, earlier.id))
    kept = {row.id for row in first.values()}
    return [row for row in rows if row.id in kept]


def _without_near_duplicates(rows: Sequence[Row], result: Cleaned) -> list[Row]:
    """Leaves near-duplicates of one label out, and puts all that are alike into one group."""
    gone: set[int] = set()
    group = list(range(len(rows)))  # of the rows' indices; a group is named by its first
    members: dict[int, list[int]] = defaultdict(list, {i: [i] for i in group})
    for pair in similar_pairs([row.text for row in rows]):
        earlier, later = rows[pair.earlier], rows[pair.later]
        near = pair.similarity >= NEAR and earlier.label == later.label
        if near and not {pair.earlier, pair.later} & gone:
            gone.add(pair.later)
            result.removed.append(Removal(later, NEARLY, earlier.id))
        low, high = sorted((group[pair.earlier], group[pair.later]))
        if low != high:
            for index in members[high]:
                group[index] = low
            members[low] += members.pop(high)
    kept = [i for i in range(len(rows)) if i not in gone]
    names: dict[int, str] = {}
    for i in kept:
        names[group[i]] = min(names.get(group[i], rows[i].id), rows[i].id)  # the smallest id, as `read_examples` has it
    result.groups = {rows[i].id: names[group[i]] for i in kept}
    return [rows[i] for i in kept]


def _within_limits(rows: Sequence[Row], sources: Sequence[Source], seed: int, result: Cleaned) -> list[Row]:
    kept: set[str] = set()
    for source in sources:
        own = [row for row in rows if row.source == source.name]
        drawn = (
            own
            if source.limit is None
            else random.Random(f"{seed} {source.name}").sample(own, min(source.limit, len(own)))
        )
        kept |= {row.id for row in drawn}
    result.removed += [Removal(row, SURPLUS) for row in rows if row.id not in kept]
    return [row for row in rows if row.id in kept]
