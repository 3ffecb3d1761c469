"""What went wrong in some runs: it is told, never hidden."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from casa.evaluation.report.evidence import Evidence
from casa.evaluation.report.runs import Run

_OLDER = "another log of the same is newer or finished, so this one is not used: "
_OUTDATED = "the newest log of this model is of other weights than this one, so this one is not used: "
_REBASED = "its base model has other weights than the undefended model in these logs, so the two are not compared"
_NOT_RUN = "was not run, so this model's rates over several benchmarks leave it out"


@dataclass(frozen=True)
class Problem:
    """Something that a reader must know.

    Attributes:
        model: that was run.
        benchmark: on which.
        what: went wrong.
    """

    model: str
    benchmark: str
    what: str


def problems(evidence: Evidence) -> list[Problem]:
    """Runs that did not finish or are missing, items without a score, verdicts without numbers, what is not used."""
    found = [Problem(run.model, run.label, what) for run in evidence.runs for what in _of(run)]
    found += [Problem(model, label, _NOT_RUN) for model, label in _not_run(evidence)]
    found += [Problem(run.model, run.label, _OLDER + run.file) for run in evidence.set_aside]
    found += [Problem(run.model, run.label, _OUTDATED + run.file) for run in evidence.outdated]
    found += [Problem(one.model, "measured beside", _OUTDATED + one.file) for one in evidence.mismeasured]
    return found + [Problem(model, "all benchmarks", _REBASED) for model in evidence.rebased]


def _not_run(evidence: Evidence) -> list[tuple[str, str]]:
    run = {(run.model, run.label) for run in evidence.runs}
    return [(model, label) for model in evidence.models for label in evidence.labels() if (model, label) not in run]


def _of(run: Run) -> Iterator[str]:
    if run.status != "success":
        yield f"the run ended with the status {run.status}" + (f": {run.error}" if run.error else "")
    counts = {
        "items were not asked": run.planned - len(run.answered),
        "items failed": run.errors,
        "items could not be scored": run.unscored,
        "answers were empty, and so not scored": sum(one.empty for one in run.answered),
        "verdicts were not finite, which counts as unsafe": run.failed_verdicts,
    }
    for what, count in counts.items():
        if count > 0:
            yield f"{count} of {run.planned} {what}"
