"""Tools that a model is offered, and its earlier calls of them, as chat templates take both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from casa.errors import MessageError
from casa.model.hardening import ControlTokens


def checked_calls(calls: Any) -> list[dict[str, Any]]:
    """Earlier calls in the form that chat templates take: with arguments as an object.

    Args:
        calls: in OpenAI's form, a list of {"id", "type": "function", "function": {"name", "arguments"}}; arguments are an object or
            its JSON.

    Raises:
        MessageError: they have another form.
    """
    try:
        return [
            {
                "id": str(call["id"]),
                "type": "function",
                "function": {
                    "name": str(call["function"]["name"]),
                    "arguments": _object(call["function"]["arguments"]),
                },
            }
            for call in calls
        ]
    except (KeyError, TypeError) as error:
        raise MessageError(
            "tool_calls is a list of {'id', 'type': 'function', 'function': {'name', 'arguments'}}"
        ) from error


def require_showable(
    tools: Sequence[Mapping[str, Any]], turns: Sequence[Mapping[str, Any]], template: Any, control: ControlTokens
) -> None:
    """Checks that a chat template shows tools and calls, and that they hold no control token: they are rendered as they are.

    Args:
        tools: that are offered.
        turns: checked messages.
        template: of the model's chat format.
        control: the model's control tokens.

    Raises:
        MessageError: they cannot be rendered, or not safely.
    """
    calls = [turn["tool_calls"] for turn in turns if "tool_calls" in turn]
    ids = [turn["tool_call_id"] for turn in turns if "tool_call_id" in turn]
    if tools and "tools" not in str(template):
        raise MessageError("this model's chat template takes no tools")
    if calls and "tool_calls" not in str(template):
        raise MessageError("this model's chat template takes no earlier calls of tools (tool_calls)")
    for name, shown in (("tools", list(tools)), ("tool_calls", calls), ("tool_call_id", ids)):
        if shown and control.suspected_in(_text(shown)):
            raise MessageError(f"{name}: a control token of this model is in it")


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MessageError(f"a call of a tool is not valid Unicode: {error.reason}") from error
    return text


def _object(arguments: Any) -> dict[str, Any]:
    try:
        found = json.loads(arguments) if isinstance(arguments, str) else arguments
    except (ValueError, RecursionError) as error:
        raise MessageError("the arguments of a call are no JSON") from error
    if not isinstance(found, dict):
        raise MessageError("the arguments of a call are a JSON object")
    return found
