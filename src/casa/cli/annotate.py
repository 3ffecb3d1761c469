"""`casa annotate`: people rate answers; batches, the page, ratings and statistics."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track

from casa.cli.console import err, out, print_json, printable, reported_errors
from casa.cli.options import LOOPBACK, JsonOption

if TYPE_CHECKING:
    from casa.apps.annotation.session import Link

app = typer.Typer(
    help="Human evaluation: people rate answers, blind to the method, in a page on this machine.", no_args_is_help=True
)
Batch = Annotated[Path, typer.Argument(help="A file of casa annotate prepare.")]


@app.command()
def prepare(
    logs: Annotated[
        list[Path], typer.Argument(help="Folders of casa eval, or single logs, of all methods to compare.")
    ],
    batch: Annotated[Path, typer.Argument(help="SQLite file to write; must not be there yet.")],
    prompts: Annotated[int, typer.Option(min=1, help="Most prompts; each is rated with every method's answer.")] = 60,
    raters: Annotated[int, typer.Option(min=2, help="People who rate.")] = 3,
    each: Annotated[int, typer.Option(min=2, help="Raters of one answer.")] = 3,
    checks: Annotated[float, typer.Option(min=0, max=0.5, help="Attention checks for each answer of a rater.")] = 0.1,
    contact: Annotated[str, typer.Option(help="Whom raters can turn to; shown to them.")] = "",
    seed: Annotated[int, typer.Option(help="Of the choice and the orders.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Chooses prompts from logs and lays out who rates which answers, in which order.

    Balanced over methods, harmful and harmless prompts, modalities and
    benchmarks. The file holds answers and the raters' secret links: keep it
    private.

    [bold]Examples[/]
    [cyan]casa annotate prepare runs/eval study.sqlite[/]
    [cyan]casa annotate prepare runs/nano runs/ssft study.sqlite --prompts 100 --raters 6 --each 3[/]
    """
    with reported_errors(as_json):
        from casa.apps.annotation.collect import collect
        from casa.apps.annotation.prepare import Design, write_batch
        from casa.apps.annotation.session import Sessions

        design = Design(prompts, raters, each, checks, contact, seed)
        with err.status("Reading logs ..."):
            collected = collect(logs)
        chosen = write_batch(
            batch,
            collected,
            design,
            lambda found: track(found, "Writing", console=err, disable=as_json, transient=True),
        )
        links = Sessions(batch).links()
    counts = Counter(f"{'harmful' if prompt.harmful else 'harmless'}, {prompt.modality}" for prompt in chosen)
    if as_json:
        facts = {"methods": list(collected.methods), "prompts": counts, "incomplete": collected.incomplete}
        print_json({"batch": str(batch), **facts, "raters": {link.name: link.progress.total for link in links}})
        return
    out.print(f"{len(chosen)} prompts x {len(collected.methods)} methods: {', '.join(collected.methods)}", markup=False)
    for name, count in sorted(counts.items()):
        out.print(f"  {count:4} {name}", markup=False)
    if collected.incomplete:
        err.print(f"{collected.incomplete} prompts were left out: not every method answered them", style="yellow")
    loads = [link.progress.total for link in links]
    out.print(f"{len(links)} raters get {min(loads)} to {max(loads)} answers each, attention checks among them")
    out.print(f"Next: casa annotate serve {batch}", markup=False, soft_wrap=True)


@app.command()
def serve(
    batch: Batch,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 7860,
    url: Annotated[
        str | None,
        typer.Option(help="How raters reach this server, if not directly, such as https://study.example.org."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Serves the page, and prints each rater's secret link. Ctrl-C stops it; nothing is lost.

    The page asks nobody on the network. There is no TLS: for raters elsewhere
    put a proxy in front, or let them in by ssh.

    [bold]Examples[/]
    [cyan]casa annotate serve study.sqlite[/]
    [cyan]casa annotate serve study.sqlite --url https://study.example.org[/]
    """
    with reported_errors(as_json):
        from casa.apps.annotation.server import serve as serve_batch
        from casa.apps.annotation.session import Sessions

        base = (url or f"http://{host}:{port}").rstrip("/")
        links = Sessions(batch).links()
        if as_json:
            print_json({link.name: _address(base, link) for link in links})
        else:
            if host not in LOOPBACK:
                err.print(
                    "[yellow]Other machines can reach this server, without encryption: put a proxy with TLS in front.[/]"
                )
            for link in links:
                done = f"{link.progress.done} of {link.progress.total} done"
                out.print(f"{link.name}  {_address(base, link)}  {done}", markup=False, soft_wrap=True)
        serve_batch(batch, host, port)


def _address(base: str, link: Link) -> str:
    return f"{base}/?rater={link.token}"


@app.command()
def export(
    batch: Batch,
    file: Annotated[Path, typer.Argument(help="Ends in .csv, .json or .jsonl.")],
    as_json: JsonOption = False,
) -> None:
    """Writes the ratings (.csv, .json), or labelled answers for casa/judge_agreement (.jsonl).

    The first two hold no texts. The last holds requests and answers: keep it
    private.

    [bold]Examples[/]
    [cyan]casa annotate export study.sqlite ratings.csv[/]
    [cyan]casa annotate export study.sqlite labelled.jsonl[/]
    """
    with reported_errors(as_json):
        from casa.apps.annotation.export import export as write

        rows = write(batch, file)
    if as_json:
        print_json({"file": str(file), "rows": rows})
    else:
        out.print(f"{rows} rows in {file}", markup=False, soft_wrap=True)


@app.command()
def report(
    batch: Batch,
    folder: Annotated[Path, typer.Option("--out", file_okay=False, help="Where the report goes.")] = Path(
        "runs/annotation"
    ),
    least_passed: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out raters who pass a smaller share of their attention checks.")
    ] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Writes annotation.html, annotation.md and annotation.json: agreement, methods, raters, disagreements.

    Krippendorff's alpha among people, Cohen's kappa between people and judges,
    with intervals; what people say of each method. No answers are in it.

    [bold]Examples[/]
    [cyan]casa annotate report study.sqlite[/]
    [cyan]casa annotate report study.sqlite --least-passed 0.8 --out runs/study[/]
    """
    with reported_errors(as_json):
        from casa.apps.annotation.report import as_fields, problems, write_study_report
        from casa.apps.annotation.statistics import statistics

        with err.status("Counting ..."):
            found = statistics(batch, least_passed)
            files = write_study_report(found, folder)
    if as_json:
        print_json({"files": [str(path) for path in files], **as_fields(found)})
        return
    for problem in problems(found):
        err.print(printable(problem), style="yellow", markup=False, soft_wrap=True)
    for path in files:
        out.print(str(path), markup=False, soft_wrap=True)
