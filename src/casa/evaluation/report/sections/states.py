"""Whether the last layer's states tell harmful from harmless, before and after."""

from __future__ import annotations

from typing import Any

from casa.evaluation.report import plots
from casa.evaluation.report.document import Cell, Figure, Section, Table, line
from casa.evaluation.report.evidence import Evidence

_ABOUT = (
    "What enters the LM head at the last prompt position, on its first two principal components, each plane with components of "
    "its own. CASA reads its decision from these states. A plane shows two directions of many: kinds that overlap in it may be "
    "apart elsewhere."
)


def states_section(evidence: Evidence) -> Section | None:
    """A figure of each set of planes; None where no states were measured."""
    figures, rows = [], []
    for one in evidence.measured:
        for title, planes in _planes(one.figures).items():
            figures.append(Figure(f"States of {one.model}: {title}", plots.planes(planes), wide=True))
            for when, plane in planes.items():
                first, second = plane["explained"]
                shares = Cell(f"{100 * first:.0f}"), Cell(f"{100 * second:.0f}")
                count = Cell(str(sum(map(len, plane["points"].values()))))
                rows.append(line(one.model, title, when, count, *shares))
    if not figures:
        return None
    header = ("model", "queries", "with or without", "n", "variance in the first component, %", "second, %")
    return Section("Hidden states", (_ABOUT,), (Table("Planes of hidden states", header, tuple(rows)),), tuple(figures))


def _planes(figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {"as text": figures["states"]} if "states" in figures else {}
    return found | {f"as {form}": planes for form, planes in figures.get("modalities", {}).items()}
