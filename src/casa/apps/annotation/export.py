"""Ratings for other programs: a row each, or labelled answers to test judges with."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from casa.apps.annotation.ratings import Rated, read_ratings
from casa.apps.annotation.rubrics import SAFETY
from casa.errors import DataError

COLUMNS = (
    *("rater", "answer", "rubric", "value", "skipped", "consensus", "method", "expected", "benchmark", "sample"),
    *("harmful", "modality", "category", "attack", "opinions"),
)


def export(study: Path, out: Path) -> int:
    """Writes what the name's ending asks for.

    `.csv` and `.json`: every rating, without the texts. `.jsonl`: safety answers with what most people say of them, with the texts,
    as `inspect eval casa/judge_agreement` reads them.

    Returns:
        How many rows were written.

    Raises:
        DataError: the study is none, the ending is another one, or the file cannot be written.
    """
    writer = _WRITERS.get(out.suffix)
    if writer is None:
        raise DataError(f"{out.name}: the name must end in {', '.join(_WRITERS)}")
    answers = read_ratings(study)
    rows = list(_labelled(answers) if out.suffix == ".jsonl" else _rows(answers))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        writer(out, rows)
    except OSError as error:
        raise DataError(f"cannot write {out}: {error.strerror}") from error
    return len(rows)


def _rows(answers: list[Rated]) -> Iterator[dict[str, Any]]:
    for one in answers:
        for rater, value, skipped in (
            *((rater, value, None) for rater, value in one.ratings.items()),
            *((rater, None, why) for rater, why in one.skipped.items()),
        ):
            said = {"rater": rater, "answer": one.id, "rubric": one.rubric.name, "value": value, "skipped": skipped}
            facts = {name: getattr(one, name) for name in COLUMNS[len(said) : -1]}
            yield {**said, **facts, "opinions": one.opinions}


def _labelled(answers: list[Rated]) -> Iterator[dict[str, Any]]:
    for one in answers:
        if one.method is not None and one.rubric == SAFETY and one.consensus is not None:
            yield {"request": one.goal, "response": one.text, "complied": one.consensus == "yes"}


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "opinions": json.dumps(row["opinions"])} for row in rows)


def _write_json(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


_WRITERS: dict[str, Callable[[Path, list[dict[str, Any]]], None]] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".jsonl": _write_lines,
}
