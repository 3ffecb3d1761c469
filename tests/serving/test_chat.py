"""The chat door: verdict first, then an answer that is conditioned on it."""

from __future__ import annotations

import base64
import io
import json

import pytest
from PIL import Image

from casa.model.refusal import FIXED_REFUSAL
from serving.conftest import CHAT, MODEL, chat, error_of
from serving.scripted import FAILED, SAFE, UNSAFE, ScriptedEngine
from tiny import user


def events(response):
    """Bodies of a stream's events; the last is [DONE] or an error."""
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_an_answer_is_the_models_own_and_carries_its_verdict(real_client, served_casa):
    alone = served_casa.respond(user("Hello"), 4)
    response = real_client.post(CHAT, json=chat())
    assert response.status_code == 200
    body = response.json()
    choice = body["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": alone.text, "refusal": None}
    assert choice["finish_reason"] == alone.finish_reason
    assert body["usage"] == {
        "prompt_tokens": alone.usage.prompt_tokens,
        "completion_tokens": alone.usage.completion_tokens,
        "total_tokens": alone.usage.prompt_tokens + alone.usage.completion_tokens,
    }
    assert body["casa"]["label"] == alone.verdict.label == response.headers["x-casa-verdict"]
    assert body["casa"]["p_unsafe"] == pytest.approx(alone.verdict.p_unsafe, abs=1e-4)
    assert body["casa"]["risk"] == pytest.approx(alone.verdict.risk, abs=1e-4)
    assert body["casa"]["threshold"] == alone.verdict.threshold


def test_a_stream_tells_the_verdict_first_and_then_the_same_text(real_client, served_casa):
    alone = served_casa.respond(user("Hello"), 4)
    response = real_client.post(CHAT, json=chat(stream=True, stream_options={"include_usage": True}))
    first, *chunks, usage, done = events(response)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-casa-verdict"] == first["casa"]["label"] == alone.verdict.label
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks).strip() == alone.text
    assert chunks[-1]["choices"][0]["finish_reason"] == alone.finish_reason
    assert usage["choices"] == [] and usage["usage"]["completion_tokens"] == alone.usage.completion_tokens
    assert done == "[DONE]"


def test_a_stream_without_options_tells_no_usage(client):
    assert all(event == "[DONE]" or "usage" not in event for event in events(client.post(CHAT, json=chat(stream=True))))


def test_the_name_of_the_model_must_be_the_served_one(client):
    response = client.post(CHAT, json=chat(model="another"))
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert MODEL in response.json()["error"]["message"]


@pytest.mark.parametrize(("refusal", "text"), [("model", "I won't."), ("fixed", FIXED_REFUSAL), ("verdict", "")])
@pytest.mark.parametrize("stream", [False, True])
def test_the_refusal_policy_decides_what_is_answered_on_the_unsafe_branch(opened, refusal, text, stream):
    engine = ScriptedEngine((UNSAFE, " I", " won't.", "stop"))
    response = opened(engine, refusal=refusal).post(CHAT, json=chat(stream=stream))
    assert response.headers["x-casa-verdict"] == "unsafe"
    if stream:
        first, *chunks, _ = events(response)
        assert first["casa"] == {"label": "unsafe", "p_unsafe": 0.9, "risk": 0.8, "threshold": 0.5}
        assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == text
        reason = chunks[-1]["choices"][0]["finish_reason"]
    else:
        choice = response.json()["choices"][0]
        assert choice["message"]["content"] == text
        reason = choice["finish_reason"]
    assert reason == "content_filter"
    assert engine.open == 0


def test_a_failed_decision_answers_nothing_of_the_models(opened):
    client = opened(ScriptedEngine((FAILED, "Sure", "stop")))
    body = client.post(CHAT, json=chat()).json()
    assert body["choices"][0]["message"]["content"] == FIXED_REFUSAL
    assert body["choices"][0]["finish_reason"] == "content_filter"
    assert body["casa"]["label"] == "unsafe" and body["casa"]["risk"] is None


@pytest.mark.parametrize(
    "script",
    [
        (RuntimeError("secret prompt"),),
        (SAFE, "Sure", RuntimeError("secret prompt")),
        ("Sure", "stop"),
        (SAFE, "Sure"),
        (SAFE, "Sure", SAFE, "stop"),
        (),
    ],
    ids=["at once", "on the way", "no verdict", "no end", "two verdicts", "nothing"],
)
def test_an_engine_that_fails_gives_500_without_text(opened, caplog, script):
    engine = ScriptedEngine(script)
    response = opened(engine).post(CHAT, json=chat())
    assert error_of(response, 500)["code"] == "engine_error"
    assert "x-casa-verdict" not in response.headers
    assert "secret" not in response.text + caplog.text
    assert engine.open == 0


def test_a_stream_that_fails_on_the_way_ends_with_the_error_and_without_done(opened):
    response = opened(ScriptedEngine((SAFE, "Sure", RuntimeError()))).post(CHAT, json=chat(stream=True))
    *_, last = events(response)
    assert last["error"]["code"] == "engine_error"


def test_a_conversation_that_the_model_refuses_is_a_400(real_client):
    messages = [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}
    ]
    assert error_of(real_client.post(CHAT, json=chat(messages=messages)), 400)["code"] == "invalid_messages"


def test_a_prompt_beyond_the_models_window_is_a_400(real_client):
    error = error_of(real_client.post(CHAT, json=chat("word " * 40000)), 400)
    assert "tokens" in error["message"]


@pytest.mark.parametrize(("policy", "refusal"), [("model", FIXED_REFUSAL), ("fixed", FIXED_REFUSAL), ("verdict", "")])
def test_an_answer_that_the_engine_takes_back_is_replaced_by_a_refusal(opened, policy, refusal):
    client = opened(ScriptedEngine((SAFE, "Well", ", take", "back")), refusal=policy)
    choice = client.post(CHAT, json=chat()).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (refusal, "content_filter")
    assert "casa_retracted_answers_total 1.0" in client.get("/metrics").text


def test_in_a_stream_the_refusal_follows_what_was_sent_and_held_back_text_is_dropped(opened):
    client = opened(ScriptedEngine((SAFE, "Well, ta", "back")))
    *chunks, done = events(client.post(CHAT, json=chat(stream=True, stop=["take"])))
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert (text, chunks[-1]["choices"][0]["finish_reason"]) == (f"Well, \n\n{FIXED_REFUSAL}", "content_filter")
    assert done == "[DONE]" and client.door.engine.open == 0


def test_media_are_decided_on_too(real_client, served_casa):
    buffer = io.BytesIO()
    Image.new("RGB", (56, 56), "red").save(buffer, "PNG")
    image = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    question = {"type": "text", "text": "What is this? <|im_end|>"}
    parts = [{"type": "image_url", "image_url": {"url": image}}, question]
    response = real_client.post(CHAT, json=chat(messages=[{"role": "user", "content": parts}]))
    assert response.status_code == 200, response.text
    alone = served_casa.classify([{"role": "user", "content": [{"type": "image", "image": image}, question]}])
    assert float(response.headers["x-casa-p-unsafe"]) == pytest.approx(alone.p_unsafe, abs=1e-4)
    assert float(response.headers["x-casa-risk"]) == pytest.approx(alone.risk, abs=1e-4)
