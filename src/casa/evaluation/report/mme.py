"""How well yes-or-no questions on images were answered, with MME's own score."""

from __future__ import annotations

from dataclasses import dataclass

from casa.evaluation.goals import goal_rate
from casa.evaluation.metrics import Rate
from casa.evaluation.mme_score import MmeScore, mme_score
from casa.evaluation.report.evidence import Evidence


@dataclass(frozen=True)
class Questioned:
    """A model on such questions.

    Attributes:
        model: which.
        benchmark: label of the benchmark.
        right: how many were answered rightly; for the interval the questions on one image are drawn together.
        score: MME's.
    """

    model: str
    benchmark: str
    right: Rate
    score: MmeScore


def questioned(evidence: Evidence) -> list[Questioned]:
    """Every run with such questions."""
    found = []
    for run in evidence.runs:
        known = {one.id: one.right for one in run.answered if one.right is not None}
        if known:
            right = goal_rate([*known.values()], [name.rpartition("/")[0] for name in known])
            found.append(Questioned(run.model, run.label, right, mme_score(known)))
    return found
