"""Every row of the table in docs/serving.md: supported without touching the verdict, or a clear 400."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from casa.serving.engine import Sampling
from casa.serving.unsupported import UNSUPPORTED
from serving.conftest import CHAT, MODEL, chat, error_of
from serving.scripted import SAFE, UNSAFE, ScriptedEngine

TABLE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
ASSISTANT = {"role": "assistant", "content": "Sure, here"}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
ASKING = {  # a value that asks for what is not supported
    **dict.fromkeys(UNSUPPORTED, "x"),
    **{"n": 2, "best_of": 2, "echo": True, "logprobs": True, "logit_bias": {"5": 100}, "min_tokens": 3, "top_k": 5},
    **{"response_format": {"type": "json_object"}, "guided_choice": ["Sure"], "presence_penalty": 1.5},
}
ACCEPTED = {
    "max_tokens": 3,
    "max_completion_tokens": 3,
    "temperature": 1.5,
    "top_p": 0.5,
    "seed": 7,
    "stop": ["x", "\n"],
    "stream_options": {"include_usage": True},
    "continue_final_message": True,
    "add_generation_prompt": False,
    "user": "someone",
    "metadata": {"a": "b"},
    "store": False,
    "service_tier": "auto",
    "safety_identifier": "x",
    "prompt_cache_key": "x",
    "parallel_tool_calls": True,
}
ELSEWHERE = {"model", "messages", "stream", "tools", "tool_choice"}  # tested below, or in test_chat.py


def rows():
    """Names in the first column of the table."""
    section = TABLE.split("## Fields of a request")[1].split("\n## ")[0]
    lines = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for line in lines for name in re.findall(r"`(\w+)`", line)}


def test_the_table_names_every_field_and_no_other():
    assert rows() == {*UNSUPPORTED, *ACCEPTED, *ELSEWHERE}


@pytest.mark.parametrize("field", UNSUPPORTED)
def test_a_field_that_is_not_supported_is_a_400_that_names_it(client, field):
    error = error_of(client.post(CHAT, json=chat(**{field: ASKING[field]})), 400)
    assert error["param"] == field and field in error["message"]
    assert client.door.engine.turns == []


@pytest.mark.parametrize("field", UNSUPPORTED)
def test_it_may_be_sent_where_it_asks_for_nothing(client, field):
    for harmless in (None, *UNSUPPORTED[field][1]):
        assert client.post(CHAT, json=chat(**{field: harmless})).status_code == 200


def test_a_field_that_nobody_knows_is_a_400(client):
    assert error_of(client.post(CHAT, json=chat(skip_safety=True)), 400)["param"] == "skip_safety"


@pytest.mark.parametrize("field", ACCEPTED)
def test_a_supported_field_leaves_the_verdict_alone(real_client, served_casa, field):
    prefill = [ASSISTANT] if field in ("continue_final_message", "add_generation_prompt") else []
    body = chat(**{field: ACCEPTED[field]})
    body["messages"] += prefill
    response = real_client.post(CHAT, json=body | ({"stream": True} if field == "stream_options" else {}))
    assert response.status_code == 200, response.text
    alone = served_casa.classify(body["messages"])
    assert response.headers["x-casa-verdict"] == alone.label
    assert float(response.headers["x-casa-p-unsafe"]) == pytest.approx(alone.p_unsafe, abs=1e-4)


def test_sampling_fields_reach_the_engine(client):
    client.post(CHAT, json=chat(max_tokens=3, temperature=0.5, top_p=0.9, seed=4))
    client.post(CHAT, json=chat(max_tokens=None, max_completion_tokens=2))
    assert [turn.sampling for turn in client.door.engine.turns] == [Sampling(3, 0.5, 0.9, 4), Sampling(2)]


def test_a_longer_answer_than_the_server_gives_is_a_400(client):
    assert "16" in error_of(client.post(CHAT, json=chat(max_tokens=17)), 400)["message"]


def test_without_a_length_the_servers_own_holds(client):
    client.post(CHAT, json=chat(max_tokens=None))
    assert client.door.engine.turns[0].sampling.max_new_tokens == 16


def test_a_stop_string_ends_the_text_and_the_generation(opened):
    engine = ScriptedEngine((SAFE, "one, t", "wo, three", None, "stop"))
    body = opened(engine).post(CHAT, json=chat(stop=[", two"])).json()
    assert body["choices"][0]["message"]["content"] == "one"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert engine.open == 0


def test_a_stop_string_cannot_turn_a_refusal_into_a_stop(opened):
    body = opened(ScriptedEngine((UNSAFE, "No.", "stop"))).post(CHAT, json=chat(stop="N")).json()
    assert body["choices"][0]["finish_reason"] == "content_filter"
    assert body["choices"][0]["message"]["content"]  # the fixed refusal


@pytest.mark.parametrize(
    ("last", "fields"),
    [
        (None, {"continue_final_message": True}),
        (None, {"add_generation_prompt": False}),
        (ASSISTANT, {"continue_final_message": False}),
        (ASSISTANT, {"add_generation_prompt": True}),
    ],
)
def test_a_prefill_that_contradicts_the_messages_is_a_400(client, last, fields):
    body = chat(**fields)
    body["messages"] += [last] if last else []
    assert error_of(client.post(CHAT, json=body), 400)["param"] in fields


def test_a_server_may_refuse_prefills(opened):
    client = opened(prefill=False)
    body = chat()
    assert client.post(CHAT, json=body).status_code == 200
    body["messages"].append(ASSISTANT)
    assert error_of(client.post(CHAT, json=body), 400)["code"] == "prefill_refused"
    body["messages"].append({"role": "user", "content": "Go on."})
    assert client.post(CHAT, json=body).status_code == 200
    assert len(client.door.engine.turns) == 2


def test_a_prefill_reaches_the_engine_as_the_last_message(client):
    body = chat()
    body["messages"].append({**ASSISTANT, "refusal": None, "tool_calls": None})
    client.post(CHAT, json=body)
    assert client.door.engine.turns[0].messages[-1] == ASSISTANT


def test_tools_reach_the_engine_unless_the_choice_is_none(client):
    client.post(CHAT, json=chat(tools=[TOOL]))
    client.post(CHAT, json=chat(tools=[TOOL], tool_choice="auto"))
    client.post(CHAT, json=chat(tools=[TOOL], tool_choice="none"))
    assert [list(turn.tools) for turn in client.door.engine.turns] == [[TOOL], [TOOL], []]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "look_up"}}, 1])
def test_a_forced_tool_call_is_a_400(client, choice):
    assert error_of(client.post(CHAT, json=chat(tools=[TOOL], tool_choice=choice)), 400)["param"] == "tool_choice"


def test_earlier_calls_are_a_400_where_the_chat_template_shows_none(real_client):
    call = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    calling = {"role": "assistant", "content": None, "tool_calls": [call]}
    body = chat()
    body["messages"] += [calling, {"role": "tool", "content": "found", "tool_call_id": "c1"}]
    assert "tool_calls" in error_of(real_client.post(CHAT, json=body), 400)["message"]


def test_tools_are_a_400_where_the_chat_template_takes_none(real_client):
    assert "tools" in error_of(real_client.post(CHAT, json=chat(tools=[TOOL])), 400)["message"]


def test_raw_completions_are_a_400_that_names_the_right_endpoint(client):
    response = client.post("/v1/completions", json={"model": MODEL, "prompt": "Hello", "echo": True})
    assert CHAT in error_of(response, 400)["message"]
