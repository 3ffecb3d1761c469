"""`python -m casa.evaluation.nano_eval`: every benchmark's mini set on casa-nano, without and with CASA.

Needs no download. It reads the logs that `casa eval nano --suite offline` left in runs/eval, and runs what is not there yet; what
the report says of them, and what that command measured inside the model, goes to results/nano_eval.json.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from casa.evaluation.logs import file_name
from casa.evaluation.measurement import model_fields, write_result
from casa.evaluation.metrics import Rate
from casa.evaluation.presets import OFFLINE
from casa.evaluation.report.evidence import Compared, Evidence, gather
from casa.evaluation.report.measured import read_measured
from casa.evaluation.report.mme import questioned
from casa.evaluation.report.problems import problems
from casa.evaluation.report.quality import Quality, qualities
from casa.evaluation.report.runs import run_of
from casa.evaluation.suite import suite_of

_ABOUT_RATES = ("complied", "flagged", "unscored")


def rates_by_benchmark(evidence: Evidence, defended: str) -> list[dict[str, Any]]:
    """One entry for the harmful and one for the harmless items of each benchmark and attack.

    Args:
        evidence: of both models.
        defended: name of the one with CASA; the other is the same without.
    """
    names = {run.label: run.benchmark for run in evidence.runs}
    entries: dict[tuple[str, str, bool], dict[str, Any]] = {}
    for row in (*evidence.overall, *evidence.attacks):
        key = (names[row.benchmark], row.attack, row.harmful)
        entry = entries.setdefault(key, dict(zip(("benchmark", "attack", "harmful"), key, strict=True)))
        figures = asdict(row)
        entry["after" if row.model == defended else "before"] = {name: figures[name] for name in _ABOUT_RATES}
    return list(entries.values())


def figures(evidence: Evidence, source: str, defended: str) -> dict[str, Any]:
    """What the report says of both models, and what was measured inside this very one, by the name of its file."""
    own = model_fields(source).items()
    return {
        "benchmarks": rates_by_benchmark(evidence, defended),
        "compared": [_compared(one) for one in evidence.compared],
        "verdicts": [_quality(one) for one in qualities(evidence)],
        "mme": [asdict(one) for one in questioned(evidence)],
        "problems": [asdict(problem) for problem in problems(evidence)],
        "inside": {Path(one.file).stem: one.figures for one in evidence.measured if own <= one.figures.items()},
    }


def _compared(one: Compared) -> dict[str, Any]:
    """Attack success on harmful items or refusals of harmless ones, before and after, and whether that is chance."""
    return {**asdict(one), "reduction": one.reduction}


def _quality(one: Quality) -> dict[str, Any]:
    named = {"model": one.model, "items": one.items, "harmful": len(one.harmful), "harmless": len(one.harmless)}
    estimates = {"auroc_p_unsafe": one.p_unsafe, "auroc_v_s": one.risk, "auprc": one.auprc, "ece": one.ece}
    rates: dict[str, Rate | None] = {"tpr": one.tpr, "fpr": one.fpr}
    found = {name: None if figure is None else asdict(figure) for name, figure in {**estimates, **rates}.items()}
    return {**named, **found, "brier": one.calibration.brier}


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="casa-nano", help="casa-nano or a CASA folder")
    parser.add_argument("--benchmark", nargs="*", default=[], help="which; all if none is given")
    parser.add_argument(
        "--queries", type=int, default=OFFLINE.queries, help="held-out queries of each kind that mini sets are made of"
    )
    parser.add_argument("--max-new-tokens", type=int, default=OFFLINE.max_tokens)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--logs", type=Path, default=Path("runs/eval"))
    parser.add_argument("--out", type=Path, default=Path("results/nano_eval.json"))
    parser.set_defaults(split="test", seed=0)  # what mini sets are made from
    options = parser.parse_args()

    suite = suite_of(
        *(options.model, [], options.benchmark),
        data={},
        queries=options.queries,
        limit=None,
        max_tokens=options.max_new_tokens,
        batch_size=options.batch_size,
    )
    skipped = {planned.benchmark: planned.skipped for planned in suite.plan() if planned.skipped}
    runs = [run_of(log, file_name(log.location)) for log in suite.run(options.logs)]
    evidence = gather(runs, read_measured([options.logs]))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    settings = {"queries": options.queries, "max_new_tokens": options.max_new_tokens, "skipped": skipped}
    write_result(options, device, {**settings, **figures(evidence, options.model, suite.models[0])})


if __name__ == "__main__":
    main()
