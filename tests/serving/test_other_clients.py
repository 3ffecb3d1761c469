"""Clients of other makers, pointed at the door, send nothing that it refuses and read what it answers."""

from __future__ import annotations

import pytest

from serving.conftest import KEY, MODEL
from serving.running import Running
from serving.scripted import SAFE, ScriptedEngine
from tiny import user

CALL = {"id": "c1", "name": "look_up", "args": {"of": "trains"}}


def look_up(of: str) -> str:
    """Looks something up."""
    return of


# -- LangChain -------------------------------------------------------------------------------------------------------


def langchain(running, **options):
    openai = pytest.importorskip("langchain_openai")
    return openai.ChatOpenAI(model=MODEL, base_url=f"{running.url}/v1", api_key=KEY, max_retries=0, **options)


def test_langchain_reads_answer_and_verdict(running, served_casa):
    alone = served_casa.respond(user("Hello"), 4)
    answer = langchain(running, max_tokens=4, include_response_headers=True).invoke("Hello")
    assert answer.content == alone.text
    assert answer.response_metadata["finish_reason"] == alone.finish_reason
    assert answer.response_metadata["headers"]["x-casa-verdict"] == alone.verdict.label


def test_langchain_reads_a_stream(running, served_casa):
    chunks = langchain(running, max_tokens=4, temperature=0, stop=["zzz"]).stream("Hello")
    assert "".join(chunk.content for chunk in chunks).strip() == served_casa.respond(user("Hello"), 4).text


def test_the_second_step_of_langchains_agents_is_taken():
    pytest.importorskip("langchain_openai")
    from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

    engine = ScriptedEngine((SAFE, "They are.", "stop"))
    running = Running(engine)
    try:
        steps = [HumanMessage("Hi"), AIMessage("", tool_calls=[CALL]), ToolMessage("trains", tool_call_id="c1")]
        answer = langchain(running).bind_tools([look_up]).invoke(steps)
    finally:
        running.end()
    assert answer.content == "They are."
    _, calling, found = engine.turns[0].messages
    assert calling["content"] is None and calling["tool_calls"][0]["function"]["name"] == "look_up"
    assert found == {"role": "tool", "content": "trains", "tool_call_id": "c1"}
    assert [tool["function"]["name"] for tool in engine.turns[0].tools] == ["look_up"]


# -- LiteLLM ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def litellm(monkeypatch):
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or it fetches one while it is imported
    return pytest.importorskip("litellm")


def served(running):
    return {"api_base": f"{running.url}/v1", "api_key": KEY, "max_retries": 0}


def test_litellm_reads_answer_verdict_and_stream(litellm, running, served_casa):
    alone = served_casa.respond(user("Hello"), 4)
    asked = {"model": f"openai/{MODEL}", "messages": user("Hello"), "max_tokens": 4, **served(running)}
    answer = litellm.completion(**asked)
    assert answer.choices[0].message.content == alone.text and answer.casa["label"] == alone.verdict.label
    chunks = litellm.completion(**asked, stream=True, stream_options={"include_usage": True})
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).strip() == alone.text


def test_litellm_reads_moderations(litellm, running, served_casa):
    found = litellm.moderation("Hello", model=MODEL, custom_llm_provider="openai", **served(running))
    assert found.results[0].flagged == (served_casa.classify(user("Hello")).label == "unsafe")
