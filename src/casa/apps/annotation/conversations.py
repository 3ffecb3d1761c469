"""Prompts as raters see and hear them: with every medium inside."""

from __future__ import annotations

from typing import Any

from casa.apps.annotation.collect import Prompt
from casa.errors import DataError, MessageError

_RATE = 16000  # Hz; what the models hear


def conversation_of(prompt: Prompt) -> list[dict[str, Any]]:
    """The conversation in our chat form, media as data URLs: images as PNG, sounds as WAV, which every browser plays.

    It is what the task gave to all methods: a system message that one adds by itself would tell which it is.

    Raises:
        DataError: a medium cannot be read or is of a kind that is not shown; the message names the prompt.
    """
    from inspect_ai.log import read_eval_log_sample
    from inspect_ai.model import ChatMessageUser

    from casa.evaluation.harness.conversion import to_conversation

    sample = read_eval_log_sample(prompt.log, prompt.id, resolve_attachments=True)
    given = sample.input
    try:
        messages = to_conversation([ChatMessageUser(content=given)] if isinstance(given, str) else given)
        return [{**message, "content": _embedded(message["content"])} for message in messages]
    except MessageError as error:
        raise DataError(f"{prompt.benchmark}, {prompt.id}: {error}") from error


def _embedded(content: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    return content if isinstance(content, str) else [_part(part) for part in content]


def _part(part: dict[str, Any]) -> dict[str, Any]:
    from casa.evaluation.drawings import as_data_url, wav_url
    from casa.model.images import load_image
    from casa.model.waveforms import load_audio

    if part["type"] == "image":
        return {"type": "image", "image": as_data_url(load_image(part["image"]))}
    if part["type"] == "audio":
        return {"type": "audio", "audio": wav_url(load_audio(part["audio"], _RATE), _RATE)}
    return part
