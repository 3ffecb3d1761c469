"""Bytes of media, from the forms that a message part may hold, and how much of them is taken."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casa.errors import MessageError


@dataclass(frozen=True)
class MediaLimits:
    """What a conversation may hold; beyond it there is an error that names the limit, and nothing is answered.

    Attributes:
        count: images, clips and videos in one conversation.
        megabytes: of one file, as it is stored.
        megapixels: of one image; its header is asked before anything is unpacked.
        megapixels_together: of all images of one conversation, and of all frames of one video.
        frames: of one video.
        seconds: of one clip. A clip longer than the model's own window is refused too: its end would go unheard.
        megasamples: of one clip, over all its channels; its header is asked before anything is unpacked.
    """

    count: int = 32
    megabytes: float = 64.0
    megapixels: float = 64.0
    megapixels_together: float = 256.0
    frames: int = 256
    seconds: float = 600.0
    megasamples: float = 64.0

    def check_count(self, found: int) -> None:
        """Raises MessageError if a conversation holds too many media."""
        if found > self.count:
            raise MessageError(f"the conversation holds {found} media; the limit is {self.count} (count)")

    def check_bytes(self, found: int, kind: str) -> None:
        """Raises MessageError if a file is too large."""
        if found > self.megabytes * 1e6:
            raise MessageError(f"the {kind} has {found / 1e6:.1f} MB; the limit is {self.megabytes:g} MB (megabytes)")

    def check_pixels(self, width: int, height: int) -> None:
        """Raises MessageError if an image is too large."""
        if width * height > self.megapixels * 1e6:
            raise MessageError(
                f"the image has {width} x {height} pixels; the limit is {self.megapixels:g} million (megapixels)"
            )

    def check_pixels_together(self, found: int) -> None:
        """Raises MessageError if images, or the frames of a video, are too large together."""
        if found > self.megapixels_together * 1e6:
            raise MessageError(
                f"images have {found / 1e6:.0f} million pixels together; the limit is {self.megapixels_together:g} million "
                "(megapixels_together)"
            )

    def check_frames(self, found: int) -> None:
        """Raises MessageError if a video is too long."""
        if found > self.frames:
            raise MessageError(f"the video has {found} frames; the limit is {self.frames} (frames)")

    def check_seconds(self, found: float) -> None:
        """Raises MessageError if a clip is too long."""
        if found > self.seconds:
            raise MessageError(f"the audio has {found:.1f} s; the limit is {self.seconds:g} s (seconds)")

    def check_samples(self, found: int) -> None:
        """Raises MessageError if a clip has too many samples."""
        if found > self.megasamples * 1e6:
            raise MessageError(
                f"the audio has {found / 1e6:.1f} million samples; the limit is {self.megasamples:g} million (megasamples)"
            )


def media_bytes(source: Any, kind: str, limits: MediaLimits) -> bytes:
    """Bytes of a medium given as bytes, path or data URL; never fetched from the network.

    Raises:
        MessageError: the file or data URL cannot be read or is too large, or an address was given.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
    elif str(source).startswith("data:"):
        content = _from_data_url(str(source), kind, limits)
    elif "://" in str(source):
        raise MessageError(f"{kind} addresses are not fetched; give a path, bytes or a data URL")
    else:
        content = _from_file(Path(str(source)), kind, limits)
    limits.check_bytes(len(content), kind)
    if not content:
        raise MessageError(f"the {kind} is empty")
    return content


def _from_data_url(url: str, kind: str, limits: MediaLimits) -> bytes:
    header, _, content = url.partition(",")
    if not header.endswith(";base64"):
        raise MessageError(f"the {kind}'s data URL has no ';base64,'")
    limits.check_bytes(len(content) * 3 // 4 - 2, kind)
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MessageError(f"the {kind}'s data URL is not valid base64") from error


def _from_file(path: Path, kind: str, limits: MediaLimits) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise MessageError(f"cannot read the {kind} {str(path)!r}: it is not a file")
        limits.check_bytes(path.stat().st_size, kind)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, MessageError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise MessageError(f"cannot read the {kind} {str(path)!r}: {reason}") from error
