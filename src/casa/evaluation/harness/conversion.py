"""Between inspect-ai's messages and outputs and ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    Content,
    ContentAudio,
    ContentImage,
    ContentText,
    ModelOutput,
    ModelUsage,
)

from casa.baselines.interface import Answer
from casa.errors import MessageError
from casa.evaluation.drawings import as_data_url, wav_url
from casa.model.outputs import FinishReason, Response

VERDICT = "verdict"  # key in a model output's metadata
_STOP_REASONS: dict[FinishReason, Any] = {"stop": "stop", "length": "max_tokens", "content_filter": "content_filter"}
_MESSAGES: dict[str, Any] = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}


def to_conversation(messages: list[ChatMessage]) -> list[dict[str, Any]]:
    """Our chat form of inspect-ai's messages; media stay paths or data URLs.

    Raises:
        MessageError: a message holds something else than text, images and audio.
    """
    return [{"role": message.role, "content": _parts(message.content)} for message in messages]


def _parts(content: str | list[Content]) -> Any:
    if isinstance(content, str):
        return content
    parts: list[dict[str, Any]] = []
    for piece in content:
        if isinstance(piece, ContentText):
            parts.append({"type": "text", "text": piece.text})
        elif isinstance(piece, ContentImage):
            parts.append({"type": "image", "image": piece.image})
        elif isinstance(piece, ContentAudio):
            parts.append({"type": "audio", "audio": piece.audio})
        else:
            raise MessageError(f"{piece.type} content is not supported")
    return parts


def to_inspect(conversation: list[dict[str, Any]]) -> list[ChatMessage]:
    """inspect-ai's messages of our chat form; images and waveforms made here become data URLs."""
    return [_MESSAGES[message["role"]](content=_contents(message["content"])) for message in conversation]


def _contents(content: Any) -> str | list[Content]:
    return content if isinstance(content, str) else [_content(part) for part in content]


def _content(part: dict[str, Any]) -> Content:
    medium = part[part["type"]]
    if part["type"] == "text":
        return ContentText(text=medium)
    if part["type"] == "image":
        return ContentImage(image=str(medium) if isinstance(medium, str | Path) else as_data_url(medium))
    if isinstance(medium, str | Path):
        return ContentAudio(audio=str(medium), format="mp3" if str(medium).lower().endswith(".mp3") else "wav")
    return ContentAudio(audio=wav_url(medium, part["sampling_rate"]), format="wav")


def to_output(model: str, answer: Answer) -> ModelOutput:
    """A CASA model's response, or another defence's answer, as inspect-ai's model output; a verdict is in its metadata."""
    if isinstance(answer, Response):
        stop, counts = _STOP_REASONS[answer.finish_reason], answer.usage
        total = counts.prompt_tokens + counts.completion_tokens
        usage = ModelUsage(
            input_tokens=counts.prompt_tokens, output_tokens=counts.completion_tokens, total_tokens=total
        )
    else:
        stop, usage = "stop", None
    choice = ChatCompletionChoice(
        message=ChatMessageAssistant(content=answer.text, model=model, source="generate"), stop_reason=stop
    )
    return ModelOutput(model=model, choices=[choice], usage=usage, metadata=_verdict(answer))


def _verdict(answer: Answer) -> dict[str, Any] | None:
    """What the answer's metadata hold; methods other than CASA have no v_s."""
    if answer.verdict is None:
        return None
    fields = answer.verdict.as_dict()
    return {VERDICT: fields if isinstance(answer, Response) else {**fields, "risk": None}}
