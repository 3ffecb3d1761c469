"""A door in a thread of this process, on a free port of this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from casa.serving.door import Door
from casa.serving.engine import EngineError
from casa.serving.server import Server

_HOST = "127.0.0.1"


@contextmanager
def in_background(door: Door) -> Iterator[str]:
    """The address of a server that runs as long as the context, as OpenAI clients take it ("http://.../v1").

    Raises:
        EngineError: it did not start; the log says why.
    """
    server = Server(door, _HOST, 0, log_level=None)
    thread = threading.Thread(target=server.run, name="casa-door", daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise EngineError("the server did not start; the lines above say why")
        time.sleep(0.01)
    try:
        yield f"http://{_HOST}:{server.port()}/v1"
    finally:
        server.should_exit = True
        thread.join()
