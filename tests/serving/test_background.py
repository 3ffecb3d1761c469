"""A door in the background is a door like any other, as long as it is needed."""

import logging

import httpx2 as httpx
import pytest

from casa.serving.background import in_background
from casa.serving.door import Door
from casa.serving.engine import EngineError
from casa.serving.settings import Settings
from serving.running import CHAT, MODEL, chat
from serving.scripted import ScriptedEngine


def test_it_answers_on_this_machine_only_and_is_gone_afterwards():
    with in_background(Door(ScriptedEngine(), Settings(MODEL))) as url:
        assert url.startswith("http://127.0.0.1:") and url.endswith("/v1")
        answer = httpx.post(url.removesuffix("/v1") + CHAT, json=chat(), trust_env=False).json()
        assert answer["choices"][0]["message"]["content"] == "Hello there"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/models", trust_env=False)


def test_logging_stays_as_its_host_set_it_up():
    class Open(logging.NullHandler):
        closed = False

        def close(self) -> None:
            self.closed = True

    handler = Open()
    logging.getLogger("host").addHandler(handler)
    try:
        with in_background(Door(ScriptedEngine(), Settings(MODEL))):
            assert not handler.closed
    finally:
        logging.getLogger("host").removeHandler(handler)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_that_does_not_start_is_told():
    class Broken(ScriptedEngine):
        async def start(self):
            raise RuntimeError("no memory")

    with pytest.raises(EngineError, match="did not start"), in_background(Door(Broken(), Settings(MODEL))):
        pass
