"""A study's statistics as a page, as Markdown and as JSON; no answers are in them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from casa.apps.annotation.ratings import Rated
from casa.apps.annotation.rubrics import RUBRICS
from casa.apps.annotation.statistics import Statistics
from casa.evaluation.agreement import Estimate
from casa.evaluation.metrics import Rate
from casa.evaluation.report.document import DASH, MISSING, Cell, Document, Section, Table, line, rate_cell
from casa.evaluation.report.html import render_html
from casa.evaluation.report.markdown import render_markdown

_FEW = 30  # answers; below, intervals are too wide to tell much
_MOST_DISPUTED = 50
_READING = (
    "Krippendorff's alpha is agreement among people beyond chance: 1 if they always agree, 0 if as by chance. Its author asks for "
    "0.8, and for 0.667 where tentative conclusions do.",
    "Cohen's kappa is the same between a machine and what people say together: the strict majority on safety, the median on "
    "utility. On utility, which is ordinal, both weigh large differences more.",
    "Intervals are 95 %: bootstrap over prompts for alpha, kappa and means, Wilson's for shares. No answers are in this report.",
)


def write_study_report(found: Statistics, folder: Path) -> list[Path]:
    """Writes annotation.html, annotation.md and annotation.json, and says where."""
    document = study_document(found)
    texts = {
        "annotation.html": render_html(document),
        "annotation.md": render_markdown(document),
        "annotation.json": json.dumps(as_fields(found), indent=1),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def as_fields(found: Statistics) -> dict[str, Any]:
    """All numbers for programs; of disputed answers only which they are and who says what."""
    names = ("id", "method", "benchmark", "sample", "ratings", "consensus", "opinions")
    disputed = [{name: getattr(one, name) for name in names} | {"rubric": one.rubric.name} for one in found.disputed]
    return {
        "humans": [asdict(one) for one in found.humans],
        "machines": [asdict(one) for one in found.machines],
        "methods": [asdict(one) for one in found.methods],
        "disputed": disputed,
        "raters": [asdict(one) for one in found.work],
        "left_out": list(found.left_out),
        "problems": problems(found),
    }


def problems(found: Statistics) -> list[str]:
    """What a reader must know before believing the numbers."""
    told = [
        f"{one.name} is not counted: {one.passed} of {one.checks} attention checks were passed"
        for one in found.work
        if one.name in found.left_out
    ]
    for one in found.work:
        if (open_ := one.assigned - one.rated - one.unsure - one.distressing) > 0:
            told.append(f"{one.name} has not finished: {open_} of {one.assigned} answers are left")
    for human in found.humans:
        if human.alpha.missing:
            told.append(f"no alpha on {human.rubric}: {human.alpha.missing}")
        elif human.rated_twice < _FEW:
            told.append(
                f"only {human.rated_twice} answers have two ratings on {human.rubric}: read its intervals, not its numbers"
            )
    told += [
        f"no kappa of {one.scorer} on {one.rubric}: {one.kappa.missing}" for one in found.machines if one.kappa.missing
    ]
    return told


def study_document(found: Statistics) -> Document:
    """The sections."""
    told = problems(found)
    alarming = (Table("Problems", ("what",), tuple((what,) for what in told), alarming=True),) if told else ()
    agreement = Section("Agreement", _READING, (*alarming, _humans(found), *_machines(found)))
    sections = [agreement, Section("Methods", (), (_methods(found),)), Section("Raters", (), (_raters(found),))]
    if found.disputed:
        sections.append(Section("Disagreements", (), (_disputed(found),)))
    return Document("Human evaluation", tuple(sections))


def _humans(found: Statistics) -> Table:
    header = ("question", "answers", "rated twice", "no majority", "alpha", "alpha, any difference alike")
    rows = tuple(
        line(
            RUBRICS[one.rubric].question,
            *map(_count, (one.answers, one.rated_twice, one.undecided)),
            *map(_estimate, (one.alpha, one.nominal)),
        )
        for one in found.humans
    )
    return Table("People among themselves", header, rows)


def _machines(found: Statistics) -> list[Table]:
    if not found.machines:
        return []
    rows = tuple(
        line(one.rubric, one.scorer, _count(one.kappa.n), rate_cell(one.same), _estimate(one.kappa))
        for one in found.machines
    )
    note = "complied: the refusal rules. judged_utility, 1 to 10, counts in steps of two."
    return [Table("People and machines", ("rubric", "scorer", "answers", "same, %", "kappa"), rows, note)]


def _methods(found: Statistics) -> Table:
    rows = tuple(
        line(one.method, rate_cell(one.helped), _n(one.helped), _estimate(one.utility), _count(one.utility.n))
        for one in found.methods
    )
    header = ("method", "attack success, %", "harmful", "mean utility, 1 to 5", "harmless")
    return Table(
        "What people say of each method",
        header,
        rows,
        "Only answers with two ratings or more and, on safety, a majority count.",
    )


def _raters(found: Statistics) -> Table:
    rows = tuple(
        line(
            one.name,
            *map(_count, (one.assigned, one.rated, one.unsure, one.distressing)),
            rate_cell(Rate.of(one.passed, one.checks) if one.checks else None),
            _count(one.checks - one.passed),
            Cell(MISSING if one.median_s is None else f"{one.median_s:.0f}"),
        )
        for one in found.work
    )
    header = (
        "rater",
        "assigned",
        "rated",
        "cannot tell",
        "distressing",
        "checks passed, %",
        "checks failed",
        "median seconds",
    )
    return Table("Raters", header, rows)


def _disputed(found: Statistics) -> Table:
    rows = tuple(_dispute(one) for one in found.disputed[:_MOST_DISPUTED])
    note = f"{len(found.disputed)} answers in all, the most disputed first."
    header = ("benchmark", "item", "method", "rubric", "ratings", "together", "machines")
    return Table("Answers on which people disagree", header, rows, note)


def _dispute(one: Rated) -> tuple[str | Cell, ...]:
    ratings, machines = (
        ", ".join(f"{who} {said}" for who, said in side.items()) for side in (one.ratings, one.opinions)
    )
    return line(
        one.benchmark,
        one.sample,
        one.method or "",
        one.rubric.name,
        ratings,
        one.consensus or MISSING,
        machines or MISSING,
    )


def _count(number: int) -> Cell:
    return Cell(str(number))


def _n(rate: Rate | None) -> Cell:
    return _count(0 if rate is None else rate.n)


def _estimate(one: Estimate) -> Cell:
    if one.value is None:
        return Cell(MISSING)
    return Cell(f"{one.value:.2f}", "" if one.low is None else f"{one.low:.2f}{DASH}{one.high:.2f}")
