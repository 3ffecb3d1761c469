"""OpenAI's messages become casa's; no message reads a file of this machine."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from casa.serving.conversation import conversation
from casa.serving.errors import APIError
from casa.serving.remote_media import RemoteMedia
from casa.serving.requests import ChatRequest, parsed
from serving.conftest import CHAT, chat

CLIP = base64.b64encode(b"clip").decode()
IMAGE = "data:image/png;base64,AAAA"


def messages(*given):
    return parsed(json.dumps(chat(messages=list(given))).encode(), ChatRequest).messages


def converted(*given):
    return asyncio.run(conversation(messages(*given), RemoteMedia(frozenset(), 1.0)))


def test_text_image_and_clip():
    parts = [
        {"type": "text", "text": "this?"},
        {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": CLIP, "format": "wav"}},
    ]
    assert converted({"role": "developer", "content": "Be kind."}, {"role": "user", "content": parts}) == [
        {"role": "system", "content": "Be kind."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "this?"},
                {"type": "image", "image": IMAGE},
                {"type": "audio", "audio": f"data:audio/wav;base64,{CLIP}"},
            ],
        },
    ]


def test_earlier_calls_of_tools_and_what_they_gave():
    call = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"of": 1}'}}
    calling = {"role": "assistant", "content": None, "tool_calls": [call]}
    found = {"role": "tool", "content": "3", "tool_call_id": "c1"}
    assert converted({"role": "user", "content": "x"}, {**calling, "refusal": None}, found)[1:] == [calling, found]
    del calling["content"]
    assert converted(calling, found)[0]["content"] is None


@pytest.mark.parametrize(
    "url",
    ["/etc/passwd", "file:///etc/passwd", "etc/passwd", "DATA:image/png;base64,AAAA", "", "http://h/x", "https://h/x"],
)
def test_what_is_no_data_url_is_refused_and_never_read(url):
    with pytest.raises(APIError, match="not fetched") as raised:
        converted({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
    assert raised.value.status == 400


def test_a_clip_is_data_whatever_it_holds(real_client):
    part = {"type": "input_audio", "input_audio": {"data": "/etc/passwd", "format": "wav"}}
    response = real_client.post(CHAT, json=chat(messages=[{"role": "user", "content": [part]}]))
    assert response.status_code == 400 and "root" not in response.text
