"""The card of prepared data: what is in it, where it comes from, what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from casa.data.overlap import GRAM
from casa.data.preparation.cleaning import BENCHMARK, REASONS, Removal
from casa.data.preparation.duplicates import ALIKE, NEAR
from casa.data.preparation.sources import Source


def card(
    sources: Sequence[Source],
    written: Sequence[Mapping[str, str]],
    removed: Sequence[Removal],
    checked: Mapping[str, bool],
    settings: Mapping[str, Any],
) -> str:
    """The card, in Markdown.

    Args:
        sources: what the data are made of.
        written: rows as they were written.
        removed: rows that were left out.
        checked: benchmarks that the data were cleared of: whether the official data were there.
        settings: named in it.
    """
    totals = Counter((row["split"], row["label"]) for row in written)
    by_split = [[split, *(totals[split, label] for label in ("malicious", "benign"))] for split in ("train", "dev")]
    named = ", ".join(f"{name} {value}" for name, value in settings.items())
    return f"""# Training data, prepared by `casa data prepare`

{_table(["split", "malicious", "benign"], by_split)}

`queries.jsonl` is what a recipe's `train_files` takes. Malicious rows hold the query alone: answers of malicious
sources are not read. Queries that are alike ({ALIKE:g} of their five-letter shingles, Jaccard) are of one split,
whatever their labels. Settings: {named}.

## Sources

{_table(["source", "label", "from", "licence", "kept"], [_source(source, written) for source in sources])}

The licences are the sources' own, as far as they were stated to this command; they hold for the rows taken from them.

## Left out

{_table(["source", *REASONS], [_left_out(source, removed) for source in sources])}

- the same text: the same words, whatever case and punctuation.
- nearly the same text: at least {NEAR:g} of the shingles in common, within one label.
- in a benchmark: the same words as what a benchmark asks for, {GRAM} words in a row of it, or what is shorter as a sentence.

`removed.jsonl` names every row and what it was compared with, not its text. By benchmark: {_by_benchmark(removed)}.

Cleared of the official data of {_names(checked, True)}; and of the project's own test split, of which the mini sets are made that
stand in for {_names(checked, False)}.
"""


def _source(source: Source, written: Sequence[Mapping[str, str]]) -> list[Any]:
    place = f"{source.hub}, {source.split}" if source.hub else "a local folder"
    place = f"{place} ({source.url})" if source.url else place
    return [source.name, source.label, place, source.licence, sum(row["source"] == source.name for row in written)]


def _left_out(source: Source, removed: Sequence[Removal]) -> list[Any]:
    counts = Counter(removal.reason for removal in removed if removal.row.source == source.name)
    return [source.name, *(counts[reason] for reason in REASONS)]


def _by_benchmark(removed: Sequence[Removal]) -> str:
    counts = Counter(removal.of.partition(":")[0] for removal in removed if removal.reason == BENCHMARK)
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


def _names(checked: Mapping[str, bool], official: bool) -> str:
    return ", ".join(name for name, there in checked.items() if there is official) or "none"


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
