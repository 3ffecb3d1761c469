"""Conversations that a tokenizer renders straight to ids, as mistral-common's does; no text lies between."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from torch import Tensor

from casa.errors import MessageError, MissingDependencyError


def rendered_inputs(processor: Any, turns: Sequence[dict[str, Any]], media: dict[str, Any]) -> dict[str, Tensor]:
    """Inputs of the model for one conversation, batch size 1.

    Args:
        processor: whose chat template gives ids, or a tokenizer of that kind.
        turns: checked messages, ending where an answer begins.
        media: what `load_media` made of their parts; only clips.

    Raises:
        MessageError: the tokenizer refuses the conversation, or it holds a medium other than sound.
    """
    from mistral_common.exceptions import MistralCommonException

    clips = iter(media.get("audio", []))
    given = [{**turn, "content": [_part(p, clips, media) for p in turn["content"]]} for turn in turns]
    try:
        return dict(processor.apply_chat_template([given], tokenize=True, return_dict=True, return_tensors="pt"))
    except (ValueError, KeyError, MistralCommonException) as error:
        raise MessageError(f"the model's tokenizer refuses this conversation: {error}") from error


def _part(part: dict[str, Any], clips: Iterator[Any], media: dict[str, Any]) -> dict[str, Any]:
    """A part as the tokenizer takes it: clips as files, which it decodes itself."""
    if part["type"] == "text":
        return part
    if part["type"] != "audio":
        raise MessageError(f"this model's tokenizer takes no {part['type']} input here")
    return {"type": "audio", "base64": _wav(next(clips), media["sampling_rate"])}


def _wav(wave: Any, rate: int) -> str:
    """A data URL of a WAV file that holds float32 samples unchanged."""
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise MissingDependencyError(f"audio files need soundfile: pip install soundfile ({error})") from error
    file = BytesIO()
    soundfile.write(file, wave, rate, format="WAV", subtype="FLOAT")
    return f"data:audio/wav;base64,{base64.b64encode(file.getvalue()).decode()}"
