"""What was asked, as a server, a model and a browser take it."""

import base64
from io import BytesIO

import numpy as np
import pytest
import soundfile
from PIL import Image

from casa.apps.playground.conversation import Exchange, Said, question_of, to_openai, with_casa, without_casa
from casa.errors import MessageError

QUESTION = {"role": "user", "content": [{"type": "text", "text": "q"}]}


@pytest.fixture
def files(tmp_path):
    """A photograph and a clip."""
    Image.new("RGB", (32, 24), "red").save(tmp_path / "a.jpg")
    soundfile.write(tmp_path / "b.flac", np.sin(np.arange(8000) / 9), 8000)
    return [str(tmp_path / "a.jpg"), str(tmp_path / "b.flac")]


def test_media_come_before_the_text_images_as_they_are_and_clips_as_wav_at_16_khz(files, tmp_path):
    image, clip, text = question_of("What is it?", files)["content"]
    kind, _, content = image["image"].partition(",")
    assert kind == "data:image/jpeg;base64" and base64.b64decode(content) == (tmp_path / "a.jpg").read_bytes()
    wave, rate = soundfile.read(BytesIO(base64.b64decode(clip["audio"].removeprefix("data:audio/wav;base64,"))))
    assert rate == 16000 and len(wave) == 16000
    assert text == {"type": "text", "text": "What is it?"}


def test_an_image_may_stand_alone(files):
    assert [part["type"] for part in question_of(" ", files[:1])["content"]] == ["image"]


@pytest.mark.parametrize(
    "name, content", [("x.png", b"no image"), ("x.wav", b"no sound"), ("x.txt", b"text"), ("x", b"")]
)
def test_a_file_that_is_no_medium_is_told(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MessageError):
        question_of("q", [str(tmp_path / name)])


def test_nothing_is_no_question():
    with pytest.raises(MessageError, match="write a query"):
        question_of(" \n", [])


def test_each_model_has_its_own_answers_before_it():
    exchanges = [Exchange(QUESTION, Said("defended"), Said("undefended"))]
    assert [m["content"] for m in with_casa(exchanges, QUESTION)] == [
        QUESTION["content"],
        "defended",
        QUESTION["content"],
    ]
    assert without_casa(exchanges, QUESTION)[1] == {"role": "assistant", "content": "undefended"}


def test_openais_form_is_one_that_the_door_takes(files):
    from casa.serving.requests import ChatRequest

    messages = to_openai(with_casa([Exchange(question_of("a", files), Said("b"), None)], QUESTION))
    body = ChatRequest.model_validate({"model": "m", "messages": messages})
    assert [part.type for part in body.messages[0].content] == ["image_url", "input_audio", "text"]
    assert body.messages[1].content == "b"
