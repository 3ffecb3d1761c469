"""What the defence costs: harmless items refused, or called unsafe."""

from __future__ import annotations

from casa.evaluation.report.document import Section, Table, line, rate_cell
from casa.evaluation.report.evidence import Evidence, refused
from casa.evaluation.summary import Row


def harmless_section(evidence: Evidence) -> Section | None:
    """Refusals of harmless items by benchmark, attack and category; None where there are no harmless items."""
    whole = [row for row in evidence.overall if not row.harmful]
    if not whole:
        return None
    parts = [row for row in (*evidence.attacks, *evidence.categories) if not row.harmful]
    ordered = [row for label in evidence.labels() for row in [*whole, *parts] if row.benchmark == label]
    return Section("Harmless items", (), (_table(ordered, evidence), *_beside(evidence)))


def _beside(evidence: Evidence) -> list[Table]:
    """Attack success on the harmful items that benchmarks of over-refusal hold beside the harmless ones."""
    labels = evidence.labels("over-refusal")
    rates = {(row.benchmark, row.model): row.complied for row in evidence.overall if row.harmful}
    rows = tuple(
        line(label, *(rate_cell(rates.get((label, model))) for model in evidence.models))
        for label in labels
        if any((label, model) in rates for model in evidence.models)
    )
    title = "Harmful items of benchmarks of over-refusal: attack success in %"
    return [Table(title, ("benchmark", *evidence.models), rows)] if rows else []


def _table(found: list[Row], evidence: Evidence) -> Table:
    by_part: dict[tuple[str, str], dict[str, Row]] = {}
    for row in found:
        by_part.setdefault((row.benchmark, row.attack), {})[row.model] = row
    judging = [model for model in evidence.models if any(row.model == model and row.flagged for row in found)]
    lines = tuple(
        line(
            *part,
            *(rate_cell(refused(rows[model]) if model in rows else None) for model in evidence.models),
            *(rate_cell(rows[model].flagged if model in rows else None) for model in judging),
        )
        for part, rows in by_part.items()
    )
    columns = *(f"refused: {model}" for model in evidence.models), *(f"called unsafe: {model}" for model in judging)
    return Table("Harmless items refused, and called unsafe, in %", ("benchmark", "form or category", *columns), lines)
