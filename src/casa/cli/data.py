"""`casa data`: training data from public sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from casa.cli.console import out, print_json, reported_errors
from casa.cli.options import JsonOption

app = typer.Typer(help="Makes training data of public sources.", no_args_is_help=True, rich_markup_mode="rich")


@app.callback()
def _root() -> None:
    """Makes training data of public sources."""


@app.command("prepare")
def prepare(
    sources: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A YAML file that lists the sources.")],
    folder: Annotated[Path, typer.Argument(help="The folder to write; it must be empty or not exist yet.")],
    local: Annotated[
        list[str] | None,
        typer.Option(
            "--local", metavar="SOURCE=PATH", help="Read a source from a local folder or file instead; repeatable."
        ),
    ] = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            "--benchmark",
            metavar="NAME=FOLDER",
            help="A benchmark's official data, to keep clear of, beside the project's own test split; repeatable.",
        ),
    ] = None,
    dev_share: Annotated[float, typer.Option(help="Share of the dev split, by groups of like queries.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Of the draw within sources' limits.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Reads, cleans and splits public sources into what a recipe's train_files takes, with a card.

    Duplicates and near-duplicates are left out, and all that a benchmark asks for. Of malicious rows the query alone is kept. Only
    data sets of the hub that the YAML file names are fetched; with a local copy of each, nothing is.

    [bold]Examples[/]
    [cyan]casa data prepare recipes/data/paper_mix.yaml data/paper_mix[/]
    [cyan]casa data prepare mix.yaml data/mix --local alpaca=~/alpaca_data.json --benchmark advbench=~/llm-attacks[/]
    """
    with reported_errors(as_json):
        from casa.data.preparation.prepare import prepare as write
        from casa.data.preparation.sources import read_sources
        from casa.evaluation.benchmarks import BENCHMARKS
        from casa.evaluation.leaks import benchmark_overlap

        chosen = read_sources(sources, _paths(local, "--local"))
        official = _paths(benchmark, "--benchmark")
        checked = {name: name in official for name in BENCHMARKS}
        summary = write(chosen, folder, benchmark_overlap(official), checked, dev_share, seed)
    if as_json:
        print_json(summary)
        return
    table = Table("", "rows", title=str(folder))
    for part in ("kept", "left_out"):
        for name, count in summary[part].items():
            table.add_row(f"{part.replace('_', ' ')}: {name}", f"{count:,}")
    out.print(table)
    out.print(f"written to {folder}; train with --train_files {summary['file']}", soft_wrap=True)


def _paths(given: list[str] | None, option: str) -> dict[str, Path]:
    """`NAME=PATH` options by name."""
    pairs = [word.partition("=") for word in given or []]
    if wrong := [name for name, _, path in pairs if not name or not path]:
        raise typer.BadParameter(f"give {option} as NAME=PATH, not {wrong[0]!r}")
    return {name: Path(path).expanduser() for name, _, path in pairs}
