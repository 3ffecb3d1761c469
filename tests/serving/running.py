"""A server in a thread, and requests to it."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx2 as httpx

from casa.serving.door import Door
from casa.serving.server import Server
from casa.serving.settings import Settings

MODEL = "tiny"
CHAT = "/v1/chat/completions"


def chat(text: str = "Hello", **fields: Any) -> dict[str, Any]:
    """Body of a chat request."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 4, **fields}


def until(condition: Any, seconds: float = 60) -> None:
    """Waits for what must come about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


class Running:
    """A server in a thread."""

    def __init__(self, engine: Any, start_s: float = 60, **settings: Any) -> None:
        self.engine, self.door = engine, Door(engine, Settings(MODEL, **{"max_new_tokens": 64, **settings}))
        self.server = Server(self.door, "127.0.0.1", 0, log_level="error")
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        until(lambda: self.server.started or not self.thread.is_alive(), start_s)
        assert self.server.started, "the server did not start"
        self.port = self.server.port()
        self.url = f"http://127.0.0.1:{self.port}"

    def post(self, **fields: Any) -> httpx.Response:
        return httpx.post(self.url + CHAT, json=chat(**fields), timeout=60, trust_env=False)

    def go(self) -> None:
        self.server._loop.call_soon_threadsafe(self.engine.go.set)

    def end(self) -> None:
        self.server.should_exit = True
        self.thread.join(60)
        assert not self.thread.is_alive()
