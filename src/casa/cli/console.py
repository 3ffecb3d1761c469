"""What every command prints with: consoles, verdict lines, JSON, errors and their exit codes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.text import Text

from casa.errors import CasaError

if TYPE_CHECKING:
    from casa.model.outputs import Verdict

EXIT_ERROR = 3
EXIT_UNSAFE = 10

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_TERMINAL_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Text without control characters: what a model writes must not steer the user's terminal."""
    return _TERMINAL_CONTROLS.sub("", text)


def write(text: str) -> None:
    """Prints a piece of an answer as it is, at once and without a line break."""
    out.print(Text(printable(text)), end="", soft_wrap=True)


def json_text(value: Any, indent: int | None = None) -> str:
    """Strict JSON in ASCII, so that it passes through any pipe; a number that is not finite becomes null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def print_json(value: Any) -> None:
    """One JSON document a line on stdout."""
    typer.echo(json_text(value))


def error_fields(error: CasaError) -> dict[str, str]:
    """An error for JSON output."""
    return {"type": type(error).__name__, "message": str(error)}


def print_error(error: CasaError, as_json: bool) -> None:
    """Tells an error in red on stderr, or as JSON on stdout."""
    if as_json:
        print_json({"error": error_fields(error)})
    else:
        err.print(Text(f"Error: {printable(str(error))}", style="red"), soft_wrap=True)


@contextmanager
def reported_errors(as_json: bool) -> Iterator[None]:
    """Ends the command with exit code 3, and without a traceback, on an error that the user can act on."""
    try:
        yield
    except CasaError as error:
        print_error(error, as_json)
        raise typer.Exit(EXIT_ERROR) from None


def label_text(verdict: Verdict) -> Text:
    """The coloured label of a verdict."""
    text = "unsafe (failed)" if verdict.failed else verdict.label
    return Text(text, style="bold green" if verdict.label == "safe" else "bold red")


def verdict_line(verdict: Verdict) -> Text:
    """A verdict with its numbers, for people."""
    numbers = f"  p_unsafe {verdict.p_unsafe:.3f} (threshold {verdict.threshold:g})  v_s {verdict.risk:.3f}"
    return label_text(verdict).append(numbers, style="not bold dim")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
