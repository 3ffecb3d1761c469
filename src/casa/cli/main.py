"""The app: its commands, and what `casa --help` teaches."""

from __future__ import annotations

import os
from typing import Annotated

import typer

import casa
from casa.cli import (
    annotate,
    ask,
    chat,
    classify,
    data,
    demo,
    eval,
    export,
    nano,
    playground,
    push,
    report,
    serve,
    train,
)

_EPILOG = """\
[bold]Start here[/]: [cyan]casa demo[/] needs no network and no GPU.

[bold]Exit codes[/]: 0 done · 2 wrong usage · 3 an error, told in one line (for [cyan]classify[/] also: a line of the \
input was bad) · 10 something was unsafe (only with [cyan]--exit-code[/]).
"""

app = typer.Typer(
    name="casa",
    help="Gives a multimodal LLM an inner safety decision: it judges the conversation before it answers (CASA).",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # locals hold prompts, weights and answers
)
app.command("demo")(demo.demo)
app.command("ask")(ask.ask)
app.command("chat")(chat.chat)
app.command("classify")(classify.classify)
app.command("eval")(eval.evaluate)
app.command("report")(report.report)
app.command("serve")(serve.serve)
app.command("playground")(playground.playground)
app.command("export")(export.export)
app.command("push")(push.push)
app.command("train", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(train.train)
app.add_typer(annotate.app, name="annotate")
app.add_typer(data.app, name="data")
app.add_typer(nano.app, name="nano")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"casa {casa.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry of the console script."""
    # Torch's idle threads spin by default, which makes a turn several times slower when another program uses the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    app()
