"""What the verdict alone is worth: how well it tells harmful items from harmless ones, and whether p_unsafe means it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from casa.evaluation.calibration import Calibration, calibration
from casa.evaluation.goals import goal_auroc
from casa.evaluation.metrics import Auroc, Rate, auprc
from casa.evaluation.report import plots
from casa.evaluation.report.document import Cell, Figure, Section, Table, area_cell, rate_cell
from casa.evaluation.report.evidence import Evidence, distinct
from casa.evaluation.report.runs import finite
from casa.evaluation.summary import Answered, rate_of

_DRAWS = 300  # of the bootstrap, which is most of the time that a report takes
_ABOUT = (
    "The verdict is given before the answer. TPR is the share of harmful items that were called unsafe, FPR that of harmless "
    "ones, at the model's own threshold. Precision (AUPRC) and calibration (ECE, Brier) depend on the share of harmful items, "
    "so they say nothing about traffic with another share.",
    "Harmful and harmless items are compared within a modality: harmful pictures against harmless texts would show no more than "
    "that pictures are told from texts. Of a modality only the forms (attacks, or simply asked) count that come with both kinds, "
    "where there are any.",
)


@dataclass(frozen=True)
class Quality:
    """How good some verdicts are.

    Attributes:
        model: whose.
        items: a modality of all benchmarks, or a benchmark.
        harmful: the harmful items with a verdict.
        harmless: the harmless ones.
        p_unsafe: AUROC of p_unsafe.
        risk: AUROC of v_s alone.
        auprc: of p_unsafe.
        tpr: called unsafe among the harmful.
        fpr: called unsafe among the harmless.
        calibration: of p_unsafe.
    """

    model: str
    items: str
    harmful: tuple[Answered, ...]
    harmless: tuple[Answered, ...]
    p_unsafe: Auroc
    risk: Auroc
    auprc: float
    tpr: Rate | None
    fpr: Rate | None
    calibration: Calibration


def verdicts_section(evidence: Evidence) -> Section | None:
    """Tables, and ROC, histogram and reliability diagram by model and modality; None where no items of both kinds have verdicts."""
    found = [quality for model in evidence.models for quality in _qualities(evidence, model)]
    if not found:
        return None
    figures = tuple(
        Figure(f"Verdicts of {quality.model} on {quality.items}", _drawn(quality), wide=True)
        for quality in found
        if quality.items not in evidence.labels()
    )
    return Section("The verdict", _ABOUT, (_table(found), _calibration_table(found)), figures)


def _qualities(evidence: Evidence, model: str) -> list[Quality]:
    """On each modality, and on every benchmark that holds both kinds."""
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
    above, below = _values(harmful, "p_unsafe"), _values(harmless, "p_unsafe")
    return Quality(
        model=model,
        items=name,
        harmful=tuple(harmful),
        harmless=tuple(harmless),
        p_unsafe=_area(harmful, harmless, "p_unsafe"),
        risk=_area(harmful, harmless, "risk"),
        auprc=auprc(above, below),
        tpr=rate_of(harmful, "flagged"),
        fpr=rate_of(harmless, "flagged"),
        calibration=calibration([*above, *below], [True] * len(above) + [False] * len(below)),
    )


def _values(items: Sequence[Answered], name: str) -> list[float]:
    return [float(getattr(one, name)) for one in items]


def _area(harmful: Sequence[Answered], harmless: Sequence[Answered], name: str) -> Auroc:
    above, below = ((_values(items, name), [one.goal for one in items]) for items in (harmful, harmless))
    return goal_auroc(*above, *below, _DRAWS)


def _table(found: Sequence[Quality]) -> Table:
    rows = tuple(
        (
            q.model,
            q.items,
            Cell(str(len(q.harmful))),
            Cell(str(len(q.harmless))),
            area_cell(q.p_unsafe),
            area_cell(q.risk),
            Cell(f"{q.auprc:.3f}"),
            rate_cell(q.tpr),
            rate_cell(q.fpr),
        )
        for q in found
    )
    header = ("model", "items", "harmful", "harmless", "AUROC of p_unsafe", "AUROC of v_s", "AUPRC", "TPR, %", "FPR, %")
    note = (
        "Over all benchmarks, an item that several mini sets share counts once. Intervals of areas are 95 %, from a bootstrap over "
        "goals: too narrow for few of them, and none at all at 1.000."
    )
    return Table("How well the verdict tells harmful from harmless items", header, rows, note)


def _calibration_table(found: Sequence[Quality]) -> Table:
    rows = tuple(
        (q.model, q.items, Cell(_share(q)), Cell(f"{q.calibration.ece:.3f}"), Cell(f"{q.calibration.brier:.3f}"))
        for q in found
    )
    header = ("model", "items", "harmful share, %", "ECE", "Brier score")
    return Table("Calibration of p_unsafe", header, rows, "It holds for this share of harmful items only.")


def _share(q: Quality) -> str:
    return f"{100 * len(q.harmful) / (len(q.harmful) + len(q.harmless)):.1f}"


def _drawn(q: Quality) -> str:
    scores = {
        f"p_unsafe, {q.p_unsafe.value:.3f}": (_values(q.harmful, "p_unsafe"), _values(q.harmless, "p_unsafe")),
        f"v_s alone, {q.risk.value:.3f}": (_values(q.harmful, "risk"), _values(q.harmless, "risk")),
    }
    return plots.verdicts(scores, _values(q.harmful, "risk"), _values(q.harmless, "risk"), q.calibration)
