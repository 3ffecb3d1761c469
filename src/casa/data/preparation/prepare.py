"""Sources in, `train_files` out: queries with label and split, a card, and a list of what was left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from casa.data.overlap import Overlap
from casa.data.preparation.card import card
from casa.data.preparation.cleaning import Cleaned, Removal, clean
from casa.data.preparation.sources import Row, Source
from casa.data.reading import split_of
from casa.errors import DataError

QUERIES_FILE, REMOVED_FILE, CARD_FILE = "queries.jsonl", "removed.jsonl", "README.md"


def prepare(
    sources: Sequence[Source],
    folder: Path,
    benchmarks: Overlap[str],
    checked: Mapping[str, bool],
    dev_share: float = 0.1,
    seed: int = 0,
) -> dict[str, Any]:
    """Writes a folder of training data; of malicious rows the query alone, never an answer.

    Args:
        sources: what it is made of; of rows that occur twice, the first source's are kept.
        folder: must not hold data yet.
        benchmarks: what must not be trained on.
        checked: the benchmarks in it, for the card: whether the official data were there.
        dev_share: share of the groups of like queries that make the dev split, in (0, 1).
        seed: of the draw within sources' limits.

    Returns:
        The file that `train_files` takes, and numbers of rows: kept by split and label, left out by reason.

    Raises:
        DataError: the folder holds data, a source cannot be read, or nothing of a class is left.
    """
    if not 0 < dev_share < 1:
        raise DataError(f"the dev share must be in (0, 1), not {dev_share}")
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty; name another folder, so that no data are overwritten")
    rows = [row for source in sources for row in source.rows()]
    cleaned = clean(rows, sources, benchmarks, seed)
    if lacking := {"malicious", "benign"} - {row.label for row in cleaned.kept}:
        raise DataError(f"no {' and no '.join(sorted(lacking))} query is left; training needs both classes")
    written = [_written(row, cleaned.groups[row.id], dev_share) for row in cleaned.kept]
    folder.mkdir(parents=True, exist_ok=True)
    _write_lines(folder / REMOVED_FILE, (_removed(removal) for removal in cleaned.removed))
    settings = {"dev_share": dev_share, "seed": seed}
    (folder / CARD_FILE).write_text(card(sources, written, cleaned.removed, checked, settings), encoding="utf-8")
    _write_lines(folder / QUERIES_FILE, written)  # last: a folder that lacks it was interrupted
    return {"file": str(folder / QUERIES_FILE), **_counts(written, cleaned)}


def _written(row: Row, group: str, dev_share: float) -> dict[str, str]:
    """A row as `casa.data.reading.read_examples` takes it."""
    split = split_of(group, (("train", 1 - dev_share), ("dev", dev_share)))
    fields = {"id": row.id, "text": row.text, "label": row.label, "pair": group, "split": split, "source": row.source}
    return {**fields, **({"response": row.answer} if row.answer and row.label == "benign" else {})}


def _removed(removal: Removal) -> dict[str, str]:
    """Which row, and why; not its text."""
    return {"id": removal.row.id, "reason": removal.reason, **({"of": removal.of} if removal.of else {})}


def _counts(written: Iterable[Mapping[str, str]], cleaned: Cleaned) -> dict[str, dict[str, int]]:
    return {
        "kept": dict(Counter(f"{row['split']} {row['label']}" for row in written)),
        "left_out": dict(Counter(removal.reason for removal in cleaned.removed)),
    }


def _write_lines(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
