"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

ModelOption = Annotated[
    str, typer.Option("--model", help='A CASA model: "casa-nano", a folder written by training, or a hub id.')
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for programs.")]
LengthOption = Annotated[int, typer.Option("--max-new-tokens", min=1, help="Longest answer, in tokens.")]
SystemOption = Annotated[str | None, typer.Option("--system", help="System message before the conversation.")]
SafetyPromptOption = Annotated[
    bool, typer.Option("--safety-prompt", help="Add a system prompt that asks the model to judge safety first.")
]
ExitCodeOption = Annotated[bool, typer.Option("--exit-code", help="Exit with 10 if anything was unsafe.")]
