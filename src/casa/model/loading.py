"""The media of a conversation, loaded as the arguments of a family's processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from casa.errors import MessageError
from casa.model.families import audio_window, media_reader
from casa.model.images import load_image
from casa.model.media import MediaLimits
from casa.model.videos import checked_fps, load_video
from casa.model.waveforms import load_audio


def load_media(
    parts: Sequence[dict[str, Any]], processor: Any, limits: MediaLimits, refused: frozenset[str]
) -> dict[str, Any]:
    """Arguments for a call of the processor, one list a conversation as transformers gives them; empty without media.

    Args:
        parts: image, audio and video parts, in the order of the conversation.
        processor: whose call takes them.
        limits: how many and how large.
        refused: kinds that the model cannot take although its processor reads them.

    Raises:
        MessageError: a medium is unreadable, beyond the limits, or of a kind that the model cannot take.
    """
    limits.check_count(len(parts))
    for kind in dict.fromkeys(part["type"] for part in parts):
        if kind in refused:
            raise MessageError(f"this model cannot take {kind} input: its {kind} tower is not trained yet")
        if media_reader(processor, kind) is None:
            raise MessageError(f"this model cannot take {kind} input")
    images = _images([part for part in parts if part["type"] == "image"], limits)
    clips = [_clip(part, processor, limits) for part in parts if part["type"] == "audio"]
    videos = [part for part in parts if part["type"] == "video"]
    return {
        **({"images": [images]} if images else {}),
        **({"audio": clips, **_sampling_rate(processor)} if clips else {}),
        **(_videos(videos, limits) if videos else {}),
    }


def _images(parts: Sequence[dict[str, Any]], limits: MediaLimits) -> list[Any]:
    """Images, unpacked as long as all so far are within the limits."""
    images: list[Any] = []
    for part in parts:
        images.append(load_image(part["image"], limits))
        limits.check_pixels_together(sum(image.width * image.height for image in images))
    return images


def _clip(part: dict[str, Any], processor: Any, limits: MediaLimits) -> Any:
    """A clip that fits into what the model's processor takes, which would cut off the rest in silence."""
    within = replace(limits, seconds=min(limits.seconds, audio_window(processor) or limits.seconds))
    return load_audio(part["audio"], _sampling_rate(processor)["sampling_rate"], part.get("sampling_rate"), within)


def _sampling_rate(processor: Any) -> dict[str, int]:
    return {"sampling_rate": media_reader(processor, "audio").sampling_rate}


def _videos(parts: list[dict[str, Any]], limits: MediaLimits) -> dict[str, Any]:
    """Frames with what processors ask about them; none is left out by sampling."""
    from transformers.video_utils import VideoMetadata

    rates = {checked_fps(part.get("fps")) for part in parts}
    if len(rates) > 1:
        raise MessageError("the videos of a conversation need the same 'fps': families take one for all")
    fps = rates.pop()
    videos = [load_video(part["video"], limits) for part in parts]
    metadata = [
        VideoMetadata(len(v), fps, v.shape[2], v.shape[1], len(v) / fps, frames_indices=list(range(len(v))))
        for v in videos
    ]
    return {"videos": [videos], "videos_kwargs": {"video_metadata": metadata, "do_sample_frames": False, "fps": fps}}
