"""Attack success by attack, modality, kind of picture and category, beside refusals of harmless items in the same form."""

from __future__ import annotations

from collections.abc import Sequence

from casa.evaluation.report import plots
from casa.evaluation.report.document import Figure, Section, Table, line, rate_cell
from casa.evaluation.report.evidence import MINI_SETS, Evidence, refused
from casa.evaluation.report.sections.curves import CURVES
from casa.evaluation.summary import Row

_MODALITIES = (
    "Benchmarks of attacks and of over-refusal, every item with the same weight; one that mini sets share counts once."
)
_PICTURES = "Kinds of pictures as the benchmark names its files."
_CATEGORIES = "All attacks on mini sets are counted together, for they are made from the same queries."


def parts_section(evidence: Evidence) -> Section | None:
    """A table and bars of each; None where there are no parts."""
    attacks = [row for row in evidence.attacks if row.benchmark.partition(" ")[0] not in CURVES]
    categories = [row for row in evidence.categories if row.harmful]
    found = [
        ("attack", attacks, ""),
        ("modality", evidence.modalities, _MODALITIES),
        ("kind of picture", evidence.pictures, _PICTURES),
        ("category", categories, _CATEGORIES if any(row.benchmark == MINI_SETS for row in categories) else ""),
    ]
    found = [one for one in found if any(row.harmful for row in one[1])]
    if not found:
        return None
    tables = tuple(_table(name, rows, evidence.models, note) for name, rows, note in found)
    figures = tuple(figure for name, rows, _ in found for figure in _figures(name, rows, evidence.models))
    return Section("Parts: by attack, modality and category", (), tables, figures)


def _table(name: str, rows: Sequence[Row], models: Sequence[str], note: str) -> Table:
    success = {(row.benchmark, row.attack, row.model): row.complied for row in rows if row.harmful}
    harmless = {(row.benchmark, row.attack, row.model): refused(row) for row in rows if not row.harmful}
    parts = dict.fromkeys((row.benchmark, row.attack) for row in rows if row.harmful)
    beside = [model for model in models if any(row.model == model and not row.harmful for row in rows)]
    lines = tuple(
        line(
            *part,
            *(rate_cell(success.get((*part, model))) for model in models),
            *(rate_cell(harmless.get((*part, model))) for model in beside),
        )
        for part in parts
    )
    header = ("benchmark", name, *models, *(f"harmless refused: {model}" for model in beside))
    return Table(f"Attack success by {name}, in %", header, lines, note)


def _figures(name: str, rows: Sequence[Row], models: Sequence[str]) -> list[Figure]:
    """One a benchmark, so that none is longer than a page."""
    figures = []
    for benchmark in dict.fromkeys(row.benchmark for row in rows if row.harmful):
        mine = [row for row in rows if row.benchmark == benchmark and row.harmful]
        rates = {model: {row.attack: row.complied for row in mine if row.model == model} for model in models}
        svg = plots.bars(list(dict.fromkeys(row.attack for row in mine)), rates, "attack success, %")
        figures.append(Figure(f"Attack success by {name}: {benchmark}", svg))
    return figures
