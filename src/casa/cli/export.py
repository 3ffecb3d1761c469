"""`casa export`: a CASA model as a checkpoint that a serving engine loads by itself."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from casa.cli.console import err, out, print_json, reported_errors
from casa.cli.models import load_casa
from casa.cli.options import JsonOption, ThresholdOption


class Engine(StrEnum):
    """What loads the checkpoint."""

    vllm = "vllm"
    transformers = "transformers"


def export(
    model: Annotated[str, typer.Argument(help='A CASA model: "casa-nano", a folder written by training, or a hub id.')],
    folder: Annotated[Path | None, typer.Argument(help="The folder to write; it must not exist yet.")] = None,
    to: Annotated[
        Engine, typer.Option("--to", help="What will load it: vllm with the plugin, or plain transformers.")
    ] = Engine.vllm,
    threshold: ThresholdOption = None,
    check: Annotated[bool, typer.Option("--check", help="Check an exported folder instead of writing one.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Writes a CASA model as one checkpoint that vLLM serves: adapter merged, safety attention inside.

    It holds checksums of all its files. docs/serving-vllm.md tells how to
    install vLLM, start it and read the verdict.

    With --to transformers it is an ordinary checkpoint whose generation config leaves the two safety tokens as first tokens;
    [bold]safety attention is lost[/], and with it much of the protection (docs/hub.md).

    [bold]Examples[/]
    [cyan]casa export casa-nano served/nano[/]
    [cyan]casa export runs/omni-3b --to vllm served/omni-3b --threshold 0.3[/]
    [cyan]casa export --check served/omni-3b[/]
    [cyan]casa export runs/omni-3b --to transformers merged/omni-3b[/]
    """
    if (folder is None) is not check:
        raise typer.BadParameter("name the folder to write, or give --check and one folder that was exported")
    if threshold is not None and (check or to is Engine.transformers):
        raise typer.BadParameter(
            "--threshold is written into checkpoints for vllm only; plain transformers takes the likelier of both tokens"
        )
    with reported_errors(as_json):
        if folder is None:
            _check(Path(model), as_json)
        else:
            _export(model, folder, to, threshold, as_json)


def _export(model: str, folder: Path, to: Engine, threshold: float | None, as_json: bool) -> None:
    casa = load_casa(model, threshold=threshold)
    if to is Engine.transformers:
        from casa.model.merged import write_merged

        with err.status(f"Writing {folder} ..."):
            write_merged(casa, folder)
        if as_json:
            print_json({"folder": str(folder)})
        else:
            out.print(f"written to {folder}, without safety attention", soft_wrap=True)
        return
    with err.status(f"Writing {folder} ..."):
        from casa.serving.vllm.export import export as write

        write(casa, folder)
    if as_json:
        print_json({"folder": str(folder), "threshold": casa.config.threshold})
    else:
        out.print(f"written to {folder}; serve it with\nvllm serve {folder} --reasoning-parser casa", soft_wrap=True)


def _check(folder: Path, as_json: bool) -> None:
    with err.status(f"Reading {folder} ..."):
        from casa.serving.vllm.export import verify

        settings = verify(folder)
    if as_json:
        print_json({"folder": str(folder), "intact": True, "threshold": settings.config.threshold})
    else:
        out.print(f"{folder} is intact", soft_wrap=True)
