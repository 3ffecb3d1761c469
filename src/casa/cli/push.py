"""`casa push`: a trained model on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from casa.cli.console import err, out, print_json, reported_errors
from casa.cli.options import JsonOption


def push(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A CASA folder written by training.")],
    repo_id: Annotated[str, typer.Argument(help="Where to: NAME/MODEL.")],
    results: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="A results file about this adapter, for the card; repeatable."),
    ] = None,
    base_model: Annotated[
        str | None, typer.Option(help="The base model's hub id, if it was trained from a folder.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch to write to.")] = None,
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Propose the upload as a pull request.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Uploads adapter, safety attention and their config to the Hugging Face hub, with a model card.

    The card tells intended use, data, numbers and limits, from the run's folder and the results files; a README.md in the folder
    is taken as it is. Log in first with [cyan]hf auth login[/].

    [bold]Examples[/]
    [cyan]casa push runs/omni-3b me/omni-3b-casa --private[/]
    [cyan]casa push runs/omni-3b me/omni-3b-casa --results results/nano_text.json[/]
    """
    with reported_errors(as_json), err.status(f"Uploading {folder} ..."):
        from huggingface_hub.errors import HfHubHTTPError

        from casa.errors import CasaError
        from casa.hub import push as upload

        try:
            options = {
                "base_model": base_model,
                "private": private or None,
                "revision": revision,
                "create_pr": create_pr,
            }
            address = upload(folder, repo_id, results=results or [], **options)  # type: ignore[arg-type]
        except (OSError, HfHubHTTPError) as error:
            raise CasaError(f"the hub did not take it: {error}") from error
    if as_json:
        print_json({"address": address})
    else:
        out.print(address, soft_wrap=True)
