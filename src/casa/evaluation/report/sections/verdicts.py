"""What the verdict alone is worth: how well it tells harmful items from harmless ones, and whether p_unsafe means it."""

from __future__ import annotations

from collections.abc import Sequence

from casa.evaluation.report import plots
from casa.evaluation.report.document import Cell, Figure, Section, Table, area_cell, rate_cell
from casa.evaluation.report.evidence import Evidence
from casa.evaluation.report.quality import Quality, qualities, values

_ABOUT = (
    "The verdict is given before the answer. TPR is the share of harmful items that were called unsafe, FPR that of harmless "
    "ones, at the model's own threshold. Precision (AUPRC) and calibration (ECE, Brier) depend on the share of harmful items, "
    "so they say nothing about traffic with another share.",
    "Harmful and harmless items are compared within a modality: harmful pictures against harmless texts would show no more than "
    "that pictures are told from texts. Of a modality only the forms (attacks, or simply asked) count that come with both kinds, "
    "where there are any.",
)


def verdicts_section(evidence: Evidence) -> Section | None:
    """Tables, and ROC, histogram and reliability diagram by model and modality; None where no items of both kinds have verdicts."""
    found = qualities(evidence)
    if not found:
        return None
    figures = tuple(
        Figure(f"Verdicts of {quality.model} on {quality.items}", _drawn(quality), wide=True)
        for quality in found
        if quality.items not in evidence.labels()
    )
    return Section("The verdict", _ABOUT, (_table(found), _calibration_table(found)), figures)


def _table(found: Sequence[Quality]) -> Table:
    rows = tuple(
        (
            q.model,
            q.items,
            Cell(str(len(q.harmful))),
            Cell(str(len(q.harmless))),
            area_cell(q.p_unsafe),
            area_cell(q.risk),
            area_cell(q.auprc),
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
        (q.model, q.items, Cell(_share(q)), area_cell(q.ece), Cell(f"{q.calibration.brier:.3f}")) for q in found
    )
    header = ("model", "items", "harmful share, %", "ECE", "Brier score")
    note = "It holds for this share of harmful items only. Drawing items anew makes ECE larger, so its interval lies rather high."
    return Table("Calibration of p_unsafe", header, rows, note)


def _share(q: Quality) -> str:
    return f"{100 * len(q.harmful) / (len(q.harmful) + len(q.harmless)):.1f}"


def _drawn(q: Quality) -> str:
    scores = {f"p_unsafe, {q.p_unsafe.value:.3f}": (values(q.harmful, "p_unsafe"), values(q.harmless, "p_unsafe"))}
    if q.risk is None:
        return plots.verdicts(scores, None, q.calibration)
    risks = values(q.harmful, "risk"), values(q.harmless, "risk")
    return plots.verdicts({**scores, f"v_s alone, {q.risk.value:.3f}": risks}, risks, q.calibration)
