"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _checked_threshold(value: float | None) -> float | None:
    if value is not None and not 0 < value <= 1:
        raise typer.BadParameter("must be in (0, 1]")
    return value


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
ThresholdOption = Annotated[
    float | None,
    typer.Option(callback=_checked_threshold, help="p_unsafe from which the label is unsafe, instead of the model's."),
]
EngineArgOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="A field of vLLM's engine arguments; may be repeated."),
]
