"""`casa chat`: a conversation in the terminal, with the verdict of every turn."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from casa.cli.console import out, print_error, print_json, reported_errors, verdict_line, write
from casa.cli.models import load_casa
from casa.cli.options import JsonOption, LengthOption, ModelOption, SafetyPromptOption, SystemOption
from casa.errors import CasaError

if TYPE_CHECKING:
    from casa.model.casa_model import CasaModel


def chat(
    model: ModelOption = "casa-nano",
    system: SystemOption = None,
    max_new_tokens: LengthOption = 256,
    safety_prompt: SafetyPromptOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Talks over several turns and shows the verdict of each.

    [cyan]/reset[/] starts over, [cyan]/system TEXT[/] sets the system message
    and starts over, [cyan]/exit[/] or Ctrl-D ends. With [cyan]--json[/], a line of
    stdin is a user's turn, and a line of stdout the response.

    [bold]Examples[/]
    [cyan]casa chat --system "You answer in one sentence."[/]
    [cyan]printf 'Hello\nWhat did I say?\n' | casa chat --json[/]
    """
    with reported_errors(as_json):
        casa = load_casa(model, safety_prompt)
    if not as_json:
        out.print(f"[bold]{model}[/]  [dim]/reset, /system TEXT, /exit[/]")
    history = _opening(system)
    for line in _lines(prompted=not as_json):
        command, _, rest = line.partition(" ")
        if command == "/exit":
            return
        if command in ("/reset", "/system"):
            system = rest.strip() or None if command == "/system" else system
            history = _opening(system)
        else:
            history = _turn(casa, [*history, {"role": "user", "content": line}], max_new_tokens, as_json)


def _turn(casa: CasaModel, messages: list[dict[str, str]], length: int, as_json: bool) -> list[dict[str, str]]:
    """Answers a turn and returns the history after it; a turn that fails is told and left out."""
    try:
        if as_json:
            response = casa.respond(messages, length)
            print_json(response.as_dict())
            text = response.text
        else:
            text = _streamed(casa, messages, length)
    except CasaError as error:
        print_error(error, as_json)
        return messages[:-1]
    return [*messages, {"role": "assistant", "content": text}]


def _streamed(casa: CasaModel, messages: list[dict[str, str]], length: int) -> str:
    pieces = []
    for event in casa.stream(messages, length):
        if event.verdict is not None:
            out.print(verdict_line(event.verdict))
        write(event.text)
        pieces.append(event.text)
    out.print()
    return "".join(pieces).strip()


def _opening(system: str | None) -> list[dict[str, str]]:
    return [{"role": "system", "content": system}] if system else []


def _lines(prompted: bool) -> Iterator[str]:
    """Lines of input that are not empty, until the input ends."""
    if not prompted:
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    while True:
        try:
            line = out.input("[bold cyan]you>[/] ").strip()
        except EOFError:
            out.print()
            return
        if line:
            yield line
