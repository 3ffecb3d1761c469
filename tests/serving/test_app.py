"""What holds for every endpoint: keys, sizes, forms, health, metrics."""

from __future__ import annotations

import json
import logging

import pytest

from casa.serving.engine import EngineError
from casa.serving.errors import as_api_error
from serving.conftest import CHAT, MODEL, chat, error_of

TOOL_CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
KEY = {"authorization": "Bearer s3cret"}


@pytest.mark.parametrize(
    "given", [None, "s3cret", "Bearer", "Bearer wrong", "Bearer s3cret2", "bearer s3cret", "Bearer ü"]
)
def test_without_the_key_nothing_is_answered(opened, given):
    client = opened(api_key="s3cret")
    headers = {"authorization": given.encode()} if given else {}
    for response in (client.post(CHAT, json=chat(), headers=headers), client.get("/metrics", headers=headers)):
        assert error_of(response, 401)["code"] == "invalid_api_key"
    assert client.door.engine.turns == []


def test_with_the_key_it_is_and_health_needs_none(opened):
    client = opened(api_key="s3cret")
    assert client.post(CHAT, json=chat(), headers=KEY).status_code == 200
    assert client.get("/health").status_code == client.get("/ready").status_code == 200


def test_an_engine_that_has_failed_for_good_is_not_healthy(client):
    client.door.engine.dead = True
    assert client.get("/health").status_code == 503


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b'{"temperature": NaN}',
        b'{"model": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
    ids=["empty", "cut", "list", "string", "not UTF-8", "NaN", "half a character", "deep list", "deep object"],
)
def test_what_is_no_json_object_is_a_400(client, body):
    assert error_of(client.post(CHAT, content=body), 400)["code"] == "invalid_json"


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": None},
        {"messages": []},
        {"messages": "Hello"},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": None}]},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": []}]},
        {"messages": [{"role": "user", "content": "x", "tool_calls": [TOOL_CALL]}]},
        {"messages": [{"role": "user", "content": "x", "tool_call_id": "c1"}]},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{**TOOL_CALL, "index": 0}]}]},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"messages": [{"role": "user", "content": []}]},
        {"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "x"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "image": "/etc/passwd"}]}]},
        {"messages": [{"role": "user", "content": "x", "sampling_rate": 5}]},
        {"model": 5},
        {"max_tokens": 0},
        {"max_tokens": "4"},
        {"max_tokens": True},
        {"temperature": -1},
        {"temperature": 3},
        {"top_p": 0},
        {"seed": 2**63},
        {"stop": ""},
        {"stop": ["a"] * 5},
        {"stream": 1},
        {"tools": [1]},
    ],
    ids=lambda fields: json.dumps(fields)[:60],
)
def test_wrong_types_and_values_are_a_400_that_names_the_field(client, fields):
    error = error_of(client.post(CHAT, content=json.dumps(chat(**fields))), 400)
    assert error["param"].split(".")[0] in fields
    assert client.door.engine.turns == []


def test_a_body_beyond_the_limit_is_a_413_announced_or_not(opened):
    client = opened(max_body_mb=0.01)
    assert error_of(client.post(CHAT, json=chat("x" * 20_000)), 413)["code"] == "body_too_large"
    error_of(client.post(CHAT, content=(b"x" * 1000 for _ in range(20))), 413)
    assert client.door.engine.turns == []


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "text/application/json"])
def test_another_content_type_is_a_415(client, kind):
    body = json.dumps(chat())
    assert error_of(client.post(CHAT, content=body, headers={"content-type": kind}), 415)["message"]
    assert (
        client.post(CHAT, content=body, headers={"content-type": "application/json; charset=utf-8"}).status_code == 200
    )


def test_the_served_model_is_listed(client):
    (model,) = client.get("/v1/models").json()["data"]
    assert model["id"] == MODEL and client.get(f"/v1/models/{MODEL}").json() == model
    error_of(client.get("/v1/models/another"), 404)


def test_another_path_or_method_is_an_error_in_openais_form(client):
    error_of(client.get("/v1/nothing"), 404)
    error_of(client.get(CHAT), 405)


def test_each_response_has_its_own_id(client):
    ids = {client.post(CHAT, json=chat()).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


def test_metrics_count_verdicts_requests_and_tokens(client):
    client.post(CHAT, json=chat())
    client.post("/v1/moderations", json={"input": ["a", "b"]})
    client.post(CHAT, json=chat(n=2))
    client.get("/nothing/of/that/name")
    text = client.get("/metrics").text
    for line in (
        f'casa_verdicts_total{{endpoint="{CHAT}",label="safe"}} 1.0',
        'casa_verdicts_total{endpoint="/v1/moderations",label="safe"} 2.0',
        f'casa_requests_total{{endpoint="{CHAT}",status="400"}} 1.0',
        'casa_requests_total{endpoint="other",status="404"} 1.0',
        'casa_risk_count{endpoint="/v1/moderations"} 2.0',
        'casa_tokens_total{kind="prompt"} 7.0',
        'casa_tokens_total{kind="completion"} 3.0',
        "casa_requests_waiting 0.0",
        "casa_requests_inside 0.0",
    ):
        assert line in text


@pytest.mark.parametrize(("level", "quoted"), [(logging.INFO, False), (logging.DEBUG, True)])
def test_an_error_is_logged_with_its_place_and_its_message_at_level_debug_only(caplog, level, quoted):
    caplog.set_level(level, "casa.serving.errors")
    prompt = "my secret"
    try:
        try:
            raise ValueError(prompt)
        except ValueError as cause:
            raise EngineError("failed") from cause
    except EngineError as error:
        assert "secret" not in str(as_api_error(error))
    assert "ValueError" in caplog.text and "EngineError" in caplog.text and "test_app.py" in caplog.text
    assert (prompt in caplog.text) == quoted


def test_prompts_and_answers_stay_out_of_the_log(client, caplog):
    caplog.set_level(logging.DEBUG)
    client.post(CHAT, json=chat("my secret"))
    client.post(CHAT, json=chat("my secret", temperature=5))
    assert "secret" not in caplog.text and "there" not in caplog.text
