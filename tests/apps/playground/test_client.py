"""The client shows what a server says, and no text without a verdict."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from casa.apps.playground.client import Client, ServerError, verdict_of
from casa.errors import MessageError
from casa.serving.background import in_background
from casa.serving.door import Door
from casa.serving.settings import Settings
from serving.scripted import FAILED, SAFE, UNSAFE, ScriptedEngine
from tiny import user


@pytest.fixture
def asked():
    """`asked(script, decides=True)`: all that a client of a door in front of this script hands over."""

    def ask(script, decides=True, key="k", **settings):
        door = Door(ScriptedEngine(script), Settings("m", **{"api_key": "k", **settings}))
        with in_background(door) as url:
            return list(Client(url, 8, key, decides).answers(user("Hello")))

    return ask


@pytest.fixture
def other_server():
    """`other_server(body)`: the address of a server that answers everything with this."""
    servers = []

    def serve(body: bytes):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b'{"data": [{"id": "m"}]}' if self.path.endswith("/models") else body)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/v1"

    yield serve
    for server in servers:
        server.shutdown()


def test_the_verdict_comes_first_then_the_text_grows(asked):
    said = asked((SAFE, "Hello", " there", "stop"))
    assert all(one.verdict == SAFE for one in said) and said[0].text == ""
    texts = [one.text for one in said]
    assert texts == sorted(texts, key=len) and texts[-1] == "Hello there"
    assert said[-1].finish_reason == "stop"


def test_a_refusal_is_told_as_one(asked):
    last = asked((UNSAFE, "No.", "stop"))[-1]
    assert (last.verdict.label, last.text, last.finish_reason) == ("unsafe", "No.", "content_filter")


def test_a_decision_that_failed_is_unsafe(asked):
    verdict = asked((FAILED, "never shown", "stop"))[-1].verdict
    assert verdict.failed and verdict.label == "unsafe"


def test_no_number_no_safety():
    verdict = verdict_of({"label": "safe", "p_unsafe": 0.1, "risk": None, "threshold": 0.5})
    assert verdict.failed and verdict.label == "unsafe"


def test_what_the_door_says_of_a_request_is_told(asked):
    with pytest.raises(ServerError, match="cannot take image input"):
        asked((MessageError("this model cannot take image input"),))


def test_a_wrong_key_and_an_answer_that_breaks_off_are_errors(asked):
    with pytest.raises(ServerError, match="API key"):
        asked((SAFE, "x", "stop"), key="wrong")
    with pytest.raises(ServerError):
        asked((SAFE, "x", RuntimeError("secret")))


def test_text_without_a_verdict_is_never_handed_over(other_server):
    url = other_server(
        b'data: {"choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    )
    with pytest.raises(ServerError, match="no verdict"):
        list(Client(url, 8).answers(user("Hello")))
    (said,) = Client(url, 8, decides=False).answers(user("Hello"))
    assert (said.text, said.verdict, said.finish_reason) == ("hi", None, "stop")


@pytest.mark.parametrize("body", [b"data: nonsense\n\n", b'data: ["x"]\n\n', b"<html></html>"])
def test_what_is_no_stream_is_an_error(other_server, body):
    with pytest.raises(ServerError):
        list(Client(other_server(body), 8).answers(user("Hello")))


def test_a_server_that_is_not_there_is_told_with_what_starts_one():
    with pytest.raises(ServerError, match="casa serve"):
        Client("http://127.0.0.1:9/v1", 8).model  # noqa: B018
