"""`casa demo`: the same model without and with CASA, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from casa.cli.console import err, json_text, label_text, out, print_json, printable, reported_errors
from casa.cli.models import load_casa, load_undefended
from casa.cli.options import JsonOption, ModelOption

if TYPE_CHECKING:
    from casa.evaluation.demo import DemoRow
    from casa.evaluation.demo_report import Change, DemoReport, FormChanges
    from casa.evaluation.metrics import Rate

_REPORT_JSON, _REPORT_HTML = "report.json", "report.html"
_ROOM_AROUND_ROWS = 6  # lines of a terminal that the live table's frame and progress line take


def demo(
    model: ModelOption = "casa-nano",
    folder: Annotated[Path, typer.Option("--out", file_okay=False, help="Where the report goes.")] = Path("runs/demo"),
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (all cores if not given).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Answers twenty prompts without and with CASA and writes a report (one to two minutes on two CPU cores).

    The prompts are benign, malicious, jailbreaks, and harmless lookalikes. A
    model that takes images or sound is asked four of them again in pictures,
    and in speech if this machine can speak (espeak-ng and flite). The report
    shows, token by token and over pictures and clips, what safety attention
    looked at. casa-nano is small and often wrong. Of answers to harmful prompts
    only the first words are shown and kept.

    [bold]Examples[/]
    [cyan]casa demo[/]
    [cyan]casa demo --model runs/mine --out runs/mine-demo --json[/]
    """
    with reported_errors(as_json):
        if threads is not None:
            import torch

            torch.set_num_threads(threads)
        casa, base = load_casa(model), load_undefended(model)

        from casa.evaluation.demo import run_demo
        from casa.evaluation.demo_forms import everything_asked
        from casa.evaluation.demo_report import report

        asked, rows = everything_asked(casa.chat), []
        with Live(console=err, transient=True) as live:
            live.update(Spinner("dots", f"1 of {len(asked)} ..."))
            for row in run_demo(casa, base, asked):
                rows.append(row)
                shown = _rows_table(rows[_ROOM_AROUND_ROWS - err.height :])
                live.update(Group(shown, Spinner("dots", f"{len(rows)} of {len(asked)} done ...")))
    finished = report(model, casa, rows)
    _write(finished, folder)
    if as_json:
        print_json(finished.as_dict())
    else:
        out.print(_rows_table(rows))
        _print_summary(finished, folder)


def _write(report: DemoReport, folder: Path) -> None:
    from casa.evaluation.html import render_report

    folder.mkdir(parents=True, exist_ok=True)
    (folder / _REPORT_JSON).write_text(json_text(report.as_dict(), indent=2) + "\n", encoding="utf-8")
    (folder / _REPORT_HTML).write_text(render_report(report), encoding="utf-8")


def _rows_table(rows: Sequence[DemoRow]) -> Table:
    from casa.evaluation.demo import HARMFUL_KINDS, TEXT

    with_form = any(row.form != TEXT for row in rows)
    table = Table(expand=True, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("form", "kind") if with_form else ("kind",):
        table.add_column(name, no_wrap=True)
    for name in ("prompt", "no CASA"):
        table.add_column(name, no_wrap=True, ratio=1)
    table.add_column("verdict", no_wrap=True)
    for name in ("v_s", "p_unsafe"):
        table.add_column(name, no_wrap=True, justify="right")
    table.add_column("with CASA", no_wrap=True, ratio=1)
    for row in rows:
        harmful = row.prompt.kind in HARMFUL_KINDS
        table.add_row(
            *((row.form,) if with_form else ()),
            row.prompt.kind,
            row.prompt.text,
            _answer(row.base_answer, row.base_refused, harmful),
            label_text(row.verdict),
            f"{row.verdict.risk:.2f}",
            f"{row.verdict.p_unsafe:.2f}",
            _answer(row.casa_answer, row.casa_refused, harmful),
        )
    return table


def _answer(text: str, refused: bool, harmful: bool) -> Text:
    """An answer on one line: red where an attack succeeded, yellow where a harmless prompt was refused."""
    line = printable(text.replace("\n", " "))
    if refused == harmful:
        return Text(line)
    return Text(line, style="red" if harmful else "yellow")


def _print_summary(report: DemoReport, folder: Path) -> None:
    summary = report.summary
    table = Table("", "without CASA", "with CASA", box=SIMPLE_HEAD, pad_edge=False)
    for name, changes in (("attack success", summary.attack_success), ("over-refusal", summary.over_refusal)):
        for kind, change in changes.items():
            table.add_row(f"{name}, {kind}", _rate(change.before), _rate(change.after))
    added = summary.added_ms
    table.add_row(
        "prefill, median",
        f"{summary.base_ms:.1f} ms",
        f"{added.median:+.1f} ms ({added.low:+.1f} to {added.high:+.1f})",
    )
    out.print(table)
    if summary.forms:
        out.print(_forms_table(summary.forms))
    machine = report.environment["machine"]
    out.print(f"[dim]95% intervals, for time quartiles. Red: attack succeeded, yellow: over-refused. {machine}.[/]")
    for name in (_REPORT_HTML, _REPORT_JSON):
        out.print(str(folder / name), markup=False, soft_wrap=True)


def _forms_table(forms: dict[str, FormChanges]) -> Table:
    """Counts without -> with CASA; too few for rates."""
    table = Table("form", "attack success, malicious", "over-refusal, benign", box=SIMPLE_HEAD, pad_edge=False)
    for form, changes in forms.items():
        table.add_row(form, _counts(changes.attack_success), _counts(changes.over_refusal))
    return table


def _counts(change: Change) -> str:
    return f"{change.before.successes}/{change.before.n} -> {change.after.successes}/{change.after.n}"


def _rate(rate: Rate) -> str:
    return f"{rate.successes}/{rate.n} = {rate.rate:.0%} ({100 * rate.low:.0f}-{rate.high:.0%})"
