"""The paper's main table: a row a model, a column a benchmark, and what it costs in refusals of harmless items in the same form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil

from casa.evaluation.report import published
from casa.evaluation.report.document import MISSING, Cell, Line, Section, Table, line, p_text, rate_cell
from casa.evaluation.report.evidence import POOLS, Compared, Evidence, refused

_MOST_COLUMNS = 7  # of attacks; the refusals stand beside each part
_NO_COST = (
    "These logs hold no harmless items, so they do not say what the defence costs: a model that refuses everything would do "
    "best here. Run xstest and or_bench too."
)
_POOLED = (
    "Harmless items of a benchmark come in the forms of its attacks, where it has some; the last columns have those of several "
    "benchmarks together, an item that mini sets share counted once."
)
_PAIRED = (
    "Reduction and p compare a model with the same model undefended, on the items that both were asked and could be scored on. "
    "p is that of an exact test which flips the signs of whole goals; where every goal occurs once it is McNemar's. There is a p "
    "for every column, and none is corrected for their number."
)


def main_section(evidence: Evidence) -> Section | None:
    """Attack success on every attack benchmark, beside refusals of harmless items."""
    benchmarks = evidence.labels("attack")
    if not benchmarks:
        return None
    pools = [pool for pool in POOLS if any(row.benchmark == pool for row in evidence.pools)]
    columns = ceil(len(benchmarks) / ceil(len(benchmarks) / _MOST_COLUMNS))
    parts = [benchmarks[start : start + columns] for start in range(0, len(benchmarks), columns)]
    title = "Attack success, and refusals of harmless items, in %"
    titles = [title] if len(parts) == 1 else [f"{title} ({i} of {len(parts)})" for i in range(1, len(parts) + 1)]
    tables = [_table(title, evidence, part, pools) for title, part in zip(titles, parts, strict=True)]
    return Section("Attack success", () if pools else (_NO_COST,), (*tables, _published()))


def _table(title: str, evidence: Evidence, benchmarks: list[str], pools: list[str]) -> Table:
    columns = [*((label, True) for label in benchmarks), *((pool, False) for pool in pools)]
    rows = [row for model in evidence.models for row in _rows(evidence, model, columns)]
    header = ("model", *benchmarks, *(f"harmless refused: {pool}" for pool in pools))
    return Table(title, header, tuple(rows), _note(evidence))


def _rows(evidence: Evidence, model: str, columns: list[tuple[str, bool]]) -> Iterator[Line]:
    harmful = {row.benchmark: row.complied for row in evidence.overall if row.model == model and row.harmful}
    pools = {row.benchmark: refused(row) for row in evidence.pools if row.model == model}
    yield model, *(rate_cell((harmful if of_harmful else pools).get(label)) for label, of_harmful in columns)
    beside = {row.benchmark: refused(row) for row in evidence.overall if row.model == model and not row.harmful}
    if any(label in beside for label, _ in columns):
        yield "its harmless items refused", *(rate_cell(beside.get(label)) for label, _ in columns)
    compared = {(c.benchmark, c.harmful): c for c in evidence.compared if c.model == model}
    if compared:
        found = [compared.get(column) for column in columns]
        yield _line("relative reduction, %", found, _reduction)
        yield _line("exact paired p", found, lambda c: Cell(p_text(c.paired.p), f"{c.pairs} pairs"))


def _line(name: str, found: list[Compared | None], cell: Callable[[Compared], Cell]) -> Line:
    return name, *(Cell(MISSING) if compared is None else cell(compared) for compared in found)


def _reduction(compared: Compared) -> Cell:
    if not compared.harmful or compared.reduction is None:
        return Cell(MISSING)
    return Cell(f"{100 * compared.reduction:.1f}")


def _note(evidence: Evidence) -> str:
    pooled = _POOLED if evidence.pools else ""
    return (f"{pooled} {_PAIRED}" if evidence.compared else pooled).strip()


def _published() -> Table:
    rows = tuple(
        line(
            f"{published.MODEL} {row.size}, {row.method}{' and safety prompt' if row.safety_prompt else ''}",
            *(Cell(f"{value:.1f}") for value in row.attack_success),
        )
        for row in published.TABLE
    )
    return Table(
        f"Published by the paper for {published.MODEL}, not measured here: attack success in %",
        ("model", *published.BENCHMARKS.values()),
        rows,
        f"Source: {published.SOURCE}. Other models, official sets and an LLM as judge, so not to be compared number by "
        "number. The paper gives no intervals, and no refusals of harmless items in this table.",
    )
