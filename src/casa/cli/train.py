"""`casa train`: runs a recipe."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from casa.cli.console import EXIT_ERROR, json_text, out, print_json, reported_errors
from casa.cli.options import JsonOption


def train(
    context: typer.Context,
    recipe: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A recipe YAML; it comes first.")],
    method: Annotated[
        str,
        typer.Option(
            help="casa, or a rival on the same data with as many steps: ssft, circuit_breaker, guard, probe; pretrained, "
            "safety_prompt and external_guard need no training and are only written down."
        ),
    ] = "casa",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Check every field, the model's config and the data, and print what training would take; nothing is trained.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Trains by a recipe; every field of the recipe can be set on the command line.

    With --dry-run no weights are fetched, loaded or written: the model is built from its config alone.

    [bold]Examples[/]
    [cyan]casa train recipes/qwen2.5-omni-3b.yaml --dry-run[/]
    [cyan]casa train recipes/nano.yaml[/]
    [cyan]casa train recipes/nano.yaml --learning_rate 1e-4 --output_dir runs/try[/]
    [cyan]casa train recipes/nano.yaml --method circuit_breaker --output_dir runs/circuit_breaker[/]
    """
    if dry_run:
        _dry_run(recipe, method, context.args, as_json)
        return
    with reported_errors(as_json):
        from casa.baselines.methods import train_method

        with redirect_stdout(sys.stderr) if as_json else nullcontext():  # the Trainer's log lines
            summary = train_method(method, recipe, context.args)
    from casa.training.ranks import is_main

    if not is_main():
        return
    if as_json:
        print_json(summary)
        return
    table = Table("", "value", title=str(recipe))
    for name, value in summary.items():
        table.add_row(name, value if isinstance(value, str) else json_text(value))
    out.print(table)


def _dry_run(recipe: Path, method: str, overrides: list[str], as_json: bool) -> None:
    if method != "casa":
        raise typer.BadParameter("the dry run is for the method casa", param_hint="--dry-run")
    with reported_errors(as_json), redirect_stdout(sys.stderr):
        from casa.training.plan import plan_recipe

        plan = plan_recipe(recipe, overrides)
    if as_json:
        print_json(plan.as_json())
    else:
        from casa.cli.plan import print_plan

        print_plan(plan)
    if plan.problems:
        raise typer.Exit(EXIT_ERROR)
