"""From OpenAI's messages to casa's; media are data URLs or fetched bytes, never a path on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from casa.serving.remote_media import RemoteMedia
from casa.serving.requests import AudioPart, ChatMessage, ImagePart, Part, TextPart


async def conversation(messages: Sequence[ChatMessage], media: RemoteMedia) -> list[dict[str, Any]]:
    """Messages in casa's chat form; "developer" is OpenAI's newer name of "system".

    Raises:
        APIError: 400, a medium may not be fetched, or could not be.
    """
    parts = [part for message in messages if isinstance(message.content, list) for part in message.content]
    fetched = await _fetched(parts, media)
    return [_message(message, fetched) for message in messages]


async def judged(given: str | list[str] | list[Part], media: RemoteMedia) -> list[list[dict[str, Any]]]:
    """Conversations of one user message each, from a moderation's input; a list of parts is one input.

    Raises:
        APIError: as `conversation`.
    """
    texts = [given] if isinstance(given, str) else [text for text in given if isinstance(text, str)]
    if texts:
        return [[{"role": "user", "content": text}] for text in texts]
    parts = [part for part in given if not isinstance(part, str)]
    return [[{"role": "user", "content": _parts(parts, await _fetched(parts, media))}]]


def kinds(given: str | list[str] | list[Part]) -> list[str]:
    """What a moderation's input holds: "text", "image", "audio"."""
    names: dict[type, str] = {ImagePart: "image", AudioPart: "audio"}
    parts: Sequence[str | Part] = [given] if isinstance(given, str) else given
    return list(dict.fromkeys(names.get(type(part), "text") for part in parts))


def _message(message: ChatMessage, fetched: Mapping[str, bytes]) -> dict[str, Any]:
    calls = {
        **({"tool_calls": [call.model_dump() for call in message.tool_calls]} if message.tool_calls else {}),
        **({"tool_call_id": message.tool_call_id} if message.tool_call_id is not None else {}),
    }
    content = _parts(message.content, fetched) if isinstance(message.content, list) else message.content
    return {"role": "system" if message.role == "developer" else message.role, "content": content, **calls}


async def _fetched(parts: Sequence[Part], media: RemoteMedia) -> dict[str, bytes]:
    """Images that are given by address, by those."""
    urls = [part.image_url.url for part in parts if isinstance(part, ImagePart)]
    return await media.fetch([url for url in dict.fromkeys(urls) if not url.startswith("data:")])


def _parts(parts: Sequence[Part], fetched: Mapping[str, bytes]) -> list[dict[str, Any]]:
    return [_part(part, fetched) for part in parts]


def _part(part: Part, fetched: Mapping[str, bytes]) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, AudioPart):
        return {"type": "audio", "audio": f"data:audio/{part.input_audio.format};base64,{part.input_audio.data}"}
    return {"type": "image", "image": fetched.get(part.image_url.url, part.image_url.url)}
