"""Loads images and audio from the forms that a message part may hold."""

from __future__ import annotations

import base64
import binascii
from io import BytesIO
from pathlib import Path
from typing import Any

from casa.errors import MessageError, MissingDependencyError

_MOST_CHANNELS = 8


def media_bytes(source: Any, kind: str) -> bytes:
    """Bytes of a medium given as bytes, path or data URL; never fetched from the network.

    Raises:
        MessageError: the file or data URL cannot be read, or an address was given.
    """
    if isinstance(source, bytes | bytearray):
        return bytes(source)
    text = str(source)
    if text.startswith("data:"):
        try:
            return base64.b64decode(text.partition(",")[2], validate=True)
        except (binascii.Error, ValueError) as error:
            raise MessageError(f"the {kind}'s data URL is not valid base64") from error
    if "://" in text:
        raise MessageError(f"{kind} addresses are not fetched; give a path, bytes or a data URL")
    try:
        return Path(text).read_bytes()
    except OSError as error:
        raise MessageError(f"cannot read the {kind} {text!r}: {error.strerror or error}") from error


def load_image(source: Any) -> Any:
    """An RGB PIL image from a PIL image, array, bytes, path or data URL.

    Raises:
        MessageError: it is not a readable image.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        if isinstance(source, Image.Image):
            return source.convert("RGB")
        if hasattr(source, "__array_interface__"):
            return Image.fromarray(source).convert("RGB")
        return Image.open(BytesIO(media_bytes(source, "image"))).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError) as error:
        raise MessageError(f"unreadable image: {error}") from error


def load_audio(source: Any, rate: int, source_rate: int | None = None) -> Any:
    """A mono float32 waveform at `rate` Hz from an array (with its rate), bytes, path or data URL.

    Raises:
        MessageError: it is not readable audio, is empty, or holds values that are not finite.
    """
    try:
        import numpy as np
        import soundfile
        import soxr
    except ImportError as error:
        raise MissingDependencyError(f"audio needs soundfile and soxr: pip install soundfile soxr ({error})") from error
    if hasattr(source, "__array_interface__"):
        if source_rate is None:
            raise MessageError(
                "an audio array needs its sampling rate: {'type': 'audio', 'audio': x, 'sampling_rate': 16000}"
            )
        wave, found = np.asarray(source, dtype=np.float32), source_rate
    else:
        try:
            wave, found = soundfile.read(BytesIO(media_bytes(source, "audio")), dtype="float32", always_2d=False)
        except (soundfile.LibsndfileError, ValueError) as error:
            raise MessageError(f"unreadable audio: {error}") from error
    if wave.ndim > 1:
        if wave.ndim > 2 or wave.shape[1] > _MOST_CHANNELS:
            raise MessageError(f"audio has the shape (samples,) or (samples, channels), not {wave.shape}")
        wave = wave.mean(axis=1)
    if not wave.size or not np.isfinite(wave).all():
        raise MessageError("the audio is empty or holds values that are not finite")
    return wave if found == rate else soxr.resample(wave, found, rate)
