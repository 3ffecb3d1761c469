"""`casa report`: the logs of `casa eval` as a page, as tables and as data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from casa.cli.console import err, out, print_json, printable, reported_errors
from casa.cli.options import JsonOption

if TYPE_CHECKING:
    from casa.evaluation.report.evidence import Evidence

_LOGS = Path("runs/eval")


def report(
    logs: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of casa eval, single logs, results files; runs/eval if none is given."),
    ] = None,
    folder: Annotated[Path, typer.Option("--out", file_okay=False, help="Where the report goes.")] = Path(
        "runs/report"
    ),
    as_json: JsonOption = False,
) -> None:
    """Sums up the logs of casa eval in report.html, report.md, report.csv and report.tex.

    Attack success always stands beside the refusals of harmless items, with
    intervals, and with a test against the same model undefended. Of several
    logs of one model and benchmark the newest finished one counts. No answers
    of models are in the report. Results files, such as those that
    [cyan]casa eval --suite offline[/] leaves beside its logs, add hidden states, long
    texts, adaptive attacks and the time that CASA adds.

    [bold]Examples[/]
    [cyan]casa report[/]
    [cyan]casa report runs/eval[/]
    [cyan]casa report runs/eval results/nano_noise.json[/]
    [cyan]casa report runs/nano runs/qwen --out runs/both --json[/]
    """
    with reported_errors(as_json):
        from casa.evaluation.report.evidence import gather
        from casa.evaluation.report.files import write_report
        from casa.evaluation.report.measured import is_results_file, read_measured
        from casa.evaluation.report.runs import read_runs

        places = logs or [_LOGS]
        runs = read_runs([place for place in places if not is_results_file(place)] or [_LOGS])
        evidence = gather(runs, read_measured(places))
        files = write_report(evidence, folder)
    if as_json:
        _print_json(evidence, files)
    else:
        _print(evidence, files)


def _print_json(evidence: Evidence, files: list[Path]) -> None:
    from casa.evaluation.report.csv_rows import rate_rows
    from casa.evaluation.report.problems import problems

    compared = [{**asdict(one), "reduction": one.reduction} for one in evidence.compared]
    print_json(
        {
            "files": [str(file) for file in files],
            "problems": [asdict(problem) for problem in problems(evidence)],
            "rates": rate_rows(evidence),
            "compared": compared,
        }
    )


def _print(evidence: Evidence, files: list[Path]) -> None:
    from casa.evaluation.report.problems import problems

    for problem in problems(evidence):
        err.print(
            printable(f"{problem.model}, {problem.benchmark}: {problem.what}"),
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
    for file in files:
        out.print(str(file), markup=False, soft_wrap=True)
