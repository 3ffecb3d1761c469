"""Videos as frames of one size, from the forms that a message part may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from casa.errors import MessageError
from casa.model.images import load_image
from casa.model.media import MediaLimits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def load_video(source: Any, limits: MediaLimits | None = None) -> NDArray[np.uint8]:
    """RGB frames, shape (frames, height, width, 3), from a list of images or an array.

    Files are not decoded: the caller chooses the frames, and the model sees every one of them.

    Args:
        source: images in any form that `load_image` reads, or a uint8 array of shape (frames, height, width[, 3 or 4]).
        limits: how many frames, and how large each and all.

    Raises:
        MessageError: it is no list of images of one size, or too long.
    """
    import numpy as np

    limits = limits or MediaLimits()
    if isinstance(source, str | bytes | bytearray | memoryview) or not hasattr(source, "__len__"):
        raise MessageError("a video is given as its frames: {'type': 'video', 'video': [image, ...], 'fps': 2.0}")
    if not len(source):
        raise MessageError("the video is empty")
    limits.check_frames(len(source))
    frames: list[NDArray[np.uint8]] = []
    for frame in source:
        frames.append(np.asarray(load_image(frame, limits)))
        height, width = frames[0].shape[:2]
        if frames[-1].shape != frames[0].shape:
            raise MessageError(f"the frames of a video have one size; one is not {width} x {height} as the first")
        limits.check_pixels_together(len(frames) * height * width)
    return np.stack(frames)


def checked_fps(value: Any) -> float:
    """Frames a second, which is asked for because families put timestamps into the prompt.

    Raises:
        MessageError: it is missing or no positive number.
    """
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise MessageError(f"a video needs its frames a second as 'fps', a positive number; got {value!r}")
    return float(value)
