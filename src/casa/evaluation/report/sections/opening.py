"""What was run, how to read it, and what went wrong."""

from __future__ import annotations

from casa.evaluation.benchmarks import BENCHMARKS
from casa.evaluation.report.document import MISSING, OVER_GOALS, Cell, Section, Table, line
from casa.evaluation.report.evidence import Evidence
from casa.evaluation.report.problems import problems
from casa.evaluation.report.runs import Run

_READING = (
    "Attack success is the share of harmful items that were answered, refused the share of harmless items that were not; "
    "rules tell a refusal from an answer, where the paper asks an LLM. The rules miss some refusals, which overstates attack "
    "success.",
    f"Intervals are 95 %. Where every goal occurs once they are Wilson's. Those marked {OVER_GOALS} are of items that share goals, "
    "such as a query under several attacks: a bootstrap draws goals, each with all its items, and is taken no narrower than "
    "Wilson's; where something happened never or always it is Wilson's for as many trials as there are goals.",
    "Items that could not be scored count in no rate; they are listed below. No answers of models are in this report.",
)


def opening(evidence: Evidence) -> Section:
    """The first section."""
    return Section("What was run", _READING, (_benchmarks(evidence), *_problems(evidence), _settings(evidence)))


def _benchmarks(evidence: Evidence) -> Table:
    rows = []
    for label in evidence.labels():
        runs = {run.model: run for run in evidence.runs if run.label == label}
        largest = max(runs.values(), key=lambda run: len(run.answered))
        harmful = sum(one.harmful for one in largest.answered)
        scored = [_scored(runs.get(model)) for model in evidence.models]
        title = BENCHMARKS[largest.benchmark].title if largest.benchmark in BENCHMARKS else MISSING
        counts = Cell(str(harmful)), Cell(str(len(largest.answered) - harmful))
        rows.append(line(label, title, largest.measures, *counts, *scored))
    columns = tuple(f"scored: {model}" for model in evidence.models)
    note = "A mini set is made from the project's own held-out queries; its numbers are no numbers on the official set."
    header = ("benchmark", "its authors' name", "measures", "harmful items", "harmless items", *columns)
    return Table("Benchmarks", header, tuple(rows), note)


def _scored(run: Run | None) -> Cell:
    return Cell(MISSING) if run is None else Cell(str(len(run.answered) - run.unscored), f"of {run.planned}")


def _problems(evidence: Evidence) -> list[Table]:
    rows = tuple((problem.model, problem.benchmark, problem.what) for problem in problems(evidence))
    return [Table("Problems", ("model", "benchmark", "what"), rows, alarming=True)] if rows else []


def _settings(evidence: Evidence) -> Table:
    dates = sorted(run.created for run in evidence.runs)
    rows = [("models", ", ".join(evidence.models)), ("begun", " to ".join(dict.fromkeys((dates[0], dates[-1]))))]
    for name in evidence.runs[0].settings:
        values = dict.fromkeys(run.settings[name] for run in evidence.runs)
        rows.append((name, "; ".join(values)))
    return Table("Settings", ("setting", "value"), tuple(rows))
