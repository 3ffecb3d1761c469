"""What an item took: time and tokens."""

from __future__ import annotations

import numpy as np

from casa.evaluation.report.document import DASH, MISSING, Cell, Section, Table, line
from casa.evaluation.report.evidence import Evidence
from casa.evaluation.report.runs import Run

_ABOUT = (
    "Where several conversations are answered at once, the seconds of one include the others in its batch and the wait for its "
    "turn, so they compare models that ran alike and say nothing of one conversation alone. An answer cut off early, or a "
    "refusal, is also a shorter one."
)


def cost_section(evidence: Evidence) -> Section | None:
    """What CASA adds to the wait for the first token, and seconds and tokens of an item; None where nothing holds either."""
    tables = (*_latency(evidence), *_items(evidence))
    return Section("Cost", (_ABOUT,), tables) if tables else None


def _latency(evidence: Evidence) -> list[Table]:
    found = [one for one in evidence.measured if "first_token_ms" in one.figures]
    rows = []
    for one in found:
        spreads, added = one.figures["first_token_ms"], one.figures["added_ms"]
        cells = [_milliseconds(spreads[when], "median") for when in ("without CASA", "with CASA")]
        rows.append(line(one.model, Cell(str(spreads["with CASA"]["n"])), *cells, _milliseconds(added, "mean")))
    note = (
        "One conversation at a time. Beside the medians: quartiles; beside the mean that is added: its 95 % interval over the same "
        "prompts, bootstrapped."
    )
    header = ("model", "prompts", "without CASA, median", "with CASA, median", "added, mean")
    return [Table("First token of the answer, in ms", header, tuple(rows), note)] if rows else []


def _milliseconds(found: dict[str, float], middle: str) -> Cell:
    return Cell(f"{found[middle]:.0f}", f"{found['low']:.0f}{DASH}{found['high']:.0f}")


def _items(evidence: Evidence) -> list[Table]:
    runs = [run for label in evidence.labels() for run in evidence.runs if run.label == label]
    rows = tuple((run.label, run.model, _seconds(run), *_tokens(run)) for run in runs if run.seconds or run.tokens)
    if not rows:
        return []
    header = ("benchmark", "model", "seconds, median", "tokens read, mean", "tokens written, mean")
    note = "Beside the median: quartiles. Tokens are counted where the model reports them; undefended models do not."
    return [Table("Time and tokens of an item", header, rows, note)]


def _seconds(run: Run) -> Cell:
    if not run.seconds:
        return Cell(MISSING)
    low, median, high = np.percentile(run.seconds, [25, 50, 75])
    return Cell(f"{median:.2f}", f"{low:.2f}{DASH}{high:.2f}")


def _tokens(run: Run) -> tuple[Cell, Cell]:
    if not run.tokens:
        return Cell(MISSING), Cell(MISSING)
    read, written = np.mean(run.tokens, axis=0)
    return Cell(f"{read:.0f}"), Cell(f"{written:.0f}")
