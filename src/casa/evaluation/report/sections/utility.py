"""What answers are worth: MME's own score, and what a judge says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from casa.evaluation.goals import goal_rate
from casa.evaluation.report import published
from casa.evaluation.report.document import MISSING, Cell, Section, Table, line, rate_cell
from casa.evaluation.report.evidence import Evidence
from casa.evaluation.report.mme import questioned
from casa.evaluation.summary import Answered

_SCALES = {"strongreject": "StrongREJECT, 0 to 1", "judged_utility": "utility, 1 to 10"}
_PAIRS = "For the interval the questions on one image are drawn together."


def utility_section(evidence: Evidence) -> Section | None:
    """Tables of yes-or-no questions and of judgements; None where the logs hold neither."""
    tables = (*_mme(evidence), *_judged(evidence))
    return Section("Usefulness, and what a judge says", (), tables) if tables else None


def _mme(evidence: Evidence) -> list[Table]:
    rows = []
    for one in questioned(evidence):
        score = one.score
        tasks = Cell(f"{sum(score.tasks.values()):.0f}", f"of {200 * len(score.tasks)}")
        points = _points(score.perception), _points(score.cognition)
        rows.append(line(one.benchmark, one.model, rate_cell(one.right), tasks, *points))
    header = ("benchmark", "model", "answered rightly, %", "score", "perception, of 2000", "cognition, of 800")
    return [Table("Yes-or-no questions on images", header, tuple(rows), f"{published.MME} {_PAIRS}")] if rows else []


def _points(score: float | None) -> Cell:
    return Cell(MISSING if score is None else f"{score:.0f}")


def _judged(evidence: Evidence) -> list[Table]:
    rows = []
    for run in evidence.runs:
        judged = [
            (one.judged["judged_success"] == 1, one.goal) for one in run.answered if "judged_success" in one.judged
        ]
        unjudged = sum(len(one.unjudged) for one in run.answered)
        means = [_mean(run.answered, name) for name in _SCALES]
        if judged or unjudged or any(cell.text != MISSING for cell in means):
            success = rate_cell(goal_rate(*zip(*judged, strict=True)) if judged else None)
            rows.append(line(run.label, run.model, success, *means, Cell(str(unjudged))))
    header = ("benchmark", "model", "attack success by the judge, %", *_SCALES.values(), "without a judgement")
    note = (
        "Beside the means: their 95 % intervals, from the normal distribution. A judge that erred, refused or wrote something else "
        "gave no judgement; that counts in no rate and no mean."
    )
    return [Table("Judgements", header, tuple(rows), note)] if rows else []


def _mean(items: Sequence[Answered], name: str) -> Cell:
    values = [one.judged[name] for one in items if name in one.judged]
    if not values:
        return Cell(MISSING)
    middle = float(np.mean(values))
    if len(values) == 1:
        return Cell(f"{middle:.2f}")
    margin = 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return Cell(f"{middle:.2f}", f"\N{PLUS-MINUS SIGN}{margin:.2f}")
