"""What a defence costs on harmless requests, by medium: whether answers stay the base model's, and questions about scenes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from casa.evaluation.benchmarks import mme
from casa.evaluation.benchmarks.base import Item
from casa.evaluation.comparison import mcnemar
from casa.evaluation.kinds import SCENES, benign_by_medium
from casa.evaluation.metrics import Rate, agreement, clustered_mean, rouge_l
from casa.evaluation.mme_score import said

Answers = dict[str, list[str]]  # of harmless kinds, one a conversation


def scene_questions() -> list[Item]:
    """Questions about drawn scenes, as MME asks them: of each scene one to be answered yes, and one to be answered no."""
    return mme.BENCHMARK.load(None, {})


def right_answers(answers: Answers) -> list[bool] | None:
    """Which scene questions were answered rightly; None if none were asked."""
    if SCENES not in answers:
        return None
    return [said(text) == item.answer for text, item in zip(answers[SCENES], scene_questions(), strict=False)]


def utility(answers: Answers, base: Answers) -> dict[str, Any]:
    """Utility of one defence; plain values.

    Args:
        answers: its own.
        base: the undefended model's, on the same conversations.
    """
    right = right_answers(answers)
    return {
        "kinds": {kind: asdict(agreement(base[kind], found)) for kind, found in answers.items() if kind != SCENES},
        "rouge_l": {
            medium: asdict(clustered_mean([[rouge_l(base[kind], answers[kind]) for kind in kinds]]))
            for medium, kinds in benign_by_medium(answers).items()
        },
        "right": right and asdict(Rate.of(sum(right), len(right))),
    }


def utility_against(answers: Answers, others: Answers, base: Answers) -> dict[str, Any]:
    """How much better a defence keeps the base model's answers than another, by medium, and McNemar's test on right answers.

    Args:
        answers: of the defence.
        others: of the other one.
        base: of the undefended model, on the same conversations.
    """

    def gains(kind: str) -> list[float]:
        scores = (rouge_l(base[kind], given[kind]) for given in (answers, others))
        return [mine - other for mine, other in zip(*scores, strict=True)]

    mine, other = right_answers(answers), right_answers(others)
    return {
        "rouge_l": {
            medium: asdict(clustered_mean([[gains(kind) for kind in kinds]]))
            for medium, kinds in benign_by_medium(answers).items()
        },
        "right": None if mine is None or other is None else asdict(mcnemar(mine, other)),
    }
