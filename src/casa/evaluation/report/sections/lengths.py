"""Verdicts on queries buried in long texts, harmful and harmless ones alike."""

from __future__ import annotations

from casa.evaluation.metrics import Rate
from casa.evaluation.report import plots
from casa.evaluation.report.document import Cell, Figure, Section, Table, line, rate_cell
from casa.evaluation.report.evidence import Evidence

_ABOUT = (
    "A query as a paragraph of its own at a random place in harmless text. A verdict that is lost in long texts, or that calls "
    "every long text unsafe, shows here."
)
_CLASSES = ("malicious", "benign")


def lengths_section(evidence: Evidence) -> Section | None:
    """A table and a curve a model; None where no lengths were measured."""
    tables, figures = [], []
    for one in evidence.measured:
        if "lengths" not in one.figures:
            continue
        points = {
            int(tokens): {kind: Rate(**point[kind]["flagged_unsafe"]) for kind in _CLASSES}
            for tokens, point in one.figures["lengths"].items()
        }
        title = f"Verdicts of {one.model} by the length of the text round a query"
        rows = tuple(
            line(Cell(str(tokens)), *(rate_cell(rates[kind]) for kind in _CLASSES)) for tokens, rates in points.items()
        )
        header = ("tokens of harmless text", *(f"{kind}: called unsafe, %" for kind in _CLASSES))
        tables.append(Table(title, header, rows))
        figures.append(Figure(title, plots.curve(points, _CLASSES, "tokens of harmless text", "called unsafe, %")))
    return Section("Buried in long texts", (_ABOUT,), tuple(tables), tuple(figures)) if tables else None
