"""What a verdict alone is worth on some items, before it is put into tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from casa.evaluation.calibration import Calibration, calibration
from casa.evaluation.goals import goal_estimate
from casa.evaluation.metrics import Estimate, Rate, auprc, auroc
from casa.evaluation.report.evidence import Evidence, distinct
from casa.evaluation.report.runs import finite
from casa.evaluation.summary import Answered, rate_of

_DRAWS = 300  # of the bootstrap, which is most of the time that a report takes


@dataclass(frozen=True)
class Quality:
    """How good some verdicts are.

    Attributes:
        model: whose.
        items: a modality of all benchmarks, or a benchmark.
        harmful: the harmful items with a verdict.
        harmless: the harmless ones.
        p_unsafe: AUROC of p_unsafe.
        risk: AUROC of v_s alone; None for methods without one.
        auprc: of p_unsafe.
        tpr: called unsafe among the harmful.
        fpr: called unsafe among the harmless.
        calibration: of p_unsafe.
        ece: its expected calibration error, with an interval; drawing items again makes it larger, the more the fewer they are.
    """

    model: str
    items: str
    harmful: tuple[Answered, ...]
    harmless: tuple[Answered, ...]
    p_unsafe: Estimate
    risk: Estimate | None
    auprc: Estimate
    tpr: Rate | None
    fpr: Rate | None
    calibration: Calibration
    ece: Estimate


def qualities(evidence: Evidence) -> list[Quality]:
    """Of each model on each modality, and on every benchmark that holds both kinds; none where there are no such verdicts."""
    return [quality for model in evidence.models for quality in _of(evidence, model)]


def values(items: Sequence[Answered], name: str) -> list[float]:
    """What the verdicts of some items hold under a name, "p_unsafe" or "risk"."""
    return [float(getattr(one, name)) for one in items]


def _of(evidence: Evidence, model: str) -> list[Quality]:
    mine = [one for one in evidence.answered if one.model == model and finite(one)]
    modalities = dict.fromkeys(one.modality for one in mine)
    every = {name: [one for one in distinct(mine) if one.modality == name] for name in modalities}
    parts = {f"{name}, all benchmarks": _in_shared_forms(items) for name, items in every.items()}
    parts |= {label: [one for one in mine if one.benchmark == label] for label in evidence.labels()}
    return [q for name, items in parts.items() if (q := _quality(model, name, items)) is not None]


def _in_shared_forms(items: Sequence[Answered]) -> list[Answered]:
    """Those whose attack comes with harmful and with harmless items; all if there is no such attack."""
    harmful, harmless = ({one.attack for one in items if one.harmful is kind} for kind in (True, False))
    shared = harmful & harmless
    return [one for one in items if not shared or one.attack in shared]


def _quality(model: str, name: str, items: Sequence[Answered]) -> Quality | None:
    harmful, harmless = [one for one in items if one.harmful], [one for one in items if not one.harmful]
    if not harmful or not harmless:
        return None

    def estimate(statistic: Callable[[np.ndarray, np.ndarray], float], score: str = "p_unsafe") -> Estimate:
        above, below = ((values(kind, score), [one.goal for one in kind]) for kind in (harmful, harmless))
        return goal_estimate(statistic, *above, *below, _DRAWS)

    return Quality(
        model=model,
        items=name,
        harmful=tuple(harmful),
        harmless=tuple(harmless),
        p_unsafe=estimate(auroc),
        risk=None if any(one.risk is None for one in items) else estimate(auroc, "risk"),
        auprc=estimate(auprc),
        tpr=rate_of(harmful, "flagged"),
        fpr=rate_of(harmless, "flagged"),
        calibration=_calibration(values(harmful, "p_unsafe"), values(harmless, "p_unsafe")),
        ece=estimate(lambda above, below: _calibration(above, below).ece),
    )


def _calibration(above: Sequence[float] | np.ndarray, below: Sequence[float] | np.ndarray) -> Calibration:
    return calibration([*above, *below], [True] * len(above) + [False] * len(below))
