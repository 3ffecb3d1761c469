"""Every rate of a report as a row, for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from casa.evaluation.goals import GoalRate
from casa.evaluation.metrics import Rate
from casa.evaluation.report.evidence import Evidence, refused
from casa.evaluation.summary import Row

COLUMNS = (
    "model",
    "benchmark",
    "set",
    "by",
    "part",
    "items",
    "what",
    "successes",
    "n",
    "rate",
    "low",
    "high",
    "goals",
    "unscored",
)


def rate_rows(evidence: Evidence) -> list[dict[str, Any]]:
    """All rates; where no item could be scored, n is 0 and there is no rate.

    "goals" says over how many the interval was bootstrapped; where it is empty, the interval is Wilson's.
    """
    sets = {run.label: (run.benchmark, run.set) for run in evidence.runs}
    views = {
        "all": evidence.overall,
        "pool": evidence.pools,
        "attack": evidence.attacks,
        "category": evidence.categories,
        "modality": evidence.modalities,
        "picture": evidence.pictures,
    }
    return [found for by, rows in views.items() for row in rows for found in _rates(by, row, sets)]


def _rates(by: str, row: Row, sets: dict[str, tuple[str, str]]) -> Iterator[dict[str, Any]]:
    benchmark, kind = sets.get(row.benchmark, (row.benchmark, ""))
    items = "harmful" if row.harmful else "harmless"
    named = {"model": row.model, "benchmark": benchmark, "set": kind, "by": by, "part": row.attack, "items": items}
    behaviour = ("attack success", row.complied) if row.harmful else ("refused", refused(row))
    for what, rate in (behaviour, ("called unsafe", row.flagged)):
        if what != "called unsafe":
            yield {**named, "what": what, **_numbers(rate), "unscored": row.unscored}
        elif rate is not None:
            yield {**named, "what": what, **_numbers(rate), "unscored": 0}


def _numbers(rate: Rate | None) -> dict[str, Any]:
    if rate is None:
        return {"successes": 0, "n": 0, "rate": None, "low": None, "high": None, "goals": None}
    goals = rate.goals if isinstance(rate, GoalRate) else None
    numbers = {"successes": rate.successes, "n": rate.n, "rate": rate.rate, "low": rate.low, "high": rate.high}
    return {**numbers, "goals": goals}


def render_csv(rows: Sequence[dict[str, Any]]) -> str:
    """The rows with a header."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
