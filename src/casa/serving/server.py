"""Runs the application under uvicorn, and ends it without cutting anyone off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG

from casa.serving.app import create_app
from casa.serving.door import Door


class Server(uvicorn.Server):
    """Upon the first SIGINT or SIGTERM lets nobody in any more (503), and ends when the last one inside is answered.

    A second signal, or the end of `shutdown_timeout_s`, ends it at once: what still runs is cut off.

    Args:
        door: that is served.
        host: address to listen on.
        port: 0 takes a free one.
        log_level: of uvicorn and of casa; None leaves logging as this process has set it up.
        on_start: called with the port once the server listens.
    """

    def __init__(
        self,
        door: Door,
        host: str,
        port: int,
        log_level: str | None = "info",
        on_start: Callable[[int], None] | None = None,
    ) -> None:
        config = uvicorn.Config(
            create_app(door),
            host=host,
            port=port,
            log_level=log_level,
            log_config=None if log_level is None else _log_config(log_level),
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self._door, self._on_start = door, on_start
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """See uvicorn."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started and self._on_start is not None:
            self._on_start(self.port())

    def port(self) -> int:
        """That the started server listens on."""
        port: int = self.servers[0].sockets[0].getsockname()[1]
        return port

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """See uvicorn; called by a signal, in the main thread."""
        if self._loop is None or self._door.admission.closed:
            self.should_exit = True
        else:
            self.drain()

    def drain(self) -> None:
        """Lets nobody in any more, and ends the server once everybody is answered; from any thread."""
        self._door.admission.close()
        assert self._loop is not None, "the server has not started"
        self._loop.call_soon_threadsafe(self._start_draining)

    def _start_draining(self) -> None:
        self._draining = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self._door.settings.shutdown_timeout_s):
                await self._door.admission.emptied()
        except TimeoutError:
            pass
        self.should_exit = True


def _log_config(level: str) -> dict[str, Any]:
    """Uvicorn's, with casa's own log beside it, and nothing on stdout, which is for programs."""
    casa = {"handlers": ["default"], "level": level.upper()}
    handlers = {name: {**one, "stream": "ext://sys.stderr"} for name, one in LOGGING_CONFIG["handlers"].items()}
    return {**LOGGING_CONFIG, "handlers": handlers, "loggers": {**LOGGING_CONFIG["loggers"], "casa": casa}}
