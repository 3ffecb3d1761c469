"""What a person asked and what was answered; media are data URLs, which a server, a model and a browser take alike."""

from __future__ import annotations

import mimetypes
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casa.errors import MessageError
from casa.evaluation.drawings import wav_url
from casa.model.images import load_image
from casa.model.media import MediaLimits
from casa.model.messages import Message
from casa.model.outputs import Verdict
from casa.model.waveforms import load_audio

RATE = 16000  # Hz; what the models hear


@dataclass(frozen=True)
class Said:
    """An answer as far as it has come.

    Attributes:
        text: so far.
        verdict: that it is conditioned on; None before it is there, and from a model without CASA.
        finish_reason: why it ended; None before it has.
    """

    text: str = ""
    verdict: Verdict | None = None
    finish_reason: str | None = None


@dataclass(frozen=True)
class Exchange:
    """One turn that is over.

    Attributes:
        question: the user's message.
        casa: the answer with CASA.
        base: the answer without; None if nobody gives one.
    """

    question: Message
    casa: Said
    base: Said | None


def with_casa(exchanges: Sequence[Exchange], question: Message) -> list[Message]:
    """The conversation as the model with CASA has it."""
    return [m for e in exchanges for m in (e.question, _answer(e.casa))] + [question]


def without_casa(exchanges: Sequence[Exchange], question: Message) -> list[Message]:
    """The conversation as the model without CASA has it."""
    return [m for e in exchanges if e.base is not None for m in (e.question, _answer(e.base))] + [question]


def _answer(said: Said) -> Message:
    return {"role": "assistant", "content": said.text}


def question_of(text: str, files: Sequence[str]) -> Message:
    """The user's message: images and sounds, then the text.

    Raises:
        MessageError: there is neither, or a file is no readable image or sound.
    """
    media = [_medium(Path(name)) for name in files]
    if not media and not text.strip():
        raise MessageError("write a query, or add an image or a clip")
    return {"role": "user", "content": [*media, *([{"type": "text", "text": text}] if text.strip() else [])]}


def _medium(path: Path) -> dict[str, Any]:
    kind = (mimetypes.guess_type(path.name)[0] or "").partition("/")
    MediaLimits().check_bytes(path.stat().st_size, kind[0])
    if kind[0] == "audio":
        return {"type": "audio", "audio": wav_url(load_audio(path, RATE), RATE)}
    if kind[0] != "image":
        raise MessageError(f"{path.name} is neither an image nor a sound that is known here")
    load_image(path)  # tells at once if it cannot be read; sent as it is, for a photograph as PNG is ten times larger
    return {"type": "image", "image": f"data:image/{kind[2]};base64,{b64encode(path.read_bytes()).decode()}"}


def to_openai(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The same messages as OpenAI's clients send them."""
    return [
        {
            "role": message["role"],
            "content": message["content"]
            if isinstance(message["content"], str)
            else [_openai_part(part) for part in message["content"]],
        }
        for message in messages
    ]


def _openai_part(part: dict[str, Any]) -> dict[str, Any]:
    if part["type"] == "image":
        return {"type": "image_url", "image_url": {"url": part["image"]}}
    if part["type"] == "audio":
        return {"type": "input_audio", "input_audio": {"data": part["audio"].partition(",")[2], "format": "wav"}}
    return part
