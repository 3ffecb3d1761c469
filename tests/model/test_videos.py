import numpy as np
import pytest
from PIL import Image

from casa.errors import MessageError
from casa.model.media import MediaLimits
from casa.model.videos import checked_fps, load_video

FRAME = Image.new("RGB", (6, 4), "red")


def test_frames_are_stacked_in_order():
    video = load_video([FRAME, Image.new("RGB", (6, 4), "blue")])
    assert video.shape == (2, 4, 6, 3)
    assert video[0, 0, 0].tolist() == [255, 0, 0] and video[1, 0, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize("shape", [(3, 4, 6), (3, 4, 6, 3), (3, 4, 6, 4)])
def test_arrays_are_taken(shape):
    assert load_video(np.full(shape, 255, np.uint8)).shape == (3, 4, 6, 3)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("clip.mp4", "frames"),
        (b"bytes", "frames"),
        (FRAME, "frames"),
        ([], "empty"),
        ([FRAME, Image.new("RGB", (4, 6))], "one size"),
        ([FRAME, "/nowhere.png"], "cannot read"),
    ],
)
def test_what_is_no_list_of_images_of_one_size_is_refused(source, message):
    with pytest.raises(MessageError, match=message):
        load_video(source)


def test_a_video_beyond_the_limit_is_refused():
    with pytest.raises(MessageError, match="2 frames; the limit is 1"):
        load_video([FRAME, FRAME], MediaLimits(frames=1))


def test_frames_beyond_the_limit_are_not_unpacked(monkeypatch):
    asked = []
    monkeypatch.setattr("casa.model.videos.load_image", lambda frame, limits: asked.append(frame) or frame)
    with pytest.raises(MessageError, match="megapixels_together"):
        load_video([Image.new("RGB", (100, 100))] * 9, MediaLimits(megapixels_together=0.02))
    assert len(asked) == 3


@pytest.mark.parametrize("value", [None, 0, -1.0, float("inf"), float("nan"), "2"])
def test_a_rate_is_a_positive_number(value):
    with pytest.raises(MessageError, match="fps"):
        checked_fps(value)
