"""What an attacker who has the weights achieves: by a suffix, and by noise on media."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from casa.evaluation.metrics import Rate
from casa.evaluation.report import plots
from casa.evaluation.report.document import Cell, Figure, Section, Table, line, rate_cell
from casa.evaluation.report.evidence import Evidence
from casa.evaluation.report.measured import Measured

_ABOUT = (
    "The attacker follows the gradient of what the defence hangs on: of CASA's gated margin, through v_s too. Step 0 are the "
    "defence's own misses. More steps, more candidates or another attack may break more: these are lower bounds of what an "
    "attacker can do.",
)
_NOISE_NOTE = (
    "The form of the queries: {form}. Noise is put on what the model is given, where it may go a little beyond what a file can "
    "hold. What the model would then answer is not asked."
)


def adaptive_section(evidence: Evidence) -> Section | None:
    """Tables and curves of each attack; None where none was measured."""
    pairs = [pair for one in evidence.measured for pair in (*_suffix(one), *_noise(one))]
    tables, figures = tuple(table for table, _ in pairs), tuple(figure for _, figure in pairs)
    return Section("An attacker with the weights", _ABOUT, tables, figures) if pairs else None


def _suffix(one: Measured) -> Iterator[tuple[Table, Figure]]:
    found = one.figures
    if "curve" not in found:
        return
    points = {point["step"]: {one.model: Rate(**point["broken"])} for point in found["curve"]}
    title = f"Suffixes against {one.model}: queries that get past it"
    success = Rate(**found["attack_success"])
    answered = rate_cell(success)
    note = (
        f"Each step tries {found['settings']['candidates']} exchanges of one of ten tokens. In the end {answered.text} "
        f"({answered.small}) % of the queries are answered."
    )
    yield _drawn(title, points, "exchanged tokens, at most", [one.model], note)


def _noise(one: Measured) -> Iterator[tuple[Table, Figure]]:
    for name, found in one.figures.get("noise", {}).items():
        bounds = {f"bound {bound} {found['unit']}": curve for bound, curve in found["curves"].items()}
        points: dict[int, dict[str, Rate | None]] = {}
        for label, curve in bounds.items():
            for point in curve:
                points.setdefault(point["step"], {})[label] = Rate(**point["broken"])
        title = f"Noise on {name} against {one.model}: queries whose verdict turns safe"
        yield _drawn(title, points, "gradient steps, at most", list(bounds), _NOISE_NOTE.format(form=found["form"]))


def _drawn(title: str, points: dict[int, Any], axis: str, labels: list[str], note: str) -> tuple[Table, Figure]:
    rows = tuple(
        line(Cell(str(step)), *(rate_cell(rates.get(label)) for label in labels)) for step, rates in points.items()
    )
    figure = Figure(title, plots.curve(points, labels, axis, "past the defence, %"))
    return Table(f"{title}, in %", (axis, *labels), rows, note), figure
