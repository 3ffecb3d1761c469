"""A real server, real clients: OpenAI's, curl, many at once, one that leaves, and the end."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2 as httpx
import openai
import pytest

from serving.conftest import CHAT, KEY, MODEL, chat, error_of
from serving.running import Running, until
from serving.scripted import SAFE, UNSAFE, ScriptedEngine
from tiny import user

HELLO = user("Hello")


@pytest.fixture
def serving():
    started = []

    def serve(engine, **settings):
        started.append(Running(engine, **settings))
        return started[-1]

    yield serve
    for running in started:
        running.end()


def openai_client(running):
    return openai.OpenAI(base_url=f"{running.url}/v1", api_key=KEY, max_retries=0)


@contextmanager
def asked(running, body, sent=None):
    """A connection on which a request was sent, or so many bytes of its body, and nothing is read."""
    content = json.dumps(body).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(head.encode() + content[:sent])
        yield connection


@pytest.fixture
def client(running):
    return openai_client(running)


# -- OpenAI's client and curl ----------------------------------------------------------------------------------------


def test_openais_client_reads_an_answer_and_its_verdict(client, served_casa):
    alone = served_casa.respond(HELLO, 4)
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=4)
    assert answer.choices[0].message.content == alone.text
    assert answer.choices[0].finish_reason == alone.finish_reason
    assert answer.casa["label"] == alone.verdict.label
    assert answer.usage.completion_tokens == alone.usage.completion_tokens


def test_openais_client_reads_a_stream(client, served_casa):
    options = {"include_usage": True}
    stream = client.chat.completions.create(
        model=MODEL, messages=HELLO, max_tokens=4, stream=True, stream_options=options
    )
    first, *chunks = stream
    assert first.casa["label"] == served_casa.classify(HELLO).label
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.strip() == served_casa.respond(HELLO, 4).text
    assert chunks[-1].usage.total_tokens > 0


def test_openais_client_reads_moderations_and_models(client, served_casa):
    result = client.moderations.create(input=["Hello", "Who?"])
    assert [r.casa["label"] for r in result.results] == [served_casa.classify(user(t)).label for t in ("Hello", "Who?")]
    assert [model.id for model in client.models.list()] == [MODEL]


def test_openais_client_knows_the_errors(client, running):
    with pytest.raises(openai.BadRequestError, match="logit_bias"):
        client.chat.completions.create(model=MODEL, messages=HELLO, logit_bias={"5": 100})
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="another", messages=HELLO)
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{running.url}/v1", api_key="wrong").models.list()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl(running):
    command = ["curl", "-sS", "--noproxy", "*", running.url + CHAT, "-H", f"authorization: Bearer {KEY}"]
    command += ["-H", "content-type: application/json", "-d", json.dumps(chat())]
    body = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert body["casa"]["label"] in ("safe", "unsafe")


# -- many at once ----------------------------------------------------------------------------------------------------


def test_requests_at_once_keep_their_verdicts_and_answers(client, served_casa):
    texts = [f"{'word ' * i}and {i}?" for i in range(9)]
    alone = [served_casa.respond(user(text), 1 + i) for i, text in enumerate(texts)]

    def ask(i):
        return client.chat.completions.create(model=MODEL, messages=user(texts[i]), max_tokens=1 + i)

    with ThreadPoolExecutor(9) as pool:
        answers = list(pool.map(ask, range(9)))
    for response, answer in zip(alone, answers, strict=True):
        assert answer.casa["label"] == response.verdict.label
        assert answer.casa["p_unsafe"] == pytest.approx(response.verdict.p_unsafe, abs=1e-4)
        assert answer.choices[0].message.content == response.text
        assert answer.usage.completion_tokens == response.usage.completion_tokens


def test_a_full_server_says_429_and_takes_requests_again_afterwards(serving):
    running = serving(ScriptedEngine((SAFE, None, "done", "stop")), max_requests=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(running.post)
        until(lambda: running.engine.open)
        full = running.post()
        assert error_of(full, 429)["code"] == "overloaded" and int(full.headers["retry-after"]) > 0
        running.go()
        assert first.result().status_code == 200
    assert running.post().status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_takes_too_long_is_given_up_and_frees_its_place(serving, stream):
    script = (SAFE, "a", None, "stop") if stream else (None, SAFE, "stop")
    running = serving(ScriptedEngine(script), max_requests=1, request_timeout_s=0.3)
    response = running.post(stream=stream)
    if stream:
        assert '"code": "timeout"' in response.text and "[DONE]" not in response.text
    else:
        assert error_of(response, 504)["code"] == "timeout"
    assert running.engine.open == 0
    running.go()
    assert running.post().status_code == 200


def test_a_client_that_reads_no_more_loses_its_place_when_its_time_is_over(serving):
    more_than_buffers_hold = ["x" * 1_000_000] * 50
    running = serving(ScriptedEngine((SAFE, *more_than_buffers_hold, "stop")), max_requests=1, request_timeout_s=0.5)
    with asked(running, chat(stream=True)):
        until(lambda: running.engine.open)
        assert running.post().status_code == 429
        until(lambda: not running.engine.open and not running.door.admission.inside, 20)
        assert running.post().status_code == 200


def test_a_place_is_held_from_before_the_body_is_read(serving):
    running = serving(ScriptedEngine(), max_requests=1)
    with asked(running, chat(), sent=10):
        until(lambda: running.door.admission.inside)
        assert running.post().status_code == 429
        with asked(running, chat(), sent=0) as second:  # is answered without its body
            assert second.recv(100).startswith(b"HTTP/1.1 429 ")
    until(lambda: not running.door.admission.inside)
    assert running.post().status_code == 200


@pytest.mark.parametrize("script", [(SAFE, "a", None, "stop"), (None, SAFE, "stop")], ids=["answering", "deciding"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_stops_its_generation_and_frees_its_place(serving, script, stream):
    running = serving(ScriptedEngine(script), max_requests=1)
    with asked(running, chat(stream=stream)):
        until(lambda: running.engine.open)
    until(lambda: not running.engine.open and not running.door.admission.inside)
    running.go()
    assert running.post().status_code == 200


def test_a_stream_that_its_client_closes_frees_its_place(client, running):
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=64, stream=True)
    next(iter(stream))
    stream.close()
    until(lambda: not running.door.admission.inside)


# -- the end ---------------------------------------------------------------------------------------------------------


def test_a_signal_lets_running_requests_finish_and_refuses_new_ones(serving):
    running = serving(ScriptedEngine((SAFE, "a", None, "b", "stop")))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(running.post, stream=True)
        until(lambda: running.engine.open)
        running.server.handle_exit(signal.SIGTERM, None)
        assert error_of(running.post(), 503)["code"] == "shutting_down"
        assert httpx.get(f"{running.url}/ready", trust_env=False).status_code == 503
        assert httpx.get(f"{running.url}/health", trust_env=False).status_code == 200
        running.go()
        assert first.result().text.endswith("data: [DONE]\n\n")
    running.thread.join(30)
    assert not running.thread.is_alive()


@pytest.mark.parametrize("impatient", [False, True], ids=["time is over", "second signal"])
def test_a_request_that_does_not_finish_is_cut_off(serving, impatient):
    running = serving(ScriptedEngine((UNSAFE, "a", None, "stop")), shutdown_timeout_s=60 if impatient else 0.1)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(running.post)
        until(lambda: running.engine.open)
        running.server.handle_exit(signal.SIGINT, None)
        if impatient:
            running.server.handle_exit(signal.SIGINT, None)
        running.thread.join(30)
        assert not running.thread.is_alive()
    assert running.engine.open == 0
