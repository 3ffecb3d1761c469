"""How attack success grows: with the words of an answer that are given, and with the harmless text round a goal.

Refusals of harmless items in the same form stand beside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from casa.evaluation.metrics import Rate
from casa.evaluation.report import plots, published
from casa.evaluation.report.document import Cell, Figure, Section, Table, line, rate_cell
from casa.evaluation.report.evidence import Evidence, refused
from casa.evaluation.summary import Row

CURVES = {
    "prefill": ("Prefilled answers", "words of an agreeing answer given", published.PREFILL),
    "dilution": ("Goals buried in harmless text", "words of harmless text", ""),
}
_PLAIN = "advbench"  # the same goals, simply asked
Curve = dict[int, dict[str, Rate | None]]  # by number of words and model


def curves_section(evidence: Evidence) -> Section | None:
    """A table and a curve of each; None where neither was run."""
    tables, figures = [], []
    for label in evidence.labels("attack"):
        benchmark, _, kind = label.partition(" ")
        points = _success(evidence, label, f"{_PLAIN} {kind}") if benchmark in CURVES else {}
        if points:
            title, axis, note = CURVES[benchmark]
            plain = f" 0 words: the same goals simply asked, from {_PLAIN}." if 0 in points else ""
            beside = _by_words((row for row in evidence.attacks if row.benchmark == label and not row.harmful), refused)
            tables.append(
                _table(
                    f"{title}, {label}: attack success in %", axis, points, beside, evidence, f"{note}{plain}".strip()
                )
            )
            figures.append(Figure(f"{title}, {label}", plots.curve(points, evidence.models, axis)))
    return Section("How far an attack has to go", (), tuple(tables), tuple(figures)) if tables else None


def _success(evidence: Evidence, label: str, plain: str) -> Curve:
    """Attack success, that of goals simply asked first."""
    found = _by_words(
        (row for row in evidence.attacks if row.benchmark == label and row.harmful), lambda row: row.complied
    )
    if found:
        for row in evidence.overall:
            if row.benchmark == plain and row.harmful:
                found.setdefault(0, {})[row.model] = row.complied
    return dict(sorted(found.items()))


def _by_words(rows: Iterable[Row], rate: Callable[[Row], Rate | None]) -> Curve:
    found: Curve = {}
    for row in rows:
        if words := re.search(r"\d+$", row.attack):
            found.setdefault(int(words[0]), {})[row.model] = rate(row)
    return found


def _table(title: str, axis: str, points: Curve, beside: Curve, evidence: Evidence, note: str) -> Table:
    judged = evidence.models if beside else []
    rows = tuple(
        line(
            Cell(str(words)),
            *(rate_cell(rates.get(model)) for model in evidence.models),
            *(rate_cell(beside.get(words, {}).get(model)) for model in judged),
        )
        for words, rates in points.items()
    )
    return Table(title, (axis, *evidence.models, *(f"harmless refused: {model}" for model in judged)), rows, note)
