"""MME's official score (Fu et al. 2023, arXiv 2306.13394): accuracy and accuracy+ of each task, summed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from casa.evaluation.benchmarks.mme import COGNITION, PERCEPTION


@dataclass(frozen=True)
class MmeScore:
    """How a model did.

    Attributes:
        tasks: score of each task, in [0, 200]: 100 (accuracy + accuracy+).
        perception: sum over the ten perception tasks, in [0, 2000]; None if one is missing.
        cognition: sum over the four cognition tasks, in [0, 800]; None likewise.
    """

    tasks: dict[str, float]
    perception: float | None
    cognition: float | None


def said(answer: str) -> str:
    """What an answer says: "yes", "no" or "neither", by MME's own rule, which looks for "yes", then "no", in four characters."""
    beginning = answer.strip().lower()[:4]
    return next((word for word in ("yes", "no") if word in beginning), "neither")


def mme_score(right: Mapping[str, bool]) -> MmeScore:
    """The score of answers by item id, task/image/number.

    Accuracy is the share of questions that were answered rightly, accuracy+ the share of images of which all were.
    """
    images: dict[str, dict[str, list[bool]]] = {}
    for name, value in right.items():
        task, _, rest = name.partition("/")
        images.setdefault(task, {}).setdefault(rest.rpartition("/")[0], []).append(value)
    tasks = {task: _task_score(list(found.values())) for task, found in images.items()}
    return MmeScore(tasks, _sum(tasks, PERCEPTION), _sum(tasks, COGNITION))


def _task_score(images: list[list[bool]]) -> float:
    questions = [value for found in images for value in found]
    return 100 * (sum(questions) / len(questions) + sum(map(all, images)) / len(images))


def _sum(tasks: Mapping[str, float], names: list[str]) -> float | None:
    return sum(tasks[name] for name in names) if all(name in tasks for name in names) else None
